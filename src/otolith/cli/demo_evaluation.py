"""What the demo measures: its model and the controls, on people and exercises that the model has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from otolith.cli.demo_session import Recognised, make_session
from otolith.data.leaks import check_leak
from otolith.data.recording import Recording
from otolith.data.store import Dataset
from otolith.data.windows import index_windows
from otolith.evaluate.results import Provenance, ResultsFile, Row
from otolith.evaluate.sides import Side, compare, make_side, score
from otolith.evaluate.words import enrolment
from otolith.models.registry import load_text_model
from otolith.models.saved import TextModel
from otolith.recognise.enrol import Enrolment
from otolith.recognise.recogniser import Recogniser
from otolith.recognise.timeline import Segment, timeline
from otolith.recognise.zeroshot import zero_shot

TEST_SUBJECTS = tuple(f"subject{n:02}" for n in range(2, 11, 2))
VAL_SUBJECTS = ("subject09",)
LEFT_OUT = (
    "forward elevation of the arm",
    "external rotation with resistance band",
    "lower trapezius row with resistance band",
)
"""Exercises never trained on. Each has a near relative that is: abduction, internal rotation, the other row."""

EXAMPLES = (1, 4, 16)


@dataclass(frozen=True)
class Findings:
    """What the report is made of, beside `results.csv` and the runs' metrics."""

    known: list[str]
    left_out: list[str]
    test: Side
    predicted: list[str]  # of the known exercises' test windows, in order
    session: Recording
    segments: list[Segment]
    checkpoint: Path
    first: Recognised  # before anything was trained


def evaluate(folder: Path, checkpoint: Path, output: Path, seed: int, steps: int, first: Recognised) -> Findings:
    """Measures everything, writes `results.csv`, returns what the report shows beside it."""
    dataset = Dataset.open(folder)
    model = load_text_model(checkpoint)
    seconds = Recogniser(model).window_seconds
    index = index_windows(dataset, seconds, seconds / 2)
    held_out = np.isin(index.subject, TEST_SUBJECTS)
    sides = index.take(~held_out), index.take(held_out)
    check_leak(learnt=[sides[0]], test=[sides[1]])
    learnt, test = (make_side(side, model, seed) for side in sides)
    known = sorted(set(index.label) - set(LEFT_OUT))
    provenance = Provenance.collect({"seed": seed, "steps": steps, "weights": model.fingerprint()}, [dataset.sha256])
    lines, predicted = _closed(model, learnt, test, known, provenance, seed)
    lines += _by_words_alone(model, test, provenance, seed)
    classes = sorted(LEFT_OUT)
    place: dict[str, Any] = {"dataset": "spar", "seed": seed, "provenance": provenance}
    lines += enrolment(model, "otolith-tiny", learnt.of(classes), test.of(classes), classes, EXAMPLES, **place)
    results = output / "results.csv"
    results.unlink(missing_ok=True)  # of an earlier run of the demo
    ResultsFile(results).append(lines)
    session = make_session(dataset, TEST_SUBJECTS[0], known)
    segments = recognise_session(model, session, known)
    return Findings(known, sorted(LEFT_OUT), test, predicted, session, segments, checkpoint, first)


def _closed(
    model: TextModel, learnt: Side, test: Side, known: list[str], provenance: Provenance, seed: int
) -> tuple[list[Row], list[str]]:
    """Known exercises, unseen people: our model reads words; controls learn from the people it was trained on."""
    trained = np.flatnonzero(np.isin(learnt.subjects, model.meta["data"]["spar"]["train"]))
    examples, queries = learnt.take(trained).of(known), test.of(known)
    by_text = zero_shot(model, queries.vectors, known).argmax(axis=1)
    predicted = [known[i] for i in by_text]
    probe = Enrolment("ridge").fit(examples.features, list(examples.labels))
    ours = {
        "otolith-tiny": predicted,
        "otolith-tiny+ridge": list(probe.predict(queries.features)),
    }
    return compare(
        examples, queries, ours, known, dataset="spar", protocol="supervised", seed=seed, provenance=provenance
    ), predicted


def _by_words_alone(model: TextModel, test: Side, provenance: Provenance, seed: int) -> list[Row]:
    """Exercises never trained on, told apart by their names alone."""
    classes = sorted(LEFT_OUT)
    queries = test.of(classes)
    predicted = [classes[i] for i in zero_shot(model, queries.vectors, classes).argmax(axis=1)]
    place: dict[str, Any] = {"dataset": "spar", "protocol": "zero-shot-closed", "seed": seed}
    return score(queries, {"otolith-tiny": predicted}, classes, provenance=provenance, **place)


def recognise_session(model: TextModel, session: Recording, labels: Sequence[str]) -> list[Segment]:
    """The session's timeline by text prompt."""
    embedded = Recogniser(model).embed(session, step_seconds=0.5)
    probabilities = zero_shot(model, embedded.vectors, labels)
    return timeline(embedded.starts, embedded.seconds, probabilities, labels, minimum_seconds=2.0)
