"""The fully convolutional network of Wang et al. 2017 (arXiv:1611.06455), a plain and strong CNN for time series."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from otolith.models.networks.network import Network

FILTERS = (128, 256, 128)
KERNELS = (8, 5, 3)


class Cnn(Network):
    """Three blocks of convolution over all channels, batch norm and ReLU, then the mean over time (section II.B).

    The convolutions keep the length: what is missing at the ends is zero.
    """

    def __init__(self, channels: int, samples: int) -> None:
        super().__init__(channels, samples)
        layers: list[nn.Module] = []
        for (before, after), kernel in zip(pairwise((channels, *FILTERS)), KERNELS, strict=True):
            ends = nn.ConstantPad1d(((kernel - 1) // 2, kernel // 2), 0.0)
            layers += [ends, nn.Conv1d(before, after, kernel), nn.BatchNorm1d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.width = FILTERS[-1]

    def forward(self, windows: Tensor) -> Tensor:
        """Windows [B, W, C] to features [B, 128]; errors as in `check`."""
        self.check(windows)
        out: Tensor = self.layers(windows.transpose(1, 2)).mean(2)
        return out
