from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from otolith.evaluate.report import (
    Bar,
    Bars,
    Confusion,
    Content,
    Curves,
    EmbeddingMap,
    Group,
    Highlight,
    Report,
    Score,
    Section,
    Series,
    Span,
    Table,
    Timeline,
    Trace,
    render,
    thin,
    write,
)

if TYPE_CHECKING:
    from otolith.data.recording import Recording

EVIL = "<script>alert('1')</script>\"><img src=x onerror=alert(2)>{{ 7 * 7 }}"
VOID = {"meta", "link", "br", "img", "input", "hr"}
TRACES = [Trace(f"wrist_{s}_{a}", u) for s, u in (("acc", "m/s^2"), ("gyro", "rad/s")) for a in "xyz"]


class Page(HTMLParser):
    """Elements and texts of a page; fails on elements that do not close in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [a for t, a in self.elements if t == tag and all(a.get(k) == v for k, v in attributes.items())]


def page(*contents: Content) -> Page:
    return Page(render(Report("Title", "Summary.", [Section("Heading", "First.\n\nSecond.", contents)])))


def everything(label: str, signal: np.ndarray) -> Sequence[Content]:
    spans = [Span(0, 3, label, 0.9), Span(3, 6, "other", 0.4)]
    return [
        Table([label, "score"], [[label, Score(0.5, 0.4, 0.6)], ["b", 0.25]], label, [0]),
        Bars([Bar(label, 0.7, 0.6, 0.8, True), Bar("b", 0.2)], label, 0.14, label),
        Curves(
            [Series(label, [0, 1, 2], [3.0, np.nan, 1.0]), Series("b", [0, 2], [1, 2], [0, 1], [2, 3])], label, label
        ),
        Confusion([[3, 1, 0], [0, 0, 2]], [label, "b"], label, other=label),
        EmbeddingMap([[0, 0], [1, 2], [3, 1]], [label, "b", label], [label] * 3),
        Timeline(thin(signal, 50.0, TRACES), (0.0, len(signal) / 50), spans, [Span(0, 6, label)], label),
        Group(label, [Table([label], [[label]])], label),
    ]


def test_labels_are_text_wherever_they_stand(spar_recordings: list[Recording]) -> None:
    contents = everything(EVIL, spar_recordings[0].signal[:300])
    report = Report(EVIL, EVIL, [Section(EVIL, EVIL, contents)], [Highlight(EVIL, EVIL, EVIL)], {EVIL: EVIL})
    source = render(report)
    harmless = Page(render(Report("a", "a", [Section("a", "a", everything("a", spar_recordings[0].signal[:300]))],
                                  [Highlight("a", "a", "a")], {"a": "a"})))  # fmt: skip
    found = Page(source)
    assert [t for t, _ in found.elements if t in ("script", "img")] == ["script", "script"]
    assert not [a for _, attributes in found.elements for a in attributes if a.startswith("on")]
    assert len(found.elements) == pytest.approx(len(harmless.elements), abs=6), (
        "only labels that do not fit may be missing"
    )
    assert EVIL in found.text
    assert "7 * 7" in found.text


def test_the_page_needs_nothing_from_elsewhere_and_is_small(spar_recordings: list[Recording]) -> None:
    long = np.tile(spar_recordings[0].signal, (100, 1))
    points = np.random.default_rng(0).normal(size=(20_000, 2))
    source = render(
        Report("t", "s", [Section("h", "t", [
            Timeline(thin(long, 50.0, TRACES), (0.0, 1200.0), [Span(i * 4, i * 4 + 4, "x") for i in range(300)]),
            EmbeddingMap(points, ["a", "b"] * 10_000, ["person 1"] * 20_000),
            Curves([Series("loss", range(5000), np.linspace(3, 1, 5000))], "step", "loss"),
        ])])
    )  # fmt: skip
    assert len(source.encode()) < 1_000_000
    assert not re.search(r"https?:|//cdn|@import|url\(|\ssrc=|<link", source)
    assert "1500 of 20000 windows are shown" in Page(source).text


def test_headings_paragraphs_and_provenance() -> None:
    source = render(
        Report("Title", "Summary.", [Section("Heading", "First.\n\nSecond.")], provenance={"commit": "abc"})
    )
    assert "<p>First.</p>" in source
    assert "<p>Second.</p>" in source
    assert '<th scope="row">commit</th><td>abc</td>' in source
    assert "Where this comes from" not in render(Report("Title", "Summary.", []))


def test_table_cells_are_written_by_their_kind() -> None:
    found = page(Table(["model", "score", "n"], [["ours", Score(2 / 3, 0.6, 0.7), 12345], ["chance", 1 / 7, None]]))
    for text in ("0.667", "0.600 – 0.700", "12\u2009345", "0.143"):
        assert text in found.text
    assert len(found.all("td", **{"class": "num"})) == 4
    assert [a["style"] for a in found.all("span") if a.get("style")] == ["width:66.7%"]


def test_bars_have_their_length_interval_and_mark() -> None:
    found = page(Bars([Bar("ours", 0.75, 0.5, 0.9, emphasis=True), Bar("plain", 0.25)], mark=0.2, mark_label="chance"))
    assert [a["style"] for a in found.all("span", **{"class": "fill"})] == ["width:75.00%", "width:25.00%"]
    assert [a["style"] for a in found.all("span", **{"class": "whisker"})] == ["left:50.00%;width:40.00%"]
    assert [a["style"] for a in found.all("span", **{"class": "mark"})] == ["left:20.00%"] * 2
    assert "chance (0.200)" in found.text


def test_confusion_shows_counts_and_shades_shares() -> None:
    found = page(Confusion([[3, 1, 0], [0, 6, 0]], ["walk", "sit"]))
    cells = [a for a in found.all("td") if "data-tip" in a]
    # Never so dark that black figures could not be read on it.
    assert [a["style"] for a in cells] == [f"--share:{s}" for s in ("0.637", "0.212", "0.000", "0.850")]
    assert cells[1]["data-tip"] == "walk taken for sit\n1 of 4 windows (25.0 %)"
    assert "none of these" in page(Confusion([[3, 1, 1], [0, 6, 0]], ["walk", "sit"])).text


def test_curves_break_where_values_are_missing() -> None:
    found = page(Curves([Series("loss", [0, 1, 2, 3, 4], [4.0, 3.0, np.nan, 1.0, 0.0])], "step", "loss"))
    line = next(a["d"] for a in found.all("path") if a.get("stroke"))
    assert line is not None
    assert re.fullmatch(r"M[\d.]+ [\d.]+L[\d.]+ [\d.]+M[\d.]+ [\d.]+L[\d.]+ [\d.]+", line)
    assert len([a for a in found.all("circle") if "data-tip" in a]) == 4


def test_bands_give_way_to_strokes_where_they_would_hide_one_another() -> None:
    series = [Series(str(i), [1, 4], [0.5, 0.6], [0.4, 0.5], [0.6, 0.7]) for i in range(5)]
    few = render(Report("t", "s", [Section("h", "", [Curves(series[:4], "k", "F1", y_range=(0, 1))])]))
    many = render(Report("t", "s", [Section("h", "", [Curves(series, "k", "F1", y_range=(0, 1))])]))
    assert (few.count('opacity=".15"'), few.count("stroke-opacity")) == (4, 0)
    assert (many.count('opacity=".15"'), many.count("stroke-opacity")) == (0, 5)
    assert many.count("V") >= 10


def test_few_shots_lie_on_a_logarithmic_axis() -> None:
    found = page(Curves([Series("ours", [1, 4, 16], [0.5, 0.6, 0.7])], "k", "F1", log_x=True, y_range=(0, 1)))
    x = [float(a["cx"] or "nan") for a in found.all("circle")]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)


def test_embedding_keeps_distances_and_groups_labels() -> None:
    found = page(EmbeddingMap([[0, 0], [3, 0], [0, 4]], ["a", "b", "a"], ["p1", "p2", "p3"], classes=["b", "a"]))
    dots = {a["data-tip"]: np.array([float(a["cx"] or 0), float(a["cy"] or 0)]) for a in found.all("circle")}
    origin, right, up = dots["a\np1"], dots["b\np2"], dots["a\np3"]
    assert np.linalg.norm(up - origin) / np.linalg.norm(right - origin) == pytest.approx(4 / 3, abs=0.01)
    assert up[1] < origin[1], "up is up"
    assert len(found.all("g")) == len(found.all("button")) == 2
    with pytest.raises(ValueError, match="3 points, 2 labels"):
        page(EmbeddingMap([[0, 0], [3, 0], [0, 4]], ["a", "b"]))


def test_timeline_bars_and_values_under_the_pointer(spar_recordings: list[Recording]) -> None:
    one = spar_recordings[0]
    signal = one.signal[:1000].copy()
    signal[500:, 5] = np.nan
    spans = [Span(100, 105, "pendulum", 0.5), Span(105, 120, "upright row", 1.0)]
    lines = thin(signal, 50.0, TRACES, start=100.0)
    found = page(Timeline(lines, (100.0, 120.0), spans, [Span(100, 120, "pendulum")]))
    true, first, second = (a for a in found.all("rect") if "data-label" in a)
    assert [a["data-label"] for a in (true, first, second)] == ["pendulum", "pendulum", "upright row"]
    assert float(first["width"] or 0) * 4 == pytest.approx(float(true["width"] or 0), abs=1)
    assert float(second["width"] or 0) * 4 == pytest.approx(3 * float(true["width"] or 0), abs=1)
    assert (first["fill-opacity"], second["fill-opacity"]) == ("0.65", "1.0")
    assert first["fill"] == true["fill"] != second["fill"]
    raw = re.search(r'<script type="application/json">(.*?)</script>', render(
        Report("t", "s", [Section("h", "t", [Timeline(lines, (100.0, 120.0), spans)])])))  # fmt: skip
    assert raw is not None
    data = json.loads(raw[1])
    assert (data["start"], data["end"]) == (100, 120)
    assert data["columns"][0]["values"][0] == pytest.approx(float(signal[0, 0]), rel=1e-3)
    assert data["columns"][5]["values"][-1] is None
    assert data["rows"] == [{"name": "recognised", "spans": [list(s) for s in spans]}]


def test_a_constant_and_a_missing_channel_can_be_drawn() -> None:
    flat, gone = np.full((100, 1), 9.81), np.full((100, 1), np.nan)
    lines = thin(np.hstack([flat, gone]), 50.0, [Trace("acc", "m/s^2"), Trace("gyro", "rad/s")])
    found = page(Timeline(lines, (0.0, 2.0), []))
    assert "nan" not in " ".join(str(v) for a in found.all("path") for v in a.values())


def test_what_moves_with_time_lies_in_the_part_that_is_zoomed(spar_recordings: list[Recording]) -> None:
    lines = thin(spar_recordings[0].signal[:300], 50.0, TRACES)
    source = render(Report("t", "s", [Section("h", "t", [Timeline(lines, (0.0, 6.0), [Span(0, 6, "x")])])]))
    plot = source[source.index('<svg class="plot"') : source.index('<g class="names">')]
    assert 'viewBox="84 0 768 ' in plot and 'preserveAspectRatio="none"' in plot
    assert plot.count("<path") == source.count("<path") == 6 and plot.count("<text") == 0
    assert plot.count("data-label") == source.count("data-label=") == 1


def test_a_group_is_closed_until_it_is_asked_for() -> None:
    found = page(Group("hapt", [Table(["a"], [["deep"]], "caption")], "cnn"), Group("first", [], open=True))
    assert [("open" in a) for a in found.all("details")] == [False, True]
    assert "hapt cnn" in " ".join(found.text.split()) and "deep" in found.text and "caption" in found.text


def test_a_table_says_the_name_of_a_group_once_and_stands_to_the_right_where_told() -> None:
    rows = [["hapt", "0.1 ± 0.2"], ["hapt", "0.3"], ["tug", "0.4"]]
    table = Table(["set", "F1"], rows, bold={(1, 1)}, rules={0, 2}, numeric=[False, True])
    first = [a["class"] for a in page(table).all("td")]
    assert first == ["", "num", " again", "num bold", "", "num"]


def test_contents_lead_to_every_section_of_a_long_page() -> None:
    found = Page(render(Report("t", "s", [Section(f"h{i}", "") for i in range(5)], provenance={"commit": "c"})))
    links = [str(a["href"]) for a in found.all("a")]
    assert len(links) == 6 and all(found.all("section", id=link[1:]) for link in links)
    assert not Page(render(Report("t", "s", [Section("h", "")]))).all("a")


def test_writing_replaces_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "report.html"
    write(Report("One", "s", []), path)
    write(Report("Two", "s", []), path)
    assert "<title>Two</title>" in path.read_text(encoding="utf-8")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
