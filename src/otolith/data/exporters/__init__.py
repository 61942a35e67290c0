"""From a dataset on disk to the forms that others read: CSV, Parquet, Motion-BIDS."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from otolith.data.store import Dataset
from otolith.files import atomic_directory
from otolith.types import ConfigError

FORMATS = {"csv": "tables", "parquet": "tables", "motion-bids": "motion_bids"}
"""Name of the form to the module that writes it."""


def export(dataset: Dataset, target: Path, form: str, progress: Callable[[], None] = lambda: None) -> None:
    """Writes a dataset in another form, one recording at a time.

    Args:
        dataset: An opened dataset.
        target: A new folder.
        form: A key of `FORMATS`.
        progress: Called after each recording.

    Raises:
        ConfigError: No such form, or the folder is there already.
        DataError: The disk is full or the place is not writable; nothing is there then.
    """
    if form not in FORMATS:
        raise ConfigError(f"unknown format '{form}': use one of {', '.join(FORMATS)}")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} is there already, so it is left as it is: name a new folder")
    with atomic_directory(target) as folder:
        import_module(f"{__name__}.{FORMATS[form]}").write(dataset, folder, form, progress)
