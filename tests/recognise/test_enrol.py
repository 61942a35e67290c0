from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from otolith.data.recording import Recording
from otolith.models.encoder import SIZES
from otolith.models.model import Otolith
from otolith.recognise.enrol import Enrolment, TextPrior
from otolith.recognise.fewshot import METHODS
from otolith.recognise.recogniser import Recogniser
from otolith.types import CheckpointError, ConfigError, DataError

Labelled = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="session")
def spar_features(recogniser: Recogniser, spar_recordings: list[Recording]) -> Labelled:
    """Features, exercise and subject of windows of all ten people."""
    embedded = [recogniser.embed(recording, step_seconds=5.0).features for recording in spar_recordings]
    label = [[r.annotations[0].activity] * len(e) for r, e in zip(spar_recordings, embedded, strict=True)]
    subject = [[r.subject] * len(e) for r, e in zip(spar_recordings, embedded, strict=True)]
    return np.concatenate(embedded), np.concatenate(label), np.concatenate(subject)


def draw(data: Labelled, k: int, seed: int = 0) -> tuple[np.ndarray, list[str], np.ndarray, np.ndarray]:
    """k examples a class from five people; all windows of the other five."""
    features, label, subject = data
    known = np.isin(subject, np.unique(subject)[:5])
    rng = np.random.default_rng(seed)
    rows = np.concatenate(
        [rng.choice(np.flatnonzero(known & (label == c)), k, replace=False) for c in np.unique(label)]
    )
    return features[rows], label[rows].tolist(), features[~known], label[~known]


@pytest.mark.parametrize(("method", "floor"), [("ridge", 0.42), ("prototype", 0.32), ("nearest", 0.37)])
def test_learns_exercises_of_people_it_has_not_seen(spar_features: Labelled, method: str, floor: float) -> None:
    """Seven exercises: chance is 0.14. Even an untrained encoder tells them apart."""
    accuracy = {}
    for k in (1, 16):
        scores = []
        for seed in range(3):
            examples, labels, others, truth = draw(spar_features, k, seed)
            scores.append(np.mean(Enrolment(method).fit(examples, labels).predict(others) == truth))
        accuracy[k] = np.mean(scores)
    assert accuracy[16] > floor
    assert accuracy[16] > accuracy[1] > 0.2


@pytest.mark.parametrize("method", METHODS)
def test_gives_probabilities_and_knows_its_examples(spar_features: Labelled, method: str) -> None:
    examples, labels, others, _ = draw(spar_features, 1)
    enrolment = Enrolment(method).fit(examples, labels)
    probabilities = enrolment.probabilities(others)
    assert probabilities.shape == (len(others), 7) and (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    assert enrolment.predict(examples).tolist() == labels
    assert (enrolment.predict(others, threshold=1.01) == "unknown").all()


@pytest.mark.parametrize("method", METHODS)
def test_order_and_repetition_of_examples_do_not_matter(spar_features: Labelled, method: str) -> None:
    examples, labels, others, _ = draw(spar_features, 4)
    expected = Enrolment(method).fit(examples, labels).probabilities(others)
    order = np.random.default_rng(0).permutation(len(labels))
    shuffled = Enrolment(method).fit(examples[order], [labels[i] for i in order])
    np.testing.assert_allclose(shuffled.probabilities(others), expected, atol=1e-4)
    # One activity with ten times the examples of the others: it does not drown them.
    many = np.concatenate([np.repeat(examples[:4], 10, axis=0), examples[4:]])
    unbalanced = Enrolment(method).fit(many, [labels[0]] * 40 + labels[4:])
    same = unbalanced.predict(others) == Enrolment(method).fit(examples, labels).predict(others)
    assert same.mean() > 0.9


def test_ridge_equals_the_definition(spar_features: Labelled) -> None:
    """Both equal forms, N < F and N > F, against weighted least squares with the penalty as further rows."""
    for k in (2, 90):
        features, label, _ = spar_features
        features = features[:, :300]
        rng = np.random.default_rng(0)
        rows = np.concatenate([rng.choice(np.flatnonzero(label == c), k, replace=False) for c in np.unique(label)])
        x, names = features[rows].astype(np.float64), label[rows].tolist()
        x -= x.mean(0)
        target = np.eye(7)[np.searchsorted(np.unique(names), names)] - 1 / 7
        penalty = 0.01 / k * (x**2).sum()
        stacked = np.concatenate([x, np.sqrt(penalty) * np.eye(x.shape[1])])
        expected = np.linalg.lstsq(stacked, np.concatenate([target, np.zeros((x.shape[1], 7))]), rcond=None)[0]
        got = Enrolment("ridge").fit(features[rows], names).arrays["weights"]
        np.testing.assert_allclose(got, expected, atol=1e-3 * np.abs(expected).max())


def constructed(seed: int, k: int) -> tuple[np.ndarray, list[str], np.ndarray, np.ndarray, TextPrior]:
    """Windows that scatter widely around their words; the rest of the features is noise."""
    rng = np.random.default_rng(seed)
    unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)  # noqa: E731
    words = unit(rng.normal(size=(4, 32))).astype(np.float32)

    def windows(n: int) -> tuple[np.ndarray, np.ndarray]:
        number = np.repeat(np.arange(4), n)
        joint = unit(words[number] + 0.35 * rng.normal(size=(4 * n, 32)))
        return np.hstack([joint, unit(rng.normal(size=(4 * n, 16)))]).astype(np.float32), number

    examples, number = windows(k)
    others, truth = windows(100)
    labels = np.array(list("abcd"))
    return examples, labels[number].tolist(), others, labels[truth], TextPrior(tuple("abcd"), words, 10.0)


@pytest.mark.parametrize("method", METHODS)
def test_words_help_where_examples_are_few(method: str) -> None:
    gain = {}
    for k in (1, 30):
        gains = []
        for seed in range(10):
            examples, labels, others, truth, texts = constructed(seed, k)
            plain = np.mean(Enrolment(method).fit(examples, labels).predict(others) == truth)
            told = np.mean(Enrolment(method, text_weight=1.0).fit(examples, labels, texts).predict(others) == truth)
            gains.append(told - plain)
        gain[k] = np.mean(gains)
    assert gain[1] > 0.1 and abs(gain[30]) < gain[1] / 2


@pytest.mark.parametrize("method", METHODS)
def test_a_weight_of_nothing_is_no_text(method: str) -> None:
    examples, labels, others, _, texts = constructed(0, 2)
    silent = Enrolment(method, text_weight=0).fit(examples, labels, texts)
    np.testing.assert_array_equal(
        silent.probabilities(others), Enrolment(method).fit(examples, labels).probabilities(others)
    )


def test_texts_count_as_examples_of_their_weight() -> None:
    examples, labels, _, _, texts = constructed(0, 3)
    fitted = Enrolment("nearest", text_weight=1.0).fit(examples, labels, texts)
    assert fitted.trust == pytest.approx(3 / 4)


def test_the_models_own_words(model: Otolith, spar_features: Labelled) -> None:
    examples, labels, others, _ = draw(spar_features, 1)
    texts = TextPrior.of(model, sorted(set(labels)))
    np.testing.assert_allclose(np.linalg.norm(texts.prototypes, axis=1), 1, atol=1e-5)
    for method in METHODS:
        told = Enrolment(method, text_weight=1e6).fit(examples, labels, texts)
        assert np.isfinite(told.probabilities(others)).all()
    # With all the weight on the words, a product of experts is zero-shot recognition.
    cosines = others[:, : texts.prototypes.shape[1]] @ texts.prototypes.T
    assert (told.predict(others) == np.array(texts.labels)[cosines.argmax(1)]).mean() > 0.99
    with pytest.raises(DataError, match="no text for the activity"):
        Enrolment().fit(examples, ["juggling", *labels[1:]], texts)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("words", [False, True])
def test_saved_and_loaded_is_the_same(model: Otolith, tmp_path: Path, method: str, words: bool) -> None:
    examples, labels, others, _, texts = constructed(0, 2)
    learnt = (examples, labels, texts if words else None)
    enrolment = Enrolment(method).fit(*learnt).calibrate(*learnt)
    enrolment.save(tmp_path / "mine.safetensors", model)
    again = Enrolment.load(tmp_path / "mine.safetensors", model)
    assert again.labels == enrolment.labels and again.method == method
    assert again.threshold == enrolment.threshold is not None
    np.testing.assert_array_equal(again.probabilities(others), enrolment.probabilities(others))


def test_foreign_files_are_refused(model: Otolith, tmp_path: Path) -> None:
    examples, labels, *_ = constructed(0, 2)
    path = tmp_path / "mine.safetensors"
    Enrolment().fit(examples, labels).save(path, model)
    with pytest.raises(CheckpointError, match="enrolled with another model"):
        Enrolment.load(path, Otolith(SIZES["tiny"]))
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="but a model"):
        Enrolment.load(tmp_path / "model.safetensors", model)
    with pytest.raises(CheckpointError, match="does not describe a model"):
        Otolith.from_pretrained(path)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        Enrolment.load(tmp_path / "nothing.safetensors", model)


def test_damaged_and_empty_enrolments_are_refused(model: Otolith, tmp_path: Path) -> None:
    examples, labels, *_ = constructed(0, 2)
    path = tmp_path / "mine.safetensors"
    with pytest.raises(DataError, match="nothing is enrolled"):
        Enrolment().save(path, model)
    enrolment = Enrolment().fit(examples, labels)
    for part in ("mean", "weights"):
        kept = dict(enrolment.arrays)
        del enrolment.arrays[part]
        enrolment.save(path, model)
        with pytest.raises(CheckpointError, match="does not describe enrolled activities"):
            Enrolment.load(path, model)
        enrolment.arrays = kept


def test_a_refused_fit_leaves_the_last_one(spar_features: Labelled) -> None:
    examples, labels, others, _ = draw(spar_features, 1)
    enrolment = Enrolment().fit(examples, labels)
    before = enrolment.probabilities(others)
    with pytest.raises(DataError):
        enrolment.fit(examples[:2], ["a", "a"])
    assert enrolment.labels == tuple(sorted(labels))
    np.testing.assert_array_equal(enrolment.probabilities(others), before)


@pytest.mark.parametrize("method", METHODS)
def test_the_threshold_rejects_a_tenth_of_what_is_right(spar_features: Labelled, method: str) -> None:
    """On other windows than it was learnt from: few of the right ones, and a larger share of the wrong ones."""
    features, label, _ = spar_features
    rows = np.random.default_rng(0).permutation(len(label))
    learnt, others = rows[::2], rows[1::2]
    enrolment = Enrolment(method).fit(features[learnt], label[learnt].tolist())
    assert enrolment.threshold is None
    threshold = enrolment.calibrate(features[learnt], label[learnt].tolist()).threshold
    assert threshold is not None
    right = enrolment.predict(features[others]) == label[others]
    unsure = enrolment.probabilities(features[others]).max(axis=1) < threshold
    assert 0.02 < unsure[right].mean() < 0.2 < unsure[~right].mean()


def test_a_threshold_needs_two_examples_of_something(spar_features: Labelled) -> None:
    examples, labels, _, _ = draw(spar_features, 1)
    assert Enrolment().fit(examples, labels).calibrate(examples, labels).threshold is None
    one_more = np.concatenate([examples, examples[:1]]), [*labels, labels[0]]
    assert Enrolment().fit(*one_more).calibrate(*one_more).threshold is not None
    assert Enrolment().fit(*one_more).calibrate(*one_more).fit(examples, labels).threshold is None


def test_examples_that_share_samples_do_not_judge_each_other() -> None:
    """Noise, each vector in two windows that overlap: judged by its neighbour an example would be right."""
    features = np.random.default_rng(0).normal(size=(6, 16)).astype(np.float32)
    twice, labels = np.repeat(features, 2, axis=0), ["a", "a", "a", "a", "a", "a", "b", "b", "b", "b", "b", "b"]
    begin = np.arange(12) // 2 * 10.0 + np.arange(12) % 2
    spans = np.stack([begin, begin + 3], axis=1)
    near = Enrolment("nearest").fit(twice, labels)
    assert near.calibrate(twice, labels).judged.right >= 10
    apart = near.calibrate(twice, labels, spans=spans).judged
    assert apart.examples == 12 and apart.right < 10
    assert near.calibrate(twice, labels, spans=np.array([[0.0, 1.0]] * 12)).threshold is None  # all at once


@pytest.mark.slow
def test_a_rate_is_asked_for_and_held(spar_features: Labelled) -> None:
    features, label, _ = spar_features
    found = {share: Enrolment().fit(features, label.tolist()) for share in (0.0, 0.1, 0.3)}
    for share, enrolment in found.items():
        judged = enrolment.calibrate(features, label.tolist(), rejected=share).judged
        assert judged.examples == len(label) and judged.rejected <= share * judged.right
    assert found[0.0].threshold < found[0.1].threshold < found[0.3].threshold  # type: ignore[operator]


def test_bad_examples_are_refused() -> None:
    examples, labels, others, _, _ = constructed(0, 2)
    with pytest.raises(ConfigError, match="no enrolment method 'svm'; use ridge"):
        Enrolment("svm")
    with pytest.raises(ConfigError, match="text weight"):
        Enrolment(text_weight=-1)
    with pytest.raises(DataError, match="nothing is enrolled"):
        Enrolment().predict(others)
    with pytest.raises(DataError, match="at least two different"):
        Enrolment().fit(examples, ["a"] * len(labels))
    with pytest.raises(DataError, match="give one label a window"):
        Enrolment().fit(examples, labels[:-1])
    with pytest.raises(DataError, match="missing or infinite"):
        Enrolment().fit(np.where(np.arange(48) == 5, np.nan, examples), labels)
    with pytest.raises(DataError, match="use the same model"):
        Enrolment().fit(examples, labels).predict(others[:, :20])
