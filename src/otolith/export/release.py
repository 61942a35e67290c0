"""A checkpoint made ready to be given away: 16 bits a number, one vector a text, no text encoder for known words.

A trained checkpoint keeps every token of every text that it has read, which is half of `otolith-small`. Once training
is over, the label bank pools the tokens of a text in one way only; so a release keeps what it pools to. That is exact
but for the rounding to 16 bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from otolith.config import build
from otolith.data.channels import SENSORS, Channel
from otolith.data.labels import VOCABULARY, resolve, sentences
from otolith.data.registry import CARDS
from otolith.data.store import Dataset
from otolith.data.upright import AXES
from otolith.data.views import ChannelView
from otolith.models.io import write_checkpoint
from otolith.models.saved import Reader, Saved, TextModel
from otolith.models.text_cache import TextCache
from otolith.types import CheckpointError, DataError

PLACEMENTS = (
    "ankle", "left ankle", "right ankle", "calf", "shin", "left shin", "right shin", "thigh", "left thigh",
    "right thigh", "pocket", "trouser pocket", "left trouser pocket", "right trouser pocket", "front trouser pocket",
    "back trouser pocket", "jacket pocket", "hip", "left hip", "right hip", "waist", "belt", "lower back", "back",
    "chest", "sternum", "torso", "upper arm", "left upper arm", "right upper arm", "forearm", "left forearm",
    "right forearm", "wrist", "left wrist", "right wrist", "dominant wrist", "non-dominant wrist", "hand", "left hand",
    "right hand", "head", "foot", "left foot", "right foot",
)  # fmt: skip
"""Where sensors are worn, beside the places of the public datasets: words that a release knows."""

DEVICES = ("", "smartphone", "smartwatch", "inertial sensor")
"""What carries them, likewise."""


def write_release(model: Saved, path: Path, datasets: Sequence[Dataset] = ()) -> None:
    """Writes the release of a trained model.

    It knows the vocabulary, the model's labels, and the channels that the model looks at. Other texts are left out.

    Args:
        model: As it was trained, or itself a release. It reads the texts that it lacks, and is otherwise unchanged.
        path: Ends in `.safetensors`.
        datasets: What it was trained on, if the release is to say how many hours of recordings that was.

    Raises:
        CheckpointError: A number does not fit in 16 bits.
        DataError: A dataset is not one that the model was trained on, or the place is not writable.
        MissingExtraError: A text is new to the model and the text encoder is not installed.
    """
    meta, tensors = model.checkpoint_meta(), model.checkpoint_tensors()
    meta["hours"] = {**meta.get("hours", {}), **_hours(meta, datasets)}  # before the texts, which take seconds
    if isinstance(model, Reader):
        texts, rows = _texts(model).state()
        meta = {**meta, "texts": texts}
        tensors = {k: v for k, v in tensors.items() if not k.startswith("texts.")}
        tensors |= {f"texts.{k}": v for k, v in rows.items()}
    write_checkpoint(path, _portable(meta), {name: _half(name, value) for name, value in tensors.items()})


def _half(name: str, value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value
    rounded = value.half()
    if not torch.isfinite(rounded).all():
        raise CheckpointError(f"'{name}' holds values that do not fit in 16 bits: the model cannot be released")
    return rounded


def _portable(meta: dict[str, Any]) -> dict[str, Any]:
    """Without the folders of the machine of training."""
    segments = meta.get("segments")
    if not segments:
        return meta
    return {**meta, "segments": {**segments, "prepare": {**segments["prepare"], "cache": ""}}}


def _texts(model: Reader) -> TextCache:
    """One vector for each text that recognition needs."""
    kept = TextCache()
    described = channel_texts(model)
    if described:
        kept.keep(described, model.texts.sentences(described))
    if isinstance(model, TextModel) and model.meta.get("stage") != "pretrain":
        labels = dict.fromkeys([*VOCABULARY, *map(resolve, model.meta.get("labels") or ())])
        said = sorted({sentence for label in labels for sentence in sentences(label)})
        kept.keep(said, model.pooled(said))
    return kept


def channel_texts(model: Reader) -> list[str]:
    """Descriptions of channels that a release knows: of those read in training and, if it reads any, of common ones."""
    view = build(ChannelView, (model.meta.get("loader") or {}).get("view") or {})
    sensors = tuple(SENSORS[sensor].words for sensor in view.sensors)
    found = {text for text in model.texts.known if text.startswith(sensors) and " at the " in text}
    if not isinstance(model, TextModel) or model.reads_channels:
        axes = (*"xyz", *(AXES if getattr(model, "upright", False) else ()))
        found |= {channel.description for channel in _common(view, axes) if view.keeps(channel)}
    return sorted(found)


def _common(view: ChannelView, axes: Sequence[str]) -> Iterable[Channel]:
    worn = dict.fromkeys((c.placement, c.device) for card in CARDS.values() for c in card.channels)
    worn |= dict.fromkeys(product(PLACEMENTS, DEVICES))
    for (placement, device), sensor, axis in product(worn, view.sensors, axes):
        yield Channel("any", sensor, axis, placement, device, (view.gravity is not False) if sensor == "acc" else None)


def _hours(meta: dict[str, Any], datasets: Sequence[Dataset]) -> dict[str, float]:
    """Hours of recordings of the people who were trained on, by dataset."""
    trained = meta.get("data") or {}
    found = {}
    for dataset in datasets:
        about = trained.get(dataset.name)
        if about is None or about["sha256"] != dataset.sha256:
            raise DataError(
                f"{dataset.path} is not what the model was trained on ({', '.join(trained) or 'nothing is said'}): "
                "give the same datasets, or none"
            )
        rows = dataset.recordings[dataset.recordings["subject"].isin(about["train"])]
        found[dataset.name] = round(float((rows["rows"] / rows["rate"]).sum()) / 3600, 2)
    return found
