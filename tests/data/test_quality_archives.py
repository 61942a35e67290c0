"""The real archives: clean as they are, and every planted fault found and named, from some of their recordings."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest

from faults import plant, write
from otolith.data.converters import parts
from otolith.data.quality.inspection import Quality, inspect
from otolith.data.recording import Recording

pytestmark = pytest.mark.slow

STEPS = {"hapt": 4, "motionsense": 6, "utd_mhad": 12, "dsads": 6, "wisdm": 1, "tug": 7}
"""Of how many parts one is read; some recordings do as well as all."""
RATES = {"hapt": 50, "motionsense": 50, "utd_mhad": 50, "dsads": 25, "wisdm": 20, "tug": 100}
# The sign of gravity is known where it is known how the device was worn: not of the phones of WISDM and TUG, which lay
# in the pocket any way round. The watches of both are told.
SIGNS = {
    "hapt": ["waist"],
    "motionsense": ["front trouser pocket"],
    "utd_mhad": ["right wrist", "right thigh"],
    "dsads": ["torso", "right arm", "left arm"],
    "wisdm": ["dominant wrist"],
    "tug": ["left wrist"],
}
FAULTS = {
    "g": ("unit", "values look like g: give the unit as g"),
    "deg": ("unit", "looks like deg/s declared as rad/s"),
    "double": ("rate", "looks too high by 2 ({twice} Hz declared, {rate} Hz fits)"),
    "half": ("rate", "looks too low by 2 ({half} Hz declared, {rate} Hz fits)"),
}


@pytest.fixture(scope="module", params=STEPS)
def archive(request: pytest.FixtureRequest, raw_dir: Path) -> tuple[str, list[Recording]]:
    name = request.param
    some = chain.from_iterable(
        part() for part in parts(name, raw_dir / name if name != "tug" else raw_dir)[:: STEPS[name]]
    )
    return name, [r for k, r in enumerate(some) if name != "wisdm" or k % 5 == 0]


def severe(quality: Quality) -> list[tuple[str, str]]:
    return [(concern.kind, concern.text) for concern in quality.concerns() if concern.severe]


def test_clean_data_has_no_severe_finding(archive: tuple[str, list[Recording]], tmp_path: Path) -> None:
    name, recordings = archive
    quality = inspect(write(recordings, tmp_path / name, name))
    assert quality.card is not None
    assert severe(quality) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(fault: str, archive: tuple[str, list[Recording]], tmp_path: Path) -> None:
    """By physics alone: under a name of its own no card is known of it."""
    name, recordings = archive
    found = severe(inspect(write((plant(r, fault) for r in recordings), tmp_path / "own")))
    rate = RATES[name]
    kind, words = FAULTS[fault]
    said = words.format(rate=rate, twice=2 * rate, half=f"{rate / 2:g}")
    assert any(k == kind and said in text for k, text in found), found
    assert {k for k, _ in found} <= {kind, "range"}


def test_reversed_gravity_is_named(archive: tuple[str, list[Recording]], tmp_path: Path) -> None:
    name, recordings = archive
    quality = inspect(write((plant(r, "sign") for r in recordings), tmp_path / name, name))
    ((kind, text),) = severe(quality)
    assert kind == "gravity sign" and "reverse the sign of acceleration" in text
    assert all(f"'{placement}'" in text for placement in SIGNS[name])


def test_a_rate_that_is_not_the_cards_is_named(archive: tuple[str, list[Recording]], tmp_path: Path) -> None:
    name, recordings = archive
    found = severe(inspect(write((plant(r, "double") for r in recordings), tmp_path / name, name)))
    assert any("which is 2 times the" in text and "of the dataset's card" in text for _, text in found)
