from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from otolith.data.recording import Recording
from otolith.data.store import Dataset, DatasetWriter
from otolith.evaluate import words
from otolith.evaluate.words import WordsConfig, evaluate_words
from otolith.models.registry import load_text_model
from otolith.models.saved import TextModel
from otolith.recognise.recogniser import Recogniser
from otolith.recognise.zeroshot import zero_shot
from otolith.types import DataError

LABELS = ("shoulder pendulum", "shoulder abduction")


@pytest.fixture(scope="module")
def two_people(spar_recordings: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two exercises of two people, 24 s of each, left wrist."""
    path = tmp_path_factory.mktemp("two") / "own"
    with DatasetWriter(path, "own") as writer:
        for recording in spar_recordings:
            asked = recording.subject in ("subject01", "subject02") and recording.annotations[0].activity in LABELS
            if asked and recording.channels[0].placement == "left wrist":
                notes = tuple(replace(note, end=24.0) for note in recording.annotations)
                writer.add(replace(recording, signal=recording.signal[:1200], annotations=notes))
    return Dataset.open(path)


@pytest.fixture(scope="module")
def model() -> TextModel:
    """The weights that come with the package, which know nothing of these exercises."""
    return load_text_model("otolith-tiny")


def test_the_rows_are_what_recognition_says(model: TextModel, two_people: Dataset) -> None:
    """Recording by recording, by the way that `classify` goes, beside all windows at once."""
    rows = evaluate_words(model, two_people, WordsConfig(LABELS, name="mine"))
    recogniser = Recogniser(model)
    right = []
    for number in range(len(two_people)):
        recording = two_people.read(number)
        embedded = recogniser.embed(recording, step_seconds=recogniser.window_seconds / 2)
        said = zero_shot(model, embedded.vectors, LABELS).argmax(axis=1)
        right += [LABELS[i] == recording.annotations[0].activity for i in said]
    own = {row.metric: row for row in rows if row.model == "mine" and row.protocol == "zero-shot-closed"}
    assert own["accuracy"].value == pytest.approx(np.mean(right)) and own["accuracy"].n == len(right) > 20
    assert {row.protocol for row in rows} == {"zero-shot-closed", "zero-shot-open"}


def test_examples_are_of_other_people(model: TextModel, two_people: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = []
    real = words.compare

    def kept(given: words.Side, queries: words.Side, *rest: object, **place: object) -> object:
        pairs.append((set(given.subjects), set(queries.subjects), len(given.labels)))
        return real(given, queries, *rest, **place)  # type: ignore[arg-type]

    monkeypatch.setattr(words, "compare", kept)
    evaluate_words(model, two_people, WordsConfig(LABELS, examples=(2,)))
    assert pairs == [({"subject01"}, {"subject02"}, 4)] * words.DRAWS


def test_where_rows_come_from_changes_with_what_was_asked(model: TextModel, two_people: Dataset) -> None:
    asked = WordsConfig(LABELS)
    others = [replace(asked, **{name: value}) for name, value in
              (("labels", None), ("seed", 1), ("examples", (1,)), ("protocol", "left"), ("name", "mine"))]  # fmt: skip
    hashes = [config.provenance(model, two_people).config_sha256 for config in (asked, *others)]
    assert len(set(hashes)) == 6 and asked.provenance(model, two_people).config_sha256 == hashes[0]


def test_labels_that_do_not_occur(model: TextModel, two_people: Dataset) -> None:
    with pytest.raises(DataError, match="no window of 'own' is labelled 'walking': there are shoulder abduction"):
        evaluate_words(model, two_people, WordsConfig(("walking", "shoulder pendulum")))
