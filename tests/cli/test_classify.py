from __future__ import annotations

import csv as csvfile
import errno
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.torch import save_file
from tests.cli.conftest import WATCH, Command, write_csv

from exports import phyphox
from otolith import files
from otolith.data.channels import GRAVITY
from otolith.data.labels import VOCABULARY
from otolith.data.recording import Recording
from otolith.data.store import DatasetWriter
from otolith.evaluate.timeline_file import RecordedTimeline
from otolith.models.io import read_checkpoint

COLUMNS = ["start_s", "end_s", "activity", "group", "confidence"]
NAMES = "pendulum, abduction, bent over row, forward elevation of the arm"
TIMED = (*WATCH, "--time-unit", "s")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def classify(otolith: Command, checkpoint: Path) -> Callable[..., list[dict[str, Any]]]:
    """Segments that `otolith classify FILE ... --json` prints, and on stderr exactly the given notes."""

    def run(file: Path, *options: object, notes: Sequence[str] = ()) -> list[dict[str, Any]]:
        outcome = otolith("classify", file, "-m", checkpoint, "--json", *options)
        assert outcome.code == 0 and outcome.err == "".join(f"otolith: note: {note}\n" for note in notes), outcome
        segments: list[dict[str, Any]] = json.loads(outcome.out)
        return segments

    return run


@pytest.fixture
def refuse(refused: Callable[..., str], checkpoint: Path) -> Callable[..., str]:
    """The sentence for a table that cannot be used, the options being right."""

    def run(file: Path, *options: object) -> str:
        return refused("classify", file, "-m", checkpoint, *(options or TIMED))

    return run


@pytest.fixture
def from_dataset(classify: Callable[..., Any], session_dataset: Path) -> list[dict[str, Any]]:
    segments: list[dict[str, Any]] = classify(session_dataset, "--recording", "session", "-l", NAMES)
    return segments


def same(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> bool:
    """Equal segments, confidences but for the rounding of a decimal table."""
    plain = [[{k: v for k, v in row.items() if k != "confidence"} for row in rows] for rows in (left, right)]
    return plain[0] == plain[1] and np.allclose(
        [row["confidence"] for row in left], [row["confidence"] for row in right], atol=2e-3
    )


def test_segments_are_whole_and_named_by_the_given_words(
    from_dataset: list[dict[str, Any]], session: Recording
) -> None:
    assert from_dataset[0]["start_s"] == 0 and from_dataset[-1]["end_s"] == session.duration
    for row, after in zip(from_dataset, [*from_dataset[1:], None], strict=True):
        assert list(row) == COLUMNS
        assert row["activity"] in [name.strip() for name in NAMES.split(",")]
        assert 0.25 <= row["confidence"] <= 1 and row["end_s"] - row["start_s"] >= 2
        assert after is None or (after["start_s"] == row["end_s"] and after["activity"] != row["activity"])


def test_a_plain_table_gives_what_the_dataset_gives(
    classify: Callable[..., Any], from_dataset: list[dict[str, Any]], csv: Path, table: pd.DataFrame, tmp_path: Path
) -> None:
    assert same(classify(csv, *TIMED, "-l", NAMES), from_dataset)
    assert same(classify(csv, *WATCH, "--rate", 50, "-l", NAMES), from_dataset)
    bare = write_csv(table.drop(columns="time"), tmp_path / "bare.csv")
    assert same(classify(bare, *WATCH, "--rate", 50, "-l", NAMES), from_dataset)
    table.to_parquet(tmp_path / "session.parquet")
    assert same(classify(tmp_path / "session.parquet", *TIMED, "-l", NAMES), from_dataset)


def test_other_units_and_a_mapping_give_the_same(
    classify: Callable[..., Any], from_dataset: list[dict[str, Any]], table: pd.DataFrame, tmp_path: Path
) -> None:
    other = table.copy()
    other["time"] *= 1000
    other[["acc_x", "acc_y", "acc_z"]] /= GRAVITY
    other[["gyro_x", "gyro_y", "gyro_z"]] = np.degrees(other[["gyro_x", "gyro_y", "gyro_z"]])
    file = write_csv(other, tmp_path / "g.csv")
    units = ("--acc-unit", "g", "--gyro-unit", "deg/s", "--time-unit", "ms")
    place = ("--placement", "left wrist", "--device", "smartwatch")
    assert same(classify(file, *units, *place, "-l", NAMES), from_dataset)
    columns = "".join(
        f"  {s}_{a}: {{sensor: {s}, axis: {a}, unit: {u}{', gravity: true' if s == 'acc' else ''}}}\n"
        for s, u in (("acc", "g"), ("gyro", "deg/s"))
        for a in "xyz"
    )
    about = "placement: left wrist\ndevice: smartwatch\ntime: time\ntime_unit: ms\n"
    (tmp_path / "columns.yaml").write_text(f"{about}columns:\n{columns}")
    assert same(classify(file, "--mapping", tmp_path / "columns.yaml", "-l", NAMES), from_dataset)


def test_an_export_of_an_app_gives_the_same(
    classify: Callable[..., Any],
    refuse: Callable[..., str],
    from_dataset: list[dict[str, Any]],
    table: pd.DataFrame,
    tmp_path: Path,
) -> None:
    for name, kind, unit, sensor in (
        ("Accelerometer", "Acceleration", "m/s^2", "acc"), ("Gyroscope", "Gyroscope", "rad/s", "gyro")
    ):  # fmt: skip
        (tmp_path / "walk").mkdir(exist_ok=True)
        rows = table[["time", *(f"{sensor}_{axis}" for axis in "xyz")]].to_numpy()
        phyphox.table(tmp_path / "walk" / f"{name}.csv", phyphox.names(kind, unit), rows)
    place = ("--placement", "left wrist", "--device", "smartwatch")
    assert same(classify(tmp_path / "walk", *place, "-l", NAMES), from_dataset)
    with zipfile.ZipFile(tmp_path / "walk.zip", "w") as file:
        for path in (tmp_path / "walk").iterdir():
            file.write(path, path.name)
    assert same(classify(tmp_path / "walk.zip", *place, "-l", NAMES), from_dataset)
    assert "leave out --acc-unit" in refuse(tmp_path / "walk", *place, "--acc-unit", "g")


def test_synonyms_mean_the_same(
    classify: Callable[..., Any], from_dataset: list[dict[str, Any]], session_dataset: Path
) -> None:
    """Other names of the same activities: the same borders and beliefs, under the names that were given."""
    first = {name.strip(): name.strip() for name in NAMES.split(",")}
    said = ["Shoulder_Pendulum", "shoulder abduction", "BENT-OVER ROW", "Forward elevation of the arm"]
    other = dict(zip(first, said, strict=True))
    found = classify(session_dataset, "--recording", "session", "-l", ",".join(other.values()))
    assert same(found, [{**row, "activity": other[row["activity"]]} for row in from_dataset])


def test_activities_that_no_training_held_are_said(classify: Callable[..., Any], session_dataset: Path) -> None:
    """The checkpoint learnt exercises alone."""
    asked = "bent over row, jogging, walking, standing, sitting"
    note = "'jogging', 'walking', 'standing' and 1 more: recognition by name is near chance there"
    classify(
        *(session_dataset, "--recording", "session", "-l", asked),
        notes=[f"this model was never shown {note}; enrol a few seconds of it"],
    )


def test_without_labels_those_of_training(
    classify: Callable[..., Any], session_dataset: Path, checkpoint: Path
) -> None:
    found = classify(session_dataset, "--recording", "session")
    assert {row["activity"] for row in found} <= set(read_checkpoint(checkpoint).meta["labels"])
    assert all(row["group"] == VOCABULARY[row["activity"]].group for row in found)


def test_output_as_csv_json_and_table(
    otolith: Command, from_dataset: list[dict[str, Any]], session_dataset: Path, checkpoint: Path, tmp_path: Path
) -> None:
    arguments = ("classify", session_dataset, "-m", checkpoint, "--recording", "session", "-l", NAMES)
    for name in ("new/a.csv", "a.json"):
        outcome = otolith(*arguments, "-o", name)
        assert outcome.code == 0 and "session: 48.0 s at 50 Hz" in outcome.out
    with (tmp_path / "new/a.csv").open(newline="") as handle:
        rows = list(csvfile.DictReader(handle))
    assert list(rows[0]) == COLUMNS
    assert [(float(r["start_s"]), r["activity"]) for r in rows] == [(r["start_s"], r["activity"]) for r in from_dataset]
    assert json.loads((tmp_path / "a.json").read_text()) == from_dataset
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "new"]


def test_plot(otolith: Command, session_dataset: Path, checkpoint: Path, tmp_path: Path) -> None:
    arguments = ("classify", session_dataset, "-m", checkpoint, "--recording", "session", "-l", NAMES)
    assert otolith(*arguments, "--plot", "timeline.png").code == 0
    content = (tmp_path / "timeline.png").read_bytes()
    assert content.startswith(PNG) and len(content) > 10_000
    assert [path.name for path in tmp_path.iterdir()] == ["timeline.png"]


def test_the_timeline_file_holds_signal_segments_and_truth(
    otolith: Command, session_dataset: Path, session: Recording, checkpoint: Path, tmp_path: Path
) -> None:
    arguments = ("classify", session_dataset, "-m", checkpoint, "--recording", "session", "-l", NAMES)
    done = otolith(*arguments, "--timeline", "session.json", "--json")
    assert done.code == 0, done.err
    found = RecordedTimeline.load(tmp_path / "session.json")
    rows = json.loads(done.out)
    assert [(s.start, s.label) for s in found.segments] == [(row["start_s"], row["activity"]) for row in rows]
    assert [line.trace.name for line in found.lines] == [channel.name for channel in session.channels]
    assert [span.label for span in found.truth or ()] == [a.activity for a in session.annotations]
    assert found.ends == (0.0, session.duration)
    assert float(found.lines[0].values.max()) == pytest.approx(float(session.signal[:, 0].max()), rel=1e-4)


def test_options_that_do_not_fit(refuse: Callable[..., str], csv: Path, session_dataset: Path) -> None:
    assert "exclude each other" in refuse(csv, *TIMED, "-l", "a,b", "--profile", "p.safetensors")
    assert "must end in .csv or .json" in refuse(csv, *TIMED, "-o", "out.txt")
    assert "must end in .png" in refuse(csv, *TIMED, "--plot", "out.pdf")
    assert "must end in .json" in refuse(csv, *TIMED, "--timeline", "out.csv")
    assert "say where the sensor was worn" in refuse(csv, "--acc-unit", "g")
    assert "there are 1, such as session" in refuse(session_dataset, "--recording", "sesion")
    assert "--recording" in refuse(session_dataset, "--step", 1)
    for option in (("--step", 0), ("--step", "nan"), ("--step", -1)):
        assert "step" in refuse(session_dataset, "--recording", "session", *option)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("", "label 1 of 1 is empty"),
        ("walking,,sitting", "label 2 of 3 is empty"),
        ("row", "only the label 'row' is given"),
        ("walking, sitting, walking", "label 'walking' is given twice"),
        ("walking, walk", "labels 'walking' and 'walk' name the same activity"),
    ],
)
def test_labels_that_cannot_be_used(refuse: Callable[..., str], session_dataset: Path, labels: str, said: str) -> None:
    assert said in refuse(session_dataset, "--recording", "session", f"--labels={labels}")


HEADER = "time,acc_x,acc_y,acc_z\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        (HEADER, "too few samples"),
        (HEADER + "0,0,0,9.8\n", "too few samples to recognise anything (1 below its header)"),
        (HEADER + "".join(f"{i / 50},0,0,9.8\n" for i in range(3)), "too few samples to recognise anything (3"),
        (HEADER + "0,0,9.8\n" * 20, "has 3 values where the header has 4 columns"),
        ("time,a,b\n" + "0,1,2\n" * 20, "none of the columns time, a, b has an obvious name such as acc_x"),
    ],
)
def test_tables_that_are_no_recording(refuse: Callable[..., str], tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "own.csv"
    file.write_text(content)
    assert said in refuse(file)


def changed(table: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    text = table.astype(str)
    text.loc[row, column] = value
    return text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: changed(t, 30, "acc_y", "much"), "line 32: 'much' in column 'acc_y' is not a number"),
        (lambda t: changed(t, 30, "acc_y", "inf"), "line 32: inf in column 'acc_y' is infinite or far too large"),
        (lambda t: changed(t, 30, "acc_y", "1e300"), "line 32: 1e+300 in column 'acc_y' is infinite or far too large"),
        (lambda t: changed(t, 30, "acc_y", "1e30"), "channel 'acc_y' reaches 1e+30 m/s^2, beyond"),
        (lambda t: changed(t, 30, "time", "0.1"), "line 32: the time goes back in column 'time'"),
        (lambda t: changed(t, 30, "time", ""), "line 32: there is no time in column 'time'"),
        (lambda t: t.assign(acc_y=np.nan), "column 'acc_y' has fewer than 8 values"),
        (lambda t: t.assign(acc_x=t.acc_x / 9.81, acc_y=t.acc_y / 9.81, acc_z=t.acc_z / 9.81), "give the unit as g"),
        (lambda t: pd.concat([t, t.acc_x.rename("acc_x")], axis=1), "acc_x"),
        (lambda t: t.assign(accelerometer_x=t.acc_x), "'acc_x' and 'accelerometer_x' are both accelerometer x axis"),
        (lambda t: t.assign(time=0.0), "does not advance"),
    ],
)
def test_values_that_cannot_be_used(
    refuse: Callable[..., str], table: pd.DataFrame, tmp_path: Path, change: Callable[[pd.DataFrame], Any], said: str
) -> None:
    assert said in refuse(write_csv(change(table), tmp_path / "own.csv"))


def test_units_and_rates_that_do_not_fit(refuse: Callable[..., str], csv: Path) -> None:
    place = ("--placement", "left wrist", "--time-unit", "s")
    assert "unknown unit 'furlong'" in refuse(csv, *place, "--gyro-unit", "rad/s", "--acc-unit", "furlong")
    assert "'deg/s' is not a unit of the accelerometer" in refuse(
        csv, *place, "--gyro-unit", "rad/s", "--acc-unit", "deg/s"
    )
    assert "column 'acc_x' (accelerometer) has no unit; give acc_unit (--acc-unit)" in refuse(csv, *place)
    assert "gives 50 Hz, not the stated 100 Hz" in refuse(csv, *TIMED, "--rate", 100)
    assert "unknown time unit 'h'" in refuse(csv, *WATCH, "--time-unit", "h")
    assert "column 'time' has no unit" in refuse(csv, *WATCH)
    assert "a rate of 0.05 Hz is not plausible" in refuse(csv, *WATCH, "--rate", "0.05")


def test_missing_column_of_a_mapping(refuse: Callable[..., str], csv: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "columns.yaml"
    mapping.write_text(
        "placement: wrist\nrate: 50\ncolumns:\n  acc_w: {sensor: acc, axis: x, unit: g, gravity: true}\n"
    )
    assert "has no column 'acc_w' (did you mean 'acc_" in refuse(csv, "--mapping", mapping)
    assert "there is no file" in refuse(csv, "--mapping", "nowhere.yaml")


def test_53_channels(refuse: Callable[..., str], table: pd.DataFrame, tmp_path: Path) -> None:
    wide = pd.DataFrame({f"c{i}": table.acc_x for i in range(53)})
    columns = "".join(
        f"  c{i}: {{sensor: acc, axis: x, unit: m/s^2, gravity: true, placement: 'finger {i}'}}\n" for i in range(53)
    )
    (tmp_path / "columns.yaml").write_text(f"rate: 50\ncolumns:\n{columns}")
    file = write_csv(wide, tmp_path / "wide.csv")
    assert "53 channels, but 1 to 52 can be used" in refuse(file, "--mapping", tmp_path / "columns.yaml")


def test_truncated_and_foreign_files(refuse: Callable[..., str], table: pd.DataFrame, tmp_path: Path) -> None:
    file = tmp_path / "own.parquet"
    table.to_parquet(file)
    file.write_bytes(file.read_bytes()[:-100])
    assert "cut off or damaged" in refuse(file)
    (tmp_path / "own.csv").write_bytes(PNG + bytes(range(256)) * 50)
    assert "give a CSV or Parquet file" in refuse(tmp_path / "own.csv")
    assert "there is no file" in refuse(tmp_path / "none.csv")
    (tmp_path / "folder").mkdir()
    assert "is not a dataset" in refuse(tmp_path / "folder")


def test_core_motion_is_turned_round(
    otolith: Command, classify: Callable[..., Any], checkpoint: Path, table: pd.DataFrame, csv: Path, tmp_path: Path
) -> None:
    mirrored = table.assign(**{f"acc_{axis}": -table[f"acc_{axis}"] for axis in "xyz"})
    file = write_csv(mirrored, tmp_path / "iphone.csv")
    (tmp_path / "intervals.csv").write_text("start_s,end_s,activity\n0,16,one\n16,32,two\n32,48,three\n")
    learn = ("--intervals", "intervals.csv", "-o", "me.safetensors")
    assert otolith("enrol", csv, "-m", checkpoint, *TIMED, *learn).code == 0
    how = (*TIMED, "--profile", "me.safetensors")
    assert classify(file, *how, "--core-motion") == classify(csv, *how) != classify(file, *how)


def test_what_the_model_does_not_use_is_said_or_refused(
    classify: Callable[..., Any], refuse: Callable[..., str], table: pd.DataFrame, csv: Path, tmp_path: Path
) -> None:
    assert "its acceleration is without gravity, and this model learnt from acceleration with" in refuse(
        csv, *TIMED, "--no-gravity"
    )
    magnetic = write_csv(table.assign(mag_x=np.sin(table.time), mag_y=0.5 * table.time), tmp_path / "mag.csv")
    classify(magnetic, *TIMED, "--mag-unit", "uT", notes=["this model does not use mag_x, mag_y"])


def test_a_description_that_nobody_would_read_is_refused(
    refuse: Callable[..., str], csv: Path, session_dataset: Path, tmp_path: Path
) -> None:
    mapping = tmp_path / "columns.yaml"
    mapping.write_text("placement: wrist\nrate: 50\ncolumns:\n  gyro_x: {sensor: gyro, axis: x, unit: rad/s}\n")
    for options, named in (
        (("--acc-unit", "g", "--rate", 50), "leave out --acc-unit, --rate"),
        (("--no-gravity", "--core-motion", "--device", "watch"), "leave out --device, --no-gravity, --core-motion"),
    ):
        assert named in refuse(csv, "--mapping", mapping, *options)
        assert named in refuse(session_dataset, "--recording", "session", *options)
    assert "leave out --mapping" in refuse(session_dataset, "--recording", "session", "--mapping", mapping)


def test_too_slow_to_recognise(refuse: Callable[..., str], table: pd.DataFrame, tmp_path: Path) -> None:
    file = write_csv(table.iloc[::10], tmp_path / "slow.csv")
    assert "has 5 samples per second, and below 10" in refuse(file, *TIMED)


def test_a_constant_channel_works(classify: Callable[..., Any], table: pd.DataFrame, tmp_path: Path) -> None:
    file = write_csv(table.assign(gyro_z=0.0), tmp_path / "own.csv")
    segments = classify(file, *TIMED, notes=["channel 'gyro_z' never changes"])
    assert segments[-1]["end_s"] == 48


def test_missing_samples_are_left_out_of_the_timeline(
    classify: Callable[..., Any], refuse: Callable[..., str], table: pd.DataFrame, tmp_path: Path
) -> None:
    """Six seconds without values, as NaN or as rows that are not there: no segment lies in them."""
    gap = table.copy()
    gap.loc[1000:1300, "acc_x":] = np.nan
    for name, content in (("nan.csv", gap), ("cut.csv", table.drop(index=range(1000, 1301)))):
        notes = [
            "12.5% of the samples are missing",
            "nothing is recognised from 20.0 s to 27.0 s: samples are missing there",
        ]
        segments = classify(write_csv(content, tmp_path / name), *TIMED, "--step", 1, notes=notes)
        assert all(row["end_s"] <= 20 or row["start_s"] >= 26 for row in segments)
        assert any(row["end_s"] > 19 for row in segments) and segments[-1]["end_s"] == pytest.approx(48)
    holes = table.copy()
    holes.loc[::100, "acc_x":] = np.nan
    holes.loc[1::100, "acc_x":] = np.nan
    bare = write_csv(holes.drop(columns="time"), tmp_path / "holes.csv")
    assert "missing sample" in refuse(bare, *WATCH, "--rate", 50)


def test_without_model_and_training(otolith: Command, csv: Path) -> None:
    """The weights of the package are the default, by words as well."""
    found = otolith("classify", csv, *TIMED, "--labels", "walking, lying", "--json")
    assert found.code == 0 and {row["activity"] for row in json.loads(found.out)} <= {"walking", "lying"}


def remade(checkpoint: Path, path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    with safe_open(checkpoint, "pt") as handle:
        meta = json.loads(handle.metadata()["otolith"])
        tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 (not a dict)
    change(meta)
    save_file(tensors, path, metadata={"otolith": json.dumps(meta)})
    return path


def test_checkpoints_that_cannot_be_used(
    refused: Callable[..., str], checkpoint: Path, run_folder: Path, csv: Path, tmp_path: Path
) -> None:
    def said(model: Path) -> str:
        return refused("classify", csv, "-m", model, *TIMED)

    assert "there is no checkpoint at" in said(tmp_path / "none.safetensors")
    assert "use best.safetensors beside it" in said(run_folder / "latest.safetensors")
    newer = remade(checkpoint, tmp_path / "newer.safetensors", lambda meta: meta.update(version=99))
    assert "has checkpoint version 99, this otolith reads version 1" in said(newer)
    other = remade(checkpoint, tmp_path / "other.safetensors", lambda meta: meta["model"]["encoder"].update(dim=64))
    assert "does not fit this model" in said(other)
    less = remade(checkpoint, tmp_path / "less.safetensors", lambda meta: meta.pop("loader"))
    assert "does not say how its windows are made" in said(less)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(checkpoint.read_bytes()[:-1000])
    assert "is damaged and cannot be read" in said(cut)
    cut.write_bytes(b"")
    assert "is damaged and cannot be read" in said(cut)


def test_full_disk_while_writing_keeps_the_old_file(
    otolith: Command, csv: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "_sync", full)
    (tmp_path / "a.csv").write_text("old")
    for option, name in (("-o", "a.csv"), ("-o", "b.json"), ("--plot", "c.png")):
        outcome = otolith("classify", csv, "-m", checkpoint, *TIMED, option, name)
        assert outcome.code == 2 and "Traceback" not in outcome.err
        assert outcome.err == (
            f"otolith: no space left while writing {name}: nothing was changed; free some space and run again\n"
        )
    assert (tmp_path / "a.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "session.csv"]


def test_a_dataset_recording_with_a_wrong_unit(refuse: Callable[..., str], session: Recording, tmp_path: Path) -> None:
    """What a table of the same numbers is refused for is not recognised from a dataset either."""
    with DatasetWriter(tmp_path / "own", "own") as writer:
        writer.add(replace(session, signal=(session.signal / np.float32(GRAVITY)).astype(np.float32)))
    assert "give the unit as g" in refuse(tmp_path / "own", "--recording", "session")
