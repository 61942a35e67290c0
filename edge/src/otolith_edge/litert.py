"""LiteRT (`.tflite`) files, whose batch is one."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
        ModelError: The file or its description is missing or damaged, or they do not go together.
    """
    beside = file.with_suffix(".json")
    if not beside.is_file():
        raise ModelError(f"{file} has no {beside.name} beside it, which says what it takes and gives")
    description = Description.parse(beside.read_text(encoding="utf-8"), str(beside))
    interpreter = _interpreter(file, threads)
    # Inputs have names of the converter's choice; their rank tells them apart.
    inputs = {"signal" if len(item["shape"]) == 3 else "seconds": item for item in interpreter.get_input_details()}
    output = interpreter.get_output_details()[0]
    _check(inputs, output, description, file)

    def run(feed: dict[str, Floats]) -> Floats:
        rows = []
        for i in range(len(feed["signal"])):
            for name, item in inputs.items():
                interpreter.set_tensor(item["index"], _to(feed[name][i : i + 1], item))
            interpreter.invoke()
            rows.append(_from(interpreter.get_tensor(output["index"]), output))
        return np.concatenate(rows)

    return description, tuple(inputs), run


def _interpreter(file: Path, threads: int) -> Any:
    try:
        litert = importlib.import_module("ai_edge_litert.interpreter")
    except ImportError as error:
        raise MissingExtraError("ai-edge-litert", "litert", f"running {file.name}") from error
    try:
        with _quiet():
            interpreter = litert.Interpreter(model_path=str(file), num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{file} is no LiteRT model that can be run: {str(error).splitlines()[0]}") from error
    return interpreter


def _check(inputs: dict[str, Any], output: dict[str, Any], about: Description, file: Path) -> None:
    """Looks whether a file takes and gives what the description beside it says; another one may lie there."""
    expected = {"signal": [1, about.samples, len(about.channels)]}
    if about.window_seconds is None:
        expected["seconds"] = [1]
    found = {name: item["shape"].tolist() for name, item in inputs.items()}
    if found != expected:
        raise ModelError(f"{file} takes {found} and {file.stem}.json beside it says {expected}: export the model again")
    width = len(about.labels or ()) if about.kind == "classes" else about.embedding
    if width is not None and output["shape"].tolist() != [1, width]:
        raise ModelError(
            f"{file} gives {output['shape'].tolist()} and {file.stem}.json beside it says {[1, width]}: "
            "export the model again"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without LiteRT's remark about its delegate, which its C++ writes past Python to standard error."""
    if sys.stderr is None:  # then descriptor 2 is closed, or another file's
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


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
