from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from otolith.evaluate import figures
from otolith.evaluate.signals import Span

if TYPE_CHECKING:
    from otolith.data.recording import Recording

TRACES = [(f"wrist_{s}_{a}", u) for s, u in (("acc", "m/s^2"), ("gyro", "rad/s")) for a in "xyz"]


def drawn_texts(figure: Figure) -> list[tuple[str, Bbox]]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    found = figure.findobj(lambda a: isinstance(a, Text) and a.get_visible() and bool(a.get_text().strip()))
    # Ticks beyond the limits exist, but are not drawn.
    for axis in [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]:
        low, high = sorted(axis.get_view_interval())
        beyond = [t for t in axis.get_major_ticks() if not low <= t.get_loc() <= high]
        found = [text for text in found if not any(text in (t.label1, t.label2) for t in beyond)]
    return [(t.get_text(), t.get_window_extent(renderer)) for t in found]


def overlapping(texts: list[tuple[str, Bbox]]) -> list[tuple[str, str]]:
    return [
        (a, b)
        for i, (a, one) in enumerate(texts)
        for b, two in texts[i + 1 :]
        if min(one.x1, two.x1) - max(one.x0, two.x0) > 1 and min(one.y1, two.y1) - max(one.y0, two.y0) > 1
    ]


def timeline(recording: Recording, segments: list[Span], truth: list[Span] | None = None) -> Figure:
    seconds = np.arange(len(recording.signal)) / recording.rate
    return figures.timeline(seconds, recording.signal, TRACES, segments, truth)


def test_timeline_has_a_bar_for_each_segment_over_the_signal(spar_recordings: list[Recording]) -> None:
    one = spar_recordings[0]
    half = one.duration / 2
    segments = [Span(0, half, "pendulum", 0.9), Span(half, one.duration, "upright row", 0.2)]
    figure = timeline(one, segments, [Span(0, one.duration, "pendulum")])
    rows, acc, gyro = figure.axes
    boxes = [p for p in rows.patches if isinstance(p, Rectangle)]
    places = [(b.get_x(), b.get_width()) for b in boxes]
    np.testing.assert_allclose(places, [(0, half), (half, half), (0, one.duration)])
    assert boxes[0].get_facecolor()[:3] == boxes[2].get_facecolor()[:3] != boxes[1].get_facecolor()[:3]
    assert boxes[0].get_facecolor()[3] > boxes[1].get_facecolor()[3]
    assert [acc.get_title("left"), gyro.get_title("left")] == ["wrist acc (m/s²)", "wrist gyro (rad/s)"]
    assert len(acc.lines) == len(gyro.lines) == 3
    assert gyro.get_xlabel() == "time (s)"
    np.testing.assert_allclose(acc.lines[0].get_ydata().max(), one.signal[:, 0].max(), rtol=1e-6)


@pytest.mark.parametrize("length", [0.3, 1.0, 2.5, 7.0])
def test_timeline_labels_never_overlap(spar_recordings: list[Recording], length: float) -> None:
    one = spar_recordings[0]
    starts = np.arange(0, one.duration - length, length)
    names = ["external rotation", "sit", "Ascending the stairs with $5 in hand"]
    segments = [Span(s, s + length, names[i % 3]) for i, s in enumerate(starts)]
    figure = timeline(one, segments, [Span(0, one.duration, "external rotation")])
    texts = drawn_texts(figure)
    assert overlapping(texts) == []
    inside = [t.get_text() for t in figure.axes[0].texts]
    assert "external rotation" in inside
    assert ("sit" in inside) == (length >= 1.0)
    width = figure.bbox.width
    assert all(box.x0 >= 0 and box.x1 <= width for _, box in texts)


def test_timeline_without_segments_still_shows_the_signal(spar_recordings: list[Recording]) -> None:
    figure = timeline(spar_recordings[0], [])
    assert not figure.axes[0].patches
    assert len(figure.axes[1].lines) == 3


def test_confusion_matrix_prints_the_counts_and_shades_the_shares() -> None:
    figure = figures.confusion_matrix(np.array([[8, 2, 0], [0, 5, 0]]), ["walk", "sit"])
    axes = figure.axes[0]
    assert sorted(t.get_text() for t in axes.texts) == ["2", "5", "8"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.8, 0.2], [0, 1]])
    other = figures.confusion_matrix(np.array([[8, 2, 1], [0, 5, 0]]), ["walk", "sit"])
    assert [t.get_text() for t in other.axes[0].get_xticklabels()] == ["walk", "sit", "none of these"]
    with pytest.raises(ValueError, match="does not belong"):
        figures.confusion_matrix(np.zeros((3, 3)), ["walk", "sit"])


def test_loss_curves_draw_each_history_with_its_name() -> None:
    figure = figures.loss_curves({"masked": ([0, 1, 2], [3.0, 2.0, 1.0]), "contrast": ([0, 2], [5.0, 4.0])})
    lines = figure.axes[0].lines
    assert [line.get_label() for line in lines] == ["masked", "contrast"]
    assert list(lines[0].get_ydata()) == [3, 2, 1]
    assert lines[0].get_color() != lines[1].get_color()


def test_embedding_map_has_every_point_once() -> None:
    points = np.random.default_rng(0).normal(size=(50, 2))
    labels = ["a", "b"] * 25
    figure = figures.embedding_map(points, labels)
    shown = np.concatenate([c.get_offsets() for c in figure.axes[0].collections])
    assert sorted(map(tuple, shown)) == sorted(map(tuple, points))


def test_bars_stand_in_order_with_their_intervals() -> None:
    figure = figures.bars({"ours": 0.8, "chance": 0.14}, {"ours": (0.7, 0.85)})
    axes = figure.axes[0]
    assert [p.get_width() for p in axes.patches] == [0.8, 0.14]
    assert [list(line.get_xdata()) for line in axes.lines] == [[0.7, 0.85]]
    assert axes.yaxis_inverted()
    assert overlapping(drawn_texts(figure)) == []


def test_kshot_curves_have_ticks_where_k_is() -> None:
    figure = figures.kshot_curves({"ours": ([1, 4, 16], [0.5, 0.7, 0.8])}, {"ours": ([0.4, 0.6, 0.7], [0.6, 0.8, 0.9])})
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "4", "16"]
    assert len(axes.collections) == 1


def test_saving_writes_the_figure_and_its_data(tmp_path: Path) -> None:
    figure = figures.loss_curves({"loss": ([0, 1], [2.0, 1.0])})
    figures.save(figure, tmp_path / "plots" / "loss.png", {"step": [0, 1], "loss": [2.0, 1.0]}, pdf=True)
    assert (tmp_path / "plots" / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "plots" / "loss.pdf").read_bytes().startswith(b"%PDF")
    with (tmp_path / "plots" / "loss.csv").open(newline="") as handle:
        assert list(csv.reader(handle)) == [["step", "loss"], ["0", "2.0"], ["1", "1.0"]]
    figures.save(figure, tmp_path / "matrix.png", {"matrix": np.eye(2), "classes": ["a", "b"]})
    assert json.loads((tmp_path / "matrix.json").read_text()) == {"matrix": [[1, 0], [0, 1]], "classes": ["a", "b"]}
    assert not (tmp_path / "matrix.pdf").exists()


def test_the_users_own_matplotlib_is_left_alone() -> None:
    """No window system, no pyplot, no changed style; and importing the module costs no matplotlib."""
    code = (
        "import sys, otolith.evaluate.figures as f\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib\n"
        "style = lambda: {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != 'backend'}\n"
        "before = style()\n"
        "f.loss_curves({'a': ([0, 1], [1, 2])})\n"
        "assert style() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(Path(figures.__file__).parents[2])})
