"""Datasets on disk: `DatasetWriter` makes one, `Dataset` reads it; `otolith.data.format` says what is in the folder."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, is_dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

import otolith
from otolith.data.card import SubjectSplit
from otolith.data.channels import Channel
from otolith.data.format import (
    ANNOTATIONS,
    FORMAT_VERSION,
    RECORDINGS,
    check_replaceable,
    content_sha256,
    read_info,
    read_table,
    shard_path,
)
from otolith.data.recording import Annotation, Recording
from otolith.data.remote import is_url
from otolith.data.shards import SHARD_BYTES, ShardWriter, gather_rows, open_shard
from otolith.files import atomic_directory
from otolith.types import DataError, OtolithError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMAT_VERSION", "Dataset", "DatasetWriter"]


class DatasetWriter:
    """Writes a dataset, one recording at a time; memory use does not grow with the signals.

    Nothing appears at `path` until the `with` block ends without an error; then the new dataset takes the place of an
    old one of the same name in one step. Anything else that is there is refused and left as it is.

    Args:
        path: The dataset's folder.
        name: Its short name, for example `hapt`.
        title: Its full name.
        licence: The licence of the data.
        citation: How its authors want it cited.
        sources: What it was converted from: dataclasses or mappings, each with a sha256.
        split: Who trains, judges and tests, where that is fixed; it is no part of the content hash.
        shard_bytes: Size of signal files; a recording is never cut in two.
    """

    def __init__(
        self,
        path: Path | str,
        name: str,
        *,
        title: str = "",
        licence: str = "",
        citation: str = "",
        sources: Iterable[Any] = (),
        split: SubjectSplit | None = None,
        shard_bytes: int = SHARD_BYTES,
    ) -> None:
        plain = [asdict(s) if is_dataclass(s) and not isinstance(s, type) else dict(s) for s in sources]
        about = {"name": name, "title": title, "licence": licence, "citation": citation, "sources": plain}
        self._about: dict[str, Any] = {**about, **({"split": asdict(split)} if split else {})}
        self._path, self._name = Path(path), name
        self._shard_bytes = shard_bytes
        self._layouts: dict[tuple[Channel, ...], int] = {}
        self._open: dict[int, tuple[int, ShardWriter]] = {}  # layout -> number and file of its last shard
        self._recordings: dict[str, dict[str, Any]] = {}
        self._annotations: list[dict[str, Any]] = []
        self._signals = hashlib.sha256()

    def __enter__(self) -> Self:
        check_replaceable(self._path, self._name)
        self._stack = ExitStack()
        self._folder = self._stack.enter_context(atomic_directory(self._path))
        self._stack.push(self._finish)  # runs before the folder takes its place; what it raises keeps the old dataset
        (self._folder / "signals").mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, recording: Recording) -> None:
        """Appends one recording.

        Raises:
            DataError: A recording of this name is already there.
        """
        if recording.name in self._recordings:
            raise DataError(
                f"recording '{recording.name}' occurs twice in dataset '{self._about['name']}'; "
                "give each recording its own name"
            )
        layout = self._layouts.setdefault(recording.channels, len(self._layouts))
        signal = np.ascontiguousarray(recording.signal, dtype="<f4")
        number, shard = self._shard(layout, signal)
        row = {
            "name": recording.name,
            "subject": recording.subject,
            "session": recording.session,
            "offset_s": float(recording.offset),
            "rate": float(recording.rate),
            "layout": layout,
            "shard": number,
            "start": shard.rows,
            "rows": len(signal),
        }
        data = signal.reshape(-1).view(np.uint8).data
        shard.append(data, len(signal))
        self._signals.update(data)
        self._annotations += [
            {
                "recording": len(self._recordings),
                "start_s": float(a.start),
                "end_s": float(a.end),
                "activity": a.activity,
            }
            for a in sorted(recording.annotations, key=lambda a: a.start)
        ]
        self._recordings[recording.name] = row

    def _shard(self, layout: int, signal: NDArray[np.float32]) -> tuple[int, ShardWriter]:
        """The shard that takes `signal`: the open one, or a new one when it would grow too large."""
        number, shard = self._open.get(layout, (-1, None))
        if shard is not None and (shard.rows == 0 or shard.bytes + signal.nbytes <= self._shard_bytes):
            return number, shard
        if shard is not None:
            shard.close()
        self._open[layout] = (number + 1, ShardWriter(shard_path(self._folder, layout, number + 1), signal.shape[1]))
        return self._open[layout]

    def _finish(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as files:
            for _, shard in self._open.values():
                files.enter_context(shard)
        if error is not None:
            return
        if not self._recordings:
            raise DataError(
                f"dataset '{self._about['name']}' has no recording, so nothing was written; "
                "check that the raw data is complete"
            )
        rows = list(self._recordings.values())
        info = self._describe(rows)
        pq.write_table(pa.Table.from_pylist(rows, RECORDINGS), self._folder / "recordings.parquet")
        pq.write_table(pa.Table.from_pylist(self._annotations, ANNOTATIONS), self._folder / "annotations.parquet")
        text = json.dumps(info, indent=2, ensure_ascii=False) + "\n"
        (self._folder / "dataset.json").write_text(text, encoding="utf-8")
        check_replaceable(self._path, self._name)  # once more: much may have come there meanwhile

    def _describe(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        seconds: Counter[str] = Counter()
        for note in self._annotations:
            seconds[note["activity"]] += note["end_s"] - note["start_s"]
        layouts = [[channel.to_dict() for channel in layout] for layout in self._layouts]
        return {
            "format_version": FORMAT_VERSION,
            **self._about,
            "layouts": layouts,
            "activities": {activity: round(seconds[activity], 3) for activity in sorted(seconds)},
            "rates": sorted({row["rate"] for row in rows}),
            "counts": {
                "recordings": len(rows),
                "subjects": len({row["subject"] for row in rows}),
                "annotations": len(self._annotations),
                "samples": sum(row["rows"] for row in rows),
            },
            "seconds": round(sum(row["rows"] / row["rate"] for row in rows), 3),
            "sha256": content_sha256(layouts, rows, self._annotations, self._signals.digest()),
            "otolith": otolith.__version__,
        }


class Dataset:
    """A dataset opened for reading. Cheap to pickle: a worker process maps the signals anew.

    Attributes:
        path: The dataset's folder.
        info: What `dataset.json` says.
        recordings: One row a recording: name, subject, session, offset_s, rate, layout, shard, start, rows.
        annotations: One row an activity: recording (row number), start_s, end_s, activity.
        layouts: The distinct sets of channels.
    """

    def __init__(self, path: Path, info: dict[str, Any], recordings: pd.DataFrame, annotations: pd.DataFrame) -> None:
        self.path = path
        self.info = info
        self.recordings = recordings
        self.annotations = annotations
        self.layouts = [tuple(Channel(**channel) for channel in layout) for layout in info["layouts"]]
        hash(tuple(self.layouts))  # fails here, not later, where a word is a list
        self._layout, self._shard, self._start, self._rows = (
            recordings[column].to_numpy(np.int64) for column in ("layout", "shard", "start", "rows")
        )
        self._maps: dict[tuple[int, int], NDArray[np.float32]] = {}

    @classmethod
    def open(cls, path: Path | str) -> Dataset:
        """Opens and checks a dataset: tables, layouts, and the size and type of each signal file.

        Raises:
            DataError: Nothing is there, it is damaged or half-written, or of another format version; or it is a URL.
        """
        if is_url(path):
            raise DataError(f"{path} is a URL, but signals are mapped from a local disk: copy the folder to one first")
        path = Path(path)
        info = read_info(path)
        recordings = read_table(path / "recordings.parquet", RECORDINGS)
        annotations = read_table(path / "annotations.parquet", ANNOTATIONS)
        try:
            dataset = cls(path, info, recordings, annotations)
        except (TypeError, AttributeError, OtolithError) as error:
            raise DataError(
                f"{path / 'dataset.json'} describes channels that cannot be used ({error}); convert the dataset again"
            ) from error
        dataset._check()
        return dataset

    @property
    def name(self) -> str:
        """Its short name, for example `hapt`."""
        return str(self.info["name"])

    @property
    def sha256(self) -> str:
        """Hash of the content (channels, recordings, annotations, signals), the same for each run of a conversion."""
        return str(self.info["sha256"])

    @property
    def split(self) -> SubjectSplit | None:
        """Who judges and who tests, as the dataset's card says; all others train. None where nothing is fixed.

        Raises:
            DataError: `dataset.json` says it in another form.
        """
        said = self.info.get("split")
        if said is None:
            return None
        try:
            return SubjectSplit(tuple(said["test"]), tuple(said["val"]), said["official"], said["note"])
        except (TypeError, KeyError) as error:
            raise DataError(f"{self.path / 'dataset.json'} has no usable split; convert the dataset again") from error

    def __len__(self) -> int:
        return len(self.recordings)

    def __repr__(self) -> str:
        return f"Dataset('{self.name}', {len(self)} recordings, {self.path})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": {}}

    def channels(self, recording: int) -> tuple[Channel, ...]:
        """The channels of recording number `recording`."""
        return self.layouts[int(self._layout[recording])]

    def signal(self, recording: int) -> NDArray[np.float32]:
        """A read-only view [T, C] of the memory-mapped signal, in SI."""
        start = int(self._start[recording])
        shard = self._map(int(self._layout[recording]), int(self._shard[recording]))
        return shard[start : start + int(self._rows[recording])]

    def read(self, recording: int) -> Recording:
        """Recording number `recording`, with a copy of its signal."""
        row = self.recordings.iloc[recording]
        notes = self.annotations[self.annotations["recording"] == range(len(self))[recording]]
        annotations = tuple(
            Annotation(float(start), float(end), str(activity))
            for start, end, activity in zip(notes["start_s"], notes["end_s"], notes["activity"], strict=True)
        )
        return Recording(
            self.signal(recording).copy(),
            float(row["rate"]),
            self.channels(recording),
            str(row["subject"]),
            str(row["name"]),
            annotations,
            str(row["session"]),
            float(row["offset_s"]),
        )

    def gather(
        self, recordings: Sequence[int] | NDArray[Any], starts: Sequence[int] | NDArray[Any], length: int
    ) -> NDArray[np.float32]:
        """Many windows at once, in SI.

        Args:
            recordings: [B] row numbers; all of one layout.
            starts: [B] first sample of each window within its recording.
            length: Samples in each window.

        Returns:
            float32 [B, length, C], a copy.

        Raises:
            IndexError: A window reaches beyond its recording.
            ValueError: The recordings have different channels, or the arguments do not fit each other.
        """
        which, first = np.asarray(recordings, np.int64), np.asarray(starts, np.int64)
        if which.ndim != 1 or which.shape != first.shape or not which.size or length < 1:
            raise ValueError(f"recordings {which.shape} and starts {first.shape} must be [B] with B and length above 0")
        if which.min() < 0 or which.max() >= len(self):
            raise IndexError(f"recording {which.max()} or {which.min()} is not one of the {len(self)} of '{self.name}'")
        outside = (first < 0) | (first + length > self._rows[which])
        if outside.any():
            bad = int(np.argmax(outside))
            raise IndexError(
                f"window {first[bad]}+{length} reaches beyond recording {which[bad]} of '{self.name}', "
                f"which has {self._rows[which[bad]]} samples"
            )
        layout = int(self._layout[which[0]])
        if (self._layout[which] != layout).any():
            raise ValueError("the recordings have different channels; gather one layout at a time")
        return self._gather(layout, self._shard[which], self._start[which] + first, length)

    def _gather(
        self, layout: int, shards: NDArray[np.int64], first: NDArray[np.int64], length: int
    ) -> NDArray[np.float32]:
        used = np.unique(shards)
        if len(used) == 1:
            return gather_rows(self._map(layout, int(used[0])), first, length)
        windows = np.empty((len(first), length, len(self.layouts[layout])), np.float32)
        for shard in used:
            here = shards == shard
            windows[here] = gather_rows(self._map(layout, int(shard)), first[here], length)
        return windows

    def verify(self) -> None:
        """Reads every signal and compares the content with the hash that was stored at writing.

        Raises:
            DataError: Something has changed since.
        """
        signals = hashlib.sha256()
        for recording in range(len(self)):
            signals.update(np.ascontiguousarray(self.signal(recording)).reshape(-1).view(np.uint8).data)
        rows, notes = (t.to_dict("records") for t in (self.recordings, self.annotations))
        if content_sha256(self.info["layouts"], rows, notes, signals.digest()) != self.sha256:
            raise DataError(
                f"the content of {self.path} is not what was converted (its hash differs); "
                f"convert it again with  otolith datasets convert {self.name}"
            )

    def _map(self, layout: int, shard: int) -> NDArray[np.float32]:
        key = (layout, shard)
        if key not in self._maps:
            here = (self._layout == layout) & (self._shard == shard)
            path = shard_path(self.path, layout, shard)
            self._maps[key] = open_shard(path, int(self._rows[here].sum()), len(self.layouts[layout]))
        return self._maps[key]

    def _check(self) -> None:
        """Tables and files must agree, so that no later read can fail or reach a foreign recording."""
        wrong = ""
        notes = self.annotations["recording"].to_numpy(np.int64)
        if len(self) == 0 or len(self) != self.info["counts"].get("recordings"):
            wrong = f"{len(self)} recordings, not the number that dataset.json gives"
        elif self.recordings["name"].duplicated().any():
            wrong = "a recording name twice"
        elif not ((self._layout >= 0) & (self._layout < len(self.layouts)) & (self._rows > 0)).all():
            wrong = "a recording without rows or with an unknown layout"
        elif notes.size and not (notes.min() >= 0 and notes.max() < len(self)):
            wrong = "an annotation of an unknown recording"
        if wrong:
            raise DataError(f"{self.path} is damaged, its tables have {wrong}; convert the dataset again")
        for layout, shard in sorted(set(zip(self._layout.tolist(), self._shard.tolist(), strict=True))):
            here = (self._layout == layout) & (self._shard == shard)
            ends = np.cumsum(self._rows[here])
            if (self._start[here] != ends - self._rows[here]).any():
                raise DataError(
                    f"{self.path} is damaged, its recordings do not fill signals/{layout}-{shard}.npy; "
                    "convert the dataset again"
                )
            self._map(layout, shard)
