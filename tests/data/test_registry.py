from __future__ import annotations

import dataclasses
import re
import subprocess
import sys

import pytest

from otolith.data.labels import VOCABULARY
from otolith.data.registry import CARDS, DatasetCard, card
from otolith.types import DataError

NAMES = re.findall(
    r"\w+",
    "uci_har hhar mhealth pamap2 wisdm unimib_shar dsads hapt ku_har recgym motionsense realworld mobiact vtt_coniot "
    "utd_mhad mm_fit spar tug",
)
CARD = pytest.mark.parametrize("about", CARDS.values(), ids=CARDS)


@CARD
def test_card_is_complete(about: DatasetCard):
    assert CARDS[about.name] is about
    assert about.name in NAMES
    for words in (about.title, about.licence, about.citation):
        assert words.strip()
    assert about.subjects > 0
    assert all(count is None or count > 0 for count in (about.recordings, about.rows))  # None: not verified
    assert 1 <= about.rate <= 1000
    assert about.sources


@CARD
def test_every_label_is_in_the_vocabulary(about: DatasetCard):
    assert set(about.activities.values()) <= set(VOCABULARY)
    assert len(set(about.activities.values())) == len(about.activities)


@CARD
def test_no_two_channels_are_described_alike(about: DatasetCard):
    """The encoder knows a channel only by its description."""
    described = [channel.description for channel in about.channels]
    assert len(set(described)) == len(described)


@CARD
def test_sources_are_official_addresses_with_whole_checksums(about: DatasetCard):
    for source in about.sources:
        assert source.url.startswith("https://")
        assert source.sha256 is None or re.fullmatch("[0-9a-f]{64}", source.sha256)


@CARD
def test_there_is_a_way_to_get_it(about: DatasetCard):
    assert bool(about.package) + any(source.direct for source in about.sources) + bool(about.access) == 1


@CARD
def test_split_keeps_people_apart(about: DatasetCard):
    split = about.split
    assert split.test and not set(split.test) & set(split.val)
    assert len({*split.test, *split.val}) == len(split.test) + len(split.val) < about.subjects
    assert split.note


@CARD
def test_upright_directions_have_length_one(about: DatasetCard):
    for placement, direction in about.upright.items():
        assert placement in {channel.placement for channel in about.channels}
        assert sum(x * x for x in direction) == pytest.approx(1, abs=0.02)


@CARD
def test_datasets_that_share_recordings_are_named_by_result_names(about: DatasetCard):
    assert set(about.shares_recordings_with) <= set(NAMES) - {about.name}
    for other in about.shares_recordings_with:
        assert other not in CARDS or about.name in CARDS[other].shares_recordings_with


def test_what_must_never_be_mixed_up():
    assert card("motionsense").zero_shot_only
    assert not card("hapt").zero_shot_only
    assert card("hapt").shares_recordings_with == ("uci_har",)


def test_cards_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        card("spar").rate = 100.0  # type: ignore[misc]


@pytest.mark.parametrize(("wrong", "near"), [("motion_sense", "motionsense"), ("HAPT", "hapt"), ("spars", "spar")])
def test_unknown_dataset_names_the_nearest(wrong: str, near: str):
    with pytest.raises(DataError, match=f"unknown dataset '{wrong}': did you mean '{near}'"):
        card(wrong)


def test_cards_and_words_are_light_to_import():
    code = (
        "import sys, otolith.data.registry, otolith.data.labels; print({'torch', 'pandas', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    assert done.stdout.strip() == "set()"
