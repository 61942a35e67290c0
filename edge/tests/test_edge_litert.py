"""LiteRT files of the converter say what their weights say, in 8 bits too. Needs the extra `litert` of the library."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from otolith_edge import Beliefs, Model, ModelError, Stream, Vocabulary, Window, recognise, recognise_trial
from otolith_edge.cli import main

if any(find_spec(name) is None for name in ("litert_torch", "ai_edge_litert", "ai_edge_quantizer")):
    pytest.skip("needs the extra `litert` of the library", allow_module_level=True)

UP = np.zeros((6, 2), np.float32)
UP[0] = 1.0, -1.0


@functools.cache
def converted(weights: bytes, labels: int, samples: int, whole: bool) -> bytes:
    """A LiteRT file: the mean of each of 6 channels times weights [6, labels], of whole trials plus `seconds`."""
    torch = pytest.importorskip("torch", exc_type=ImportError)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import litert_torch

    class Mean(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.product = torch.nn.Linear(6, labels, bias=False)
            self.product.weight.data = torch.from_numpy(np.frombuffer(weights, np.float32).reshape(6, labels).T.copy())

        def forward(self, signal, seconds=None):
            scores = self.product(signal.mean(dim=1))
            return scores if seconds is None else scores + seconds[:, None]

    inputs = (torch.ones(1, samples, 6), *([torch.ones(1)] if whole else []))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        litert_torch.convert(Mean().eval(), inputs).export(f"{folder}/tiny.tflite")
        return Path(folder, "tiny.tflite").read_bytes()


@pytest.fixture
def convert(about, tmp_path: Path, capfd) -> Callable[..., Path]:
    """Writes what `write` writes, as LiteRT."""

    def make(weights: np.ndarray = UP, *, samples: int = 100, **changes) -> Path:
        told, file = about(**changes), tmp_path / "tiny.tflite"
        file.write_bytes(converted(weights.tobytes(), weights.shape[1], samples, told["window_seconds"] is None))
        file.with_suffix(".json").write_text(json.dumps(told))
        capfd.readouterr()  # what the converter says of itself
        return file

    return make


def whole_numbers(file: Path, signal: np.ndarray) -> Path:
    """The file with everything in int8, also what goes in and comes out."""
    from ai_edge_quantizer import qtyping, quantizer

    target = file.with_name("int8.tflite")
    changed = quantizer.Quantizer(str(file))
    changed.add_static_config(".*", qtyping.TFLOperationName.ALL_SUPPORTED, activation_num_bits=8, weight_num_bits=8)
    runs = [{"args_0": signal[i : i + 100][None]} for i in range(0, len(signal) - 99, 100)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        changed.quantize(changed.calibrate({"serving_default": runs})).export_model(target, overwrite=True)
    target.with_suffix(".json").write_text(file.with_suffix(".json").read_text())
    return target


def test_the_same_as_onnx(convert, write, steps) -> None:
    signal = steps(20, 10)
    found, wanted = (recognise(Model.load(make()), signal, 50.0) for make in (convert, write))
    assert found.probabilities == pytest.approx(wanted.probabilities, abs=1e-5)
    assert [s.label for s in found.segments] == ["up", "down"] and len(found.segments) == len(wanted.segments)


def test_a_stream_says_what_the_whole_says(convert, steps) -> None:
    model, signal = Model.load(convert()), steps(7, 6)
    stream, events = Stream(model, 50.0), []
    for first in range(0, len(signal), 17):
        rows = signal[first : first + 17]
        events += stream.push(np.arange(first, first + len(rows)) / 50, rows)
    events += stream.finish()
    found = [event.probabilities for event in events if isinstance(event, Window)]
    np.testing.assert_array_equal(np.float32(found), recognise(model, signal, 50.0).probabilities)


def test_eight_bits_inside_and_out(convert, steps) -> None:
    signal = steps(8, 8)
    signal[:, 1] = -signal[:, 0]  # the quantiser averages ranges over runs: now each run has all of it
    file = convert()
    plain, rounded = Model.load(file), Model.load(whole_numbers(file, signal))
    windows = np.stack([signal[i : i + 100] for i in (0, 150, 450, 650)])
    wanted, found = plain(windows, 2.0), rounded(windows, 2.0)
    assert 0 < np.abs(found - wanted).max() < 0.1
    assert (found.argmax(1) == wanted.argmax(1)).all() and found.dtype == np.float32


def test_whole_trials_are_told_their_duration(convert) -> None:
    model = Model.load(convert(np.zeros((6, 2), np.float32), window_seconds=None))
    assert model(np.zeros((1, 40, 6), np.float32), 3.5)[0] == pytest.approx([3.5, 3.5])
    assert recognise_trial(model, np.ones((200, 6)), 50.0) == {"up": pytest.approx(0.5), "down": pytest.approx(0.5)}


def test_words_are_swapped_at_run_time(convert) -> None:
    model = Model.load(convert(np.eye(6, dtype=np.float32), kind="words", labels=None, embedding=6))
    axes = np.eye(6, dtype=np.float32)[:, None]
    beliefs = Beliefs(model, Vocabulary(("x", "y"), axes[:2], 10.0, 2.0, 0.0))
    windows = np.zeros((1, 100, 6), np.float32)
    windows[..., 0] = 1
    assert beliefs(windows, 2.0)[0] == pytest.approx(np.exp([5, 0]) / np.exp([5, 0]).sum(), abs=1e-5)
    beliefs.swap(Vocabulary(("z", "x"), axes[[2, 0]], 10.0, 2.0, 0.0))
    assert int(beliefs(windows, 2.0).argmax()) == 1


def test_the_command_says_nothing_of_the_runtime(convert, steps, csv, capfd) -> None:
    main(["run", str(csv(steps(20, 10))), "-m", str(convert())])
    out, err = capfd.readouterr()
    assert [line.split()[4] for line in out.splitlines()] == ["up", "down"] and err == ""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"samples": 90}, r"takes .*100.* beside it says .*90"),
        ({"window_seconds": None}, "seconds"),
        ({"labels": ["a", "b", "c"]}, r"gives \[1, 2\] and .* says \[1, 3\]"),
        ({"kind": "words", "labels": None, "embedding": 5}, r"gives \[1, 2\] and .* says \[1, 5\]"),
    ],
)
def test_a_description_of_another_file(convert, about, change: dict, sentence: str) -> None:
    file = convert()
    file.with_suffix(".json").write_text(json.dumps(about(**change)))
    with pytest.raises(ModelError, match=sentence):
        Model.load(file)


def test_damaged_files(convert) -> None:
    file = convert()
    content = file.read_bytes()
    for damaged in (b"", b"hello", content[: len(content) // 2]):
        file.write_bytes(damaged)
        with pytest.raises(ModelError, match="no LiteRT model"):
            Model.load(file)


def test_runs_without_torch(convert, steps, csv) -> None:
    code = "import sys; from otolith_edge.cli import main; main(sys.argv[1:]); print('torch' in sys.modules)"
    arguments = ["run", str(csv(steps(20))), "-m", str(convert())]
    run = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert " up " in run.stdout and run.stdout.endswith("False\n") and run.stderr == ""
