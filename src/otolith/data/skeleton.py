"""Skeletons: joint positions of any camera to body-centred, body-sized coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from otolith.data.channels import Channel
from otolith.types import DataError

HIP = "hip centre"
CHEST = ("shoulder centre", "thorax", "neck")
"""The joint at the upper end of the trunk, by the first of the names that a skeleton has."""


def joints(channels: Sequence[Channel]) -> dict[str, tuple[int, int, int]]:
    """Columns (x, y, z) of each joint, in the order of the channels.

    Raises:
        DataError: A joint lacks an axis.
    """
    found: dict[str, dict[str, int]] = {}
    for column, channel in enumerate(channels):
        if channel.sensor == "position":
            found.setdefault(channel.placement, {})[channel.axis] = column
    for joint, axes in found.items():
        if set(axes) != {"x", "y", "z"}:
            raise DataError(f"joint '{joint}' has the axes {', '.join(sorted(axes))}: give x, y and z of each joint")
    return {joint: (axes["x"], axes["y"], axes["z"]) for joint, axes in found.items()}


def centre_and_scale(positions: NDArray[np.float32], channels: Sequence[Channel]) -> NDArray[np.float32]:
    """Positions relative to the hip, in lengths of the trunk: where a person stands and how tall they are goes away.

    The hip is that of each frame, so walking through the room goes too; the trunk is the median over the frames, so
    that bending forward does not stretch the body.

    Args:
        positions: [F, C] in metres.
        channels: One for each column; those of other sensors are left out.

    Returns:
        [F, J, 3]; NaN where a joint or the hip was not seen, or the trunk never.

    Raises:
        DataError: There is no hip, no joint at the upper end of the trunk, or the trunk has no length.
    """
    columns = joints(channels)
    chest = _chest(list(columns))
    body = positions[:, np.array(list(columns.values()))]  # [F, J, 3]
    hip = positions[:, np.array(columns[HIP])][:, None]
    lengths = np.linalg.norm(positions[:, np.array(columns[chest])] - hip[:, 0], axis=1)
    if np.isnan(lengths).all():
        return np.full_like(body, np.nan)
    trunk = float(np.nanmedian(lengths))
    if not trunk > 0.05:
        raise DataError(f"the trunk of the skeleton is {trunk:.3g} m long: give joint positions in metres")
    out: NDArray[np.float32] = ((body - hip) / trunk).astype(np.float32)
    return out


def stand_up(bodies: Sequence[NDArray[np.float32]], names: Sequence[str]) -> list[NDArray[np.float32]]:
    """Bodies [F, J, 3] of one camera with y pointing up: some cameras call the vertical z.

    The vertical is the axis along which, over all bodies, trunks extend most: people stand more than they lie.

    Args:
        bodies: From `centre_and_scale`.
        names: Of the joints.
    """
    chest = list(names).index(_chest(names))
    seen = [body[:, chest] for body in bodies if np.isfinite(body[:, chest]).any()]
    if not seen or int(np.mean([np.abs(np.nanmean(trunk, axis=0)) for trunk in seen], axis=0).argmax()) != 2:
        return list(bodies)
    return [np.stack([body[..., 0], body[..., 2], -body[..., 1]], axis=-1) for body in bodies]


def _chest(names: Sequence[str]) -> str:
    """The joint at the upper end of the trunk."""
    chest = next((name for name in CHEST if name in names), None)
    if HIP not in names or chest is None:
        have = ", ".join(names) or "none"
        raise DataError(f"a skeleton needs the joints '{HIP}' and one of {', '.join(CHEST)}; this one has {have}")
    return chest
