"""LiteRT: a graph as a TFLite file for a batch of one, its contract beside it, and its answers by the interpreter."""

from __future__ import annotations

import io
import logging
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from otolith.export.graph import Graph, example
from otolith.export.material import Material
from otolith.export.metadata import Contract
from otolith.types import MissingExtraError

_PURPOSE = "exporting to LiteRT"
_SIGNATURE = "serving_default"

_UNBOUNDED = "SensorTokens|PatchStem|Sequential_statistics"
"""Products that no norm has bounded yet, by the parts of the models that they belong to; see `quantise`."""

_LAST = "WindowHead|Linear_head|logits"
"""Products of the answer. With fixed ranges they cost the encoder more labels than those of attention or of the
feed-forward networks did (1500 windows of MotionSense); they are few, so they stay dynamic too."""


def require_litert() -> None:
    """Looks for what exporting to LiteRT needs.

    Raises:
        MissingExtraError: The extra `litert` is not installed.
    """
    try:
        with _quiet():
            import ai_edge_litert.interpreter  # noqa: F401
            import ai_edge_quantizer  # noqa: F401
            import litert_torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("litert-torch", "litert", _PURPOSE) from error


class _Named(nn.Module):
    """The graph with the name of its output: the converter takes it from the key."""

    def __init__(self, graph: Graph, output: str) -> None:
        super().__init__()
        self.inside, self.output = graph, output  # `graph` is taken: the exporter keeps its own there

    def forward(self, signal: Tensor, seconds: Tensor | None = None) -> dict[str, Tensor]:
        return {self.output: self.inside(signal, seconds)}


def write_litert(graph: Graph, contract: Contract, target: Path) -> None:
    """Writes a graph in single precision, for one segment at a time; errors as in `require_litert`."""
    require_litert()
    import litert_torch

    inputs = example(contract.samples, len(contract.channels), trials=contract.window_seconds is None)
    with _quiet():
        named = _Named(graph, contract.output).eval()
        converted = litert_torch.convert(named, sample_kwargs=dict(zip(contract.inputs, inputs, strict=True)))
        exported = target.with_suffix(".tflite")  # the converter insists on the ending
        converted.export(str(exported))
    exported.replace(target)


def quantise_litert(source: Path, target: Path, precision: str, calibration: Material | None) -> None:
    """Writes a file of `write_litert` in another precision; products with weights become int8.

    Args:
        source: In single precision.
        target: To write.
        precision: `fp32`, `int8-dynamic` or `int8-static`.
        calibration: Segments of people of training, from which the range of each activation is taken.
    """
    if precision == "fp32":
        shutil.copyfile(source, target)
        return
    from ai_edge_quantizer import qtyping, quantizer

    # Only products: units, patches and z-scores in eight bits would lose what tells postures apart.
    product = qtyping.TFLOperationName.FULLY_CONNECTED
    with _quiet():
        changed = quantizer.Quantizer(str(source))
        result: Any = None
        if calibration is not None:
            changed.add_static_config(".*", product, activation_num_bits=8, weight_num_bits=8)
            feeds = list(calibration.feeds(range(len(calibration.signal))))
            result = changed.calibrate({_SIGNATURE: feeds}, num_threads=1)
        free = ".*" if calibration is None else f".*({_UNBOUNDED}|{_LAST}).*"
        changed.add_dynamic_config(free, product, num_bits=8)
        changed.quantize(result).export_model(target, overwrite=True)


def run_litert(file: Path, contract: Contract, material: Material) -> NDArray[np.float32]:
    """Answers [N, ...] of the LiteRT interpreter on a CPU, one segment at a time."""
    from ai_edge_litert.interpreter import Interpreter

    with _quiet():
        interpreter = Interpreter(str(file), num_threads=1)
        interpreter.allocate_tensors()
        runner = interpreter.get_signature_runner(_SIGNATURE)
    feeds = material.feeds(range(len(material.signal)))
    out: NDArray[np.float32] = np.concatenate([runner(**feed)[contract.output] for feed in feeds])
    return out


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress of converter and quantiser and their remarks about themselves."""
    before, silent = logging.root.manager.disable, io.StringIO()
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(silent), redirect_stderr(silent), _no_descriptor():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def _no_descriptor() -> Iterator[None]:
    """Standard error goes nowhere, also what C++ writes to it past Python."""
    if sys.__stderr__ is None:  # then descriptor 2 is closed, or another file's
        yield
        return
    sys.__stderr__.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
