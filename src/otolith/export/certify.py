"""An export from beginning to end: written beside its place, judged, and only then put there with a certificate."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otolith import __version__
from otolith.data.windows import WindowIndex
from otolith.export.graph import Graph, example
from otolith.export.material import Material
from otolith.export.metadata import Contract
from otolith.export.parity import Limits, Parity, compare, require
from otolith.export.vocabulary import Vocabulary
from otolith.files import atomic_file
from otolith.models.cost import flops
from otolith.types import ConfigError

FORMATS = ("onnx", "litert")
PRECISIONS = ("fp32", "int8-dynamic", "int8-static")

_ENDING = {"onnx": ".onnx", "litert": ".tflite"}
_RUNTIME = {"onnx": "onnxruntime", "litert": "ai-edge-litert"}


@dataclass(frozen=True)
class Job:
    """What is exported, and on whom it is judged.

    Attributes:
        graph: What is written.
        contract: What it takes and gives.
        index: Segments of people whom the model has not seen.
        judged: The same, as the graph takes them.
        labels: Canonical labels, in the order of the logits or of the vocabulary.
        vocabulary: Of a model of words.
        calibration: Segments of people of training; None where nothing is calibrated.
        calibrated_on: Who they are.
    """

    graph: Graph
    contract: Contract
    index: WindowIndex
    judged: Material
    labels: tuple[str, ...]
    vocabulary: Vocabulary | None
    calibration: Material | None
    calibrated_on: tuple[str, ...]


@dataclass(frozen=True)
class Exported:
    """A verified file and what its certificate says."""

    file: Path
    certificate: dict[str, Any]


def export(
    job: Job, folder: Path, form: str, precisions: Sequence[str], limits: Mapping[str, Limits]
) -> Iterator[Exported]:
    """Writes a file in each precision, its certificate and, for a model of words, its vocabulary.

    Args:
        job: From `describe` and `gather`.
        folder: Where to.
        form: One of `FORMATS`.
        precisions: Of `PRECISIONS`.
        limits: What the file of a precision must keep to.

    Raises:
        DataError: The disk is full or the place is not writable.
        MissingExtraError: What writes the format is not installed.
        ParityError: A file does not keep to its limits; it is not written, those before it are.
    """
    with TemporaryDirectory() as temporary:
        base = Path(temporary) / "fp32"
        for precision in precisions:
            stem = "-".join([job.contract.model, *(["litert"] if form == "litert" else []), precision])
            target = folder / f"{stem}{_ENDING[form]}"
            built = Path(temporary) / target.name
            answers = _build_and_run(job, form, precision, base, built)
            parity = judge(job, answers)
            require(parity, limits[precision], target.name)
            content = built.read_bytes()
            certificate = {**_about(job, form, precision), **_measured(job, parity, limits[precision], content)}
            _place(job, target, content, certificate, form)
            yield Exported(target, certificate)


def _place(job: Job, target: Path, content: bytes, certificate: Mapping[str, Any], form: str) -> None:
    if job.vocabulary is not None:
        job.vocabulary.save(target.with_suffix(".vocabulary.npz"))
    if form == "litert":
        _write(target.with_suffix(".json"), job.contract.to_json().encode())
    _write(target, content)
    # Last: a model whose certificate is missing, or names another sha256, is not verified.
    text = json.dumps(certificate, indent=1, ensure_ascii=False)
    _write(target.with_suffix(".certificate.json"), text.encode())


def judge(job: Job, answers: NDArray[np.float32]) -> Parity:
    """Compares the answers of an exported model with PyTorch's."""
    reference = job.judged.answers
    words = job.vocabulary
    scores = (reference, answers) if words is None else (words.scores(reference), words.scores(answers))
    return compare(reference, answers, scores, job.judged.label.tolist(), job.labels)


def check_wanted(form: str, precisions: Sequence[str]) -> None:
    """Looks at the names of a format and of precisions, and for what writes the format.

    Raises:
        ConfigError: One of them is not known.
        MissingExtraError: What writes the format is not installed.
    """
    if form not in FORMATS:
        raise ConfigError(f"--format {form}: use {' or '.join(FORMATS)}")
    unknown = [name for name in precisions if name not in PRECISIONS]
    if unknown or not precisions:
        raise ConfigError(f"--precision {unknown[0] if unknown else ''}: use {', '.join(PRECISIONS)}")
    if form == "litert":
        from otolith.export.litert import require_litert as require_it
    else:
        from otolith.export.onnx import require_onnx as require_it
    require_it()


def _build_and_run(job: Job, form: str, precision: str, base: Path, target: Path) -> NDArray[np.float32]:
    """Writes a file from `base`, which is made where it is not there yet, and gives its answers [N, ...]."""
    calibration = job.calibration if precision == "int8-static" else None
    if form == "litert":
        from otolith.export.litert import quantise_litert, run_litert, write_litert

        if not base.exists():
            write_litert(job.graph, job.contract, base)
        quantise_litert(base, target, precision, calibration)
        return run_litert(target, job.contract, job.judged)
    from otolith.export.onnx import run_onnx, write_onnx
    from otolith.export.quantise import quantise

    if not base.exists():
        write_onnx(job.graph, job.contract, base)
    if precision == "fp32":
        shutil.copyfile(base, target)
    else:
        quantise(base, target, job.contract, calibration)
    return run_onnx(target, job.judged)


def _about(job: Job, form: str, precision: str) -> dict[str, Any]:
    """What was exported and with what."""
    contract = job.contract
    static = precision == "int8-static"
    return {
        "format": form,
        "precision": precision,
        "kind": contract.kind,
        "model": contract.model,
        "weights_sha256": contract.weights_sha256,
        "otolith_version": __version__,
        "runtime": {_RUNTIME[form]: version(_RUNTIME[form]), "torch": version("torch")},
        "calibrated_on": list(job.calibrated_on) if static else None,
        "calibration_segments": len(job.calibration.signal) if static and job.calibration else None,
    }


def _measured(job: Job, parity: Parity, limits: Limits, content: bytes) -> dict[str, Any]:
    """On whom it was judged, and what came out."""
    contract, dataset = job.contract, job.index.dataset
    inputs = example(contract.samples, len(contract.channels), trials=contract.window_seconds is None)
    return {
        "dataset": dataset.name,
        "data_sha256": dataset.sha256,
        "people": sorted(set(job.index.subject.tolist())),
        "labels": list(job.labels),
        **asdict(parity),
        "accuracy_change": parity.change,
        "limits": asdict(limits),
        "file_sha256": hashlib.sha256(content).hexdigest(),
        "size_mb": len(content) / 1e6,
        "mflops": flops(job.graph, *inputs) / 1e6,
    }


def _write(path: Path, content: bytes) -> None:
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)
