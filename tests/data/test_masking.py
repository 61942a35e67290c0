from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otolith.data.masking import structured_mask
from otolith.types import ConfigError


@given(
    batch=st.integers(1, 9),
    patches=st.integers(1, 20),
    channels=st.integers(1, 12),
    ratio=st.floats(0, 0.99),
    span=st.integers(1, 8),
    dropout=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_count_is_exact_and_only_valid_tokens_are_hidden(
    batch: int, patches: int, channels: int, ratio: float, span: int, dropout: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    patch_mask = np.arange(patches) < rng.integers(0, patches + 1, size=batch)[:, None]
    channel_mask = np.arange(channels) < rng.integers(0, channels + 1, size=batch)[:, None]
    hidden = structured_mask(patch_mask, channel_mask, ratio, span, dropout, rng)
    assert hidden.shape == (batch, patches, channels)
    valid = patch_mask[:, :, None] & channel_mask[:, None, :]
    assert not (hidden & ~valid).any()
    for window, allowed in zip(hidden, valid, strict=True):
        tokens = int(allowed.sum())
        assert window.sum() == (min(round(ratio * tokens), tokens - 1) if tokens else 0)


def everything(batch: int, patches: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    return np.ones((batch, patches), np.bool_), np.ones((batch, channels), np.bool_)


def test_equal_generators_give_equal_masks() -> None:
    masks = everything(16, 8, 6)
    first, same, other = (structured_mask(*masks, 0.5, 2, 0.2, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_without_channel_dropout_whole_spans_of_time_are_hidden() -> None:
    hidden = structured_mask(*everything(400, 12, 6), 0.5, 3, 0.0, np.random.default_rng(0))
    # 36 of 72 tokens are six whole patches, unless the spans at the edges leave a rest that fits no span.
    patches = hidden.all(axis=2)
    assert (patches != hidden.any(axis=2)).mean() < 0.1
    assert (patches.sum(axis=1) == 6).mean() > 0.75
    starts = patches & ~np.pad(patches, ((0, 0), (1, 0)))[:, :-1]
    runs = patches.sum() / starts.sum()
    assert runs > 2.5, "mean length of a hidden run; single patches at random would give 1.8"
    share = patches.mean(axis=0)
    assert share.min() > 0.4, "every position is hidden about half of the time"
    assert share.max() < 0.6


def test_dropped_channels_are_hidden_whole() -> None:
    hidden = structured_mask(*everything(2000, 6, 10), 0.5, 2, 0.2, np.random.default_rng(0))
    whole = hidden.all(axis=1)
    assert 0.17 < whole.mean() < 0.22
    assert whole.mean(axis=0).std() < 0.03, "no channel is preferred"
    never = structured_mask(*everything(2000, 6, 10), 0.5, 2, 0.0, np.random.default_rng(0))
    assert not never.all(axis=1).any()


def test_all_channels_dropped_still_hides_the_exact_share() -> None:
    hidden = structured_mask(*everything(50, 6, 5), 0.5, 2, 1.0, np.random.default_rng(0))
    np.testing.assert_array_equal(hidden.sum(axis=(1, 2)), 15)
    np.testing.assert_array_equal(hidden.all(axis=1).sum(axis=1), 2)


def test_span_adapts_to_short_windows() -> None:
    """A span of 100 in four patches still leaves half of the time visible, at changing places."""
    hidden = structured_mask(*everything(300, 4, 6), 0.5, 100, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(hidden.sum(axis=(1, 2)), 12)
    whole = hidden.all(axis=2)
    assert whole.any(axis=1).all()
    assert (whole.sum(axis=1) == 2).mean() > 0.75
    np.testing.assert_allclose(whole.mean(axis=0), 0.5, atol=0.15)
    single = structured_mask(*everything(300, 1, 6), 0.5, 100, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(single.sum(axis=(1, 2)), 3)


def test_one_token_stays_visible() -> None:
    hidden = structured_mask(*everything(20, 2, 1), 0.99, 1, 0.5, np.random.default_rng(0))
    np.testing.assert_array_equal(hidden.sum(axis=(1, 2)), 1)


@pytest.mark.parametrize(
    ("ratio", "span", "dropout", "words"),
    [
        (1.0, 2, 0.1, "ratio"),
        (-0.1, 2, 0.1, "ratio"),
        (float("nan"), 2, 0.1, "ratio"),
        (0.5, 0, 0.1, "span"),
        (0.5, 2, 1.5, "dropout"),
    ],
)
def test_impossible_settings_are_refused(ratio: float, span: int, dropout: float, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        structured_mask(*everything(1, 4, 2), ratio, span, dropout, np.random.default_rng(0))
