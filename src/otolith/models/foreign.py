"""Other people's torch models as frozen features: a factory that builds one, and weights that lie on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from otolith.models.io import load_into
from otolith.types import CheckpointError, ConfigError, DataError


@dataclass(frozen=True)
class ForeignSpec:
    """How a published model is built and asked."""

    factory: str
    """`module:callable`; it builds the `nn.Module`."""
    samples: int
    """Length of its input; windows are resampled to it."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of the factory."""
    per_channel: bool = False
    """The model sees one channel at a time, as [B C, 1, W], and the features of all channels are joined; else all of
    them at once, as [B, C, W]."""
    keyword: str = ""
    """Name of the input; empty gives it by position."""
    ignored: tuple[str, ...] = ()
    """Beginnings of the names of weights that features do without."""
    package: str = ""
    """What pip installs to have the factory."""


FOREIGN: dict[str, ForeignSpec] = {
    "mantis-8m": ForeignSpec(
        "mantis.architecture:Mantis8M", 512, {"device": "cpu"}, per_channel=True, package="mantis-tsfm"
    ),
    "moment-1-small": ForeignSpec(
        "momentfm:MOMENTPipeline",
        512,
        {
            "model_kwargs": {},
            "config": {
                "task_name": "embedding",
                "transformer_type": "encoder_only",
                "transformer_backbone": "google/flan-t5-small",
                "enable_gradient_checkpointing": False,
                "d_model": 512,
                "seq_len": 512,
                "patch_len": 8,
                "patch_stride_len": 8,
                "t5_config": {
                    "model_type": "t5",
                    "d_model": 512,
                    "d_ff": 1024,
                    "d_kv": 64,
                    "num_layers": 8,
                    "num_heads": 6,
                    "feed_forward_proj": "gated-gelu",
                    "layer_norm_epsilon": 1e-6,
                    "is_encoder_decoder": True,
                    "vocab_size": 32128,
                },
            },
        },
        per_channel=True,
        keyword="x_enc",
        ignored=("head.",),
        package="momentfm",
    ),
}
"""Mantis-8M (Feofanov et al. 2025, arXiv:2502.15637; huggingface.co/paris-noah/Mantis-8M) and MOMENT-1-small (Goswami
et al. 2024, arXiv:2402.03885; huggingface.co/AutonLab/MOMENT-1-small, `config.json`). Both know single channels."""


class ForeignNetwork(nn.Module):
    """A foreign model, frozen and always in eval mode.

    Attributes:
        net: The model.
        samples: Length of its input.

    Args:
        factory: `module:callable`; the module is imported, so it must be one that you trust.
        weights: A safetensors file on this machine. Nothing is downloaded, and no pickle is read.
        samples: Length of the model's input.
        spec: What else is to be known of it; nothing gives it all channels at once by position.

    Raises:
        ConfigError: The factory is not there, or builds no module.
        CheckpointError: The weights are not there, of another format, damaged, or of another model.
    """

    def __init__(self, factory: str, weights: Path, samples: int, *, spec: ForeignSpec | None = None) -> None:
        super().__init__()
        if samples < 1:
            raise ConfigError(f"the foreign model '{factory}' needs inputs of 1 sample or more, not {samples}")
        self.samples, self.spec = samples, spec or ForeignSpec(factory, samples)
        tensors = _weights(weights)
        self.net = _build(factory, self.spec)
        kept = {k: v for k, v in tensors.items() if not k.startswith(self.spec.ignored)}
        load_into(self.net, kept, str(weights))
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> ForeignNetwork:
        """Stays in eval mode: what is frozen has no dropout."""
        super().train(False)
        return self

    @torch.no_grad()
    def forward(self, windows: Tensor) -> Tensor:
        """Windows [B, C, W] to features [B, D]; joined over the channels where the model sees one at a time.

        Each sample stands for its share of the window and sits in its middle when the length is changed.

        Raises:
            DataError: The windows have another shape, or the model answers with something else than [B, D].
        """
        if windows.dim() != 3:
            raise DataError(f"a foreign model takes windows [B, C, W], not {list(windows.shape)}")
        x = windows.float()
        if x.shape[2] != self.samples:
            x = F.interpolate(x, self.samples, mode="linear", align_corners=False)
        x = x.flatten(0, 1)[:, None] if self.spec.per_channel else x
        answer: Any = self.net(**{self.spec.keyword: x}) if self.spec.keyword else self.net(x)
        feature = getattr(answer, "embeddings", answer)
        if not isinstance(feature, Tensor) or feature.dim() != 2 or len(feature) != len(x):
            got = f"a tensor {list(feature.shape)}" if isinstance(feature, Tensor) else f"a {type(feature).__name__}"
            raise DataError(f"the model of '{self.spec.factory}' answers with {got}, not with one vector a window")
        return feature.reshape(len(windows), -1)


def load_foreign(name: str, weights: Path) -> ForeignNetwork:
    """One of `FOREIGN` with its published weights; errors as in `ForeignNetwork`."""
    if name not in FOREIGN:
        raise ConfigError(f"there is no foreign model '{name}': use {', '.join(FOREIGN)}, or give a factory")
    spec = FOREIGN[name]
    return ForeignNetwork(spec.factory, weights, spec.samples, spec=spec)


def _weights(path: Path) -> dict[str, Tensor]:
    if path.suffix in (".pt", ".pth", ".bin", ".ckpt", ".pkl"):
        raise CheckpointError(
            f"{path} is a pickle, which could run any code: where you trust it, convert it once with "
            f"safetensors.torch.save_file(torch.load(file, weights_only=True), '{path.stem}.safetensors')"
        )
    if not path.is_file():
        raise CheckpointError(
            f"there are no weights at {path}: download the model's .safetensors file and give its path"
        )
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is no whole safetensors file ({error}): download it again") from error


def _build(factory: str, spec: ForeignSpec) -> nn.Module:
    module, _, name = factory.partition(":")
    if not module or not name:
        raise ConfigError(f"a factory is named 'module:callable', not '{factory}'")
    try:
        build: Any = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        package = spec.package or (error.name or module).partition(".")[0]
        raise ConfigError(
            f"the factory '{factory}' needs the package '{error.name}', which is not here: pip install {package}"
        ) from error
    except AttributeError as error:
        raise ConfigError(f"the module '{module}' has no '{name}': correct the factory '{factory}'") from error
    net: Any = build(**spec.arguments)
    if not isinstance(net, nn.Module):
        raise ConfigError(f"the factory '{factory}' builds a {type(net).__name__} and no torch.nn.Module")
    return net
