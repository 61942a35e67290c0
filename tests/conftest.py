"""What all tests share: one thread, repeatable property tests, and the real data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from otolith.data.recording import Recording
    from otolith.data.store import Dataset

# Before numpy or torch are imported by any test: sums in one order, and no contention between test processes.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

os.fsync = lambda _: None  # no test cuts the power, so none waits for the disk

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for raw data is a `real` one; nobody has to remember the marker."""
    for item in items:
        if "raw_dir" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.real)


@pytest.fixture(scope="session")
def raw_dir() -> Path:
    """The folder that holds unpacked archives of public datasets, one folder each: `hapt/`, `motionsense/`..."""
    folder = os.environ.get("OTOLITH_RAW_DIR")
    if not folder:
        pytest.skip("needs archives of public datasets: set OTOLITH_RAW_DIR to the folder that holds them unpacked")
    if not Path(folder).is_dir():
        pytest.fail(f"OTOLITH_RAW_DIR is set to {folder}, which is no folder")
    return Path(folder)


@pytest.fixture(scope="session")
def spar_recordings() -> list[Recording]:
    """All recordings of the smart-watch set that comes inside the `seglearn` wheel: real, 10 people, 7 exercises."""
    from otolith.data.converters import convert

    return list(convert("spar", None))


@pytest.fixture(scope="session")
def spar_dataset(spar_recordings: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The same recordings as a dataset on disk. Shared by all tests: read only."""
    from otolith.data.registry import card
    from otolith.data.store import Dataset, DatasetWriter

    about = card("spar")
    path = tmp_path_factory.mktemp("datasets") / "spar"
    with DatasetWriter(
        path,
        "spar",
        title=about.title,
        licence=about.licence,
        citation=about.citation,
        sources=about.sources,
    ) as writer:
        for recording in spar_recordings:
            writer.add(recording)
    return Dataset.open(path)
