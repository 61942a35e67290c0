"""Damaged and hostile inputs over all converters, importers, the unpacker, the dataset reader; and the fuzz itself."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

if sys.platform == "win32":
    pytest.skip("needs the clocks and limits of a Unix system", allow_module_level=True)

import archives
from fuzz import running, targets
from fuzz.__main__ import INPUTS, main
from fuzz.running import Target, build, prepare, report, run_apart, run_here, run_one, spread
from otolith.data.importers import IMPORTERS
from otolith.types import DataError

SOME = (
    "hapt", "recgym", "utd_mhad", "actigraph", "geneactiv", "movella-dot", "table-csv", "unpack.zip", "unpack.tar.gz",
    "dataset-read",
)  # fmt: skip
"""Quick ones, of each kind."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is room for it: the fuzz is about what is written, not about disks."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or shutil.disk_usage(memory).free < 4 << 30:
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="otolith-fuzz-", dir=memory))
    yield folder
    shutil.rmtree(folder)


def test_some_inputs(place: Path):
    found = [target for target in targets.discover() if target.name in SOME]
    outcomes = list(run_here(spread(100, SOME), found, prepare(found, place), place))
    assert not [print(outcome) for outcome in outcomes if outcome.ended == "failed"]
    for name in SOME:
        assert {outcome.ended for outcome in outcomes if outcome.target == name} == {"well", "refused"}, name


@pytest.mark.slow
def test_ten_thousand_inputs(place: Path, capsys: pytest.CaptureFixture[str]):
    """No traceback, no hang, bounded memory, no file outside of the target, nothing half-written."""
    names = [target.name for target in targets.discover()]
    before = time.perf_counter()
    outcomes = run_apart(spread(INPUTS, names), place)
    with capsys.disabled():
        print(f"\n{report(outcomes)}\n{len(outcomes)} inputs in {time.perf_counter() - before:.0f} s")
    failed = [str(outcome) for outcome in outcomes if outcome.ended == "failed"]
    if failed:
        pytest.fail("\n\n".join(failed), pytrace=False)
    assert len(outcomes) == INPUTS
    for name in names:  # where everything is refused at the door, nothing is tested
        assert {outcome.ended for outcome in outcomes if outcome.target == name} == {"well", "refused"}, name


def test_no_converter_and_no_importer_escapes():
    names = {target.name for target in targets.discover()}
    assert {*archives.WRITERS, "spar", *IMPORTERS} < names


# The fuzz itself


def written(path: Path) -> Path:
    """A table of numbers in a folder of its own."""
    (path / "raw").mkdir()
    (path / "raw" / "s01.csv").write_text("t,x,y\n" + "".join(f"{k},{k / 7:.3f},2.5\n" for k in range(200)))
    return path / "raw"


def fake(act: Callable[[Path, Path], None], check: Callable[[Path], None] = lambda path: None) -> Target:
    def old(path: Path) -> None:
        path.mkdir()
        (path / "old.txt").write_text("old\n")

    return Target("fake", written, lambda given, output, rng: act(given, output), old, check)


def makes(given: Path, output: Path) -> None:
    if output.exists():
        shutil.rmtree(output)
    output.mkdir()
    (output / "new.txt").write_text("new")


def ends(target: Target, place: Path, number: int = 0) -> tuple[str, str]:
    sound = prepare([target], place)["fake"]
    (place / "run").mkdir()
    outcome = run_one(("fake", number), target, sound, place / "run")
    return outcome.ended, outcome.text


def refuses(text: str) -> Callable[[Path, Path], None]:
    def act(given: Path, output: Path) -> None:
        error = DataError()
        error.args = (text,)  # as a class would say it that does not keep to one line
        raise error

    return act


def raises(given: Path, output: Path) -> None:
    raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")


def panics(given: Path, output: Path) -> None:
    raise BaseException("as a panic in Rust")


def warns(given: Path, output: Path) -> None:
    warnings.warn("overflow in multiply", RuntimeWarning, stacklevel=1)


def hangs(given: Path, output: Path) -> None:
    while True:
        time.sleep(0.01)


def escapes(given: Path, output: Path) -> None:
    (output.parent.parent / "escaped.txt").write_text("x")


def leaves_a_part(given: Path, output: Path) -> None:
    (output.parent / ".made.abcdefgh.part").mkdir()
    raise DataError("refused")


def leaves_temporary_files(given: Path, output: Path) -> None:
    tempfile.mkdtemp()


def damages_its_input(given: Path, output: Path) -> None:
    for path in given.parent.rglob("*"):
        path.touch()
    (given.parent / "cache").mkdir()


def harms_the_bait(given: Path, output: Path) -> None:
    (given.parent.parent / "outside" / "bait.txt").write_text("y")


def leaves_half(given: Path, output: Path) -> None:
    output.mkdir(exist_ok=True)
    (output / "half.txt").write_text("half")
    raise DataError("refused")


def in_the_background(given: Path, output: Path) -> None:
    class Late:
        def __del__(self) -> None:
            raise ValueError("nobody sees this")

    Late()


def leaves_a_thread(given: Path, output: Path) -> None:
    threading.Thread(target=time.sleep, args=(0.3,), daemon=True).start()


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (raises, "UnicodeDecodeError"),
        (panics, "as a panic in Rust"),
        (warns, "RuntimeWarning"),
        (hangs, "no end after 0.2 s"),
        (escapes, "changed outside of the output: 'escaped.txt'"),
        (leaves_a_part, "changed outside of the output: 'out/.made.abcdefgh.part'"),
        (leaves_temporary_files, "changed outside of the output: 'tmp/"),
        (damages_its_input, "changed outside of the output: 'in/cache'"),
        (harms_the_bait, "changed outside of the output: 'outside/bait.txt'"),
        (leaves_half, "refused, and yet the output has changed"),
        (in_the_background, "in the background: ValueError('nobody sees this')"),
        (leaves_a_thread, "a thread is left over"),
        (refuses("two\nlines"), "2 lines instead of a sentence"),
        (refuses("two\u2028lines"), "2 lines instead of a sentence"),
        (refuses("\x1b[31mred"), "control characters in a sentence"),
        (refuses("x" * 5000), "a sentence of 5000 characters"),
        (refuses(""), "0 lines instead of a sentence"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_each_fault_is_found(
    act: Callable[[Path, Path], None], words: str, place: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(running, "SECONDS", 0.2)
    ended, text = ends(fake(act), place)
    assert ended == "failed" and words in text


def test_an_output_that_is_not_complete_is_found(place: Path):
    def check(path: Path) -> None:
        assert (path / "tables").exists()

    ended, text = ends(fake(lambda given, output: None, check), place)
    assert ended == "failed" and "the output is not complete" in text


def test_what_replaces_foreign_things_or_writes_nothing_is_found(place: Path):
    """Over many inputs, as what was there before is drawn for each."""
    target = fake(makes)
    sound = prepare([target], place)
    said = {outcome.text for outcome in run_here(spread(60, ["fake"]), [target], sound, place)}
    assert said == {"", "ended well, though the output was something else"}
    target = fake(lambda given, output: None)
    said = {outcome.text for outcome in run_here(spread(20, ["fake"]), [target], sound, place)}
    assert "ended well, and yet nothing new was written" in said


def test_what_is_as_it_should_be_does_not_fail(place: Path):
    (place / "a").mkdir()
    assert ends(fake(refuses("s01.csv, line 7: 'x' is not a number")), place / "a")[0] == "refused"
    (place / "b").mkdir()
    assert ends(fake(makes), place / "b") == ("well", "")


def test_an_input_is_the_same_each_time(place: Path):
    target = fake(lambda given, output: None)
    seen = []
    for number in (*range(40), *range(40)):
        folder = Path(tempfile.mkdtemp(dir=place))
        sound = prepare([target], folder)["fake"]
        (folder / "run").mkdir()
        tree, changes, rng = build(("fake", number), target, sound, folder / "run")
        files = {
            str(path.relative_to(tree.parent)): path.read_bytes() if path.is_file() else None
            for path in sorted(tree.parent.rglob("*"))
        }
        seen.append((files, changes, rng.random()))
        assert (
            prepare([target], Path(tempfile.mkdtemp(dir=place)))["fake"].joinpath("s01.csv").read_bytes()
            == (sound / "s01.csv").read_bytes()
        )  # it was linked to, and is unharmed
    assert seen[:40] == seen[40:]
    assert len({str(one) for one in seen}) > 30


def test_inputs_are_spread_evenly():
    inputs = spread(10, ["a", "b", "c"])
    assert inputs[:4] == [("a", 0), ("b", 0), ("c", 0), ("a", 1)]
    assert len(set(inputs)) == 10


# In processes of their own; functions of a module, so that the other process finds them


def dies(given: Path, output: Path) -> None:
    os._exit(3)


def eats(given: Path, output: Path) -> None:
    running.MEMORY = 64 << 20  # of this process, which is its own: a gigabyte takes seconds
    assert np.ones(128 << 20, np.int8).any()


def asks_for_too_much(given: Path, output: Path) -> None:
    np.empty(1 << 40, np.int64)


def faulty() -> list[Target]:
    """Targets as `targets.discover` gives them."""
    acts = {"dies": dies, "eats": eats, "asks": asks_for_too_much, "refuses": refuses("no")}
    return [Target(name, written, _Act(act), lambda path: None, lambda path: None) for name, act in acts.items()]


class _Act:
    def __init__(self, act: Callable[[Path, Path], None]) -> None:
        self._act = act

    def __call__(self, given: Path, output: Path, rng: np.random.Generator) -> None:
        self._act(given, output)


@pytest.mark.slow
def test_a_process_that_dies_or_grows_is_told_and_the_others_go_on(place: Path):
    names = ["dies", "eats", "asks", "refuses"]
    outcomes = run_apart(spread(6, names), place, 2, faulty)
    assert len(outcomes) == 6
    for name, ended, words in (
        ("dies", "failed", "the process died with code 3"),
        ("eats", "failed", "memory grew by"),
        ("asks", "failed", "Unable to allocate"),
        ("refuses", "refused", "no"),
    ):
        own = [outcome for outcome in outcomes if outcome.target == name]
        assert own and all(one.ended == ended and words in one.text for one in own), own


@pytest.mark.slow
def test_one_input_can_be_run_again(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    code = main(["hapt", "7"])
    assert code == 0 and "again:  python -m fuzz hapt 7" in capsys.readouterr().out
