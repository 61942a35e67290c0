"""The student of XTinyHAR, Lamaakal et al. 2025 (Scientific Reports, doi:10.1038/s41598-025-26297-2)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from otolith.models.networks.network import Network
from otolith.models.student import layers

WIDTH = 128
LAYERS = 2
HEADS = 4
MLP_RATIO = 2.0
PATCH = 20
"""Samples of a patch; the `utd_mhad.yaml` of its description has these five."""
DROPOUT = 0.1


class XTinyHar(Network):
    """Patches side by side, each through one linear layer; a class token, learnt positions, and pre-normalised
    transformer layers.

    Samples after the last whole patch are not looked at. For the windows of its description (100 samples of 6
    channels) and 27 classes it has 285,083 parameters with its head. It computes attention fused, which is quicker than
    the open products of its authors and gives the same.
    """

    shortest: ClassVar[int] = PATCH

    def __init__(self, channels: int, samples: int) -> None:
        super().__init__(channels, samples)
        self.count = samples // PATCH
        self.embed = nn.Linear(PATCH * channels, WIDTH)
        self.start = nn.Parameter(torch.zeros(WIDTH))
        self.position = nn.Parameter(torch.zeros(1 + self.count, WIDTH))
        for weight in (self.start, self.position):
            nn.init.trunc_normal_(weight, std=0.02)
        self.layers = layers(WIDTH, HEADS, MLP_RATIO, LAYERS, DROPOUT)
        self.norm = nn.LayerNorm(WIDTH)
        self.width = WIDTH

    def forward(self, windows: Tensor) -> Tensor:
        """Windows [B, W, C] to features [B, 128]; errors as in `check`."""
        self.check(windows)
        tokens = self.embed(windows[:, : self.count * PATCH].reshape(-1, self.count, PATCH * self.channels))
        x = torch.cat([self.start.expand(tokens.shape[0], 1, -1), tokens], dim=1) + self.position
        for layer in self.layers:
            x, _ = layer(x, None)
        out: Tensor = self.norm(x[:, 0])
        return out
