"""What both benchmarks share: interleaved timing, ratios with their spread, provenance, the table and the CSV file."""

from __future__ import annotations

import csv
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from otolith.files import atomic_file

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results" / "benchmarks"


def interleaved(
    candidates: Mapping[str, Callable[[], object]], rounds: int, least: float = 0.0
) -> dict[str, list[float]]:
    """Seconds of each call, taken in turns in one process, after one call that does not count.

    In turns (A B, B A, A B, ...), so that a machine that slows down or is shared slows all candidates alike, and the
    ratio of one round is fair even where the times are not.

    Args:
        candidates: What to time, by name.
        rounds: Turns of each.
        least: Seconds that one turn should last; quick candidates are called several times, and their mean is taken.
    """
    calls = {}
    for name, call in candidates.items():
        call()
        calls[name] = max(1, round(least / _time(call, 1))) if least else 1
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds):
        for name in list(candidates) if number % 2 else reversed(list(candidates)):
            seconds[name].append(_time(candidates[name], calls[name]))
    return seconds


def _time(call: Callable[[], object], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


def ratio(reference: Sequence[float], ours: Sequence[float]) -> tuple[float, float, float]:
    """How many times as long the reference took: median over rounds, lower and upper quartile."""
    ratios = [r / o for r, o in zip(reference, ours, strict=True)]
    low, _, high = quantiles(ratios, n=4)
    return median(ratios), low, high


def row(
    case: Mapping[str, object], seconds: Mapping[str, Sequence[float]], ours: str, reference: str
) -> dict[str, Any]:
    """One line of the result: the case, the median times in milliseconds, and the ratio."""
    middle, low, high = ratio(seconds[reference], seconds[ours])
    return {
        **case,
        "reference": reference,
        "otolith_ms": round(1e3 * median(seconds[ours]), 2),
        "reference_ms": round(1e3 * median(seconds[reference]), 2),
        "ratio": round(middle, 2),
        "ratio_q1": round(low, 2),
        "ratio_q3": round(high, 2),
        "rounds": len(seconds[ours]),
    }


def provenance() -> dict[str, object]:
    """What the numbers depend on besides the code; no names of machines."""
    return {
        "commit": _commit(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else "",
    }


def publish(name: str, title: str, case: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints the rows with the columns `case`; writes them in full to `results/benchmarks/<name>.csv`."""
    shown = [*case, "reference", "otolith_ms", "reference_ms"]
    table = Table(*shown, "ratio", title=title, caption="ratio: median over rounds, and quartiles")
    for line in rows:
        spread = f"{line['ratio']:.3g} ({line['ratio_q1']:.3g} to {line['ratio_q3']:.3g})"
        table.add_row(*(str(line[key]) for key in shown), spread)
    Console(width=max(Console().width, 110)).print(table)
    RESULTS.mkdir(parents=True, exist_ok=True)
    with atomic_file(RESULTS / f"{name}.csv") as path, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Torch on `number` threads; 0 leaves the default."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    yield
    torch.set_num_threads(before)


@cache
def _commit() -> str:
    """The commit at the first call, with a note if what is measured differs from it."""
    try:
        head = _git("rev-parse", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return f"{head}+changes" if _git("status", "--porcelain", "--", "src", "benchmarks") else head


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
