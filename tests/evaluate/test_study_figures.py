from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import colors
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from tests.evaluate.small_study import CLASSES, PEOPLE, write_study
from tests.evaluate.test_figures import drawn_texts, overlapping

from otolith.evaluate import comparison_figures as compared
from otolith.evaluate import figures
from otolith.evaluate.comparisons import comparisons
from otolith.evaluate.counts import CountsFile
from otolith.evaluate.report import render
from otolith.evaluate.results_page import Extras, results_page
from otolith.evaluate.run_curves import charts_of, draw_runs, read_runs
from otolith.evaluate.signals import Span
from otolith.evaluate.study_figures import Gallery, draw
from otolith.evaluate.summary import Value, collect
from otolith.evaluate.timeline_file import RecordedTimeline
from otolith.palette import PALETTE
from otolith.types import DataError

WALK = RecordedTimeline("monday", (0.0, 4.0), (), [Span(0, 4, "walk", 0.8)])
LONG = [f"drawing figure {n} with the right hand" for n in range(27)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("figures") / "small.csv")


Saved = dict[str, tuple[Figure, Any]]


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> Saved:
    """What is saved, by name; nothing is rendered."""
    return catch(monkeypatch)


def catch(monkeypatch: pytest.MonkeyPatch) -> Saved:
    found: Saved = {}

    def save(figure: Figure, path: Path, data: Any = None, pdf: bool = False) -> None:
        assert pdf
        found[path.stem] = (figure, {name: list(values) for name, values in data.items()})

    monkeypatch.setattr(figures, "save", save)
    return found


@pytest.fixture(scope="module")
def drawn(path: Path) -> Saved:
    """All figures of the small study."""
    with pytest.MonkeyPatch.context() as patch:
        found = catch(patch)
        results = collect([path])
        draw(results, comparisons(results), Gallery(Path("nowhere")))
    return found


def test_every_kind_of_figure_that_the_results_give_is_drawn(drawn: Saved) -> None:
    place = "hand_made-loso"
    assert set(drawn) == {
        f"scores-{place}", f"classes-{place}", f"cost-{place}", f"confusion-{place}-student", f"people-{place}",
        f"differences-{place}", f"ranks-{place}", "few-examples-hand_made", "robustness-hand_made",
    }  # fmt: skip


def test_without_counts_there_is_nothing_of_people(path: Path, tmp_path: Path, saved: Saved) -> None:
    found = collect([write_study(tmp_path / "bare.csv", counts=False)])
    assert found.counts.empty
    draw(found, comparisons(found), Gallery(tmp_path))
    names = {name.split("-")[0] for name in saved}
    assert names == {"scores", "classes", "cost", "few", "robustness"}
    page = render(results_page(found, [], [path], [], Extras({})))
    assert "No counts lie beside the results files" in page


def test_bars_of_classes_are_the_mean_f1_and_the_worst_is_on_top(path: Path, drawn: Saved) -> None:
    figure, data = drawn["classes-hand_made-loso"]
    rows = collect([path]).rows
    axes = figure.axes[0]
    assert len(axes.patches) == 3 * len(CLASSES) == len(data["mean"])
    for model, name, mean in zip(data["model"], data["row"], data["mean"], strict=True):
        chosen = (rows["model"] == model) & (rows["metric"] == f"f1/{name}") & (rows["protocol"] == "loso")
        assert mean == pytest.approx(rows[chosen]["value"].mean())
    assert sorted(patch.get_width() for patch in axes.patches) == pytest.approx(sorted(data["mean"]))
    first = {row: mean for model, row, mean in zip(data["model"], data["row"], data["mean"], strict=True)
             if model == "student"}  # fmt: skip
    shown = [text.get_text() for text in axes.get_yticklabels()]
    assert shown == sorted(first, key=lambda name: first[name]) and axes.yaxis_inverted()


def test_dots_of_people_and_differences_between_models(path: Path, drawn: Saved) -> None:
    figure, data = drawn["people-hand_made-loso"]
    dots = [c.get_offsets() for c in figure.axes[0].collections]
    assert [len(d) for d in dots] == [len(PEOPLE)] * 3
    counts = CountsFile.beside(path).read()
    mine = counts[(counts["model"] == "nearest") & (counts["subject"] == "s10")]
    hits = mine[mine["truth"] == mine["predicted"]]["count"].sum() / mine["count"].sum()
    place = [i for i, pair in enumerate(zip(data["model"], data["row"], strict=True)) if pair == ("nearest", "s10")]
    assert data["mean"][place[0]] == pytest.approx(hits)
    figure, data = drawn["differences-hand_made-loso"]
    assert len(data["difference"]) == 2 * len(PEOPLE)
    shown = np.concatenate([c.get_offsets()[:, 0] for c in figure.axes[0].collections])
    assert len(shown) == 2 * len(PEOPLE) + 2, "a dot for each person and a diamond for each mean"
    assert set(np.round(data["difference"], 9)) <= set(np.round(shown, 9))


def test_ranks_have_a_line_for_each_model_and_a_bar_for_each_group() -> None:
    ranks = {"a": 1.2, "b": 2.0, "c": 3.1, "d": 3.7}
    figure = compared.critical_difference(ranks, 1.1, [["a", "b"], ["c", "d"]])
    axes = figure.axes[0]
    thick = [line.get_xdata() for line in axes.lines if line.get_linewidth() == 3]
    np.testing.assert_allclose(thick, [[1.17, 2.03], [3.07, 3.73]])
    starts = [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 3]
    assert starts == [1.2, 2.0, 3.1, 3.7]
    assert overlapping(drawn_texts(figure)) == []
    twenty = {f"a model with a long name {n}": 1 + 0.8 * n for n in range(20)}
    assert overlapping(drawn_texts(compared.critical_difference(twenty, 3.0, [list(twenty)[:4]]))) == []


def test_examples_and_disturbances_carry_their_spread(drawn: Saved) -> None:
    figure, data = drawn["few-examples-hand_made"]
    assert list(zip(data["model"], data["row"], strict=True)) == [
        ("student+ridge", "1"), ("student+ridge", "16"), ("nearest", "1"), ("nearest", "16"),
    ]  # fmt: skip
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["1", "16"]
    figure, data = drawn["robustness-hand_made"]
    assert set(data["row"]) == {"robustness-nothing", "robustness-noise-0.1"}
    dashed = [line.get_xdata()[0] for line in figure.axes[0].lines if line.is_dashed()]
    plain = [m for row, m in zip(data["row"], data["mean"], strict=True) if row == "robustness-nothing"]
    assert dashed == plain


def test_the_chosen_model_is_shown_in_place_of_the_best(path: Path, saved: Saved) -> None:
    found = collect([path])
    draw(found, comparisons(found), Gallery(path.parent), ["nearest"])
    names = saved
    assert "confusion-hand_made-loso-nearest" in names and "confusion-hand_made-loso-student" not in names
    _, data = names["confusion-hand_made-loso-nearest"]
    counts = CountsFile.beside(path).read()
    assert np.sum(data["matrix"]) == counts[counts["model"] == "nearest"]["count"].sum()
    assert data["classes"] == CLASSES


@pytest.mark.parametrize("models", [1, 3, 16])
def test_costs_stand_where_they_belong_and_names_do_not_overlap(models: int) -> None:
    value = Value(0.9, 0.88, 0.92)
    found = {f"variant-{n}": compared.Cost(value, 0.5 + n / 100, 0.3) for n in range(models)}
    figure = compared.cost_map({**found, "minirocket": compared.Cost(Value(0.89, 0.89, 0.89))})
    axes = figure.axes[0]
    np.testing.assert_allclose([c.get_offsets()[0] for c in axes.collections],
                               [[cost.size_mb, 0.9] for cost in found.values()])  # fmt: skip
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    names = [(t.get_text(), Text.get_window_extent(t, renderer)) for t in axes.texts]  # without the line to the mark
    assert len(names) == models + 1 and overlapping(names) == []
    assert [line.get_linestyle() for line in axes.lines].count(":") == 1


def test_twenty_seven_long_names_can_be_read() -> None:
    matrix = np.diag(np.arange(1, 28)) * 100
    figure = figures.confusion_matrix(matrix, LONG)
    assert overlapping(drawn_texts(figure)) == [] and figure.get_figwidth() < 9
    values = {model: {name: Value(0.5, 0.4, 0.6) for name in LONG} for model in ("a", "b", "c")}
    for figure in (compared.class_bars(values), compared.row_dots(values, "accuracy")):
        assert overlapping(drawn_texts(figure)) == [] and figure.get_figheight() < 11
        assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width + 1 for _, box in drawn_texts(figure))


def test_a_gallery_never_takes_a_name_twice_or_leaves_its_folder(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path)
    assert [gallery.take(name) for name in ("a b", "a-b", "../x", "a/b")] == ["a-b", "a-b-2", "..-x", "a-b-3"]


def test_saved_figures_lie_beside_their_data(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path)
    gallery.add("scores", figures.bars({"a": 0.5}), {"model": ["a"], "mean": [0.5]})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scores.csv", "scores.pdf", "scores.png"]
    assert pd.read_csv(tmp_path / "scores.csv").to_dict("list") == {"model": ["a"], "mean": [0.5]}


def test_curves_of_runs_are_read_and_a_last_unfinished_line_is_left_out(tmp_path: Path, saved: Saved) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        lines = [{"step": n, "kind": "train", "loss": 3.0 - n / 100} for n in range(1, 101)]
        lines.append({"step": 100, "kind": "val", "macro_f1": 0.7})
        text = "\n".join(json.dumps(line) for line in lines)
        (tmp_path / name / "metrics.jsonl").write_text(text + '\n{"step": 1')
    runs = read_runs(tmp_path)
    assert list(runs) == ["one", "two"] and runs["one"]["val/macro_f1"] == ([100], [0.7])
    draw_runs(runs, Gallery(tmp_path))
    figure, data = saved["training-loss-runs"]
    assert len(figure.axes[0].lines) == 2 and len(data["step"]) == 200
    assert len(saved["training-macro_f1-runs"][0].axes[0].lines) == 2
    nobody = '{"step": 1, "kind": "train", "loss": 1}\n{"step": 1, "kind": "val", "macro_f1": 0.0}\n'
    (tmp_path / "two" / "metrics.jsonl").write_text(nobody)
    assert list(read_runs(tmp_path)["two"]) == ["train/loss"], "nobody was held out"
    (tmp_path / "one" / "metrics.jsonl").write_text('{"step": 1}\n{}\n')
    with pytest.raises(DataError, match="line 1 is damaged"):
        read_runs(tmp_path)
    with pytest.raises(DataError, match="holds no training run"):
        read_runs(tmp_path / "three")


def test_runs_share_a_chart_with_those_of_their_folder_under_short_names() -> None:
    curve = {"train/loss": ([1], [1.0])}
    runs = [f"{data}/supervised/seed{seed}/cnn-{seed}234abcd" for data in ("tug", "spar") for seed in range(5)]
    charts = charts_of(dict.fromkeys(runs, curve))
    assert {title: list(mine) for title, mine in charts.items()} == {
        data: [f"seed{seed}/cnn" for seed in range(5)] for data in ("tug", "spar")
    }
    assert list(charts_of(dict.fromkeys(["a/cnn-1234abcd", "a/cnn-5678abcd"], curve))["runs"]) == [
        "cnn-1234abcd", "cnn-5678abcd",
    ], "names stay distinct"  # fmt: skip
    many = charts_of({f"run{i}": curve for i in range(20)})
    assert [len(mine) for mine in many.values()] == [8, 8, 4] and list(many) == ["runs", "runs, 2", "runs, 3"]
    assert charts_of({}) == {}


def test_a_mark_and_its_colour_are_unlike_all_others() -> None:
    assert len(set(figures.looks([str(i) for i in range(60)]).values())) == 60


def test_a_model_looks_alike_in_all_figures() -> None:
    models = ["ours", "forest", "linear"]
    assert figures.looks(["linear", "ours"], models).items() <= figures.looks(models).items()
    values = {model: {"a": Value(0.5, 0.4, 0.6)} for model in ("linear", "ours")}
    bars = compared.class_bars(values, models=models).axes[0].patches
    assert [colors.to_hex(bar.get_facecolor()).upper() for bar in bars] == [PALETTE[2], PALETTE[0]]
    dots = compared.row_dots(values, "accuracy", models=models).axes[0].collections
    assert [colors.to_hex(dot.get_facecolor()[0]).upper() for dot in dots] == [PALETTE[2], PALETTE[0]]


def test_the_page_shows_what_the_figures_show(path: Path) -> None:
    found = collect([path])
    people = comparisons(found)
    extras = Extras({"run": {"train/loss": ([1, 2], [2.0, 1.0])}}, timelines=[WALK])
    report = results_page(found, people, [path], [], extras)
    assert [section.heading for section in report.sections] == [
        "Protocol loso", "People", "A few examples", "Disturbed recordings", "Cost", "Training", "Timeline",
    ]  # fmt: skip
    page = render(report)
    for text in ("0.917", "−0.052", "rocket &amp; ridge", "critical difference", "1,234", "c0ffee"):
        assert text in page
    assert "http" not in page
