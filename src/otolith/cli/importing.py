"""`otolith import`: a person's own recordings, from the exports of devices and apps or from tables, as a dataset."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otolith.cli.recordings import tell
from otolith.types import ConfigError, DataError

if TYPE_CHECKING:
    from otolith.data.importers import Session, Wearing
    from otolith.data.importers.labels import Labels
    from otolith.data.recording import Recording
    from otolith.data.store import Dataset

Paths = Annotated[list[Path], typer.Argument(help="Files, folders or zips, each of one session.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder of the dataset; with --guess the YAML file.")
]
Name = Annotated[str, typer.Option(help="Short name of the dataset; else that of its folder.")]
Kind = Annotated[str, typer.Option("--format", help="Kind of export, or csv; else it is recognised.")]
Mapping = Annotated[Path | None, typer.Option(help="YAML that says what the columns of a CSV or Parquet mean.")]
Placement = Annotated[
    list[str] | None, typer.Option(help="Where it was worn, in words; once, or once for each path in their order.")
]
Device = Annotated[list[str] | None, typer.Option(help="What was worn, in words: smartwatch; likewise.")]
Subject = Annotated[list[str] | None, typer.Option(help="Who wore it; likewise.")]
Together = Annotated[bool, typer.Option("--together", help="The paths are devices that one person wore at one time.")]
Offset = Annotated[
    list[float] | None, typer.Option(help="With --together: seconds that each path began after the first one (0).")
]
Sync = Annotated[str, typer.Option(help="With --together: 'shake' finds the offsets from a movement that all share.")]
LabelFile = Annotated[Path | None, typer.Option("--labels", help="CSV with start, end, activity; seconds or dates.")]
Add = Annotated[bool, typer.Option("--add", help="Keep the recordings that are in the dataset.")]
Replace = Annotated[bool, typer.Option("--replace", help="Put this in the place of the dataset that is there.")]
Guess = Annotated[bool, typer.Option("--guess", help="Propose a mapping for a table, with its evidence; no import.")]


@dataclass(frozen=True)
class _Told:
    """What was read, for the person: lines for stdout, notes for stderr."""

    lines: list[str]
    notes: list[str]


def import_(
    paths: Paths,
    output: Output = None,
    name: Name = "",
    kind: Kind = "auto",
    mapping: Mapping = None,
    placement: Placement = None,
    device: Device = None,
    subject: Subject = None,
    together: Together = False,
    offset: Offset = None,
    sync: Sync = "",
    labels: LabelFile = None,
    add: Add = False,
    replace: Replace = False,
    guess: Guess = False,
) -> None:
    """Makes a dataset of your own recordings: exports of devices and apps, or CSV and Parquet tables."""
    from otolith.data.importers.labels import read_labels

    wearings = _wearings(paths, placement, device, subject)
    if guess:
        if len(paths) != 1 or mapping or labels or together or add or replace:
            raise ConfigError(
                "--guess looks at one path and imports nothing; with it go only --output and what was worn"
            )
        _propose(paths[0], wearings[0], output)
        return
    if output is None:
        raise ConfigError("say with --output (-o) in which folder the dataset shall be")
    _check(kind, mapping, together, offset, sync, len(paths))
    known = read_labels(labels) if labels else None
    if known and not known.absolute and len(paths) > 1 and not together:
        raise ConfigError(f"the times in {labels} are seconds of one session; import its path alone, or give dates")
    told = _Told([], [])
    old = _existing(output, name, add=add, replace=replace)
    read = _sessions(list(zip(paths, wearings, strict=True)), "" if kind == "auto" else kind, mapping, old, told)
    if together:
        read = iter([_merged(list(read), offset, sync, told)])
    _write(output, name or output.resolve().name, old, paths, _recordings(read, known, told))
    typer.echo("\n".join(told.lines))
    tell(told.notes)


def _existing(output: Path, name: str, *, add: bool, replace: bool) -> Dataset | None:
    """The dataset to be added to, if there is one.

    Raises:
        ConfigError: There is one and nothing says what to do with it.
    """
    from otolith.data.store import Dataset

    if add and replace:
        raise ConfigError("--add keeps the recordings that are there and --replace does not: give one of them")
    if not (output / "dataset.json").exists() or replace:
        return None
    if not add:
        raise ConfigError(
            f"{output} is a dataset already; --add keeps its recordings, --replace puts new ones in its place"
        )
    old = Dataset.open(output)
    if name and name != old.name:
        raise ConfigError(f"{output} is the dataset '{old.name}'; leave out --name")
    return old


def _check(kind: str, mapping: Path | None, together: bool, offset: list[float] | None, sync: str, count: int) -> None:
    from otolith.data.importers import IMPORTERS

    if kind not in ("auto", "csv", *IMPORTERS):
        raise ConfigError(f"there is no format '{kind}'; use one of auto, csv, {', '.join(IMPORTERS)}")
    if mapping and kind not in ("auto", "csv"):
        raise ConfigError(f"a mapping is for tables, and {kind} describes itself: leave out --mapping or --format")
    if kind == "csv" and not mapping:
        raise ConfigError("a table needs a --mapping that says what its columns mean; --guess proposes one")
    if sync not in ("", "shake"):
        raise ConfigError(f"there is no way '{sync}' to synchronise; use shake")
    if (offset or sync) and not together:
        raise ConfigError("--offset and --sync are for devices that were worn together: add --together")
    if offset and sync:
        raise ConfigError("--offset says what --sync would find: give one of them")
    if together and count < 2:
        raise ConfigError("--together needs the paths of two devices or more")
    if offset and len(offset) != count - 1:
        raise ConfigError(f"give --offset once for each path after the first: {count - 1}, not {len(offset)}")


def _wearings(
    paths: Sequence[Path], placement: list[str] | None, device: list[str] | None, subject: list[str] | None
) -> list[Wearing]:
    """What was worn, for each path."""
    from otolith.data.importers import Wearing

    if not paths:
        raise ConfigError("give the files or folders to import")
    each: list[list[str]] = []
    for option, given, default in (
        ("placement", placement, ""), ("device", device, ""), ("subject", subject, "unknown")
    ):  # fmt: skip
        given = given or [default]
        if len(given) not in (1, len(paths)):
            raise ConfigError(
                f"--{option} is given {len(given)} times for {len(paths)} paths; give it once, or once for each"
            )
        each.append(given * (len(paths) // len(given)))
    return [Wearing(*words) for words in zip(*each, strict=True)]


def _sessions(
    worn: Sequence[tuple[Path, Wearing]], kind: str, mapping: Path | None, old: Dataset | None, told: _Told
) -> Iterator[Session]:
    """The sessions in each path, under names that do not repeat."""
    from dataclasses import replace

    from otolith.data.importers import detect, importer, sessions
    from otolith.data.importers.opening import opened

    taken = {str(word) for column in ("name", "session") for word in old.recordings[column]} if old else set()
    for path, wearing in worn:
        with opened(path) as source:
            found = "csv" if mapping else kind or detect(source)
            told.lines.append(f"{path}: {f'table, by {mapping}' if mapping else importer(found).TITLE}")
            for session in sessions(source, wearing, kind=found, mapping=mapping):
                plain = name = re.sub(r"[^\w .+-]", "_", session.name) or "recording"
                number = 1
                while name in taken:
                    number += 1
                    name = f"{plain}_{number}"
                taken.add(name)
                yield replace(session, name=name)


def _merged(read: list[Session], offset: list[float] | None, sync: str, told: _Told) -> Session:
    """All of them as one session, and how their clocks were brought together."""
    from otolith.data.importers.clocks import together
    from otolith.data.importers.shake import by_clock, by_offset, by_shake

    clocks = by_offset(read, offset) if offset else by_shake(read) if sync else by_clock(read)
    told.lines.extend(clocks.evidence)
    return together(read, clocks.shifts, clocks.drifts)


def _recordings(read: Iterator[Session], labels: Labels | None, told: _Told) -> Iterator[Recording]:
    """The recordings of each session; what is to be told of them is appended to `told`."""
    from otolith.data.importers.clocks import recordings
    from otolith.data.recording import check_physics

    labelled = False
    for session in read:
        found, notes = recordings(labels.on(session) if labels else session)
        told.notes.extend(f"{session.name}: {note}" for note in notes)
        for recording in found:
            told.lines.append(_line(recording))
            told.notes.extend(f"{recording.name}: {finding.text}" for finding in check_physics(recording))
            labelled = labelled or bool(recording.annotations)
            yield recording
    if labels and not labelled:
        raise DataError(
            f"none of the stretches in {labels.path} lies within a recording; check the origin and unit of their times"
        )


def _line(recording: Recording) -> str:
    places = ", ".join(dict.fromkeys(f"{c.device or 'sensor'} at the {c.placement}" for c in recording.channels))
    names = " ".join(channel.name for channel in recording.channels)
    begins = f", begins at {recording.offset:.3f} s" if recording.offset else ""
    seconds: Counter[str] = Counter()
    for note in recording.annotations:
        seconds[note.activity] += note.end - note.start  # type: ignore[assignment]
    said = "; " + ", ".join(f"{activity} {s:.1f} s" for activity, s in seconds.most_common(8)) if seconds else ""
    return f"{recording.name}: {recording.duration:.1f} s at {recording.rate:.4g} Hz{begins}, {places}: {names}{said}"


def _write(
    output: Path, name: str, old: Dataset | None, paths: Sequence[Path], recordings: Iterator[Recording]
) -> None:
    """The dataset, with what was in it before, in one step."""
    from otolith.data.store import DatasetWriter

    sources: list[Any] = [*(old.info["sources"] if old else []), *map(_source, paths)]
    with DatasetWriter(output, old.name if old else name, title="own recordings", sources=sources) as writer:
        for kept in map(old.read, range(len(old))) if old else ():
            writer.add(kept)
        for recording in recordings:
            writer.add(recording)


def _propose(path: Path, wearing: Wearing, output: Path | None) -> None:
    """A mapping for the table, to stdout or into a file."""
    from otolith.data.importers.guess import guess
    from otolith.data.importers.opening import opened
    from otolith.files import atomic_file

    if output and output.exists():
        raise ConfigError(f"{output} is there already and may have been corrected by hand; name another file")
    with opened(path) as source:
        text = guess(source, wearing)
    if output is None:
        typer.echo(text, nl=False)
        return
    with atomic_file(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    typer.echo(f"{output}: a proposal; read it, correct it, then:  otolith import {path} --mapping {output} -o DATASET")


def _source(path: Path) -> dict[str, Any]:
    """What was imported: name, size and hash, of a folder over all its files in order."""
    import hashlib

    if not path.exists():
        raise DataError(f"there is no file or folder {path}; check the path")
    digest, size = hashlib.sha256(), 0
    try:
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        for file in files:
            if len(files) > 1:
                digest.update(str(file.relative_to(path)).encode("utf-8", "surrogateescape"))
            with file.open("rb") as content:
                while piece := content.read(1 << 20):
                    digest.update(piece)
                    size += len(piece)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
    return {"url": path.name, "sha256": digest.hexdigest(), "bytes": size, "note": ""}
