"""Motion-BIDS (Jeung et al. 2024, doi:10.1038/s41597-024-03559-8; BIDS specification 1.9 and later, chapter Motion)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

import otolith
from otolith.data.channels import NORMALISED, Channel
from otolith.data.recording import Recording
from otolith.data.store import Dataset
from otolith.types import DataError

VERSION = "1.10.0"
TYPES = {"acc": "ACCEL", "gyro": "GYRO", "mag": "MAGN", "orientation": "ORNT", "position": "POS"}
"""Our sensor to the channel type; what is not here is MISC."""

EPOCH = datetime(1900, 1, 1)  # noqa: DTZ001 (the specification's own time is without a zone)
"""When every session begins: true dates are not kept, and dates before 1925 say so (BIDS, Common principles, Units)."""

_COLUMNS = {
    "sensor": "Kind of sensor, in otolith's words.",
    "device": "What carries the sensor.",
    "gravity": "Whether gravity is in the acceleration (true, false); n/a for other sensors.",
}
_FRAMES = {
    "sensor": "The axes of the device.",
    "world": "The axes of the room, z pointing up.",
}


def write(dataset: Dataset, folder: Path, form: str, progress: Callable[[], None]) -> None:
    """Writes every recording of `dataset` into `folder`; sibling recordings share a run and tell their offset."""
    people = _labels(dataset.recordings["subject"].unique(), "subject")
    runs: dict[str, dict[str, int]] = {}
    scans: dict[str, list[dict[str, str]]] = {}
    for number in range(len(dataset)):
        recording = dataset.read(number)
        sessions = runs.setdefault(recording.subject, {})
        run = sessions.setdefault(recording.session or f"\0{recording.name}", len(sessions) + 1)
        place = folder / people[recording.subject] / "motion"
        place.mkdir(parents=True, exist_ok=True)
        taken = {scan["filename"] for scan in scans.get(recording.subject, ())}
        stem = _stem(recording, people[recording.subject], _alphanumeric(dataset.name), run, taken)
        _write_recording(recording, place / stem, str(dataset.info.get("title") or dataset.name))
        start = EPOCH + timedelta(seconds=recording.offset)
        scan = {"filename": f"motion/{stem}_motion.tsv", "acq_time": start.isoformat(timespec="microseconds")}
        scan |= {"recording": recording.name, "recording_session": recording.session or "n/a"}
        scans.setdefault(recording.subject, []).append(scan)
        progress()
    for subject, rows in scans.items():
        _tsv(pd.DataFrame(rows), folder / people[subject] / f"{people[subject]}_scans.tsv")
    _describe(dataset, folder, people)


def _alphanumeric(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", text)


def _labels(names: Iterable[str], what: str) -> dict[str, str]:
    """`sub-<label>` for each name; BIDS allows letters and digits only."""
    labels = {str(name): f"sub-{_alphanumeric(str(name))}" for name in names}
    twice = [name for name, label in labels.items() if label == "sub-" or list(labels.values()).count(label) > 1]
    if twice:
        raise DataError(f"{what} '{twice[0]}' has no name of its own in letters and digits, which BIDS asks for")
    return labels


def _stem(recording: Recording, subject: str, task: str, run: int, taken: set[str]) -> str:
    """The name of the file up to its suffix; the tracking system is the device, and its place if it has one only."""
    devices = sorted({channel.device or "imu" for channel in recording.channels})
    places = sorted({channel.placement for channel in recording.channels})
    words = [*devices, *(places if len(places) == 1 else [])]
    system = "".join(_alphanumeric(word.title()) for word in words) or "imu"
    systems = (system, *(f"{system}{number}" for number in range(2, 1000)))
    stems = (f"{subject}_task-{task}_tracksys-{name}_run-{run:03d}" for name in systems)
    return next(stem for stem in stems if f"motion/{stem}_motion.tsv" not in taken)


def _write_recording(recording: Recording, stem: Path, title: str) -> None:
    signal = pd.DataFrame(recording.signal)
    signal.to_csv(f"{stem}_motion.tsv", sep="\t", header=False, index=False, na_rep="n/a", lineterminator="\n")
    _json(_sidecar(recording, title), Path(f"{stem}_motion.json"))
    _tsv(pd.DataFrame([_channel(channel) for channel in recording.channels]), Path(f"{stem}_channels.tsv"))
    frames = {
        frame: {"RotationRule": "n/a", "RotationOrder": "n/a", "SpatialAxes": "n/a", "Description": words}
        for frame, words in _FRAMES.items()
        if any(channel.frame == frame for channel in recording.channels)
    }
    said = {name: {"Description": words} for name, words in _COLUMNS.items()}
    _json({"reference_frame": {"Levels": frames}, **said}, Path(f"{stem}_channels.json"))
    if recording.annotations:
        rows = [(n.start, n.end - n.start, n.activity) for n in recording.annotations]
        _tsv(pd.DataFrame(rows, columns=["onset", "duration", "trial_type"]), Path(f"{stem}_events.tsv"))


def _sidecar(recording: Recording, title: str) -> dict[str, Any]:
    counts = Counter(TYPES.get(channel.sensor, "MISC") for channel in recording.channels)
    return {
        "TaskName": title,
        "TrackingSystemName": ", ".join(sorted({channel.device or "imu" for channel in recording.channels})),
        "SamplingFrequency": recording.rate,
        "SamplingFrequencyEffective": recording.rate,
        "RecordingDuration": round(recording.duration, 6),
        "MotionChannelCount": len(recording.channels),
        "TrackedPointsCount": len({channel.placement for channel in recording.channels}),
        "MissingValues": "n/a",
        **{f"{kind}ChannelCount": count for kind, count in sorted(counts.items())},
    }


def _channel(channel: Channel) -> dict[str, str]:
    return {
        "name": channel.name,
        "component": channel.axis or "n/a",
        "type": TYPES.get(channel.sensor, "MISC"),
        "tracked_point": channel.placement,
        "units": "n/a" if channel.unit == NORMALISED else channel.unit,
        "placement": channel.placement,
        "reference_frame": channel.frame,
        "description": channel.description,
        "sensor": channel.sensor,
        "device": channel.device or "n/a",
        "gravity": "n/a" if channel.gravity is None else str(channel.gravity).lower(),
    }


def _describe(dataset: Dataset, folder: Path, people: dict[str, str]) -> None:
    about = {
        "Name": dataset.info.get("title") or dataset.name,
        "BIDSVersion": VERSION,
        "DatasetType": "raw",
        "License": dataset.info["licence"] or "n/a",
        "ReferencesAndLinks": [dataset.info["citation"]] if dataset.info["citation"] else [],
        "SourceDatasets": [{"URL": source["url"]} for source in _addresses(dataset.info["sources"])],
        "GeneratedBy": [{"Name": "otolith", "Version": otolith.__version__}],
    }
    _json(about, folder / "dataset_description.json")
    rows = [{"participant_id": label, "subject": name} for name, label in people.items()]
    _tsv(pd.DataFrame(rows), folder / "participants.tsv")
    _json({"subject": {"Description": "The name in the original dataset."}}, folder / "participants.json")
    text = f"{about['Name']}\n\n{dataset.info['citation']}\n\nExported by otolith {otolith.__version__}.\n"
    (folder / "README").write_text(text, encoding="utf-8")


def _addresses(sources: Sequence[Any]) -> list[dict[str, Any]]:
    return [source for source in sources if isinstance(source, dict) and source.get("url")]


def _tsv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, sep="\t", index=False, na_rep="n/a", lineterminator="\n")


def _json(content: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
