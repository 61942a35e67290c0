"""`otolith classify`: activities in a recording, by their names or by an enrolled profile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otolith.cli import recordings as r
from otolith.types import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from otolith.data.recording import Recording
    from otolith.evaluate.signals import Span, Trace
    from otolith.models.saved import TextModel
    from otolith.recognise.recogniser import Embedded
    from otolith.recognise.timeline import Segment

Model = Annotated[
    Path,
    typer.Option(
        "--model", "-m", help="Weights that come with the package, a checkpoint, or owner/name on the Hugging Face hub."
    ),
]
DEFAULT = Path("otolith-small")
"""Weights that come with the package."""


def classify(
    file: r.File,
    model: Model = DEFAULT,
    labels: Annotated[
        str | None,
        typer.Option("--labels", "-l", help="Activities in words, separated by commas; by default those of training."),
    ] = None,
    profile: Annotated[Path | None, typer.Option(help="Activities enrolled with `otolith enrol`, not labels.")] = None,
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
    step: Annotated[
        float | None, typer.Option(help="Seconds from one window to the next; by default half a window.")
    ] = None,
    minimum: Annotated[float, typer.Option(help="Shortest segment in seconds.")] = 2.0,
    abstain: Annotated[bool, typer.Option(help="Name unknown what the model is not sure of.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write segments to a .csv or .json file.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write the timeline over the signal to a .png file.")] = None,
    timeline: Annotated[
        Path | None, typer.Option(help="Write segments and signal to a .json file, for report --timeline.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Recognises activities by their names and merges them to a timeline; nothing needs to be trained first."""
    _check_names(labels, profile, output, plot, timeline)
    found = r.open_recording(
        file, recording, mapping, acc_unit=acc_unit, gyro_unit=gyro_unit, mag_unit=mag_unit, time_unit=time_unit,
        rate=rate, placement=placement, device=device, gravity=gravity, core_motion=core_motion,
    )  # fmt: skip
    names, segments = _recognise(found, model, labels, profile, step, minimum, abstain)
    if plot:
        _plot(found, segments, names, plot)
    if timeline:
        _save_timeline(found, segments, timeline)
    rows = _rows(segments)
    if output:
        _write(rows, output)
    _show(rows, found, as_json)


def _check_names(
    labels: str | None, profile: Path | None, output: Path | None, plot: Path | None, timeline: Path | None
) -> None:
    if labels is not None and profile is not None:
        raise ConfigError("--labels and --profile exclude each other: a profile brings its own activities")
    if output and output.suffix not in (".csv", ".json"):
        raise ConfigError(f"--output {output}: the name must end in .csv or .json")
    if plot and plot.suffix != ".png":
        raise ConfigError(f"--plot {plot}: the name must end in .png")
    if timeline and timeline.suffix != ".json":
        raise ConfigError(f"--timeline {timeline}: the name must end in .json")


def _recognise(
    found: Recording,
    checkpoint: Path,
    labels: str | None,
    profile: Path | None,
    step: float | None,
    minimum: float,
    abstain: bool,
) -> tuple[list[str], list[Segment]]:
    from otolith.models.registry import load_text_model
    from otolith.recognise.recogniser import Recogniser
    from otolith.recognise.timeline import timeline

    model = load_text_model(checkpoint)
    recogniser = Recogniser(model)
    notes = r.notes_on(found, model, recogniser.view)
    embedded = recogniser.embed(found, step_seconds=recogniser.window_seconds / 2 if step is None else step)
    names, beliefs, threshold = _beliefs(model, embedded, labels, profile, abstain)
    segments = timeline(embedded.starts, embedded.seconds, beliefs, names, threshold=threshold, minimum_seconds=minimum)
    if labels is not None:
        notes += r.note_on_words(model, names, "recognition by name is near chance there; enrol a few seconds of it")
    r.tell([*notes, *r.note_on_gaps(embedded.missing)])
    return names, segments


def _beliefs(
    model: TextModel, embedded: Embedded, labels: str | None, profile: Path | None, abstain: bool
) -> tuple[list[str], NDArray[np.float32], float]:
    """Names, probabilities and the threshold on them: enrolled, prompted, or all that the model was trained on."""
    from otolith.recognise.calibrate import label_threshold
    from otolith.recognise.zeroshot import check_labels, open_set, zero_shot

    if profile is not None:
        from otolith.recognise.enrol import Enrolment

        enrolled = Enrolment.load(profile, model)
        if abstain and enrolled.threshold is None:
            raise ConfigError(
                f"--abstain: {profile} has one example of each activity and so no threshold; enrol longer stretches"
            )
        threshold = enrolled.threshold if abstain and enrolled.threshold else 0.0
        return list(enrolled.labels), enrolled.probabilities(embedded.features), threshold
    if labels is None:
        known = open_set(model, embedded.vectors)
        names, beliefs = list(known.labels), known.probabilities
    else:
        names = check_labels(labels.split(","))
        beliefs = zero_shot(model, embedded.vectors, names)
    return names, beliefs, label_threshold(model, names) if abstain else 0.0


def _rows(segments: list[Segment]) -> list[dict[str, Any]]:
    from otolith.data.labels import group_of

    return [
        {
            "start_s": round(s.start, 3),
            "end_s": round(s.end, 3),
            "activity": s.label,
            "group": group_of(s.label),
            "confidence": round(s.confidence, 4),
        }
        for s in segments
    ]


def _plot(found: Recording, segments: list[Segment], names: list[str], path: Path) -> None:
    import numpy as np

    from otolith.evaluate.figures import save, timeline

    time = np.arange(len(found.signal)) / found.rate
    traces, spans, truth = _to_draw(found, segments)
    save(timeline(time, found.signal, traces, spans, truth, names), path)


def _save_timeline(found: Recording, segments: list[Segment], path: Path) -> None:
    from otolith.evaluate.signals import thin
    from otolith.evaluate.timeline_file import RecordedTimeline

    if not segments:
        raise DataError(f"--timeline: nothing is recognised in '{found.name}', so there is nothing to show")
    traces, spans, truth = _to_draw(found, segments)
    lines = thin(found.signal, found.rate, traces)
    RecordedTimeline(found.name, (0.0, found.duration), lines, spans, truth).save(path)


def _to_draw(found: Recording, segments: list[Segment]) -> tuple[list[Trace], list[Span], list[Span] | None]:
    """Channels, what was recognised, and what is true, if that is known."""
    from otolith.evaluate.signals import Span, Trace

    traces = [Trace(c.name, c.unit) for c in found.channels]
    spans = [Span(s.start, s.end, s.label, s.confidence) for s in segments]
    return traces, spans, [Span(a.start, a.end, a.activity) for a in found.annotations] or None


def _write(rows: list[dict[str, Any]], path: Path) -> None:
    import csv

    from otolith.files import atomic_file

    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as handle:
        if path.suffix == ".json":
            json.dump(rows, handle, indent=1)
        else:
            writer = csv.DictWriter(handle, ["start_s", "end_s", "activity", "group", "confidence"])
            writer.writeheader()
            writer.writerows(rows)


def _show(rows: list[dict[str, Any]], found: Recording, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    title = f"{found.name}: {found.duration:.1f} s at {found.rate:g} Hz"
    table = Table("from", "to", "activity", "confidence", title=title)
    for row in rows:
        table.add_row(f"{row['start_s']:.1f} s", f"{row['end_s']:.1f} s", row["activity"], f"{row['confidence']:.2f}")
    Console().print(table)
