"""What is particular to VTT-ConIoT; the contract that it keeps is in `test_converters.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archives.damage import Damage, cell, refused, rewrite
from archives.vtt_coniot import header, rows, write
from otolith.data.channels import GRAVITY
from otolith.data.converters import convert, tables
from otolith.data.recording import Recording
from otolith.data.registry import card
from otolith.types import DataError, UnitError

FOLDER = "VTT_ConIot_Dataset/VTT-ConIot-IMU-Data"
FIRST = f"{FOLDER}/activity_1_user_1_combined.csv"


@pytest.fixture(scope="module")
def found(archives: Callable[[str], Path | None]) -> dict[str, Recording]:
    return {recording.name: recording for recording in convert("vtt_coniot", archives("vtt_coniot"))}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """An archive of one recording: its folder."""
    (tmp_path / FOLDER).mkdir(parents=True)
    _save(tmp_path, rows(0))
    return tmp_path


def _save(folder: Path, table: np.ndarray, names: list[str] | None = None) -> None:
    head = ",".join(names or header())
    np.savetxt(folder / FIRST, table, fmt="%.4f", delimiter=",", header=head, comments="")


def test_people_and_labels_come_from_names(found: dict[str, Recording]):
    assert {name: (r.subject, r.annotations[0].activity) for name, r in found.items()} == {
        "user01_activity01": ("user01", "painting with a roller"),
        "user01_activity16": ("user01", "using stairs"),
        "user13_activity06": ("user13", "going up and down a few steps"),
    }
    for recording in found.values():
        assert (recording.duration, recording.annotations[0].end) == (59.99, 59.99)


def test_it_is_never_trained_on():
    assert card("vtt_coniot").zero_shot_only


def test_half_g_and_degrees_become_si(found: dict[str, Recording]):
    recording, table = found["user01_activity01"], rows(0)
    names = [channel.name for channel in recording.channels]
    for unit, prefix in enumerate(("hip", "back", "upper_arm")):
        columns = 9 * unit + np.arange(9)
        assert [names[k] for k in columns[::3]] == [f"{prefix}_{sensor}_x" for sensor in ("acc", "gyro", "mag")]
        expected = table[:, columns] * np.repeat([GRAVITY / 2, np.pi / 180, 1.0], 3)
        np.testing.assert_allclose(recording.signal[:, columns], expected, atol=1e-3)
    np.testing.assert_allclose(recording.signal[:200, 0], GRAVITY, atol=1e-3)  # still, on the hip's x axis
    assert card("vtt_coniot").upright == {"hip": (1.0, 0.0, 0.0)}


def test_a_mended_archive_in_g_is_understood_unit_by_unit(small: Path, found: dict[str, Recording]):
    table = rows(0)
    table[:, 9:12] /= 2  # the back alone
    _save(small, table)
    recording = next(convert("vtt_coniot", small))
    np.testing.assert_allclose(recording.signal, found["user01_activity01"].signal, atol=2e-3)


@pytest.mark.parametrize("factor", [GRAVITY / 2, 1 / GRAVITY, 500, 0])
def test_another_unit_of_acceleration_is_refused(factor: float, small: Path):
    table = rows(0)
    table[:, 18:21] *= factor
    _save(small, table)
    sentence = r"'hand_Ax_g' is a part has a median of .* where gravity gives 2 \(half g, as published\) or 1 \(g\)"
    with pytest.raises(UnitError, match=sentence):
        list(convert("vtt_coniot", small))


def test_columns_are_found_by_name_among_others(small: Path, found: dict[str, Recording]):
    """Which columns the archive has beside those that are read is not known."""
    lines = (small / FIRST).read_text().splitlines()
    turned = [",".join(["timestamp" if k == 0 else "2020-01-01 10:00:00", *reversed(line.split(","))])
              for k, line in enumerate(lines)]  # fmt: skip
    (small / FIRST).write_text("\ufeff" + "\r\n".join(turned))
    recording = next(convert("vtt_coniot", small))
    np.testing.assert_array_equal(recording.signal, found["user01_activity01"].signal)


def test_missing_cells_are_filled_where_they_are_few(small: Path, found: dict[str, Recording]):
    lines = (small / FIRST).read_text().splitlines()
    for row, text in ((50, ""), (70, "nan"), *((k, "NaN") for k in range(300, 330))):
        lines[row + 1] = ",".join([text, *lines[row + 1].split(",")[1:]])
    (small / FIRST).write_text("\n".join(lines))
    signal = next(convert("vtt_coniot", small)).signal
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(signal[:, 0])), np.arange(300, 330))
    np.testing.assert_allclose(signal[[50, 70], 0], GRAVITY, atol=1e-3)
    np.testing.assert_array_equal(signal[:, 1:], found["user01_activity01"].signal[:, 1:])


@pytest.mark.parametrize("base", [".", "VTT-ConIot-IMU-Data", f"vtt_coniot/{FOLDER}"])
def test_folder_may_lie_at_several_depths(base: str, small: Path):
    (small / "raw" / base).mkdir(parents=True)
    (small / FIRST).rename(small / "raw" / base / Path(FIRST).name)
    assert len(list(convert("vtt_coniot", small / "raw"))) == 1


def test_conversion_streams(tmp_path: Path):
    """The first recording is there before the last file is read."""
    write(tmp_path)
    (tmp_path / FOLDER / "activity_6_user_13_combined.csv").write_text("damaged\n1\n")
    stream = convert("vtt_coniot", tmp_path)
    assert [next(stream).name, next(stream).name] == ["user01_activity01", "user01_activity16"]
    with pytest.raises(DataError, match=r"user_13_combined.csv, line 1: column 'trousers_Ax_g' is missing"):
        list(stream)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda lines: [], "user_1_combined.csv is empty"),
        (lambda lines: lines[:1], "user_1_combined.csv is empty"),
        (lambda lines: lines[1:], "line 1: column 'trousers_Ax_g' is missing"),
        (cell(1, 22, "hand_Gy"), "line 1: column 'hand_Gy_dps' is missing"),
        (lambda lines: [line.replace(",", ";") for line in lines], "column 'trousers_Ax_g' is missing"),
        (lambda lines: [*lines[:3], lines[3] + ",1", *lines[4:]], "combined.csv, line 4: 28 columns instead of 27"),
        (lambda lines: [*lines[:-1], lines[-1][:30]], "user_1_combined.csv, line 6000: 5 columns instead of 27"),
        (cell(9, 4, "x"), "user_1_combined.csv, line 9: 'x' is not a number"),
        (cell(9, 4, "inf"), "user_1_combined.csv, line 9: 'inf' is not a number"),
        (cell(9, 4, "1e300"), "user_1_combined.csv, line 9: '1e300' is beyond what any sensor gives"),
        (
            lambda lines: [lines[0], *("," + line.split(",", 1)[1] for line in lines[1:])],
            "'trousers_Ax_g' has no numbers",
        ),
        (lambda lines: lines[:3000], "has 2999 rows where a minute at 100 Hz has about 6000, so it is cut short"),
        (lambda lines: [lines[0], *lines[1:], *lines[1:]], "has 11998 rows where a minute at 100 Hz has about 6000"),
    ],
)
def test_damage_is_named(damage: Damage, sentence: str, small: Path):
    rewrite(small / FIRST, damage)
    refused("vtt_coniot", small, sentence)


def test_a_file_that_is_too_large_is_not_read(small: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "_MOST_CELLS", 1000)
    with pytest.raises(DataError, match=r"user_1_combined.csv has more than \d+ lines"):
        list(convert("vtt_coniot", small))


@pytest.mark.parametrize("activity", ["17", "0", "01", "x"])
def test_unknown_activity(activity: str, small: Path):
    (small / FIRST).rename(small / FOLDER / f"activity_{activity}_user_1_combined.csv")
    with pytest.raises(DataError, match=rf"activity_{activity}_user_1_combined.csv is not of 'vtt_coniot': expected"):
        list(convert("vtt_coniot", small))


@pytest.mark.parametrize("user", ["14_combined", "0_combined", "01_combined", "1"])
def test_file_of_nobody(user: str, small: Path):
    (small / FIRST).rename(small / FOLDER / f"activity_1_user_{user}.csv")
    with pytest.raises(
        DataError, match="is not of 'vtt_coniot': expected activity_1_user_1_combined.csv to activity_16"
    ):
        list(convert("vtt_coniot", small))
