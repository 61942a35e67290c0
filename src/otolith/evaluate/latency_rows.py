"""The rows of `otolith bench`: as CSV with provenance, as a Markdown table, and as a plot."""

from __future__ import annotations

import csv
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from otolith.data.store import Dataset
from otolith.evaluate import figures
from otolith.evaluate.latency_figures import Mark, speed_ratios
from otolith.evaluate.results import Provenance
from otolith.export.backends import PYTORCH, parts
from otolith.export.candidates import Candidate
from otolith.export.latency import Ratio, Times
from otolith.export.memory import Memory
from otolith.export.modules import REFERENCES
from otolith.files import atomic_file

_RUNTIMES = {
    PYTORCH: ("PyTorch", "torch"),
    "onnx": ("ONNX Runtime", "onnxruntime"),
    "litert": ("LiteRT", "ai-edge-litert"),
}
"""In words, and as a package."""


@dataclass(frozen=True)
class Line:
    """What was measured of one candidate."""

    candidate: Candidate
    single: Times
    batched: Times
    memory: Memory | None

    @property
    def name(self) -> str:
        """Model and backend."""
        return key(self.candidate)


def key(candidate: Candidate) -> str:
    """What tells a candidate from the others."""
    return f"{candidate.model} {candidate.backend}"


REFERENCE = f"{REFERENCES[0]} {PYTORCH}"
"""What all others are held against."""


def rows(lines: Sequence[Line], dataset: Dataset, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each candidate; times in ms, sizes and memory in MB of 10^6 bytes, ratios to the reference.

    Args:
        lines: The reference among them.
        dataset: Whose segments were answered.
        settings: Of the run; hashed with the names of the models.
    """
    held = next(line for line in lines if line.name == REFERENCE)
    provenance = Provenance.collect({**settings, "candidates": [line.name for line in lines]}, [dataset.sha256])
    about = {
        "dataset": dataset.name,
        "segments": len(held.candidate.feeds),
        "threads": settings["threads"],
        "turns": settings["turns"],
        "reference": REFERENCE,
    }
    machine = {"python": platform.python_version(), "cpus": os.cpu_count(), "load": _load()}
    return [
        {
            "model": line.candidate.model,
            "backend": line.candidate.backend,
            **about,
            **_measured(line, held),
            **machine,
            **asdict(provenance),
        }
        for line in lines
    ]


def _measured(line: Line, held: Line) -> dict[str, Any]:
    one, count = line.candidate, len(line.candidate.feeds)
    latency, throughput = Ratio.of(held.single, line.single), Ratio.of(held.batched, line.batched)
    package = _RUNTIMES[parts(one.backend)[0]][1]
    numbers = {
        "latency_ms": 1e3 * line.single.median,
        "latency_p95_ms": 1e3 * line.single.p95,
        **_spread("latency_ratio", latency),
        "throughput_per_s": count / line.batched.median,
        **_spread("throughput_ratio", throughput),
        "peak_memory_mb": line.memory.process if line.memory else None,
        "model_memory_mb": line.memory.model if line.memory else None,
        "size_mb": one.size_mb,
        "size_ratio": held.candidate.size_mb / one.size_mb,
        "mflops": one.mflops,
        "agreement": one.agreement,
    }
    return {
        "samples": one.samples,
        "channels": one.channels,
        "calls": len(line.single.calls),
        **{name: None if value is None else float(f"{value:.4g}") for name, value in numbers.items()},
        "parameters": one.parameters,
        "runtime": f"{package} {version(package)}",
    }


def _spread(name: str, ratio: Ratio) -> dict[str, float]:
    return dict(zip((name, f"{name}_q1", f"{name}_q3"), astuple(ratio), strict=True))


def _load() -> float | None:
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def publish(written: Sequence[Mapping[str, Any]], lines: Sequence[Line], output: Path) -> None:
    """Writes `latency.csv`, `latency.md` and the plot with its data.

    Raises:
        DataError: The disk is full or the place is not writable.
    """
    with atomic_file(output / "latency.csv") as path, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(written[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(written)
    with atomic_file(output / "latency.md") as path:
        path.write_text(markdown(written) + "\n", encoding="utf-8")
    marks = [mark(row) for row in written]
    data = {name: [getattr(one, name) for one in marks] for name in asdict(marks[0])}
    figure = speed_ratios(marks, f"{REFERENCES[0]} in {_RUNTIMES[PYTORCH][0]}")
    figures.save(figure, output / "ratios.png", data, pdf=True)


def mark(row: Mapping[str, Any]) -> Mark:
    """A row as the plot shows it."""
    runtime, precision = parts(row["backend"])
    ratio, low, high = (row[f"latency_ratio{end}"] for end in ("", "_q1", "_q3"))
    return Mark(row["model"], _RUNTIMES[runtime][0], precision, ratio, low, high, row["latency_ms"], row["size_mb"])


def markdown(written: Sequence[Mapping[str, Any]]) -> str:
    """A table for people, and under it what it is of."""
    first = written[0]
    out = [
        f"| model | backend | ms (p95) | times as fast (quartiles) | batches of {first['segments']}: times as fast "
        "| memory MB (model) | file MB | parameters | MFLOP | as PyTorch |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in written:
        speed = f"{row['latency_ratio']:.3g} ({row['latency_ratio_q1']:.3g} to {row['latency_ratio_q3']:.3g})"
        memory = "" if row["peak_memory_mb"] is None else f"{row['peak_memory_mb']:.0f} ({row['model_memory_mb']:.1f})"
        agreement = "" if row["agreement"] is None else f"{100 * row['agreement']:.1f} %"
        out.append(
            f"| `{row['model']}` | {row['backend']} | {row['latency_ms']:.3g} ({row['latency_p95_ms']:.3g}) | {speed} "
            f"| {row['throughput_ratio']:.3g} | {memory} | {row['size_mb']:.3f} | {row['parameters']:,} | "
            f"{row['mflops']:.2f} | {agreement} |"
        )
    threads = f"{first['threads']} thread{'s' if first['threads'] > 1 else ''}"
    note = (
        f"{first['dataset']}, {threads}, {first['turns']} turns; times as fast as {first['reference']}, "
        f"load {first['load']} on {first['cpus']} CPUs."
    )
    return "\n".join([*out, "", note])
