from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from otolith.evaluate.explanation_figures import randomisation_steps, removal_curves, rollout_matrices, signal_map
from otolith.evaluate.figures import save
from otolith.evaluate.signals import Trace

TRACES = [Trace("wrist_acc_x", "m/s^2"), Trace("wrist_gyro_x", "rad/s")]
TIME = np.array([0.1, 0.2, 0.3, 0.6])  # patches of different length


@pytest.mark.parametrize(("signed", "low"), [(True, -1), (False, 0)])
def test_a_map_shows_each_channel_over_its_own_colours(signed: bool, low: float) -> None:
    signal = np.array([[1.0, 5], [2, 5], [3, 5], [4, 5]])  # the second one stands still
    weight = np.array([[0.0, 1], [0, 2], [0, 4], [0, -2]]) if signed else np.eye(4)[:, :2]
    figure = signal_map(TIME, signal, weight, TRACES, "a title", signed=signed)
    one, two = figure.axes[:2]
    assert one.get_title(loc="left") == "a title" and one.get_ylabel() == "acc x\n(m/s²)"
    np.testing.assert_array_equal(one.lines[0].get_xydata(), np.column_stack([TIME, signal[:, 0]]))
    heat = two.collections[0]
    assert heat.norm.vmin == low and figure.axes[-1].get_ylim() == (low, 1)
    if signed:
        np.testing.assert_allclose(np.asarray(heat.get_array())[0], [0.25, 0.5, 1, -0.5], rtol=0.02)
    np.testing.assert_allclose(one.get_xlim(), (0.05, 0.75))


def test_a_panel_for_each_layer_scaled_by_what_tokens_take_from_others() -> None:
    matrices = np.stack([np.eye(3) * 0.7 + 0.1, np.eye(3) * 0.4 + 0.2])
    figure = rollout_matrices(matrices, ["layer 1", "layer 2"], ["class", "1", "2"])
    images = [axes.images[0] for axes in figure.axes[:2]]
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == ["layer 1", "layer 2"]
    assert all(image.norm.vmax == pytest.approx(0.2) for image in images)
    np.testing.assert_array_equal(images[1].get_array(), matrices[1])


def test_curves_are_means_over_segments() -> None:
    shares, falling = np.linspace(0, 1, 5), np.array([[1.0, 0.5, 0.2, 0.1, 0], [0.8, 0.3, 0.2, 0.1, 0]])
    figure = removal_curves(shares, {"ig": (falling, falling[:, ::-1]), "random orders": (falling, falling)})
    deletion, insertion = figure.axes
    np.testing.assert_allclose(deletion.lines[0].get_ydata(), falling.mean(0))
    np.testing.assert_allclose(insertion.lines[0].get_ydata(), falling[:, ::-1].mean(0))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ig", "random orders"]


def test_the_cascade_begins_as_trained() -> None:
    figure = randomisation_steps({"ig": {"head": 0.1, "layer 1": 0.0}, "rollout": {"head": 1.0, "layer 1": 0.2}})
    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["as trained", "head", "layer 1"]
    assert list(axes.lines[1].get_ydata()) == [1.0, 1.0, 0.2]


def test_they_can_be_saved_with_their_data(tmp_path: Path) -> None:
    figure = signal_map(TIME, np.zeros((4, 2)), np.zeros((4, 2)), TRACES, "nothing", signed=True)
    save(figure, tmp_path / "map.png", {"time_s": TIME}, pdf=True)
    assert {path.name for path in tmp_path.iterdir()} == {"map.png", "map.pdf", "map.csv"}
