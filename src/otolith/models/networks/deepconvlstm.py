"""DeepConvLSTM of Ordóñez and Roggen 2016 (Sensors 16(1):115, doi:10.3390/s16010115)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from otolith.models.networks.network import Network

FILTERS = 64
KERNEL = 5
CONVOLUTIONS = 4
UNITS = 128
DROPOUT = 0.5
"""Before each recurrent layer and before the classes, the dense layers of the paper."""


class DeepConvLstm(Network):
    """Four convolutions along time that keep the channels apart, two LSTMs, and the last step (section 3).

    The convolutions use no padding. The LSTMs are torch's: without the peepholes of the paper, and with two biases.
    """

    shortest: ClassVar[int] = CONVOLUTIONS * (KERNEL - 1) + 1

    def __init__(self, channels: int, samples: int) -> None:
        super().__init__(channels, samples)
        layers: list[nn.Module] = []
        for number in range(CONVOLUTIONS):
            layers += [nn.Conv2d(FILTERS if number else 1, FILTERS, (KERNEL, 1)), nn.ReLU()]
        self.convolutions = nn.Sequential(*layers)
        self.lstm = nn.LSTM(FILTERS * channels, UNITS, num_layers=2, batch_first=True, dropout=DROPOUT)
        self.dropout = nn.Dropout(DROPOUT)
        self.width = UNITS

    def forward(self, windows: Tensor) -> Tensor:
        """Windows [B, W, C] to features [B, 128]; errors as in `check`."""
        self.check(windows)
        maps = self.convolutions(windows[:, None])  # [B, 64, W - 16, C]
        steps = self.dropout(maps.transpose(1, 2).flatten(2))
        out: Tensor = self.dropout(self.lstm(steps)[0][:, -1])
        return out
