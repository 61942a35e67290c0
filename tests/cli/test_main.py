from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.conftest import Command, call

import otolith as package
from otolith.cli.main import main
from otolith.data import registry

OTOLITH = [sys.executable, "-c", "from otolith.cli.main import main; main()"]
FULL = Path("/dev/full")


def test_version_and_help(otolith: Command) -> None:
    assert otolith("--version").out == f"otolith {package.__version__}\n"
    commands = ("demo", "datasets", "pretrain", "align", "classify", "enrol", "evaluate")
    for words in ([], *([command] for command in commands)):
        outcome = otolith(*words, "-h")
        assert outcome.code == 0 and outcome.err == "" and "Usage: otolith" in outcome.out
    assert all(command in otolith("--help").out for command in commands)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["classfy"], "No such command 'classfy'"),
        (["datasets", "list", "--jsn"], "No such option"),
        (["classify"], "Missing argument"),
        (["enrol", "a.csv"], "Missing option '--output'"),
        (["classify", "a.csv", "-m", "b", "--rate", "fast"], "Invalid value for '--rate'"),
        (["demo", "--steps", "0"], "Invalid value for '--steps'"),
    ],
)
def test_misuse_is_exit_code_2(otolith: Command, tmp_path: Path, arguments: list[str], said: str) -> None:
    outcome = otolith(*arguments)
    assert outcome.code == 2 and outcome.out == "" and said in outcome.err and "Traceback" not in outcome.err
    assert not list(tmp_path.iterdir())


def test_interrupted_is_130_and_a_sentence(otolith: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(registry, "card", interrupt)
    outcome = otolith("datasets", "info", "spar")
    assert outcome.code == 130 and outcome.out == ""
    assert outcome.err == "otolith: interrupted; nothing is half-written, training continues with --resume\n"


def test_a_programming_error_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(registry, "card", fail)
    monkeypatch.setattr(sys, "argv", ["otolith", "datasets", "info", "spar"])
    with pytest.raises(ZeroDivisionError):
        main()


def test_a_process_of_its_own(tmp_path: Path) -> None:
    """Exit code and stderr as the shell sees them, warnings of libraries included."""
    done = subprocess.run([*OTOLITH, "datasets", "check", "nowhere"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "otolith: there is no dataset at nowhere; make it with  otolith datasets convert nowhere\n"


def test_a_reader_that_stops_reading_is_no_error(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*OTOLITH, "datasets", "list", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full, which is always out of space")
def test_a_full_disk_behind_the_output() -> None:
    with FULL.open("w") as full:
        done = subprocess.run([*OTOLITH, "datasets", "list", "--json"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "otolith: no space left on the disk: free some space and run again\n"


@pytest.mark.slow
def test_ctrl_c_while_converting_leaves_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*OTOLITH, "datasets", "convert", "spar", "-o", "spar"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    for _ in range(2000):
        if any(tmp_path.rglob("*.npy")) or process.poll() is not None:
            break
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and said.count("otolith: interrupted") == 1 and "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_runs_again_in_the_same_process() -> None:
    assert [call(["datasets", "info", name]) for name in ("spar", "sparr", "spar")] == [0, 2, 0]
