"""What was recognised in a recording, over its thinned signal, as a file that a report shows; never large."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from otolith.evaluate.signals import Span, Thinned, Trace
from otolith.files import atomic_file
from otolith.types import DataError

FORMAT = "otolith-timeline"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class RecordedTimeline:
    """A recording's activities over its signal.

    Attributes:
        name: Of the recording.
        ends: First and last second.
        lines: Its signal as `signals.thin` gives it; empty where only segments are known.
        segments: What was recognised, at least one.
        truth: The true activities; None where they are not known.
    """

    name: str
    ends: tuple[float, float]
    lines: Sequence[Thinned]
    segments: Sequence[Span]
    truth: Sequence[Span] | None = None

    def save(self, path: Path) -> None:
        """Writes the file (JSON) in one step.

        Raises:
            DataError: The disk is full or the place is not writable.
        """
        content = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "recording": self.name,
            "ends_s": self.ends,
            "recognised": [[*_rounded(s[:2]), s.label, round(s.confidence, 4)] for s in self.segments],
            "true": None if self.truth is None else [[*_rounded(s[:2]), s.label] for s in self.truth],
            "signal": [
                {"name": line.trace.name, "unit": line.trace.unit, "times_s": _rounded(line.times.tolist()),
                 "values": [None if math.isnan(v) else float(f"{v:.5g}") for v in line.values.tolist()]}
                for line in self.lines
            ],
        }  # fmt: skip
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> RecordedTimeline:
        """Reads such a file, or the segments alone from a .csv with start_s, end_s, activity and confidence.

        Raises:
            DataError: Not there, damaged, something else, of another version, or without a segment.
        """
        try:
            found = _of_table(path) if path.suffix == ".csv" else _of_json(path)
            spans = [*found.segments, *(found.truth or ())]
            sound = all(
                0 < len(line.times) == len(line.values) and (np.diff(line.times) >= 0).all() for line in found.lines
            )
        except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            raise DataError(
                f"{path} is no timeline: give a file that otolith classify --timeline wrote, or the .csv of --output"
            ) from error
        if not found.segments or not all(span.start < span.end for span in spans):
            raise DataError(f"{path} holds no segment, or one that ends before it starts")
        if not sound or not found.ends[0] < found.ends[1]:
            raise DataError(f"{path} is damaged: its times do not ascend, or are not as many as its values")
        return found


def _of_table(path: Path) -> RecordedTimeline:
    with path.open(encoding="utf-8", newline="") as handle:
        spans = [
            Span(float(row["start_s"]), float(row["end_s"]), row["activity"], float(row["confidence"]))
            for row in csv.DictReader(handle)
        ]
    ends = (min((s.start for s in spans), default=0.0), max((s.end for s in spans), default=0.0))
    return RecordedTimeline(path.stem, ends, (), spans)


def _of_json(path: Path) -> RecordedTimeline:
    content = json.loads(path.read_text(encoding="utf-8"))
    if content["format"] != FORMAT:
        raise ValueError(content["format"])
    if content["version"] != FORMAT_VERSION:
        raise DataError(
            f"{path} has timeline version {content['version']}, this otolith reads version {FORMAT_VERSION}: "
            "classify again"
        )
    start, end = map(float, content["ends_s"])
    lines = [_line(line) for line in content["signal"]]
    truth = content["true"]
    return RecordedTimeline(
        str(content["recording"]), (start, end), lines, _spans(content["recognised"]),
        None if truth is None else _spans(truth),
    )  # fmt: skip


def _line(line: dict[str, Any]) -> Thinned:
    values = [math.nan if v is None else float(v) for v in line["values"]]
    return Thinned(
        Trace(str(line["name"]), str(line["unit"])), np.array(line["times_s"], dtype=float), np.array(values)
    )


def _spans(rows: Sequence[Sequence[Any]]) -> list[Span]:
    return [Span(float(start), float(end), str(label), *map(float, rest)) for start, end, label, *rest in rows]


def _rounded(seconds: Sequence[float]) -> list[float]:
    """To the millisecond."""
    return [round(float(value), 3) for value in seconds]
