"""What every importer of an export keeps: it alone knows its files, and they arrive in SI, upright, on one clock."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from exports import WRITERS
from otolith.data.channels import GRAVITY, triads
from otolith.data.importers import IMPORTERS, Session, Wearing, detect, importer
from otolith.data.importers.clocks import recordings
from otolith.data.recording import Recording, check_physics, rest_magnitude
from otolith.data.store import Dataset, DatasetWriter
from otolith.types import ConfigError, DataError, OtolithError

WEARING = Wearing("left wrist", subject="ann")
NAMES = sorted(IMPORTERS)

Export = Callable[[str], Path]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Export:
    """The path of a format's small export, written once. Read only."""
    made: dict[str, Path] = {}

    def path(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp("export") / name
            folder.mkdir()
            made[name] = WRITERS[IMPORTERS[name]](folder)
        return made[name]

    return path


def read(name: str, path: Path, wearing: Wearing = WEARING) -> list[Session]:
    return list(importer(name).read(path, wearing))


def made(name: str, path: Path) -> list[Recording]:
    return [recording for session in read(name, path) for recording in recordings(session)[0]]


def test_every_importer_has_an_export_and_every_export_an_importer() -> None:
    assert sorted(IMPORTERS.values()) == sorted(WRITERS)


@pytest.mark.parametrize("name", NAMES)
def test_it_alone_recognises_its_export(name: str, export: Export) -> None:
    path = export(name)
    assert detect(path) == name
    assert importer(name).TITLE


@pytest.mark.parametrize("name", NAMES)
def test_what_is_foreign_is_not_recognised_and_does_not_raise(name: str, tmp_path: Path) -> None:
    module = importer(name)
    contents = [
        b"",
        b"\n",
        b"\xff\xfe\x00",
        bytes(range(256)) * 20,
        b"time,acc_x,acc_y,acc_z\n0,0,0,9.8\n",
        b"PK\x03\x04x",
    ]
    for number, content in enumerate(contents):
        for suffix in ("csv", "txt", "bin", "tsv", "json"):
            path = tmp_path / f"{number}.{suffix}"
            path.write_bytes(content)
            assert module.recognises(path) is False, (content[:20], suffix)
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    for path in (tmp_path / "folder", tmp_path / "none", tmp_path / "none" / "deeper.csv"):
        assert module.recognises(path) is False


@pytest.mark.parametrize("name", NAMES)
def test_its_numbers_are_physical_and_upright(name: str, export: Export) -> None:
    """The motion of the exports stands on its x axis, so that the accelerometer feels +9.81 m/s^2 there while still."""
    acc = 0
    for recording in made(name, export(name)):
        assert [finding.text for finding in check_physics(recording) if finding.severe] == []
        assert recording.subject
        for columns in (c for body in triads(recording.channels).values() for c in body):
            first = recording.channels[columns[0]]
            if first.sensor != "acc" or not first.gravity:
                continue
            acc += 1
            signal = recording.signal[:, columns]
            assert rest_magnitude(signal, recording.rate) == pytest.approx(GRAVITY, rel=0.03)
            second = round(recording.rate)
            parts = signal[: len(signal) // second * second].reshape(-1, second, 3)
            still = parts[np.argmin(np.nan_to_num(parts.std(axis=1).sum(axis=1), nan=np.inf))]
            assert still.mean(axis=0) == pytest.approx([GRAVITY, 0, 0], abs=0.5)
    assert acc, "no acceleration with gravity"


@pytest.mark.parametrize("name", NAMES)
def test_where_it_was_worn_is_asked_for_or_known(name: str, export: Export) -> None:
    said, sessions = "", []
    try:
        sessions = read(name, export(name), Wearing(""))
    except ConfigError as error:
        said = str(error)
    if said:
        assert "--placement" in said
    else:  # the file says it
        assert sessions and all(c.placement for s in sessions for stream in s.streams for c in stream.channels)


@pytest.mark.parametrize("name", NAMES)
def test_reading_twice_gives_the_same_dataset(name: str, export: Export, tmp_path: Path) -> None:
    hashes = []
    for number in range(2):
        with DatasetWriter(tmp_path / str(number), "own") as writer:
            for recording in made(name, export(name)):
                writer.add(recording)
        dataset = Dataset.open(tmp_path / str(number))
        dataset.verify()
        hashes.append(dataset.sha256)
    assert hashes[0] == hashes[1]


def damaged(content: bytes) -> list[bytes]:
    rng = np.random.default_rng(0)
    flipped = bytearray(content)
    for place in rng.integers(0, len(content), 20):
        flipped[place] ^= 1 << int(rng.integers(8))
    middle = len(content) // 2
    return [
        b"",
        content[:10],
        content[:middle],
        content[: middle - 3] + b"\n",
        bytes(flipped),
        content.replace(b",", b";").replace(b"\t", b" "),
        content.replace(b"0", b"x"),
        content[:middle] + b"\xff\x00\xfe" * 50 + content[middle:],
        content[middle:],
    ]


@pytest.mark.parametrize("name", NAMES)
def test_damage_ends_in_a_sentence_or_in_a_recording(name: str, export: Export, tmp_path: Path) -> None:
    """Each file damaged in nine ways: whatever comes is a plain sentence, or recordings that pass every check."""
    original = export(name)
    files = [original] if original.is_file() else sorted(p for p in original.rglob("*") if p.is_file())
    sentences = []
    for file in files[:6]:
        for number, content in enumerate(damaged(file.read_bytes())):
            copy = tmp_path / f"{files.index(file)}_{number}" / original.name
            copy.parent.mkdir()
            if original.is_file():
                shutil.copyfile(original, copy)
            else:
                shutil.copytree(original, copy)
            (copy if original.is_file() else copy / file.relative_to(original)).write_bytes(content)
            importer(name).recognises(copy)
            try:
                made(name, copy)
            except OtolithError as error:
                sentences.append(str(error))
    assert sentences and not any("\n" in sentence for sentence in sentences)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_there_is_said(name: str, tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(DataError):
            made(name, path)
