"""Pages that stand alone: one style and one shape for all of them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from otolith.files import atomic_file
from otolith.palette import PALETTE, rgb
from otolith.types import MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Template


@cache
def template(name: str) -> Template:
    """A template of this package; every text that goes into it is escaped, and a name that it does not get fails.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtraError("jinja2", "eval", "writing a report") from error
    folder = files("otolith.evaluate").joinpath("templates")
    environment = Environment(
        loader=FunctionLoader(lambda part: folder.joinpath(part).read_text(encoding="utf-8")),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    shades = " ".join(map(str, rgb(PALETTE[0])))
    environment.globals.update(accent=PALETTE[0], accent_on_dark=PALETTE[4], accent_rgb=shades)
    return environment.get_template(name)


def write_page(text: str, path: Path) -> None:
    """Writes a page to `path`, which is replaced in one step."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
