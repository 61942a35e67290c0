"""`otolith export`: files that say what PyTorch says, and no file that does not."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.conftest import Command, call

from otolith.cli.exporting import prepare, unseen
from otolith.data.recording import Recording
from otolith.data.store import Dataset, DatasetWriter
from otolith.export import graph
from otolith.export.certify import Job
from otolith.export.graph import Cut
from otolith.export.material import exportable, intake
from otolith.models.io import read_checkpoint
from otolith.models.registry import load_model, load_text_model
from otolith.recognise.zeroshot import zero_shot
from otolith.types import LeakError

for package in ("onnx", "onnxruntime", "onnxscript"):
    pytest.importorskip(package, reason="needs the extra `export`")

SMALL = ("model.dim=32", "model.layers=1", "model.heads=2", "train.threads=1", "train.accelerator=cpu",
         "sampling.batch_size=16", "segments.prepare.frames=2")  # fmt: skip
TRIALS = ("segments.samples=60", "segments.patching.size=12", "segments.patching.samples=12")
WINDOWS = ("segments.whole_trials=false", "segments.window_seconds=4", "segments.step_seconds=4",
           "segments.samples=200", "segments.patching.size=50", "segments.patching.samples=64")  # fmt: skip
CERTIFIED = {
    "format", "precision", "kind", "model", "weights_sha256", "otolith_version", "runtime", "calibrated_on",
    "calibration_segments", "dataset", "data_sha256", "people", "labels", "segments", "max_difference",
    "mean_difference", "agreement", "accuracy", "exported_accuracy", "accuracy_change", "limits", "file_sha256",
    "size_mb", "mflops",
}  # fmt: skip


def settings(*values: str) -> list[str]:
    return [word for value in (*SMALL, *values) for word in ("--set", value)]


@pytest.fixture(scope="module")
def data(spar_dataset: Dataset) -> Path:
    return spar_dataset.path


@pytest.fixture(scope="module")
def student(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "student"
    assert call(["distil", "-o", folder, "-d", data, "--steps", 12, *settings(*TRIALS)]) == 0
    return folder / "best.safetensors"


@pytest.fixture(scope="module")
def worded(data: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "worded"
    assert call(["distil", "-o", folder, "-d", data, "--from", checkpoint, "--steps", 6, *settings(*WINDOWS)]) == 0
    return folder / "best.safetensors"


@pytest.fixture(scope="module")
def classes(student: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a student of classes in all precisions."""
    folder = tmp_path_factory.mktemp("export") / "classes"
    precisions = "fp32,int8-dynamic,int8-static"
    arguments = ["export", "-m", student, "-d", data, "-o", folder, "--precision", precisions, "--agreement", 0.9]
    assert call(arguments) == 0
    return folder


@pytest.fixture(scope="module")
def words(worded: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "words"
    assert call(["export", "-m", worded, "-d", data, "-o", folder]) == 0
    return folder


def job_of(model: Path, data: Path, placement: str = "") -> Job:
    loaded, dataset = exportable(load_model(model)), Dataset.open(data)
    return prepare(loaded, dataset, intake(loaded, dataset, None, placement), None, None, inside=True)


def run(file: Path, job: Job, rows: slice) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    feeds = {"signal": job.judged.signal[rows]}
    if job.judged.seconds is not None:
        feeds["seconds"] = job.judged.seconds[rows]
    return session.run(None, feeds)[0]


def metadata(file: Path) -> dict[str, Any]:
    import onnx

    props = {entry.key: entry.value for entry in onnx.load(str(file)).metadata_props}
    assert set(props) == {"otolith"}
    return json.loads(props["otolith"])


def only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    assert len(found) == 1, sorted(folder.iterdir())
    return found[0]


def test_each_file_comes_with_what_was_measured(classes: Path, student: Path) -> None:
    history = load_model(student).meta["history"]["spar"]
    for precision in ("fp32", "int8-dynamic", "int8-static"):
        file = only(classes, f"*-{precision}.onnx")
        about = json.loads(only(classes, f"*-{precision}.certificate.json").read_text())
        assert set(about) == CERTIFIED
        assert about["file_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert about["size_mb"] == file.stat().st_size / 1e6 and about["mflops"] > 0
        assert about["people"] and not set(about["people"]) & {*history["train"], *history["val"]}
        assert about["agreement"] >= 0.9 and about["precision"] == precision
    assert about["calibrated_on"] and set(about["calibrated_on"]) <= set(history["train"])
    sizes = [only(classes, f"*-{name}.onnx").stat().st_size for name in ("fp32", "int8-dynamic", "int8-static")]
    assert sizes[1] < sizes[0] and sizes[2] < sizes[0]
    assert not list(classes.glob(".*"))


def test_the_file_says_what_it_takes(classes: Path, student: Path) -> None:
    model = load_model(student)
    for file in classes.glob("*.onnx"):
        about = metadata(file)
        assert {k: about[k] for k in ("format", "kind", "rate", "samples", "window_seconds", "lowpass")} == {
            "format": 1, "kind": "classes", "rate": 50.0, "samples": 60, "window_seconds": None, "lowpass": 20.0,
        }  # fmt: skip
        assert about["labels"] == model.meta["labels"] and about["embedding"] is None
        assert about["weights_sha256"] == model.fingerprint() and about["history"] == model.meta["history"]
        assert about["preprocessing"] == "inside" and about["otolith_version"] and about["model"] == "student-d32"
        first = about["channels"][0]
        assert first["reference"] == pytest.approx(9.80665) and first["unit"] == "m/s^2" and first["gravity"] is True
        assert first["placement"] == "left wrist or right wrist"
        assert [c["sensor"] + c["axis"] for c in about["channels"]] == [
            "accx",
            "accy",
            "accz",
            "gyrox",
            "gyroy",
            "gyroz",
        ]
        # The exporter's notes name source files of this machine.
        assert b"site-packages" not in file.read_bytes() and b"stack_trace" not in file.read_bytes()


def test_any_batch_gives_each_segment_its_own_answer(classes: Path, student: Path, data: Path) -> None:
    job, file = job_of(student, data), only(classes, "*-fp32.onnx")
    seven = run(file, job, slice(0, 7))
    assert seven.shape == (7, len(job.labels))
    np.testing.assert_allclose(seven, job.judged.answers[:7], atol=1e-4)
    ones = np.concatenate([run(file, job, slice(row, row + 1)) for row in range(7)])
    np.testing.assert_allclose(ones, seven, atol=1e-5)


def test_seconds_are_looked_at(classes: Path, student: Path, data: Path) -> None:
    job, file = job_of(student, data), only(classes, "*-fp32.onnx")
    before = run(file, job, slice(0, 3))
    assert job.judged.seconds is not None
    job.judged.seconds[:3] *= 4
    assert np.abs(run(file, job, slice(0, 3)) - before).max() > 1e-3


@pytest.mark.slow
def test_a_planted_change_is_refused(
    student: Path, data: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shifted(self: graph.Graph, network: Any, cut: Cut, channels: Any, *, inside: bool) -> None:
        starts = cut.starts.copy()
        starts[-1] -= 1  # one patch of five begins a sample too early
        whole(self, network, Cut(starts, cut.matrix), channels, inside=inside)

    whole = graph.Graph.__init__
    monkeypatch.setattr(graph.Graph, "__init__", shifted)
    said = refused("export", "-m", student, "-d", data, "-o", "out", "--outside", "--max-difference", 2e-4)
    assert "is refused and was not written" in said and "may be 0.0002" in said


def scores(embedding: np.ndarray, file: Path) -> np.ndarray:
    """The formula of docs/export.md, in numpy alone."""
    with np.load(file, allow_pickle=False) as held:
        cosine = np.einsum("be,lke->blk", embedding, held["prototypes"])
        score = np.log(np.exp(10 * cosine).mean(axis=2)) / 10
        logits = held["scale"] * score / held["temperature"]
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.slow
def test_words_are_swapped_without_training(words: Path, worded: Path, data: Path, otolith: Command) -> None:
    model, job = load_text_model(worded), job_of(worded, data)
    file, count = only(words, "*.onnx"), len(job.judged.signal)
    about = metadata(file)
    assert about["kind"] == "words" and about["labels"] is None and about["embedding"] == 384
    assert about["window_seconds"] == 4.0 and about["samples"] == 200
    embedding = run(file, job, slice(0, count))
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)
    held = only(words, "*.vocabulary.npz")
    learnt = list(model.meta["labels"])
    np.testing.assert_allclose(scores(embedding, held), zero_shot(model, job.judged.answers, learnt), atol=1e-4)
    others = learnt[:1:-1]
    assert otolith("vocabulary", "-m", worded, "-l", ", ".join(others), "-o", "words.npz").code == 0
    with np.load("words.npz", allow_pickle=False) as held_words:
        assert held_words["labels"].tolist() == others and held_words["threshold"] == 0
        assert held_words["prototypes"].dtype == np.float32
    wanted = zero_shot(model, job.judged.answers, others)
    found = scores(embedding, Path("words.npz"))
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert (found.argmax(1) == wanted.argmax(1)).mean() > 0.999


@pytest.mark.slow
def test_the_encoder_in_a_fixed_shape(checkpoint: Path, data: Path, otolith: Command, tmp_path: Path) -> None:
    arguments = ("export", "-m", checkpoint, "-d", data, "-o", tmp_path / "out", "--placement", "left wrist", "--json")
    outcome = otolith(*arguments)
    assert outcome.code == 0, outcome.err
    (about,) = json.loads(outcome.out)
    assert about["max_difference"] < 1e-4 and about["kind"] == "words"
    job = job_of(checkpoint, data, "left wrist")
    found = run(Path(about["file"]), job, slice(0, 7))
    np.testing.assert_allclose(found, job.judged.answers[:7], atol=1e-4)
    assert {c["placement"] for c in metadata(Path(about["file"]))["channels"]} == {"left wrist"}


def test_what_cannot_be_exported_is_said(
    student: Path, worded: Path, checkpoint: Path, run_folder: Path, data: Path, refused: Callable[..., str]
) -> None:
    to = ("-d", data, "-o", "out")
    assert "--format coreml" in refused("export", "-m", student, *to, "--format", "coreml")
    assert "--precision int4" in refused("export", "-m", student, *to, "--precision", "fp32,int4")
    assert "fixed classes" in refused("export", "-m", student, *to, "-l", "walking,sitting")
    assert "no other rate" in refused("export", "-m", worded, *to, "--rate", 100)
    assert "--placement" in refused("export", "-m", checkpoint, *to)
    assert ".npz" in refused("vocabulary", "-m", worded, "-l", "walking,sitting", "-o", "words.json")
    assert "knows no words" in refused("vocabulary", "-m", student, "-l", "walking,sitting", "-o", "words.npz")


def test_nobody_who_was_seen_is_judged_or_calibrated_on(
    student: Path, session_dataset: Path, data: Path, refused: Callable[..., str]
) -> None:
    arguments = ("export", "-m", student, "-d", data, "-o", "out", "--precision", "int8-static")
    assert "people of training" in refused(*arguments, "--calibrate", session_dataset)
    loaded = exportable(load_model(student))
    config = intake(loaded, Dataset.open(data))
    index = config.index(Dataset.open(data))
    judged = set(unseen(index, loaded).subject.tolist())
    seen = {who for side in ("train", "val") for who in loaded.meta["history"]["spar"][side]}
    assert judged and not judged & seen


def test_a_dataset_with_the_same_recordings_is_no_judge(student: Path, spar_recordings: list[Recording]) -> None:
    loaded = exportable(load_model(student))
    with DatasetWriter("hapt", "hapt") as writer:
        writer.add(spar_recordings[0])
    dataset = Dataset.open(Path("hapt"))
    loaded.meta["history"] = {"uci_har": {"sha256": ["0"], "train": ["1"]}}
    with pytest.raises(LeakError, match="same recordings"):
        unseen(intake(loaded, dataset).index(dataset), loaded)


def test_dynamic_patches_have_no_graph(student: Path, data: Path, refused: Callable[..., str], tmp_path: Path) -> None:
    model = load_model(student)
    model.meta["segments"]["patching"]["dynamic"] = True
    model.save(tmp_path / "dynamic.safetensors")
    assert "dynamic" in refused("export", "-m", tmp_path / "dynamic.safetensors", "-d", data, "-o", "out")
    assert read_checkpoint(student).meta["segments"]["patching"]["dynamic"] is False


@pytest.mark.parametrize(
    ("form", "package", "extra"), [("onnx", "onnx", "export"), ("litert", "litert_torch", "litert")]
)
def test_a_missing_extra_is_named(
    form: str,
    package: str,
    extra: str,
    student: Path,
    data: Path,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert f"otolith[{extra}]" in refused("export", "-m", student, "-d", data, "-o", "out", "--format", form)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("litert_torch") is None, reason="needs the extra `litert`")
def test_litert_says_the_same(student: Path, data: Path, otolith: Command, tmp_path: Path) -> None:
    arguments = ("export", "-m", student, "-d", data, "-o", tmp_path / "out", "--format", "litert")
    outcome = otolith(*arguments, "--precision", "fp32,int8-dynamic", "--agreement", 0.9, "--json")
    assert outcome.code == 0, outcome.err
    first, second = json.loads(outcome.out)
    assert first["max_difference"] < 1e-4 and second["size_mb"] < first["size_mb"]
    assert json.loads(only(tmp_path / "out", "*fp32.json").read_text())["kind"] == "classes"
