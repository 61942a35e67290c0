"""Checkpoints: one safetensors file each, its JSON description in the header. No pickle is ever read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from otolith.files import atomic_file
from otolith.models.hub import fetch, is_hub_id
from otolith.types import CheckpointError

CHECKPOINT_VERSION = 1
_KEY = "otolith"
RELEASED = Path(__file__).parents[1] / "weights"
"""Weights that come with the package."""

_IN_FOLDER = ("model.safetensors", "best.safetensors")  # of a published model, of a training run


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds.

    Attributes:
        meta: JSON description: `version`, `stage`, `model`, `labels`, `parent` and what the stage adds.
        tensors: Every tensor by name; the model's own start with `model.`.
    """

    meta: dict[str, Any]
    tensors: dict[str, Tensor]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose name starts with `prefix.`, without it."""
        return {k.removeprefix(prefix + "."): v for k, v in self.tensors.items() if k.startswith(prefix + ".")}


def write_checkpoint(path: Path, meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Writes a checkpoint in one step: a reader finds the old file or the new.

    Args:
        path: Ends in `.safetensors`.
        meta: JSON values.
        tensors: By name; copied to the CPU.

    Raises:
        DataError: The disk is full or the place is not writable.
    """
    header = {_KEY: json.dumps({"version": CHECKPOINT_VERSION, **meta}, sort_keys=True)}
    plain = {k: v.detach().to("cpu").contiguous() for k, v in tensors.items()}
    with atomic_file(path) as temporary:
        # Not `save_file`, which writes to a temporary file of its own first; a killed process would leave that behind.
        temporary.write_bytes(save(plain, metadata=header))


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint: a file, or a folder that holds `model.safetensors` or a run's `best.safetensors`.

    Where there is neither, the weights of that name that come with the package (`otolith-small`), else the model of
    that name on the Hugging Face hub (`owner/name`).

    Raises:
        CheckpointError: Not there, damaged, not ours, or of another version.
        MissingExtraError: It could be a model of the hub, and the extra `hub` is not installed.
    """
    places = [path / name for name in _IN_FOLDER] if path.is_dir() else [path, RELEASED / f"{path}.safetensors"]
    file = next((place for place in places if place.is_file()), None)
    if file is None and is_hub_id(path.as_posix()):
        file = fetch(path.as_posix())
    if file is None:
        released = ", ".join(released_names())
        raise CheckpointError(
            f"there is no checkpoint at {path}: give a .safetensors file, a folder that holds "
            f"{' or '.join(_IN_FOLDER)}, a name of the weights that come with otolith ({released}), or owner/name of "
            "a model on the Hugging Face hub"
        )
    try:
        with safe_open(file, framework="pt") as handle:
            header = (handle.metadata() or {}).get(_KEY)
            if header is None:
                raise CheckpointError(f"{file} is not an otolith checkpoint: it carries no description of the model")
            meta = json.loads(header)
            _check_version(file, meta)
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, json.JSONDecodeError, OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{file} is damaged and cannot be read ({error}): write or download it again") from error
    return Checkpoint(meta, tensors)


def _check_version(file: Path, meta: Any) -> None:
    version = meta.get("version") if isinstance(meta, dict) else None
    if version != CHECKPOINT_VERSION:
        raise CheckpointError(
            f"{file} has checkpoint version {version}, this otolith reads version {CHECKPOINT_VERSION}: "
            "use the otolith that wrote it, or train again"
        )


def released_names() -> list[str]:
    """The names of the weights that come with the package."""
    return sorted(place.stem for place in RELEASED.glob("*.safetensors"))


def load_into(module: torch.nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """`load_state_dict` with a sentence for the user when the shapes do not fit.

    Raises:
        CheckpointError: Names or shapes differ.
    """
    try:
        module.load_state_dict(dict(tensors))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise CheckpointError(f"{where} does not fit this model: {reason}") from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while piece := handle.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
