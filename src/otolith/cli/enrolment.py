"""`otolith enrol`: new activities from a few seconds of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otolith.cli import recordings as r
from otolith.cli.recognition import Model
from otolith.types import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from otolith.data.recording import Annotation, Recording
    from otolith.recognise.recogniser import Recogniser


def enrol(
    file: r.File,
    model: Model,
    output: Annotated[Path, typer.Option("--output", "-o", help="Profile to write (.safetensors).")],
    intervals: Annotated[
        Path | None,
        typer.Option(help="CSV with start_s, end_s, activity; without it the recording's own annotations."),
    ] = None,
    method: Annotated[str, typer.Option(help="ridge, prototype or nearest.")] = "ridge",
    text_weight: Annotated[
        float, typer.Option(help="How many examples an activity's name is worth, for example 0.25.")
    ] = 0.0,
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
    from collections import Counter
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
    features, labels, unused = _examples(found, recogniser)
    names = sorted(set(labels))
    prior = TextPrior.of(loaded, names) if text_weight else None
    enrolled = Enrolment(method, text_weight).fit(features, labels, prior).calibrate(features, labels, prior)
    enrolled.save(output, loaded)
    r.tell([*notes, *unused])
    counts = ", ".join(f"{name} ({count})" for name, count in sorted(Counter(labels).items()))
    typer.echo(f"{output}: examples of {counts}")


def _examples(found: Recording, recogniser: Recogniser) -> tuple[NDArray[np.float32], list[str], list[str]]:
    """Windows cut within each annotation, from its own start: features [N, F], labels [N], and notes on what is unused.

    Raises:
        DataError: An activity has no stretch that holds a window.
    """
    import numpy as np

    from otolith.data.labels import resolve

    windows, labels, unused = [], [], []
    for note in found.annotations:
        cut = _windows(found, note, recogniser)
        if len(cut):
            windows.append(cut)
            labels += [resolve(note.activity)] * len(cut)
        else:
            unused.append(note)
    seconds = recogniser.window_seconds
    absent = {resolve(note.activity) for note in unused} - set(labels)
    if absent:
        raise DataError(f"no window of {seconds:g} s lies within '{min(absent)}': give a longer stretch of it")
    _, features = recogniser.embed_windows(np.concatenate(windows), found.channels, found.rate)
    why = f"it holds no window of {seconds:g} s without a missing sample"
    return features, labels, [f"'{n.activity}' from {n.start:g} s to {n.end:g} s is not used: {why}" for n in unused]


def _windows(found: Recording, note: Annotation, recogniser: Recogniser) -> NDArray[np.float32]:
    """Windows [N, T, C] within one annotation, the last one flush with its end; none of them lacks a sample."""
    import numpy as np

    from otolith.data.windows import window_starts

    length = round(recogniser.window_seconds * found.rate)
    samples = min(round((note.end - note.start) * found.rate), len(found.signal))
    first = min(round(note.start * found.rate), len(found.signal) - samples)
    stretch = found.signal[first : first + samples]
    seen = stretch[:, recogniser.view.columns(found.channels)]
    starts = window_starts(seen, length, max(1, round(recogniser.step_seconds * found.rate)), flush=True)
    windows: NDArray[np.float32] = stretch[starts[:, None] + np.arange(length)]
    return windows


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
