"""What goes wrong with a folder of files: damaged, lost, renamed, of another kind, foreign, links to elsewhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fuzz.formats import mutations_of
from fuzz.tars import PACKERS, member, tarred
from fuzz.zips import zipped

Change = Callable[[Path, Path, np.random.Generator], str]
"""Changes the tree at the path in place, knowing what lies outside, and says how."""

_NAMES = (
    "x", "x.csv", "x\n.csv", "\x1b[31m.csv", "a b.csv", "ä.csv", "e\u0301.txt", "\udcff.csv", "%s{0}.txt", ".x.csv",
    "-o.csv", "x" * 250, "*.csv", "[a-z].csv", "1e999.txt", "subject999.txt", "s٣.txt", "NaN", "con", "x.csv.gz", "..."
)  # fmt: skip
_FOREIGN = (
    ("._x.csv", b"\x00\x05\x16\x07"), (".DS_Store", b"\x00\x00\x00\x01Bud1"), ("Thumbs.db", b"\xd0\xcf\x11\xe0"),
    ("notes.txt", b"mine\n"), ("~$x.xlsx", b"PK"), ("readme", b""), ("copy of x.csv", b"1,2,3\n"), ("s99.txt", b""),
    ("subject99.dat", b"1 2 3\n"), ("x.zip", b"PK\x05\x06" + bytes(18)), ("x.csv.part", b"1,"), ("dataset.json", b"{}"),
)  # fmt: skip


def files_of(tree: Path) -> list[Path]:
    """The files of a tree, in a fixed order; the tree may be one file."""
    return [tree] if tree.is_file() else sorted(path for path in tree.rglob("*") if path.is_file())


def _one_file(tree: Path, rng: np.random.Generator) -> Path | None:
    """Any kind of file as often as any other, whatever their numbers."""
    kinds: dict[str, list[Path]] = {}
    for path in files_of(tree):
        kinds.setdefault(re.sub(r"\d+", "0", path.name), []).append(path)
    if not kinds:
        return None
    some = list(kinds.values())[rng.integers(len(kinds))]
    return some[rng.integers(len(some))]


def _folders(tree: Path) -> list[Path]:
    return sorted(path for path in tree.rglob("*") if path.is_dir() and not path.is_symlink())


def damaged(tree: Path, outside: Path, rng: np.random.Generator) -> str:
    """The bytes of a file."""
    path = _one_file(tree, rng)
    if path is None:
        return "nothing is left"
    done = []
    content = path.read_bytes()
    for _ in range(2 if rng.random() < 0.15 else 1):
        ways = mutations_of(path.name)
        change = ways[rng.integers(len(ways))]
        content = change(content, rng)
        done.append(change.__name__)
    path.unlink()  # never in place: it may be a link to the sound file
    path.write_bytes(content)
    return f"{path.relative_to(tree.parent)}: {', '.join(done)}"


def removed(tree: Path, outside: Path, rng: np.random.Generator) -> str:
    path = _one_file(tree, rng)
    if path is None:
        return "nothing is left"
    path.unlink()
    return f"{path.relative_to(tree.parent)}: removed"


def renamed(tree: Path, outside: Path, rng: np.random.Generator) -> str:
    """A file or folder has a name that cannot be, or that of another person, trial or kind."""
    some = [*_folders(tree), *files_of(tree)]
    path = some[rng.integers(len(some))] if rng.random() < 0.3 and some else _one_file(tree, rng)
    if path is None:
        return "nothing is left"
    name = path.name
    digits = list(re.finditer(r"\d+", name))
    if digits and rng.random() < 0.5:
        place = digits[rng.integers(len(digits))]
        numbers = ["0", "1", "2", "999", "-1", "", "1" * 40, "x", "٣"]
        name = name[: place.start()] + numbers[rng.integers(len(numbers))] + name[place.end() :]
    elif rng.random() < 0.5:
        name = [name.upper(), name + ".txt", path.stem, "_" + name, name.replace("_", "-")][rng.integers(5)]
    else:
        name = _NAMES[rng.integers(len(_NAMES))]
    new = path.parent / name
    if not name or len(name.encode("utf-8", "surrogateescape")) > 255 or new.is_symlink() or new.exists():
        return "nothing is renamed"
    path.rename(new)
    return f"{path.relative_to(tree.parent)}: renamed to {name!r}"


def made_a_folder(tree: Path, outside: Path, rng: np.random.Generator) -> str:
    path = _one_file(tree, rng)
    if path is None:
        return "nothing is left"
    path.unlink()
    path.mkdir()
    if rng.random() < 0.5:
        (path / path.name).write_bytes(b"1,2,3\n")
    return f"{path.relative_to(tree.parent)}: a folder"


def made_a_file(tree: Path, outside: Path, rng: np.random.Generator) -> str:
    folders = _folders(tree)
    if not folders:
        return "there is no folder"
    path = folders[rng.integers(len(folders))]
    shutil.rmtree(path)
    if rng.random() < 0.7:
        path.write_bytes(b"a file\n")
    return f"{path.relative_to(tree.parent)}: a file, or nothing"


def made_a_link(tree: Path, outside: Path, rng: np.random.Generator) -> str:
    """A file or folder is a link: to one like it elsewhere, to what nobody may touch, to itself, to nowhere."""
    some = [*_folders(tree)]
    path = some[rng.integers(len(some))] if some and rng.random() < 0.3 else _one_file(tree, rng)
    if path is None:
        return "nothing is left"
    targets = [outside / "like", outside, outside / "bait.txt", path, Path("nowhere"), Path(".."), Path("/dev/null")]
    number = int(rng.choice(len(targets), p=[0.4, *[0.1] * 6]))
    if number == 0 and not targets[0].exists():
        (shutil.copytree if path.is_dir() else shutil.copyfile)(path, targets[0])
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    path.symlink_to(targets[number])
    return f"{path.relative_to(tree.parent)}: a link to {targets[number].name!r}"


def joined_by_foreign(tree: Path, outside: Path, rng: np.random.Generator) -> str:
    """Files that others put there."""
    where = [tree if tree.is_dir() else tree.parent, *_folders(tree)]
    folder = where[rng.integers(len(where))]
    some = [_FOREIGN[k] for k in rng.integers(0, len(_FOREIGN), int(rng.choice([1, 3])))]
    for name, content in some:
        if not (folder / name).exists():
            (folder / name).write_bytes(content)
    return f"{folder.relative_to(tree.parent.parent)}: joined by {', '.join(name for name, _ in some)}"


def copied(tree: Path, outside: Path, rng: np.random.Generator) -> str:
    """A file is there twice, or has the content of another one."""
    path, other = _one_file(tree, rng), _one_file(tree, rng)
    if path is None or other is None:
        return "nothing is left"
    names = [f"{path.stem} (1){path.suffix}", f"{path.stem}_2{path.suffix}", path.name + "~", other.name]
    new = path.parent / names[rng.integers(len(names))]
    content = path.read_bytes()
    new.unlink(missing_ok=True)
    new.write_bytes(content)
    return f"{path.relative_to(tree.parent)}: copied to {new.name}"


def nested(tree: Path, outside: Path, rng: np.random.Generator) -> str:
    """Everything lies a folder deeper."""
    if not tree.is_dir():
        return "there is no folder"
    moved = tree.rename(tree.parent / "moved")
    tree.mkdir()
    moved.rename(tree / ("deeper" if rng.random() < 0.5 else tree.name))
    return "everything a folder deeper"


TREES: tuple[Change, ...] = (
    removed, removed, renamed, renamed, renamed, made_a_folder, made_a_file, made_a_link, made_a_link, copied, nested,
    joined_by_foreign, joined_by_foreign,
)  # fmt: skip


def mutate(tree: Path, outside: Path, rng: np.random.Generator) -> list[str]:
    """Changes the tree at `tree` in one or several ways.

    Args:
        tree: A file or folder, in a folder of its own; its files may be links to the sound ones, folders are its own.
        outside: A folder that lies elsewhere, with `bait.txt`.
        rng: Draws everything.

    Returns:
        What was done, a line each.
    """
    drawn = rng.random()
    if drawn < 0.02:
        return ["nothing"]
    several = int(rng.choice([1, 1, 1, 1, 1, 1, 2, 4]))
    changes: list[Change] = [damaged] * min(several, len(files_of(tree)))
    if drawn < 0.2:
        changes = [TREES[rng.integers(len(TREES))]]
    elif drawn < 0.25:
        changes = [TREES[rng.integers(len(TREES))], TREES[rng.integers(len(TREES))], damaged]
    return [change(tree, outside, rng) for change in changes]


def packed(tree: Path, rng: np.random.Generator) -> Path:
    """The tree as an archive, as people send it; sound or damaged."""
    base = tree.parent
    files = [(str(path.relative_to(base)), path.read_bytes()) for path in files_of(tree)]
    files = [(name.encode("utf-8", "replace").decode(), content) for name, content in files]
    way = int(rng.integers(3))
    new = base / f"{tree.stem}{('.zip', '.tar', '.tar.gz')[way]}"
    content = zipped(files) if way == 0 else tarred([member(*file) for file in files])
    content = PACKERS[b"\x1f\x8b"](content) if way == 2 else content
    if rng.random() < 0.6:
        ways = mutations_of(new.name)
        content = ways[rng.integers(len(ways))](content, rng)
    if tree.is_dir() and not tree.is_symlink():
        shutil.rmtree(tree)
    else:
        tree.unlink(missing_ok=True)
    new.write_bytes(content)
    return new
