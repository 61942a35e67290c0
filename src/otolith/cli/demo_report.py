"""The demo's page: every number on it is read from `results.csv`, the runs' metrics or the predictions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from otolith.cli.demo_evaluation import EXAMPLES, TEST_SUBJECTS, Findings
from otolith.cli.demo_session import LEARNT_SECONDS
from otolith.evaluate.metrics import confusion, subject_interval
from otolith.evaluate.report import (
    Bar,
    Bars,
    Confusion,
    Curves,
    EmbeddingMap,
    Highlight,
    Report,
    Section,
    Series,
    Span,
    Table,
    Timeline,
    Trace,
    thin,
    write,
)
from otolith.evaluate.results import ResultsFile
from otolith.evaluate.words import DRAWS
from otolith.train.plots import smooth

if TYPE_CHECKING:
    import pandas as pd

OURS, ENROLLED = "otolith-tiny", "otolith-tiny+ridge"


def write_report(found: Findings, output: Path) -> None:
    """Writes `report.html`."""
    results = ResultsFile(output / "results.csv").read()
    sections = [
        _first(found),
        _people(results, found),
        _exercises(results, found),
        _session(found),
        _space(found),
        _training(output),
    ]
    first = results.iloc[0]
    provenance = {
        "commit": str(first["commit"]),
        "configuration (SHA-256)": str(first["config_sha256"]),
        "data (SHA-256)": str(first["data_sha256"]),
        "checkpoint": str(found.checkpoint),
    }
    summary = (
        "A small model was trained on four people who did shoulder exercises with a smart watch on the wrist: first "
        "without labels, then with the exercises' names in words; a fifth person chose the checkpoint. Here it meets "
        "five others, and exercises that it has never been trained on. Every number comes from results.csv beside "
        "this page."
    )
    page = Report("Otolith: shoulder exercises from a smart watch", summary, sections, _highlights(results), provenance)
    write(page, output / "report.html")


def _mean(results: pd.DataFrame, protocol: str, model: str, metric: str = "macro_f1") -> float:
    rows = results[(results.protocol == protocol) & (results.model == model) & (results.metric == metric)]
    if rows.empty:
        raise ValueError(f"no result for {model}, {protocol}, {metric}")
    return float(rows["value"].mean())


def _highlights(results: pd.DataFrame) -> list[Highlight]:
    fewest, unseen = EXAMPLES[0], f"enrol-k{EXAMPLES[0]}"
    control = _mean(results, unseen, "logistic-on-statistics")
    return [
        Highlight(
            f"{_mean(results, 'supervised', OURS):.2f}", "macro-F1 by text prompt", "known exercises, people not seen"
        ),
        Highlight(
            f"{_mean(results, unseen, ENROLLED):.2f}",
            f"macro-F1 from {fewest} example each",
            f"exercises and people not seen; logistic regression on statistics {control:.2f}",
        ),
        Highlight(
            f"{_mean(results, 'zero-shot-closed', OURS):.2f}",
            "macro-F1 from names alone",
            f"exercises and people not seen; chance {_mean(results, 'zero-shot-closed', 'chance'):.2f}",
        ),
    ]


def _people(results: pd.DataFrame, found: Findings) -> Section:
    """Known exercises, unseen people."""
    queries = found.test.of(found.known)
    low, high = subject_interval(list(queries.labels), found.predicted, list(queries.subjects), found.known)
    rows = results[(results.protocol == "supervised")]
    bars, lines = [], []
    for model in rows["model"].unique():
        value = _mean(results, "supervised", model)
        least, most = (low, high) if model == OURS else (None, None)
        bars.append(Bar(model, value, least, most, emphasis=model.startswith("otolith-tiny")))
        lines.append([model, _mean(results, "supervised", model, "accuracy"), value])
    text = (
        f"{len(found.known)} exercises, windows of 4 s, {len(queries.labels)} of them from {len(TEST_SUBJECTS)} "
        "people who were "
        "not in training. The model chooses the exercise whose name lies nearest; the controls were trained on "
        "the same "
        f"windows. The band is a 95 % interval over people ({low:.2f} to {high:.2f})."
    )
    matrix = confusion(list(queries.labels), found.predicted, found.known)
    return Section(
        "Known exercises, people it has not seen",
        text,
        [
            Bars(bars, caption="Macro-F1 over the known exercises."),
            Table(["model", "accuracy", "macro-F1"], lines, caption="The same in numbers."),
            Confusion(
                matrix, found.known, caption="Windows by true exercise (row) and the exercise found by text prompt."
            ),
        ],
    )


def _exercises(results: pd.DataFrame, found: Findings) -> Section:
    """Left-out exercises: names alone, then k examples."""
    protocols = [f"enrol-k{k}" for k in EXAMPLES]
    rows = results[(results.protocol.isin(protocols)) & (results.metric == "macro_f1")]
    series, lines = [], []
    for model in rows["model"].unique():
        values = [rows[(rows.model == model) & (rows.protocol == p)]["value"] for p in protocols]
        mean = [float(v.mean()) for v in values]
        series.append(Series(model, EXAMPLES, mean, [float(v.min()) for v in values], [float(v.max()) for v in values]))
        lines.append([model, *mean])
    named = _mean(results, "zero-shot-closed", OURS)
    guess = _mean(results, "zero-shot-closed", "chance")
    text = (
        f"{', '.join(found.left_out).capitalize()}: none of these was in training. From their names alone the model "
        f"reaches a macro-F1 of {named:.2f} (chance {guess:.2f}); this number moves much from seed to seed, so look at "
        "several before you rely on names. With a few examples, recorded from other people than those it is judged "
        f"on, it learns them; lines are means of {DRAWS} draws, bands their range."
    )
    return Section(
        "Exercises it has never been trained on",
        text,
        [
            Curves(series, "examples of each exercise", "macro-F1", log_x=True, y_range=(0.0, 1.0)),
            Table(["model", *[f"k = {k}" for k in EXAMPLES]], lines, caption="Mean macro-F1."),
        ],
    )


def _first(found: Findings) -> Section:
    """A session recognised before anything was trained."""
    first, session = found.first, found.first.session
    truth = [Span(a.start, a.end, a.activity) for a in session.annotations]
    spans = [Span(s.start, s.end, s.label, s.confidence) for s in first.segments]
    names = sorted({a.activity for a in session.annotations})
    text = (
        f"The left-wrist recordings of {session.subject} one after the other ({session.duration:.0f} s), recognised by "
        f"the weights that come with the package ({first.model}), which were trained on other people and other "
        f"activities. The first {LEARNT_SECONDS:g} s of each of the {len(names)} exercises are enrolled; of the rest, "
        f"{first.right:.0%} of the time is named right."
    )
    lines = thin(session.signal, session.rate, [Trace(c.name, c.unit) for c in session.channels])
    chart = Timeline(lines, (0.0, session.duration), spans, truth, classes=names)
    return Section("A session, recognised without any training", text, [chart])


def _session(found: Findings) -> Section:
    """One recording with its timeline."""
    session = found.session
    truth = [Span(a.start, a.end, a.activity) for a in session.annotations]
    spans = [Span(s.start, s.end, s.label, s.confidence) for s in found.segments]
    right = sum(max(0.0, min(s.end, t.end) - max(s.start, t.start)) for s in spans for t in truth if s.label == t.label)
    text = (
        f"The left-wrist recordings of {session.subject} one after the other ({session.duration:.0f} s). Windows "
        "of 4 s every "
        f"half second are named by text prompt and merged to segments: {right / session.duration:.0%} of the time "
        "is right."
    )
    traces = [Trace(c.name, c.unit) for c in session.channels]
    lines = thin(session.signal, session.rate, traces)
    chart = Timeline(lines, (0.0, session.duration), spans, truth, classes=found.known)
    return Section("The known exercises of this session, by their names", text, [chart])


def _space(found: Findings) -> Section:
    """Test windows on a map."""
    from sklearn.manifold import TSNE

    keep = np.arange(0, len(found.test.labels), max(1, len(found.test.labels) // 800))
    side = found.test.take(keep)
    points = TSNE(init="pca", perplexity=30, random_state=0).fit_transform(side.vectors)
    details = [f"{label}, {subject}" for label, subject in zip(side.labels, side.subjects, strict=True)]
    text = (
        "Windows of the people who were not in training, in the space that motion shares with words (384 "
        "dimensions, laid out "
        "in two by t-SNE). The exercises left out of training find places of their own to the extent that they "
        "differ from "
        "those known."
    )
    chart = EmbeddingMap(points, list(side.labels), details, [*found.known, *found.left_out])
    return Section("How the model sees them", text, [chart])


def _training(output: Path) -> Section:
    """Loss and held-out score of both stages."""
    contents: list[Any] = []
    for stage, parts in (("pretrain", ("masked", "contrastive")), ("align", ("loss",))):
        found = json.loads((output / stage / "plots" / "metrics.json").read_text(encoding="utf-8"))
        losses = [_series(part, found[f"train/{part}"]) for part in parts]
        contents.append(Curves(losses, "optimiser step", "loss", caption=f"{stage}: loss in training (running mean)."))
        score = found["val/macro_f1"]
        contents.append(
            Curves(
                [Series("held-out person", score["step"], score["value"])],
                "optimiser step",
                "macro-F1",
                caption=f"{stage}: what chose the checkpoint.",
                y_range=(0.0, 1.0),
            )
        )
    text = (
        "Stage 1 hides half of each window's patches and has the model fill them in, while two views of a window "
        "are to stay "
        "alike. Stage 2 brings windows near the words for them. The checkpoint is chosen by a person who is in neither "
        "training nor test: in stage 1 by a linear probe, in stage 2 by text prompt."
    )
    return Section("How it was trained", text, contents)


def _series(name: str, curve: dict[str, Sequence[float]]) -> Series:
    mean = smooth(curve["value"], share=1 / 30)
    every = max(1, len(mean) // 200)
    return Series(name, curve["step"][::every], mean[::every])
