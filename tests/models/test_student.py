from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otolith.models.cost import parameters
from otolith.models.student import (
    POSITIONS,
    InertialTransformer,
    Layer,
    Seen,
    SensorTokens,
    StudentConfig,
    run_layers,
    sinusoids,
)
from otolith.types import Batch, ConfigError, DataError

SMALL = StudentConfig(dim=32, heads=2, patch_samples=64, patches=8)
EVERY = pytest.mark.parametrize("position", POSITIONS)


def network(config: StudentConfig = SMALL, **changes: object) -> InertialTransformer:
    """With weights large enough that no part is idle."""
    torch.manual_seed(0)
    net = InertialTransformer(replace(config, **changes)).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        net.start.normal_()
        net.tokens.embed.weight[:, -1].normal_()
        for name, weight in net.named_parameters():
            if name.endswith("position"):
                weight.normal_()
    return net


def places(count: int, rows: int) -> Tensor:
    return ((torch.arange(count) + 0.5) / count).expand(rows, -1)


def lasting(count: int, rows: int) -> Tensor:
    """Durations as they may be: no two alike, shorter and longer than a second."""
    return torch.linspace(0.2, 3, rows * count).view(rows, count)


@torch.no_grad()
def see(
    net: InertialTransformer,
    patches: Tensor,
    mask: Tensor | None = None,
    centre: Tensor | None = None,
    seconds: Tensor | None = None,
) -> Tensor:
    rows, count = patches.shape[:2]
    mask = torch.ones(rows, count, dtype=torch.bool) if mask is None else mask
    centre = places(count, rows) if centre is None else centre
    out: Seen = net(patches, mask, centre, lasting(count, rows) if seconds is None else seconds)
    return out.feature


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


# Size and settings


def test_the_seed_design_has_its_size() -> None:
    """L 2, D 128, 4 heads, patches of 20 samples and 6 channels, 27 classes: 285,083 parameters."""
    config = StudentConfig(patches=5, triads=())
    assert parameters(InertialTransformer(config)) + parameters(nn.Linear(128, 27)) == pytest.approx(285_083, rel=0.02)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"dim": 0}, "model.dim must be at least 1, not 0"),
        ({"patches": -1}, "model.patches must be at least 1"),
        ({"dim": 36, "heads": 4}, "model.dim 36 must be a multiple of twice model.heads 4"),
        ({"position": "rotary"}, "model.position must be one of learnable, sinusoidal, none, not 'rotary'"),
        ({"dropout": 1.0}, r"model.dropout must be in \[0, 1\)"),
        ({"mlp_ratio": 0.0}, "model.mlp_ratio positive"),
        ({"triads": ((0, 1),)}, "model.triads must name three of the 6 columns"),
        ({"triads": ((4, 5, 6),)}, "model.triads must name three of the 6 columns"),
        ({"channels": 3}, "model.triads must name three of the 3 columns"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        replace(SMALL, **wrong)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((2, 4, 64, 5), "not 4 of 64 and 5"),
        ((2, 4, 20, 6), "not 4 of 20 and 6"),
        ((2, 9, 64, 6), "at most 8 patches of 64 samples and 6 channels, not 9 of 64 and 6"),
    ],
)
@EVERY
def test_patches_that_do_not_fit_are_refused(shape: tuple[int, ...], sentence: str, position: str) -> None:
    with pytest.raises(DataError, match=sentence):
        see(network(position=position), torch.zeros(shape))


# Tokens


def test_tokens_by_the_definition(spar_batch: Batch) -> None:
    """Magnitudes appended, z-scored with what is stored, all samples of a patch and its duration through one matrix."""
    torch.manual_seed(0)
    tokens = SensorTokens(replace(SMALL, position="none"), 32)
    mean, std = torch.randn(8), torch.rand(8) + 0.5
    std[3] = 0  # a channel that never changes is not blown up
    tokens.normalise_by(mean, std)
    patches, seconds = spar_batch.patches, lasting(4, 5)
    seconds[2, 3] = 0  # where there is no patch
    with torch.no_grad():
        got = tokens(patches, places(4, 5), seconds)
    for b, p in ((0, 0), (2, 3), (4, 1)):
        rows = []
        for sample in patches[b, p]:
            sizes = [math.sqrt(sum(float(v) ** 2 for v in sample[c : c + 3])) for c in (0, 3)]
            values = torch.cat([sample, torch.tensor(sizes)])
            rows.append((values - mean) / std.clamp(min=1e-3))
        duration = torch.tensor([math.log(max(float(seconds[b, p]), 0.01))])
        torch.testing.assert_close(got[b, p], tokens.embed(torch.cat([*rows, duration])), atol=1e-3, rtol=1e-3)


def test_a_magnitude_does_not_depend_on_how_its_sensor_is_turned(spar_batch: Batch) -> None:
    """With the axes muted only the magnitudes are left: turning one sensor changes nothing, mixing two does."""
    net = network()
    with torch.no_grad():
        net.tokens.embed.weight[:, -1] = 0
        weight = net.tokens.embed.weight[:, :-1].view(32, 64, 8)
        weight[..., :6] = 0
        weight[..., 6:].normal_()
    x = spar_batch.patches
    turn = torch.linalg.qr(torch.randn(3, 3))[0]
    turned = torch.cat([x[..., :3] @ turn, x[..., 3:]], dim=-1)
    torch.testing.assert_close(see(net, turned), see(net, x), atol=1e-4, rtol=1e-4)
    assert (see(net, x[..., [0, 1, 3, 2, 4, 5]]) - see(net, x)).abs().max() > 0.01


def test_without_triads_there_are_no_magnitudes(spar_batch: Batch) -> None:
    with_magnitudes, without = network(), network(triads=())
    assert with_magnitudes.tokens.embed.in_features == 64 * 8 + 1
    assert without.tokens.embed.in_features == 64 * 6 + 1
    assert len(without.tokens.mean) == 6
    assert see(without, spar_batch.patches).shape == (5, 32)


def test_statistics_are_buffers_and_carry_along() -> None:
    net = network()
    net.tokens.normalise_by(torch.arange(8.0), torch.full((8,), 2.0))
    assert {"tokens.mean", "tokens.std"} <= set(net.state_dict()) - {name for name, _ in net.named_parameters()}


# Duration


@torch.no_grad()
def test_a_token_says_how_long_its_patch_lasted(spar_batch: Batch) -> None:
    """Twice as long moves a token by the same step, however long it lasted and whatever it looks like."""
    net, seconds = network(position="none"), lasting(4, 5)
    longer = seconds.clone()
    longer[1, 2] *= 2
    longer[3, 0] *= 2
    moved = net.tokens(spar_batch.patches, places(4, 5), longer) - net.tokens(spar_batch.patches, places(4, 5), seconds)
    step = net.tokens.embed.weight[:, -1] * math.log(2)
    assert step.norm() > 1
    close(moved[1, 2], step)
    close(moved[3, 0], step)
    moved[1, 2] = moved[3, 0] = 0
    assert not moved.any()  # nothing is told of the others


@EVERY
def test_the_same_samples_in_less_time_are_another_movement(position: str, spar_batch: Batch) -> None:
    net, seconds = network(position=position), lasting(4, 5)
    slow, fast = see(net, spar_batch.patches, seconds=seconds), see(net, spar_batch.patches, seconds=seconds / 2)
    assert ((slow - fast).abs().amax(1) > 0.1).all()
    one = seconds.clone()
    one[2, 1] /= 2
    changed = (see(net, spar_batch.patches, seconds=one) - slow).abs().amax(1)
    assert changed[2] > 0.01 and not changed[[0, 1, 3, 4]].any()


@EVERY
def test_seconds_of_masked_patches_do_not_matter(position: str, spar_batch: Batch) -> None:
    net, seconds = network(position=position), lasting(4, 5)
    mask = torch.arange(4) < torch.tensor([4, 2, 3, 1, 4])[:, None]
    expected = see(net, spar_batch.patches, mask, seconds=seconds)
    for value in (0.0, 1e-9, 7.0, 1e6, -1.0):
        close(see(net, spar_batch.patches, mask, seconds=seconds.where(mask, value)), expected)


# Padding and batching


@EVERY
def test_padding_changes_nothing(position: str, spar_batch: Batch) -> None:
    net = network(position=position)
    seconds = lasting(4, 5)
    expected = see(net, spar_batch.patches, seconds=seconds)
    for value in (0.0, 50.0, -1e4):
        padded = F.pad(spar_batch.patches, (0, 0, 0, 0, 0, 3), value=value)
        mask = F.pad(torch.ones(5, 4, dtype=torch.bool), (0, 3), value=False)
        centre, lasted = F.pad(places(4, 5), (0, 3), value=0.9), F.pad(seconds, (0, 3), value=abs(value))
        close(see(net, padded, mask, centre, lasted), expected)


@EVERY
def test_batching_with_shorter_segments_changes_nothing(position: str, spar_batch: Batch) -> None:
    net, lengths = network(position=position), [4, 2, 3, 1, 4]
    mask = torch.arange(4) < torch.tensor(lengths)[:, None]
    together, seconds = see(net, spar_batch.patches, mask), lasting(4, 5)
    for row, length in enumerate(lengths):
        patches, lasted = spar_batch.patches[row : row + 1, :length], seconds[row : row + 1, :length]
        alone = see(net, patches, centre=places(4, 1)[:, :length], seconds=lasted)
        close(alone[0], together[row])
    assert (together[1] - see(net, spar_batch.patches)[1]).abs().max() > 0.01  # what is there counts


def test_padding_gets_no_gradient(spar_batch: Batch) -> None:
    patches, seconds = spar_batch.patches.clone().requires_grad_(), lasting(4, 5).requires_grad_()
    mask = torch.arange(4) < torch.tensor([4, 2, 3, 1, 4])[:, None]
    # No plain sum: a normalised feature has a constant one.
    feature = network()(patches, mask, places(4, 5), seconds).feature
    (feature * torch.randn(feature.shape, generator=torch.Generator().manual_seed(1))).sum().backward()
    assert patches.grad is not None and (patches.grad[~mask] == 0).all()
    assert (patches.grad[mask].abs().sum((1, 2)) > 0).all()
    assert seconds.grad is not None and (seconds.grad[~mask] == 0).all() and (seconds.grad[mask] != 0).all()


# Positions


def test_the_order_of_patches_matters_where_they_have_a_position(spar_batch: Batch) -> None:
    order = torch.tensor([2, 0, 3, 1])
    x, seconds = spar_batch.patches, lasting(4, 5)
    mask = torch.tensor([1, 1, 0, 1]).bool().expand(5, -1)
    none = network(position="none")
    close(see(none, x[:, order], seconds=seconds[:, order]), see(none, x))
    close(see(none, x[:, order], mask[:, order], seconds=seconds[:, order]), see(none, x, mask))
    for position in ("learnable", "sinusoidal"):
        net = network(position=position)
        assert (see(net, x[:, order], seconds=seconds[:, order]) - see(net, x)).abs().max() > 0.01


def test_sinusoidal_positions_are_those_of_the_centres(spar_batch: Batch) -> None:
    net, order = network(position="sinusoidal"), torch.tensor([2, 0, 3, 1])
    x, centre, seconds = spar_batch.patches, places(4, 5), lasting(4, 5)
    close(see(net, x[:, order], centre=centre[:, order], seconds=seconds[:, order]), see(net, x, centre=centre))
    assert (see(net, x, centre=centre / 2) - see(net, x, centre=centre)).abs().max() > 0.01


def test_sinusoids_by_the_definition() -> None:
    got = sinusoids(torch.tensor([[0.0, 0.3], [0.5, 1.0]]), 8)
    assert got.shape == (2, 2, 8)
    for k in range(4):
        wavelength = 2 / 100 ** (k / 4)
        angle = 2 * math.pi * 0.3 / wavelength
        assert got[0, 1, 2 * k : 2 * k + 2].tolist() == pytest.approx([math.sin(angle), math.cos(angle)], abs=1e-5)
    # No two of 16 patches are near each other.
    many = sinusoids(places(16, 1)[0], 32)
    assert torch.cdist(many, many)[~torch.eye(16, dtype=torch.bool)].min() > 0.5


# Attention


@EVERY
@pytest.mark.parametrize("full", [True, False])
def test_open_attention_equals_the_fused_one(full: bool, position: str, spar_batch: Batch) -> None:
    net = network(position=position, layers=3)
    mask = torch.arange(4) < torch.tensor([4, 4, 4, 4, 4] if full else [4, 2, 3, 1, 4])[:, None]
    with torch.no_grad():
        open_ = net(spar_batch.patches, mask, places(4, 5), lasting(4, 5), attention=True)
    close(open_.feature, see(net, spar_batch.patches, mask))
    assert net(spar_batch.patches, mask, places(4, 5), lasting(4, 5)).attention is None


@torch.no_grad()
def test_attention_sums_to_one_over_class_token_and_valid_patches(spar_batch: Batch) -> None:
    net = network()
    mask = torch.arange(4) < torch.tensor([4, 2, 3, 1, 4])[:, None]
    looked = net(spar_batch.patches, mask, places(4, 5), lasting(4, 5), attention=True).attention
    assert looked is not None and looked.shape == (5, 4)
    assert (looked[~mask] == 0).all() and (looked[mask] > 0).all()
    tokens = net.tokens(spar_batch.patches, places(4, 5), lasting(4, 5))
    x = torch.cat([net.start.expand(5, 1, -1), tokens], dim=1)
    weight = run_layers(net.layers, x, F.pad(mask, (1, 0), value=True), attention=True)[1]
    assert weight is not None
    close(weight.sum(-1), torch.ones(5, 5))
    close(looked.sum(1), 1 - weight[:, 0, 0])


@torch.no_grad()
def test_attention_is_the_mean_over_heads_of_the_last_layer() -> None:
    torch.manual_seed(0)
    stack = nn.ModuleList(Layer(16, 2, 2.0, 0.0) for _ in range(2)).eval()
    x, mask = torch.randn(1, 3, 16), torch.tensor([[True, True, False]])
    weight = run_layers(stack, x, mask, attention=True)[1]
    last = stack[1]
    assert weight is not None and isinstance(last, Layer)
    q, k, _ = last.qkv(last.norms[0](stack[0](x, mask)[0]))[0].split(16, dim=-1)
    for i in range(3):
        rows = []
        for head in (slice(0, 8), slice(8, 16)):
            scores = [math.exp(float(q[i, head] @ k[j, head]) / math.sqrt(8)) for j in range(2)]
            rows.append([s / sum(scores) for s in scores])
        assert weight[0, i].tolist() == pytest.approx([sum(r[j] for r in rows) / 2 for j in range(2)] + [0], abs=1e-5)


# Training


def test_every_weight_learns(spar_batch: Batch) -> None:
    net = network(triads=((0, 1, 2), (3, 4, 5)), patches=4)
    out = net(spar_batch.patches, torch.ones(5, 4, dtype=torch.bool), places(4, 5), lasting(4, 5)).feature
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(1))).sum().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []
    learnt = net.tokens.embed.weight.grad
    assert learnt is not None and (learnt.abs().sum(0) > 0).all()  # from every input, the duration included


def test_dropout_takes_a_feature_from_all_tokens_and_only_in_training(spar_batch: Batch) -> None:
    layer = Layer(64, 2, 2.0, 0.25)
    ones = torch.ones(20, 5, 64)
    torch.manual_seed(0)
    dropped = layer._drop(ones)
    assert (dropped == dropped[:, :1]).all() and dropped.unique().tolist() == pytest.approx([0, 4 / 3])
    assert float((dropped == 0).float().mean()) == pytest.approx(0.25, abs=0.03)
    assert layer.eval()._drop(ones) is ones
    net = network(dropout=0.5)
    still = see(net, spar_batch.patches)
    assert torch.equal(see(net, spar_batch.patches), still)
    assert (see(net.train(), spar_batch.patches) - still).abs().max() > 0.1
    torch.testing.assert_close(see(network(dropout=0.0).train(), spar_batch.patches), still)
