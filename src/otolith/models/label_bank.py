"""The bridge from label texts to the space that windows of motion share with words.

It holds no text stack: the token vectors come from `otolith.models.text`, so a checkpoint that stores the
prototypes of its labels needs no text model to recognise them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otolith.models.text import EMBEDDING
from otolith.types import ConfigError

MAX_SCALE = 100.0
"""Upper bound of the logit scale (Radford 2021, CLIP, arXiv:2103.00020, section 2.5)."""

SHARPNESS = 10.0
"""Sharpness of the soft maximum over a class's prototypes (Qian 2019, SoftTriple, arXiv:1909.05235: gamma 0.1)."""


@dataclass(frozen=True)
class LabelBankConfig:
    """Settings of the label bank."""

    dim: ClassVar[int] = EMBEDDING  # width of the text vectors and of the joint space: no setting
    heads: int = 12  # attention heads that pool the tokens; each pools its own dim / heads features
    prototypes: int = 3  # prototypes a class, K
    spread: float = 0.2  # initial distance of a prototype from its label's vector, about 11 degrees
    temperature: float = 0.07  # initial softmax temperature, as in CLIP

    def __post_init__(self) -> None:
        if self.heads < 1 or self.dim % self.heads:
            raise ConfigError(f"bank.heads {self.heads} must divide {self.dim}, the width of the text vectors")
        if self.prototypes < 1:
            raise ConfigError(f"bank.prototypes must be at least 1, not {self.prototypes}")
        if not (self.spread >= 0 and self.temperature >= 1 / MAX_SCALE):
            raise ConfigError(f"bank.spread must not be negative, bank.temperature at least {1 / MAX_SCALE:g}")


class LabelBank(nn.Module):
    """Learnable pooling, centring, residual projection, and K prototypes a class made from its text.

    At the start it is plain mean pooling and centring, so unseen labels keep the geometry of the sentence encoder.
    Every learned part is a departure from there that starts at zero, and weight decay pulls it back.
    """

    mean: Tensor

    def __init__(self, config: LabelBankConfig) -> None:
        super().__init__()
        self.config = config
        self.query = nn.Parameter(torch.zeros(config.heads, config.dim))
        self.projection = nn.Linear(config.dim, config.dim)
        nn.init.zeros_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)
        deltas = torch.randn(config.prototypes, config.dim, config.dim) * config.spread / math.sqrt(config.dim)
        self.deltas = nn.Parameter(deltas)
        self.logit_scale = nn.Parameter(torch.tensor(-math.log(config.temperature)))
        self.register_buffer("mean", torch.zeros(config.dim))

    def scale(self) -> Tensor:
        """The factor (a scalar, at most 100) by which class scores are multiplied before a softmax."""
        with torch.no_grad():  # clamped in place as in CLIP: a clamp in the graph would stop the gradient for good
            self.logit_scale.clamp_(max=math.log(MAX_SCALE))
        return self.logit_scale.exp()

    @torch.no_grad()
    def centre(self, tokens: Tensor, mask: Tensor) -> None:
        """Stores the mean of a reference vocabulary, which `embed` subtracts from then on.

        Sentences about any two activities share most of what they say ("a recording of a person ..." followed by twelve
        activities: mean cosine 0.80); less that mean, the rest tells them apart (-0.09).

        Args:
            tokens: [N, L, E] of N different texts.
            mask: [N, L], True where there is a token.

        Raises:
            ValueError: Fewer than two texts, which would leave nothing after centring.
        """
        if tokens.shape[0] < 2:
            raise ValueError("the reference vocabulary needs two texts or more")
        self.mean.copy_(F.normalize(self.pool(tokens, mask), dim=-1).mean(0))

    def pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Attention pooling [N, L, E] to [N, E]: one learned query a head; a zero query is the mean over the mask."""
        scores = tokens @ self.query.t() / math.sqrt(tokens.shape[-1])
        weights = scores.masked_fill(~mask[..., None], -torch.inf).softmax(dim=1)
        values = tokens.reshape(*mask.shape, self.config.heads, -1)
        return torch.einsum("nlh,nlhd->nhd", weights, values).flatten(1)

    def embed(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """One vector [N, D] of unit length a text: pooled, centred, projected."""
        centred = F.normalize(F.normalize(self.pool(tokens, mask), dim=-1) - self.mean, dim=-1)
        return F.normalize(centred + self.projection(centred), dim=-1)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Prototypes [N, K, D] of unit length, one set a text.

        Args:
            tokens: [N, L, E], from `SentenceEncoder.tokens`.
            mask: [N, L], True where there is a token; at least one a text.
        """
        return self._spread(self.embed(tokens, mask))

    def prototypes(self, tokens: Tensor, mask: Tensor, owner: Tensor, labels: int) -> Tensor:
        """Prototypes [labels, K, D] of labels that several texts (label, synonyms, templates) describe.

        The texts of a label are averaged and renormalised first, as CLIP ensembles prompts (Radford 2021, 3.1.4).

        Args:
            tokens: [N, L, E].
            mask: [N, L].
            owner: [N] long, the label that each text belongs to.
            labels: The number of labels.

        Raises:
            ValueError: A label has no text.
        """
        if sorted(set(owner.tolist())) != list(range(labels)):
            raise ValueError(f"every label from 0 to {labels - 1} needs a text, and no text may belong to another")
        embedded = self.embed(tokens, mask)
        total = embedded.new_zeros(labels, embedded.shape[-1]).index_add(0, owner, embedded)
        return self._spread(F.normalize(total, dim=-1))  # the sum has the direction of the mean

    def _spread(self, label: Tensor) -> Tensor:
        """Prototypes around each label's vector: [L, D] to [L, K, D].

        They are made from the text, so that labels never seen in training have them as well. Their offsets sum to
        zero: a class stays where its words put it, and K = 1 is the vector itself.
        """
        offsets = torch.einsum("kde,le->lkd", self.deltas - self.deltas.mean(0), label)
        return F.normalize(label[:, None] + offsets, dim=-1)


def class_scores(embedding: Tensor, prototypes: Tensor) -> Tensor:
    """Cosine of each window to each class: a soft maximum over the class's prototypes.

    log-mean-exp rather than the maximum, for two reasons: each prototype's gradient is its share of the window, so
    that the nearest specialises while the others still learn (a plain maximum leaves dead prototypes), and, their
    offsets summing to zero, they part without a diversity penalty; and the score stays a cosine, between the mean and
    the maximum over the prototypes, so that a rejection threshold means the same for every K.

    Args:
        embedding: [B, D] of unit length.
        prototypes: [L, K, D] of unit length.

    Returns:
        [B, L], from -1 to 1.
    """
    with torch.autocast(embedding.device.type, enabled=False):  # half precision would err by 0.4 after the logit scale
        cosine = torch.einsum("bd,lkd->blk", embedding.float(), prototypes.float())
    return (torch.logsumexp(SHARPNESS * cosine, dim=-1) - math.log(prototypes.shape[1])) / SHARPNESS
