"""An exported model file, ready to run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otolith_edge.description import Description
from otolith_edge.errors import ModelError

Floats = NDArray[np.float32]
Run = Callable[[dict[str, Floats]], Floats]

KEY = "otolith"
"""Key of the description among the metadata of an ONNX file."""

BATCH = 256
"""Windows that are in memory at a time."""


class Model:
    """A model and its description.

    Args:
        description: What it takes and gives.
        inputs: Names of its inputs: `signal`, and of whole trials `seconds`.
        run: Inputs by name to the output.
    """

    def __init__(self, description: Description, inputs: tuple[str, ...], run: Run) -> None:
        self.description, self.inputs, self._run = description, inputs, run

    @classmethod
    def load(cls, path: Path | str, threads: int = 1) -> Model:
        """Opens an `.onnx` or `.tflite` file that `otolith export` wrote.

        Args:
            path: The file. A `.tflite` has its description beside it, in a `.json` of the same name.
            threads: How many the runtime may use.

        Raises:
            ModelError: Not there, damaged, or not of ours.
            MissingExtraError: A `.tflite` without LiteRT.
        """
        file = Path(path)
        if not file.is_file():
            raise ModelError(f"there is no model {file}: give a file that  otolith export  wrote")
        if file.suffix == ".tflite":
            from otolith_edge.litert import open_litert

            return cls(*open_litert(file, threads))
        return cls(*_open_onnx(file, threads))

    def __call__(self, windows: Floats, seconds: float) -> Floats:
        """Answers [N, L] (logits) or [N, E] (vectors) to windows.

        Args:
            windows: [N, T, C] in SI units; brought to the model's number of samples, linearly.
            seconds: Duration of each, which models of whole trials look at.
        """
        shape = self.description
        if windows.ndim != 3 or windows.shape[2] != len(shape.channels):
            raise ValueError(f"windows of shape {windows.shape} for {len(shape.channels)} channels")
        parts = [self._batch(windows[i : i + BATCH], seconds) for i in range(0, len(windows), BATCH)]
        return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)

    def _batch(self, windows: Floats, seconds: float) -> Floats:
        signal = stretch(windows, self.description.samples)
        if not self.description.inside:
            signal = np.divide(signal, np.array([c.reference for c in self.description.channels]), dtype=np.float32)
        feed = {"signal": np.ascontiguousarray(signal, np.float32)}
        if "seconds" in self.inputs:
            feed["seconds"] = np.full(len(windows), seconds, np.float32)
        return self._run(feed)


def stretch(windows: Floats, samples: int) -> Floats:
    """Windows [N, T, C] at `samples` samples, linearly, first and last kept."""
    length = windows.shape[1]
    if length == samples:
        return windows
    place = np.linspace(0, 1, samples) * (length - 1)
    lower = place.astype(np.int64)
    left, right = windows[:, lower], windows[:, np.minimum(lower + 1, length - 1)]
    out: Floats = left + (place - lower).astype(np.float32)[:, None] * (right - left)
    return out


def _open_onnx(file: Path, threads: int) -> tuple[Description, tuple[str, ...], Run]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 3  # its warnings about the machine are not ours to print
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own kinds are not public
        raise ModelError(f"{file} is no ONNX model that can be run: {str(error).splitlines()[0]}") from error
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    if text is None:
        raise ModelError(f"{file} does not say what it takes and gives: export it with  otolith export")
    description = Description.parse(text, str(file))
    shapes = {item.name: item.shape for item in session.get_inputs()}
    _check(shapes, description, file)
    fixed = shapes["signal"][0] == 1

    def run(feed: dict[str, Floats]) -> Floats:
        if not fixed:
            return _first(session.run(None, feed))
        singles = ({k: v[i : i + 1] for k, v in feed.items()} for i in range(len(feed["signal"])))
        return np.concatenate([_first(session.run(None, single)) for single in singles])

    return description, tuple(shapes), run


def _check(shapes: dict[str, Any], description: Description, file: Path) -> None:
    expected = [description.samples, len(description.channels)]
    if "signal" not in shapes or not set(shapes) <= {"signal", "seconds"} or shapes["signal"][1:] != expected:
        raise ModelError(f"{file} has inputs {shapes}, not the signal [B, {expected[0]}, {expected[1]}] that it says")


def _first(outputs: Any) -> Floats:
    return np.asarray(outputs[0], dtype=np.float32)
