"""What a model takes of a process's memory, measured in a process of its own. Starts light, as `backends` does."""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from otolith.export.backends import PYTORCH, Answer, Feed, open_file, open_module, parts

_RUNTIMES = {PYTORCH: "otolith.export.modules", "onnx": "onnxruntime", "litert": "ai_edge_litert.interpreter"}
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Ask:
    """What the process is to do.

    Attributes:
        backend: One of `BACKENDS`.
        file: What it opens: a checkpoint in PyTorch, else a file of `otolith export`.
        threads: Of the runtime.
        feeds: Segments that it answers, one after the other.
        recipe: In PyTorch, how the module is made from the checkpoint (`otolith.export.modules.Recipe`).
    """

    backend: str
    file: Path
    threads: int
    feeds: tuple[Feed, ...]
    recipe: Any = None

    def open(self) -> Answer:
        """The model."""
        if self.backend != PYTORCH:
            return open_file(self.backend, self.file, self.threads)
        from otolith.export.modules import build

        return open_module(build(self.file, self.recipe))


@dataclass(frozen=True)
class Memory:
    """Resident memory [MB, 10^6 bytes].

    Attributes:
        process: The most that the whole process held while it opened the model and answered: interpreter, runtime and
            all.
        model: How much more that is than what it held with the runtime imported and no model open.
    """

    process: float
    model: float


def measure(ask: Ask) -> Memory | None:
    """Opens the model and answers in a fresh process; None on Windows, which does not say.

    The process is started anew and not forked, as a fork begins with the memory of its parent.
    """
    if sys.platform == "win32":
        return None
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measured, ask).result()


def _measured(ask: Ask) -> Memory:
    import_module(_RUNTIMES[parts(ask.backend)[0]])
    if ask.backend == PYTORCH:
        import torch

        torch.set_num_threads(ask.threads)
    before = _peak(forget=True)
    answer = ask.open()
    for feed in ask.feeds:
        answer(feed)
    peak = _peak()
    return Memory(peak, peak - before)


def _peak(*, forget: bool = False) -> float:
    """Peak resident memory of this process [MB]; `forget` begins anew with what is held now, where the system can.

    On Linux not by `getrusage`: there a new process takes over the peak of the one that started it.
    """
    if forget:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    assert sys.platform != "win32"
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
