"""What an exported model is calibrated and judged on: segments in SI units, and what PyTorch says of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from otolith.config import build
from otolith.data.channels import Channel
from otolith.data.loader import collate, cut, references
from otolith.data.patching import PatchingConfig
from otolith.data.prepared import PrepareConfig
from otolith.data.segments import SegmentConfig, Segments
from otolith.data.store import Dataset
from otolith.data.upright import seen
from otolith.data.views import ChannelView
from otolith.data.windows import WindowIndex
from otolith.export.graph import Graph, class_graph, word_graph
from otolith.export.metadata import Contract, joined
from otolith.models.model import Otolith
from otolith.models.pupil import Student, TextStudent
from otolith.models.registry import model_name
from otolith.models.saved import Saved, TextModel
from otolith.train.supervised import predict
from otolith.types import PATCH_SAMPLES, CheckpointError, ConfigError, DataError

Floats = NDArray[np.float32]
Exportable = Student | TextStudent | Otolith

_BATCH = 256


@dataclass(frozen=True)
class Material:
    """Segments as an exported model takes them.

    Attributes:
        signal: [N, W, C] in SI units, or in reference units where the contract says so.
        seconds: [N] duration of each; None where it is no input.
        label: [N].
        answers: [N, L] logits or [N, E] unit vectors, by PyTorch along the way of training and recognition.
    """

    signal: Floats
    seconds: Floats | None
    label: NDArray[np.str_]
    answers: Floats

    def feeds(self, rows: range) -> Iterator[dict[str, Floats]]:
        """One at a time, as a device sees them: inputs by name."""
        for row in rows:
            feed = {"signal": self.signal[row : row + 1]}
            yield feed if self.seconds is None else {**feed, "seconds": self.seconds[row : row + 1]}


def exportable(model: Saved) -> Exportable:
    """The model, if there is a graph for it.

    Raises:
        CheckpointError: Its kind has none, or it knows neither classes nor words.
    """
    if not isinstance(model, Student | TextStudent | Otolith):
        raise CheckpointError(f"a model of kind '{model.kind}' cannot be exported: give a student or the encoder")
    if isinstance(model, TextModel):
        model.require_words()
    return model


def intake(model: Exportable, dataset: Dataset, rate: float | None = None, placement: str = "") -> SegmentConfig:
    """The segments that a model takes.

    Args:
        model: With what it was taught on in `meta`.
        dataset: Whose rate the encoder is exported for.
        rate: For the encoder, another one.
        placement: Where the sensor is worn; empty keeps what the model keeps.

    Raises:
        CheckpointError: The model does not say how its segments are made.
        ConfigError: A student is asked for another rate, or its patches depend on the motion, which no graph of fixed
            shapes can do, or the dataset has several rates.
    """
    try:
        found = _of_words(model, dataset, rate) if isinstance(model, TextModel) else _taught(model)
    except (KeyError, TypeError, IndexError) as error:
        raise CheckpointError("the model does not say how its segments are made: train it with this otolith") from error
    if rate is not None and rate != found.prepare.rate:
        raise ConfigError(
            f"this student was taught at {found.prepare.rate:g} Hz and has no other rate: leave out --rate"
        )
    if found.patching.dynamic:
        raise ConfigError(
            "a student with dynamic patches has no graph of fixed shapes: distil one with patches of a fixed size "
            "(segments.patching.dynamic=false)"
        )
    view = replace(found.prepare.view, placements=(placement,)) if placement else found.prepare.view
    return replace(found, prepare=replace(found.prepare, view=view))


def _taught(model: Saved) -> SegmentConfig:
    config = build(SegmentConfig, model.meta["segments"])
    return replace(config, prepare=replace(config.prepare, cache=""))  # a folder of the machine of training


def _of_words(model: TextModel, dataset: Dataset, rate: float | None) -> SegmentConfig:
    """Windows as `Recogniser` makes them."""
    loader = model.meta["loader"]
    seconds, patch = float(loader["window_seconds"]), float(loader["patch_seconds"][0])
    if isinstance(model, Otolith):
        prepare = PrepareConfig(rate or _rate(dataset), lowpass=0.0)
    else:
        prepare = _taught(model).prepare
    prepare = replace(prepare, view=build(ChannelView, loader["view"]))
    patching = PatchingConfig(size=max(2, round(patch * prepare.rate)), samples=PATCH_SAMPLES)
    return SegmentConfig(False, seconds, seconds / 2, round(seconds * prepare.rate), prepare, patching)


def _rate(dataset: Dataset) -> float:
    rates = sorted(set(dataset.recordings["rate"].tolist()))
    if len(rates) > 1:
        raise ConfigError(f"'{dataset.name}' was recorded at {', '.join(f'{r:g}' for r in rates)} Hz: choose --rate")
    return float(rates[0])


def layout(model: Exportable, index: WindowIndex, config: SegmentConfig) -> tuple[Channel, ...]:
    """The channels that a model sees of a dataset.

    Raises:
        ConfigError: The encoder reads where a sensor is worn, and the recordings differ in it.
        DataError: The recordings differ in their number of channels, or have another one than the student.
    """
    view = config.prepare.view
    kept = {row: tuple(filter(view.keeps, index.dataset.channels(row))) for row in np.unique(index.recording).tolist()}
    layouts = list(dict.fromkeys(kept.values()))
    wanted = len(layouts[0]) if isinstance(model, Otolith) else model.net.config.channels
    odd = next((len(columns) for columns in layouts if len(columns) != wanted), None)
    if odd is not None:
        raise DataError(f"'{index.dataset.name}' shows {odd} channels and the model takes {wanted}: choose --placement")
    if isinstance(model, Otolith) and len({tuple(c.description for c in columns) for columns in layouts}) > 1:
        places = sorted({channel.placement for columns in layouts for channel in columns})
        raise ConfigError(
            f"the encoder reads where a sensor is worn, and in '{index.dataset.name}' it is at {', '.join(places)}: "
            "choose one with --placement"
        )
    return joined(layouts)


def describe(
    model: Exportable, config: SegmentConfig, channels: tuple[Channel, ...], *, inside: bool
) -> tuple[Contract, Graph]:
    """What the exported model takes and gives, and its graph; errors as in `class_graph` and `word_graph`."""
    rate, samples = config.prepare.rate, config.samples
    classes = isinstance(model, Student)
    contract = Contract(
        kind="classes" if classes else "words",
        model=model_name(model),
        rate=rate,
        samples=samples,
        window_seconds=None if config.whole_trials else config.window_seconds,
        lowpass=config.prepare.lowpass,
        channels=channels,
        inside=inside,
        labels=tuple(model.meta["labels"]) if classes else None,
        embedding=None if isinstance(model, Student) else model.bank.config.dim,
        weights_sha256=model.fingerprint(),
        history=model.meta.get("history") or {},
    )
    if isinstance(model, Student):
        seconds = None if config.whole_trials else round(config.window_seconds * rate) / rate
        return contract, class_graph(model, samples, config.patching, seconds, channels, inside=inside)
    patch_seconds = float(model.meta["loader"]["patch_seconds"][0])
    return contract, word_graph(model, samples, rate, patch_seconds, channels, inside=inside)


def gather(model: Exportable, index: WindowIndex, config: SegmentConfig, contract: Contract) -> Material:
    """Segments of an index, and what PyTorch says of them without the graph."""
    segments = Segments([index], config, labels=contract.labels or ())
    plain = segments.plain()
    signal = plain * references(contract.channels)
    answers = predict(model, segments) if isinstance(model, Student) else _embedded(model, signal, contract)
    seconds = segments.seconds.astype(np.float32) if config.whole_trials else None
    return Material(signal if contract.inside else plain, seconds, index.label, answers)


@torch.no_grad()
def _embedded(model: TextStudent | Otolith, signal: Floats, contract: Contract) -> Floats:
    """Unit vectors [N, E] of SI windows, as `Recogniser` makes them."""
    said = sorted({channel.description for channel in seen(contract.channels, upright=model.upright)})
    # A student looks at no words, and where several placements are joined no text has theirs.
    words = model.texts.table(said) if isinstance(model, Otolith) else dict.fromkeys(said, np.zeros(1, np.float32))
    patch_seconds = float(model.meta["loader"]["patch_seconds"][0])
    parts = []
    for first in range(0, len(signal), _BATCH):
        some = signal[first : first + _BATCH] / references(contract.channels)
        pieces = cut(some, contract.channels, contract.rate, patch_seconds, upright=model.upright)
        parts.append(model.embed(collate([pieces], words)).numpy())
    return np.concatenate(parts)
