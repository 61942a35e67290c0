"""Seconds from an unpacked archive to a dataset on disk, against plain reading, one job, and worker processes.

    OTOLITH_RAW_DIR=... python benchmarks/bench_conversion.py [--rounds 7] [--jobs 2] [--datasets dsads hapt]

`numpy.loadtxt`  reads the same text files one after another, in one process, as NumPy's users do; it checks, joins and
                 writes nothing. Only for dsads, whose files are all plain tables.
`one job`        the same conversion without threads.
`processes`      the same conversion by a pool of worker processes. Its fork server runs already and has imported
                 Otolith, in favour of the reference: a command would wait for that as well.

Files were read before, so all sides read from memory (the page cache). `peak_mib` is the peak of resident memory of a
process of its own that does nothing but the conversion; it has no workers.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from measure import interleaved, provenance, publish, row, threads

from otolith.data.conversion import ENGINES, convert_dataset
from otolith.data.converters import Part, recordings
from otolith.data.recording import Recording

DATASETS = {"dsads": "dsads", "hapt": "hapt", "motionsense": "motionsense", "wisdm": "wisdm", "tug": "sp_sw_har",
            "utd_mhad": "utd_mhad"}  # fmt: skip
"""Name, and the folder of its archive."""

PEAK = """
import resource, sys
from otolith.data.conversion import convert_dataset
name, raw, output, jobs = sys.argv[1:]
convert_dataset(name, raw, output, jobs=int(jobs))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform != "darwin" else 1024) / 1024)
"""


def processes(parts: Sequence[Part], jobs: int | None) -> Generator[list[Recording], None, None]:
    """As `otolith.data.conversion.side_by_side`, by processes."""
    waiting = iter(parts)
    with ProcessPoolExecutor(jobs, mp_context=server()) as pool:
        begun = deque(pool.submit(read, part) for part in islice(waiting, 2 * (jobs or 1)))
        while begun:
            group = begun.popleft().result()
            begun.extend(pool.submit(read, part) for part in islice(waiting, 1))
            yield group


def read(part: Part) -> list[Recording]:
    return list(recordings(part))


def server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    converters = [f"otolith.data.converters.{name}" for name in DATASETS]
    context.set_forkserver_preload(["scipy.signal", "otolith.data.conversion", *converters])
    return context


def loadtxt(folder: Path) -> None:
    for path in sorted(folder.rglob("s*.txt")):
        np.loadtxt(path, delimiter=",")


def measure(name: str, raw: Path, folder: Path, jobs: int, rounds: int) -> Iterator[dict[str, Any]]:
    """The rows of one dataset."""
    output = folder / name

    def conversion(engine: str, jobs: int) -> Callable[[], object]:
        return lambda: convert_dataset(name, raw, output, engine=engine, jobs=jobs)

    calls = {
        "otolith": conversion("threads", jobs),
        "one job": conversion("threads", 1),
        "processes": conversion("processes", jobs),
    }
    if name == "dsads":
        calls["numpy.loadtxt"] = lambda: loadtxt(raw)
    seconds = interleaved(calls, rounds)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, name, str(raw), str(output), str(jobs)], capture_output=True, text=True, check=True
    )
    files = [path for path in raw.rglob("*") if path.is_file()]
    size = {"files": len(files), "mb": round(sum(path.stat().st_size for path in files) / 1e6)}
    for reference in reversed(calls):
        if reference != "otolith":
            line = row({"dataset": name, "jobs": jobs, **size}, seconds, "otolith", reference)
            versions = {"numpy": np.__version__, "pyarrow": pa.__version__}
            yield {**line, "peak_mib": round(float(done.stdout)), **versions, **provenance()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--datasets", nargs="+", default=list(DATASETS), choices=DATASETS)
    parser.add_argument("--threads", type=int, default=0, help="torch's, which has no part in this; 0: its default")
    arguments = parser.parse_args()
    raw = Path(os.environ.get("OTOLITH_RAW_DIR", ""))
    found = [name for name in arguments.datasets if raw.name and (raw / DATASETS[name]).is_dir()]
    if not found:
        print("nothing to convert: set OTOLITH_RAW_DIR to the folder that holds unpacked archives, one folder each")
        return
    ENGINES["processes"] = processes
    rows: list[dict[str, Any]] = []
    with threads(arguments.threads), tempfile.TemporaryDirectory() as name:
        for dataset in found:
            rows += measure(dataset, raw / DATASETS[dataset], Path(name), arguments.jobs, arguments.rounds)
    publish("conversion", "Converting: times as long as Otolith's", ["dataset", "jobs"], rows)


if __name__ == "__main__":
    main()
