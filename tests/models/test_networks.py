"""The networks of the field: sizes as published, what each may and may not see, and that each of them learns."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otolith.data.loader import LoaderConfig, Request, Windows, describe_channels
from otolith.data.views import ChannelView
from otolith.data.windows import WindowIndex
from otolith.models.cost import flops, parameters
from otolith.models.networks import NETWORKS, PRETRAINABLE, Network, Pretrainable, crosshar, spans
from otolith.models.networks.cnn import Cnn
from otolith.models.networks.crosshar import CrossHar
from otolith.models.networks.deepconvlstm import DeepConvLstm
from otolith.models.networks.limu_bert import LimuBert
from otolith.models.networks.tinyhar import TinyHar
from otolith.models.networks.xtinyhar import XTinyHar
from otolith.models.text_cache import TextCache
from otolith.types import ConfigError, DataError

EVERY = pytest.mark.parametrize("name", list(NETWORKS))
UNLABELLED = pytest.mark.parametrize("name", PRETRAINABLE)


@pytest.fixture(scope="module")
def windows(spar_index: WindowIndex, texts: TextCache) -> Tensor:
    """[14, 32, 6]: four seconds of real movement each, all people and exercises, at 8 Hz, z-scored by channel."""
    table = texts.table(describe_channels([spar_index], ChannelView()))
    rows = np.linspace(0, len(spar_index) - 1, 14).astype(np.int64)
    x = Windows([spar_index], table, LoaderConfig())[Request(rows, (0, 0, 0))].patches.flatten(1, 2)[:, ::8]
    return (x - x.mean((0, 1))) / x.std((0, 1))


def network(name: str, channels: int = 6, samples: int = 32) -> Network:
    torch.manual_seed(0)
    net = NETWORKS[name](channels, samples).eval()
    if isinstance(net, TinyHar):
        nn.init.ones_(net.pool.share)  # at 0 the weights of the pooling would be idle
    return net


def pretrainable(name: str, channels: int = 6, samples: int = 32) -> Pretrainable:
    net = network(name, channels, samples)
    assert isinstance(net, Pretrainable)
    return net


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4)


# Sizes


def test_the_registry_says_what_can_be_pretrained() -> None:
    assert tuple(NETWORKS) == ("cnn", "deepconvlstm", "tinyhar", "xtinyhar", "limu-bert", "crosshar")
    assert PRETRAINABLE == ("limu-bert", "crosshar")


@pytest.mark.parametrize("channels", [1, 9])
def test_size_of_the_cnn(channels: int) -> None:
    """Filters 128, 256, 128 of 8, 5 and 3 samples (Wang et al. 2017, II.B): with a head of two 264,962 for one
    channel, the count of Keras for the same layers."""
    count = parameters(Cnn(channels, 100))
    assert count == channels * 128 * 8 + 128 * 256 * 5 + 256 * 128 * 3 + 3 * (128 + 256 + 128)
    assert channels > 1 or count + 2 * 128 + 2 == 264_962


def test_size_of_deepconvlstm() -> None:
    """Opportunity, 113 channels and 24 samples: the paper's table of layers has 384 and 20,544 for the first and each
    further convolution, and matrices of 7232 x 128 and 128 x 128 for each gate of the first LSTM."""
    net = DeepConvLstm(113, 24)
    assert [parameters(layer) for layer in net.convolutions if isinstance(layer, nn.Conv2d)] == [384] + 3 * [20_544]
    assert net.lstm.weight_ih_l0.shape == (4 * 128, 7232) and net.lstm.weight_hh_l0.shape == (4 * 128, 128)
    assert parameters(net.lstm) == 4 * (7232 * 128 + 3 * 128 * 128 + 4 * 128)  # torch has two biases a gate


@pytest.mark.parametrize("channels", [3, 9])
def test_size_of_tinyhar(channels: int) -> None:
    """By hand with F = 20 (teco-kit/ISWC22-HAR, configs/model.yaml)."""
    convolutions = (5 * 20 + 20) + 3 * (20 * 20 * 5 + 20) + 4 * 40
    across = 20 * 3 * 64 + (64 * 20 + 20) + 2 * 40 + (20 * 16 + 16 + 16 * 20 + 20)
    fusion, lstm, pool = channels * 20 * 40 + 40, 4 * 40 * 80 + 8 * 40, 40 * 40 + 40 + 40 + 1
    assert parameters(TinyHar(channels, 100)) == convolutions + across + fusion + lstm + pool


def test_size_of_xtinyhar() -> None:
    """100 samples of 6 channels and 27 classes, as in its description; its own code has these two numbers."""
    net = XTinyHar(6, 100)
    whole = nn.Sequential(net, nn.Linear(net.width, 27))
    assert parameters(whole) == 285_083
    assert flops(whole, torch.zeros(1, 100, 6)) == 3_343_104


def test_size_of_limu_bert() -> None:
    """`base_v1`, 6 channels and 120 samples. The authors' model for pretraining has 62,646 parameters, 5,256 of them in
    a layer that it never uses (dapowan/LIMU-BERT-Public, models.py)."""
    net = LimuBert(6, 120)
    assert parameters(net.encoder) + parameters(net.pretext) == 62_646 - (72 * 72 + 72)
    grus = [3 * 20 * (72 + 20 + 2), 3 * 20 * (20 + 20 + 2), 3 * 10 * (20 + 10 + 2)]
    assert [parameters(gru) for gru in net.reader] == grus


def test_size_of_crosshar() -> None:
    net = CrossHar(6, 120)
    assert parameters(net.encoder) == parameters(LimuBert(6, 120).encoder)  # blocks share their weights
    layer = 4 * (100 * 100 + 100) + (2 * 100 * 2048 + 2048 + 100) + 4 * 100
    assert parameters(net.reader) == 72 * 100 + 100 + layer
    contrast = 4 * (100 * 100 + 100) + (2 * 100 * 64 + 64 + 100) + 4 * 100
    project = (100 * 36 + 36) + 2 * 36 + (36 * 18 + 18)
    assert parameters(net.pretext["contrast"]) == 72 * 100 + 100 + 100 + contrast + project


# Input and output


@EVERY
@pytest.mark.parametrize(("channels", "samples"), [(3, 160), (30, 40), (1, 25)])
def test_any_channels_and_length(name: str, channels: int, samples: int) -> None:
    net = network(name, channels, samples)
    with torch.no_grad():
        feature = net(torch.randn(4, samples, channels))
    assert feature.shape == (4, net.width) and feature.isfinite().all() and feature.std(0).max() > 1e-4


@EVERY
def test_what_does_not_fit_is_refused(name: str) -> None:
    for channels, samples in ((0, 32), (6, NETWORKS[name].shortest - 1)):
        with pytest.raises(ConfigError, match=f"takes windows of 1 channel or more and {NETWORKS[name].shortest} samp"):
            NETWORKS[name](channels, samples)
    assert network(name, 2, NETWORKS[name].shortest)(torch.randn(2, NETWORKS[name].shortest, 2)).isfinite().all()
    net = network(name)
    for shape in ((2, 6, 32), (2, 33, 6), (2, 32, 5), (32, 6)):
        with pytest.raises(DataError, match=r"takes windows \[B, 32, 6\], not \["):
            net(torch.zeros(shape))
        if isinstance(net, Pretrainable):
            with pytest.raises(DataError, match=r"takes windows \[B, 32, 6\]"):
                net.pretraining_loss(torch.zeros(shape))


@EVERY
@torch.no_grad()
def test_a_window_does_not_depend_on_its_batch(name: str, windows: Tensor) -> None:
    net = network(name)
    close(net(windows)[3:4], net(windows[3:4]))


@EVERY
@torch.no_grad()
def test_order_in_time_and_every_channel_matter(name: str, windows: Tensor) -> None:
    net = network(name)
    feature = net(windows)
    assert (net(windows.flip(1)) - feature).abs().max() > 1e-3
    for channel in range(6):
        changed = windows.clone()
        changed[..., channel] = changed[..., channel].roll(7, 1)
        assert (net(changed) - feature).abs().max() > 1e-4


@EVERY
def test_mixed_precision(name: str, windows: Tensor) -> None:
    net = network(name)
    with torch.no_grad():
        expected = net(windows)
        with torch.autocast("cpu", torch.bfloat16):
            assert (net(windows).float() - expected).abs().max() < 0.1 * expected.abs().max()
            if isinstance(net, Pretrainable):
                losses = net.pretraining_loss(windows)
                assert all(v.dtype == torch.float32 and v.isfinite() for v in losses.values())


# What the papers say of channels


@torch.no_grad()
def test_deepconvlstm_keeps_channels_apart_before_the_lstm(windows: Tensor) -> None:
    net = network("deepconvlstm")
    assert isinstance(net, DeepConvLstm)
    maps = net.convolutions(windows[:, None])
    assert maps.shape == (14, 64, 32 - 16, 6)
    for channel in range(6):
        close(maps[..., channel : channel + 1], net.convolutions(windows[:, None, :, channel : channel + 1]))


@torch.no_grad()
def test_tinyhar_mixes_channels_by_attention_and_knows_their_order_in_the_fusion_alone(windows: Tensor) -> None:
    net, order = network("tinyhar"), torch.tensor([3, 1, 5, 0, 4, 2])
    assert isinstance(net, TinyHar)
    maps = net.convolutions(windows[:, None]).permute(0, 2, 3, 1).flatten(0, 1)
    close(net.across(maps[:, order]), net.across(maps)[:, order])
    changed = maps.clone()
    changed[0, 2] = torch.randn(20)
    moved = (net.across(changed) - net.across(maps)).abs().amax(-1)
    assert (moved[0] > 1e-4).all() and not moved[1:].any()  # all channels of that moment, no other moment
    feature = net(windows)
    assert (net(windows[..., order]) - feature).abs().max() > 1e-3
    net.fusion.weight.copy_(net.fusion.weight.view(40, 6, 20)[:, order].flatten(1))
    close(net(windows[..., order]), feature)


@torch.no_grad()
def test_tinyhar_pools_the_last_step_and_a_weighted_mean() -> None:
    pool, steps = TinyHar(6, 64).pool, torch.randn(3, 5, 40)
    close(pool(steps), steps[:, -1])  # as it begins
    pool.share.fill_(0.5)
    weights = pool.score(steps)[..., 0].exp()
    mean = (weights / weights.sum(1, keepdim=True))[..., None].mul(steps).sum(1)
    close(pool(steps), steps[:, -1] + 0.5 * mean)


@torch.no_grad()
def test_limu_bert_applies_one_block_four_times_after_normed_positions(windows: Tensor) -> None:
    encoder = LimuBert(6, 32).encoder
    nn.init.normal_(encoder.norm.weight)
    e = F.layer_norm(encoder.embed(windows), (72,), encoder.norm.weight, encoder.norm.bias) + encoder.position
    e = F.layer_norm(e, (72,), encoder.norm.weight, encoder.norm.bias)
    for _ in range(4):
        block = encoder.block
        q, k, v = block.qkv(e).split(72, dim=-1)
        heads = []
        for head in range(4):
            part = slice(18 * head, 18 * head + 18)
            heads.append((q[..., part] @ k[..., part].transpose(1, 2) / math.sqrt(18)).softmax(-1) @ v[..., part])
        e = block.norms[0](e + block.out(torch.cat(heads, dim=-1)))
        e = block.norms[1](e + block.mlp(e))
    close(encoder(windows), e)


@torch.no_grad()
def test_crosshar_sees_neither_offset_nor_scale_of_a_channel(windows: Tensor) -> None:
    net = network("crosshar")
    changed = windows * torch.tensor([2.0, 0.5, 3, 1, 7, 1.5]) + torch.arange(6)
    torch.testing.assert_close(net(changed), net(windows), atol=1e-3, rtol=1e-3)
    still = windows.clone()
    still[..., 2] = 4.0
    assert net(still).isfinite().all()


# Learning


@EVERY
def test_every_weight_learns(name: str, windows: Tensor) -> None:
    net = network(name).train()
    (net(windows) * torch.randn(14, net.width)).sum().backward()
    without = {n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    if isinstance(net, Pretrainable):
        assert without == {n for n, _ in net.named_parameters() if n.startswith("pretext.")}
        net.zero_grad()
        net.pretraining_loss(windows)["loss"].backward()
        idle = {n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
        assert idle == {n for n, _ in net.named_parameters() if n.startswith("reader.")}
    else:
        assert without == set()


@pytest.mark.slow
@EVERY
def test_learns_a_few_windows_by_heart(name: str, windows: Tensor) -> None:
    net, label = network(name).train(), torch.arange(14) % 4
    head = nn.Linear(net.width, 4)
    adam = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=5e-3 if name == "limu-bert" else 2e-3)
    for part in net.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    for _ in range(200):
        loss = F.cross_entropy(head(net(windows)), label)
        adam.zero_grad()
        loss.backward()
        adam.step()
        if loss < 0.1:
            break
    assert loss < 0.1
    with torch.no_grad():
        assert (head(net(windows)).argmax(1) == label).all()


@pytest.mark.slow
@UNLABELLED
def test_learns_to_reconstruct(name: str, windows: Tensor) -> None:
    net = pretrainable(name).train()
    adam = torch.optim.Adam([p for n, p in net.named_parameters() if not n.startswith("reader.")], lr=3e-3)
    history = []
    torch.manual_seed(1)
    for _ in range(40):
        losses = net.pretraining_loss(windows)
        adam.zero_grad()
        losses["loss"].backward()
        adam.step()
        history.append({k: float(v.detach()) for k, v in losses.items()})
    for part in history[0]:
        values = [row[part] for row in history]
        assert np.mean(values[-10:]) < 0.92 * np.mean(values[:10]), part


# Masking


def test_each_window_hides_its_share() -> None:
    torch.manual_seed(0)
    for samples, expected in ((120, 18), (64, 10), (7, 1), (2, 1)):
        chosen = spans.draw_spans(300, samples)
        assert chosen.shape == (300, samples) and (chosen.sum(1) == expected).all()
        assert chosen.any(0).all()  # the first and the last sample included


def test_lengths_of_stretches_are_geometric_up_to_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few that they hardly touch each other: lengths as p (1 - p)^(k - 1) with p = 0.2, cut at 10."""
    monkeypatch.setattr(spans, "SHARE", 0.004)
    torch.manual_seed(0)
    chosen = F.pad(spans.draw_spans(10, 50_000).int(), (1, 1))
    edges = chosen.diff(dim=1)
    lengths = (edges == -1).nonzero()[:, 1] - (edges == 1).nonzero()[:, 1]
    counts = torch.bincount(lengths, minlength=11)[1:11] / len(lengths)
    expected = 0.8 ** torch.arange(10)
    assert (counts - expected / expected.sum()).abs().max() < 0.03
    assert (lengths > 10).float().mean() < 0.03


def test_four_of_five_windows_are_zeroed_where_they_are_to_be_predicted() -> None:
    torch.manual_seed(0)
    windows = torch.rand(1000, 40, 3) + 1
    shown, chosen = spans.hide(windows)
    zeroed = (shown == 0).all(2)
    rows = zeroed.any(1)
    assert (zeroed[rows] == chosen[rows]).all() and (chosen.sum(1) == 6).all()
    assert torch.equal(shown[~zeroed], windows[~zeroed])
    assert float(rows.float().mean()) == pytest.approx(0.8, abs=0.04)


def test_only_samples_to_be_predicted_count() -> None:
    windows, guess = torch.randn(2, 5, 3), torch.randn(2, 5, 3).requires_grad_()
    chosen = torch.tensor([[0, 1, 1, 0, 0], [0, 0, 0, 0, 1]]).bool()
    truth = windows.masked_fill(~chosen[..., None], float("nan"))
    error = spans.reconstruction_error(guess, truth, chosen)
    cells = [(0, 1), (0, 2), (1, 4)]
    by_hand = [float(guess[b, t, c].detach() - windows[b, t, c]) ** 2 for (b, t), c in product(cells, range(3))]
    assert float(error.detach()) == pytest.approx(sum(by_hand) / 9)
    error.backward()
    assert guess.grad is not None and torch.equal(guess.grad.any(2), chosen)


@UNLABELLED
def test_the_same_seed_gives_the_same_loss(name: str, windows: Tensor) -> None:
    net = pretrainable(name)

    def losses(seed: int) -> dict[str, float]:
        torch.manual_seed(seed)
        return {k: float(v.detach()) for k, v in net.pretraining_loss(windows).items()}

    assert losses(3) == losses(3)
    assert losses(3)["loss"] != losses(4)["loss"]


def test_the_loss_of_limu_bert_is_that_of_what_it_was_not_shown(
    windows: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = pretrainable("limu-bert")
    shown = []
    monkeypatch.setattr(net.encoder, "forward", lambda x: shown.append(x) or x)
    monkeypatch.setattr(net.pretext, "forward", lambda x: torch.zeros_like(x))
    torch.manual_seed(5)
    loss = net.pretraining_loss(windows)["loss"]
    torch.manual_seed(5)
    chosen = spans.draw_spans(14, 32)
    assert float(loss) == pytest.approx(float(windows[chosen].square().mean()))
    hidden = (shown[0] == 0).all(2)
    assert hidden.any(1).sum() >= 7 and not (hidden & ~chosen).any()


# Contrast


@torch.no_grad()
def test_views_of_crosshar() -> None:
    torch.manual_seed(0)
    windows = torch.randn(50, 40, 3)
    factor = crosshar.weak_view(windows) / windows
    assert torch.allclose(factor, factor[..., :1], rtol=1e-3)
    assert float(factor[..., 0].mean()) == pytest.approx(2, abs=0.1)
    assert float(factor[..., 0].std()) == pytest.approx(1.1, abs=0.1)
    place = torch.arange(40.0)[None, :, None].expand(50, 40, 3)
    mixed = crosshar.strong_view(place)
    order = mixed.round()
    assert 0 < float((mixed - order).std()) < 0.02
    assert torch.equal(order.sort(1).values, place)  # every sample once
    assert (order == order[..., :1]).all()  # channels stay together
    pieces = 1 + (order[:, :, 0].diff(dim=1) != 1).sum(1)
    assert pieces.max() <= 7 and pieces.unique().numel() >= 5


@torch.no_grad()
def test_contrast_by_the_definition() -> None:
    a, b = torch.randn(3, 4), torch.randn(3, 4)
    z = F.normalize(torch.cat([a, b]), dim=1)
    terms = []
    for i in range(6):
        others = [math.exp(float(z[i] @ z[k]) / 0.2) for k in range(6) if k != i]
        terms.append(-math.log(math.exp(float(z[i] @ z[(i + 3) % 6]) / 0.2) / sum(others)))
    assert float(crosshar.nt_xent(a, b)) == pytest.approx(sum(terms) / 6, rel=1e-4)
    assert float(crosshar.nt_xent(torch.ones(5, 2), torch.ones(5, 2))) == pytest.approx(math.log(9))


def test_contrast_begins_after_half_of_the_pretraining(windows: Tensor) -> None:
    net = pretrainable("crosshar").train()

    def losses(progress: float) -> dict[str, Tensor]:
        torch.manual_seed(2)
        return net.pretraining_loss(windows, progress)

    early, late = losses(0.49), losses(0.5)
    close(early["loss"], early["masked"])
    close(late["loss"], 6 * late["masked"] + late["contrastive"])
    early["loss"].backward()
    contrast = net.get_submodule("pretext.contrast")
    assert all(p.grad is not None and not p.grad.any() for p in contrast.parameters())


def test_one_window_has_nothing_to_be_contrasted_with(windows: Tensor) -> None:
    net = pretrainable("crosshar")
    assert net.pretraining_loss(windows[:1])["loss"].isfinite()
    with pytest.raises(ConfigError, match="give it batches of 2 or more"):
        net.train().pretraining_loss(windows[:1])
