"""Recordings made ready for segments: one rate, low-passed, skeleton aligned in seconds; kept on disk where asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from otolith.data.channels import Channel
from otolith.data.loader import references
from otolith.data.signal import lowpass, resample
from otolith.data.skeleton import centre_and_scale, joints, stand_up
from otolith.data.views import ChannelView
from otolith.data.windows import WindowIndex
from otolith.files import atomic_file
from otolith.types import ConfigError, DataError

Floats = NDArray[np.float32]

_MADE = 3
"""Counts up when recordings are made ready in another way: what a cache then holds is made anew."""

_HELD = 0.25
"""Seconds before its first and after its last frame for which a body is held still. Frames of UTD-MHAD end up to 0.12 s
before the sensor does; further away nobody was seen."""


@dataclass(frozen=True)
class PrepareConfig:
    """What is done to recordings before they are cut."""

    rate: float = 50.0
    """Samples per second of the sensors."""
    lowpass: float = 20.0
    """Cutoff in Hz of a zero-phase low-pass; 0 leaves the signal as it is."""
    frames: int = 32
    """Skeleton frames of a segment, evenly spaced over it."""
    view: ChannelView = field(default_factory=ChannelView)
    """Channels to keep."""
    cache: str = ""
    """Folder in which what was made ready is kept for the next run; empty keeps nothing."""

    def __post_init__(self) -> None:
        if not 10 <= self.rate <= 1000 or not 0 <= self.lowpass < self.rate / 2 or self.frames < 2:
            raise ConfigError(
                f"prepare: a rate of {self.rate:g} Hz must be from 10 to 1000, lowpass {self.lowpass:g} Hz below half "
                f"of it, frames {self.frames} at least 2"
            )


@dataclass(frozen=True)
class Prepared:
    """Segments of one dataset.

    Attributes:
        signal: [N, T, C] in reference units, each padded to the longest with its last sample.
        length: [N] samples without the padding.
        channels: One for each column, by the first segment: placements may differ.
        skeleton: [N, F, J, 3] in lengths of the trunk about the hip, NaN where none was seen; None where none is
            wanted.
    """

    signal: Floats
    length: NDArray[np.int64]
    channels: tuple[Channel, ...]
    skeleton: Floats | None = None


def prepare(index: WindowIndex, config: PrepareConfig, *, skeletons: bool) -> Prepared:
    """Makes the segments of one dataset ready, or finds them in the cache.

    Args:
        index: Segments of any lengths.
        config: Rate, filter, channels.
        skeletons: Whether the skeleton of the same session is wanted beside each segment.

    Raises:
        ConfigError: The view keeps no channel.
        DataError: There is no segment, or no session with a skeleton where skeletons are wanted.
    """
    if not len(index):
        raise DataError(f"dataset '{index.dataset.name}' has no segment on this side of the split")
    dataset, first = index.dataset, int(index.recording[0])
    channels = tuple(dataset.channels(first)[c] for c in config.view.columns(dataset.channels(first)))
    file = Path(config.cache) / f"{_key(index, config, skeletons)}.safetensors" if config.cache else None
    arrays = _read(file) if file else None
    if arrays is None:
        signal, length = _signals(index, config)
        arrays = {"signal": signal, "length": length}
        if skeletons:
            arrays["skeleton"] = _skeletons(index, config.frames)
        if file:
            with atomic_file(file) as temporary:
                temporary.write_bytes(save(arrays))
    return Prepared(arrays["signal"], arrays["length"], channels, arrays.get("skeleton"))


def kind(channels: Sequence[Channel]) -> tuple[Any, ...]:
    """What the columns measure; where they are worn does not matter."""
    return tuple((c.sensor, c.axis, c.gravity, c.unit) for c in channels)


def interpolate(values: Floats, places: NDArray[np.float64]) -> Floats:
    """Values [B, T, C] at places [B, W] in samples, linearly, ends held."""
    rows = np.arange(len(values))[:, None]
    places = np.clip(places, 0, values.shape[1] - 1)
    lower = places.astype(np.int64)
    left, right = values[rows, lower], values[rows, np.minimum(lower + 1, values.shape[1] - 1)]
    out: Floats = left + (places - lower).astype(np.float32)[..., None] * (right - left)
    return out


def _key(index: WindowIndex, config: PrepareConfig, skeletons: bool) -> str:
    """What the arrays depend on: the data, which parts of it, and how they are made."""
    settings = {k: v for k, v in asdict(config).items() if k != "cache"}
    text = json.dumps([_MADE, index.dataset.sha256, settings, skeletons], sort_keys=True)
    digest = hashlib.sha256(text.encode())
    for column in (index.recording, index.start, index.length):
        digest.update(np.ascontiguousarray(column, np.int64).tobytes())
    return digest.hexdigest()


def _read(file: Path) -> dict[str, NDArray[Any]] | None:
    """What the cache holds; a damaged file counts as none and is written again."""
    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="np") as handle:
            return {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError):
        return None


def _signals(index: WindowIndex, config: PrepareConfig) -> tuple[Floats, NDArray[np.int64]]:
    """Sensors of each segment [N, T, C] and its length [N], at the configured rate."""
    dataset = index.dataset
    parts: list[Floats] = [np.empty(0, np.float32)] * len(index)
    kinds = set()
    for recording in np.unique(index.recording).tolist():
        channels = dataset.channels(recording)
        columns = config.view.columns(channels)
        kinds.add(kind([channels[c] for c in columns]))
        rate = float(dataset.recordings["rate"].iloc[recording])
        signal = dataset.signal(recording)[:, columns] / references([channels[c] for c in columns])
        if config.lowpass and config.lowpass < rate / 2:
            signal = lowpass(signal, rate, config.lowpass)
        signal = np.asarray(resample(signal, rate, config.rate), dtype=np.float32)
        for row in np.flatnonzero(index.recording == recording).tolist():
            start = round(int(index.start[row]) * config.rate / rate)
            parts[row] = _held(signal[start : start + max(2, round(int(index.length[row]) * config.rate / rate))])
    if len(kinds) > 1:
        raise DataError(f"recordings of '{dataset.name}' differ in their channels: choose a view that makes them alike")
    longest = max(len(part) for part in parts)
    padded = np.stack([np.pad(part, ((0, longest - len(part)), (0, 0)), mode="edge") for part in parts])
    return padded, np.array([len(part) for part in parts])


def _held(part: Floats) -> Floats:
    """A segment [T, C] whose first or last sample, if a gap beside it reached there in resampling, is the next one."""
    there = np.flatnonzero(~np.isnan(part).any(axis=1))
    return part[np.clip(np.arange(len(part)), there[0], there[-1])]


def _skeletons(index: WindowIndex, frames: int) -> Floats:
    """The skeleton of the seconds of each segment [N, F, J, 3]; NaN where its session has none, or frames lack."""
    dataset = index.dataset
    recordings = dataset.recordings
    seen = {
        session: row
        for row, session in enumerate(recordings["session"])
        if session and any(channel.sensor == "position" for channel in dataset.channels(row))
    }
    if not seen:
        raise DataError(f"dataset '{dataset.name}' has no skeleton beside its sensors: a teacher of both cannot see")
    names = {tuple(joints(dataset.channels(row))) for row in seen.values()}
    if len(names) > 1:
        raise DataError(f"the skeletons of '{dataset.name}' differ in their joints: a teacher needs one kind")
    joint_names = names.pop()
    pairs = [seen.get(session, -1) for session in recordings["session"].iloc[index.recording]]
    # Of all people, so that every side of a split is turned alike.
    alone = [centre_and_scale(dataset.signal(row), dataset.channels(row)) for row in seen.values()]
    bodies = dict(zip(seen.values(), stand_up(alone, joint_names), strict=True))
    rate, offset = recordings["rate"].to_numpy(np.float64), recordings["offset_s"].to_numpy(np.float64)
    out = np.full((len(index), frames, len(joint_names), 3), np.nan, np.float32)
    for row, (recording, other) in enumerate(zip(index.recording.tolist(), pairs, strict=True)):
        if other < 0:
            continue
        # Seconds of the session: each recording counts from its own first sample.
        samples = index.start[row] + np.linspace(0, index.length[row] - 1, frames)
        place = (offset[recording] + samples / rate[recording] - offset[other]) * rate[other]
        body, reach = bodies[other], _HELD * rate[other]
        out[row] = interpolate(body.reshape(1, len(body), -1), place[None])[0].reshape(frames, *body.shape[1:])
        out[row, (place < -reach) | (place > len(body) - 1 + reach)] = np.nan
    return out
