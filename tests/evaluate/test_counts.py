from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from otolith.evaluate import appending, counts
from otolith.evaluate.counts import COLUMNS, Count, CountsFile, by_subject, confusion_of, counts_of
from otolith.evaluate.metrics import confusion, scores
from otolith.types import DataError

CLASSES = ["sitting", "walking", "running"]


def drawn(size: int = 300, people: int = 4, seed: int = 0) -> tuple[list[str], list[str], list[str]]:
    """True labels, predictions (some outside the classes) and people, every person doing everything."""
    rng = np.random.default_rng(seed)
    truth = [CLASSES[i % 3] for i in range(size)]
    said = [t if rng.random() < 0.6 else [*CLASSES, "unknown"][rng.integers(4)] for t in truth]
    return truth, said, [f"s{1 + (i // 3) % people * 3}" for i in range(size)]


def some(model: str = "tiny", seed: int = 0, fold: str | int = "all", draw: int = 0) -> list[Count]:
    place = {"model": model, "dataset": "spar", "protocol": "loso", "config_sha256": "c" * 64, "data_sha256": "d" * 64}
    return counts_of(*drawn(seed=draw), fold=fold, seed=seed, **place)


def back(frame: pd.DataFrame) -> list[Count]:
    return [Count(*row) for row in frame.itertuples(index=False, name=None)]


@pytest.fixture
def file(tmp_path: Path) -> CountsFile:
    return CountsFile.beside(tmp_path / "runs" / "results.csv")


# Counting


def test_counts_say_how_often_who_did_what_and_was_taken_for_what() -> None:
    truth, said, people = ["a", "a", "b", "a"], ["a", "b", "b", "a"], ["s2", "s2", "s1", "s2"]
    place = {"model": "m", "dataset": "d", "protocol": "p", "config_sha256": "x", "data_sha256": "y"}
    found = counts_of(truth, said, people, fold=3, seed=5, **place)
    assert [(c.subject, c.truth, c.predicted, c.count) for c in found] == [
        ("s1", "b", "b", 1),
        ("s2", "a", "a", 2),
        ("s2", "a", "b", 1),
    ]
    assert found[0] == Count("m", "d", "p", "3", 5, "s1", "b", "b", 1, "x", "y")
    assert counts_of([], [], [], **place) == []
    with pytest.raises(ValueError, match="4 true labels, 4 predictions, 3 subjects"):
        counts_of(truth, said, people[:3], **place)


def test_labels_of_numpy_are_words() -> None:
    place = {"model": "m", "dataset": "d", "protocol": "p", "config_sha256": "x", "data_sha256": "y"}
    found = counts_of(np.array(["a"]), np.array(["b"]), np.array(["s1"]), **place)  # type: ignore[arg-type]
    assert all(type(value) in (str, int) for value in astuple(found[0]))


def test_the_confusion_is_that_of_the_windows(file: CountsFile) -> None:
    file.append(some())
    truth, said, _ = drawn()
    assert np.array_equal(confusion_of(file.read(), CLASSES), confusion(truth, said, CLASSES))
    order = [*reversed(CLASSES), "never done"]
    assert np.array_equal(confusion_of(file.read(), order), confusion(truth, said, order))


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_the_score_of_a_person_is_that_of_their_windows(file: CountsFile, metric: str) -> None:
    file.append(some(fold=0, draw=1))
    file.append(some(fold=1, draw=2))
    found = by_subject(file.read(), metric, CLASSES)
    assert list(found.index) == ["s1", "s4", "s7", "s10"] and found.name == metric
    both = [a + b for a, b in zip(drawn(seed=1), drawn(seed=2), strict=True)]
    for person, value in found.items():
        own = [[x for x, who in zip(column, both[2], strict=True) if who == person] for column in both[:2]]
        assert value == pytest.approx(scores(own[0], own[1], CLASSES)[metric])


def test_what_cannot_be_scored(file: CountsFile) -> None:
    file.append([*some(), *some("small"), *(replace(c, protocol="odd-even") for c in some())])
    frame = file.read()
    tiny = frame[frame["model"] == "tiny"]
    with pytest.raises(DataError, match="more than one model, small and tiny"):
        confusion_of(frame, CLASSES)
    with pytest.raises(DataError, match="more than one protocol, loso and odd-even"):
        by_subject(tiny, "accuracy", CLASSES)
    one = tiny[tiny["protocol"] == "loso"]
    with pytest.raises(DataError, match="true label 'running' is not among the classes sitting, walking"):
        confusion_of(one, CLASSES[:2])
    with pytest.raises(DataError, match="class 'walking' is listed twice"):
        confusion_of(one, [*CLASSES, "walking"])
    with pytest.raises(DataError, match="nothing to score"):
        by_subject(one[:0], "accuracy", CLASSES)
    with pytest.raises(ValueError, match="not 'kappa'"):
        by_subject(one, "kappa", CLASSES)


# The file


def test_the_file_lies_beside_the_results(tmp_path: Path) -> None:
    assert CountsFile.beside(tmp_path / "table.1.csv").path == tmp_path / "table.1.counts.csv.gz"


def test_counts_and_types_come_back_exactly(file: CountsFile) -> None:
    odd = [replace(c, subject='"x", y', truth="n/a", predicted="nan") for c in some()[:1]]
    file.append([*some(), *odd])
    frame = file.read()
    assert back(frame) == [*some(), *odd]
    assert list(frame.columns) == list(COLUMNS)
    assert frame["seed"].dtype == frame["count"].dtype == "int64"


def test_no_file_reads_as_no_counts_and_is_not_created(file: CountsFile) -> None:
    file.append([])
    frame = file.read()
    assert list(frame.columns) == list(COLUMNS) and len(frame) == 0 and frame["count"].dtype == "int64"
    assert not file.path.exists()


def test_other_tools_read_the_file_and_equal_counts_are_equal_files(file: CountsFile, tmp_path: Path) -> None:
    for each in (file, CountsFile(tmp_path / "again.csv.gz")):
        each.append(some("first"))
        each.append(some("second"))
    assert file.path.read_bytes() == (tmp_path / "again.csv.gz").read_bytes()
    lines = gzip.decompress(file.path.read_bytes()).decode().splitlines()
    assert lines[0] == "model,dataset,protocol,fold,seed,subject,truth,predicted,count,config_sha256,data_sha256"
    assert len(pd.read_csv(file.path)) == len(lines) - 1 == len(some("first")) + len(some("second"))
    assert file.path.stat().st_size < 20 * len(lines)


def test_a_repeated_evaluation_counts_once(file: CountsFile) -> None:
    file.append(some(seed=1))
    file.append(some(seed=2))
    file.append(some(seed=1, draw=9))
    assert back(file.read()) == [*some(seed=2), *some(seed=1, draw=9)]
    person = [c for c in some(seed=2, draw=5) if c.subject == "s4"]
    file.append(person)
    kept = [c for c in some(seed=2) if c.subject != "s4"]
    assert back(file.read()) == [*kept, *some(seed=1, draw=9), *person]
    other = [replace(c, config_sha256="e" * 64) for c in some(seed=1)]
    file.append(other)
    assert len(file.read()) == len(kept) + len(some(draw=9)) + len(person) + len(other)


def test_a_file_cut_anywhere_keeps_its_complete_appends_and_grows_again(file: CountsFile) -> None:
    file.append(some("first"))
    whole = len(file.path.read_bytes())
    file.append(some("second"))
    data = file.path.read_bytes()
    for cut in [*range(0, len(data), 41), whole - 1, whole, whole + 1, len(data) - 1, len(data)]:
        file.path.write_bytes(data[:cut])
        kept = [] if cut < whole else some("first") if cut < len(data) else [*some("first"), *some("second")]
        assert back(file.read()) == kept
        file.append(some("third"))
        assert back(file.read()) == [*kept, *some("third")]


def test_an_append_is_there_as_a_whole_or_not_at_all(
    file: CountsFile, killed_in: Callable[[Callable[[], object]], None]
) -> None:
    file.append(some("first"))
    size = file.path.stat().st_size

    killed_in(lambda: file.append(some("second")))
    assert file.path.stat().st_size > size + 20
    assert back(file.read()) == some("first")
    file.append(some("third"))
    assert back(file.read()) == [*some("first"), *some("third")]


@pytest.mark.parametrize("size", [1, 2, 63])
def test_the_size_of_a_read_changes_nothing(file: CountsFile, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(counts, "_CHUNK", size)
    for name in ("first", "second", "third"):
        file.append(some(name))
    assert back(file.read()) == [*some("first"), *some("second"), *some("third")]


@pytest.mark.parametrize(
    "data",
    [b"name,score\nx,1\n", gzip.compress(b"name,score\nx,1\n", mtime=0), b"\x1f\x8b not gzip"],
    ids=["plain", "another table", "no gzip"],
)
def test_a_foreign_file_is_refused_and_left_alone(file: CountsFile, data: bytes) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(data)
    for use in (file.read, lambda: file.append(some())):
        with pytest.raises(DataError, match="is not a counts file: its first line must be model,dataset"):
            use()
    assert file.path.read_bytes() == data


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be a counts file: give the path of a file in a folder"):
        CountsFile(tmp_path).append(some())


def test_damage_is_named_and_not_cut_off(file: CountsFile) -> None:
    file.append(some("first"))
    whole = file.path.stat().st_size
    file.append(some("second"))
    data = bytearray(file.path.read_bytes())
    data[whole + 60] ^= 0xFF
    file.path.write_bytes(data)
    for use in (file.read, lambda: file.append(some())):
        with pytest.raises(DataError, match=f"damaged from byte {whole} on: restore it from a copy"):
            use()
    assert file.path.read_bytes() == data


@pytest.mark.parametrize(("old", "new"), [(b",0,s1,", b",zero,s1,"), (b",loso", b"")])
def test_a_damaged_line_is_named(file: CountsFile, old: bytes, new: bytes) -> None:
    file.append(some("first"))
    text = gzip.decompress(file.path.read_bytes())
    file.path.write_bytes(gzip.compress(text.replace(old, new, 1)))
    with pytest.raises(DataError, match="damaged line in append 1"):
        file.read()


def test_a_bomb_is_refused(file: CountsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "MOST_BYTES", 1024**2)
    file.append(some("first"))
    good = file.path.read_bytes()
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join([bomb.compress(bytes(1024**2)) for _ in range(64)]) + bomb.flush()
    assert len(packed) < 100_000
    file.path.write_bytes(good + packed)
    for use in (file.read, lambda: file.append(some())):
        with pytest.raises(DataError, match="holds more than 1 MiB of text: start another results file"):
            use()


def test_a_file_grows_no_further_than_it_can_be_read(file: CountsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(appending.encode([astuple(c) for c in some()], COLUMNS)) + 200
    monkeypatch.setattr(counts, "MOST_BYTES", size)
    file.append(some())
    with pytest.raises(DataError, match="holds more than"):
        file.append(some(seed=1))
    assert back(file.read()) == some()
    monkeypatch.undo()
    file.append(some(seed=1))
    monkeypatch.setattr(counts, "MOST_BYTES", size)
    with pytest.raises(DataError, match="holds more than"):
        file.read()


def test_bad_counts_are_refused(file: CountsFile) -> None:
    with pytest.raises(DataError, match="subject 'a\\\\nb' has a line break"):
        file.append([replace(some()[0], subject="a\nb")])
    with pytest.raises(ValueError, match="a count of 0"):
        file.append([replace(some()[0], count=0)])
    assert not file.path.exists()


def test_writers_at_once_lose_nothing(file: CountsFile) -> None:
    """The lock is that of `ResultsFile`, which is tested with processes; it holds for two openings by one process."""

    def write(name: str) -> None:
        for seed in range(15):
            CountsFile(file.path).append(some(name, seed=seed))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, ("m0", "m1", "m2")))
    assert file.read()["model"].value_counts().to_dict() == {f"m{i}": 15 * len(some()) for i in range(3)}
