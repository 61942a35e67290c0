"""A day of six-channel data at 50 Hz through a stream: time, memory, and every injected fault counted.

    python edge/benchmarks/day.py make -d runs/data/hapt -o /tmp/hapt.npy     # real recordings, needs otolith
    python edge/benchmarks/day.py run -m model.onnx -i /tmp/hapt.npy          # needs otolith-edge alone
    python edge/benchmarks/day.py run -m model.onnx -i /tmp/hapt.npy --faults

The recordings are repeated one after the other until the day is over; what is streamed is made as it goes, so that
memory is the stream's.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from injected import Injector

RATE = 50.0
PACKET = 25  # samples of a packet, where none are made faulty
BLOCK = 30_000  # samples of a block of faults: ten minutes


def make(dataset: Path, output: Path) -> None:
    """All recordings of a dataset, end to end, as one array [T, 6]."""
    from otolith.data.store import Dataset

    opened = Dataset.open(dataset)
    rows = np.concatenate([opened.read(k).signal for k in range(len(opened.recordings))])
    np.save(output, rows[~np.isnan(rows).any(axis=1)].astype(np.float32))
    print(f"{output}: {len(rows)} samples, {len(rows) / RATE / 3600:.2f} h of {len(opened.recordings)} recordings")


def packets(signal: NDArray[np.float32], hours: float, injector: Injector | None) -> Iterator[tuple]:
    """Times and values as they arrive."""
    total, size = round(hours * 3600 * RATE), BLOCK if injector else PACKET
    for number, first in enumerate(range(0, total, size)):
        rows = np.arange(first, min(first + size, total))
        times, values = rows / RATE, signal[rows % len(signal)]
        if injector is None:
            yield times, values
        else:
            # One jump ahead and one back in the day; the other faults in every block.
            yield from injector.block(times, values, jumps=number in (40, 90))


def resident() -> float:
    """Memory of this process in MB."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024


def run(model: Path, words: Path | None, signal: NDArray[np.float32], hours: float, faulty: bool) -> dict:
    """Streams the day and tells memory at every hour of data."""
    from otolith_edge import Model, Stream, Vocabulary

    stream = Stream(Model.load(model), RATE, Vocabulary.load(words) if words else None)
    injector = Injector(RATE) if faulty else None
    kinds: dict[str, int] = {}
    memory: dict[int, float] = {}
    sent, began = 0, time.perf_counter()
    for times, values in packets(signal, hours, injector):
        for event in stream.push(times, values):
            kinds[type(event).__name__] = kinds.get(type(event).__name__, 0) + 1
        sent += len(times)
        hour = int(sent / RATE / 3600)
        if hour not in memory:
            memory[hour] = resident()
    for event in stream.finish():
        kinds[type(event).__name__] = kinds.get(type(event).__name__, 0) + 1
    seconds = time.perf_counter() - began
    return {
        "model": model.name,
        "hours": hours,
        "seconds": round(seconds, 1),
        "times_real_time": round(hours * 3600 / seconds),
        "resident_mb": {hour: round(mb, 1) for hour, mb in memory.items()} | {"end": round(resident(), 1)},
        "received": stream.received,
        "used": stream.used,
        "events": kinds,
        "faults": dict(sorted(stream.faults.counts.items())),
        "injected": injector and dict(sorted(injector.expected.items())),
        "good": injector.good if injector else stream.received,
        "torch": "torch" in sys.modules,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("-d", "--dataset", type=Path, required=True)
    making.add_argument("-o", "--output", type=Path, required=True)
    running = commands.add_parser("run")
    running.add_argument("-m", "--model", type=Path, required=True)
    running.add_argument("-v", "--vocabulary", type=Path)
    running.add_argument("-i", "--input", type=Path, required=True)
    running.add_argument("--hours", type=float, default=24.0)
    running.add_argument("--faults", action="store_true")
    options = parser.parse_args()
    if options.command == "make":
        make(options.dataset, options.output)
    else:
        signal = np.load(options.input)
        print(json.dumps(run(options.model, options.vocabulary, signal, options.hours, options.faults), indent=1))


if __name__ == "__main__":
    main()
