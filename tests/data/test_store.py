"""The dataset on disk: what goes in comes out, and nothing half-written or damaged is ever read."""

from __future__ import annotations

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import otolith
from otolith.data.channels import triad
from otolith.data.recording import Annotation, Recording
from otolith.data.shards import ShardWriter
from otolith.data.store import FORMAT_VERSION, Dataset, DatasetWriter
from otolith.types import DataError

ACC = triad("acc", "left wrist", device="watch", gravity=True)
BOTH = (*ACC, *triad("gyro", "left wrist", device="watch"))


def recording(number: int, samples: int, channels=BOTH, rate: float = 50.0) -> Recording:
    """A signal whose every value tells its recording, its row and its column (exact in float32)."""
    rows = np.arange(samples)[:, None] * 8 + np.arange(len(channels)) + number * 100_000
    notes = (Annotation(0.0, 0.1, "walking"), Annotation(0.1, samples / rate, "sitting")) if number % 2 else ()
    return Recording(rows.astype(np.float32), rate, channels, f"s{number % 3}", f"r{number}", notes)


def recordings() -> list[Recording]:
    lengths = (400, 37, 1000, 8, 250, 613, 90)
    made = [recording(i, n, ACC if i in (2, 5) else BOTH, 20.0 if i == 4 else 50.0) for i, n in enumerate(lengths)]
    made[1].signal[3:6] = np.nan
    made[1].signal[7, 2] = -0.0
    return made


def write(path: Path, items: list[Recording], **options) -> Dataset:
    options.setdefault("shard_bytes", 12_000)
    with DatasetWriter(path, "tiny", **options) as writer:
        for item in items:
            writer.add(item)
    return Dataset.open(path)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return write(tmp_path / "tiny", recordings())


def test_round_trip_is_bit_exact(dataset: Dataset) -> None:
    assert len(dataset) == 7
    for number, before in enumerate(recordings()):
        after = dataset.read(number)
        assert after.signal.tobytes() == before.signal.tobytes()
        assert (after.rate, after.channels, after.subject, after.name, after.annotations) == (
            before.rate, before.channels, before.subject, before.name, before.annotations
        )  # fmt: skip
    assert dataset.layouts == [BOTH, ACC]
    assert dataset.read(-1).name == "r6"
    assert dataset.read(-2).annotations == recordings()[5].annotations


def test_description_says_what_is_inside(tmp_path: Path) -> None:
    sources = [{"url": "https://example.org/a.zip", "sha256": "ab" * 32}]
    info = write(tmp_path / "tiny", recordings(), title="T", licence="CC0", citation="C", sources=sources).info
    assert info["format_version"] == FORMAT_VERSION
    assert (info["title"], info["licence"], info["citation"], info["sources"]) == ("T", "CC0", "C", sources)
    assert info["counts"] == {"recordings": 7, "subjects": 3, "annotations": 6, "samples": 2398}
    assert info["rates"] == [20.0, 50.0]
    assert info["activities"]["walking"] == pytest.approx(0.3)
    assert info["otolith"] == otolith.__version__


def test_shards_are_cut_between_recordings_and_plain_numpy(dataset: Dataset) -> None:
    files = sorted((dataset.path / "signals").iterdir())
    assert [f.name for f in files] == ["0-0.npy", "0-1.npy", "1-0.npy", "1-1.npy"]
    assert sum(len(np.load(f, allow_pickle=False)) for f in files) == 2398
    assert np.array_equal(np.load(files[0])[:400], recordings()[0].signal)
    assert files[0].stat().st_size == 128 + np.load(files[0]).nbytes


def test_a_recording_larger_than_a_shard_is_kept_whole(tmp_path: Path) -> None:
    dataset = write(tmp_path / "d", [recording(0, 50), recording(1, 900), recording(2, 50)], shard_bytes=1)
    assert dataset.recordings["shard"].tolist() == [0, 1, 2]
    assert np.array_equal(dataset.signal(1), recording(1, 900).signal)


@pytest.mark.parametrize("layout", [0, 1])
def test_gather_equals_slicing(dataset: Dataset, layout: int) -> None:
    rng = np.random.default_rng(layout)
    long = dataset.recordings.query("layout == @layout and rows >= 64").index.to_numpy()
    which = rng.choice(long, 200)
    starts = rng.integers(0, dataset.recordings["rows"].to_numpy()[which] - 64 + 1)
    assert dataset.recordings["shard"][which].nunique() > 1
    windows = dataset.gather(which, starts, 64)
    assert windows.shape == (200, 64, len(dataset.layouts[layout]))
    assert windows.dtype == np.float32
    assert windows.flags.c_contiguous
    assert windows.flags.writeable
    for window, i, start in zip(windows, which, starts, strict=True):
        assert np.array_equal(window, recordings()[i].signal[start : start + 64], equal_nan=True)


def test_real_recordings_survive(spar_dataset: Dataset, spar_recordings: list[Recording]) -> None:
    spar_dataset.verify()
    for number, before in enumerate(spar_recordings):
        after = spar_dataset.read(number)
        assert after.signal.tobytes() == before.signal.tobytes()
        assert (after.channels, after.subject, after.annotations) == (
            before.channels, before.subject, before.annotations
        )  # fmt: skip
    first = spar_dataset.recordings.query("layout == 0 and rows >= 128").index.to_numpy()
    windows = spar_dataset.gather(first, np.zeros(len(first)), 128)
    assert all(np.array_equal(w, spar_recordings[i].signal[:128]) for w, i in zip(windows, first, strict=True))


def test_gather_from_one_shard_takes_the_last_window_and_a_whole_recording(dataset: Dataset) -> None:
    signals = recordings()
    assert np.array_equal(dataset.gather([6, 6], [90 - 8, 0], 8)[0], signals[6].signal[-8:])
    assert np.array_equal(dataset.gather([3], [0], 8)[0], signals[3].signal)
    assert np.array_equal(dataset.gather([2], [0], 1000)[0], signals[2].signal)


@pytest.mark.parametrize(
    ("which", "starts", "error"),
    [
        ([0], [400 - 63], IndexError),  # would run into the next recording of the same shard
        ([0], [-1], IndexError),
        ([7], [0], IndexError),
        ([-1], [0], IndexError),
        ([3], [0], IndexError),  # longer than the recording
        ([0, 2], [0, 0], ValueError),  # two layouts
        ([0, 0], [0], ValueError),
        ([], [], ValueError),
    ],
)
def test_gather_checks_its_bounds(dataset: Dataset, which: list[int], starts: list[int], error: type) -> None:
    with pytest.raises(error):
        dataset.gather(which, starts, 64)


def test_signal_is_a_read_only_view(dataset: Dataset) -> None:
    view = dataset.signal(0)
    assert not view.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0] = 1
    assert dataset.read(0).signal.flags.writeable


def test_pickling_reopens_the_maps(dataset: Dataset) -> None:
    dataset.gather([0], [0], 100)
    data = pickle.dumps(dataset)
    assert len(data) < 20_000  # no signal inside
    assert np.array_equal(pickle.loads(data).gather([0], [5], 100), dataset.gather([0], [5], 100))


def test_hash_is_the_same_for_the_same_content_and_tells_every_change(tmp_path: Path) -> None:
    base = write(tmp_path / "a", recordings())
    assert write(tmp_path / "b", recordings()).sha256 == base.sha256
    assert write(tmp_path / "c", recordings(), shard_bytes=10**9, licence="other").sha256 == base.sha256
    hashes = {base.sha256}
    changed = recordings()
    changed[2].signal[500, 1] = np.nextafter(changed[2].signal[500, 1], np.float32(0))
    hashes.add(write(tmp_path / "d", changed).sha256)
    for field, value in (("subject", "s9"), ("name", "other"), ("rate", 51.0), ("annotations", ())):
        changed = recordings()
        object.__setattr__(changed[1], field, value)
        hashes.add(write(tmp_path / "d", changed).sha256)
    assert len(hashes) == 6


def test_verify_finds_one_flipped_bit(dataset: Dataset) -> None:
    dataset.verify()
    file = dataset.path / "signals" / "1-0.npy"
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match="not what was converted"):
        Dataset.open(dataset.path).verify()


def test_a_name_twice_and_an_empty_dataset_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'r0' occurs twice"):
        write(tmp_path / "d", [recording(0, 10), recording(0, 10)])
    with pytest.raises(DataError, match="has no recording"):
        write(tmp_path / "d", [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("dataset.json", "{}", "is no dataset, so it is left as it is"),
        ("dataset.json", "{", "is no dataset, so it is left as it is"),
        ("dataset.json", '{"name": "hapt"}', "holds the dataset 'hapt', not 'tiny', so it is left as it is"),
        ("thesis.txt", "years of work", r"holds more than its dataset \(thesis.txt\), so it is left as it is"),
        ("signals/thesis.txt", "years of work", r"holds more than its dataset \(signals/thesis.txt\)"),
    ],
)
def test_only_the_same_dataset_is_replaced(dataset: Dataset, name: str, content: str, said: str) -> None:
    (dataset.path / name).write_text(content)
    before = {path: path.read_bytes() for path in dataset.path.rglob("*") if path.is_file()}
    with pytest.raises(DataError, match=said):
        write(dataset.path, recordings())
    assert {path: path.read_bytes() for path in dataset.path.rglob("*") if path.is_file()} == before
    assert [p.name for p in dataset.path.parent.iterdir()] == ["tiny"]


def test_what_came_while_writing_is_spared(tmp_path: Path) -> None:
    def write_beside() -> None:
        with DatasetWriter(tmp_path / "tiny", "tiny") as writer:
            writer.add(recording(0, 10))
            (tmp_path / "tiny").mkdir()
            (tmp_path / "tiny" / "thesis.txt").write_text("years of work")

    with pytest.raises(DataError, match="left as it is"):
        write_beside()
    assert [p.name for p in (tmp_path / "tiny").iterdir()] == ["thesis.txt"]


def test_an_older_format_version_is_replaced(dataset: Dataset) -> None:
    info = json.loads((dataset.path / "dataset.json").read_text())
    (dataset.path / "dataset.json").write_text(json.dumps({**info, "format_version": 0}))
    assert write(dataset.path, recordings()).sha256 == dataset.sha256


def test_an_error_while_writing_keeps_the_old_dataset(dataset: Dataset) -> None:
    def broken() -> None:
        with DatasetWriter(dataset.path, "tiny") as writer:
            writer.add(recording(0, 10))
            raise RuntimeError("converter")

    with pytest.raises(RuntimeError, match="converter"):
        broken()
    assert Dataset.open(dataset.path).sha256 == dataset.sha256
    assert [p.name for p in dataset.path.parent.iterdir()] == ["tiny"]


def test_a_full_disk_is_one_sentence_and_keeps_the_old_dataset(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = ShardWriter.append
    calls = 0

    def full(self: ShardWriter, data: memoryview, rows: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(self, data, rows)

    monkeypatch.setattr(ShardWriter, "append", full)
    with pytest.raises(DataError, match="no space left"):
        write(dataset.path, recordings())
    assert Dataset.open(dataset.path).sha256 == dataset.sha256
    assert [p.name for p in dataset.path.parent.iterdir()] == ["tiny"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which is always out of space")
def test_a_disk_that_is_really_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otolith.data.store.shard_path", lambda *_: Path("/dev/full"))
    with pytest.raises(DataError, match="no space left"):
        write(tmp_path / "d", recordings())
    assert list(tmp_path.iterdir()) == []


KILLED = """
import sys, numpy as np
from otolith.data.channels import triad
from otolith.data.recording import Recording
from otolith.data.store import DatasetWriter
with DatasetWriter(sys.argv[1], "tiny") as writer:
    for number in range(10**6):
        signal = np.full((50_000, 3), number, np.float32)
        writer.add(Recording(signal, 50.0, triad("acc", "waist", gravity=True), "s", f"r{number}"))
        if number == 3:
            print("half", flush=True)
            sys.stdin.read()
"""


@pytest.mark.parametrize("old", [False, True], ids=["nothing before", "a dataset before"])
def test_kill_9_while_writing_leaves_the_old_dataset_or_none(tmp_path: Path, old: bool) -> None:
    path = tmp_path / "tiny"
    before = write(path, recordings()).sha256 if old else ""
    source = str(Path(otolith.__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": source},
    ) as process:
        assert process.stdout.readline() == b"half\n"
        process.send_signal(signal.SIGKILL)
    assert len(list(tmp_path.glob(".tiny.*.part"))) == 1
    if old:
        assert Dataset.open(path).sha256 == before
    else:
        with pytest.raises(DataError, match=r"was interrupted; run it again:  otolith datasets convert tiny"):
            Dataset.open(path)
    again = write(path, recordings())
    again.verify()
    assert [p.name for p in tmp_path.iterdir()] == ["tiny"]


def test_another_version_says_which_and_what_to_do(dataset: Dataset) -> None:
    file = dataset.path / "dataset.json"
    file.write_text(json.dumps({**dataset.info, "format_version": 7}))
    with pytest.raises(DataError, match=r"version 7, .* reads version 1; .*otolith datasets convert tiny"):
        Dataset.open(dataset.path)


@pytest.mark.parametrize("name", ["dataset.json", "recordings.parquet", "annotations.parquet", "signals/0-1.npy"])
@pytest.mark.parametrize("damage", ["cut", "empty", "missing", "garbage"])
def test_damaged_files_are_named(dataset: Dataset, name: str, damage: str) -> None:
    file = dataset.path / name
    content = file.read_bytes()
    new = {"cut": content[: len(content) // 2], "empty": b"", "garbage": bytes(range(256)) * (len(content) // 256 + 1)}
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(new[damage][: len(content)])
    with pytest.raises(DataError, match=file.name.replace(".", r"\.")) as caught:
        Dataset.open(dataset.path)
    assert "\n" not in str(caught.value)
    assert "convert" in str(caught.value)


@pytest.mark.parametrize("other", [np.float64, np.int32, object])
def test_a_shard_of_another_type_is_refused(dataset: Dataset, other: type) -> None:
    file = dataset.path / "signals" / "1-1.npy"
    size = file.stat().st_size
    np.save(file, np.zeros((10, 3), other), allow_pickle=True)
    with file.open("r+b") as handle:
        handle.truncate(size)  # the right size, so that the header decides
    with pytest.raises(DataError, match=r"1-1\.npy"):
        Dataset.open(dataset.path)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("rows", 401, "do not fill"),
        ("rows", -5, "without rows"),
        ("start", 3, "do not fill"),
        ("layout", 9, "unknown layout"),
        ("name", "r1", "name twice"),
    ],
)
def test_tables_that_contradict_the_signals_are_refused(dataset: Dataset, column: str, value, said: str) -> None:
    file = dataset.path / "recordings.parquet"
    table = pq.read_table(file)
    rows = table.to_pylist()
    rows[0][column] = value
    pq.write_table(pa.Table.from_pylist(rows, table.schema), file)
    with pytest.raises(DataError, match=said):
        Dataset.open(dataset.path)


def test_annotation_of_an_unknown_recording_and_foreign_columns_are_refused(dataset: Dataset) -> None:
    file = dataset.path / "annotations.parquet"
    table = pq.read_table(file)
    rows = [{**row, "recording": 99} for row in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, table.schema), file)
    with pytest.raises(DataError, match="unknown recording"):
        Dataset.open(dataset.path)
    pq.write_table(table.rename_columns(["recording", "start", "end", "activity"]), file)
    with pytest.raises(DataError, match="does not have the columns"):
        Dataset.open(dataset.path)


def test_unusable_channels_are_refused(dataset: Dataset) -> None:
    info = json.loads((dataset.path / "dataset.json").read_text())
    info["layouts"][0][0]["sensor"] = "sonar"
    (dataset.path / "dataset.json").write_text(json.dumps(info))
    with pytest.raises(DataError, match="sonar"):
        Dataset.open(dataset.path)


def test_places_without_a_dataset(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no dataset at .* otolith datasets convert spar"):
        Dataset.open(tmp_path / "spar")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"no dataset\.json"):
        Dataset.open(tmp_path / "folder")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is a file"):
        Dataset.open(tmp_path / "file")
