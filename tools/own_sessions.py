"""How well a few seconds of each activity serve the rest of the same person's session: results/own_sessions.csv.

otolith datasets convert spar -o datasets/spar
python tools/own_sessions.py -d datasets/spar -o results/own_sessions.csv [--models otolith-small otolith-student]

Ten people's shoulder exercises from the embedded recordings. Of each exercise the first seconds are enrolled, and the
windows of the rest are judged, with and without the threshold for unknown.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from distil_tables import table

from otolith.cli.demo_session import make_session
from otolith.cli.enrolment import examples
from otolith.data.recording import Annotation, Recording
from otolith.data.store import Dataset
from otolith.evaluate.results import Provenance, ResultsFile, Row, rows
from otolith.models.registry import load_text_model
from otolith.recognise.enrol import Enrolment
from otolith.recognise.recogniser import Recogniser

SECONDS = (5.0, 10.0, 20.0)
"""Enrolled of each exercise."""


def judge(session: Recording, recogniser: Recogniser, seconds: float) -> dict[str, float]:
    """Shares of the windows that were not enrolled, and how many there are."""
    notes = session.annotations
    learnt = tuple(Annotation(n.start, n.start + seconds, n.activity) for n in notes)
    least = seconds + recogniser.window_seconds
    rest = tuple(Annotation(n.start + seconds, n.end, n.activity) for n in notes if n.end - n.start >= least)
    features, labels, spans, _ = examples(replace(session, annotations=learnt), recogniser)
    profile = Enrolment(text_weight=0.0).fit(features, labels).calibrate(features, labels, spans=spans)
    asked, truth, _, _ = examples(replace(session, annotations=rest), recogniser)
    right = profile.predict(asked) == np.array(truth)
    found = {"accuracy": float(right.mean())}
    if profile.threshold is not None:
        unknown = profile.probabilities(asked).max(axis=1) < profile.threshold
        found["right_called_unknown"] = float(unknown[right].mean())
        if not right.all():
            found["wrong_called_unknown"] = float(unknown[~right].mean())
    return {**found, "windows": float(len(truth))}


def measure(dataset: Dataset, name: str) -> Iterator[Row]:
    """Rows of one model, a fold for each person."""
    model = load_text_model(name)
    recogniser = Recogniser(model)
    provenance = Provenance.collect({"weights": model.fingerprint(), "seconds": SECONDS}, [dataset.sha256])
    activities = sorted(set(dataset.annotations["activity"]))
    for subject in sorted(set(dataset.recordings["subject"])):
        session = make_session(dataset, subject, activities)
        for seconds in SECONDS:
            found = judge(session, recogniser, seconds)
            windows = int(found.pop("windows"))
            yield from rows(found, model=name, dataset=dataset.name, protocol=f"own-session-{seconds:g}s",
                            fold=str(subject), seed=0, n=windows, provenance=provenance)  # fmt: skip


def own_sessions(results: pd.DataFrame) -> str:
    """Mean over people of what was right, and of what the threshold called unknown."""
    mean = results.pivot_table(index=["model", "protocol"], columns="metric", values="value", sort=False)
    wanted = ["accuracy", "right_called_unknown", "wrong_called_unknown"]
    lines = [
        [f"`{model}`", protocol.removeprefix("own-session-").replace("s", " s"),
         *("" if np.isnan(value) else f"{value:.2f}" for value in values.reindex(wanted))]
        for (model, protocol), values in mean.iterrows()
    ]  # fmt: skip
    head = ["model", "enrolled of each exercise", "right", "of the right, called unknown"]
    return table([*head, "of the wrong, called unknown"], lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-d", "--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["otolith-small", "otolith-student"])
    arguments = parser.parse_args()
    dataset = Dataset.open(arguments.data)
    for name in arguments.models:
        ResultsFile(arguments.output).append(list(measure(dataset, name)))


if __name__ == "__main__":
    main()
