"""From the authors' archives to recordings: one module for each dataset."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from otolith.data.recording import Recording
from otolith.data.registry import card
from otolith.types import DataError


def convert(name: str, raw_dir: Path | None = None) -> Iterator[Recording]:
    """The recordings of one dataset, in SI and always in the same order.

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
    recordings: Iterator[Recording] = module.convert(raw_dir, wanted)
    return recordings
