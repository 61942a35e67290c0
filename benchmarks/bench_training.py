"""Windows a second of stage 1 from disk to updated weights, on mixed recordings, against the design Otolith grew from.

    python benchmarks/bench_training.py --data datasets/hapt datasets/dsads ... [--rounds 3] [--threads 1]
    OTOLITH_RAW_DIR=... python benchmarks/bench_training.py     (converts the data first)

Both sides train on the same windows, drawn as Otolith draws an epoch: same size, batch, patch duration, channels,
probabilities of augmentation, both losses, clipping, AdamW. A turn goes once through the batches, loading included.

`padded`     the public code's stage 1: windows in random order, each read from a parquet file of its own, padded to the
             widest of their batch.
`bucketed`   the same in its favour: batches of one width, as its stage 2 makes them, and windows decoded in memory.

`reference_encoder.py` and `reference_loader.py` say how both were re-created.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_conversion import DATASETS
from measure import interleaved, provenance, publish, row, threads
from numpy.typing import NDArray
from reference_encoder import ReferencePretraining
from reference_loader import Sessions, pad, prepare, write_sessions
from torch import Tensor, nn
from torch.utils.data import DataLoader

from otolith.data.augmenter import AugmentConfig
from otolith.data.conversion import convert_dataset
from otolith.data.loader import LoaderConfig, MaskConfig, Request, Windows, describe_channels
from otolith.data.sampling import SamplingConfig, epoch_batches
from otolith.data.store import Dataset
from otolith.data.windows import index_windows
from otolith.models.encoder import SIZES
from otolith.models.model import Otolith
from otolith.models.text import EMBEDDING
from otolith.train.engine import EngineConfig, optimiser
from otolith.train.pretrain import PretrainModule, PretrainObjective
from otolith.types import Batch

TRAINED = ("hapt", "dsads", "wisdm", "utd_mhad", "tug")
PRECISIONS = {"fp32": False, "bf16-mixed": True}
LOADER = LoaderConfig(window_seconds=3.0, step_seconds=1.5, patch_seconds=(0.75,))  # as configs/align-all.yaml
AUGMENT, MASK, SAMPLING = AugmentConfig(), MaskConfig(), SamplingConfig(batch_size=20)  # 20: the public code's
Batches = Callable[[], Iterator[Batch]]


class Ours:
    """Otolith's batches of the mix: `count` of an epoch, wide and narrow in its proportion."""

    def __init__(self, datasets: Sequence[Dataset], count: int) -> None:
        self.names = [d.name for d in datasets]
        indexes = [index_windows(d, LOADER.window_seconds, LOADER.step_seconds, view=LOADER.view) for d in datasets]
        rng = np.random.default_rng(0)
        # A text for each channel; which does not matter to the time.
        words = describe_channels(indexes, LOADER.view)
        text = {word: rng.normal(size=EMBEDDING).astype(np.float32) for word in words}
        self.windows = Windows(indexes, text, LOADER, augment=AUGMENT, views=True, mask=MASK)
        self.plain = Windows(indexes, text, LOADER)
        width = self.plain.bucket()
        epoch = epoch_batches(self.plain.dataset, width, self.plain.group_numbers(), SAMPLING, seed=0, epoch=0)
        by_width = epoch[np.argsort(width[epoch[:, 0]], kind="stable")]
        self.rows = by_width[((np.arange(count) + 0.5) * len(epoch) / count).astype(int)]

    def __call__(self) -> Iterator[Batch]:
        """The batches, loaded one by one."""
        return (self.windows[Request(rows, (0, 0, number))] for number, rows in enumerate(self.rows))

    def raw(self, number: int) -> tuple[NDArray[np.float32], float, NDArray[np.float32]]:
        """One window [T, C] with the channels that are used, its rate, and their texts [C, E]."""
        dataset = int(self.plain.dataset[number])
        index, local = self.plain.indexes[dataset], number - int(self.plain.first[dataset])
        layout = int(self.plain.layout[dataset][local])
        at = slice(local, local + 1)
        signal = index.dataset.gather(index.recording[at], index.start[at], int(index.length[local]))[0]
        shown = self.plain.shown[dataset, layout][0]
        text = np.stack([self.plain.text[channel.description] for channel in shown.channels])
        return signal[:, shown.columns], float(self.plain.rate[dataset][local]), text


@dataclass
class Theirs:
    """The same windows by the reference's way."""

    sessions: Sessions
    rates: list[float]
    texts: list[Tensor]
    batches: list[list[int]]

    def __call__(self) -> Iterator[Batch]:
        """The batches, loaded one by one."""
        loader = DataLoader(self.sessions, batch_sampler=self.batches, collate_fn=_with_shapes)
        for (data, shapes), numbers in zip(loader, self.batches, strict=True):
            windows = [window[:samples, :channels] for window, (samples, channels) in zip(data, shapes, strict=True)]
            rates = [self.rates[n] for n in numbers]
            patches, mask, second, hidden = prepare(windows, rates, LOADER.patch_seconds[0], MASK.ratio, AUGMENT)
            text, channel_mask = pad([self.texts[n] for n in numbers])
            masked = hidden[:, :, None] & channel_mask[:, None]
            seconds = torch.full((len(numbers),), LOADER.patch_seconds[0])
            yield Batch(patches, mask, channel_mask, text, seconds, augmented=second, masked=masked)


def _with_shapes(samples: Sequence[Tensor]) -> tuple[Tensor, list[tuple[int, ...]]]:
    return pad(samples)[0], [tuple(sample.shape) for sample in samples]


def references(ours: Ours, folder: Path) -> dict[str, Theirs]:
    """Both references, over the windows of ours."""
    windows, rates, texts = zip(*(ours.raw(int(n)) for n in ours.rows.ravel()), strict=True)
    write_sessions(folder, windows, rates)
    order = np.arange(ours.rows.size).reshape(ours.rows.shape)
    mixed = np.random.default_rng(0).permutation(order.ravel()).reshape(order.shape)
    shared = (list(rates), [torch.from_numpy(text) for text in texts])
    return {
        "padded": Theirs(Sessions(folder), *shared, mixed.tolist()),
        "bucketed": Theirs(Sessions(folder, cached=True), *shared, order.tolist()),
    }


def padding(batches: Batches) -> float:
    """Share of the places for patches of channels that hold none."""
    masks = [(batch.patch_mask[:, :, None] & batch.channel_mask[:, None]) for batch in batches()]
    return 1 - sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks)


def trainer(module: nn.Module, loss: Callable[[Batch], Tensor], batches: Batches, bf16: bool) -> Callable[[], None]:
    """One pass over the batches, a step each, as a call."""
    config = EngineConfig()
    # Each side as it is: Otolith's engine fuses the updates of all weights.
    adam = optimiser(module, config) if isinstance(module, PretrainModule) else torch.optim.AdamW(module.parameters())
    module.train()

    def train() -> None:
        for batch in batches():
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                value = loss(batch)
            value.backward()
            nn.utils.clip_grad_norm_(module.parameters(), config.clip)
            adam.step()
            adam.zero_grad()

    return train


def measure(ours: Ours, theirs: dict[str, Theirs], size: str, precision: str, rounds: int) -> Iterator[dict[str, Any]]:
    """The rows of one size and precision."""
    torch.manual_seed(0)
    bf16, config = PRECISIONS[precision], SIZES[size]
    module = PretrainModule(Otolith(config), PretrainObjective(), ours.names)
    calls = {"otolith": trainer(module, lambda batch: module(batch)["loss"], ours, bf16)}
    for name, batches in theirs.items():
        reference = ReferencePretraining(config)
        calls[name] = trainer(reference, reference, batches, bf16)
    seconds = interleaved(calls, rounds)
    for name, batches in theirs.items():
        case = {"data": "+".join(ours.names), "size": size, "precision": precision, "batch": SAMPLING.batch_size}
        line = row(case, seconds, "otolith", name)
        speeds = {
            f"{side}_windows_per_s": round(1e3 * ours.rows.size / line[f"{side}_ms"], 1)
            for side in ("otolith", "reference")
        }
        shares = {"otolith_padding": round(padding(ours), 4), "reference_padding": round(padding(batches), 4)}
        yield {**line, **speeds, **shares, **provenance()}


def open_data(folders: Sequence[Path], converted: Path) -> list[Dataset]:
    """The datasets that are named, or else those that can be converted."""
    raw = os.environ.get("OTOLITH_RAW_DIR")
    if not folders and raw:
        found = [name for name in TRAINED if (Path(raw) / DATASETS[name]).is_dir()]
        for name in found:
            convert_dataset(name, Path(raw) / DATASETS[name], converted / name)
        folders = [converted / name for name in found]
    return [Dataset.open(folder) for folder in folders]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", default=[], help="converted datasets of several widths")
    parser.add_argument("--sizes", nargs="+", default=["tiny", "small", "base"], choices=list(SIZES))
    parser.add_argument("--precisions", nargs="+", default=list(PRECISIONS), choices=list(PRECISIONS))
    parser.add_argument("--batches", type=int, default=7, help="in a turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="0: torch's default")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with threads(arguments.threads), tempfile.TemporaryDirectory() as name:
        datasets = open_data(arguments.data, Path(name))
        if not datasets:
            print("nothing to train on: give --data, or set OTOLITH_RAW_DIR to the folder of unpacked archives")
            return
        ours = Ours(datasets, arguments.batches)
        theirs = references(ours, Path(name) / "sessions")
        for size in arguments.sizes:
            for precision in arguments.precisions:
                rows += measure(ours, theirs, size, precision, arguments.rounds)
    title = f"Stage 1, loading included, {ours.rows.size} windows a turn: times as long as Otolith's"
    publish("training", title, ["size", "precision"], rows)


if __name__ == "__main__":
    main()
