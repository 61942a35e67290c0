"""Motion-BIDS comes in as it went out, and from others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archives.motion import G, simulate
from exports import motion_bids
from otolith.data.exporters import export
from otolith.data.importers import Session, Wearing, importer
from otolith.data.importers.clocks import recordings
from otolith.data.recording import Annotation, Recording
from otolith.data.store import Dataset, DatasetWriter
from otolith.types import DataError


def read(path: Path) -> list[Session]:
    return list(importer("motion-bids").read(path, Wearing("")))


def test_what_went_out_comes_in(spar_recordings: list[Recording], tmp_path: Path) -> None:
    chosen = spar_recordings[::20]
    with DatasetWriter(tmp_path / "d", "spar") as writer:
        for recording in chosen:
            writer.add(recording)
    export(Dataset.open(tmp_path / "d"), tmp_path / "bids", "motion-bids")
    found = [r for session in read(tmp_path / "bids") for r in recordings(session)[0]]
    assert len(found) == len(chosen)
    by_subject = {(r.subject, r.annotations[0].activity): r for r in found}
    for original in chosen:
        other = by_subject[original.subject, original.annotations[0].activity]
        np.testing.assert_allclose(other.signal, original.signal, rtol=1e-6, atol=1e-6)
        assert (other.rate, other.channels) == (original.rate, original.channels)
        assert other.annotations[0].end == pytest.approx(original.annotations[0].end, abs=0.021)


def test_systems_of_one_run_share_a_clock(tmp_path: Path) -> None:
    first, second = read(motion_bids.write(tmp_path))
    assert (first.name, second.name) == ("sub-01_task-walk_run-1", "sub-01_task-walk_run-2")
    hip, wrist = first.streams
    assert (hip.times[0], wrist.times[0]) == (0.25, 0)
    acc, gyro = simulate(14, 20, rate=100)
    np.testing.assert_allclose(wrist.values, np.hstack([acc * G, gyro]), atol=1e-5)
    assert first.annotations == (Annotation(1.0, 5.0, "walking"), Annotation(7.5, 10.5, "standing"))
    assert {c.placement for c in hip.channels} == {"Hip"}
    assert any("so it is taken to be with gravity" in note for note in first.notes)
    made, _ = recordings(first)
    assert len(made) == 1 and made[0].signal.shape[1] == 12


def test_a_person_or_a_recording_alone(tmp_path: Path) -> None:
    root = motion_bids.write(tmp_path)
    assert len(read(root / "sub-01")) == 2
    (one,) = read(next(root.rglob("*Wrist*_motion.tsv")))
    assert len(one.streams) == 1


@pytest.mark.parametrize(
    ("file", "change", "sentence"),
    [
        ("task-walk_motion.json", lambda text: "{", "task-walk_motion.json is not JSON"),
        ("task-walk_motion.json", lambda text: json.dumps({"SamplingFrequency": "n/a"}), "gives no SamplingFrequency"),
        ("*Wrist*_channels.tsv", lambda text: text.replace("deg/s", "V"), "'V' is not a unit of channel 'gyro_x'"),
        ("*Wrist*_channels.tsv", lambda text: text.rsplit("\n", 2)[0] + "\n", "7 columns and its channels.tsv 6 lines"),
        ("*Wrist*_channels.tsv", lambda text: text.replace("\tx", "", 1), "line 2: it has not the columns"),
        ("*_events.tsv", lambda text: text.replace("1.0", "soon"), "line 2: onset and duration must be seconds"),
    ],
)
def test_damage(file: str, change: Callable[[str], str], sentence: str, tmp_path: Path) -> None:
    root = motion_bids.write(tmp_path)
    path = next(root.rglob(file))
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match=sentence):
        read(root)


def test_a_missing_table_of_channels(tmp_path: Path) -> None:
    root = motion_bids.write(tmp_path)
    next(root.rglob("*Wrist*_channels.tsv")).unlink()
    with pytest.raises(DataError, match=r"has no channels.tsv, which BIDS requires"):
        read(root)
