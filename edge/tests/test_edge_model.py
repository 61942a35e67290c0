"""Model files, vocabularies and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from otolith_edge import Beliefs, MissingExtraError, Model, ModelError, Vocabulary, recognise_trial
from otolith_edge.model import stretch


def vocabulary(path: Path, labels: list[str], prototypes: np.ndarray, **changes: float) -> Vocabulary:
    settings = {"scale": 10.0, "temperature": 2.0, "threshold": 0.0, **changes}
    np.savez(path, labels=np.array(labels), prototypes=prototypes.astype(np.float32), **settings)
    return Vocabulary.load(path)


def test_probabilities_of_classes(model: Model) -> None:
    windows = np.zeros((300, 100, 6), np.float32)  # more than one batch
    windows[:, :, 0] = np.linspace(-2, 2, 300)[:, None]
    found = Beliefs(model)(windows, 2.0)
    assert found[:, 0] == pytest.approx(1 / (1 + np.exp(-2 * np.linspace(-2, 2, 300))), abs=1e-6)
    assert model.description.channels[3].unit == "rad/s"


def test_input_in_reference_units(write) -> None:
    windows = np.full((1, 100, 6), 9.80665, np.float32)
    outside = Model.load(write(preprocessing="outside"))(windows, 2.0)
    assert outside[0] == pytest.approx([1.0, -1.0])


def test_windows_are_stretched_to_the_samples_of_the_model() -> None:
    ramp = np.arange(5, dtype=np.float32)[None, :, None]
    assert stretch(ramp, 9)[0, :, 0] == pytest.approx(np.arange(9) / 2)
    assert stretch(ramp, 5) is ramp


def test_whole_trials_are_told_their_duration(write) -> None:
    weights = np.zeros((6, 2), np.float32)
    model = Model.load(write(weights, window_seconds=None))
    assert model(np.zeros((1, 40, 6), np.float32), 3.5)[0] == pytest.approx([3.5, 3.5])
    trial = recognise_trial(model, np.ones((200, 6)), 50.0)
    assert trial == {"up": pytest.approx(0.5), "down": pytest.approx(0.5)}


def test_words_are_scored_as_the_library_scores_them(words: Model, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", exc_type=ImportError)
    bank = pytest.importorskip("otolith.models.label_bank")
    rng = np.random.default_rng(0)
    prototypes = rng.standard_normal((7, 3, 6)).astype(np.float32)
    prototypes /= np.linalg.norm(prototypes, axis=2, keepdims=True)
    vectors = rng.standard_normal((11, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chosen = vocabulary(tmp_path / "v.npz", list("abcdefg"), prototypes, scale=14.0, temperature=1.7)
    scores = bank.class_scores(torch.from_numpy(vectors), torch.from_numpy(prototypes))
    assert chosen.logits(vectors) == pytest.approx((14.0 * scores / 1.7).numpy(), abs=1e-5)


def test_words_are_swapped_at_run_time(words: Model, tmp_path: Path) -> None:
    axes = np.eye(6)[:, None]
    first = vocabulary(tmp_path / "a.npz", ["x", "y"], axes[:2])
    second = vocabulary(tmp_path / "b.npz", ["z", "x"], axes[[2, 0]], threshold=0.3)
    windows = np.zeros((1, 100, 6), np.float32)
    windows[..., 0] = 1
    beliefs = Beliefs(words, first)
    assert (beliefs.labels, int(beliefs(windows, 2.0).argmax())) == (("x", "y"), 0)
    assert beliefs(windows, 2.0)[0] == pytest.approx(np.exp([5, 0]) / np.exp([5, 0]).sum(), abs=1e-5)
    beliefs.swap(second)
    assert (beliefs.labels, int(beliefs(windows, 2.0).argmax()), beliefs.threshold) == (("z", "x"), 1, 0.3)


def test_model_and_words_must_go_together(model: Model, words: Model, tmp_path: Path) -> None:
    few = vocabulary(tmp_path / "v.npz", ["a", "b"], np.ones((2, 1, 5)))
    with pytest.raises(ModelError, match="give a vocabulary"):
        Beliefs(words)
    with pytest.raises(ModelError, match="classes of its own"):
        Beliefs(model, few)
    with pytest.raises(ModelError, match="vectors of 5 numbers and the model gives 6"):
        Beliefs(words, few)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 2}, "format 2 and this otolith-edge reads 1"),
        ({"kind": "poems"}, "kind 'poems'"),
        ({"labels": None}, "no labels"),
        ({"channels": []}, "channels"),
        ({"preprocessing": "elsewhere"}, "elsewhere"),
        ({"rate": "fast"}, "fast"),
        ({"window_seconds": -1.0}, "window_seconds"),
        ({"samples": 90}, "signal"),
    ],
)
def test_descriptions_that_cannot_be_used(write, change: dict, sentence: str) -> None:
    path = write(**change)
    if "samples" in change:  # what the file says and what it takes differ
        import onnx

        graph = onnx.load(path)
        graph.metadata_props[0].value = json.dumps({**json.loads(graph.metadata_props[0].value), "samples": 91})
        onnx.save(graph, path)
    with pytest.raises(ModelError, match=sentence):
        Model.load(path)


def test_foreign_files(write, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model"):
        Model.load(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="does not say what it takes"):
        Model.load(write(told=False))
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ModelError, match="no ONNX model"):
        Model.load(tmp_path / "text.onnx")
    (tmp_path / "m.tflite").write_bytes(b"")
    with pytest.raises(ModelError, match=r"no m\.json beside"):
        Model.load(tmp_path / "m.tflite")


def test_litert_is_an_extra(about, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.tflite").write_bytes(b"")
    (tmp_path / "m.json").write_text(json.dumps(about()))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(MissingExtraError, match=r"otolith-edge\[litert\]"):
        Model.load(tmp_path / "m.tflite")


def test_foreign_vocabularies(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "object.npz", labels=np.array([{}], object), prototypes=np.ones((1, 1, 6)))
    np.savez(tmp_path / "less.npz", labels=np.array(["a"]), prototypes=np.ones((1, 1, 6)))
    for name in ("text.npz", "object.npz", "less.npz"):
        with pytest.raises(ModelError, match=f"{name} is no vocabulary"):
            Vocabulary.load(tmp_path / name)
    with pytest.raises(ModelError, match="for 1 labels"):
        vocabulary(tmp_path / "v.npz", ["a"], np.ones((2, 1, 6)))
    with pytest.raises(ModelError, match="out of range"):
        vocabulary(tmp_path / "v.npz", ["a"], np.ones((1, 1, 6)), temperature=0.0)


def test_starts_light() -> None:
    """Nothing heavy is imported, the model's runtime not before a model is loaded."""
    code = "import sys, otolith_edge, otolith_edge.cli; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = ["torch", "scipy", "pandas", "otolith", "onnxruntime", "typer", "serial"]
    out = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
