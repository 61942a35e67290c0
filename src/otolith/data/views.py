"""Which of a dataset's channels a model sees; chosen at training or recognition, never at conversion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from otolith.data.channels import Channel
from otolith.types import ConfigError

_GRAVITY = {True: " with gravity", False: " without gravity", None: ""}


@dataclass(frozen=True)
class ChannelView:
    """A choice of channels. An empty choice of placements keeps all."""

    sensors: tuple[str, ...] = ("acc", "gyro")
    """Sensors to keep, keys of `otolith.data.channels.SENSORS`."""
    placements: tuple[str, ...] = ()
    """Placements to keep, for example `left wrist`."""
    gravity: bool | None = True
    """Acceleration with gravity (True), without (False), or both (None)."""

    def columns(self, channels: Sequence[Channel]) -> list[int]:
        """Indices of the chosen channels, in their order.

        Raises:
            ConfigError: Nothing is left.
        """
        chosen = [i for i, channel in enumerate(channels) if self.keeps(channel)]
        if not chosen:
            have = sorted({f"{c.sensor}{_GRAVITY[c.gravity]} at the {c.placement}" for c in channels})
            want = [s + _GRAVITY[self.gravity] if s == "acc" else s for s in self.sensors]
            raise ConfigError(
                f"the view (sensors {', '.join(want)}; placements {', '.join(self.placements) or 'all'}) "
                f"keeps no channel; this recording has {', '.join(have)}"
            )
        return chosen

    def keeps(self, channel: Channel) -> bool:
        """Whether the model sees this channel."""
        return self._wants(channel) and self._gravity_fits(channel)

    def lacks_gravity(self, channels: Sequence[Channel]) -> bool:
        """Whether all acceleration that would be chosen is of the other kind: without gravity where it is wanted."""
        wanted = [c for c in channels if c.sensor == "acc" and self._wants(c)]
        return bool(wanted) and not any(self._gravity_fits(c) for c in wanted)

    def _wants(self, channel: Channel) -> bool:
        return channel.sensor in self.sensors and (not self.placements or channel.placement in self.placements)

    def _gravity_fits(self, channel: Channel) -> bool:
        return self.gravity is None or channel.gravity is None or channel.gravity == self.gravity
