"""`otolith datasets convert` as a person runs it: interrupted, killed, on a full disk, over what is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Command

from archives import WRITERS
from otolith.data.store import Dataset

MAIN = "from otolith.cli.main import main; main()"
SLOW = """
import sys, time
from functools import partial
from pathlib import Path
import numpy as np
from otolith.cli.main import main
from otolith.data import conversion
from otolith.data.channels import six_axes
from otolith.data.recording import Recording
def part(number):
    time.sleep(0.02)
    if number == 6:
        Path("begun").touch()
    return [Recording(np.ones((50, 6), np.float32), 50.0, six_axes("waist", "phone"), "s1", str(number))]
conversion.parts = lambda name, raw: [partial(part, number) for number in range(1000)]
main()
"""
CONVERT = ("datasets", "convert", "spar", "-o", "spar")


def begun(folder: Path, *options: str) -> subprocess.Popen[str]:
    """A conversion in the middle of its work, in a process group of its own."""
    running = subprocess.Popen(
        [sys.executable, "-c", SLOW, *CONVERT, *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for _ in range(1000):
        if (folder / "begun").exists():
            return running
        time.sleep(0.01)
    running.kill()
    raise AssertionError(running.communicate())


def check_gone(running: subprocess.Popen[str]) -> None:
    """Nothing of its process group is left."""
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_interrupted(jobs: str, otolith: Command, tmp_path: Path) -> None:
    otolith(*CONVERT)
    old = Dataset.open(tmp_path / "spar").sha256
    running = begun(tmp_path, "--jobs", jobs)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=10)
    assert (running.returncode, out) == (130, "")
    assert err == "otolith: interrupted; nothing is half-written, training continues with --resume\n"
    check_gone(running)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["begun", "spar"]
    assert Dataset.open(tmp_path / "spar").sha256 == old


def test_killed(otolith: Command, refused: Callable[..., str], tmp_path: Path) -> None:
    running = begun(tmp_path, "--jobs", "2")
    running.kill()
    running.communicate(timeout=10)
    check_gone(running)
    (tmp_path / "begun").unlink()
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    said = refused("datasets", "check", "spar")
    assert "was interrupted; run it again:  otolith datasets convert spar" in said
    assert otolith(*CONVERT).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["spar"]
    assert otolith("datasets", "check", "spar").code == 0


def test_full_disk_keeps_the_old_dataset(tmp_path: Path, otolith: Command) -> None:
    """A limit on the size of files stands for the disk; the system gives the error in a real write."""
    otolith(*CONVERT)
    old = Dataset.open(tmp_path / "spar").sha256
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)); {MAIN}"
    done = subprocess.run([sys.executable, "-c", limited, *CONVERT], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "otolith: cannot write spar: File too large; choose another place\n"
    assert [path.name for path in tmp_path.iterdir()] == ["spar"]
    assert Dataset.open(tmp_path / "spar").sha256 == old


def test_spares_what_is_no_dataset(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    (tmp_path / "file").write_text("more work")
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "dataset.json").write_text("{}")
    (tmp_path / "web" / "thesis.txt").write_text("years of work")
    for place in ("thesis", "file", ".", tmp_path, "web"):
        assert "left as it is" in refused("datasets", "convert", "spar", "-o", place)


def test_replaces_the_same_dataset_only(
    otolith: Command, refused: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    otolith("datasets", "convert", "spar", "-o", "hapt")
    said = refused("datasets", "convert", "hapt", "-o", "hapt", "--raw", tmp_path)
    assert "holds the dataset 'spar', not 'hapt'" in said
    monkeypatch.chdir(tmp_path / "hapt")
    assert otolith("datasets", "convert", "spar", "-o", ".").code == 0
    assert len(Dataset.open(tmp_path / "hapt")) == 140
    assert [path.name for path in tmp_path.iterdir()] == ["hapt"]


def test_raw_data_that_is_not_there(refused: Callable[..., str]) -> None:
    for options in ([], ["--raw", "nowhere"], ["--raw", "nowhere", "--jobs", 2]):
        said = refused("datasets", "convert", "hapt", "-o", "hapt", *options)
        assert "hapt" in said.lower() and ("--raw" in said or "nowhere" in said)


@pytest.mark.parametrize("jobs", [1, 3])
def test_damaged_raw_data(jobs: int, refused: Callable[..., str], tmp_path: Path) -> None:
    WRITERS["hapt"](tmp_path / "raw")
    (tmp_path / "raw/RawData/gyro_exp02_user01.txt").write_text("0.1 0.2\n")
    said = refused("datasets", "convert", "hapt", "-o", "hapt", "--raw", "raw", "--jobs", jobs)
    assert said == "raw/RawData/gyro_exp02_user01.txt, line 1: 2 columns instead of 3"


def test_unknown_engine(refused: Callable[..., str]) -> None:
    assert "choose one of threads, ray" in refused(*CONVERT, "--engine", "spark")


def test_ray_without_the_extra(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install 'otolith[ray]'" in refused(*CONVERT, "--engine", "ray")


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_only(terminal: bool, tmp_path: Path) -> None:
    ours, theirs = os.openpty() if terminal else os.pipe()
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *CONVERT], cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs, text=True,
        check=True, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    assert done.stdout == "spar: 140 recordings of 10 subjects, 1.4 h\n"
    os.write(theirs, b"end")
    said = b""
    while not said.endswith(b"end"):
        said += os.read(ours, 65536)
    os.close(ours)
    os.close(theirs)
    assert (b"converting spar" in said) == terminal and (terminal or said == b"end")
