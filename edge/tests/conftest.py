"""Tiny models whose answers can be told by heart, and recordings made for them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from otolith_edge import Model

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

CHANNELS = [
    {"name": f"{sensor}_{axis}", "sensor": sensor, "axis": axis, "unit": unit, "placement": "waist",
     "gravity": gravity, "reference": reference}
    for sensor, unit, gravity, reference in (("acc", "m/s^2", True, 9.80665), ("gyro", "rad/s", None, 1.0))
    for axis in "xyz"
]  # fmt: skip


def description(**changes: Any) -> dict[str, Any]:
    return {
        "format": 1, "kind": "classes", "model": "tiny", "rate": 50.0, "samples": 100, "window_seconds": 2.0,
        "lowpass": 0.0, "channels": CHANNELS, "preprocessing": "inside", "labels": ["up", "down"], "embedding": None,
        "weights_sha256": "0", "otolith_version": "0.1.0", **changes,
    }  # fmt: skip


@pytest.fixture
def about() -> Callable[..., dict[str, Any]]:
    return description


def write_model(path: Path, weights: NDArray[np.float32], about: dict[str, Any] | None) -> Path:
    """The mean of each channel [B, C] times weights [C, L]; of whole trials `seconds` is added to every output."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    told = about or description()
    whole = told["window_seconds"] is None
    output = "logits" if told["kind"] == "classes" else "embedding"
    inputs = [helper.make_tensor_value_info("signal", TensorProto.FLOAT, ["batch", told["samples"], 6])]
    nodes = [
        helper.make_node("ReduceMean", ["signal", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["scores" if whole else output]),
    ]
    if whole:
        inputs.append(helper.make_tensor_value_info("seconds", TensorProto.FLOAT, ["batch"]))
        nodes += [
            helper.make_node("Unsqueeze", ["seconds", "axes"], ["column"]),
            helper.make_node("Add", ["scores", "column"], [output]),
        ]
    constants = [
        numpy_helper.from_array(weights.astype(np.float32), "weights"),
        numpy_helper.from_array(np.array([1]), "axes"),
    ]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", weights.shape[1]])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 8
    if about is not None:
        helper.set_model_props(model, {"otolith": json.dumps(about)})
    onnx.save(model, path)
    return path


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a model that says `up` where acc_x is above 0 and `down` below, or as told."""

    def make(weights: NDArray[np.float32] | None = None, *, told: bool = True, **changes: Any) -> Path:
        if weights is None:
            weights = np.zeros((6, 2), np.float32)
            weights[0] = 1.0, -1.0
        return write_model(tmp_path / "tiny.onnx", weights, description(**changes) if told else None)

    return make


@pytest.fixture
def model(write: Callable[..., Path]) -> Model:
    return Model.load(write())


@pytest.fixture
def words(write: Callable[..., Path]) -> Model:
    """Its vectors are the means of the channels."""
    return Model.load(write(np.eye(6, dtype=np.float32), kind="words", labels=None, embedding=6))


@pytest.fixture
def steps() -> Callable[..., NDArray[np.float32]]:
    """A recording [T, 6] at 50 Hz: acc_x is +3 or -3 for each number of seconds in turn; acc_z is gravity."""

    def make(*seconds: float, rate: float = 50.0, noise: float = 0.3) -> NDArray[np.float32]:
        parts = [np.full(round(s * rate), 3.0 * (-1) ** k) for k, s in enumerate(seconds)]
        x = np.concatenate(parts)
        rng = np.random.default_rng(0)
        signal = noise * rng.standard_normal((len(x), 6))
        signal[:, 0] += x
        signal[:, 2] += 9.81
        return signal.astype(np.float32)

    return make


@pytest.fixture
def csv(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Writes samples as a CSV file with names."""

    def make(signal: NDArray[np.float32], rate: float = 50.0, header: str = "", scale: float = 1.0) -> Path:
        times = np.arange(len(signal)) / rate * scale
        path = tmp_path / "recording.csv"
        names = header or ",".join(["time", *(channel["name"] for channel in CHANNELS)])
        np.savetxt(path, np.column_stack([times, signal]), delimiter=",", header=names, comments="", fmt="%.6f")
        return path

    return make  # type: ignore[return-value]
