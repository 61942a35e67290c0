from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from otolith.evaluate.baselines import (
    Baseline,
    LogisticOnStatistics,
    Majority,
    MiniRocketRidge,
    NearestRawWindow,
    statistics,
)
from otolith.evaluate.metrics import scores
from otolith.types import DataError, MissingExtraError

if TYPE_CHECKING:
    from tests.evaluate.conftest import Windows

needs_aeon = pytest.mark.skipif(find_spec("aeon") is None, reason="the extra `baselines` is not installed")


def controls(windows: Windows) -> list[Baseline]:
    return [LogisticOnStatistics(windows.triads), NearestRawWindow(), Majority()]


def test_people_never_seen_are_recognised_far_above_chance(spar_windows: Windows) -> None:
    people = sorted(set(spar_windows.subjects))
    who = np.array(spar_windows.subjects)
    train, test = spar_windows.of(np.isin(who, people[:4])), spar_windows.of(np.isin(who, people[4:6]))
    classes = sorted(set(spar_windows.labels))
    found = {
        control.name: scores(test.labels, control.fit(train.x, train.labels).predict(test.x), classes)["macro_f1"]
        for control in controls(spar_windows)
    }
    assert found["logistic-on-statistics"] > 0.75
    assert found["nearest-raw-window"] > 0.5
    assert found["majority"] < 1 / len(classes)


@pytest.mark.slow
def test_the_published_control_is_reached(spar_windows: Windows) -> None:
    """Statistics and FFT with logistic regression: 86.5 accuracy, 87.8 macro-F1 over five groups of people."""
    predicted = np.empty(len(spar_windows.labels), dtype=object)
    who = np.array(spar_windows.subjects)
    for train, test in GroupKFold(5).split(who, groups=who):
        labels = [spar_windows.labels[i] for i in train]
        model = LogisticOnStatistics(spar_windows.triads).fit(spar_windows.x[train], labels)
        predicted[test] = model.predict(spar_windows.x[test])
    found = scores(spar_windows.labels, list(predicted), sorted(set(spar_windows.labels)))
    assert found["accuracy"] == pytest.approx(0.865, abs=0.025)
    assert found["macro_f1"] == pytest.approx(0.878, abs=0.025)


def test_missing_samples_are_borne(spar_windows: Windows) -> None:
    train = spar_windows.of(np.array(spar_windows.subjects) == spar_windows.subjects[0])
    holes = train.x[:40].copy()
    holes[:, 20:40, 1] = np.nan
    holes[3, :, 4] = np.nan
    for control in controls(spar_windows):
        predicted = control.fit(train.x, train.labels).predict(holes)
        share = np.mean([p == t for p, t in zip(predicted, train.labels[:40], strict=True)])
        assert share > 0.8 or control.name == "majority"


def test_statistics_of_a_known_wave() -> None:
    seconds = np.arange(200) / 50
    wave = 3 + 2 * np.sin(2 * np.pi * 5 * seconds + 0.1)
    found = statistics(wave[None, :, None])[0]
    assert found.shape == (23,)
    mean, deviation, low, high, _, median, _, energy, _, zeros, means = found[:11]
    assert [mean, deviation, median, energy] == pytest.approx([3, np.sqrt(2), 3, 11], abs=0.02)
    assert [low, high] == pytest.approx([1, 5], abs=0.1)  # ten samples a period miss the very peak
    # A 5 Hz wave crosses its mean 10 times a second: 40 of 199 steps. It never crosses zero.
    assert means == pytest.approx(40 / 199, abs=1.01 / 199)
    assert zeros == 0
    assert found[-2] == pytest.approx(5 / 50)
    tone, noise = found[-1], statistics(np.random.default_rng(0).normal(size=(1, 200, 1)))[0, -1]
    assert tone < 0.35 < 0.8 < noise <= 1


def test_magnitude_does_not_change_when_the_sensor_turns() -> None:
    rng = np.random.default_rng(0)
    windows = rng.normal(size=(3, 100, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    plain, turned = (statistics(w, [(0, 1, 2)]).reshape(3, -1, 4) for w in (windows, windows @ turn))
    np.testing.assert_allclose(plain[..., 3], turned[..., 3], rtol=1e-6, atol=1e-9)
    assert not np.allclose(plain[..., :3], turned[..., :3])


def test_nearest_gives_each_channel_the_same_say() -> None:
    # The label is in channel 0; channel 1 is noise, a thousand times as large.
    rng = np.random.default_rng(0)
    labels = ["low", "high"] * 30
    level = np.array([0.0, 1.0] * 30)[:, None, None]
    windows = np.concatenate([level + 0.01 * rng.normal(size=(60, 20, 1)), 1000 * rng.normal(size=(60, 20, 1))], axis=2)
    assert NearestRawWindow().fit(windows[:40], labels[:40]).predict(windows[40:]) == labels[40:]


def test_majority_ties_go_by_the_alphabet() -> None:
    assert Majority().fit(np.zeros((4, 8, 1)), ["b", "a", "a", "b"]).predict(np.zeros((2, 8, 1))) == ["a", "a"]


@pytest.mark.parametrize(
    "control", [LogisticOnStatistics(), MiniRocketRidge(), NearestRawWindow(), Majority()], ids=lambda c: c.name
)
def test_nothing_to_learn_from_is_said(control: Baseline) -> None:
    with pytest.raises(DataError, match="at least one labelled window"):
        control.fit(np.zeros((0, 8, 1)), [])
    with pytest.raises(ValueError, match="N labels"):
        control.fit(np.zeros((2, 8, 1)), ["a"])


def test_one_class_is_too_few_for_a_regression() -> None:
    with pytest.raises(DataError, match="at least two classes"):
        LogisticOnStatistics().fit(np.zeros((2, 8, 1)), ["a", "a"])


@pytest.fixture(scope="module")
def two_people(spar_windows: Windows) -> Windows:
    """Every third window of two people: enough to learn from, and quick."""
    who = np.array(spar_windows.subjects)
    return spar_windows.of(np.isin(who, sorted(set(who))[:2]) & (np.arange(len(who)) % 3 == 0))


@needs_aeon
def test_minirocket_recognises_people_never_seen_far_above_chance(spar_windows: Windows) -> None:
    people = sorted(set(spar_windows.subjects))
    who, third = np.array(spar_windows.subjects), np.arange(len(spar_windows.subjects)) % 3 == 0
    train, test = (spar_windows.of(np.isin(who, part) & third) for part in (people[:4], people[4:6]))
    predicted = MiniRocketRidge().fit(train.x, train.labels).predict(test.x)
    assert scores(test.labels, predicted, sorted(set(train.labels)))["macro_f1"] > 0.7


@needs_aeon
def test_minirocket_is_the_same_for_a_seed_and_leaves_global_randomness_alone(two_people: Windows) -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    x, labels = two_people.x, two_people.labels
    one, same, other = (MiniRocketRidge(seed).fit(x, labels) for seed in (3, 3, 4))
    noise = np.random.default_rng(0).normal(
        size=(50, *x.shape[1:])
    )  # no label is right: the answers are the model's own
    assert one.predict(noise) == same.predict(noise)
    np.testing.assert_array_equal(one._model[-1].coef_, same._model[-1].coef_)
    assert not np.allclose(one._model[-1].coef_, other._model[-1].coef_)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@needs_aeon
def test_minirocket_bears_missing_samples(two_people: Windows) -> None:
    x, labels = two_people.x, two_people.labels
    holes = x.copy()
    holes[:, 20:40, 1] = np.nan
    holes[3, :, 4] = np.nan
    for train in (x, holes):
        predicted = MiniRocketRidge().fit(train, labels).predict(holes)
        assert np.mean([p == t for p, t in zip(predicted, labels, strict=True)]) > 0.9


@needs_aeon
@pytest.mark.parametrize("channels", [1, 2])
def test_minirocket_learns_from_the_shortest_windows(channels: int) -> None:
    up = np.linspace(0, 1, 9)[None, :, None]
    rng = np.random.default_rng(0)
    windows = np.concatenate([up, -up] * 10).repeat(channels, axis=2) + 0.01 * rng.normal(size=(20, 9, channels))
    labels = ["up", "down"] * 10
    model = MiniRocketRidge().fit(windows[:10], labels[:10])
    assert model.predict(windows[10:]) == labels[10:]
    assert model.predict(windows[:0]) == []
    with pytest.raises(ValueError, match=rf"\[N, 9, {channels}\]"):
        model.predict(np.zeros((1, 10, channels)))


def test_minirocket_says_what_it_cannot_learn_from() -> None:
    with pytest.raises(DataError, match="windows of 8 samples are too short for MiniRocket: give at least 9 samples"):
        MiniRocketRidge().fit(np.zeros((2, 8, 1)), ["a", "b"])
    with pytest.raises(DataError, match="at least two classes"):
        MiniRocketRidge().fit(np.zeros((2, 9, 1)), ["a", "a"])


def test_minirocket_names_the_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aeon", None)
    monkeypatch.setitem(sys.modules, "aeon.transformations.collection.convolution_based", None)
    with pytest.raises(MissingExtraError, match=r"'minirocket' needs 'aeon'.*otolith\[baselines\]"):
        MiniRocketRidge().fit(np.zeros((2, 9, 1)), ["a", "b"])


def test_controls_are_imported_without_aeon() -> None:
    code = "import otolith.evaluate.baselines, sys; print({'aeon', 'numba'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
