"""The tables of docs/evaluation.md and of README.md that compare models, from the files under results/."""

from __future__ import annotations

import pandas as pd
from distil_tables import table

SUPERVISION = {
    "supervised-1pct": "1 % of the labels",
    "supervised-10pct": "10 %",
    "supervised": "all",
}


def benchmark(results: pd.DataFrame, protocol: str) -> str:
    """Macro-F1 of each model (row) on each dataset (column): mean over folds, then mean and spread over seeds.

    The best of each dataset is bold; models that were run on more datasets come first.
    """
    rows = results[(results["protocol"] == protocol) & (results["metric"] == "macro_f1")]
    by_seed = rows.groupby(["model", "dataset", "seed"], sort=False)["value"].mean()
    mean = by_seed.groupby(["model", "dataset"], sort=False).agg(["mean", "std", "size"])
    datasets = list(dict.fromkeys(rows["dataset"]))
    best = {name: mean.xs(name, level="dataset")["mean"].max() for name in datasets}
    order = mean["mean"].groupby("model").agg(["size", "mean"]).sort_values(["size", "mean"], ascending=False).index
    lines = []
    for model in order:
        cells = []
        for name in datasets:
            if (model, name) not in mean.index:
                cells.append("")
                continue
            value = mean.loc[(model, name)]
            text = mean_and_spread(value)
            cells.append(f"**{text}**" if value["mean"] == best[name] else text)
        lines.append([f"`{model}`", *cells])
    return table([f"macro-F1, {protocol}", *datasets], lines)


def mean_and_spread(value: pd.Series) -> str:
    """A mean, and its standard deviation over seeds where there are several that differ."""
    return f"{value['mean']:.3f}" + (f" ± {value['std']:.3f}" if value["size"] > 1 and value["std"] > 0 else "")


def supervision(results: pd.DataFrame) -> str:
    """Macro-F1 of each model measured with every share of the labels: mean and spread over seeds."""
    rows = results[results["protocol"].isin(list(SUPERVISION)) & (results["metric"] == "macro_f1")]
    runs = rows.groupby(["model", "dataset", "protocol"])["value"].agg(["mean", "std", "size"])
    cells = {place: mean_and_spread(value) for place, value in runs.iterrows()}
    lines = [
        [f"`{model}`", str(dataset), *(cells[model, dataset, p] for p in SUPERVISION)]
        for model, dataset in dict.fromkeys((m, d) for m, d, _ in cells)
        if all((model, dataset, p) in cells for p in SUPERVISION)
    ]
    return table(["model", "dataset", *SUPERVISION.values()], sorted(lines, key=lambda line: (line[1], line[0])))


def robustness(results: pd.DataFrame) -> str:
    """Macro-F1 of each model (row) under each disturbance (column): over seeds, then over the datasets of all."""
    rows = results[results["metric"] == "macro_f1"]
    protocols = ["supervised", *sorted(p for p in rows["protocol"].unique() if p.startswith("robustness-"))]
    rows = rows[rows["protocol"].isin(protocols)]
    runs = rows.pivot_table(index=["model", "dataset", "seed"], columns="protocol", values="value").dropna()
    by_dataset = runs.groupby(["model", "dataset"]).mean()
    sets = by_dataset.index.to_frame(index=False).groupby("model")["dataset"].agg(set)
    common = sorted(set.intersection(*sets))
    mine = by_dataset[by_dataset.index.get_level_values("dataset").isin(common)]
    mean = mine.groupby("model").mean().sort_values("supervised", ascending=False)
    lines = [[f"`{model}`", *(f"{value[p]:.3f}" for p in protocols)] for model, value in mean.iterrows()]
    names = (name.removeprefix("robustness-").replace("-", " ") for name in protocols[1:])
    return table([f"macro-F1 over {', '.join(common)}", "undisturbed", *names], lines)


def macro_f1(value: pd.Series) -> str:
    """Macro-F1 of a model's metrics, with its interval where there is one."""
    interval = f" ({value['macro_f1_low']:.3f} to {value['macro_f1_high']:.3f})" if "macro_f1_low" in value else ""
    return f"{value['macro_f1']:.3f}{interval}"


def choices(results: pd.DataFrame) -> str:
    """Macro-F1 with its interval, and F1 of each activity, of one recipe a row on a dataset that was left out."""
    rows = results[(results["protocol"] == "leave-one-dataset-out") & (results["model"] != "chance")]
    found = {model: part.set_index("metric")["value"] for model, part in rows.groupby("model", sort=False)}
    classes = [name for name in next(iter(found.values())).index if name.startswith("f1/")]
    lines = [[model, macro_f1(v), *(f"{v[c]:.2f}" for c in classes)] for model, v in found.items()]
    head = ["recipe", "macro-F1 (95 % interval over people)", *(name.removeprefix("f1/") for name in classes)]
    return table(head, lines)


def transfer(results: pd.DataFrame) -> str:
    """Accuracy and macro-F1 with its interval on datasets that a model has not learnt from."""
    rows = results[~results["protocol"].str.startswith("enrol")]
    lines = []
    for (dataset, protocol, model), part in rows.groupby(["dataset", "protocol", "model"], sort=False):
        value = part.drop_duplicates("metric").set_index("metric")["value"]
        classes = str(int(rows.loc[rows["dataset"] == dataset, "metric"].str.startswith("f1/").groupby(
            [rows["model"], rows["protocol"]]).sum().max()))  # fmt: skip
        numbers = [f"{value['accuracy']:.3f}", macro_f1(value), str(part["n"].iloc[0])]
        lines.append([str(dataset), str(protocol), f"`{model}`", classes, *numbers])
    head = ["dataset", "protocol", "model", "activities", "accuracy", "macro-F1 (95 % interval over people)", "windows"]
    return table(head, lines)


def enrolment(results: pd.DataFrame) -> str:
    """Macro-F1 from k examples of each activity and its interval, means over draws; a dataset's models together."""
    rows = results[results["protocol"].str.startswith("enrol-k") & results["metric"].str.startswith("macro_f1")]
    mean = rows.pivot_table(index=["dataset", "model", "protocol"], columns="metric", values="value")
    shots = sorted(rows["protocol"].unique(), key=lambda name: int(name.removeprefix("enrol-k")))
    known = rows[["dataset", "model"]].drop_duplicates()
    places = [p for _, part in known.groupby("dataset", sort=False) for p in part.itertuples(index=False, name=None)]
    cells = {place: macro_f1(value.dropna()) for place, value in mean.iterrows()}
    lines = [[d, f"`{m}`", *(cells.get((d, m, shot), "") for shot in shots)] for d, m in places]
    return table(["dataset", "model", *(f"k = {name.removeprefix('enrol-k')}" for name in shots)], lines)


def explanations(results: pd.DataFrame) -> str:
    """Tests of each kind of explanation, mean over models."""
    wanted = {
        "ig_completeness_error": "completeness error, mean",
        "ig_completeness_error_worst": "worst",
        "deletion_classes_above_random": "classes in which deletion beats random orders",
        "insertion_classes_above_random": "insertion",
        "randomisation_correlation": "correlation with the map of random weights",
    }
    mean = results[results["metric"].isin(list(wanted))].groupby(["protocol", "metric"], sort=False)["value"].mean()
    protocols = list(dict.fromkeys(name for name, _ in mean.index))
    lines = [
        [f"`{name.removeprefix('explain-')}`", *(_short(mean.get((name, metric))) for metric in wanted)]
        for name in protocols
    ]
    return table(["method", *wanted.values()], lines)


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}" if 0 < abs(value) < 0.001 else f"{value:.3f}"
