"""Proposes what the columns of a table mean, each line with its evidence, for a person to read and correct."""

from __future__ import annotations

from pathlib import Path

from otolith.data.importers.guess.layout import layout
from otolith.data.importers.guess.proposal import Proposal, yaml_text
from otolith.data.importers.guess.sample import Sample
from otolith.data.importers.guess.sensors import propose_from
from otolith.data.importers.session import Wearing
from otolith.types import DataError, OtolithError

_MOST_FILES = 50
_TABLES = (".csv", ".tsv", ".txt", ".dat", ".parquet", ".pq")


def guess(path: Path, wearing: Wearing) -> str:
    """A mapping for `otolith import --mapping`, as YAML with the evidence in comments.

    Nothing here is applied to anything: the text is for a person. What the numbers do not tell is left empty, and the
    import refuses it until it is filled in.

    Args:
        path: A table, or a folder with a table for each sensor.
        wearing: What is known beside the file.

    Raises:
        DataError: No table is there, or nothing in it looks like a motion sensor.
    """
    if not path.is_dir():
        return yaml_text([(path.name, propose(path, wearing))], wearing, folder=False)
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in _TABLES and p.is_file())[:_MOST_FILES]
    proposals: list[tuple[str, Proposal | str]] = []
    for file in files:
        try:
            proposals.append((file.name, propose(file, wearing)))
        except OtolithError as error:
            proposals.append((file.name, str(error)))
    if not any(isinstance(proposal, Proposal) for _, proposal in proposals):
        raise DataError(f"{path} holds no table with a motion sensor; give a CSV or Parquet file")
    return yaml_text(proposals, wearing, folder=True)


def propose(path: Path, wearing: Wearing) -> Proposal:
    """What the columns of one table mean.

    Raises:
        DataError: It is no table, or nothing in it looks like a motion sensor.
    """
    return propose_from(Sample.of(path, layout(path)), wearing)
