"""A reader finds the old content or the new, never half of either."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from otolith.files import atomic_directory, atomic_file
from otolith.types import DataError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_atomic_file_replaces_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    for content in ("one", "two"):
        with atomic_file(target) as path:
            path.write_text(content)
            assert not target.exists() or target.read_text() == "one"
        assert target.read_text() == content
    assert names(target.parent) == ["a.txt"]
    assert target.stat().st_mode & 0o777 == 0o644


def test_atomic_file_keeps_the_old_content_on_error(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def broken(error: BaseException) -> None:
        with atomic_file(target) as path:
            path.write_text("half")
            raise error

    for error in (RuntimeError("x"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            broken(error)
    with pytest.raises(DataError, match="no space left"):
        broken(OSError(errno.ENOSPC, "No space left on device"))
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_atomic_directory_swaps_whole_folders(tmp_path: Path) -> None:
    target = tmp_path / "d"
    for name in ("one", "two"):
        with atomic_directory(target) as folder:
            (folder / "sub").mkdir()
            (folder / "sub" / name).write_text(name)
        assert names(target / "sub") == [name]
    assert names(tmp_path) == ["d"]
    assert target.stat().st_mode & 0o777 == 0o755


def test_atomic_directory_keeps_the_old_folder_on_error(tmp_path: Path) -> None:
    target = tmp_path / "d"
    target.mkdir()
    (target / "old").touch()

    def broken(error: BaseException) -> None:
        with atomic_directory(target) as folder:
            (folder / "new").touch()
            raise error

    for error in (RuntimeError("x"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            broken(error)
    with pytest.raises(DataError, match="no space left"):
        broken(OSError(errno.EDQUOT, "Disk quota exceeded"))
    assert names(target) == ["old"]
    assert names(tmp_path) == ["d"]


def test_old_folder_comes_back_when_the_swap_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "d"
    target.mkdir()
    (target / "old").touch()
    rename = Path.rename

    def failing(self: Path, other: Path) -> Path:
        if self.suffix == ".part" and Path(other) == target:
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(DataError, match="no space left"), atomic_directory(target):
        pass
    assert names(target) == ["old"]
    assert names(tmp_path) == ["d"]


def test_leftovers_of_a_killed_process_are_swept_and_nothing_else(tmp_path: Path) -> None:
    for name in (".a.abcdefgh.part", ".a.b.abcdefgh.part", ".other.abcdefgh.part", "a.abcdefgh.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").touch()
    with atomic_directory(tmp_path / "a"):
        pass
    assert names(tmp_path) == [".a.b.abcdefgh.part", ".other.abcdefgh.part", "a", "a.abcdefgh.part"]


def test_a_folder_that_is_being_written_is_not_swept(tmp_path: Path) -> None:
    """Two that write to one place: the later one wins, and neither loses its folder half-way."""
    with atomic_directory(tmp_path / "a") as first:
        (first / "x").write_text("first")
        with atomic_directory(tmp_path / "a") as second:
            (second / "x").write_text("second")
        assert (first / "x").read_text() == "first"
        assert (tmp_path / "a" / "x").read_text() == "second"
    assert (tmp_path / "a" / "x").read_text() == "first"
    assert names(tmp_path) == ["a"]


def test_the_working_folder_and_a_link_can_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real" / "a").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "a")
    monkeypatch.chdir(tmp_path / "real" / "a")
    for target in (Path(), tmp_path / "link"):
        with atomic_directory(target) as folder:
            (folder / "x").write_text(str(target))
        assert (tmp_path / "real" / "a" / "x").read_text() == str(target)
        monkeypatch.chdir(tmp_path / "real" / "a")
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == ["a"]


def test_a_mount_point_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    rename = Path.rename

    def busy(self: Path, other: Path) -> Path:
        if self == tmp_path / "a":
            raise OSError(errno.EBUSY, "Device or resource busy", str(self))
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", busy)
    with pytest.raises(DataError, match="cannot write .* busy; choose another place"), atomic_directory(tmp_path / "a"):
        pass
    assert names(tmp_path) == ["a"]


def test_names_with_pattern_characters_are_swept_too(tmp_path: Path) -> None:
    (tmp_path / ".a[1].abcdefgh.part").mkdir()
    with atomic_directory(tmp_path / "a[1]"):
        pass
    assert names(tmp_path) == ["a[1]"]


def test_places_that_cannot_be_written_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"cannot write .* choose another place"), atomic_file(tmp_path / "file" / "a"):
        pass
    with pytest.raises(DataError, match="cannot write"), atomic_directory(tmp_path / "file" / "sub" / "d"):
        pass
    with pytest.raises(DataError, match="cannot write"), atomic_file(tmp_path / "folder") as path:
        path.write_text("x")
    with pytest.raises(DataError, match="cannot write"), atomic_file(tmp_path / ("x" * 300)):
        pass
    assert names(tmp_path) == ["file", "folder"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_one_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match="Permission denied"), atomic_file(tmp_path / "a"):
        pass


def test_an_error_about_another_file_is_not_blamed_on_the_target(tmp_path: Path) -> None:
    error = PermissionError(errno.EACCES, "Permission denied", "/elsewhere/raw.zip")
    with pytest.raises(PermissionError), atomic_directory(tmp_path / "out" / "d"):
        raise error
    assert names(tmp_path / "out") == []
