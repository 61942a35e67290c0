"""Files of models opened by what runs them on a CPU. Starts light: a process that measures memory loads one runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from otolith.types import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.float32]
Feed = Mapping[str, Floats]
"""Inputs by name: `signal` [B, W, C] and, of whole trials, `seconds` [B]."""
Answer = Callable[[Feed], Floats]
"""A model that is open: inputs to logits [B, L] or unit vectors [B, E]."""

PYTORCH = "pytorch"
_PRECISIONS = ("fp32", "int8-dynamic", "int8-static")
BACKENDS = (PYTORCH, *(f"{runtime}-{precision}" for runtime in ("onnx", "litert") for precision in _PRECISIONS))
"""What a model can be measured on: PyTorch, and ONNX Runtime and LiteRT in each precision of `otolith export`."""

_NEEDS = {
    "onnx": (("onnx", "onnxscript", "onnxruntime"), "export"),
    "litert": (("litert_torch", "ai_edge_quantizer", "ai_edge_litert"), "litert"),
}


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """The backends of these names; without names, all that are installed.

    Raises:
        ConfigError: There is no backend of such a name.
        MissingExtraError: What a named one needs is not installed.
    """
    if not names:
        return tuple(name for name in BACKENDS if _missing(name) is None)
    for name in names:
        if name not in BACKENDS:
            raise ConfigError(f"there is no backend '{name}': use {', '.join(BACKENDS)}")
        package = _missing(name)
        if package is not None:
            raise MissingExtraError(package, _NEEDS[parts(name)[0]][1], f"measuring {name}")
    return tuple(name for name in BACKENDS if name in names)


def parts(backend: str) -> tuple[str, str]:
    """Runtime and precision: `onnx-int8-static` is (`onnx`, `int8-static`), PyTorch computes in fp32."""
    runtime, _, precision = backend.partition("-")
    return runtime, precision or "fp32"


def _missing(backend: str) -> str | None:
    packages, _ = _NEEDS.get(parts(backend)[0], ((), ""))
    return next((package for package in packages if find_spec(package) is None), None)


def open_file(backend: str, file: Path, threads: int) -> Answer:
    """A file of `otolith export`, opened by ONNX Runtime or by LiteRT."""
    return _open_litert(file, threads) if parts(backend)[0] == "litert" else _open_onnx(file, threads)


def open_module(module: nn.Module) -> Answer:
    """A module of PyTorch that takes the inputs in the order of the feed; its threads are those of the process."""
    import torch

    module.eval()

    @torch.inference_mode()
    def answer(feed: Feed) -> Floats:
        out: Floats = module(*map(torch.from_numpy, feed.values())).numpy()
        return out

    return answer


def _open_onnx(file: Path, threads: int) -> Answer:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def answer(feed: Feed) -> Floats:
        out: Floats = session.run(None, feed)[0]
        return out

    return answer


def _open_litert(file: Path, threads: int) -> Answer:
    """Its graph takes one segment: of several it is asked one after the other."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter: Any = Interpreter(str(file), num_threads=threads)
    interpreter.allocate_tensors()
    # The converter chooses the names; how many axes an input has tells signal and seconds apart.
    place = {"signal" if len(i["shape"]) == 3 else "seconds": i["index"] for i in interpreter.get_input_details()}
    output = interpreter.get_output_details()[0]["index"]

    def one(feed: Feed, row: int) -> Floats:
        for name, index in place.items():
            interpreter.set_tensor(index, feed[name][row : row + 1])
        interpreter.invoke()
        out: Floats = interpreter.get_tensor(output)
        return out

    return lambda feed: np.concatenate([one(feed, row) for row in range(len(feed["signal"]))])
