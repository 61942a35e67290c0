"""What is exported can be read by others, and by us again."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from otolith.data.channels import Channel, triad
from otolith.data.exporters import FORMATS, export
from otolith.data.exporters.motion_bids import EPOCH, TYPES
from otolith.data.exporters.tables import file_stem
from otolith.data.importers import TableMapping, read_table
from otolith.data.recording import Annotation, Recording
from otolith.data.store import Dataset, DatasetWriter
from otolith.types import ConfigError, DataError

JOINT = triad("position", "left elbow", device="depth camera", prefix="left_elbow_")


@pytest.fixture(scope="module")
def dataset(spar_recordings: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Real recordings of two people, one with a gap; of one a sibling on another clock."""
    path = tmp_path_factory.mktemp("export") / "spar"
    chosen = [*[r for r in spar_recordings if r.subject in ("subject01", "subject02")][:4:2], spar_recordings[-1]]
    first = chosen[0]
    signal = first.signal[:300].copy()
    signal[10:20] = np.nan
    first = replace(first, signal=signal, annotations=(Annotation(0.5, 3.0, first.annotations[0].activity),))
    first = replace(first, session="day one", offset=1.25)
    joint = Recording(signal[:200, :3] * np.float32(0.1), 30.0, JOINT, first.subject, "seen", session="day one")
    with DatasetWriter(path, "spar", title="Exercises", licence="BSD", citation="Burns 2018") as writer:
        for recording in (first, joint, *chosen[1:]):
            writer.add(recording)
    return Dataset.open(path)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_tables_are_read_again_by_the_mapping_beside_them(form: str, dataset: Dataset, tmp_path: Path) -> None:
    export(dataset, tmp_path / "out", form)
    listed = pd.read_csv(tmp_path / "out/recordings.csv", keep_default_na=False)
    assert list(listed["name"]) == list(dataset.recordings["name"])
    assert list(listed["session"]) == ["day one", "day one", "", ""] and listed["offset_s"].iloc[0] == 1.25
    for number in range(len(dataset)):
        original, row = dataset.read(number), listed.iloc[number]
        mapping = TableMapping.from_yaml(tmp_path / "out" / f"mapping-{row['layout']}.yaml")
        found = read_table(tmp_path / "out" / row["file"], mapping)
        assert found.rate == pytest.approx(original.rate, rel=1e-3)
        # Ten samples of the first are missing, which is longer than what is bridged.
        np.testing.assert_allclose(found.signal, original.signal, atol=2e-3)
        for one, other in zip(found.channels, original.channels, strict=True):
            assert (one.sensor, one.axis, one.unit, one.placement, one.gravity, one.device) == (
                other.sensor, other.axis, other.unit, other.placement, other.gravity, other.device)  # fmt: skip
        assert [n.activity for n in found.annotations] == [n.activity for n in original.annotations]
        for one_note, other_note in zip(found.annotations, original.annotations, strict=True):
            assert one_note.start == pytest.approx(other_note.start, abs=1.1 / original.rate)
            assert one_note.end == pytest.approx(other_note.end, abs=1.1 / original.rate)
    notes = pd.read_csv(tmp_path / "out/annotations.csv")
    assert len(notes) == len(dataset.annotations) and notes["start_s"].iloc[0] == 0.5
    assert "Burns 2018" in (tmp_path / "out/README.md").read_text()


def test_motion_bids_has_what_the_specification_requires(dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(dataset, out, "motion-bids")
    about = json.loads((out / "dataset_description.json").read_text())
    assert {"Name", "BIDSVersion", "DatasetType", "License"} <= about.keys()
    assert (out / "README").is_file()
    people = pd.read_csv(out / "participants.tsv", sep="\t")
    assert list(people["participant_id"]) == [f"sub-{s}" for s in dataset.recordings["subject"].unique()]
    files = sorted(out.rglob("*_motion.tsv"))
    assert len(files) == len(dataset)
    for file in files:
        subject = file.parents[1].name
        assert re.fullmatch(rf"{subject}_task-spar_tracksys-[A-Za-z0-9]+_run-\d\d\d_motion\.tsv", file.name)
        stem = str(file).removesuffix("_motion.tsv")
        channels = pd.read_csv(f"{stem}_channels.tsv", sep="\t", keep_default_na=False)
        assert list(channels.columns[:5]) == ["name", "component", "type", "tracked_point", "units"]
        assert set(channels["type"]) <= {*TYPES.values(), "MISC"}
        said = json.loads(Path(f"{stem}_channels.json").read_text())
        assert set(channels["reference_frame"]) == set(said["reference_frame"]["Levels"])
        assert {"sensor", "device", "gravity"} <= said.keys()
        sidecar = json.loads(Path(f"{stem}_motion.json").read_text())
        assert {"TaskName", "SamplingFrequency", "TrackingSystemName"} <= sidecar.keys()
        assert sidecar["MotionChannelCount"] == len(channels) == pd.read_csv(file, sep="\t", header=None).shape[1]


def test_motion_bids_keeps_every_value_label_and_clock(dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(dataset, out, "motion-bids")
    scans = {}
    for file in out.rglob("*_scans.tsv"):
        for row in pd.read_csv(file, sep="\t").itertuples():
            scans[row.recording] = (file.parent / row.filename, pd.Timestamp(row.acq_time) - pd.Timestamp(EPOCH))
    for number in range(len(dataset)):
        original = dataset.read(number)
        file, offset = scans[original.name]
        signal = pd.read_csv(file, sep="\t", header=None, na_values="n/a").to_numpy(np.float32)
        np.testing.assert_array_equal(signal, original.signal)
        assert offset.total_seconds() == original.offset
        events = Path(str(file).replace("_motion.tsv", "_events.tsv"))
        assert events.is_file() == bool(original.annotations)
        if original.annotations:
            rows = pd.read_csv(events, sep="\t")
            assert [(n.start, n.end - n.start, n.activity) for n in original.annotations] == [
                tuple(row) for row in rows[["onset", "duration", "trial_type"]].itertuples(index=False)
            ]
    runs = {name: re.search(r"run-(\d+)", str(file))[1] for name, (file, _) in scans.items()}  # type: ignore[index]
    assert runs["seen"] == runs[str(dataset.recordings["name"].iloc[0])]  # siblings share a run


def test_two_recordings_of_one_device_in_one_session(tmp_path: Path) -> None:
    signal = np.ones((20, 3), np.float32)
    channels = triad("acc", "waist", gravity=True)
    with DatasetWriter(tmp_path / "d", "d") as writer:
        for name in ("a/1", "a_1"):
            writer.add(Recording(signal, 20.0, channels, "p-1", name, session="s"))
    dataset = Dataset.open(tmp_path / "d")
    export(dataset, tmp_path / "bids", "motion-bids")
    written = {p.name.removeprefix("sub-p1_task-d_tracksys-") for p in (tmp_path / "bids").rglob("*_motion.tsv")}
    assert written == {"ImuWaist_run-001_motion.tsv", "ImuWaist2_run-001_motion.tsv"}
    export(dataset, tmp_path / "csv", "csv")
    assert {p.name for p in (tmp_path / "csv/recordings").iterdir()} == {"a_1.csv", "a_1_2.csv"}


def test_people_whom_bids_cannot_tell_apart(tmp_path: Path) -> None:
    channel = (Channel("t", "temperature", "", "wrist"),)
    with DatasetWriter(tmp_path / "d", "d") as writer:
        for name in ("p1", "p-1"):
            writer.add(Recording(np.ones((20, 1), np.float32), 20.0, channel, name, name))
    with pytest.raises(DataError, match="subject 'p1' has no name of its own in letters and digits"):
        export(Dataset.open(tmp_path / "d"), tmp_path / "bids", "motion-bids")
    assert not (tmp_path / "bids").exists()


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_there_is_left_alone(form: str, dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is there already, so it is left as it is"):
        export(dataset, tmp_path, form)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_unknown_format(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown format 'hdf5': use one of csv, parquet, motion-bids"):
        export(dataset, tmp_path / "out", "hdf5")


@pytest.mark.parametrize(("name", "stem"), [("../../etc", "etc"), ("", "recording"), ("a b/c", "a_b_c"), ("é", "é")])
def test_file_names_are_plain(name: str, stem: str) -> None:
    assert file_stem(name, set()) == stem
