from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from archives.utd_mhad import walk
from otolith.data.cards.utd_mhad import CARD
from otolith.data.channels import Channel, six_axes, skeleton
from otolith.data.skeleton import CHEST, HIP, centre_and_scale, joints, stand_up
from otolith.types import DataError

KINECT = tuple(channel for channel in CARD.channels if channel.sensor == "position")
HIP_AT, CHEST_AT = 3, 1
"""Of the 20 joints, in the order of the archive."""


@pytest.fixture
def body() -> NDArray[np.float32]:
    """A person who walks and waves [40, 60], in metres."""
    positions = walk(40) + 0.05 * np.random.default_rng(0).normal(size=(20, 3, 40))
    return positions.reshape(60, 40).T.astype(np.float32)


def test_joints_in_the_order_of_the_channels() -> None:
    found = joints((*six_axes("wrist", "watch"), *skeleton(["left knee", HIP], "camera")))
    assert list(found.items()) == [("left knee", (6, 7, 8)), (HIP, (9, 10, 11))]
    mixed = [Channel(f"a{axis}", "position", axis, "head") for axis in "zxy"]
    assert joints(mixed) == {"head": (1, 2, 0)}
    assert joints(six_axes("wrist", "watch")) == {}


def test_by_the_definition(body: NDArray[np.float32]) -> None:
    got = centre_and_scale(body, KINECT)
    assert got.shape == (40, 20, 3) and got.dtype == np.float32
    plain = body.reshape(40, 20, 3).astype(float)
    trunk = sorted(float(np.linalg.norm(frame[CHEST_AT] - frame[HIP_AT])) for frame in plain)
    trunk_length = (trunk[19] + trunk[20]) / 2
    for frame, expected in zip(got, plain, strict=True):
        np.testing.assert_allclose(frame, (expected - expected[HIP_AT]) / trunk_length, atol=1e-5)


def test_where_the_person_stands_and_walks_does_not_matter(body: NDArray[np.float32]) -> None:
    path = np.cumsum(np.random.default_rng(1).normal(size=(40, 1, 3)), axis=0)
    moved = (body.reshape(40, 20, 3) + path + [3.0, 0.0, 4.0]).astype(np.float32).reshape(40, 60)
    np.testing.assert_allclose(centre_and_scale(moved, KINECT), centre_and_scale(body, KINECT), atol=1e-4)


@pytest.mark.parametrize("size", [0.6, 1.3])
def test_how_tall_the_person_is_does_not_matter(size: float, body: NDArray[np.float32]) -> None:
    grown = (body * size).astype(np.float32)
    np.testing.assert_allclose(centre_and_scale(grown, KINECT), centre_and_scale(body, KINECT), atol=1e-4)


def test_the_posture_matters(body: NDArray[np.float32]) -> None:
    bent = body.copy()
    bent[10:20, 0] += 0.4  # the head, in a quarter of the frames
    changed = np.abs(centre_and_scale(bent, KINECT) - centre_and_scale(body, KINECT)).max(axis=(1, 2))
    assert (changed[10:20] > 0.5).all() and changed[:10].max() < 1e-6 > changed[20:].max()


def test_the_trunk_is_measured_where_a_skeleton_has_its_upper_end(body: NDArray[np.float32]) -> None:
    for name in CHEST:
        channels = skeleton([HIP, name, "head"], "camera")
        got = centre_and_scale(np.tile(np.array([0, 1, 0, 0, 1.5, 0, 0, 2, 0], np.float32), (9, 1)), channels)
        np.testing.assert_allclose(got[0], [[0, 0, 0], [0, 1, 0], [0, 2, 0]], atol=1e-6)


def test_who_stands_in_the_axes_of_another_camera_is_stood_up(body: NDArray[np.float32]) -> None:
    """The vertical is z there; most of its recordings decide, one who lies down does not."""
    names = list(joints(KINECT))
    upright = centre_and_scale(body, KINECT)
    lying = upright[..., [1, 0, 2]]
    unseen = np.full_like(upright, np.nan)
    people = [upright, upright, lying, unseen]
    for got, expected in zip(stand_up(people, names), people, strict=True):
        np.testing.assert_array_equal(got, expected)
    z_up = [np.stack([b[..., 0], -b[..., 2], b[..., 1]], axis=-1) for b in people]  # the same, turned: not mirrored
    for got, expected in zip(stand_up(z_up, names), people, strict=True):
        np.testing.assert_array_equal(got, expected)
    assert stand_up([], names) == []


def test_other_sensors_are_left_out(body: NDArray[np.float32]) -> None:
    both = np.hstack([np.full((40, 6), 7, np.float32), body])
    channels = (*six_axes("right wrist", "watch"), *KINECT)
    np.testing.assert_array_equal(centre_and_scale(both, channels), centre_and_scale(body, KINECT))


def test_what_was_not_seen_stays_unseen_and_spoils_no_other_frame(body: NDArray[np.float32]) -> None:
    holes = body.copy()
    holes[3, 3 * HIP_AT] = np.nan  # without a hip the frame has no place
    holes[5, 0] = np.nan  # the head alone
    got = centre_and_scale(holes, KINECT)
    missing = np.isnan(got)
    assert missing[3, :, 0].all() and missing[5, 0, 0] and missing.sum() == 20 + 1
    np.testing.assert_allclose(got[10:], centre_and_scale(body, KINECT)[10:], rtol=0.02, atol=0.02)


def test_a_person_who_was_never_seen_is_unseen(body: NDArray[np.float32]) -> None:
    assert np.isnan(centre_and_scale(np.full_like(body, np.nan), KINECT)).all()


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("head", "neck"), "needs the joints 'hip centre' and one of .*thorax, neck; this one has head, neck"),
        ((HIP, "head"), "needs the joints 'hip centre' and one of .*; this one has hip centre, head"),
        ((), "this one has none"),
    ],
)
def test_joints_that_are_needed(names: tuple[str, ...], sentence: str) -> None:
    channels = skeleton(names, "camera") or six_axes("wrist", "watch")
    with pytest.raises(DataError, match=sentence):
        centre_and_scale(np.zeros((9, len(channels)), np.float32), channels)


def test_a_joint_without_an_axis(body: NDArray[np.float32]) -> None:
    with pytest.raises(DataError, match="joint 'hip centre' has the axes x, z: give x, y and z of each joint"):
        centre_and_scale(np.delete(body, 10, axis=1), (*KINECT[:10], *KINECT[11:]))


@pytest.mark.parametrize("factor", [0.0, 0.001])
def test_a_trunk_without_length_is_no_body(factor: float, body: NDArray[np.float32]) -> None:
    with pytest.raises(DataError, match="the trunk of the skeleton is .* m long: give joint positions in metres"):
        centre_and_scale(body * np.float32(factor), KINECT)
