"""The command as a person runs it, a small trained model, and a session of real exercises as a plain table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from otolith.cli.main import main
from otolith.data.recording import Annotation, Recording
from otolith.data.store import Dataset, DatasetWriter

TINY = (
    "model.dim=32",
    "model.heads=2",
    "model.blocks=1",
    "train.threads=1",
    "train.precision=32-true",
    "train.accelerator=cpu",
    "sampling.batch_size=16",
    "loader.step_seconds=4",
)
WATCH = ("--acc-unit", "m/s^2", "--gyro-unit", "rad/s", "--placement", "left wrist", "--device", "smartwatch")


def tiny(*more: str) -> list[str]:
    """`--set` for an encoder and a run that take seconds."""
    return [word for setting in (*TINY, *more) for word in ("--set", setting)]


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


def call(arguments: Iterable[object]) -> int:
    """Runs the command in this process; its exit code. Any exception but the exit is a traceback, and fails."""
    before, threads = sys.argv, torch.get_num_threads()
    sys.argv = ["otolith", *map(str, arguments)]
    try:
        main()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    finally:
        sys.argv = before
        torch.set_num_threads(threads)
    return 0


def listing(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones included, with its content; folders too."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"folder"
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("OTOLITH_RAW_DIR", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def otolith(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command: `otolith("datasets", "list")`."""

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = call(arguments)
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err)

    return run


@pytest.fixture
def refused(otolith: Command, tmp_path: Path) -> Callable[..., str]:
    """The one sentence that the command ends with; exit code 2, nothing on stdout, no file made, changed or lost."""

    def run(*arguments: object) -> str:
        before = listing(tmp_path)
        outcome = otolith(*arguments)
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        assert outcome.err.startswith("otolith: ") and outcome.err.count("\n") == 1, outcome.err
        assert "Traceback" not in outcome.err and "Error(" not in outcome.err
        assert listing(tmp_path) == before
        return outcome.err.removeprefix("otolith: ").strip()

    return run


@pytest.fixture(scope="session")
def run_folder(spar_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished `otolith align` of 20 steps. Shared: read only."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    settings = tiny("train.evaluate_every=20", "train.learning_rate=0.003", "train.warmup=0.05")
    assert call(["align", "-o", folder, "-d", spar_dataset.path, "--steps", 20, *settings]) == 0
    return folder


@pytest.fixture(scope="session")
def checkpoint(run_folder: Path) -> Path:
    return run_folder / "best.safetensors"


@pytest.fixture(scope="session")
def session(spar_recordings: list[Recording]) -> Recording:
    """Three exercises of one person at the left wrist, 16 s of each, one after the other."""
    parts = [
        next(r for r in spar_recordings if r.name == f"subject03_{name}_left")
        for name in sorted({r.name.split("_")[1] for r in spar_recordings})[:3]
    ]
    notes = tuple(Annotation(16.0 * i, 16.0 * (i + 1), p.annotations[0].activity) for i, p in enumerate(parts))
    signal = np.concatenate([part.signal[:800] for part in parts])
    return Recording(signal, 50.0, parts[0].channels, "subject03", "session", notes)


@pytest.fixture(scope="session")
def session_dataset(session: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session as a dataset of one recording."""
    path = tmp_path_factory.mktemp("cli") / "own"
    with DatasetWriter(path, "own") as writer:
        writer.add(session)
    return path


@pytest.fixture
def table(session: Recording) -> pd.DataFrame:
    """The session as a person's own table, 9 digits a number."""
    columns = {c.name: session.signal[:, i] for i, c in enumerate(session.channels)}
    return pd.DataFrame({"time": np.arange(len(session.signal)) / session.rate, **columns})


@pytest.fixture
def csv(table: pd.DataFrame, tmp_path: Path) -> Path:
    """The same as `session.csv` in the working folder."""
    return write_csv(table, tmp_path / "session.csv")


def write_csv(table: pd.DataFrame, path: Path) -> Path:
    table.to_csv(path, index=False, float_format="%.9g")
    return path
