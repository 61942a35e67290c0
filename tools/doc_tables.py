"""Writes the tables of README.md from the files under results/, and that of docs/datasets.md from the cards.

python tools/doc_tables.py [--check]   (with --check it only says whether they agree)
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import benchmark_tables
import distil_tables
import latency_tables
import own_sessions
import pandas as pd
from distil_tables import table

from otolith.data.registry import CARDS

ROOT = Path(__file__).resolve().parent.parent
DEMO = {
    "supervised": "known exercises",
    "zero-shot-closed": "new, by name alone",
    "enrol-k1": "new, k = 1",
    "enrol-k4": "new, k = 4",
    "enrol-k16": "new, k = 16",
}


def demo(results: pd.DataFrame) -> str:
    """Macro-F1 of each model (row) in each protocol (column): mean over draws, mean and range over seeds."""
    rows = results[results["metric"] == "macro_f1"]
    by_seed = rows.groupby(["model", "protocol", "seed"], sort=False)["value"].mean()
    cells = by_seed.groupby(["model", "protocol"], sort=False).agg(["mean", "min", "max"])
    lines = [
        [f"`{model}`", *(_cell(cells.loc[(model, p)]) if (model, p) in cells.index else "" for p in DEMO)]
        for model in sorted(rows["model"].unique(), key=lambda name: not name.startswith("otolith"))
    ]
    return table(["macro-F1, people not in training", *DEMO.values()], lines)


def _cell(value: pd.Series) -> str:
    mean, low, high = (f"{value[name]:.2f}" for name in ("mean", "min", "max"))
    return mean if low == high else f"{mean} ({low} to {high})"


def hapt(results: pd.DataFrame) -> str:
    """Accuracy and macro-F1 with its interval, by dataset and model."""
    lines = []
    for (dataset, protocol, model), rows in results.groupby(["dataset", "protocol", "model"], sort=False):
        value = rows.set_index("metric")["value"]
        windows = str(rows["n"].iloc[0])
        cells = [f"{value['accuracy']:.3f}", benchmark_tables.macro_f1(value), windows]
        lines.append([str(dataset), str(protocol), f"`{model}`", *cells])
    return table(["dataset", "protocol", "model", "accuracy", "macro-F1 (95 % interval over people)", "windows"], lines)


def datasets() -> str:
    """What the cards say of every dataset."""
    lines = []
    for card in CARDS.values():
        slower = [f"{sensor.replace('_', ' ')} {rate:g}" for sensor, rate in card.other_rates.items()]
        numbers = [str(card.subjects), ", ".join([f"{card.rate:g}", *slower]), str(len(card.channels))]
        hours = f"{card.rows / card.rate / 3600:.1f}" if card.rows and not card.other_rates else "?"
        how = "package" if card.package else "by hand" if card.access else "download"
        use = "zero-shot tests" if card.zero_shot_only else "training"
        places = {channel.placement for channel in card.channels if channel.sensor != "position"}
        worn = f"{len(places)} places" if len(places) > 3 else ", ".join(sorted(places))
        lines.append([f"`{card.name}`", card.title, *numbers, str(len(card.activities)), hours, worn, use, how])
    head = ["name", "what", "people", "Hz", "channels", "activities", "hours", "worn at", "use", "how to get it"]
    return table(head, lines)


def fill(text: str, name: str, table: str) -> str:
    """`text` of a page with the table between the marks of `name`."""
    pattern = rf"(<!-- {name} table: begin -->\n).*?(<!-- {name} table: end -->)"
    filled, count = re.subn(pattern, lambda m: m[1] + table + "\n" + m[2], text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"the page has no place for the table '{name}'")
    return filled


def pages() -> dict[str, dict[str, str]]:
    """The tables of each page."""
    names = (
        "demo", "hapt", "utd_mhad", "utd_mhad_ablations", "student_text", "student_text_hapt_alone", "benchmark",
        "transfer", "choices", "explain_utd_mhad", "own_sessions",
    )  # fmt: skip
    results = {name: pd.read_csv(ROOT / "results" / f"{name}.csv") for name in names}
    utd, words = results["utd_mhad"], distil_tables.words(results["student_text"], results["student_text_hapt_alone"])
    speed = pd.read_csv(ROOT / "results" / "benchmarks" / "latency.csv")
    return {
        "README.md": {
            "demo": demo(results["demo"]),
            "hapt": hapt(results["hapt"]),
            "students": distil_tables.students(utd),
            "words": words,
            "benchmark": benchmark_tables.benchmark(results["benchmark"], "supervised"),
            "speed": latency_tables.sentence(speed),
        },
        "docs/bench.md": {"latency": latency_tables.latency(speed)},
        "docs/distillation.md": {
            "students": distil_tables.students(utd),
            "gains": distil_tables.gains(utd),
            "ablations": distil_tables.ablations(results["utd_mhad_ablations"], utd),
            "robustness": distil_tables.robustness(utd),
            "words": words,
        },
        "docs/evaluation.md": {
            "benchmark": benchmark_tables.benchmark(results["benchmark"], "supervised"),
            "kfold": benchmark_tables.benchmark(results["benchmark"], "group-kfold"),
            "tenfold": benchmark_tables.benchmark(results["benchmark"], "group-10fold"),
            "loso": benchmark_tables.benchmark(results["benchmark"], "loso"),
            "placement": benchmark_tables.benchmark(results["benchmark"], "cross-placement"),
            "robustness": benchmark_tables.robustness(results["benchmark"]),
            "supervision": benchmark_tables.supervision(results["benchmark"]),
            "transfer": benchmark_tables.transfer(results["transfer"]),
            "enrolment": benchmark_tables.enrolment(results["transfer"]),
        },
        "docs/own-recordings.md": {"sessions": own_sessions.own_sessions(results["own_sessions"])},
        "docs/models.md": {"choices": benchmark_tables.choices(results["choices"])},
        "docs/explain.md": {"explanations": benchmark_tables.explanations(results["explain_utd_mhad"])},
        "docs/datasets.md": {"datasets": datasets()},
    }


def main() -> None:
    """Fills in, or checks."""
    for page, tables in pages().items():
        old = new = (ROOT / page).read_text(encoding="utf-8")
        for name, content in tables.items():
            new = fill(new, name, content)
        if "--check" not in sys.argv[1:]:
            (ROOT / page).write_text(new, encoding="utf-8")
        elif new != old:
            raise SystemExit(f"{page} and what its tables are made of disagree: run  python tools/doc_tables.py")


if __name__ == "__main__":
    main()
