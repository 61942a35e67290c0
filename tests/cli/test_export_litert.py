"""LiteRT files of the encoder and of a text student, on real recordings, and what `otolith-edge` says with them."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Command, call

from otolith.data.store import Dataset
from otolith.models.registry import load_text_model
from otolith.recognise.recogniser import Recogniser
from otolith.recognise.zeroshot import zero_shot

if any(find_spec(name) is None for name in ("litert_torch", "ai_edge_litert", "ai_edge_quantizer")):
    pytest.skip("needs the extra `litert`", allow_module_level=True)
edge = pytest.importorskip("otolith_edge", reason="needs the package in edge/")

PRECISIONS = ("fp32", "int8-dynamic", "int8-static")


@pytest.fixture(scope="module")
def worded(spar_dataset: Dataset, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student of the encoder that keeps its words, of windows of 4 s."""
    folder = tmp_path_factory.mktemp("litert") / "worded"
    settings = (
        "model.dim=32", "model.layers=1", "model.heads=2", "train.threads=1", "train.accelerator=cpu",
        "sampling.batch_size=16", "segments.prepare.frames=2", "segments.whole_trials=false",
        "segments.window_seconds=4", "segments.step_seconds=4", "segments.samples=200", "segments.patching.size=50",
        "segments.patching.samples=64",
    )  # fmt: skip
    words = [word for setting in settings for word in ("--set", setting)]
    assert call(["distil", "-o", folder, "-d", spar_dataset.path, "--from", checkpoint, "--steps", 6, *words]) == 0
    return folder / "best.safetensors"


@pytest.mark.slow
def test_the_encoder_in_all_precisions(checkpoint: Path, spar_dataset: Dataset, tmp_path: Path) -> None:
    # Answers of an encoder of a few steps are nearly ties, which 8 bits turn over: how far outputs are off says more.
    # A process of its own: converter and runtime write to standard error past Python.
    code = "from otolith.cli.main import main; main()"
    arguments = ["export", "-m", checkpoint, "-d", spar_dataset.path, "-o", tmp_path, "--placement", "left wrist",
                 "--format", "litert", "--precision", ",".join(PRECISIONS), "--agreement", 0.1, "--json"]  # fmt: skip
    outcome = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stderr == ""
    made = json.loads(outcome.stdout)
    assert [about["precision"] for about in made] == list(PRECISIONS)
    assert made[0]["max_difference"] < 1e-4 and made[0]["agreement"] == 1
    assert all(about["size_mb"] < made[0]["size_mb"] and 0 < about["max_difference"] < 0.1 for about in made[1:])
    assert made[2]["calibrated_on"] and not set(made[2]["calibrated_on"]) & set(made[2]["people"])
    windows = np.random.default_rng(0).normal(0, 3, (2, 200, 6)).astype(np.float32)
    for about in made:
        model = edge.Model.load(about["file"])
        assert model.description.kind == "words" and {c.placement for c in model.description.channels} == {"left wrist"}
        found = model(windows[:, : model.description.samples], 4.0)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3)


@pytest.mark.slow
def test_a_text_student_on_the_device(worded: Path, spar_dataset: Dataset, otolith: Command, tmp_path: Path) -> None:
    arguments = ("export", "-m", worded, "-d", spar_dataset.path, "-o", tmp_path)
    outcome = otolith(*arguments, "--format", "litert", "--json")
    assert outcome.code == 0, outcome.err
    file = Path(json.loads(outcome.out)[0]["file"])
    recording = spar_dataset.read(0)
    words = edge.Vocabulary.load(file.with_suffix(".vocabulary.npz"))
    model = edge.Model.load(file)
    found = edge.recognise(model, recording.signal, recording.rate, vocabulary=words)
    loaded = load_text_model(worded)
    wanted = Recogniser(loaded).embed(recording, step_seconds=1.0)
    np.testing.assert_allclose(found.starts, wanted.starts, atol=1e-6)
    np.testing.assert_allclose(found.probabilities, zero_shot(loaded, wanted.vectors, words.labels), atol=1e-4)
    others = list(words.labels)[:1:-1]
    assert otolith("vocabulary", "-m", worded, "-l", ", ".join(others), "-o", tmp_path / "others.npz").code == 0
    stream = edge.Stream(model, recording.rate, words)
    times, half = np.arange(len(recording.signal)) / recording.rate, len(recording.signal) // 2
    events = stream.push(times[:half], recording.signal[:half])
    events += stream.swap(edge.Vocabulary.load(tmp_path / "others.npz"))
    assert stream.labels == tuple(others)
    events += stream.push(times[half:], recording.signal[half:]) + stream.finish()
    lengths = [len(event.probabilities) for event in events if isinstance(event, edge.Window)]
    assert len(lengths) == len(found.label) and set(lengths) == {len(words.labels), len(others)}
