"""The tables of docs/distillation.md and of README.md on teachers and students, from the files under results/."""

from __future__ import annotations

import pandas as pd

PROTOCOLS = {"odd-even": "odd / even", "subjects-135-7-2468": "1, 3, 5 / 7 / even", "loso": "one left out"}


def students(results: pd.DataFrame) -> str:
    """Accuracy of each model in each protocol: mean over folds, then mean and spread over seeds; and what it costs."""
    rows = results[results["metric"] == "accuracy"]
    by_seed = rows.groupby(["model", "protocol", "seed"])["value"].mean()
    lines = []
    for model in rows["model"].unique():
        cells = [_mean(by_seed, model, protocol) for protocol in PROTOCOLS]
        lines.append([f"`{model}`", *cells, *_costs(results, model)])
    head = ["accuracy, whole trials", *PROTOCOLS.values(), "parameters", "MFLOP", "MB (8 bit)", "ms"]
    return table(head, lines)


def _mean(by_seed: pd.Series, model: str, protocol: str) -> str:
    if (model, protocol) not in by_seed.index.droplevel("seed"):
        return ""
    values = by_seed[model, protocol]
    spread = f" ± {values.std():.3f}" if len(values) > 1 and values.std() > 0 else ""
    return f"{values.mean():.3f}{spread}"


def _costs(results: pd.DataFrame, model: str) -> list[str]:
    mine = results[results["model"] == model]
    mine = mine[mine["protocol"] == mine["protocol"].iloc[0]].groupby("metric")["value"].median()
    if "mflops" not in mine:
        return ["", "", "", ""]
    return [
        f"{mine['parameters']:,.0f}",
        f"{mine['mflops']:.2f}",
        f"{mine['size_mb_int8']:.2f}",
        f"{mine['latency_ms']:.2f}",
    ]


def gains(results: pd.DataFrame) -> str:
    """What distillation adds to the same student without it, seed by seed, and fold by fold where there are folds."""
    rows = results[(results["metric"] == "accuracy") & results["model"].isin(["student", "student-scratch"])]
    wide = rows.pivot_table(index=["protocol", "fold", "seed"], columns="model", values="value").dropna()
    wide["gain"] = wide["student"] - wide["student-scratch"]
    lines = []
    for protocol, name in PROTOCOLS.items():
        if protocol not in wide.index.get_level_values("protocol"):
            continue
        part = wide.loc[protocol]
        spread = f" ± {part['gain'].std():.3f}" if len(part) > 1 else ""
        better = f"{(part['gain'] > 0).sum()} of {len(part)}"
        lines.append([name, f"{part['student-scratch'].mean():.3f}", f"{part['student'].mean():.3f}",
                      f"{part['gain'].mean():+.3f}{spread}", better])  # fmt: skip
    return table(["protocol", "labels alone", "distilled", "gain, over seeds and folds", "better in"], lines)


def ablations(results: pd.DataFrame, main: pd.DataFrame) -> str:
    """Accuracy and macro-F1 of each variant beside the two students that it differs from, and its cost."""
    references = main[main["model"].isin(["student", "student-scratch"])]
    rows = pd.concat([references, results[results["model"] != "teacher-small"]])
    rows = rows[rows["protocol"] == "odd-even"]
    lines = []
    for model in rows["model"].unique():
        cells = []
        for metric in ("accuracy", "macro_f1"):
            values = rows[(rows["model"] == model) & (rows["metric"] == metric)]["value"]
            spread = f" ± {values.std():.3f}" if len(values) > 1 else ""
            cells.append(f"{values.mean():.3f}{spread}")
        lines.append([f"`{model}`", *cells, *_costs(rows, model)[:3]])
    return table(["variant", "accuracy", "macro-F1", "parameters", "MFLOP", "MB (8 bit)"], lines)


def robustness(results: pd.DataFrame) -> str:
    """Accuracy of each disturbed model, mean over folds and seeds."""
    rows = results[(results["metric"] == "accuracy")]
    disturbed = rows[rows["protocol"].str.startswith("robustness-")]
    models = disturbed["model"].unique().tolist()
    plain = rows[(rows["protocol"] == "odd-even") & rows["model"].isin(models)].assign(protocol="robustness-nothing")
    mean = pd.concat([plain, disturbed]).groupby(["protocol", "model"])["value"].mean()
    names = ["robustness-nothing", *disturbed["protocol"].unique()]
    lines = [[name.removeprefix("robustness-"), *(f"{mean[name, model]:.3f}" for model in models)] for name in names]
    return table(["disturbance", *(f"`{model}`" for model in models)], lines)


def words(results: pd.DataFrame, alone: pd.DataFrame) -> str:
    """Macro-F1 of a text-aligned teacher and of its two students on the same windows, the shares kept, and the costs.

    Args:
        results: Of the teacher, and of the student that learnt from several datasets.
        alone: Of the student that learnt from the teacher's dataset alone.
    """
    teacher = next(name for name in results["model"] if name.startswith("otolith") and "+" not in name)
    student = next(name for name in alone["model"] if name.startswith("student") and "+" not in name)
    lines = []
    for dataset, protocol in alone[["dataset", "protocol"]].drop_duplicates().itertuples(index=False):
        for how in ("", "+ridge", "+ridge+words"):
            rows = [_score(r, dataset, protocol, n + how) for r, n in
                    ((results, teacher), (alone, student), (results, student))]  # fmt: skip
            if not any(value is None for value in rows):
                kept = [f"{value:.3f} ({100 * value / rows[0]:.0f} %)" for value in rows[1:]]
                lines.append([dataset, protocol, how.removeprefix("+") or "words alone", f"{rows[0]:.3f}", *kept])
    cost = results.groupby(["model", "metric"])["value"].median()
    for metric, name in (("mflops", "MFLOP"), ("size_mb_int8", "MB (8 bit)"), ("latency_ms", "ms")):
        one, other = float(cost[teacher, metric]), float(cost[student, metric])
        both = f"{other:.2f} ({100 * other / one:.1f} %)"
        lines.append(["cost", "a window", name, f"{one:.2f}", both, both])
    head = ["dataset", "protocol", "how", f"`{teacher}`", "student of HAPT alone", "student of HAPT, WISDM, TUG"]
    return table(head, lines)


def _score(results: pd.DataFrame, dataset: str, protocol: str, model: str) -> float | None:
    """Macro-F1, the mean over draws of the examples."""
    chosen = (results["dataset"] == dataset) & (results["protocol"] == protocol) & (results["model"] == model)
    values = results[chosen & (results["metric"] == "macro_f1")]["value"]
    return float(values.mean()) if len(values) else None


def table(header: list[str], lines: list[list[str]]) -> str:
    """A Markdown table."""
    columns = list(zip(*lines, strict=True))
    rule = ["---:" if any(cell.lstrip("*+")[:1].isdigit() for cell in column) else "---" for column in columns]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rule, *lines])
