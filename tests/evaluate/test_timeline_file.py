"""A timeline as a file: what is read is what was written, and what cannot be used is said in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from otolith.evaluate.signals import Span, Trace, thin
from otolith.evaluate.timeline_file import RecordedTimeline
from otolith.types import DataError

SIGNAL = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32)


@pytest.fixture
def walk() -> RecordedTimeline:
    signal = SIGNAL.copy()
    signal[100:, 1] = np.nan
    lines = thin(signal, 50.0, [Trace("acc_x", "m/s^2"), Trace("gyro_x", "rad/s")])
    segments = [Span(0.0, 4.5, "walk", 0.8125), Span(4.5, 10.0, "sitz\u00b2", 0.5)]
    return RecordedTimeline("monday", (0.0, 10.0), lines, segments, [Span(0.0, 9.0, "walk")])


def test_what_is_read_is_what_was_written(walk: RecordedTimeline, tmp_path: Path) -> None:
    walk.save(tmp_path / "walk.json")
    found = RecordedTimeline.load(tmp_path / "walk.json")
    assert (found.name, found.ends, found.segments, found.truth) == (walk.name, walk.ends, walk.segments, walk.truth)
    for mine, theirs in zip(walk.lines, found.lines, strict=True):
        assert mine.trace == theirs.trace
        np.testing.assert_allclose(theirs.times, mine.times, atol=5e-4)
        np.testing.assert_allclose(theirs.values, mine.values, rtol=1e-4)
    json.loads((tmp_path / "walk.json").read_text(), parse_constant=pytest.fail)  # no NaN, which is not JSON


def test_a_day_is_no_larger_than_an_hour(tmp_path: Path) -> None:
    sizes = []
    for hours in (1, 24):
        signal = np.random.default_rng(0).normal(size=(hours * 36_000, 3)).astype(np.float32)
        lines = thin(signal, 10.0, [Trace(f"acc_{a}", "m/s^2") for a in "xyz"])
        path = tmp_path / f"{hours}.json"
        RecordedTimeline("long", (0.0, hours * 3600.0), lines, [Span(0, 60, "walk")]).save(path)
        sizes.append(path.stat().st_size)
    assert sizes[1] < 1.2 * sizes[0] < 300_000


def test_segments_alone_are_a_timeline_without_a_signal(tmp_path: Path) -> None:
    path = tmp_path / "walk.csv"
    path.write_text("start_s,end_s,activity,group,confidence\n2.0,4.5,walk,locomotion,0.9\n4.5,7,sit,posture,0.4\n")
    found = RecordedTimeline.load(path)
    assert (found.name, found.ends, found.truth) == ("walk", (2.0, 7.0), None) and not found.lines
    assert found.segments == [Span(2.0, 4.5, "walk", 0.9), Span(4.5, 7.0, "sit", 0.4)]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": "other"}, "is no timeline"),
        ({"version": 2}, "has timeline version 2, this otolith reads version 1"),
        ({"recognised": []}, "holds no segment"),
        ({"recognised": [[3, 1, "walk", 0.5]]}, "ends before it starts"),
        ({"recognised": [[0, "one", "walk", 0.5]]}, "is no timeline"),
        ({"true": [[1, 1, "walk"]]}, "ends before it starts"),
        ({"ends_s": [3, 3]}, "is damaged"),
        ({"signal": [{"name": "a", "unit": "", "times_s": [0, 1], "values": [1]}]}, "is damaged"),
        ({"signal": [{"name": "a", "unit": "", "times_s": [1, 0], "values": [1, 2]}]}, "is damaged"),
        ({"signal": [{"name": "a", "unit": "", "times_s": [], "values": []}]}, "is damaged"),
    ],
)
def test_what_cannot_be_used_is_said(
    walk: RecordedTimeline, tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    path = tmp_path / "walk.json"
    walk.save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DataError, match=sentence):
        RecordedTimeline.load(path)


@pytest.mark.parametrize("content", [None, "", "[]", "{", "[1, 2]"])
def test_what_is_no_timeline(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "file.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match="is no timeline"):
        RecordedTimeline.load(path)
