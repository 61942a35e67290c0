"""`otolith enrol`: new activities from a few seconds of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otolith.cli import recordings as r
from otolith.cli.recognition import DEFAULT, Model
from otolith.types import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from otolith.data.recording import Annotation, Recording
    from otolith.recognise.enrol import Enrolment
    from otolith.recognise.recogniser import Recogniser


def enrol(
    file: r.File,
    output: Annotated[Path, typer.Option("--output", "-o", help="Profile to write (.safetensors).")],
    model: Model = DEFAULT,
    intervals: Annotated[
        Path | None,
        typer.Option(help="CSV with start_s, end_s, activity; without it the recording's own annotations."),
    ] = None,
    method: Annotated[str, typer.Option(help="ridge, prototype or nearest.")] = "ridge",
    text_weight: Annotated[
        float, typer.Option(help="How many examples an activity's name is worth, for example 0.25.")
    ] = 0.0,
    rejected: Annotated[
        float,
        typer.Option(min=0.0, max=0.5, help="Largest share of right answers that --abstain may call unknown."),
    ] = 0.1,
    recording: r.Name = None,
    mapping: r.Mapping = None,
    acc_unit: r.AccUnit = "",
    gyro_unit: r.GyroUnit = "",
    mag_unit: r.MagUnit = "",
    time_unit: r.TimeUnit = "",
    rate: r.Rate = None,
    placement: r.Placement = "",
    device: r.Device = "",
    gravity: r.Gravity = True,
    core_motion: r.CoreMotion = False,
) -> None:
    """Learns activities from labelled stretches of a recording; `classify --profile` uses them."""
    from dataclasses import replace

    from otolith.models.registry import load_text_model
    from otolith.recognise.enrol import Enrolment, TextPrior
    from otolith.recognise.recogniser import Recogniser

    found = r.open_recording(
        file, recording, mapping, acc_unit=acc_unit, gyro_unit=gyro_unit, mag_unit=mag_unit, time_unit=time_unit,
        rate=rate, placement=placement, device=device, gravity=gravity, core_motion=core_motion,
    )  # fmt: skip
    if intervals:  # checked against the recording: within it, and no two at once
        found = replace(found, annotations=tuple(read_intervals(intervals)))
    if not found.annotations:
        raise DataError(f"nothing says what was done when in {file}: give --intervals with start_s, end_s, activity")
    loaded = load_text_model(model)
    recogniser = Recogniser(loaded)
    notes = r.notes_on(found, loaded, recogniser.view)
    features, labels, spans, unused = examples(found, recogniser)
    names = sorted(set(labels))
    prior = TextPrior.of(loaded, names) if text_weight else None
    if prior:
        notes += r.note_on_words(loaded, names, "such a name says little; --text-weight 0 leaves it to the examples")
    enrolled = Enrolment(method, text_weight).fit(features, labels, prior)
    enrolled.calibrate(features, labels, prior, spans, rejected).save(output, loaded)
    r.tell([*notes, *unused, *_doubts(enrolled)])
    for line in _told(enrolled, labels):
        typer.echo(f"{output}: {line}")


def _told(enrolled: Enrolment, labels: list[str]) -> list[str]:
    """What was learnt, and how far its threshold holds."""
    from collections import Counter

    counts = ", ".join(f"{name} ({count})" for name, count in sorted(Counter(labels).items()))
    lines = [f"examples of {counts}"]
    if enrolled.threshold is not None:
        judged = enrolled.judged
        lines.append(
            f"of {judged.examples} examples, judged by others that share no sample with them, {judged.right} are "
            f"recognised; --abstain calls {judged.rejected} of these unknown (below {enrolled.threshold:.2f})"
        )
    return lines


def _doubts(enrolled: Enrolment) -> list[str]:
    """What the examples are too few for."""
    from otolith.recognise.enrol import ENOUGH

    if enrolled.threshold is None:
        return ["too few examples for a threshold: --abstain will not work with this profile; enrol longer stretches"]
    right = enrolled.judged.right
    if right < ENOUGH:
        return [f"the threshold of --abstain is learnt from {right} answers: take the share that it rejects as a guess"]
    return []


def examples(
    found: Recording, recogniser: Recogniser
) -> tuple[NDArray[np.float32], list[str], NDArray[np.float64], list[str]]:
    """Windows cut within each annotation, from its own start.

    Returns:
        Features [N, F], labels [N], first and last second [N, 2], and notes on what is unused.

    Raises:
        DataError: An activity has no stretch that holds a window.
    """
    import numpy as np

    from otolith.data.labels import resolve

    windows, labels, begins, unused = [], [], [], []
    for note in found.annotations:
        cut, first = _windows(found, note, recogniser)
        if len(cut):
            windows.append(cut)
            begins.append(first)
            labels += [resolve(note.activity)] * len(cut)
        else:
            unused.append(note)
    seconds = recogniser.window_seconds
    absent = {resolve(note.activity) for note in unused} - set(labels)
    if absent:
        raise DataError(f"no window of {seconds:g} s lies within '{min(absent)}': give a longer stretch of it")
    _, features = recogniser.embed_windows(np.concatenate(windows), found.channels, found.rate)
    why = f"it holds no window of {seconds:g} s without a missing sample"
    notes = [f"'{n.activity}' from {n.start:g} s to {n.end:g} s is not used: {why}" for n in unused]
    begin = np.concatenate(begins)
    return features, labels, np.stack([begin, begin + seconds], axis=1), notes


def _windows(
    found: Recording, note: Annotation, recogniser: Recogniser
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Windows [N, T, C] within one annotation, the last one flush with its end, and the second at which each begins.

    None of them lacks a sample.
    """
    import numpy as np

    from otolith.data.windows import window_starts

    length = round(recogniser.window_seconds * found.rate)
    samples = min(round((note.end - note.start) * found.rate), len(found.signal))
    first = min(round(note.start * found.rate), len(found.signal) - samples)
    stretch = found.signal[first : first + samples]
    seen = stretch[:, recogniser.view.columns(found.channels)]
    starts = window_starts(seen, length, max(1, round(recogniser.step_seconds * found.rate)), flush=True)
    windows: NDArray[np.float32] = stretch[starts[:, None] + np.arange(length)]
    return windows, (first + starts) / found.rate


def read_intervals(path: Path) -> list[Annotation]:
    """Stretches of activities from a CSV with the columns start_s, end_s and activity.

    Raises:
        DataError: Not readable, a column is missing, or a line is not two times and a name.
    """
    import csv

    from otolith.data.recording import Annotation

    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle)
            missing = {"start_s", "end_s", "activity"} - set(reader.fieldnames or ())
            if missing:
                raise DataError(f"{path}: no column '{min(missing)}'; the header must be start_s,end_s,activity")
            notes = []
            for row in reader:
                start, end, activity = float(row["start_s"]), float(row["end_s"]), (row["activity"] or "").strip()
                if not (0 <= start < end) or not activity:
                    raise ValueError
                notes.append(Annotation(start, end, activity))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    except (TypeError, ValueError) as error:
        line = reader.line_num
        raise DataError(
            f"{path}, line {line}: give a start, a later end and an activity, like 3.5,9,walking"
        ) from error
    return notes
