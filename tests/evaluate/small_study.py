"""A study small enough to check by hand: four people, three activities, and models that err in a known pattern."""

from __future__ import annotations

from pathlib import Path

from otolith.evaluate.counts import CountsFile, counts_of
from otolith.evaluate.metrics import scores
from otolith.evaluate.results import Provenance, ResultsFile, Row, rows

CLASSES = ["sit", "stand_up", "walk"]
PEOPLE = ["s1", "s2", "s3", "s10"]
ORIGIN = Provenance("c0ffee", "1" * 64, "2" * 64)
MODELS = {"student": 11, "rocket & ridge": 7, "nearest": 3}
"""Each errs at every so manieth trial, counted through all people."""


def predictions(every: int, person: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """True labels of 12 trials, and what a model says that errs at each `every`th."""
    truth = [CLASSES[i % 3] for i in range(12)]
    wrong = [(12 * person + i + seed) % every == every - 1 for i in range(12)]
    return truth, [CLASSES[(i + 1) % 3] if miss else CLASSES[i % 3] for i, miss in enumerate(wrong)]


def write_study(path: Path, *, counts: bool = True) -> Path:
    """Writes the results file, and the counts beside it."""
    results, behind = ResultsFile(path), CountsFile.beside(path)
    for model, every in MODELS.items():
        for seed in (0, 1):
            for number, person in enumerate(PEOPLE):
                truth, said = predictions(every, number, seed)
                place = {"model": model, "dataset": "hand_made", "protocol": "loso", "fold": person, "seed": seed}
                found = scores(truth, said, CLASSES)
                if model == "student":
                    found |= {"parameters": 1234.0, "size_mb": 0.5, "latency_ms": 0.25}
                results.append(rows(found, n=12, provenance=ORIGIN, **place))
                if counts:
                    behind.append(counts_of(truth, said, [person] * 12, config_sha256="1" * 64, data_sha256="2" * 64,
                                            **place))  # fmt: skip
    results.append(_enrolled())
    for model in ("student", "nearest"):
        for number, person in enumerate(PEOPLE):
            found = scores(*predictions(2, number), CLASSES)
            place = {"model": model, "dataset": "hand_made", "protocol": "robustness-noise-0.1", "fold": person}
            results.append(rows(found, n=12, provenance=ORIGIN, seed=0, **place))
    return path


def _enrolled() -> list[Row]:
    lines: list[Row] = []
    for model, every in {"student+ridge": 6, "nearest": 3}.items():
        for k in (1, 16):
            for draw in (0, 1):
                found = scores(*predictions(every * k, draw), CLASSES)
                place = {"model": model, "dataset": "hand_made", "protocol": f"enrol-k{k}", "fold": f"draw-{draw}"}
                lines += rows(found, n=12, provenance=ORIGIN, **place)
    return lines
