"""What reads the files of strangers, each on its real way to the disk; new converters and importers join in."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import archives
import exports
from archives.motion import G, simulate
from exports import generic
from fuzz import trees
from fuzz.tars import PACKERS, member, tarred
from fuzz.zips import zipped

NEW = "made"
"""The name of what is written."""


@dataclass(frozen=True)
class Target:
    """One thing that reads files.

    Attributes:
        name: Its name in reports.
        write: Writes the sound input into an empty folder and gives its path.
        act: Reads the damaged input and writes to the path given second; it ends well or raises an `OtolithError`.
        old: Writes what was at that path before.
        check: Raises an AssertionError unless what is at that path now is complete; None for what only reads.
        packable: Whether the input may as well be an archive.
        replaces: Whether it takes the place of whatever is there.
    """

    name: str
    write: Callable[[Path], Path]
    act: Callable[[Path, Path, np.random.Generator], None]
    old: Callable[[Path], None]
    check: Callable[[Path], None] | None
    packable: bool = False
    replaces: bool = False


def discover() -> list[Target]:
    """All of them, in a fixed order; what they import is imported, so that it counts as no growth of theirs."""
    for name in ("pandas", "scipy.signal", "otolith.cli.importing", "otolith.data.conversion", "otolith.data.unpack"):
        import_module(name)
    return [*_converters(), *_importers(), *_tables(), *_unpackers(), *_datasets()]


# Datasets as what is made


def _small_dataset(name: str, path: Path) -> None:
    from otolith.data.channels import six_axes
    from otolith.data.recording import Recording
    from otolith.data.store import DatasetWriter

    with DatasetWriter(path, name) as writer:
        signal = np.tile(np.float32([0, 0, G, 0, 0, 0]), (50, 1))
        writer.add(Recording(signal, 50.0, six_axes("left wrist", "smartwatch"), "old", "old"))


def _is_dataset(path: Path) -> None:
    from otolith.data.store import Dataset

    dataset = Dataset.open(path)
    dataset.verify()
    assert all(len(dataset.read(number).signal) for number in range(len(dataset)))
    inside = {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}
    tables = {"dataset.json", "recordings.parquet", "annotations.parquet"}
    assert tables < inside and all(name.startswith("signals") for name in inside - tables), inside


# Converters


def _archive(name: str, folder: Path) -> Path:
    raw = folder / name
    raw.mkdir()
    archives.WRITERS[name](raw)
    return raw


def _packaged_spar(folder: Path) -> Path:
    from otolith.data.converters import spar
    from otolith.data.registry import card

    raw = folder / "spar"
    raw.mkdir()
    copyfile(spar._locate(None, card("spar")), raw / spar._FILE)
    return raw


def _convert(name: str, given: Path, output: Path, rng: np.random.Generator) -> None:
    from otolith.data.conversion import convert_dataset

    convert_dataset(name, given if rng.random() < 0.9 else given.parent, output, jobs=int(rng.choice([1, 1, 2])))


def _converters() -> Iterator[Target]:
    for name in [*sorted(archives.WRITERS), "spar"]:
        write = _packaged_spar if name == "spar" else partial(_archive, name)
        yield Target(name, write, partial(_convert, name), partial(_small_dataset, name), _is_dataset)


# Importers


@contextmanager
def _muted() -> Iterator[None]:
    """What is printed must be text that a terminal can take."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (io.TextIOWrapper(io.BytesIO(), "utf-8", mode) for mode in ("strict", "backslashreplace"))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _import(output: Path, *paths: Path, **options: object) -> None:
    from otolith.cli.importing import import_

    with _muted():
        import_(list(paths), output, name=NEW, replace=True, **options)  # type: ignore[arg-type]


def _import_export(kind: str, given: Path, output: Path, rng: np.random.Generator) -> None:
    kind = kind if rng.random() < 0.7 else "auto"
    placement = ["left wrist"] if rng.random() < 0.95 else None
    _import(output, given, kind=kind, placement=placement)


def _importers() -> Iterator[Target]:
    from otolith.data.importers import IMPORTERS

    for name, module in sorted(IMPORTERS.items()):
        act = partial(_import_export, name)
        yield Target(name, exports.WRITERS[module], act, partial(_small_dataset, NEW), _is_dataset, packable=True)


# Tables with a mapping, guessed mappings, labels, devices together

_COLUMNS = """\
columns:
  ax: {sensor: acc, axis: x, unit: g, gravity: true}
  ay: {sensor: acc, axis: y, unit: g, gravity: true}
  az: {sensor: acc, axis: z, unit: g, gravity: true}
  wx: {sensor: gyro, axis: x, unit: deg/s}
  wy: {sensor: gyro, axis: y, unit: deg/s}
  wz: {sensor: gyro, axis: z, unit: deg/s}
"""
_MAPPING = "time: t\ntime_unit: ms\nlabel: activity\nplacement: left wrist\ndevice: smartwatch\nrate: 50\n" + _COLUMNS
_LABELS = "start,end,activity\n0.5,4,walking\n4.0,6.5,standing\n7,9.5,my own exercise\n"


def _columns() -> dict[str, np.ndarray]:
    acc, gyro = simulate(10, 5)
    labels = np.array(["walking", "standing"])[np.arange(len(acc)) // 150 % 2]
    numbers = dict(
        zip(["ax", "ay", "az", "wx", "wy", "wz"], [*acc.T.round(4), *np.degrees(gyro).T.round(3)], strict=True)
    )
    return {"t": 1_700_000_000_000 + 20 * np.arange(len(acc)), **numbers, "activity": labels}


def _csv(columns: dict[str, np.ndarray]) -> str:
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    return "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n"


def _table(kind: str, folder: Path) -> Path:
    place = folder / "session"
    place.mkdir()
    if kind == "folder":
        generic.write(place)
        return place
    if kind == "parquet":
        pq.write_table(pa.table(_columns()), place / "table.parquet")
    else:
        (place / "table.csv").write_text(_csv(_columns()))
    if kind != "guess":
        (place / "mapping.yaml").write_text(_MAPPING)
    if kind == "labels":
        (place / "labels.csv").write_text(_LABELS)
    return place


def _import_table(kind: str, given: Path, output: Path, rng: np.random.Generator) -> None:
    name = {"folder": "ride", "parquet": "table.parquet"}.get(kind, "table.csv")
    mapping = given / "mapping.yaml"
    if kind == "guess":
        with TemporaryDirectory() as folder:
            mapping = Path(folder) / "mapping.yaml"
            _import_guess(given / name, mapping)
            _import(output, given / name, mapping=mapping, placement=["left wrist"])
    else:
        labels = given / "labels.csv" if kind == "labels" else None
        kind = str(rng.choice(["auto", "csv"]))
        _import(output, given / name, mapping=mapping, labels=labels, kind=kind, placement=["left wrist"])


def _import_guess(path: Path, mapping: Path) -> None:
    from otolith.cli.importing import import_

    with _muted():
        import_([path], mapping, guess=True, placement=["left wrist"])


def _two_devices(folder: Path) -> Path:
    place = folder / "both"
    (place / "one").mkdir(parents=True)
    (place / "other").mkdir()
    exports.WRITERS["movella_dot"](place / "one").rename(place / "one" / "dot.csv")
    exports.WRITERS["shimmer"](place / "other").rename(place / "other" / "shimmer.csv")
    return place


def _import_together(given: Path, output: Path, rng: np.random.Generator) -> None:
    ways: list[dict[str, object]] = [{"offset": [0.5]}, {"sync": "shake"}, {}]
    paths = (given / "one" / "dot.csv", given / "other" / "shimmer.csv")
    places = ["left wrist", "right ankle"]
    _import(output, *paths, together=True, placement=places, **ways[rng.choice(3, p=[0.5, 0.3, 0.2])])


def _tables() -> Iterator[Target]:
    old = partial(_small_dataset, NEW)
    for kind in ("csv", "parquet", "folder", "labels", "guess"):
        yield Target(f"table-{kind}", partial(_table, kind), partial(_import_table, kind), old, _is_dataset)
    yield Target("together", _two_devices, _import_together, old, _is_dataset)


# Archives

_PACKINGS = {".zip": b"", ".tar": b"", ".tar.gz": b"\x1f\x8b", ".tar.xz": b"\xfd7"}


def _packed(ending: str, folder: Path) -> Path:
    place = folder / "download"
    place.mkdir()
    with TemporaryDirectory() as temporary:
        raw = Path(temporary)
        for name in ("unimib_shar", "recgym"):
            (raw / name).mkdir()
            archives.WRITERS[name](raw / name)
        files = [(str(file.relative_to(raw)), file.read_bytes()) for file in trees.files_of(raw)]
    if ending == ".zip":  # several official zips hold just another zip
        files += [("inner.zip", zipped([("inner/" + name, content) for name, content in files]))]
        content = zipped(files)
    else:
        content = tarred([member(*file) for file in files])
        content = PACKERS[_PACKINGS[ending]](content) if _PACKINGS[ending] else content
    (place / f"archive{ending}").write_bytes(content)
    return place


def _unpack(given: Path, output: Path, rng: np.random.Generator) -> None:
    from otolith.data.unpack import unpack
    from otolith.types import DataError

    files = trees.files_of(given)
    if not files:
        raise DataError("there is nothing to unpack")
    unpack(files, output, {"otolith.json": "{}\n"})


def _is_unpacked(path: Path) -> None:
    assert (path / "otolith.json").read_text() == "{}\n"
    for entry in path.rglob("*"):
        assert not entry.is_symlink() and (entry.is_file() or entry.is_dir()), entry


def _old_folder(path: Path) -> None:
    path.mkdir()
    (path / "old.txt").write_text("was here before\n")


def _unpackers() -> Iterator[Target]:
    for ending in _PACKINGS:
        yield Target(f"unpack{ending}", partial(_packed, ending), _unpack, _old_folder, _is_unpacked, replaces=True)


# Datasets as what is read


def _dataset(folder: Path) -> Path:
    from otolith.data.conversion import convert_dataset

    with TemporaryDirectory() as raw:
        convert_dataset("utd_mhad", _archive("utd_mhad", Path(raw)), folder / "utd_mhad", jobs=1)
    return folder / "utd_mhad"


def _read(given: Path, output: Path, rng: np.random.Generator) -> None:
    from otolith.data.store import Dataset

    dataset = Dataset.open(given)
    assert dataset.split is None or dataset.split.test
    assert repr(dataset)
    if rng.random() < 0.7:
        dataset.verify()
    for number in range(len(dataset)):
        recording = dataset.read(number)
        dataset.gather([number], [0], min(8, len(recording.signal)))


def _export(given: Path, output: Path, rng: np.random.Generator) -> None:
    from otolith.data.exporters import FORMATS, export
    from otolith.data.store import Dataset

    export(Dataset.open(given), output, str(rng.choice(sorted(FORMATS))))


def _is_export(path: Path) -> None:
    assert {"README.md", "dataset_description.json"} & {entry.name for entry in path.iterdir()}


def _nothing(path: Path) -> None:
    path.mkdir()


def _datasets() -> Iterator[Target]:
    yield Target("dataset-read", _dataset, _read, _old_folder, None)
    yield Target("dataset-export", _dataset, _export, _nothing, _is_export)
