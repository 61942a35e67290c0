"""Real recordings (SPAR) as published, and with the mistakes that people make with them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faults import plant, write
from otolith.data.channels import GRAVITY, NORMALISED, Channel, triad
from otolith.data.quality.findings import Concern
from otolith.data.quality.inspection import Quality, inspect
from otolith.data.recording import Annotation, Recording
from otolith.data.store import Dataset

Inspect = Callable[..., Quality]


@pytest.fixture(scope="module")
def some(spar_recordings: list[Recording]) -> list[Recording]:
    """Sixteen of them: both wrists, all exercises, all people."""
    return spar_recordings[::9]


@pytest.fixture
def inspected(tmp_path: Path) -> Inspect:
    def run(recordings: Iterable[Recording], name: str = "own") -> Quality:
        return inspect(write(recordings, tmp_path / name, name))

    return run


def severe(quality: Quality) -> dict[str, str]:
    """Kind and sentence of each severe finding; there is one of a kind."""
    found = [concern for concern in quality.concerns() if concern.severe]
    assert len({concern.kind for concern in found}) == len(found), found
    return {concern.kind: concern.text for concern in found}


def of_kind(quality: Quality, kind: str) -> list[Concern]:
    return [concern for concern in quality.concerns() if concern.kind == kind]


def still(name: str, subject: str = "1", seed: int = 0, **changes: object) -> Recording:
    """A device that lies face up for ten seconds, with a little noise."""
    signal = np.random.default_rng(seed).normal(0, 0.02, (500, 3)).astype(np.float32)
    signal[:, 2] += GRAVITY
    values = {"signal": signal, "rate": 50.0, "channels": triad("acc", "waist", gravity=True), **changes}
    return Recording(subject=subject, name=name, **values)  # type: ignore[arg-type]


def test_clean_data_is_clean(some: list[Recording], inspected: Inspect) -> None:
    for name in ("own", "spar"):
        quality = inspected(some, name)
        assert [c.kind for c in quality.concerns() if c.kind != "balance"] == []
    assert all(quality.gyroscope.settled(body) for body in quality.gyroscope.bodies)
    assert quality.unjudged() == []  # as "spar", its card says how the watch is worn


FAULTS = {
    "g": {"unit": "values look like g: give the unit as g"},
    "deg": {
        "unit": "looks like deg/s declared as rad/s",
        "range": "that such a sensor can give; values look like deg/s",
    },
    "rad": {"unit": "looks 57.3 times too small"},
    "double": {"rate": r"looks too high by 2 (100 Hz declared, 50 Hz fits)"},
    "half": {"rate": r"looks too low by 2 (25 Hz declared, 50 Hz fits)"},
    "mirror": {"axes": "looks mirrored in x and y against the accelerometer"},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_and_named(fault: str, some: list[Recording], inspected: Inspect) -> None:
    found = severe(inspected(plant(recording, fault) for recording in some))
    assert found.keys() == FAULTS[fault].keys()
    for kind, words in FAULTS[fault].items():
        assert words in found[kind]


def test_two_faults_at_once_are_both_named(some: list[Recording], inspected: Inspect) -> None:
    found = severe(inspected(plant(recording, "deg", "double") for recording in some))
    assert "deg/s declared as rad/s" in found["unit"] and "too high by 2" in found["rate"]
    found = severe(inspected(plant(recording, "g", "half") for recording in some))
    assert "values look like g" in found["unit"] and "too low by 2" in found["rate"]


def test_one_wrong_recording_among_many_is_named(some: list[Recording], inspected: Inspect) -> None:
    quality = inspected(plant(r, "deg") if k == 3 else r for k, r in enumerate(some))
    (unit,) = of_kind(quality, "unit")
    assert unit.severe and unit.text.startswith("in 1 of 16 recordings") and unit.examples == (some[3].name,)


def test_the_sign_of_gravity_is_known_from_the_card_only(some: list[Recording], inspected: Inspect) -> None:
    wrong = [plant(recording, "sign") for recording in some]
    found = severe(inspected(wrong, "spar"))
    assert found.keys() == {"gravity sign"}
    assert "reverse the sign of acceleration" in found["gravity sign"] and "'left wrist'" in found["gravity sign"]
    unknown = inspected(wrong)
    assert severe(unknown) == {}
    assert "the sign of gravity at 'left wrist', 'right wrist'" in unknown.unjudged()[0]


def test_a_few_reversed_recordings_are_a_note(some: list[Recording], inspected: Inspect) -> None:
    quality = inspected((plant(r, "sign") if k == 5 else r for k, r in enumerate(some)), "spar")
    (sign,) = of_kind(quality, "gravity sign")
    assert not sign.severe and sign.examples == (some[5].name,) and "the other way up" in sign.text


def test_the_cards_rate_is_compared(some: list[Recording], inspected: Inspect) -> None:
    quality = inspected((plant(r, "half") if k < 4 else r for k, r in enumerate(some)), "spar")
    texts = [concern.text for concern in of_kind(quality, "rate") if concern.severe]
    assert (
        "in 4 of 16 recordings the sampling rate is 25 Hz, which is 0.5 times the 50 Hz of the dataset's card"
        in texts[0]
    )
    close = inspected((replace(r, rate=50.9, annotations=()) for r in some), "spar")
    assert of_kind(close, "rate") == []


def test_a_card_is_not_used_for_other_channels(inspected: Inspect) -> None:
    quality = inspected([still("one")], "spar")
    assert quality.card is None
    assert "not those of the card of 'spar'" in of_kind(quality, "channels")[0].text


@pytest.mark.parametrize(("sign", "expected"), [(1, []), (-1, ["gravity sign"])])
def test_acceleration_with_and_without_gravity_must_agree(
    sign: int, expected: list[str], some: list[Recording], inspected: Inspect
) -> None:
    """Core Motion's pair, the total reversed and the user's part forgotten."""
    recordings = []
    for recording in some[:4]:
        total = recording.signal[:, :3].astype(np.float64)
        smooth = np.apply_along_axis(lambda c: np.convolve(c, np.ones(50) / 50, "same"), 0, total)
        gravity = smooth / np.linalg.norm(smooth, axis=1, keepdims=True) * GRAVITY
        pair = np.hstack([total, sign * (total - gravity)]).astype(np.float32)
        channels = (*triad("acc", "wrist", gravity=True), *triad("acc", "wrist", gravity=False, prefix="user_"))
        recordings.append(replace(recording, signal=pair, channels=channels))
    found = [c for c in inspected(recordings).concerns() if c.severe]
    assert [c.kind for c in found] == expected
    assert all("with and without gravity" in c.text for c in found)


@pytest.mark.parametrize(("up", "noted"), [(-1, 0), (1, 1)])
def test_a_field_that_points_up_is_noted(up: int, noted: int, some: list[Recording], inspected: Inspect) -> None:
    recordings = []
    for recording in some[:4]:
        signal = np.hstack([recording.signal[:, :3], up * 5 * recording.signal[:, :3]])
        channels = (*recording.channels[:3], *triad("mag", "left wrist", device="smartwatch", unit=NORMALISED))
        channels = tuple(replace(c, placement="left wrist") for c in channels)
        recordings.append(replace(recording, signal=signal, channels=channels))
    found = of_kind(inspected(recordings), "magnetometer")
    assert len(found) == noted and not any(c.severe for c in found)


@pytest.mark.parametrize(("steps", "expected"), [(1.8, []), (3.7, [True]), (0.9, [False])])
def test_steps_tell_the_rate_where_there_is_no_gyroscope(
    steps: float, expected: list[bool], inspected: Inspect
) -> None:
    beat = np.sin(2 * np.pi * steps * np.arange(500) / 50)
    recordings = []
    for k in range(3):
        one = still(f"r{k}", f"{k}", seed=k, annotations=(Annotation(0.0, 10.0, "walking"),))
        one.signal[:, 2] += (3 * beat).astype(np.float32)
        recordings.append(one)
    quality = inspected(recordings)
    assert [concern.severe for concern in of_kind(quality, "rate")] == expected
    assert quality.cadence.steps()["sensor at the waist"] == pytest.approx(steps, abs=0.05)
    assert of_kind(inspected(recordings[:2]), "rate") == []  # two people are too few to say so


def test_missing_held_and_padded_samples(some: list[Recording], inspected: Inspect) -> None:
    signals = [recording.signal.copy() for recording in some[:4]]
    signals[0][100:150, 5] = np.nan
    signals[1][200:300, :3] = signals[1][200, :3]
    signals[2][-100:] = 0
    recordings = [replace(recording, signal=signal) for recording, signal in zip(some, signals, strict=False)]
    quality = inspected(recordings)
    for kind, number, longest in (("missing", 0, 1.0), ("held", 1, 2.0), ("padding", 2, 2.0)):
        (concern,) = of_kind(quality, kind)
        assert concern.examples == (some[number].name,) and not concern.severe
        assert quality.gaps.longest(kind) == pytest.approx(longest)
    assert quality.gaps.share("missing") == pytest.approx(1 / sum(r.duration for r in recordings))


def test_a_dataset_of_zeros_is_worthless(some: list[Recording], inspected: Inspect) -> None:
    half = [replace(r, signal=np.vstack([r.signal, 0 * r.signal])) for r in some[:3]]
    assert [c.severe for c in of_kind(inspected(half), "padding")] == [True]


def test_a_range_that_is_too_small_is_noted(some: list[Recording], inspected: Inspect) -> None:
    def cut(recording: Recording) -> Recording:
        signal = recording.signal.copy()
        signal[:, :3] = signal[:, :3].clip(-1.5 * GRAVITY, 1.5 * GRAVITY)
        return replace(recording, signal=signal)

    (found,) = of_kind(inspected(map(cut, some)), "saturation")
    assert "is cut off at 14.71 m/s^2" in found.text and not found.severe
    assert of_kind(inspected(some), "saturation") == []


def test_copies_of_whole_recordings(some: list[Recording], inspected: Inspect) -> None:
    same = replace(some[3], name="again")
    (found,) = of_kind(inspected([*some, same]), "duplicate")
    assert not found.severe and f"'{some[3].name}' is 'again'" in found.text
    (found,) = of_kind(inspected([*some, replace(same, subject="someone else")]), "duplicate")
    assert found.severe and "no split keeps them apart" in found.text and found.recordings == 2


def test_copies_of_stretches_are_found_wherever_they_begin(some: list[Recording], inspected: Inspect) -> None:
    signal = some[0].signal.copy()
    signal[301:701] = some[7].signal[123:523]
    (found,) = of_kind(inspected([replace(some[0], signal=signal), *some[1:]]), "duplicate")
    assert found.severe and {some[0].name, some[7].name} == set(found.examples)


def test_stillness_is_no_copy(inspected: Inspect) -> None:
    quiet = [replace(still(f"r{k}", f"{k}", seed=k)) for k in range(2)]
    for recording in quiet:
        recording.signal[50:450] = (0, 0, GRAVITY)
    assert of_kind(inspected(quiet), "duplicate") == []


def test_who_did_what(inspected: Inspect) -> None:
    def done(name: str, subject: str, *spans: tuple[float, float, str]) -> Recording:
        return still(name, subject, seed=len(name), annotations=tuple(Annotation(*span) for span in spans))

    quality = inspected(
        [done("a", "1", (0, 8, "walking"), (8, 8.1, "sitting")), done("bb", "2", (0, 8, "walking"), (8, 10, "lying"))]
    )
    people, activities, seconds = quality.balance.table()
    assert people == ["1", "2"] and activities == ["walking", "lying", "sitting"]
    assert seconds.tolist() == [pytest.approx([8, 0, 0.1]), pytest.approx([8, 2, 0])]
    assert quality.balance.unlabelled() == pytest.approx(1.9 / 20)
    texts = " ".join(concern.text for concern in of_kind(quality, "balance"))
    assert "'lying', 'sitting' are done by one person only" in texts and "'sitting' has less than 5%" in texts


def test_short_recordings_and_missing_people(some: list[Recording], inspected: Inspect) -> None:
    short = replace(some[0], signal=some[0].signal[:60], annotations=())
    texts = [c.text for c in of_kind(inspected([short, *some[1:4]], "spar"), "balance")]
    assert "2 of the 10 people of the full archive are here" in texts
    assert any(text.startswith("in 1 of 4 recordings there is less than 2 s of signal") for text in texts)


def test_what_is_no_inertial_sensor_is_passed_over(inspected: Inspect) -> None:
    joint = tuple(Channel(f"elbow_{a}", "position", a, "elbow", "depth camera") for a in "xyz")
    rng = np.random.default_rng(0)
    recordings = [
        still("skeleton", rate=30.0, channels=joint, signal=rng.normal(1, 0.1, (300, 3)).astype(np.float32)),
        still("lost", signal=rng.normal(0, 90, (300, 3)).astype(np.float32),
              channels=triad("acc", "waist", gravity=True, unit=NORMALISED)),
        still("heart", rate=9.0, channels=(Channel("heart_rate", "heart_rate", "", "chest"),),
              signal=np.full((90, 1), 61, np.float32)),
    ]  # fmt: skip
    quality = inspected(recordings)
    assert {c.kind for c in quality.concerns()} == {"stuck"} and severe(quality) == {}
    assert quality.units.rest() == {} and quality.gyroscope.bodies == [] and quality.unjudged() == []


def test_a_stuck_channel_is_one_line(some: list[Recording], inspected: Inspect) -> None:
    def stick(recording: Recording) -> Recording:
        signal = recording.signal.copy()
        signal[:, 4:] = 0.25
        return replace(recording, signal=signal)

    (found,) = of_kind(inspected(stick(r) if k < 3 else r for k, r in enumerate(some)), "stuck")
    assert found.text == "in 3 of 16 recordings channel 'gyro_y' never changes (and so does 'gyro_z')"


def test_a_gyroscope_alone_is_judged_by_its_size(some: list[Recording], inspected: Inspect) -> None:
    def alone(recording: Recording) -> Recording:
        return replace(recording, signal=recording.signal[:, 3:], channels=recording.channels[3:])

    assert severe(inspected(map(alone, some))) == {}
    found = severe(inspected(plant(alone(recording), "deg") for recording in some))
    assert "values look like deg/s: give the unit as deg/s" in found["unit"]


def test_one_recording_at_a_time_is_held(
    some: list[Recording], inspected: Inspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that was seen keeps a signal, or a view of it, alive: memory does not grow with a dataset."""
    signals: list[weakref.ref[np.ndarray]] = []
    read = Dataset.read

    def counted(dataset: Dataset, number: int) -> Recording:
        assert sum(signal() is not None for signal in signals) <= 1
        recording = read(dataset, number)
        signals.append(weakref.ref(recording.signal))
        return recording

    monkeypatch.setattr(Dataset, "read", counted)
    quality = inspected(some[:6])
    assert len(signals) == 6 and quality.balance.total == 6
