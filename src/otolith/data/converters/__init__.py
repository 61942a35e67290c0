"""From the authors' archives to recordings: one module for each dataset.

A module has one function, `parts(raw_dir, card)`. A part is a call without arguments that reads a few files and gives
the recordings in them; it can be pickled, so parts can be read one after another, side by side, or on other machines.
`otolith.data.conversion` does that and makes a dataset of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import chain
from pathlib import Path

from otolith.data.recording import Recording
from otolith.data.registry import card
from otolith.types import DataError, MissingExtraError

Part = Callable[[], Iterable[Recording]]
"""Reads some files of an archive and gives the recordings in them."""


def parts(name: str, raw_dir: Path | None = None) -> list[Part]:
    """What an archive is read in: usually the files of one trial or one subject, in a fixed order.

    Args:
        name: A name in the registry, for example `hapt`.
        raw_dir: The unpacked archive, or the folder that holds it under the dataset's name. May be None for a
            dataset that comes inside an installed package.

    Raises:
        DataError: The dataset is unknown, or a file is missing or damaged; the sentence names it.
        MissingExtraError: The package that carries the dataset is not installed.
    """
    wanted = card(name)
    if raw_dir is None and not wanted.package:
        raise DataError(f"dataset '{name}' is not part of an installed package: say in which folder its archive lies")
    module = import_module(f"{__name__}.{wanted.converter}")
    with _readable():
        return list(module.parts(raw_dir, wanted))


def recordings(part: Part) -> Iterator[Recording]:
    """The recordings of one part.

    Raises:
        DataError: A file is damaged, or the system does not let it be read.
    """
    with _readable():
        yield from part()


def at_hand(name: str, raw_dir: Path | None = None) -> bool:
    """Whether `parts` finds the archive of a dataset."""
    try:
        return bool(parts(name, raw_dir))
    except (DataError, MissingExtraError):
        return False


def convert(name: str, raw_dir: Path | None = None) -> Iterator[Recording]:
    """The recordings of one dataset, in SI and always in the same order.

    Args and errors as of `parts`.
    """
    return chain.from_iterable(map(recordings, parts(name, raw_dir)))


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{error.filename or 'the archive'} cannot be read: {error.strerror or error}; see that it is there and "
            "that you may read it, and run again"
        ) from error
