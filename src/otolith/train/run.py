"""A run folder: resolved configuration, metrics, checkpoints; and the state that a run resumes from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning_fabric import Fabric
from torch import Tensor, nn

from otolith.files import atomic_file
from otolith.models.io import load_into, read_checkpoint, write_checkpoint
from otolith.train.plots import plot_run
from otolith.types import CheckpointError, ConfigError


@dataclass
class State:
    """Where a run is."""

    step: int = 0
    best_score: float = float("-inf")
    best_step: int = 0
    without_gain: int = 0
    stopped: bool = False


class Run:
    """The folder of one training run.

    `config.yaml` (resolved), `metrics.jsonl` (a line a step), `latest.safetensors` (weights and optimiser, to resume
    from), `best.safetensors` and `step-*.safetensors` (for use), `plots/`.

    Args:
        folder: Created if missing.
        config: The resolved configuration.
        resume: Continue what is there; else a folder with a run in it is refused. A folder without a checkpoint is no
            run: what ended before its first one has nothing to lose, and may have ended over its configuration.
        writes: Whether this process writes (rank 0).

    Raises:
        ConfigError: The folder holds a run and `resume` is off, or its configuration is another one.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], *, resume: bool, writes: bool = True) -> None:
        self.folder, self.writes = folder, writes
        self.latest, self.best = folder / "latest.safetensors", folder / "best.safetensors"
        self.metrics_file, self.plots = folder / "metrics.jsonl", folder / "plots"
        self._metrics: Any = None
        text = yaml.safe_dump(json.loads(json.dumps(config)), sort_keys=False, allow_unicode=True)
        file = folder / "config.yaml"
        begun = any(folder.glob("*.safetensors"))
        if begun and not resume:
            raise ConfigError(f"{folder} already holds a run: add --resume to continue it, or name another folder")
        if begun and file.exists() and file.read_text(encoding="utf-8") != text:
            raise ConfigError(
                f"the configuration differs from {file}: a run is resumed with the configuration it began with; "
                "name another folder for a new run"
            )
        self._config_file, self._config = file, text

    def restore(self, module: nn.Module, adam: torch.optim.Optimizer, fabric: Fabric) -> State:
        """Loads the latest checkpoint, if there is one, and cuts the metrics back to it; writes the configuration."""
        state = State()
        if self.latest.exists():
            checkpoint = read_checkpoint(self.latest)
            load_into(module, checkpoint.part("train"), str(self.latest))
            _load_optimiser(adam, checkpoint.part("optimiser"), self.latest)
            state = State(**checkpoint.meta["state"])
        fabric.barrier()  # no process may still be looking at the folder when the first one writes to it
        if self.writes:
            self._sweep()
            with atomic_file(self._config_file) as temporary:
                temporary.write_text(self._config, encoding="utf-8")
            self._open_metrics(state.step)
        return state

    def log(self, step: int, kind: str, values: Mapping[str, float]) -> None:
        """Adds a line to the metrics: `kind` is `train` or `val`."""
        if self._metrics is not None:
            self._metrics.write(json.dumps({"step": step, "kind": kind, **values}) + "\n")

    def save_latest(self, task: Any, adam: Any, state: State) -> None:
        """Everything that a resumed run needs."""
        if not self.writes:
            return
        self._metrics.flush()
        tensors = {f"train.{k}": v for k, v in task.module.state_dict().items()}
        for index, values in adam.state_dict()["state"].items():
            tensors.update({f"optimiser.{index}.{k}": v for k, v in values.items()})
        write_checkpoint(self.latest, {**task.meta(), "state": asdict(state)}, tensors)

    def save_best(self, task: Any, state: State, score: float | None) -> None:
        """The model as users load it; without a score where nobody was held out."""
        self._save(self.best, task, state.step, score)

    def save_kept(self, task: Any, state: State, score: float | None) -> None:
        """A checkpoint that is not overwritten, with the score of its own evaluation."""
        self._save(self.folder / f"step-{state.step:07d}.safetensors", task, state.step, score)

    def _save(self, path: Path, task: Any, step: int, score: float | None) -> None:
        if self.writes:
            write_checkpoint(path, {**task.meta(), "step": step, "score": score}, task.tensors())

    def finish(self) -> None:
        """Closes the metrics."""
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None

    def history(self) -> list[dict[str, Any]]:
        """The metrics written so far, a dict a line."""
        if not self.metrics_file.exists():
            return []
        return [json.loads(line) for line in self.metrics_file.read_text(encoding="utf-8").splitlines()]

    def plot(self) -> None:
        """Draws `plots/`; without matplotlib only the metrics are written."""
        plot_run(self.history(), self.plots)

    def _sweep(self) -> None:
        """Removes the half-written files of a killed process."""
        if self.folder.is_dir():
            for left in self.folder.iterdir():
                if re.fullmatch(r"\..+\.(safetensors|jsonl|yaml)\.[a-z0-9_]{8}", left.name):
                    left.unlink(missing_ok=True)

    def _open_metrics(self, step: int) -> None:
        kept = []
        if self.metrics_file.exists():
            for line in self.metrics_file.read_text(encoding="utf-8").splitlines():
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:  # the line that a killed process was writing
                    break
                if row["step"] > step:
                    break
                kept.append(line + "\n")
        with atomic_file(self.metrics_file) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8")
        self._metrics = self.metrics_file.open("a", encoding="utf-8", buffering=1)


def _load_optimiser(adam: torch.optim.Optimizer, tensors: Mapping[str, Tensor], where: Path) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = value
    try:
        adam.load_state_dict({"state": state, "param_groups": adam.state_dict()["param_groups"]})
    except ValueError as error:
        raise CheckpointError(f"{where}: the optimiser state does not fit this model ({error})") from error
