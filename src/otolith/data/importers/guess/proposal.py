"""A proposed mapping and its evidence, and how it is written for a person to read."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import yaml

from otolith.data.importers.session import Wearing

_WORDS = re.compile(r"[A-Za-z][\w/^.]*( [\w/^.]+)*")
_NO_PLACE = "no file can say it: write where it was worn, such as left wrist"


@dataclass
class Group:
    """Columns that one sentence explains: the three axes of a sensor, or one scalar.

    Attributes:
        why: The evidence.
        columns: For each column its name in the file and the keys of `otolith.data.importers.mapping.Column`.
    """

    why: list[str]
    columns: list[tuple[str, dict[str, object]]]


@dataclass
class Proposal:
    """What the columns of a table may mean.

    Attributes:
        groups: The columns to read.
        keys: Other keys of a `TableMapping`, each with its value and its evidence.
        notes: What is said above all else.
        unused: Columns that are not read, and why.
    """

    groups: list[Group] = field(default_factory=list)
    keys: list[tuple[str, object, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unused: list[tuple[str, str]] = field(default_factory=list)


def yaml_text(proposals: Sequence[tuple[str, Proposal | str]], wearing: Wearing, *, folder: bool) -> str:
    """The mapping as YAML.

    Args:
        proposals: By file name; a sentence where a file has nothing to propose.
        wearing: What holds for all of them.
        folder: Whether the mapping is of a folder of files.
    """
    lines = [
        "# A proposal, made from names and numbers. Nothing has been imported.",
        "# Read each line with its reason, correct it, and fill in what is empty; then",
        "#   otolith import PATH --mapping THIS.yaml -o DATASET",
    ]
    if folder:
        lines.append("files:")
    for name, proposal in proposals:
        if isinstance(proposal, str):
            lines.append(f"  # {_plain(name)} is not read: {_plain(proposal)}")
        elif folder:
            lines.append(f"  {_scalar(name)}:")
            lines += [f"    {line}" for line in _table(proposal)]
        else:
            lines += _table(proposal)
    known = {key for _, p in proposals if isinstance(p, Proposal) for key, _, _ in p.keys} if not folder else set()
    lines += [line for key, line in _worn(wearing) if key not in known]
    return "\n".join(lines) + "\n"


def _table(proposal: Proposal) -> list[str]:
    lines = [f"# {_plain(note)}" for note in proposal.notes]
    lines.append("columns:")
    for group in proposal.groups:
        lines += [f"  # {_plain(why)}" for why in group.why]
        for name, column in group.columns:
            inside = ", ".join(f"{key}: {_scalar(value)}" for key, value in column.items())
            lines.append(f"  {_scalar(name)}: {{{inside}}}")
    if proposal.unused:
        lines.append("  # not read:")
        lines += [f"  #   {_scalar(name)}: {_plain(why)}" for name, why in proposal.unused]
    for key, value, why in proposal.keys:
        lines += [f"# {_plain(why)}"] if why else []
        lines.append(f"{key}: {_scalar(value)}" if value != "" or key == "placement" else f"{key}:  # fill in")
    return lines


def _worn(wearing: Wearing) -> list[tuple[str, str]]:
    place, device = wearing.placement, wearing.device
    return [
        ("placement", f"placement: {_scalar(place)}" + ("" if place else f"  # {_NO_PLACE}")),
        ("device", f"device: {_scalar(device)}" + ("" if device else "  # such as smartwatch; may stay empty")),
        ("subject", f"subject: {_scalar(wearing.subject)}"),
    ]


def _scalar(value: object) -> str:
    """A value as YAML; a text as JSON has it, which YAML reads alike."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _WORDS.fullmatch(value) and yaml.safe_load(value) == value:
        return value
    return json.dumps(value, ensure_ascii=not value.isprintable())


def _plain(text: str) -> str:
    """Text that cannot leave its comment."""
    return "".join(c if c.isprintable() else " " for c in text)
