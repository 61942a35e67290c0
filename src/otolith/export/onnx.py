"""ONNX: a graph as a file with its contract inside, and its answers by ONNX Runtime."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from otolith.export.graph import example
from otolith.export.material import Material
from otolith.export.metadata import KEY, Contract
from otolith.types import MissingExtraError

OPSET = 20
"""The first with an operator for the exact GELU."""

_PURPOSE = "exporting to ONNX"


def require_onnx() -> None:
    """Looks for what exporting to ONNX needs.

    Raises:
        MissingExtraError: The extra `export` is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(error.name or "onnx", "export", _PURPOSE) from error


def write_onnx(graph: nn.Module, contract: Contract, target: Path) -> None:
    """Writes a graph in single precision, of any batch size; errors as in `require_onnx`."""
    require_onnx()
    trials = contract.window_seconds is None
    inputs = example(contract.samples, len(contract.channels), trials=trials, batch=2)
    batch = torch.export.Dim("batch", min=1, max=65536)
    with _quiet():
        program: Any = torch.onnx.export(
            graph,
            inputs,
            dynamo=True,
            dynamic_shapes=tuple({0: batch} for _ in inputs),
            input_names=list(contract.inputs),
            output_names=[contract.output],
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    finish(program.model_proto, contract, target)


def finish(proto: Any, contract: Contract, target: Path) -> None:
    """Writes a model with its contract, and without the exporter's notes, which name files of this machine."""
    import onnx

    del proto.metadata_props[:]
    for part in (proto, proto.graph, *proto.graph.node, *proto.graph.input, *proto.graph.output):
        part.doc_string = ""
    for node in proto.graph.node:
        del node.metadata_props[:]
    for value in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        del value.metadata_props[:]
    del proto.graph.metadata_props[:]
    used = {node.domain for node in proto.graph.node}
    domains = [entry for entry in proto.opset_import if entry.domain in used]
    del proto.opset_import[:]
    proto.opset_import.extend(domains)
    proto.producer_name, proto.producer_version = KEY, ""
    entry = proto.metadata_props.add()
    entry.key, entry.value = KEY, contract.to_json()
    onnx.checker.check_model(proto, full_check=True)
    target.write_bytes(proto.SerializeToString(deterministic=True))


def run_onnx(file: Path, material: Material) -> NDArray[np.float32]:
    """Answers [N, ...] of ONNX Runtime on a CPU, one segment at a time.

    With dynamic int8 an answer depends on what else is in the batch; a device has one segment.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    feeds = material.feeds(range(len(material.signal)))
    out: NDArray[np.float32] = np.concatenate([session.run(None, feed)[0] for feed in feeds])
    return out


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks about itself and about torchvision, which is not needed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*The axis name")
            warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
            yield
    finally:
        logger.setLevel(level)
