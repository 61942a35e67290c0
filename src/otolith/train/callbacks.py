"""What a person sees while a run trains."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from otolith.train.run import State


class Progress:
    """A progress bar on a terminal; elsewhere one line at each evaluation.

    Args:
        steps: Steps of the whole run.
        state: Where it starts.
        enabled: False on all processes but the first.
    """

    def __init__(self, steps: int, state: State, *, enabled: bool) -> None:
        self.console = Console(stderr=True, quiet=not enabled)
        self.began, self.first = time.monotonic(), state.step
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("loss {task.fields[loss]:.3f}"),
            console=self.console,
            disable=not (enabled and self.console.is_terminal),
            transient=True,
        )
        self.task = self.bar.add_task("training", total=steps, completed=state.step, loss=float("nan"))

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def advance(self, logs: Mapping[str, float]) -> None:
        """One step done."""
        self.bar.update(self.task, advance=1, loss=logs["loss"])

    def note(self, step: int, metrics: Mapping[str, float]) -> None:
        """An evaluation done."""
        pace = (step - self.first) / max(time.monotonic() - self.began, 1e-9)
        text = "  ".join(f"{name} {value:.3f}" for name, value in metrics.items() if "/" not in name)
        self.bar.console.print(f"step {step:>6}  {text}  ({pace:.1f} steps/s)", highlight=False)
