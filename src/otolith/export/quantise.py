"""Eight bits: weights alone with activations measured on the device, or both fixed from people of training."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from otolith.export.material import Material
from otolith.export.metadata import Contract
from otolith.export.onnx import finish


def quantise(source: Path, target: Path, contract: Contract, calibration: Material | None) -> None:
    """Writes a single-precision ONNX file in 8 bits, weights symmetric, one scale a channel of the output.

    Quantised are products with weights. Units, patches, z-scores, norms and attention stay in single precision.

    Args:
        source: From `write_onnx`.
        target: To write.
        contract: Written into the file.
        calibration: Segments of people of training, from which activations get fixed ranges, but for what no norm has
            bounded yet: how hard a body moves differs from person to person, and a range fixed too low would clip it.
            None measures all ranges anew for each input (`int8-dynamic`).
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.preprocess import quant_pre_process

    common: dict[str, Any] = {"per_channel": True, "weight_type": QuantType.QInt8}
    with TemporaryDirectory() as folder, _quiet():
        prepared, fixed, raw = (Path(folder) / f"{name}.onnx" for name in ("prepared", "fixed", "raw"))
        # Its symbolic inference of shapes fails at `Expand`; all shapes but the batch are known without.
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        if calibration is None:
            quantize_dynamic(str(prepared), str(raw), op_types_to_quantize=["MatMul", "Gemm"], **common)
        else:
            free, bounded = products(onnx.load(str(prepared)))
            quantize_static(str(prepared), str(fixed), _reader(calibration), nodes_to_quantize=bounded,
                            activation_type=QuantType.QUInt8, **common)  # fmt: skip
            quantize_dynamic(str(fixed), str(raw), nodes_to_quantize=free, **common)
        finish(onnx.load(str(raw)), contract, target)


def products(proto: Any) -> tuple[list[str], list[str]]:
    """Names of the products with weights: those before any norm, and those behind one."""
    weights = {value.name for value in proto.graph.initializer}
    normed: set[str] = set()
    before: list[str] = []
    behind: list[str] = []
    for node in proto.graph.node:  # in the order of the computation
        if node.op_type == "LayerNormalization" or normed & set(node.input):
            normed |= set(node.output)
        if node.op_type in ("MatMul", "Gemm") and node.input[1] in weights:
            (behind if node.input[0] in normed else before).append(node.name)
    return before, behind


def _reader(calibration: Material) -> Any:
    """Calibration segments for ONNX Runtime, one at a time."""
    from onnxruntime.quantization import CalibrationDataReader

    feeds = calibration.feeds(range(len(calibration.signal)))

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> Any:
            return next(feeds, None)

    return Reader()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warning that a model is quantised already: half of it is, on purpose."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
