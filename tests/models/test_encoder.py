from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from otolith.models.encoder import NOISE_FLOOR, SIZES, Encoder, EncoderConfig, normalise
from otolith.models.layers import AxisAttention, time_position
from otolith.types import Batch, ConfigError

SIZE_NAMES = sorted(SIZES)
SMALL = EncoderConfig(dim=32, heads=2, blocks=2)


@pytest.fixture(scope="module")
def encoders() -> dict[str, Encoder]:
    """Of each size, with random weights large enough that no part of the network is idle."""
    torch.manual_seed(0)
    return {name: Encoder(config).eval() for name, config in SIZES.items()}


def encode(encoder: Encoder, batch: Batch, masked: Tensor | None = None) -> Tensor:
    with torch.no_grad():
        out: Tensor = encoder(
            batch.patches, batch.channel_text, batch.patch_seconds, batch.patch_mask, batch.channel_mask, masked
        )
    return out


def rows(batch: Batch, which: list[int]) -> Batch:
    return Batch(**{name: value[which] for name, value in vars(batch).items() if value is not None})


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("size", SIZE_NAMES)
def test_padding_changes_nothing(
    size: str, encoders: dict[str, Encoder], spar_batch: Batch, add_padding: Callable[..., Batch]
) -> None:
    expected = encode(encoders[size], spar_batch)
    p, c = expected.shape[1:3]
    for patches, channels in ((3, 0), (0, 5), (2, 4)):
        padded = encode(encoders[size], add_padding(spar_batch, patches, channels))
        assert padded.shape[1:3] == (p + patches, c + channels)
        close(padded[:, :p, :c], expected)


@pytest.mark.parametrize("size", SIZE_NAMES)
def test_batching_changes_nothing(size: str, encoders: dict[str, Encoder], spar_batch: Batch) -> None:
    together = encode(encoders[size], spar_batch)
    for row in range(len(spar_batch)):
        close(encode(encoders[size], rows(spar_batch, [row])), together[row : row + 1])


@pytest.mark.parametrize("size", SIZE_NAMES)
def test_permuted_channels_permute_the_output(size: str, encoders: dict[str, Encoder], spar_batch: Batch) -> None:
    order = torch.tensor([4, 0, 5, 2, 1, 3])
    turned = Batch(
        **{
            **vars(spar_batch),
            "patches": spar_batch.patches[..., order],
            "channel_text": spar_batch.channel_text[:, order],
        }
    )
    expected = encode(encoders[size], spar_batch)
    close(encode(encoders[size], turned), expected[:, :, order])
    # Without their descriptions it is another recording.
    wrong = Batch(**{**vars(turned), "channel_text": spar_batch.channel_text})
    assert (encode(encoders[size], wrong) - expected[:, :, order]).abs().mean() > 0.003


@pytest.mark.parametrize("size", SIZE_NAMES)
def test_hidden_content_does_not_leak(size: str, encoders: dict[str, Encoder], spar_batch: Batch) -> None:
    masked = torch.rand(len(spar_batch), 4, 6, generator=torch.Generator().manual_seed(1)) < 0.5
    hidden = masked[:, :, None]
    noise = torch.randn(spar_batch.patches.shape, generator=torch.Generator().manual_seed(2)) * 5
    other = Batch(**{**vars(spar_batch), "patches": torch.where(hidden, noise, spar_batch.patches)})
    expected = encode(encoders[size], spar_batch, masked)
    assert torch.equal(encode(encoders[size], other, masked), expected)
    # What is not hidden counts, at hidden positions too: they look at it.
    visible = Batch(**{**vars(spar_batch), "patches": torch.where(hidden, spar_batch.patches, noise)})
    change = (encode(encoders[size], visible, masked) - expected).abs().mean(-1)
    assert change[masked].min() > 1e-3


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_what_is_hidden_is_not_computed_and_the_rest_is_as_ever(
    share: float, encoders: dict[str, Encoder], spar_batch: Batch
) -> None:
    masked = torch.rand(len(spar_batch), 4, 6, generator=torch.Generator().manual_seed(1)) < share
    encoder, seen = encoders["tiny"], []
    handle = encoder.stem.register_forward_hook(lambda _module, _given, out: seen.append(out.shape[:3].numel()))
    with torch.no_grad():
        found = encoder._visible(spar_batch.patches, masked)
        expected = torch.where(masked[..., None], encoder.mask_token, encoder.tokens(spar_batch.patches))
    handle.remove()
    torch.testing.assert_close(found, expected)
    assert seen[0] == int((~masked).sum())


@pytest.mark.parametrize("size", SIZE_NAMES)
def test_gravity_and_amplitude_matter(size: str, encoders: dict[str, Encoder], spar_batch: Batch) -> None:
    """The z-scored shape is the same in all three; only the mean (direction of gravity) and the scale differ."""
    patches = spar_batch.patches
    mean = patches.mean(2, keepdim=True)
    upside_down = patches - 2 * mean
    weaker = mean + (patches - mean) / 3
    expected = encode(encoders[size], spar_batch)
    for other, tolerance in ((upside_down, 1e-4), (weaker, 0.2)):  # the noise floor bends the scale a little
        assert (normalise(other)[0] - normalise(patches)[0]).abs().mean() < tolerance
        change = encode(encoders[size], Batch(**{**vars(spar_batch), "patches": other})) - expected
        assert change.abs().mean() > 0.05 * expected.abs().mean()


@pytest.mark.parametrize("size", SIZE_NAMES)
def test_every_weight_learns(size: str, spar_batch: Batch) -> None:
    torch.manual_seed(0)
    encoder = Encoder(SIZES[size]).eval()
    masked = torch.zeros(len(spar_batch), 4, 6, dtype=torch.bool)
    masked[:, 1] = True
    out = encoder(spar_batch.patches, spar_batch.channel_text, spar_batch.patch_seconds, masked=masked)
    (out * torch.randn(out.shape)).sum().backward()
    idle = [n for n, p in encoder.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert idle == []


def test_normalise_known_answer() -> None:
    ramp = torch.linspace(-1, 1, 64)
    patches = torch.stack([3 + 2 * ramp, torch.full((64,), 0.7)], dim=1)[None, None]  # [1, 1, 64, 2]
    z, mean, scale = normalise(patches)
    torch.testing.assert_close(mean, torch.tensor([[[3.0, 0.7]]]))
    deviation = (4 * ramp.square().mean() + NOISE_FLOOR**2).sqrt()
    torch.testing.assert_close(scale, torch.tensor([[[float(deviation), NOISE_FLOOR]]]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(z[0, 0, :, 0], 2 * ramp / deviation, atol=1e-5, rtol=1e-4)
    assert z[0, 0, :, 1].abs().max() < 1e-3


def test_sensor_noise_at_rest_is_not_blown_up() -> None:
    noise = 0.002 * torch.randn(1, 1, 64, 1, generator=torch.Generator().manual_seed(0))
    assert normalise(1.0 + noise)[0].std() < 0.3


@pytest.mark.parametrize("axis", ["time", "channel"])
def test_attention_equals_the_formula(axis: str) -> None:
    torch.manual_seed(0)
    attention = AxisAttention(8, 2, axis)
    x = torch.randn(2, 4, 3, 8)
    mask = torch.tensor([[True, True, False, True], [True, False, True, True]])[:, : 4 if axis == "time" else 3]
    out = attention(x, mask)
    q, k, v = attention.qkv(x).split(8, dim=-1)
    expected = torch.zeros_like(x)
    grid = [(b, p, c) for b in range(2) for p in range(4) for c in range(3)]
    for b, p, c in grid:
        seen = mask[b].nonzero()[:, 0].tolist()
        others = [(b, j, c) if axis == "time" else (b, p, j) for j in seen]
        for head in (slice(0, 4), slice(4, 8)):
            score = torch.stack([(q[b, p, c, head] * k[o][head]).sum() / math.sqrt(4) for o in others])
            values = torch.stack([v[o][head] for o in others])
            expected[b, p, c, head] = score.softmax(0) @ values
    torch.testing.assert_close(out, attention.out(expected), atol=1e-6, rtol=1e-5)


def test_position_is_in_seconds() -> None:
    one, third = time_position(torch.tensor([1.0, 1 / 3]), 8, 16)
    torch.testing.assert_close(one[1], third[4], atol=1e-5, rtol=1e-5)  # both are centred at 1.5 s
    assert (one[1] - third[1]).abs().max() > 0.1


def test_patch_duration_matters(spar_batch: Batch) -> None:
    torch.manual_seed(0)
    encoder = Encoder(SMALL).eval()
    longer = Batch(**{**vars(spar_batch), "patch_seconds": spar_batch.patch_seconds * 1.7})
    assert (encode(encoder, longer) - encode(encoder, spar_batch)).abs().max() > 1e-3


def test_bfloat16_is_near_float32(encoders: dict[str, Encoder], spar_batch: Batch) -> None:
    expected = encode(encoders["tiny"], spar_batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = encode(encoders["tiny"], spar_batch)
    assert (out.float() - expected).abs().mean() < 0.03 * expected.abs().mean()


def test_dropout_is_for_training_only(spar_batch: Batch) -> None:
    torch.manual_seed(0)
    encoder = Encoder(SMALL)
    encoder.train()
    assert not torch.equal(encode(encoder, spar_batch), encode(encoder, spar_batch))
    encoder.eval()
    assert torch.equal(encode(encoder, spar_batch), encode(encoder, spar_batch))


def test_any_number_of_channels(spar_batch: Batch) -> None:
    torch.manual_seed(0)
    encoder = Encoder(SMALL).eval()
    for channels in (1, 52):
        wide = spar_batch.patches.repeat(1, 1, 1, 9)[..., :channels]
        text = spar_batch.channel_text.repeat(1, 9, 1)[:, :channels]
        out = encoder(wide, text, spar_batch.patch_seconds)
        assert out.shape == (5, 4, channels, 32) and out.isfinite().all()


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="multiple of twice model.heads 8"):
        EncoderConfig(dim=100)
    with pytest.raises(ConfigError, match="dropout"):
        EncoderConfig(dropout=1.0)
    with pytest.raises(ValueError, match="axis"):
        AxisAttention(8, 2, "space")
