from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from archives import WRITERS
from otolith.data import conversion
from otolith.data.channels import six_axes
from otolith.data.conversion import convert_dataset, side_by_side
from otolith.data.converters import convert
from otolith.data.recording import Recording
from otolith.data.registry import CARDS, card
from otolith.data.store import Dataset, DatasetWriter
from otolith.types import ConfigError, DataError

Archives = Callable[[str], Path | None]
CHANNELS = six_axes("waist", "smartphone")


def made(name: str, rows: int = 8) -> Recording:
    return Recording(np.full((rows, 6), len(name), np.float32), 50.0, CHANNELS, "s1", name)


def several(*names: str) -> Iterator[Recording]:
    yield from map(made, names)


def fails(error: Exception) -> Iterator[Recording]:
    raise error
    yield


@pytest.fixture(scope="module")
def plain(archives: Archives, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Dataset]:
    """A dataset written one recording after another, without an engine."""
    folder, done = tmp_path_factory.mktemp("plain"), {}

    def write(name: str) -> Dataset:
        if name not in done:
            with DatasetWriter(folder / name, name) as writer:
                for recording in convert(name, archives(name)):
                    writer.add(recording)
            done[name] = Dataset.open(folder / name)
        return done[name]

    return write


@pytest.mark.parametrize("name", CARDS)
def test_content_does_not_depend_on_the_number_of_jobs(
    name: str, archives: Archives, plain: Callable[[str], Dataset], tmp_path: Path
):
    for jobs in (1, 2, 5):
        info = convert_dataset(name, archives(name), tmp_path / name, jobs=jobs)
        assert info["sha256"] == plain(name).sha256
    dataset = Dataset.open(tmp_path / name)
    dataset.verify()
    assert dataset.info == info
    assert [path.name for path in tmp_path.iterdir()] == [name]
    about = card(name)
    assert dataset.split == about.split
    assert (dataset.info["licence"], dataset.info["citation"]) == (about.licence, about.citation)


def test_split_is_no_part_of_the_hash(plain: Callable[[str], Dataset], archives: Archives, tmp_path: Path):
    assert plain("hapt").split is None
    assert convert_dataset("hapt", archives("hapt"), tmp_path / "hapt")["sha256"] == plain("hapt").sha256


@pytest.mark.parametrize("split", [[], "p1", {"test": ["p1"]}, {"test": 1, "val": [], "official": True, "note": ""}])
def test_damaged_split_is_refused(split: object, archives: Archives, tmp_path: Path):
    info = convert_dataset("hapt", archives("hapt"), tmp_path / "hapt")
    (tmp_path / "hapt/dataset.json").write_text(json.dumps({**info, "split": split}))
    with pytest.raises(DataError, match=r"dataset.json has no usable split"):
        _ = Dataset.open(tmp_path / "hapt").split


def test_parts_are_read_side_by_side_and_given_in_order():
    later = threading.Event()

    def first() -> list[Recording]:
        assert later.wait(10)  # set by the second, so one after the other would not end
        return [made("a")]

    def second() -> list[Recording]:
        later.set()
        return [made("b"), made("c")]

    groups = side_by_side([first, second, list], 2)
    assert [[recording.name for recording in group] for group in groups] == [["a"], ["b", "c"], []]


def test_only_a_few_parts_are_begun_ahead():
    begun = []

    def part(number: int) -> list[Recording]:
        begun.append(number)
        return [made(str(number))]

    for taken, _ in enumerate(side_by_side([partial(part, number) for number in range(40)], 3), start=1):
        time.sleep(0.002)
        assert len(begun) <= taken + 2 * 3
    assert sorted(begun) == list(range(40))


def test_one_job_reads_nothing_ahead():
    read = []

    def part() -> Iterator[Recording]:
        for name in "abc":
            read.append(name)
            yield made(name)

    first = next(side_by_side([part, part], 1))
    assert next(iter(first)).name == "a" and read == ["a"]


def test_memory_does_not_grow_with_the_number_of_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    rows = 20_000  # about half a megabyte
    monkeypatch.setattr(conversion, "parts", lambda *_: [lambda n=n: [made(str(n), rows)] for n in range(100)])
    tracemalloc.start()
    try:
        convert_dataset("hapt", None, tmp_path / "hapt", jobs=2)
        assert tracemalloc.get_traced_memory()[1] < 16 * rows * 6 * 4
    finally:
        tracemalloc.stop()
    assert len(Dataset.open(tmp_path / "hapt")) == 100


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_first_damaged_part_in_order_is_named(jobs: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Whichever fails first on the clock; the old dataset stays, and no thread is left."""
    old = convert_dataset("spar", None, tmp_path / "spar")
    second = threading.Event()

    def slow() -> Iterator[Recording]:
        assert jobs == 1 or second.wait(10)
        raise DataError("the first")
        yield

    def quick() -> Iterator[Recording]:
        second.set()
        raise DataError("the second")
        yield

    monkeypatch.setattr(conversion, "parts", lambda *_: [partial(several, "a"), slow, quick])
    with pytest.raises(DataError, match="the first"):
        convert_dataset("spar", None, tmp_path / "spar", jobs=jobs)
    assert Dataset.open(tmp_path / "spar").info == old
    assert [path.name for path in tmp_path.iterdir()] == ["spar"]
    assert not any(thread.name.startswith("convert") for thread in threading.enumerate())


def test_an_error_ends_what_has_not_begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    begun = []

    def slow(number: int) -> list[Recording]:
        begun.append(number)
        time.sleep(0.2)
        return [made(str(number))]

    bad = partial(fails, DataError("damaged"))
    monkeypatch.setattr(conversion, "parts", lambda *_: [bad, *(partial(slow, number) for number in range(50))])
    with pytest.raises(DataError, match="damaged"):
        convert_dataset("hapt", None, tmp_path / "hapt", jobs=2)
    assert len(begun) <= 2  # of the three that waited in line behind the first
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_that_may_not_be_read_is_one_sentence(jobs: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    refusal = PermissionError(13, "Permission denied", "raw/acc.txt")
    monkeypatch.setattr(conversion, "parts", lambda *_: [partial(several, "a"), partial(fails, refusal)])
    with pytest.raises(DataError, match=r"^raw/acc.txt cannot be read: Permission denied; see that"):
        convert_dataset("hapt", None, tmp_path / "hapt", jobs=jobs)
    assert not any(tmp_path.iterdir())


def test_progress_is_told_by_the_part(archives: Archives, tmp_path: Path):
    told: list[tuple[int, int]] = []
    convert_dataset("hapt", archives("hapt"), tmp_path / "hapt", progress=lambda *step: told.append(step))
    assert len(told) > 1 and told == [(number, len(told)) for number in range(1, len(told) + 1)]


def test_unusable_settings_are_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="no engine 'spark'; choose one of threads, ray"):
        convert_dataset("spar", None, tmp_path / "spar", engine="spark")
    with pytest.raises(ConfigError, match="0 jobs"):
        convert_dataset("spar", None, tmp_path / "spar", jobs=0)
    assert not any(tmp_path.iterdir())


def test_nothing_but_the_dataset_is_replaced(tmp_path: Path):
    convert_dataset("spar", None, tmp_path / "spar")
    (tmp_path / "spar/thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match=r"holds more than its dataset \(thesis.txt\)"):
        convert_dataset("spar", None, tmp_path / "spar")
    assert (tmp_path / "spar/thesis.txt").read_text() == "years of work"


def test_converting_waits_for_no_torch():
    """The libraries for training take longer to import than a dataset takes to convert."""
    code = "import otolith.data.conversion, sys; print({'torch', 'ray', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_segment_of_absurd_size_is_refused_unread(tmp_path: Path):
    WRITERS["dsads"](tmp_path)
    with (tmp_path / "data/a01/p2/s07.txt").open("r+b") as file:
        file.truncate(1 << 40)  # a hole: nothing is on the disk
    with pytest.raises(DataError, match=r"s07.txt has more than \d+ bytes"):
        list(convert("dsads", tmp_path))
