from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from tests.cli.conftest import WATCH, Command, write_csv
from tests.cli.test_classify import TIMED, remade

from otolith.data.recording import Recording

HEADER = "start_s,end_s,activity\n"


@pytest.fixture
def intervals(session: Recording, tmp_path: Path) -> Path:
    file = tmp_path / "intervals.csv"
    lines = [f"{note.start},{note.end},my move {i}\n" for i, note in enumerate(session.annotations)]
    file.write_text(HEADER + "".join(lines))
    return file


def right(segments: list[dict[str, float]], names: list[str]) -> float:
    """Share of the session that is named right: 16 s of each name."""
    correct = 0.0
    for row in segments:
        start = 16.0 * names.index(str(row["activity"]))
        correct += max(0.0, min(row["end_s"], start + 16) - max(row["start_s"], start))
    return correct / 48


def test_learnt_from_annotations_and_found_again(
    otolith: Command, session: Recording, session_dataset: Path, checkpoint: Path, csv: Path, tmp_path: Path
) -> None:
    done = otolith("enrol", session_dataset, "-m", checkpoint, "--recording", "session", "-o", "me.safetensors")
    names = [note.activity for note in session.annotations]
    assert done.code == 0 and all(f"{name} (" in done.out for name in names)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["me.safetensors", "session.csv"]
    found = otolith("classify", csv, "-m", checkpoint, *TIMED, "--profile", "me.safetensors", "--json")
    assert found.code == 0 and right(json.loads(found.out), names) > 0.8


@pytest.mark.parametrize("options", [[], ["--method", "prototype"], ["--method", "nearest", "--text-weight", "0"]])
def test_own_names_from_intervals_on_a_table(
    otolith: Command, checkpoint: Path, csv: Path, intervals: Path, options: list[str]
) -> None:
    arguments = (csv, "-m", checkpoint, *TIMED)
    assert otolith("enrol", *arguments, "--intervals", intervals, "-o", "me.safetensors", *options).code == 0
    found = otolith("classify", *arguments, "--profile", "me.safetensors", "--json")
    assert right(json.loads(found.out), [f"my move {i}" for i in range(3)]) > 0.8


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no column 'activity'"),
        ("start_s,end_s\n1,2\n", "no column 'activity'; the header must be start_s,end_s,activity"),
        (HEADER, "nothing says what was done when"),
        (HEADER + "0,16,row\n16,x,lift\n", "line 3: give a start, a later end and an activity"),
        (HEADER + "0,16,row\n\n32,16,lift\n", "line 4: give a start, a later end and an activity"),
        (HEADER + "-1,16,row\n", "line 2: give a start"),
        (HEADER + "0,nan,row\n", "line 2: give a start"),
        (HEADER + "0,16\n", "line 2: give a start"),
        (HEADER + "0,16, \n", "line 2: give a start"),
        (HEADER + "0,16,row\n16,18,lift\n", "lies within 'lift'"),
        (HEADER + "0,16,row\n16,16.5,row\n", "at least two"),
        (HEADER + "0,16,row\n100,116,lift\n", "lies outside the 48.000 s of signal"),
        (HEADER + "0,16,row\n8,32,lift\n", "overlap"),
        (HEADER + "0,16,row\n16,inf,lift\n", "'lift' from 16.000 s to inf s lies outside the 48.000 s"),
    ],
)
def test_intervals_that_cannot_be_used(
    refused: Callable[..., str], checkpoint: Path, csv: Path, tmp_path: Path, content: str, said: str
) -> None:
    file = tmp_path / "intervals.csv"
    file.write_text(content)
    assert said in refused("enrol", csv, "-m", checkpoint, *TIMED, "--intervals", file, "-o", "me.safetensors")


def test_what_else_can_be_wrong(
    refused: Callable[..., str], otolith: Command, checkpoint: Path, csv: Path, intervals: Path, tmp_path: Path
) -> None:
    arguments = (csv, "-m", checkpoint, *TIMED, "-o", "me.safetensors")
    assert "nothing says what was done when in" in refused("enrol", *arguments)
    assert "cannot read nowhere.csv" in refused("enrol", *arguments, "--intervals", "nowhere.csv")
    given = (*arguments, "--intervals", intervals)
    assert "no enrolment method 'magic'; use" in refused("enrol", *given, "--method", "magic")
    assert "text weight" in refused("enrol", *given, "--text-weight=-1")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    assert "cannot read" in refused("enrol", *arguments, "--intervals", tmp_path / "bytes.csv")
    (tmp_path / "taken").mkdir()
    assert "cannot write" in refused("enrol", *given, "-o", "taken")


def test_intervals_as_excel_writes_them_and_names_as_people_do(
    otolith: Command, checkpoint: Path, csv: Path, tmp_path: Path
) -> None:
    file = tmp_path / "intervals.csv"
    file.write_text(HEADER + "0,16,Walking\n16,32,walking\n32,48,My_Move\n", encoding="utf-8-sig")
    outcome = otolith("enrol", csv, "-m", checkpoint, *TIMED, "--intervals", file, "-o", "me.safetensors")
    assert outcome.code == 0 and outcome.err.count("note") == 1 and "take the share that it rejects" in outcome.err
    said = outcome.out.splitlines()[0].split("examples of ")[1].split(", ")
    assert [part.split(" (")[0] for part in said] == ["my move", "walking"]


def test_a_stretch_of_one_window_off_the_grid(otolith: Command, checkpoint: Path, csv: Path, tmp_path: Path) -> None:
    file = tmp_path / "intervals.csv"
    file.write_text(HEADER + "0.53,4.53,one\n20.2,26.33,two\n30,33.9,two\n44,48,three\n")
    outcome = otolith("enrol", csv, "-m", checkpoint, *TIMED, "--intervals", file, "-o", "me.safetensors")
    assert "examples of one (1), three (1), two (" in outcome.out
    assert outcome.err.splitlines() == [
        "otolith: note: 'two' from 30 s to 33.9 s is not used: it holds no window of 4 s without a missing sample",
        "otolith: note: too few examples for a threshold: --abstain will not work with this profile; "
        "enrol longer stretches",
    ]
    assert "--abstain calls" not in outcome.out
    said = otolith("classify", csv, "-m", checkpoint, *TIMED, "--profile", "me.safetensors", "--abstain")
    assert said.code == 2 and "enrol longer stretches" in said.err


def test_without_any_training(otolith: Command, session: Recording, csv: Path, tmp_path: Path) -> None:
    """The weights of the package, which never saw these people or exercises: ten seconds of each are enough."""
    file = tmp_path / "intervals.csv"
    names = [note.activity for note in session.annotations]
    file.write_text(HEADER + "".join(f"{16 * i},{16 * i + 10},{name}\n" for i, name in enumerate(names)))
    done = otolith("enrol", csv, *TIMED, "--intervals", file, "-o", "me.safetensors")
    assert done.code == 0 and "judged by others that share no sample with them" in done.out
    assert (tmp_path / "me.safetensors").stat().st_size < 100_000
    found = otolith("classify", csv, *TIMED, "--profile", "me.safetensors", "--json")
    assert right(json.loads(found.out), names) > 0.8


def test_core_motion_and_gravity_as_in_classify(
    otolith: Command, refused: Callable[..., str], table: pd.DataFrame, csv: Path, checkpoint: Path, intervals: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    mirrored = table.assign(**{f"acc_{axis}": -table[f"acc_{axis}"] for axis in "xyz"})
    options = ("-m", checkpoint, *TIMED, "--intervals", intervals)
    iphone = write_csv(mirrored, tmp_path / "iphone.csv")
    for file, more in ((csv, ()), (iphone, ("--core-motion",)), (iphone, ())):
        assert otolith("enrol", file, *options, *more, "-o", f"{len(more)}{file.stem}.safetensors").code == 0
    right, turned, wrong = (load_file(tmp_path / f"{name}.safetensors") for name in ("0session", "1iphone", "0iphone"))
    assert all(torch.equal(right[name], turned[name]) for name in right)
    assert not all(torch.equal(right[name], wrong[name]) for name in right)
    assert "without gravity" in refused("enrol", csv, *options, "--no-gravity", "-o", "me.safetensors")


def test_profiles_that_cannot_be_used(
    refused: Callable[..., str], otolith: Command, checkpoint: Path, csv: Path, intervals: Path, tmp_path: Path
) -> None:
    assert otolith("enrol", csv, "-m", checkpoint, *TIMED, "--intervals", intervals, "-o", "me.safetensors").code == 0
    arguments = ("classify", csv, "-m", checkpoint, *TIMED, "--profile")
    assert "there is no checkpoint at none" in refused(*arguments, "none")
    assert "holds no enrolled activities but a model" in refused(*arguments, checkpoint)
    other = remade(tmp_path / "me.safetensors", tmp_path / "other", lambda meta: meta.update(model_sha256="0"))
    assert "was enrolled with another model" in refused(*arguments, other)
    newer = remade(tmp_path / "me.safetensors", tmp_path / "newer", lambda meta: meta.update(version=2))
    assert "version 2" in refused(*arguments, newer)


def test_missing_samples_are_no_examples(
    otolith: Command, table: pd.DataFrame, checkpoint: Path, intervals: Path, tmp_path: Path
) -> None:
    table.loc[400:500, "acc_x":] = np.nan
    file = write_csv(table, tmp_path / "gap.csv")
    arguments = ("enrol", file, "-m", checkpoint, *WATCH, "--time-unit", "s", "--intervals", intervals, "-o", "me")
    outcome = otolith(*arguments)
    assert outcome.code == 0 and "my move 0" in outcome.out
