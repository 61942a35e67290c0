"""CrossHAR of Hong et al. 2024 (IMWUT 8(2):64, doi:10.1145/3659597): masked reconstruction, then contrast on top of it.

Taken from it are the network and the hierarchical pretraining. Its first step, which adds altered copies of the
recordings, is left to the caller's augmentation. Sizes and weights are those of the authors' code
(kingdomrush2/CrossHAR).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otolith.models.networks.limu_bert import DIM, SampleEncoder, decoder
from otolith.models.networks.network import Pretrainable
from otolith.models.networks.spans import hide, reconstruction_error
from otolith.types import ConfigError

BLOCKS = 1
WIDTH = 100
HEADS = 4
READER_HIDDEN = 2048
CONTRAST_HIDDEN = 64
DROPOUT = 0.1
TEMPERATURE = 0.2
MASKED_ALONE = 0.5
"""Share of the pretraining before contrast begins (800 of 1600 epochs)."""
MASKED_WEIGHT = 6.0
"""Of the reconstruction once there is contrast, which has weight 1."""
SCALE, SCALE_SPREAD = 2.0, 1.1
"""Weak view: mean and standard deviation of the factor on each sample, alike in all channels."""
MOST_SEGMENTS = 7
JITTER = 0.01
"""Strong view: standard deviation of the noise."""


class CrossHar(Pretrainable):
    """LIMU-BERT's encoder with one block on windows that are normalised one by one, read by a transformer layer.

    Each channel of each window is brought to mean 0 and deviation 1, as in the authors' code: gravity and amplitude are
    lost.
    """

    pretext: nn.ModuleDict

    def __init__(self, channels: int, samples: int) -> None:
        super().__init__(channels, samples)
        self.encoder = SampleEncoder(channels, samples, BLOCKS)
        self.reader = Reader(samples)
        self.pretext = nn.ModuleDict({"decoder": decoder(channels), "contrast": Contrast()})
        self.width = WIDTH

    def forward(self, windows: Tensor) -> Tensor:
        """Windows [B, W, C] to features [B, 100]; errors as in `check`."""
        self.check(windows)
        out: Tensor = self.reader(self.encoder(normalise(windows)))
        return out

    def pretraining_loss(self, windows: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        """Reconstruction of two views of each window; in the second half of the training also contrast of the two.

        Raises:
            ConfigError: One window alone, in training, has nothing to be contrasted with.
        """
        self.check(windows)
        if self.training and len(windows) < 2:
            raise ConfigError("CrossHAR contrasts windows of a batch: give it batches of 2 or more")
        errors, vectors = [], []
        for view in (weak_view(windows), strong_view(windows)):
            target = normalise(view)
            shown, chosen = hide(target)
            steps = self.encoder(shown)
            errors.append(reconstruction_error(self.pretext["decoder"](steps), target, chosen))
            vectors.append(self.pretext["contrast"](steps))
        masked, contrastive = torch.stack(errors).mean(), nt_xent(vectors[0], vectors[1])
        # Weight 0, not left out: every weight has a gradient from the first step, as data-parallel training wants it.
        weights = (1.0, 0.0) if progress < MASKED_ALONE else (MASKED_WEIGHT, 1.0)
        loss = weights[0] * masked + weights[1] * contrastive
        return {"loss": loss, "masked": masked, "contrastive": contrastive}


class Reader(nn.Module):
    """The classifier without its last layer: sines as positions, one transformer layer, the mean over time."""

    position: Tensor

    def __init__(self, samples: int) -> None:
        super().__init__()
        self.embed = nn.Linear(DIM, WIDTH)
        self.layer = nn.TransformerEncoderLayer(WIDTH, HEADS, READER_HIDDEN, DROPOUT, batch_first=True)
        self.register_buffer("position", positions(samples, WIDTH), persistent=False)

    def forward(self, steps: Tensor) -> Tensor:
        """[B, W, 72] to [B, 100]."""
        out: Tensor = self.layer(self.embed(steps) + self.position).mean(1)
        return out


class Contrast(nn.Module):
    """Encoded windows to the vectors that are contrasted: a class token among all samples, then a projection."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(DIM, WIDTH)
        self.start = nn.Parameter(torch.randn(WIDTH))
        self.layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, CONTRAST_HIDDEN, DROPOUT, batch_first=True, norm_first=True
        )
        half, quarter = DIM // 2, DIM // 4
        self.project = nn.Sequential(nn.Linear(WIDTH, half), nn.BatchNorm1d(half), nn.ReLU(), nn.Linear(half, quarter))

    def forward(self, steps: Tensor) -> Tensor:
        """[B, W, 72] to [B, 18]."""
        tokens = torch.cat([self.start.expand(len(steps), 1, -1), self.embed(steps)], dim=1)
        out: Tensor = self.project(self.layer(tokens)[:, 0])
        return out


def normalise(windows: Tensor) -> Tensor:
    """Each channel of each window [B, W, C] at mean 0 and deviation 1; zero where it never changes."""
    return F.instance_norm(windows.float().transpose(1, 2)).transpose(1, 2)


def weak_view(windows: Tensor) -> Tensor:
    """Each sample by a random factor, the same in all channels."""
    factor = SCALE + SCALE_SPREAD * torch.randn(*windows.shape[:2], 1)
    return windows * factor.to(windows.device)


def strong_view(windows: Tensor) -> Tensor:
    """Each window cut into 1 to 7 pieces of random lengths, which are put together in random order, with noise."""
    rows, samples, _ = windows.shape
    cuts = torch.randint(MOST_SEGMENTS, (rows, 1))
    begins = F.pad(torch.rand(rows, samples - 1).argsort(1).argsort(1) < cuts, (1, 0))
    place = torch.rand(rows, MOST_SEGMENTS).gather(1, begins.cumsum(1))
    order = place.argsort(dim=1, stable=True)[..., None].to(windows.device)
    noise = JITTER * torch.randn(windows.shape)
    return windows.gather(1, order.expand_as(windows)) + noise.to(windows.device)


def nt_xent(a: Tensor, b: Tensor) -> Tensor:
    """A vector [B, D] must find its other view among all vectors of both (Chen et al. 2020, SimCLR, equation 1)."""
    with torch.autocast(a.device.type, enabled=False):
        vectors = F.normalize(torch.cat([a, b]).float(), dim=-1)
        scores = (vectors @ vectors.T / TEMPERATURE).fill_diagonal_(float("-inf"))
        target = torch.arange(len(vectors), device=a.device).roll(len(a))
        return F.cross_entropy(scores, target)


def positions(samples: int, dim: int) -> Tensor:
    """[W, D] sines and cosines of the number of a sample (Vaswani et al. 2017, section 3.5)."""
    angles = torch.arange(samples)[:, None] * torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / dim))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
