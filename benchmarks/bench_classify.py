"""`otolith classify` on an hour of real motion, start-up included, against `import torch` in a process of its own.

    python benchmarks/bench_classify.py [--rounds 5] [--threads 1] [--models otolith-small ...]

The hour is the watch data that comes inside a wheel: recordings of ten people one after the other, six channels at 50
Hz, written as a CSV file. Time is that of the processor (user and system), which other work on the machine disturbs
less than the clock on the wall.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measure import provenance, publish, row

from otolith.data.converters import convert
from otolith.models.io import released_names

SECONDS = 3600.0
DESCRIBED = ("--acc-unit", "m/s^2", "--gyro-unit", "rad/s", "--time-unit", "s", "--placement", "left wrist")
LABELS = "walking, sitting, standing, lying"


def write_hour(path: Path) -> None:
    """An hour of recordings, one after the other."""
    parts, samples = [], 0
    recordings = list(convert("spar", None))
    wanted = round(SECONDS * recordings[0].rate)
    for recording in cycle(recordings):
        parts.append(recording.signal)
        samples += len(recording.signal)
        if samples >= wanted:
            break
    signal = np.concatenate(parts)[:wanted]
    columns = {channel.name: signal[:, i] for i, channel in enumerate(recordings[0].channels)}
    time = np.arange(wanted) / recordings[0].rate
    pd.DataFrame({"time": time, **columns}).to_csv(path, index=False, float_format="%.6g")


def processor_seconds(code: str, *arguments: str, threads: int) -> float:
    """What a new Python takes for `code`."""
    before = os.times()
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", code, *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def in_turns(calls: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """As `measure.interleaved`, for calls that say themselves how long they took."""
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds):
        for name in list(calls) if number % 2 else reversed(list(calls)):
            seconds[name].append(calls[name]())
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=released_names())
    arguments = parser.parse_args()
    threads: dict[str, int] = {"threads": arguments.threads}
    code = "import sys; from otolith.cli.main import main; sys.argv[0] = 'otolith'; main()"
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "hour.csv")
        write_hour(Path(file))
        calls: dict[str, Callable[[], float]] = {"import torch": lambda: processor_seconds("import torch", **threads)}
        for model in arguments.models:
            options = ("classify", file, "--model", model, "--labels", LABELS, *DESCRIBED, "--json")
            calls[model] = lambda options=options: processor_seconds(code, *options, **threads)  # type: ignore[misc]
        seconds = in_turns(calls, arguments.rounds)
    for model in arguments.models:
        line = row({"model": Path(model).stem}, seconds, model, "import torch")
        line["times_real_time"] = round(1e3 * SECONDS / line["otolith_ms"])
        line["times_import_torch"] = round(1 / line["ratio"], 2)
        rows.append({**line, **provenance(), **threads})
    case = ["model", "times_real_time", "times_import_torch"]
    publish("classify", "An hour at 50 Hz, six channels, start-up included", case, rows)


if __name__ == "__main__":
    main()
