"""`otolith export` and `otolith vocabulary`: a checkpoint as verified files for a device, and words for it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otolith.types import ConfigError, DataError, LeakError

if TYPE_CHECKING:
    from otolith.data.segments import SegmentConfig
    from otolith.data.store import Dataset
    from otolith.data.windows import WindowIndex
    from otolith.export.certify import Exported, Job
    from otolith.export.material import Exportable, Material
    from otolith.export.metadata import Contract
    from otolith.export.vocabulary import Vocabulary
    from otolith.models.saved import TextModel

CALIBRATION = 200
"""Segments that int8-static takes its ranges from, evenly spaced over those of training."""

Model = Annotated[Path, typer.Option("--model", "-m", help="Checkpoint of a student, or of `otolith align`.")]
Folder = Annotated[Path, typer.Option("--output", "-o", help="Folder of the files.")]


def export(
    model: Model,
    data: Annotated[Path, typer.Option("--data", "-d", help="Converted dataset with people the model has not seen.")],
    output: Folder,
    form: Annotated[str, typer.Option("--format", help="onnx or litert.")] = "onnx",
    precision: Annotated[
        str, typer.Option(help="Any of fp32, int8-dynamic, int8-static, separated by commas.")
    ] = "fp32",
    inside: Annotated[
        bool, typer.Option("--inside/--outside", help="Signal in SI units, or in reference units.")
    ] = True,
    labels: Annotated[
        str | None, typer.Option("--labels", "-l", help="Words of the vocabulary; by default those of training.")
    ] = None,
    placement: Annotated[str, typer.Option(help="Where the sensor is worn, if the dataset has several places.")] = "",
    rate: Annotated[float | None, typer.Option(help="Encoder: Hz of the device; by default of the dataset.")] = None,
    calibrate: Annotated[
        Path | None, typer.Option(help="Dataset of training whose people int8-static is calibrated on; default --data.")
    ] = None,
    max_difference: Annotated[float, typer.Option(help="fp32: largest difference of an output.")] = 1e-4,
    agreement: Annotated[
        float | None, typer.Option(help="Smallest share of equal labels; by default 0.999 in fp32, 0.99 in int8.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the certificates as JSON.")] = False,
) -> None:
    """Writes a model for a device, and refuses what does not say the same as the model in PyTorch."""
    from otolith.data.store import Dataset
    from otolith.export import certify, parity
    from otolith.export.material import exportable, intake
    from otolith.models.registry import load_model

    wanted = [name.strip() for name in precision.split(",") if name.strip()]
    certify.check_wanted(form, wanted)
    loaded, dataset = exportable(load_model(model)), Dataset.open(data)
    config = intake(loaded, dataset, rate, placement)
    source = (Dataset.open(calibrate) if calibrate else dataset) if "int8-static" in wanted else None
    job = prepare(loaded, dataset, config, labels, source, inside=inside)
    limits = {
        name: replace(parity.FP32, difference=max_difference) if name == "fp32" else parity.INT8 for name in wanted
    }
    if agreement is not None:
        limits = {name: replace(limit, agreement=agreement) for name, limit in limits.items()}
    _show(certify.export(job, output, form, wanted, limits), as_json)


def vocabulary(
    model: Model,
    labels: Annotated[str, typer.Option("--labels", "-l", help="Activities in words, separated by commas.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="An .npz file.")],
) -> None:
    """Writes words for an exported model of words; no training, and the file on the device stays as it is."""
    from otolith.models.registry import load_text_model

    if output.suffix != ".npz":
        raise ConfigError(f"--output {output}: the name must end in .npz")
    loaded = load_text_model(model)
    words = words_of(loaded, labels)
    words.save(output)
    count, each, width = words.prototypes.shape
    typer.echo(f"{output}: {count} labels, {each} prototypes of width {width} each")


def prepare(
    model: Exportable,
    dataset: Dataset,
    config: SegmentConfig,
    labels: str | None,
    source: Dataset | None,
    *,
    inside: bool,
) -> Job:
    """All that an export needs.

    Args:
        model: From `exportable`.
        dataset: With people whom the model has not seen.
        config: From `intake`.
        labels: Words of the vocabulary, separated by commas; None takes those of training.
        source: Dataset to calibrate on; None where nothing is calibrated.
        inside: As in `Contract`.

    Raises:
        ConfigError: Labels for a model of classes.
        DataError: Nobody unseen has a segment with these labels, or nobody of training is in `source`.
        LeakError: The dataset shares recordings with one that the model was trained on.
    """
    from otolith.data.labels import resolve
    from otolith.export.certify import Job
    from otolith.export.material import describe, gather, layout
    from otolith.models.saved import TextModel

    words = words_of(model, labels) if isinstance(model, TextModel) else None
    if words is None and labels is not None:
        raise ConfigError("--labels are words, and this model tells fixed classes apart: leave them out")
    names = tuple(resolve(label) for label in (words.labels if words else model.meta["labels"]))
    index = unseen(config.index(dataset).labelled(names), model)
    contract, graph = describe(model, config, layout(model, index, config), inside=inside)
    calibration, people = (None, ()) if source is None else _calibration(model, source, config, contract)
    judged = gather(model, index, config, contract)
    return Job(graph, contract, index, judged, names, words, calibration, people)


def unseen(index: WindowIndex, model: Exportable) -> WindowIndex:
    """Segments of people who had no part in any stage: what evaluation also judges on.

    Raises:
        DataError: There is none.
        LeakError: The dataset shares recordings with one that the model was trained on.
    """
    from otolith.data.leaks import share_recordings
    from otolith.evaluate.study import check_unseen
    from otolith.train.sources import subjects_in

    name, history = index.dataset.name, model.meta.get("history") or {}
    twin = next((other for other in history if other != name and share_recordings(name, other)), None)
    if twin:
        raise LeakError(f"the model was trained on '{twin}', which holds the same recordings as '{name}'")
    used = subjects_in(history, name, index.dataset.sha256, ("train", "val", "tuned")) or set()
    kept = index.of_subjects(set(index.subject.tolist()) - used)
    if not len(kept):
        raise DataError(f"'{name}' has no segment with these labels of a person whom the model has not seen")
    check_unseen(model.meta, kept)
    return kept


def _calibration(
    model: Exportable, source: Dataset, config: SegmentConfig, contract: Contract
) -> tuple[Material | None, tuple[str, ...]]:
    """Segments of people of training, at most `CALIBRATION`, and who they are."""
    import numpy as np

    from otolith.export.material import gather, layout
    from otolith.train.sources import subjects_in

    trained = subjects_in(model.meta.get("history") or {}, source.name, source.sha256, ("train",)) or set()
    index = config.index(source)
    index = index.of_subjects(trained)
    if not len(index):
        raise DataError(
            f"int8-static is calibrated on people of training, and '{source.name}' has none: name a dataset that the "
            "model was trained on with --calibrate"
        )
    index = index.take(np.unique(np.linspace(0, len(index) - 1, CALIBRATION).round().astype(np.int64)))
    measured = [(c.sensor, c.axis, c.gravity) for c in layout(model, index, config)]
    if measured != [(c.sensor, c.axis, c.gravity) for c in contract.channels]:
        raise DataError(f"the channels of '{source.name}' are not those that the model is exported for")
    return gather(model, index, config, contract), tuple(sorted(set(index.subject.tolist())))


def words_of(model: TextModel, labels: str | None) -> Vocabulary:
    """The words that a device compares with: those given, separated by commas, or those of training.

    The threshold for unknown belongs to the labels of training; with others nothing is rejected.

    Raises:
        CheckpointError: The model has not learnt words.
        DataError: The list of labels cannot be used.
        MissingExtraError: A label is new to the model and the text encoder is not installed.
    """
    from otolith.data.labels import resolve
    from otolith.export.vocabulary import Vocabulary
    from otolith.recognise.calibrate import Threshold
    from otolith.recognise.zeroshot import check_labels

    model.require_words()
    learnt = model.meta.get("labels", ())
    names = check_labels(learnt if labels is None else labels.split(","))
    found = Threshold.of(model)
    same = {resolve(name) for name in names} == {resolve(name) for name in learnt}
    return Vocabulary.of(model, names, found.temperature, found.threshold if same else 0.0)


def _show(made: Iterable[Exported], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([{"file": str(one.file), **one.certificate} for one in made], indent=1))
        return
    for one in made:
        about: dict[str, Any] = one.certificate
        typer.echo(
            f"{one.file}: {about['size_mb']:.3f} MB, {about['mflops']:.2f} MFLOP; the same label as PyTorch for "
            f"{100 * about['agreement']:.2f} % of {about['segments']} segments of {len(about['people'])} people not "
            f"seen before, outputs within {about['max_difference']:.2g}, accuracy {about['exported_accuracy']:.4f} "
            f"({about['accuracy_change']:+.4f})"
        )
