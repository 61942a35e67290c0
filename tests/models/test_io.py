from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from otolith.models.io import CHECKPOINT_VERSION, file_sha256, load_into, read_checkpoint, write_checkpoint
from otolith.types import CheckpointError, DataError

TENSORS = {
    "model.weight": torch.arange(6.0).view(2, 3),
    "model.count": torch.tensor(3),
    "texts.x": torch.ones(2).half(),
}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, {"stage": "pretrain", "labels": ["walking"]}, TENSORS)
    return path


def test_round_trip(checkpoint: Path) -> None:
    for path in (checkpoint, checkpoint.parent):  # a file, or the folder that holds it
        found = read_checkpoint(path)
        assert found.meta == {"version": CHECKPOINT_VERSION, "stage": "pretrain", "labels": ["walking"]}
        assert found.tensors.keys() == TENSORS.keys()
        assert all(torch.equal(found.tensors[k], v) and found.tensors[k].dtype == v.dtype for k, v in TENSORS.items())
    assert found.part("model").keys() == {"weight", "count"}
    assert [p.name for p in checkpoint.parent.iterdir()] == ["model.safetensors"]


def test_a_run_folder_gives_its_best(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "latest.safetensors", {"step": 2}, TENSORS)
    write_checkpoint(tmp_path / "best.safetensors", {"step": 1}, TENSORS)
    assert read_checkpoint(tmp_path).meta["step"] == 1


def test_views_of_one_tensor_can_be_written(tmp_path: Path) -> None:
    whole = torch.arange(6.0).view(2, 3)
    write_checkpoint(tmp_path / "a.safetensors", {}, {"t": whole.t()})
    assert torch.equal(read_checkpoint(tmp_path / "a.safetensors").tensors["t"], whole.t())


@pytest.mark.parametrize("where", ["no.safetensors", "empty"])
def test_missing(where: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"there is no checkpoint at .*: give a \.safetensors file, a folder"):
        read_checkpoint(tmp_path / where)


def test_damaged(checkpoint: Path) -> None:
    whole = checkpoint.read_bytes()
    flipped = bytearray(whole)
    flipped[12] ^= 0xFF
    for content in (b"", whole[:5], whole[:100], whole[:-3], bytes(flipped), b"\xff" * 200, b"text\n" * 50):
        checkpoint.write_bytes(content)
        with pytest.raises(CheckpointError, match="is damaged and cannot be read .*: write or download it again"):
            read_checkpoint(checkpoint)


def test_foreign(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    for metadata in (None, {"format": "pt"}):
        save_file({"weight": torch.zeros(2)}, path, metadata=metadata)
        with pytest.raises(CheckpointError, match="is not an otolith checkpoint"):
            read_checkpoint(path)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="damaged"):
        read_checkpoint(path)


@pytest.mark.parametrize("header", [{"version": CHECKPOINT_VERSION + 1}, {"version": None}, {}, [1]])
def test_other_version(header: object, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, path, metadata={"otolith": json.dumps(header)})
    with pytest.raises(CheckpointError, match=rf"this otolith reads version {CHECKPOINT_VERSION}"):
        read_checkpoint(path)


def test_header_that_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, path, metadata={"otolith": "{"})
    with pytest.raises(CheckpointError, match="damaged"):
        read_checkpoint(path)


def test_wrong_shapes_and_names() -> None:
    layer = nn.Linear(3, 2)
    for tensors in ({"weight": torch.zeros(4, 3), "bias": torch.zeros(2)}, {"weight": torch.zeros(2, 3)}):
        with pytest.raises(CheckpointError, match="here does not fit this model: .*(weight|bias)"):
            load_into(layer, tensors, "here")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot write"):
        write_checkpoint(tmp_path / "file" / "model.safetensors", {}, TENSORS)


def test_file_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert file_sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
