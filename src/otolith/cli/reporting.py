"""`otolith report`: figures, tables and a page from results files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otolith.types import DataError

if TYPE_CHECKING:
    from otolith.evaluate.comparisons import Comparison
    from otolith.evaluate.results_page import Extras
    from otolith.evaluate.signals import Span
    from otolith.evaluate.study_figures import Gallery
    from otolith.evaluate.summary import Collected


def report(
    results: Annotated[list[Path], typer.Argument(help="Results CSVs; where two hold the same, the later one counts.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for index.html, figures and tables.")],
    model: Annotated[
        list[str] | None, typer.Option("--model", help="Show this model, not the best; may be given several times.")
    ] = None,
    runs: Annotated[Path | None, typer.Option(help="Folder with training runs: adds their curves.")] = None,
    embedding: Annotated[Path | None, typer.Option(help="File that `otolith embed` wrote: adds maps.")] = None,
    timeline: Annotated[
        Path | None, typer.Option(help="Segments that `otolith classify -o` wrote (.csv): adds the timeline.")
    ] = None,
) -> None:
    """Figures (PNG and PDF with their data), tables (Markdown and LaTeX) and a page, from results files alone."""
    from rich.console import Console

    from otolith.evaluate.comparisons import comparisons
    from otolith.evaluate.report import write
    from otolith.evaluate.results_page import results_page
    from otolith.evaluate.study_figures import Gallery, draw
    from otolith.evaluate.summary import collect

    if output.is_file():
        raise DataError(f"--output {output} is a file: name a folder")
    found = collect(results)
    chosen = _known(found, model or [])
    people = comparisons(found, chosen)
    gallery = Gallery(output / "figures")
    with Console(stderr=True).status("drawing"):
        extras = _extras(runs, embedding, timeline, gallery)
        draw(found, people, gallery, chosen)
    written = _tables(found, people, output / "tables")
    write(results_page(found, people, results, chosen, extras), output / "index.html")
    if found.repeated:
        typer.echo(f"otolith: note: {found.repeated} measurements are there more than once; the last counts", err=True)
    typer.echo(f"page: {output / 'index.html'}, with {len(gallery.saved)} figures and {written} tables beside it")


def _known(found: Collected, models: list[str]) -> list[str]:
    there = sorted(found.rows["model"].unique())
    for name in models:
        if name not in there:
            raise DataError(f"--model {name}: the results know no such model; there are {', '.join(there)}")
    return models


def _tables(found: Collected, people: list[Comparison], folder: Path) -> int:
    """Writes each table as Markdown and LaTeX, and the scores behind them as CSV; how many tables."""
    from otolith.evaluate import tables
    from otolith.evaluate.summary import METRICS, file_name, main_protocols, summarise
    from otolith.files import atomic_file

    made = [tables.score_table(found.rows, protocol) for protocol in main_protocols(found.rows)]
    for table in (tables.shots_table(found.rows), tables.robustness_table(found.rows),
                  tables.comparison_table(people), tables.cost_table(found.rows)):  # fmt: skip
        made += [table] if table else []
    for table in made:
        for ending, text in (("md", table.markdown()), ("tex", table.latex())):
            with atomic_file(folder / f"{file_name(table.name)}.{ending}") as temporary:
                temporary.write_text(text, encoding="utf-8", newline="\n")
    with atomic_file(folder / "summary.csv") as temporary:
        summarise(found.rows, tuple(METRICS)).to_csv(temporary, index=False, lineterminator="\n")
    return len(made)


def _extras(runs: Path | None, embedding: Path | None, timeline: Path | None, gallery: Gallery) -> Extras:
    """Reads all that was named before anything is written, then draws what is not of results."""
    from otolith.evaluate.embedding import Embedding
    from otolith.evaluate.embedding_figures import draw_embedding
    from otolith.evaluate.results_page import Extras
    from otolith.evaluate.run_curves import draw_runs, read_runs

    trained = read_runs(runs) if runs else {}
    seen = Embedding.load(embedding) if embedding else None
    segments = _segments(timeline) if timeline else []
    draw_runs(trained, gallery)
    return Extras(trained, [draw_embedding(seen, gallery)] if seen else [], segments)


def _segments(path: Path) -> list[Span]:
    """What `otolith classify` wrote."""
    import csv

    from otolith.evaluate.signals import Span

    try:
        with path.open(encoding="utf-8", newline="") as handle:
            spans = [Span(float(row["start_s"]), float(row["end_s"]), row["activity"], float(row["confidence"]))
                     for row in csv.DictReader(handle)]  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise DataError(
            f"--timeline {path} is no table of segments: give a .csv that otolith classify -o wrote"
        ) from error
    if not spans or any(not span.start < span.end for span in spans):
        raise DataError(f"--timeline {path} holds no segment, or one that ends before it starts")
    return spans
