"""LiteRT (`.tflite`) files, whose batch is one."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otolith_edge.description import Description
from otolith_edge.errors import MissingExtraError, ModelError

Floats = NDArray[np.float32]


def open_litert(file: Path, threads: int) -> tuple[Description, tuple[str, ...], Any]:
    """The description, the names of the inputs, and a function from inputs by name to the output.

    Raises:
        MissingExtraError: LiteRT is not installed.
        ModelError: The file or its description is missing or damaged.
    """
    beside = file.with_suffix(".json")
    if not beside.is_file():
        raise ModelError(f"{file} has no {beside.name} beside it, which says what it takes and gives")
    description = Description.parse(beside.read_text(encoding="utf-8"), str(beside))
    try:
        litert = importlib.import_module("ai_edge_litert.interpreter")
    except ImportError as error:
        raise MissingExtraError("ai-edge-litert", "litert", f"running {file.name}") from error
    try:
        interpreter = litert.Interpreter(model_path=str(file), num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{file} is no LiteRT model that can be run: {str(error).splitlines()[0]}") from error
    # Inputs have names of the converter's choice; their rank tells them apart.
    inputs = {"signal" if len(item["shape"]) == 3 else "seconds": item for item in interpreter.get_input_details()}
    output = interpreter.get_output_details()[0]
    if "signal" not in inputs or inputs["signal"]["shape"][1:].tolist() != [
        description.samples,
        len(description.channels),
    ]:
        raise ModelError(f"{file} does not take the signal that {beside.name} says")

    def run(feed: dict[str, Floats]) -> Floats:
        rows = []
        for i in range(len(feed["signal"])):
            for name, item in inputs.items():
                interpreter.set_tensor(item["index"], _to(feed[name][i : i + 1], item))
            interpreter.invoke()
            rows.append(_from(interpreter.get_tensor(output["index"]), output))
        return np.concatenate(rows)

    return description, tuple(inputs), run


def _to(values: Floats, item: dict[str, Any]) -> NDArray[Any]:
    """Values as a tensor's type; an int8 tensor has a scale and a zero point."""
    if item["dtype"] == np.float32:
        return values
    scale, zero = item["quantization"]
    limits = np.iinfo(item["dtype"])
    whole: NDArray[Any] = np.clip(np.rint(values / scale) + zero, limits.min, limits.max).astype(item["dtype"])
    return whole


def _from(values: NDArray[Any], item: dict[str, Any]) -> Floats:
    if item["dtype"] == np.float32:
        return np.array(values, np.float32)
    scale, zero = item["quantization"]
    out: Floats = ((values.astype(np.float32) - zero) * scale).astype(np.float32)
    return out
