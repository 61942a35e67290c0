"""Archives of strangers: what leads outside, links, bombs and damage are refused, and nothing is left behind."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from otolith.data import unpack as unpacking
from otolith.data.unpack import is_archive, unpack
from otolith.types import DataError

FILES = {"data/a01/s01.txt": b"1,2,3\n" * 50, "README.txt": "Zuständig: niemand\n".encode(), "data/leer.txt": b""}


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("kind", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
def test_everything_comes_out(kind: str, tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a", FILES) if kind == "zip" else tarred(tmp_path / "a", FILES, kind)
    assert is_archive(archive)
    unpack([archive], tmp_path / "out", {"mark.json": "{}\n"})
    assert content(tmp_path / "out") == {**FILES, "mark.json": b"{}\n"}


def test_a_zip_in_a_zip_is_opened_at_the_top_only(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", FILES).read_bytes()
    archive = zipped(tmp_path / "outer.zip", {"UCI HAR Dataset.zip": inner, "deep/acc_walking_csv.zip": inner})
    unpack([archive], tmp_path / "out")
    assert content(tmp_path / "out") == {**FILES, "deep/acc_walking_csv.zip": inner}


def test_a_plain_file_is_copied_and_several_come_together(tmp_path: Path) -> None:
    (tmp_path / "RecGym.csv").write_bytes(b"Object,Workout\n")
    unpack([zipped(tmp_path / "a.zip", FILES), tmp_path / "RecGym.csv"], tmp_path / "out")
    assert content(tmp_path / "out") == {**FILES, "RecGym.csv": b"Object,Workout\n"}


def refused(archive: Path, tmp_path: Path, words: str) -> None:
    before = content(tmp_path)
    with pytest.raises(DataError, match=words) as caught:
        unpack([archive], tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert content(tmp_path) == before and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/tmp/x", "C:\\x", "..\\x"])
def test_what_leads_outside_is_refused(name: str, tmp_path: Path) -> None:
    refused(tarred(tmp_path / "a.tar", {"good.txt": b"1", name: b"2"}), tmp_path, "do not trust")
    refused(zipped(tmp_path / "a.zip", {"good.txt": b"1", name: b"2"}), tmp_path, "leads outside its folder")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar(kind: bytes, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "/etc/passwd"
        file.addfile(info)
    refused(tmp_path / "a.tar", tmp_path, "holds a link or device")


def test_links_in_a_zip(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(info, "/etc/passwd")
    refused(tmp_path / "a.zip", tmp_path, "holds a link or device")


def test_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_SLACK_BYTES", 1 << 20)
    zeros = bytes(8 << 20)
    refused(zipped(tmp_path / "a.zip", {"zeros": zeros}), tmp_path, "unfolds to more than 200 times")
    inner = zipped(tmp_path / "inner", {"zeros": zeros}).read_bytes()
    refused(zipped(tmp_path / "b.zip", {"inner.zip": inner}), tmp_path, "unfolds to more than 200 times")
    refused(tarred(tmp_path / "a.tar.xz", {"zeros": zeros}, "w:xz"), tmp_path, "unfolds to more than 200 times")


def test_a_header_of_absurd_size_takes_no_memory(tmp_path: Path) -> None:
    """A pax header says 200 MB of itself; tarfile alone would read them all at once."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 200 << 20
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as file:
        file.write(info.tobuf())
        for _ in range(200):
            file.write(bytes(1 << 20))
    refused(tmp_path / "a.tar.gz", tmp_path, "damaged or cut off")


def test_one_name_twice(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("a.csv", "1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("a.csv", "2")
    refused(tmp_path / "a.zip", tmp_path, "holds 'a.csv' twice")
    refused(zipped(tmp_path / "b.zip", {"a.csv": b"1", "A.csv": b"2"}), tmp_path, "holds 'A.csv' twice")
    refused(zipped(tmp_path / "c.zip", {"a": b"1", "a/b": b"2"}), tmp_path, "a file and a folder of one name")


def test_encrypted(tmp_path: Path) -> None:
    raw = bytearray(zipped(tmp_path / "a.zip", {"a.csv": b"1"}).read_bytes())
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(raw)
    refused(tmp_path / "a.zip", tmp_path, "encrypted or packed in a way")


@pytest.mark.parametrize("kind", ["zip", "w:gz", "w:bz2", "w:xz"])
def test_cut_off(kind: str, tmp_path: Path) -> None:
    noise = {"noise": np.random.default_rng(0).bytes(20_000)}
    archive = zipped(tmp_path / "a", noise) if kind == "zip" else tarred(tmp_path / "a", noise, kind)
    whole = archive.read_bytes()
    archive.write_bytes(whole[:10_000] if kind != "zip" else whole[:5_000] + whole[8_000:])
    refused(archive, tmp_path, "damaged or cut off")


@pytest.mark.parametrize("opener", [gzip.open, bz2.open, lzma.open])
def test_compressed_nonsense(opener: object, tmp_path: Path) -> None:
    with opener(tmp_path / "a", "wb") as file:  # type: ignore[operator]
        file.write(b"this is no tar" * 100)
    refused(tmp_path / "a", tmp_path, "damaged or cut off")


def test_what_was_there_stays_when_it_fails(tmp_path: Path) -> None:
    unpack([zipped(tmp_path / "a.zip", FILES)], tmp_path / "out")
    with pytest.raises(DataError):
        unpack([zipped(tmp_path / "b.zip", {"../x": b""})], tmp_path / "out")
    assert content(tmp_path / "out") == FILES
