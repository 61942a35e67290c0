"""Tables for papers, in Markdown and LaTeX, from results files and from nothing else."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from otolith.evaluate.comparisons import Comparison
from otolith.evaluate.summary import (
    COSTS,
    METRICS,
    UNDISTURBED,
    by_number,
    costs_of,
    disturbed,
    file_name,
    ranked,
    summarise,
)

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "`": r"\textasciigrave{}", "±": r"$\pm$", "−": r"$-$", "µ": r"\textmu{}",
}  # fmt: skip
_MOST_ROWS = 60
"""Of a LaTeX table: what a page holds in the smallest letters."""
_SMALLER = ((30, ""), (45, r"\footnotesize"), (_MOST_ROWS, r"\scriptsize"))


@dataclass(frozen=True)
class PaperTable:
    """A table whose cells are text.

    Attributes:
        name: Of its LaTeX label and, as `file_name` writes it, of its files.
        caption: What it shows.
        columns: Headings.
        rows: Cells; numbers are told by their first character and stand to the right.
        bold: Row and column of the cells that stand out.
        rules: Rows that a line stands above.
    """

    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    bold: frozenset[tuple[int, int]] = frozenset()
    rules: frozenset[int] = frozenset()

    def markdown(self) -> str:
        """The table and its caption, as GitHub reads them."""
        lines = [[_markdown(name) for name in self.columns], ["---:" if n else "---" for n in self.numeric()]]
        lines += [
            [f"**{_markdown(cell)}**" if (i, j) in self.bold else _markdown(cell) for j, cell in enumerate(row)]
            for i, row in enumerate(self.rows)
        ]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines) + f"\n\n{_markdown(self.caption)}\n"

    def latex(self) -> str:
        """`table` environments in the manner of booktabs: one, or several where a page cannot hold all rows.

        A table that is wider than the line is scaled down to it, and one with many rows has smaller letters.
        """
        parts = self._parts()
        texts = [self._environment(part, number if len(parts) > 1 else 0) for number, part in enumerate(parts, start=1)]
        return "% needs \\usepackage{booktabs,graphicx}\n" + "\n".join(texts)

    def _environment(self, part: range, number: int) -> str:
        """One environment of some of the rows; `number` counts those of a table in several."""
        body = []
        for i in part:
            row = self.rows[i]
            cells = [rf"\textbf{{{_tex(c)}}}" if (i, j) in self.bold else _tex(c) for j, c in enumerate(row)]
            body += [r"\midrule"] * (i in self.rules and i > part.start) + [" & ".join(cells) + r" \\"]
        size = next(letters for rows, letters in _SMALLER if len(part) <= rows)
        again, label = (f" (part {number})", f"-{number}") if number else ("", "")
        lines = [
            r"\begin{table}",
            r"\centering",
            *([size] if size else []),
            rf"\caption{{{_tex(self.caption + again)}}}",
            rf"\label{{tab:{file_name(self.name)}{label}}}",
            r"\medskip",  # the class of an article leaves no room below a caption
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{''.join('r' if n else 'l' for n in self.numeric())}}}",
            r"\toprule",
            " & ".join(map(_tex, self.columns)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"

    def _parts(self) -> list[range]:
        """The rows in parts that a page holds, where possible cut where a line stands."""
        parts, start = [], 0
        while len(self.rows) - start > _MOST_ROWS:
            ends = [rule for rule in self.rules if start < rule <= start + _MOST_ROWS]
            end = max(ends, default=start + _MOST_ROWS)
            parts.append(range(start, end))
            start = end
        return [*parts, range(start, len(self.rows))]

    def numeric(self) -> list[bool]:
        """Of each column, whether numbers stand in it."""
        columns = [[row[j] for row in self.rows if row[j]] for j in range(len(self.columns))]
        return [bool(cells) and all(re.match(r"[+−<]? ?\d", cell) for cell in cells) for cells in columns]


def score_table(rows: pd.DataFrame, protocol: str) -> PaperTable:
    """Accuracy and macro-F1 of every model on every dataset in a protocol, the best first and in bold."""
    table = summarise(rows[rows["protocol"] == protocol])
    lines: list[list[str]] = []
    bold, rules = set(), set()
    for dataset, part in table.groupby("dataset"):
        rules.add(len(lines))
        best = part.groupby("metric")["mean"].max().map("{:.3f}".format)
        for model in ranked(part):
            one = part[part["model"] == model]
            cells = [cell(one[one["metric"] == metric]) for metric in METRICS]
            places = enumerate(zip(METRICS, cells, strict=True), start=2)
            bold |= {(len(lines), j) for j, (metric, text) in places if text and text.split()[0] == best[metric]}
            lines.append([str(dataset), model, *cells, *(str(one[name].iloc[0]) for name in ("n", "folds", "seeds"))])
    caption = f"Protocol {protocol}: mean {_SPREAD} The best of a dataset is bold."
    head = ["dataset", "model", *METRICS.values(), "n", "folds", "seeds"]
    return PaperTable(f"scores-{protocol}", caption, head, lines, frozenset(bold), frozenset(rules))


_SPREAD = "± standard deviation over seeds, or over folds where there is one seed."


def cell(measured: pd.DataFrame) -> str:
    """Mean and spread of the one row of a summary; nothing where there is none."""
    if measured.empty:
        return ""
    mean, spread = float(measured["mean"].iloc[0]), float(measured["spread"].iloc[0])
    return f"{mean:.3f} ± {spread:.3f}" if spread > 1e-9 else f"{mean:.3f}"


def shots_table(rows: pd.DataFrame, metric: str = "macro_f1") -> PaperTable | None:
    """One metric of each model (row) from k examples of each class (column); None where nothing was enrolled."""
    table = summarise(rows[rows["protocol"].str.startswith("enrol-k")], [metric])
    protocols = sorted(table["protocol"].unique(), key=by_number)
    lines: list[tuple[str, str, list[tuple[str, str]]]] = []
    for dataset, part in table.groupby("dataset"):
        lines += [(str(dataset), model, [(model, protocol) for protocol in protocols]) for model in ranked(part)]
    head = ["dataset", "model", *(protocol.replace("enrol-k", "k = ") for protocol in protocols)]
    caption = f"{METRICS[metric]} from k examples of each activity: mean ± standard deviation over draws."
    return _grid("few-examples", caption, head, lines, table) if lines else None


def robustness_table(rows: pd.DataFrame, metric: str = "macro_f1") -> PaperTable | None:
    """One metric of each model (column) under each disturbance (row); None where nothing was disturbed."""
    table = summarise(disturbed(rows), [metric])
    models = ranked(table)
    lines: list[tuple[str, str, list[tuple[str, str]]]] = []
    for dataset, part in table.groupby("dataset"):
        protocols = sorted(part["protocol"].unique(), key=lambda p: (p != UNDISTURBED, by_number(p)))
        lines += [(str(dataset), p.removeprefix("robustness-"), [(m, p) for m in models]) for p in protocols]
    caption = f"{METRICS[metric]} of disturbed recordings: mean {_SPREAD}"
    return _grid("robustness", caption, ["dataset", "disturbance", *models], lines, table) if lines else None


def comparison_tables(people: Sequence[Comparison]) -> list[PaperTable]:
    """For each protocol, each model against its reference, person by person."""
    protocols = dict.fromkeys(one.protocol for one in people if one.against)
    return [_comparison_table([one for one in people if one.protocol == name], name) for name in protocols]


def _comparison_table(people: Sequence[Comparison], protocol: str) -> PaperTable:
    lines: list[list[str]] = []
    bold, rules = set(), set()
    for one in people:
        rules.add(len(lines))
        bold |= {(len(lines) + i, 3) for i, model in enumerate(one.against) if one.holm[model] < 0.05}
        lines += [[one.dataset, model, one.reference, *cells] for model, cells in compared_cells(one).items()]
    head = ["dataset", "model", "against", *COMPARED]
    caption = (
        f"Protocol {protocol}, accuracy of a person, model minus the one it is held against: mean, bootstrap interval "
        "over people, signed-rank test, and its p after Holm's correction for all models of a dataset; bold where that "
        "is below 0.05."
    )
    return PaperTable(f"comparison-{protocol}", caption, head, lines, frozenset(bold), frozenset(rules))


COMPARED = ("difference", "95 % interval", "better / worse for", "people", "p", "p (Holm)")
"""What is said of two models on the same people."""


def compared_cells(one: Comparison) -> dict[str, list[str]]:
    """For each model that a comparison holds against its reference, the texts under `COMPARED`."""
    return {
        model: [
            _signed(found.difference), f"{_signed(found.low)} to {_signed(found.high)}",
            f"{found.wins} / {found.losses}", str(found.n), _chance(found.p), _chance(one.holm[model]),
        ]
        for model, found in one.against.items()
    }  # fmt: skip


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _chance(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _grid(
    name: str,
    caption: str,
    head: list[str],
    lines: Sequence[tuple[str, str, Sequence[tuple[str, str]]]],
    table: pd.DataFrame,
) -> PaperTable:
    """Cells by model and protocol of a summary of one metric; the best of each dataset and protocol in bold."""
    best = table.groupby(["dataset", "protocol"])["mean"].max().map("{:.3f}".format)
    found = dict(list(table.groupby(["dataset", "model", "protocol"])))
    texts: list[list[str]] = []
    bold, rules = set(), set()
    for dataset, second, places in lines:
        if not texts or texts[-1][0] != dataset:
            rules.add(len(texts))
        texts.append([dataset, second])
        for model, protocol in places:
            text = cell(found.get((dataset, model, protocol), table.iloc[:0]))
            if text and text.split()[0] == best[dataset, protocol]:
                bold.add((len(texts) - 1, len(texts[-1])))
            texts[-1].append(text)
    return PaperTable(name, f"{caption} The best is bold.", head, texts, frozenset(bold), frozenset(rules))


def cost_table(rows: pd.DataFrame) -> PaperTable | None:
    """What each model costs on each dataset; None where nothing was measured."""
    there = [name for name in COSTS if (rows["metric"] == name).any()]
    lines: list[list[str]] = []
    rules = set()
    for dataset, part in rows.groupby("dataset"):
        rules.add(len(lines))
        costs = costs_of(part)
        for model in costs.index:
            values = [float(costs[name].get(model, math.nan)) if name in costs else math.nan for name in there]
            lines.append([str(dataset), str(model), *(_cost(name, v) for name, v in zip(there, values, strict=True))])
    caption = "Cost of one answer, on the machine that measured it and with one thread: medians of all runs."
    head = ["dataset", "model", *(COSTS[name] for name in there)]
    return PaperTable("cost", caption, head, lines, rules=frozenset(rules)) if lines else None


def _cost(metric: str, value: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:,.0f}" if metric == "parameters" or value >= 100 else f"{value:#.3g}".rstrip(".")


def _tex(text: str) -> str:
    escaped = "".join(_LATEX.get(character, character) for character in text)
    escaped = re.sub("-(?=-)", "-{}", escaped)  # two hyphens would become a dash
    # The commands that end a row and draw a line would take a bracket or a star after them for their own.
    return "{}" + escaped if escaped.startswith(("[", "*")) else escaped


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_|<>])", r"\\\1", text)
