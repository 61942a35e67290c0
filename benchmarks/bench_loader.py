"""Windows a second from disk to batch, against a re-creation of the public code's way, on real recordings.

    python benchmarks/bench_loader.py [--rounds 7] [--threads 0]

The watch data that comes inside a wheel is always measured; HAPT too where OTOLITH_RAW_DIR names a folder that holds
it. Files were read before, so both sides read from memory (the page cache).
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from measure import interleaved, provenance, publish, row, threads
from reference_loader import Sessions, pad, prepare, write_sessions
from torch.utils.data import DataLoader

from otolith.data.augmenter import AugmentConfig
from otolith.data.converters import convert
from otolith.data.loader import LoaderConfig, MaskConfig, Request, Windows, describe_channels
from otolith.data.store import Dataset, DatasetWriter
from otolith.data.windows import index_windows

BATCH, BATCHES = 64, 6
AUGMENT: dict[str, AugmentConfig | None] = {
    "none": None,
    "weak": AugmentConfig(jitter=0.8, scale=0.8, shift=0.8, time_warp=0, magnitude_warp=0, resample=0, rotation=0),
    "all": AugmentConfig(),
}
Calls = dict[str, Callable[[], None]]


def sources(folder: Path) -> Iterator[Dataset]:
    """The data sets at hand, converted."""
    raw = os.environ.get("OTOLITH_RAW_DIR")
    found: dict[str, Path | None] = {"spar": None}
    if raw and (Path(raw) / "hapt").is_dir():
        found["hapt"] = Path(raw) / "hapt"
    for name, place in found.items():
        with DatasetWriter(folder / name, name) as writer:
            for recording in convert(name, place):
                writer.add(recording)
        yield Dataset.open(folder / name)


class Bench:
    """The same windows of one layout for both sides."""

    def __init__(self, dataset: Dataset, folder: Path) -> None:
        self.config = LoaderConfig()
        index = index_windows(dataset, self.config.window_seconds, self.config.step_seconds)
        same = index.take(dataset.recordings["layout"].to_numpy()[index.recording] == 0)
        chosen = np.random.default_rng(0).permutation(len(same))[: BATCH * BATCHES]
        self.index = same.take(chosen)
        self.rate = float(dataset.recordings["rate"].iloc[int(self.index.recording[0])])
        self.columns = self.config.view.columns(dataset.layouts[0])
        # A text for each channel; which does not matter to the time.
        self.text = {d: np.zeros(384, np.float32) for d in describe_channels([self.index], self.config.view)}
        self.rows = np.arange(len(self.index)).reshape(-1, BATCH)
        values = self.gather(np.arange(len(self.index)))[:, :, self.columns]
        write_sessions(folder, list(values), [self.rate] * len(values))
        self.files, self.memory = Sessions(folder), Sessions(folder, cached=True)

    def gather(self, rows: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """SI windows [B, T, C]."""
        index = self.index
        return index.dataset.gather(index.recording[rows], index.start[rows], int(index.length[0]))

    def batches(self, augment: AugmentConfig | None) -> Calls:
        """All batches of stage 1: views, patches, mask."""
        mask = MaskConfig()
        ours = Windows([self.index], self.text, self.config, augment=augment, views=augment is not None, mask=mask)

        def otolith() -> None:
            for number, rows in enumerate(self.rows):
                ours[Request(rows, (0, 0, number))]

        def reference(sessions: Sessions) -> Callable[[], None]:
            def load() -> None:
                for data, _ in DataLoader(sessions, batch_size=BATCH, collate_fn=pad):
                    prepare(list(data), [self.rate] * len(data), self.config.patch_seconds[0], mask.ratio, augment)

            return load

        return {"otolith": otolith, "parquet": reference(self.files), "memory": reference(self.memory)}

    def windows(self) -> Calls:
        """Only the raw windows, padded to a batch."""

        def otolith() -> None:
            for rows in self.rows:
                self.gather(rows)

        def reference(sessions: Sessions) -> Callable[[], None]:
            def load() -> None:
                for _ in DataLoader(sessions, batch_size=BATCH, collate_fn=pad):
                    pass

            return load

        return {"otolith": otolith, "parquet": reference(self.files), "memory": reference(self.memory)}


def measure(bench: Bench, name: str, rounds: int) -> Iterator[dict[str, Any]]:
    """The rows of one data set."""
    tasks = {"raw windows": bench.windows()}
    tasks |= {f"batches, augmented: {kind}": bench.batches(augment) for kind, augment in AUGMENT.items()}
    for task, calls in tasks.items():
        seconds = interleaved(calls, rounds, least=0.2)
        for reference in ("parquet", "memory"):
            case = {"dataset": name, "task": task, "batch": BATCH, "channels": len(bench.columns)}
            line = row(case, seconds, "otolith", reference)
            speeds = {
                f"{side}_windows_per_s": round(1e3 * bench.rows.size / line[f"{side}_ms"])
                for side in ("otolith", "reference")
            }
            yield {**line, **speeds, **provenance()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=0, help="0: torch's default")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with threads(arguments.threads), tempfile.TemporaryDirectory() as name:
        for dataset in sources(Path(name) / "converted"):
            bench = Bench(dataset, Path(name) / "sessions" / dataset.name)
            rows += measure(bench, dataset.name, arguments.rounds)
    publish("loader", f"Loading {BATCH * BATCHES} windows: times as long as Otolith's", ["dataset", "task"], rows)


if __name__ == "__main__":
    main()
