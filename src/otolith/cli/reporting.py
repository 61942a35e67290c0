"""`otolith report`: figures, tables and a page from results files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otolith.types import DataError

if TYPE_CHECKING:
    from otolith.evaluate.comparisons import Comparison
    from otolith.evaluate.results_page import Extras
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
        list[Path] | None,
        typer.Option(help="File that `otolith classify --timeline` wrote: adds it; may be given several times."),
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
        extras = _extras(runs, embedding, timeline or [], gallery)
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
    made += tables.comparison_tables(people)
    for table in (tables.shots_table(found.rows), tables.robustness_table(found.rows), tables.cost_table(found.rows)):
        made += [table] if table else []
    for table in made:
        for ending, text in (("md", table.markdown()), ("tex", table.latex())):
            with atomic_file(folder / f"{file_name(table.name)}.{ending}") as temporary:
                temporary.write_text(text, encoding="utf-8", newline="\n")
    with atomic_file(folder / "summary.csv") as temporary:
        summarise(found.rows, tuple(METRICS)).to_csv(temporary, index=False, lineterminator="\n")
    return len(made)


def _extras(runs: Path | None, embedding: Path | None, timelines: list[Path], gallery: Gallery) -> Extras:
    """Reads all that was named before anything is written, then draws what is not of results."""
    from otolith.evaluate.embedding import Embedding
    from otolith.evaluate.embedding_figures import draw_embedding
    from otolith.evaluate.results_page import Extras
    from otolith.evaluate.run_curves import draw_runs, read_runs
    from otolith.evaluate.timeline_file import RecordedTimeline

    trained = read_runs(runs) if runs else {}
    seen = Embedding.load(embedding) if embedding else None
    recorded = [RecordedTimeline.load(path) for path in timelines]
    draw_runs(trained, gallery)
    return Extras(trained, [draw_embedding(seen, gallery)] if seen else [], recorded)
