"""The beginning of the demo: a session recognised by the weights that come with the package, nothing trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from otolith.cli.enrolment import examples
from otolith.cli.recognition import DEFAULT
from otolith.data.recording import Annotation, Recording
from otolith.data.store import Dataset
from otolith.files import atomic_file
from otolith.models.registry import load_text_model
from otolith.recognise.enrol import Enrolment
from otolith.recognise.recogniser import Recogniser
from otolith.recognise.timeline import Segment, timeline

LEARNT_SECONDS = 10.0
"""Of each exercise, from its beginning, what the profile is learnt from."""

FILES = ("session.csv", "labels.csv", "profile.safetensors")
"""What it leaves: the session as a plain table, the stretches learnt from, the profile."""


@dataclass(frozen=True)
class Recognised:
    """A session and what was found in it.

    Attributes:
        session: The recording, annotated with what was done.
        learnt: The stretches that the profile was learnt from.
        segments: What was recognised.
        model: The name of the weights.
    """

    session: Recording
    learnt: tuple[Annotation, ...]
    segments: list[Segment]
    model: str

    @property
    def right(self) -> float:
        """The share of the time not learnt from that is named right."""
        asked = [(note.start + LEARNT_SECONDS, note.end, note.activity) for note in self.session.annotations]
        right = sum(
            max(0.0, min(s.end, end) - max(s.start, start))
            for s in self.segments
            for start, end, activity in asked
            if s.label == activity
        )
        return right / sum(end - start for start, end, _ in asked)


def recognise_without_training(dataset: Dataset, subject: str, output: Path) -> Recognised:
    """Enrols the beginning of each exercise of a person's session and recognises the session; leaves `FILES`."""
    session = make_session(dataset, subject, sorted(set(dataset.annotations["activity"])))
    learnt = tuple(Annotation(n.start, n.start + LEARNT_SECONDS, n.activity) for n in session.annotations)
    write_session(session, learnt, output)
    model = load_text_model(DEFAULT)
    recogniser = Recogniser(model)
    part = Recording(session.signal, session.rate, session.channels, subject, session.name, learnt)
    features, labels, spans, _ = examples(part, recogniser)
    profile = Enrolment(text_weight=0.0).fit(features, labels).calibrate(features, labels, spans=spans)
    profile.save(output / FILES[2], model)
    embedded = recogniser.embed(session, step_seconds=recogniser.window_seconds / 2)
    beliefs = profile.probabilities(embedded.features)
    segments = timeline(embedded.starts, embedded.seconds, beliefs, profile.labels, minimum_seconds=2.0)
    return Recognised(session, learnt, segments, str(DEFAULT))


def make_session(dataset: Dataset, subject: str, activities: Sequence[str]) -> Recording:
    """A subject's left-wrist recordings of some activities, one after the other, as one recording."""
    parts = [dataset.read(int(i)) for i in np.flatnonzero(dataset.recordings["subject"] == subject)]
    parts = [p for p in parts if p.annotations[0].activity in activities and p.channels[0].placement == "left wrist"]
    notes, start = [], 0.0
    for part in parts:
        notes.append(Annotation(start, start + part.duration, part.annotations[0].activity))
        start += part.duration
    signal = np.concatenate([p.signal for p in parts])
    return Recording(signal, parts[0].rate, parts[0].channels, subject, f"{subject}_session", tuple(notes))


def write_session(session: Recording, learnt: Sequence[Annotation], output: Path) -> None:
    """The session as a plain table, and the stretches learnt from, as a person would have them."""
    import pandas as pd

    columns = {c.name: session.signal[:, i] for i, c in enumerate(session.channels)}
    time = np.arange(len(session.signal)) / session.rate
    rows = [(round(n.start, 3), round(n.end, 3), n.activity) for n in learnt]
    tables = (pd.DataFrame({"time": time, **columns}), pd.DataFrame(rows, columns=["start_s", "end_s", "activity"]))
    for name, table in zip(FILES, tables, strict=False):
        with atomic_file(output / name) as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g")
