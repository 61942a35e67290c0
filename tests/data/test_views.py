from __future__ import annotations

import pytest

from otolith.data.channels import Channel, triad
from otolith.data.views import ChannelView
from otolith.types import ConfigError

CHANNELS = (
    *triad("acc", "waist", gravity=True),
    *triad("gyro", "waist"),
    *triad("acc", "left wrist", gravity=False, prefix="user_"),
    Channel("hr", "heart_rate", "", "chest"),
)


@pytest.mark.parametrize(
    ("view", "columns"),
    [
        (ChannelView(), [0, 1, 2, 3, 4, 5]),
        (ChannelView(gravity=None), [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (ChannelView(gravity=False), [3, 4, 5, 6, 7, 8]),
        (ChannelView(sensors=("acc",)), [0, 1, 2]),
        (ChannelView(sensors=("heart_rate", "gyro")), [3, 4, 5, 9]),
        (ChannelView(placements=("left wrist",), gravity=None), [6, 7, 8]),
        (ChannelView(sensors=("heart_rate",), placements=("chest", "head")), [9]),
    ],
)
def test_columns(view: ChannelView, columns: list[int]) -> None:
    assert view.columns(CHANNELS) == columns


def test_a_view_that_keeps_nothing_says_what_there_is() -> None:
    with pytest.raises(
        ConfigError, match="sensors mag; placements head.* keeps no channel; this recording has acc with"
    ):
        ChannelView(sensors=("mag",), placements=("head",)).columns(CHANNELS)
    with pytest.raises(ConfigError, match="placements all"):
        ChannelView(sensors=("mag",)).columns(CHANNELS)
    with pytest.raises(ConfigError, match=r"sensors acc with gravity; .* this recording has acc without gravity at"):
        ChannelView(sensors=("acc",)).columns(triad("acc", "waist", gravity=False))


def test_acceleration_of_the_other_kind() -> None:
    linear, gyro = triad("acc", "waist", gravity=False, prefix="linear_"), triad("gyro", "waist")
    assert ChannelView().lacks_gravity((*linear, *gyro))
    assert not ChannelView().lacks_gravity((*triad("acc", "waist", gravity=True), *linear))
    assert not ChannelView().lacks_gravity(gyro)
    assert not ChannelView(gravity=None).lacks_gravity(linear)
    assert not ChannelView(sensors=("gyro",)).lacks_gravity((*linear, *gyro))
    assert ChannelView(gravity=False).lacks_gravity(triad("acc", "waist", gravity=True))
