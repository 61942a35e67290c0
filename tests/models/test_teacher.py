from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from otolith.models.student import Seen, StudentConfig, run_layers
from otolith.models.teacher import Teacher, TeacherConfig
from otolith.types import Batch, ConfigError, DataError

SMALL = TeacherConfig(
    dim=32, layers=2, heads=2, joints=5, frames=8, stride=4, width=12, sensors=StudentConfig(patch_samples=64)
)


def network(**changes: object) -> Teacher:
    """With weights, and statistics of its norms, that leave no part idle."""
    torch.manual_seed(0)
    net = Teacher(replace(SMALL, **changes))  # type: ignore[arg-type]
    with torch.no_grad():
        net.start.normal_()
        net.kind.normal_()
        net.sensors.position.normal_()
        net.sensors.embed.weight[:, -1].normal_()
        for name, buffer in net.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(std=0.3)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
    return net.eval()


@pytest.fixture
def bodies() -> Tensor:
    return torch.randn(5, 8, 5, 3, generator=torch.Generator().manual_seed(3))


MASK = torch.arange(4) < torch.tensor([4, 2, 3, 1, 4])[:, None]
CENTRE = ((torch.arange(4) + 0.5) / 4).expand(5, -1)
SECONDS = torch.linspace(0.2, 3, 20).view(5, 4).where(MASK, 0.0)


@torch.no_grad()
def see(net: Teacher, batch: Batch, skeleton: Tensor | None, seconds: Tensor = SECONDS) -> Tensor:
    out: Seen = net(batch.patches, MASK, CENTRE, seconds, skeleton)
    return out.feature


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-5)


def test_the_feature_is_the_class_token_beside_the_mean_of_each_modality(spar_batch: Batch, bodies: Tensor) -> None:
    net = network()
    got = see(net, spar_batch, bodies)
    assert net.width == 96 and got.shape == (5, 96)
    with torch.no_grad():
        felt = net.sensors(spar_batch.patches, CENTRE, SECONDS) + net.kind[0]
        seen = net.skeleton(bodies) + net.kind[1]
        assert seen.shape == (5, 2, 32)
        for row in range(5):  # alone and without padding
            parts = [net.start[None], felt[row, MASK[row]], seen[row]]
            x = run_layers(net.layers, torch.cat(parts)[None], torch.ones(1, sum(map(len, parts))).bool())[0]
            x = net.norm(x)[0]
            count = int(MASK[row].sum())
            close(got[row], torch.cat([x[0], x[1 : 1 + count].mean(0), x[1 + count :].mean(0)]))


def test_both_modalities_count(spar_batch: Batch, bodies: Tensor) -> None:
    net = network()
    expected = see(net, spar_batch, bodies)
    assert (see(net, spar_batch, bodies.flip(0)) - expected).abs().max() > 0.1
    assert (see(net, spar_batch, bodies.flip(1)) - expected).abs().max() > 0.1  # backwards in time
    assert (see(net, spar_batch, bodies[:, :, [1, 0, 2, 3, 4]]) - expected).abs().max() > 0.1
    turned = replace(spar_batch, patches=spar_batch.patches.flip(0))
    assert (see(net, turned, bodies) - expected).abs().max() > 0.1


@pytest.mark.parametrize("joints", [0, 5])
def test_the_duration_of_patches_counts(joints: int, spar_batch: Batch, bodies: Tensor) -> None:
    net = network(joints=joints)
    faster = see(net, spar_batch, bodies, SECONDS / 2)
    assert ((faster - see(net, spar_batch, bodies)).abs().amax(1) > 0.1).all()


def test_padding_changes_nothing(spar_batch: Batch, bodies: Tensor) -> None:
    net = network()
    garbage = torch.where(MASK[..., None, None], spar_batch.patches, 50.0)
    close(see(net, replace(spar_batch, patches=garbage), bodies), see(net, spar_batch, bodies))
    for value in (7.0, 1e6):
        close(see(net, spar_batch, bodies, SECONDS.where(MASK, value)), see(net, spar_batch, bodies))


def test_a_skeleton_that_was_not_seen_is_masked(spar_batch: Batch, bodies: Tensor) -> None:
    net = network()
    for hole in (slice(None), (2, 1, 0)):  # all of it, or one number
        unseen = bodies.clone()
        unseen[1][hole] = torch.nan
        got = see(net, spar_batch, unseen)
        assert got.isfinite().all()
        close(got[[0, 2, 3, 4]], see(net, spar_batch, bodies)[[0, 2, 3, 4]])  # nobody else is touched
        with torch.no_grad():
            felt = net.sensors(spar_batch.patches[1:2], CENTRE[1:2], SECONDS[1:2]) + net.kind[0]
            x = torch.cat([net.start.expand(1, 1, -1), felt], 1)
            x = net.norm(run_layers(net.layers, x, F.pad(MASK[1:2], (1, 0), value=True))[0])[0]
        close(got[1], torch.cat([x[0], x[1:3].mean(0), torch.zeros(32)]))


def test_nobody_seen_at_all_is_finite_in_training_too(spar_batch: Batch, bodies: Tensor) -> None:
    net = network()
    nothing = torch.full_like(bodies, torch.nan)
    assert see(net, spar_batch, nothing).isfinite().all()
    out = net.train()(spar_batch.patches, MASK, CENTRE, SECONDS, nothing).feature
    out.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())
    assert all(buffer.isfinite().all() for buffer in net.buffers())


def test_without_joints_it_sees_the_sensors_alone(spar_batch: Batch, bodies: Tensor) -> None:
    net = network(joints=0)
    got = see(net, spar_batch, None)
    assert net.width == 64 and got.shape == (5, 64) and got.isfinite().all()
    assert torch.equal(see(net, spar_batch, bodies), got)
    assert not any("skeleton" in name for name, _ in net.named_parameters())
    looked = net(spar_batch.patches, MASK, CENTRE, SECONDS, attention=True).attention
    assert looked is not None and looked.shape == (5, 4)


@torch.no_grad()
def test_attention_is_that_to_the_patches(spar_batch: Batch, bodies: Tensor) -> None:
    net = network()
    seen = net(spar_batch.patches, MASK, CENTRE, SECONDS, bodies, attention=True)
    assert seen.attention is not None and seen.attention.shape == (5, 4)
    close(seen.feature, see(net, spar_batch, bodies))
    assert (seen.attention[~MASK] == 0).all() and (seen.attention[MASK] > 0).all()
    assert (seen.attention.sum(1) < 1).all()  # the class token and the skeleton have the rest
    # Without a skeleton its share goes to the others.
    blind = net(spar_batch.patches, MASK, CENTRE, SECONDS, torch.full_like(bodies, torch.nan), attention=True)
    assert (blind.attention.sum(1) > seen.attention.sum(1)).all()


def test_every_weight_learns(spar_batch: Batch, bodies: Tensor) -> None:
    net = network(sensors=StudentConfig(patch_samples=64, patches=4))
    out = net(spar_batch.patches, torch.ones(5, 4).bool(), CENTRE, SECONDS, bodies).feature
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(1))).sum().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_skeletons_that_do_not_fit_are_refused(spar_batch: Batch, bodies: Tensor) -> None:
    net = network()
    with pytest.raises(DataError, match="this teacher sees sensors and skeleton: give it segments with a skeleton"):
        see(net, spar_batch, None)
    for wrong in (bodies[:, :7], bodies[:, :, :4]):
        shape = f"not {wrong.shape[1]} and {wrong.shape[2]}"
        with pytest.raises(DataError, match=f"takes skeletons of 8 frames and 5 joints, {shape}"):
            see(net, spar_batch, wrong)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"layers": 0}, "model.layers must be at least 1, not 0"),
        ({"dim": 34}, "model: dim must be a multiple of twice heads"),
        ({"frames": 10}, "frames of"),
        ({"joints": -1}, "joints 0 or more"),
        ({"dropout": -0.1}, r"model.dropout must be in \[0, 1\)"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        replace(SMALL, **wrong)  # type: ignore[arg-type]
