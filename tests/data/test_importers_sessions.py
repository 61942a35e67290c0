"""Streams on their own clocks become recordings on one; devices worn together go together, or are refused."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exports import generic as export
from otolith.data.channels import GRAVITY, Channel, triad
from otolith.data.importers import Session, Stream, Wearing, generic, rows
from otolith.data.importers.clocks import evened, ordinary_rate, recordings, together
from otolith.data.importers.opening import opened
from otolith.data.importers.shake import by_clock, by_offset, by_shake
from otolith.data.recording import Annotation, Recording
from otolith.types import ConfigError, DataError, OtolithError

WRIST = Wearing("left wrist")


def course(times: np.ndarray) -> np.ndarray:
    """A slow movement [T, 3] in m/s^2, known at all times."""
    angle = 0.9 * np.sin(2 * np.pi * 0.4 * times)
    return GRAVITY * np.stack([np.sin(angle), 0.2 * np.sin(times), np.cos(angle)], axis=1)


def stream(sensor: str, times: np.ndarray, place: str = "left wrist", rate: float | None = None) -> Stream:
    channels = triad(sensor, place, gravity=True if sensor == "acc" else None)
    return Stream(times, course(times), channels, rate, f"{sensor}.csv")


def scalar(sensor: str, times: np.ndarray, value: float = 80.0) -> Stream:
    return Stream(times, np.full((len(times), 1), value), (Channel(sensor, sensor, "", "left wrist"),), None, sensor)


def at(rate: float, seconds: float = 30.0, first: float = 0.0) -> np.ndarray:
    return first + np.arange(round(seconds * rate)) / rate


def refused(call: Callable[[], object], said: str, kind: type[OtolithError] = DataError) -> None:
    with pytest.raises(kind, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_sensors_with_their_own_jittered_times_come_side_by_side() -> None:
    """The value on the grid is that of the movement at that time, whichever clock sampled it."""
    rng = np.random.default_rng(0)
    fast = at(100) + rng.uniform(0, 2e-3, 3000)
    slow = at(52.3, first=0.7) + rng.uniform(0, 2e-3, 1569)
    (recording,), notes = recordings(Session("walk", (stream("acc", fast), stream("gyro", slow), stream("mag", slow))))
    assert recording.rate == pytest.approx(100, rel=1e-3)
    assert [c.name for c in recording.channels] == [f"{s}_{a}" for s in ("acc", "gyro", "mag") for a in "xyz"]
    times = 0.7 + np.arange(len(recording.signal)) / recording.rate
    np.testing.assert_allclose(recording.signal, np.tile(course(times), 3), atol=0.12)
    assert recording.duration == pytest.approx(29.3, abs=0.05)
    assert (recording.session, recording.offset) == ("", 0.0)
    assert notes == ["0.7 s at one end, which not all sensors cover, are left out"]


def test_slow_sensors_are_siblings_on_the_same_session() -> None:
    watch = Session(
        "walk",
        (
            stream("acc", at(50, first=5.0)),
            scalar("heart_rate", at(0.9998, first=7.25)),
            scalar("pressure", at(4), 990),
        ),
        annotations=(Annotation(8.0, 12.0, "walking"), Annotation(90, 95, "resting")),
    )
    (main, heart, pressure), notes = recordings(watch)
    assert [r.name for r in (main, heart, pressure)] == ["walk", "walk_heart_rate", "walk_pressure"]
    assert {r.session for r in (main, heart, pressure)} == {"walk"}
    assert [r.offset for r in (main, heart, pressure)] == pytest.approx([5.0, 7.25, 0.0])
    assert [r.rate for r in (main, heart, pressure)] == pytest.approx([50, 1.0, 4])
    assert [(a.start, a.end) for a in main.annotations] == [pytest.approx((3.0, 7.0))]
    assert [(a.start, a.end) for a in heart.annotations] == [pytest.approx((0.75, 4.75))]
    assert (
        len(notes) == 1
        and "1 of 2 labelled stretches lie outside the recording, such as 'resting' at 90.0 s" in notes[0]
    )


def test_what_is_too_little_is_left_out_with_a_word() -> None:
    acc = stream("acc", at(50))
    holed = replace(stream("mag", at(50)), values=np.column_stack([np.full(1500, np.nan), course(at(50))[:, 1:]]))
    short = stream("gyro", at(50, seconds=6))
    watch = Session("walk", (acc, holed, short, scalar("temperature", at(0.1, 300)), scalar("ecg", at(50, 0.1))))
    (main, gyro), notes = recordings(watch)
    assert [c.name for c in main.channels] == ["acc_x", "acc_y", "acc_z", "mag_y", "mag_z"]
    assert [c.name for c in gyro.channels] == ["gyro_x", "gyro_y", "gyro_z"] and gyro.duration == pytest.approx(
        6, abs=0.05
    )
    assert notes == [
        "mag.csv: mag_x has fewer than 8 values and is left out",
        "temperature has a sample each 10 s, too few for a recording, and is left out",
        "ecg has fewer than 8 samples and is left out",
        "gyro.csv is a recording of its own in the same session (6.0 s at 50 Hz beside 30.0 s at 50 Hz)",
    ]
    refused(lambda: recordings(Session("walk", (scalar("ecg", at(50, 0.1)),))), "no sensor with 8 samples or more")


def test_short_gaps_are_bridged_and_long_ones_stay() -> None:
    times = at(50)
    kept = np.delete(times, [*range(100, 103), *range(500, 600)])
    (recording,), _ = recordings(Session("walk", (stream("acc", kept),)))
    missing = np.flatnonzero(np.isnan(recording.signal).any(axis=1))
    assert missing.min() in (500, 501) and missing.max() in (598, 599) and len(missing) >= 98


def test_the_stated_rate_is_the_grid_unless_the_times_say_otherwise() -> None:
    (recording,), notes = recordings(Session("walk", (stream("acc", at(99.2), rate=100.0),)))
    assert (recording.rate, notes) == (100.0, [])
    (recording,), notes = recordings(Session("walk", (stream("acc", at(52.0), rate=100.0),)))
    assert recording.rate == pytest.approx(52)
    assert notes == ["acc.csv is said to have 100 Hz, but its times give 52 Hz, which is taken"]


def test_packets_are_spread_and_nothing_is_averaged_away() -> None:
    times = at(50)
    stamps = np.repeat(times[9::10], 10)
    (recording,), notes = recordings(Session("walk", (replace(stream("acc", times), times=stamps),)))
    assert recording.rate == pytest.approx(50, rel=0.01) and len(recording.signal) == pytest.approx(1500, abs=15)
    assert len(notes) == 1 and "samples are stamped in bursts" in notes[0]
    seconds = np.floor(times)
    (recording,), notes = recordings(Session("walk", (replace(stream("acc", times), times=seconds),)))
    assert (
        recording.rate == pytest.approx(50, rel=0.01)
        and "50 samples share each time; they are spread evenly" in notes[0]
    )


def test_bursts_are_told_from_lost_samples() -> None:
    """Late stamps stay near a line; where samples are lost at random, the stamps wander off and are right."""
    rng = np.random.default_rng(3)
    even = at(100, 60)
    late = np.maximum.accumulate(even + np.where(rng.random(6000) < 0.05, rng.uniform(0, 0.06, 6000), 0))
    late = np.concatenate([late, late + 70])
    straight, rate = evened(late) or (late, 0.0)
    assert rate == pytest.approx(100, rel=2e-3)
    assert np.abs(straight - np.concatenate([even, even + 70])).max() < 0.02
    assert ordinary_rate(late) > 102  # what the plain steps would have said
    assert evened(even[rng.random(6000) < 0.6]) is None
    assert evened(even + rng.uniform(0, 3e-3, 6000)) is None


def test_lost_samples_keep_their_times() -> None:
    rng = np.random.default_rng(4)
    kept = at(100, 60)[rng.random(6000) >= 0.3]
    (recording,), notes = recordings(Session("walk", (stream("acc", kept),)))
    assert recording.rate == pytest.approx(100, rel=0.25) and not notes
    times = kept[0] + np.arange(len(recording.signal)) / recording.rate
    known = np.isfinite(recording.signal).all(axis=1)
    np.testing.assert_allclose(recording.signal[known], course(times)[known], atol=0.15)


def test_times_that_span_days_are_refused() -> None:
    times = np.r_[at(50), 1e8 + at(50)]
    refused(lambda: recordings(Session("walk", (stream("acc", times),))), "spans 1.16e\\+03 days")


def test_streams_and_sessions_that_cannot_be() -> None:
    times = at(50)
    back = times.copy()
    back[700] = 3.0
    refused(lambda: stream("acc", back), "acc.csv, sample 701: the time goes back")
    refused(lambda: stream("acc", np.r_[times, np.nan]), "sample 1501: there is no time")
    values = course(times)
    values[4, 1] = np.inf
    refused(lambda: replace(stream("acc", times), values=values), "sample 5: the value of 'acc_y' is infinite")
    refused(lambda: Session("walk", ()), "has no sensor that can be used")
    refused(lambda: Session("walk", (stream("acc", times, place=" "),)), "--placement 'left wrist'", ConfigError)
    apart = Session("walk", (stream("acc", times), stream("gyro", times + 100)))
    refused(lambda: recordings(apart), "share no time: acc.csv runs from 0.0 s to 30.0 s, gyro.csv runs from 100.0 s")


# Devices worn together


def watch(name: str, place: str, first: float = 0.0, started: float | None = None, **more: object) -> Session:
    return Session(name, (stream("acc", at(50, first=first), place),), started=started, **more)  # type: ignore[arg-type]


def test_two_watches_by_their_own_clocks() -> None:
    left, right = watch("l", "left wrist", started=1.7e9), watch("r", "right wrist", started=1.7e9 + 4.0)
    clocks = by_clock([left, right])
    assert clocks.shifts == (0.0, 4.0)
    assert clocks.evidence == (
        "l: began 2023-11-14T22:13:20.000Z",
        "r: began +4.000 s from it by the devices' own clocks",
    )
    (recording,), notes = recordings(together([left, right], clocks.shifts, clocks.drifts))
    assert [c.name for c in recording.channels][::3] == ["left_wrist_acc_x", "right_wrist_acc_x"]
    assert recording.duration == pytest.approx(26, abs=0.05)
    times = 4.0 + np.arange(len(recording.signal)) / recording.rate
    np.testing.assert_allclose(recording.signal[:, :3], course(times), atol=0.05)
    np.testing.assert_allclose(recording.signal[:, 3:], course(times - 4.0), atol=0.05)
    assert len(notes) == 1 and "4.0 s at one end" in notes[0]
    apart = replace(right, started=1.7e9 + 3600)
    refused(lambda: by_clock([left, apart]), "l began 2023-11-14T22:13:20.000Z and r 2023-11-14T23:13:20.000Z")
    refused(lambda: by_clock([left, replace(right, started=None)]), "nothing in r says when", ConfigError)
    refused(lambda: by_clock([left, replace(right, started=1e300)]), "at no possible date")


def test_offsets_are_from_beginning_to_beginning() -> None:
    left, right = watch("l", "left wrist", first=100.0), watch("r", "right wrist", first=-7.0)
    clocks = by_offset([left, right], [2.5])
    (recording,), _ = recordings(together([left, right], clocks.shifts))
    assert recording.duration == pytest.approx(27.5, abs=0.05)


def test_who_does_not_go_together() -> None:
    left = watch("l", "left wrist", annotations=(Annotation(1.0, 2.0, "a"),))
    refused(lambda: together([left, watch("r", "left wrist")], [0, 0]), "l and r both have 'acc_x'", ConfigError)
    other = watch("r", "right wrist", subject="bob")
    refused(lambda: together([left, other], [0, 0]), "unknown and bob are different people", ConfigError)
    right = watch("r", "right wrist", annotations=(Annotation(3.0, 4.0, "b"),))
    both = together([left, right], [0, 1.0])
    assert both.annotations == left.annotations
    assert both.notes == ("labels are taken from l, those of the other files are left out",)
    moved = together([watch("x", "waist"), right], [0, 1.0], [0.0, 0.5]).annotations
    assert [(a.start, a.end) for a in moved] == [(5.5, 7.0)]


@pytest.fixture(scope="module")
def shaken(spar_recordings: list[Recording]) -> Callable[..., tuple[Session, Session]]:
    """Two watches held in one hand and moved, then worn left and right by two people who exercise."""
    rng = np.random.default_rng(7)
    left = np.concatenate([r.signal[:, :3] for r in spar_recordings if r.name.endswith("left")][:30]).astype(float)
    right = np.concatenate([r.signal[:, :3] for r in spar_recordings if r.name.endswith("right")][35:65]).astype(float)
    both = [spar_recordings[number].signal[100:1000:3, :3].astype(float) for number in (40, 73)]
    begin, end = (2 * (x - x.mean(axis=0)) + [0, 0, GRAVITY] for x in both)  # three times as fast, twice as strong
    turned, _ = np.linalg.qr(rng.normal(size=(3, 3)))

    def devices(seconds: float, late: float, drift: float = 0.0, shared: bool = True) -> tuple[Session, Session]:
        count = round(seconds * 50)
        assert count <= min(len(left), len(right))
        still = np.tile([0, 0, GRAVITY], (round(late * 50), 1))
        a = np.concatenate([still, begin, left[:count], end])
        b = np.concatenate([begin, right[:count], end] if shared else [right[:count]]) @ turned
        a, b = (x + rng.normal(0, 0.2, x.shape) for x in (a, b))
        ta, tb = np.arange(len(a)) / 50, np.arange(len(b)) / 50 / (1 + drift)
        return (
            Session("l", (Stream(ta, a, triad("acc", "left wrist", gravity=True)),)),
            Session("r", (Stream(tb + 1000, b, triad("acc", "right wrist", gravity=True)),)),
        )

    return devices


def test_a_shared_movement_brings_clocks_together(shaken: Callable[..., tuple[Session, Session]]) -> None:
    clocks = by_shake(shaken(60, 5.22))
    assert clocks.shifts[1] + 1000 == pytest.approx(5.22, abs=0.005)
    assert clocks.drifts == (0.0, 0.0)
    assert "r: began +5.2" in clocks.evidence[0] and "agrees by 1.00, and at the next best offset" in clocks.evidence[0]


def test_movements_far_apart_tell_the_drift(shaken: Callable[..., tuple[Session, Session]]) -> None:
    """120 ppm: after a quarter of an hour the clocks are 0.1 s apart."""
    first, second = shaken(900, 3.0, drift=120e-6)
    clocks = by_shake([first, second])
    assert clocks.drifts[1] == pytest.approx(120e-6, abs=5e-6)
    assert "its clock runs by -120 ppm" in clocks.evidence[0]
    times = second.streams[0].times
    np.testing.assert_allclose(
        times * (1 + clocks.drifts[1]) + clocks.shifts[1], 3.0 + np.arange(len(times)) / 50, atol=0.01
    )


def test_what_was_not_moved_together_is_refused(shaken: Callable[..., tuple[Session, Session]]) -> None:
    refused(lambda: by_shake(shaken(120, 3.0, shared=False)), "to tell when they were shaken together; give --offset")
    still = watch("s", "waist")
    quiet = replace(still, streams=(replace(still.streams[0], values=np.tile([0.0, 0, GRAVITY], (1500, 1))),))
    refused(lambda: by_shake([quiet, quiet]), "no strong movement")
    refused(lambda: by_shake([still, Session("h", (scalar("heart_rate", at(4)),))]), "h has no acceleration")
    brief = Session("b", (stream("acc", at(50, 2)),))
    refused(lambda: by_shake([still, brief]), "b is shorter than 5 s")


def test_known_clocks_bound_the_search(shaken: Callable[..., tuple[Session, Session]]) -> None:
    first, second = shaken(60, 5.22)
    near = replace(first, started=1.7e9), replace(second, started=1.7e9 - 1000 + 20)
    assert by_shake(near).shifts[1] + 1000 == pytest.approx(5.22, abs=0.005)
    far = replace(first, started=1.7e9), replace(second, started=1.7e9 - 1000 + 90)
    refused(lambda: by_shake(far), "give --offset")


# What a person gives


def test_archives_are_unpacked_and_office_files_are_not(tmp_path: Path) -> None:
    lone, office = tmp_path / "walk.zip", tmp_path / "walk.xlsx"
    with zipfile.ZipFile(lone, "w") as archive:
        archive.writestr("acc.csv", "t,x\n")
    shutil.copyfile(lone, office)
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(b"t,x\n"))
    with opened(lone) as path:
        assert path.name == "acc.csv" and path.read_text() == "t,x\n"
        unpacked = path
    assert not unpacked.exists()
    with tarfile.open(tmp_path / "ride.tar.gz", "w:gz") as archive:
        archive.add(lone, "inner/deep/a.bin")
        archive.add(lone, "inner/b.bin")
    with opened(tmp_path / "ride.tar.gz") as path:
        assert path.name == "ride" and sorted(p.name for p in path.iterdir()) == ["b.bin", "deep"]
    for plain in (office, tmp_path / "rows.csv.gz", tmp_path):
        with opened(plain) as path:
            assert path == plain


# Tables of one session in several files


@pytest.fixture
def ride(tmp_path: Path) -> Path:
    return export.write(tmp_path)


def mapped(ride: Path, old: str = "", new: str = "") -> Session:
    path = ride.parent / "mapping.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new) if old else text)
    return generic.read(ride, generic.read_mapping(path, WRIST))


def test_a_folder_of_tables_is_one_session(ride: Path) -> None:
    session = mapped(ride)
    assert (session.name, session.started) == ("ride", export.BEGAN_MS / 1000)
    (main, heart), _ = recordings(session)
    assert main.rate == pytest.approx(100) and heart.rate == pytest.approx(1)
    assert (main.offset, heart.offset) == (0.0, pytest.approx(0.5 - 0.304, abs=1e-6))
    assert [c.name for c in main.channels] == [f"{s}_{a}" for s in ("acc", "gyro") for a in "xyz"]
    still = main.signal[20:150]
    assert still[:, :3].mean(axis=0) == pytest.approx([GRAVITY, 0, 0], abs=0.01)
    assert heart.signal[:, 0] == pytest.approx(np.arange(70, 89))
    (note,) = main.annotations
    assert (note.activity, note.start, note.end) == ("cycling", 0.0, pytest.approx(10 - 0.304))
    assert main.channels[0].device == "data logger"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("gyro.csv", "gyr.csv", "one file 'gyr.csv' is needed"),
        ('"acc*.csv"', '"*.csv"', "one file '\\*.csv' is needed in .*: acc_2023-11-14.csv, gyro.csv, heart.csv"),
        ("gyro.csv", "../gyro.csv", "must be the name of a file in the session's folder"),
        ("gyro.csv", "/etc/passwd", "must be the name of a file in the session's folder"),
        ("gyro.csv:", "gyro.csv: 3\n  other.csv:", "file 'gyro.csv'.: must map the columns|must map the columns"),
        ("time: ms", "time: hour", "no column 'hour'"),
        ("files:", "files: []\nfile:", "'files' must name each file"),
    ],
)
def test_mistakes_in_a_mapping_of_files(ride: Path, old: str, new: str, said: str) -> None:
    refused(lambda: mapped(ride, old, new), said, OtolithError)


def test_files_whose_clocks_do_not_belong_together(ride: Path) -> None:
    text = (ride / "gyro.csv").read_text().splitlines()
    rebased = [f"{int(line.split(';')[0]) - export.BEGAN_MS};{line.split(';', 1)[1]}" for line in text[1:]]
    (ride / "gyro.csv").write_text("\n".join([text[0], *rebased]) + "\n")
    refused(lambda: mapped(ride), "count from 1970 and those of gyro.csv do not")


def test_one_file_for_a_mapping_of_several_and_the_other_way_round(ride: Path) -> None:
    mappings = generic.read_mapping(ride.parent / "mapping.yaml", WRIST)
    refused(lambda: generic.read(ride / "gyro.csv", mappings), "is one file, and the mapping is of several")
    lone = {"": mappings["gyro.csv"]}
    refused(lambda: generic.read(ride, lone), "is a folder; give one CSV")


def test_a_slow_column_among_fast_rows_is_a_sibling(tmp_path: Path) -> None:
    """A heart rate once a second in rows at 50 Hz, and two sensors that write by turns."""
    acc, gyro = course(at(50, 10)), course(at(50, 10) + 0.01)
    lines = ["t,ax,ay,az,gx,gy,gz,hr"]
    for i in range(500):
        heart = f"{70 + i // 50}" if i % 50 == 0 else ""
        lines.append(f"{i * 0.02:.3f},{acc[i, 0]:.4f},{acc[i, 1]:.4f},{acc[i, 2]:.4f},,,,{heart}")
        lines.append(f"{i * 0.02 + 0.01:.3f},,,,{gyro[i, 0]:.4f},{gyro[i, 1]:.4f},{gyro[i, 2]:.4f},")
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    columns = "\n".join(
        f"  {s[0]}{a}: {{sensor: {s}, axis: {a}, unit: {u}{g}}}"
        for s, u, g in (("acc", "m/s^2", ", gravity: true"), ("gyro", "rad/s", ""))
        for a in "xyz"
    )
    (tmp_path / "m.yaml").write_text(
        f"columns:\n{columns}\n  hr: {{sensor: heart_rate, unit: bpm}}\ntime: t\ntime_unit: s\n"
    )
    session = generic.read(tmp_path / "a.csv", generic.read_mapping(tmp_path / "m.yaml", WRIST))
    (main, heart), _ = recordings(session)
    assert main.rate == pytest.approx(50) and heart.rate == pytest.approx(1)
    times = main.offset + np.arange(len(main.signal)) / main.rate
    np.testing.assert_allclose(main.signal, np.tile(course(times), 2), atol=0.1)
    assert heart.signal[:, 0] == pytest.approx(np.arange(70, 80))


def test_what_the_command_line_says_of_a_table_wins(ride: Path) -> None:
    (ride.parent / "mapping.yaml").write_text(export.MAPPING + "placement: waist\nsubject: ann\n")
    path = ride.parent / "mapping.yaml"
    assert generic.read_mapping(path, Wearing(""))["gyro.csv"].placement == "waist"
    said = generic.read_mapping(path, Wearing("left wrist", "watch", "bob"))["gyro.csv"]
    assert (said.placement, said.device, said.subject) == ("left wrist", "watch", "bob")


def test_a_table_may_have_lines_above_units_below_and_decimal_commas(tmp_path: Path) -> None:
    acc = course(at(50, 10))
    lines = ["Logger 3000", "exported", "A X;A Y;A Z", "g;g;g"]
    lines += [";".join(f"{v / GRAVITY:.5f}".replace(".", ",") for v in row) for row in acc]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    columns = "\n".join(f"  A {a.upper()}: {{sensor: acc, axis: {a}, unit: g, gravity: true}}" for a in "xyz")
    (tmp_path / "m.yaml").write_text(f"columns:\n{columns}\nrate: 50\nabove: 2\nbelow: 1\ndecimal: ','\n")
    session = generic.read(tmp_path / "a.csv", generic.read_mapping(tmp_path / "m.yaml", WRIST))
    np.testing.assert_allclose(session.streams[0].values, acc, atol=1e-3)
    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join(lines[4:]).replace(",", ".") + "\n")
    text = (tmp_path / "m.yaml").read_text().replace("above: 2\nbelow: 1\ndecimal: ','", "header: false")
    for number, axis in enumerate("XYZ", 1):
        text = text.replace(f"A {axis}", f"column {number}")
    (tmp_path / "m.yaml").write_text(text)
    session = generic.read(bare, generic.read_mapping(tmp_path / "m.yaml", WRIST))
    np.testing.assert_allclose(session.streams[0].values, acc, atol=1e-3)


@pytest.mark.real
def test_real_stamps_in_bursts(raw_dir: Path) -> None:
    """The phone's stamps of the Timed-Up-and-Go set come in bursts; its sensor runs at 102.4 Hz (see its converter)."""
    files = sorted(p for name in ("tug", "sp_sw_har") for p in (raw_dir / name).rglob("*_sp.csv"))
    assert files
    for path in files[::20]:
        table = rows.open_rows(path)
        stamps = rows.read_numbers(table, ["timestamp"])[:, 0]
        _, rate = evened((stamps - stamps[0]) / 1000) or (stamps, 0.0)
        assert rate == pytest.approx(102.4, rel=0.003), path
