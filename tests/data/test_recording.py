from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from otolith.data.channels import GRAVITY, NORMALISED, triad
from otolith.data.recording import (
    Annotation,
    Recording,
    annotate,
    check_physics,
    refuse_implausible,
    rest_magnitude,
    runs,
)
from otolith.types import DataError, UnitError

CHANNELS = triad("acc", "waist", gravity=True)


def still(samples: int = 100, **changes: object) -> Recording:
    """A device lying face up, with a little noise."""
    signal = np.random.default_rng(0).normal(0, 0.02, (samples, 3)).astype(np.float32)
    signal[:, 2] += GRAVITY
    arguments = {"signal": signal, "rate": 50.0, "channels": CHANNELS, "subject": "1", "name": "one", **changes}
    return Recording(**arguments)  # type: ignore[arg-type]


def kinds(recording: Recording) -> set[tuple[str, bool]]:
    return {(finding.kind, finding.severe) for finding in check_physics(recording)}


def test_a_good_one() -> None:
    recording = still(annotations=(Annotation(0.0, 1.0, "lying"), Annotation(1.0, 2.0, "sitting")))
    assert recording.duration == 2.0 and check_physics(recording) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"signal": np.zeros((100, 3))}, r"must be float32 \[samples, channels\], not float64"),
        ({"signal": np.zeros(100, np.float32)}, "must be float32"),
        ({"signal": np.zeros((0, 3), np.float32)}, "0 samples are too few"),
        ({"signal": np.zeros((1, 3), np.float32)}, "1 samples are too few"),
        ({"signal": np.zeros((100, 2), np.float32)}, "2 columns but 3 channels"),
        ({"channels": (CHANNELS[0], CHANNELS[1], CHANNELS[0])}, "channel 'acc_x' occurs twice"),
        ({"rate": 0.0}, "a rate of 0.0 Hz is not plausible"),
        ({"rate": float("nan")}, "a rate of nan Hz"),
        ({"rate": 1e6}, "a rate of 1000000.0 Hz"),
        ({"annotations": (Annotation(-0.1, 1.0, "a"),)}, "lies outside the 2.000 s of signal"),
        ({"annotations": (Annotation(0.0, 2.1, "a"),)}, "lies outside"),
        ({"annotations": (Annotation(1.0, 1.0, "a"),)}, "ends before it starts"),
        ({"annotations": (Annotation(1.0, 2.0, "b"), Annotation(0.0, 1.2, "a"))}, "'b' at 1.000 s overlaps"),
    ],
)
def test_what_cannot_be_a_recording(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(DataError, match=f"recording 'one': .*{sentence}"):
        still(**changes)


def test_53_channels() -> None:
    many = tuple(c for i in range(18) for c in triad("acc", f"spot {i}", gravity=True, prefix=f"{i}_"))
    Recording(np.ones((20, 52), np.float32), 50.0, many[:52], "1", "one")
    with pytest.raises(DataError, match="53 channels, but 1 to 52 can be used; choose fewer"):
        Recording(np.ones((20, 53), np.float32), 50.0, many[:53], "1", "one")


def test_infinite_values_name_their_channel() -> None:
    signal = still().signal
    signal[3, 1] = np.inf
    with pytest.raises(DataError, match="infinite values in channel 'acc_y'"):
        still(signal=signal)


def test_rest_magnitude() -> None:
    signal = still(500).signal
    signal[100:] += np.random.default_rng(1).normal(0, 8, (400, 3)).astype(np.float32)
    assert rest_magnitude(signal, 50.0) == pytest.approx(GRAVITY, rel=0.01)
    assert np.isnan(rest_magnitude(signal[:30], 50.0))
    assert np.isnan(rest_magnitude(np.full((100, 3), np.nan, np.float32), 50.0))


# Real recordings: as published, and with the mistakes that people make.


def accelerated(recording: Recording, change: object) -> Recording:
    signal = recording.signal.copy()
    signal[:, :3] = change(signal[:, :3])  # type: ignore[operator]
    return replace(recording, signal=signal.astype(np.float32))


def test_the_published_recordings_are_plausible(spar_recordings: list[Recording]) -> None:
    for recording in spar_recordings:
        assert [f for f in refuse_implausible(recording) if f.kind != "missing"] == []


def test_finds_g_given_as_metres(spar_recordings: list[Recording]) -> None:
    found = 0
    for recording in spar_recordings:
        mistaken = accelerated(recording, lambda acc: acc / GRAVITY)
        assert ("unit", True) in kinds(mistaken)
        texts = " ".join(f.text for f in check_physics(mistaken))
        found += "values look like g: give the unit as g" in texts
        with pytest.raises(UnitError, match=f"recording '{recording.name}'"):
            refuse_implausible(mistaken)
    # Arm raises hardly rest: there the sentence names the wrong magnitude, not its cause.
    assert found > 0.7 * len(spar_recordings)


def test_finds_metres_given_as_g(spar_recordings: list[Recording]) -> None:
    for recording in spar_recordings:
        with pytest.raises(UnitError, match="times too large|beyond"):
            refuse_implausible(accelerated(recording, lambda acc: acc * GRAVITY))


def test_finds_removed_gravity(spar_recordings: list[Recording]) -> None:
    """A high-pass leaves next to nothing at rest; who never rests keeps some magnitude, and may pass."""
    found = [
        any(f.severe and "gravity looks removed: say so" in f.text for f in check_physics(without))
        for without in (accelerated(r, lambda acc: acc - acc.mean(0)) for r in spar_recordings if "_ir_" in r.name)
    ]
    assert len(found) == 20 and sum(found) >= 16


def test_finds_gravity_where_it_should_not_be(spar_recordings: list[Recording]) -> None:
    flags = []
    for recording in spar_recordings:
        claimed = tuple(replace(c, gravity=False) if c.sensor == "acc" else c for c in recording.channels)
        found = [f for f in check_physics(replace(recording, channels=claimed)) if f.kind == "gravity"]
        assert not any(f.severe for f in found)
        flags += ["is said to be without gravity" in f.text for f in found]
    assert sum(flags) > 0.5 * len(spar_recordings)


def test_finds_a_stuck_channel(spar_recordings: list[Recording]) -> None:
    signal = spar_recordings[0].signal.copy()
    signal[:, 4] = 0.25
    (finding,) = check_physics(replace(spar_recordings[0], signal=signal))
    assert (finding.kind, finding.severe, finding.text) == ("stuck", False, "channel 'gyro_y' never changes")


def test_finds_an_impossible_value(spar_recordings: list[Recording]) -> None:
    for column, value, sentence in ((1, 5000.0, "acc_y' reaches 5000 m/s"), (3, -120.0, "gyro_x' reaches 120 rad/s")):
        signal = spar_recordings[0].signal.copy()
        signal[17, column] = value
        with pytest.raises(UnitError, match=sentence):
            refuse_implausible(replace(spar_recordings[0], signal=signal))


def test_finds_degrees_given_as_radians(spar_recordings: list[Recording]) -> None:
    signal = spar_recordings[0].signal.copy()
    signal[:, 3:] *= 180 / np.pi
    assert ("range", True) in kinds(replace(spar_recordings[0], signal=signal))


def test_missing_samples(spar_recordings: list[Recording]) -> None:
    signal = spar_recordings[0].signal.copy()
    signal[: len(signal) // 4, 5] = np.nan
    (finding,) = check_physics(replace(spar_recordings[0], signal=signal))
    assert (finding.kind, finding.severe) == ("missing", False) and finding.text.startswith("25.0%")
    signal[:, 5] = np.nan
    assert ("missing", True) in kinds(replace(spar_recordings[0], signal=signal))


def test_normalised_values_are_not_judged() -> None:
    channels = triad("acc", "waist", gravity=True, unit=NORMALISED)
    assert check_physics(still(channels=channels, signal=still().signal * 1000)) == []


def test_one_who_jumps_without_pause_is_plausible() -> None:
    """In flight nothing is felt, so most samples are near zero; over a whole jump the mean is gravity all the same."""
    flight = np.arange(1500) % 25 < 17  # 0.68 of each half second
    signal = still(1500).signal.copy()
    signal[:, 2] = np.where(flight, 1.0, (GRAVITY - 0.68) / 0.32)
    assert kinds(still(signal=signal)) == set()
    assert kinds(still(signal=signal / np.float32(GRAVITY))) == {("unit", True)}


def test_runs_end_where_any_label_changes() -> None:
    assert list(runs(np.array([3, 3, 1, 1, 1]))) == [(0, 2), (2, 5)]
    assert list(runs(np.array([0, 0, 0, 1]), np.array(["a", "b", "b", "b"]))) == [(0, 1), (1, 3), (3, 4)]
    assert list(runs(np.array([7]))) == [(0, 1)]
    assert list(runs(np.array([]))) == []


def test_an_activity_lasts_until_the_next_one_begins() -> None:
    times = np.array([-0.5, -0.1, 0.3, 0.7, 1.1, 1.5, 1.9])
    notes = annotate(np.array([1, 1, 0, 0, 2, 1, 1]), times, 1.8, ("", "walking", "sitting"))
    assert notes == (Annotation(0.0, 0.3, "walking"), Annotation(1.1, 1.5, "sitting"), Annotation(1.5, 1.8, "walking"))


def test_what_is_labelled_outside_the_recording_is_left_out() -> None:
    labels, times = np.array([0, 1, 0]), np.array([-2.0, -1.0, 0.0])
    assert annotate(labels, times, 3, ("walking", "sitting")) == (Annotation(0.0, 3.0, "walking"),)
    assert annotate(labels, times + 5, 3, ("walking", "sitting")) == ()
