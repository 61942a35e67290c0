from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tests.evaluate.small_study import CLASSES, ORIGIN, write_study

from otolith.evaluate import tables
from otolith.evaluate.comparisons import comparisons
from otolith.evaluate.counts import CountsFile
from otolith.evaluate.results import Provenance, ResultsFile, rows
from otolith.evaluate.summary import Collected, classes_of, collect, costs_of, file_name, summarise
from otolith.types import DataError

SCORES = r"""| dataset | model | accuracy | macro-F1 | n | folds | seeds |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
| hand\_made | student | **0.917** | **0.915** | 48 | 4 | 2 |
| hand\_made | rocket & ridge | 0.865 ± 0.015 | 0.863 ± 0.015 | 48 | 4 | 2 |
| hand\_made | nearest | 0.667 | 0.556 | 48 | 4 | 2 |

Protocol loso: mean ± standard deviation over seeds, or over folds where there is one seed. The best of a dataset is bold.
"""  # noqa: E501
LATEX = r"""% needs \usepackage{booktabs,graphicx}
\begin{table}
\centering
\caption{Protocol loso: mean $\pm$ standard deviation over seeds, or over folds where there is one seed. The best of a dataset is bold.}
\label{tab:scores-loso}
\medskip
\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%
\begin{tabular}{llrrrrr}
\toprule
dataset & model & accuracy & macro-F1 & n & folds & seeds \\
\midrule
hand\_made & student & \textbf{0.917} & \textbf{0.915} & 48 & 4 & 2 \\
hand\_made & rocket \& ridge & 0.865 $\pm$ 0.015 & 0.863 $\pm$ 0.015 & 48 & 4 & 2 \\
hand\_made & nearest & 0.667 & 0.556 & 48 & 4 & 2 \\
\bottomrule
\end{tabular}}
\end{table}
"""  # noqa: E501
COMPARED = r"""| dataset | model | against | difference | 95 % interval | better / worse for | people | p | p (Holm) |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
| hand\_made | rocket & ridge | student | −0.052 | −0.083 to −0.021 | 0 / 3 | 4 | 0.250 | 0.250 |
| hand\_made | nearest | student | −0.250 | −0.250 to −0.250 | 0 / 4 | 4 | 0.125 | 0.250 |
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Collected:
    return collect([write_study(tmp_path_factory.mktemp("tables") / "small.csv")])


def body(table: tables.PaperTable | None) -> list[str]:
    """Lines of the Markdown below the rule, down to the caption."""
    assert table is not None
    return table.markdown().split("\n\n")[0].splitlines()[2:]


def test_scores_are_means_over_folds_then_seeds(found: Collected) -> None:
    table = tables.score_table(found.rows, "loso")
    assert table.markdown() == SCORES
    assert table.latex() == LATEX
    rows = found.rows[(found.rows["model"] == "rocket & ridge") & (found.rows["metric"] == "macro_f1")]
    by_seed = rows.groupby("seed")["value"].mean()
    assert f"{by_seed.mean():.3f} ± {by_seed.std():.3f}" in SCORES


def test_the_spread_of_one_seed_is_over_folds_and_of_draws_over_all(found: Collected) -> None:
    one = found.rows[(found.rows["model"] == "student") & (found.rows["seed"] == 0)]
    table = summarise(one[one["protocol"] == "loso"], ["accuracy"])
    values = one[(one["metric"] == "accuracy") & (one["protocol"] == "loso")]["value"]
    assert table["spread"].item() == pytest.approx(values.std())
    assert (table["folds"].item(), table["seeds"].item(), table["n"].item()) == (4, 1, 48)
    drawn = found.rows[(found.rows["model"] == "student+ridge") & (found.rows["protocol"] == "enrol-k1")]
    two = pd.concat([drawn, drawn.assign(seed=1, value=drawn["value"] / 2)])
    chosen = summarise(two, ["accuracy"])
    assert chosen["spread"].item() == pytest.approx(two[two["metric"] == "accuracy"]["value"].std())
    assert chosen["n"].item() == 12, "all draws are judged on the same trials"


def test_examples_stand_side_by_side_and_disturbances_below_the_undisturbed(found: Collected) -> None:
    assert body(tables.shots_table(found.rows)) == [
        r"| hand\_made | student+ridge | **0.822** | **1.000** |",
        r"| hand\_made | nearest | 0.556 | **1.000** |",
    ]
    assert body(tables.robustness_table(found.rows)) == [
        r"| hand\_made | nothing | **0.915** | 0.556 |",
        r"| hand\_made | noise-0.1 | **0.500** | **0.500** |",
    ]
    assert body(tables.cost_table(found.rows)) == [r"| hand\_made | student | 1,234 | 0.500 | 0.250 |"]


def test_models_are_compared_person_by_person(found: Collected) -> None:
    people = comparisons(found)
    (table,) = tables.comparison_tables(people)
    assert table.name == "comparison-loso"
    assert table.markdown().split("\n\n")[0] + "\n" == COMPARED
    assert r"\textbf" not in table.latex(), "nothing is sure with four people"
    assert people[0].accuracy.index.tolist() == ["s1", "s2", "s3", "s10"]
    assert people[0].ranking is not None and people[0].ranking.models[0] == "student"
    chosen = comparisons(found, ["nearest"])[0]
    assert chosen.reference == "nearest" and set(chosen.against) == {"student", "rocket & ridge"}


def test_what_is_not_there_gives_no_table(found: Collected) -> None:
    plain = found.rows[(found.rows["protocol"] == "loso") & (found.rows["model"] == "nearest")]
    assert tables.shots_table(plain) is None
    assert tables.robustness_table(plain) is None
    assert tables.cost_table(plain) is None
    assert costs_of(plain).empty
    assert tables.comparison_tables([]) == []


def test_signs_of_names_are_written_out() -> None:
    table = tables.PaperTable("a/b", "50 % of {x}", ["a_b"], [["$x^2~\\&#|*<b>"]])
    assert (
        r"\$x\textasciicircum{}2\textasciitilde{}\textbackslash{}\&\#\textbar{}*\textless{}b\textgreater{}"
        in table.latex()
    )
    assert r"\caption{50 \% of \{x\}}" in table.latex() and r"\label{tab:a-b}" in table.latex()
    assert r"\|\*\<b\>" in table.markdown()
    assert file_name("../../etc: x") == "..-..-etc-x"


def test_cells_are_no_argument_of_the_command_before_them() -> None:
    table = tables.PaperTable("t", "c", ["[name]", "*"], [["[a]", "[1]"], ["*", "b--c---d"]], rules=frozenset({1}))
    lines = table.latex().splitlines()
    assert {r"{}[name] & {}* \\", r"{}[a] & {}[1] \\", r"{}* & b-{}-c-{}-{}-d \\"} <= set(lines)


def test_a_long_table_is_cut_between_datasets_into_what_a_page_holds() -> None:
    rows = [[f"set {i // 25}", f"{i}"] for i in range(100)]
    text = tables.PaperTable("long", "c", ["dataset", "n"], rows, rules=frozenset({0, 25, 50, 75})).latex()
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 2
    first, second = text.split(r"\label{tab:long-2}")
    assert "set 1 & 49" in first and "set 2 & 50" not in first and "set 2 & 50" in second and "set 3 & 99" in second
    assert r"\caption{c (part 2)}" in first and r"\scriptsize" in first
    endless = tables.PaperTable("long", "c", ["n"], [["x"]] * 130).latex()
    assert endless.count("\nx ") == 130 and endless.count(r"\begin{table}") == 3


def test_the_last_of_repeated_measurements_counts(tmp_path: Path) -> None:
    place = {"model": "m", "dataset": "d", "protocol": "loso", "n": 5}
    old, new = (Provenance(name, name * 8, "2") for name in ("old", "new"))
    one, other = ResultsFile(tmp_path / "one.csv"), ResultsFile(tmp_path / "other.csv")
    one.append(rows({"accuracy": 0.1, "kappa": 0.1}, provenance=old, **place))
    other.append(rows({"accuracy": 0.9}, provenance=new, **place))
    found = collect([one.path, other.path])
    assert found.repeated == 1
    assert found.rows["value"].tolist() == [0.9], "no metric of the old measurement is left beside the new"
    assert collect([one.path]).repeated == 0


def test_counts_of_measurements_that_no_longer_count_are_left_out(tmp_path: Path) -> None:
    path = write_study(tmp_path / "small.csv")
    all_counts = len(CountsFile.beside(path).read())
    assert len(collect([path]).counts) == all_counts
    place = {"model": "student", "dataset": "hand_made", "protocol": "loso", "fold": "s1", "n": 12}
    ResultsFile(path).append(rows({"accuracy": 1.0}, provenance=Provenance("new", "3" * 64, "2" * 64), **place))
    assert 0 < len(collect([path]).counts) < all_counts
    twice = collect([path, write_study(tmp_path / "copy.csv")])
    assert len(twice.counts) == all_counts and twice.repeated == 0 + 1
    assert classes_of(twice.rows) == CLASSES and ORIGIN.commit in set(twice.rows["commit"])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there is no results file"),
        (b"", "holds no result"),
        (b"a,b\n1,2\n", "is not a results file"),
        (b"loso,fold,0\n", "is not a results file"),
        (b"DAMAGED", "line 2 is damaged"),
        (b"NAN", "holds a value that is no number"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "results.csv"
    header = b"model,dataset,protocol,fold,seed,metric,value,n,commit,config_sha256,data_sha256\n"
    if content is not None:
        damaged = {
            b"DAMAGED": b"m,d,loso,all,zero,accuracy,0.5,3,c,1,2\n",
            b"NAN": b"m,d,p,all,0,accuracy,nan,3,c,1,2\n",
        }
        path.write_bytes(header + damaged[content] if content in damaged else content)
    with pytest.raises(DataError, match=sentence):
        collect([path])
