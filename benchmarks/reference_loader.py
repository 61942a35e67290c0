"""The reference for loading: a plain re-creation of how the public code that Otolith grew from prepares a batch.

No code of it is used here. Re-created from its design, in the state of March 2026: each window is a session of its
own, a folder with one parquet file; `__getitem__` reads one; a collate function pads the samples of a batch; then the
training loop goes through the batch once more, window by window: cut into patches, interpolate to 64 samples, z-score,
pad again, augment the second view, and draw the mask. Warps and resampling interpolate each channel by itself with
scipy.

`cached=True` keeps the sessions in memory instead: what the design costs beyond its files.

Left out, in favour of the reference: its bookkeeping of labels and texts, and the augmentation of padded channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.interpolate import interp1d
from torch import Tensor
from torch.utils.data import Dataset

from otolith.data.augmenter import AugmentConfig
from otolith.types import PATCH_SAMPLES


def write_sessions(folder: Path, windows: Sequence[NDArray[np.float32]], rates: Sequence[float]) -> None:
    """Windows [T, C], a folder and a parquet file for each."""
    for number, (window, rate) in enumerate(zip(windows, rates, strict=True)):
        frame = pd.DataFrame(window, columns=[f"channel_{c}" for c in range(window.shape[1])])
        frame.insert(0, "timestamp_sec", np.arange(len(frame)) / rate)
        path = folder / f"{number:06d}" / "data.parquet"
        path.parent.mkdir(parents=True)
        frame.to_parquet(path)


class Sessions(Dataset[Tensor]):
    """One window [T, C] an item."""

    def __init__(self, folder: Path, *, cached: bool = False) -> None:
        self.paths = sorted(folder.glob("*/data.parquet"))
        self.cache = [self._read(path) for path in self.paths] if cached else None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> Tensor:
        values = self.cache[number] if self.cache else self._read(self.paths[number])
        if np.isnan(values).any():
            values = pd.DataFrame(values).ffill().bfill().to_numpy()
        return torch.tensor(values, dtype=torch.float32)

    def _read(self, path: Path) -> NDArray[np.float32]:
        frame = pd.read_parquet(path)
        return frame[[name for name in frame.columns if name != "timestamp_sec"]].to_numpy()


def pad(samples: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Samples of any shape to one batch [B, ...] with zeros behind, and which rows [B, L] are real."""
    shape = [max(sizes) for sizes in zip(*(s.shape for s in samples), strict=True)]
    batch = torch.zeros(len(samples), *shape)
    mask = torch.zeros(len(samples), shape[0], dtype=torch.bool)
    for i, sample in enumerate(samples):
        batch[i][tuple(slice(n) for n in sample.shape)] = sample
        mask[i, : len(sample)] = True
    return batch, mask


def prepare(
    windows: Sequence[Tensor], rates: Sequence[float], seconds: float, ratio: float, augment: AugmentConfig | None
) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
    """What the training loop does with a batch, window by window.

    Args:
        windows: Of a batch, each [T, C] without its padding.
        rates: Samples per second of each.
        seconds: Duration of a patch.
        ratio: Share of the patches to hide.
        augment: Probabilities and strengths of the second view; None makes none.

    Returns:
        patches [B, P, 64, C], their mask [B, P], the second view, hidden patches [B, P].
    """
    patches, mask = pad([_patches(w, int(rate * seconds)) for w, rate in zip(windows, rates, strict=True)])
    second = None
    if augment is not None:
        second = torch.zeros_like(patches)
        for i, (valid, window) in enumerate(zip(mask, windows, strict=True)):
            kept = patches[i, valid, :, : window.shape[1]]
            flat = _augment(kept.reshape(-1, kept.shape[-1]), PATCH_SAMPLES / seconds, augment)
            second[i, valid, :, : window.shape[1]] = flat.reshape(kept.shape)
    return patches, mask, second, (torch.rand(mask.shape) < ratio) & mask


def _patches(window: Tensor, length: int) -> Tensor:
    cut = window.t().unfold(1, length, length).permute(1, 0, 2)  # [P, C, length]
    resampled = F.interpolate(cut, size=PATCH_SAMPLES, mode="linear", align_corners=False).permute(0, 2, 1).contiguous()
    deviation = resampled.std(1, unbiased=False, keepdim=True).clamp(min=1e-8)
    return (resampled - resampled.mean(1, keepdim=True)) / deviation


def _augment(signal: Tensor, rate: float, config: AugmentConfig) -> Tensor:
    """One window [T, C]."""
    samples, channels = signal.shape
    if _chance(config.rotation):
        for first in range(0, channels - 2, 3):
            signal = signal.clone()
            signal[:, first : first + 3] = signal[:, first : first + 3] @ torch.linalg.qr(torch.randn(3, 3))[0]
    if _chance(config.time_warp):
        signal = _per_channel(signal, _curve(samples, 1.0, config.time_warp_sigma).cumsum())
    if _chance(config.shift):
        most = round(config.shift_seconds * rate)
        signal = torch.roll(signal, int(np.random.randint(-most, most + 1)), 0)  # noqa: NPY002 (as the original)
    if _chance(config.resample):
        factor = np.random.uniform(config.resample_lowest, 1)  # noqa: NPY002
        signal = _per_channel(signal, np.linspace(0, 1, int(samples * factor)))
        signal = _per_channel(signal, np.linspace(0, 1, samples))
    if _chance(config.magnitude_warp):
        curves = [_curve(samples, 1.0, config.magnitude_warp_sigma) for _ in range(channels)]
        signal = torch.stack([signal[:, c] * torch.from_numpy(curves[c]).float() for c in range(channels)], dim=-1)
    if _chance(config.scale):
        signal = signal * torch.empty(1, channels).uniform_(1 - config.scale_sigma, 1 + config.scale_sigma)
    if _chance(config.jitter):
        signal = signal + config.jitter_sigma * torch.randn_like(signal)
    return signal


def _chance(probability: float) -> bool:
    return bool(np.random.rand() < probability)  # noqa: NPY002


def _curve(samples: int, middle: float, sigma: float) -> NDArray[np.float64]:
    knots = np.clip(middle + sigma * np.random.randn(4), 0.2, None)  # noqa: NPY002
    return np.asarray(interp1d(np.linspace(0, 1, 4), knots, kind="cubic")(np.linspace(0, 1, samples)), np.float64)


def _per_channel(signal: Tensor, places: NDArray[np.float64]) -> Tensor:
    """Reads each channel of [T, C] at `places`, in any unit, from the first sample to the last."""
    places = (places - places[0]) / max(places[-1] - places[0], 1e-9)
    times = np.linspace(0, 1, len(signal))
    read = [
        interp1d(times, signal[:, c].numpy(), kind="linear", fill_value="extrapolate")(places)
        for c in range(signal.shape[1])
    ]
    return torch.from_numpy(np.stack(read, axis=-1)).float()
