"""What the networks of the field share: windows in, one feature a window out, and a look at what they are given."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from otolith.types import ConfigError, DataError


class Network(nn.Module):
    """A network on windows [B, W, C], each channel z-scored by the caller.

    Attributes:
        channels: C.
        samples: W.
        width: Size D of the feature.
    """

    shortest: ClassVar[int] = 2
    """The fewest samples of a window that leave something to look at."""
    width: int

    def __init__(self, channels: int, samples: int) -> None:
        super().__init__()
        if channels < 1 or samples < self.shortest:
            raise ConfigError(
                f"{type(self).__name__} takes windows of 1 channel or more and {self.shortest} samples or more, not of "
                f"{channels} and {samples}"
            )
        self.channels, self.samples = channels, samples

    def check(self, windows: Tensor) -> None:
        """Looks at the shape of windows.

        Raises:
            DataError: It is not [B, W, C].
        """
        if windows.dim() != 3 or tuple(windows.shape[1:]) != (self.samples, self.channels):
            raise DataError(
                f"{type(self).__name__} takes windows [B, {self.samples}, {self.channels}], not {list(windows.shape)}"
            )


class Pretrainable(Network):
    """A network whose encoder can learn without labels.

    Attributes:
        encoder: What both kinds of training teach: windows [B, W, C] to [B, W, H].
        reader: What labels alone teach: it turns the encoder's output into the feature.
        pretext: What only pretraining teaches; a deployed model does without it.
    """

    encoder: nn.Module
    reader: nn.Module
    pretext: nn.Module

    @abstractmethod
    def pretraining_loss(self, windows: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        """The loss of a batch without labels.

        Args:
            windows: [B, W, C], as `forward` takes them.
            progress: Share of the pretraining that is done, 0 to 1; what is learnt may change on the way.

        Returns:
            Scalars: `loss`, which is trained on, and its parts. What is random in them is drawn from torch's global
            generator of the CPU, and so the same on every device.

        Raises:
            DataError: The windows have another shape.
        """
