"""Which patches the encoder must guess: spans of time, whole channels, then single patches up to the exact count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otolith.types import ConfigError


def structured_mask(
    patch_mask: NDArray[np.bool_],
    channel_mask: NDArray[np.bool_],
    ratio: float,
    span: int,
    channel_dropout: float,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Chooses the (patch, channel) tokens to hide.

    A single hidden patch can be filled in from its neighbours in time, and a single hidden axis from the others, so
    mostly larger pieces are hidden. In this order until the count is reached: the dropped channels (each channel with
    probability `channel_dropout`), then spans of consecutive patches over all channels, at random places; of the last
    piece that does not fit, single tokens at random. (Masking spans: SpanBERT, Joshi et al. 2020,
    arXiv:1907.10529, section 3.1.)

    Args:
        patch_mask: [B, P], True where valid.
        channel_mask: [B, C], True where valid.
        ratio: Share of each window's valid tokens to hide, at least 0, below 1.
        span: Longest span in patches; shortened in windows where it exceeds `ratio` of the valid patches.
        channel_dropout: Probability that a channel is hidden as a whole.
        rng: Source of randomness; equal states give equal masks.

    Returns:
        [B, P, C], True where hidden: in each window exactly round(ratio * valid tokens), but never all of them, and
        never an invalid token.

    Raises:
        ConfigError: `ratio`, `span` or `channel_dropout` is out of range.
    """
    check_masking(ratio, span, channel_dropout)
    batch, patches = patch_mask.shape
    channels = channel_mask.shape[1]
    valid = (patch_mask[:, :, None] & channel_mask[:, None, :]).reshape(batch, patches * channels)
    tokens = valid.sum(axis=1)
    count = np.minimum(np.rint(ratio * tokens).astype(np.intp), np.maximum(tokens - 1, 0))

    # The tokens of lowest key are hidden. Its whole part orders the pieces, its fraction the tokens of one piece.
    dropped = channel_mask & (rng.random((batch, channels)) < channel_dropout)
    key = np.where(
        dropped[:, None, :],
        _random_ranks(batch, channels, rng)[:, None, :] - channels,
        _span_ranks(patch_mask, ratio, span, rng)[:, :, None],
    ).reshape(batch, patches * channels)
    key = np.where(valid, key + rng.random(key.shape), np.inf)
    order = np.argsort(key, axis=1)
    hidden = np.zeros(valid.shape, dtype=np.bool_)
    np.put_along_axis(hidden, order, np.arange(valid.shape[1]) < count[:, None], axis=1)
    return hidden.reshape(batch, patches, channels)


def _span_ranks(
    patch_mask: NDArray[np.bool_], ratio: float, span: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Cuts time into spans from a random offset and shuffles them: the rank [B, P] of each patch's span."""
    batch, patches = patch_mask.shape
    length = np.clip(np.floor(ratio * patch_mask.sum(axis=1)), 1, span).astype(np.intp)
    offset = rng.integers(0, length)
    block = (np.arange(patches) + offset[:, None]) // length[:, None]
    return np.take_along_axis(_random_ranks(batch, patches + 1, rng), block, axis=1)


def _random_ranks(rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A random permutation of 0 .. columns - 1 in each row."""
    return np.argsort(rng.random((rows, columns)), axis=1).astype(np.float64)


def check_masking(ratio: float, span: int, channel_dropout: float) -> None:
    """Raises if a mask cannot be drawn so.

    Raises:
        ConfigError: An argument of `structured_mask` is out of range.
    """
    if not 0 <= ratio < 1:
        raise ConfigError(f"a mask ratio of {ratio} cannot be used: give a share of at least 0 and below 1")
    if span < 1:
        raise ConfigError(f"a mask span of {span} patches cannot be used: give at least 1")
    if not 0 <= channel_dropout <= 1:
        raise ConfigError(f"a channel dropout of {channel_dropout} cannot be used: give a probability from 0 to 1")
