"""Pretraining a baseline network without labels, by the loss of its own paper, on the segments of training people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from otolith.data.segments import Segments
from otolith.models.classifier import NetworkClassifier
from otolith.models.networks import PRETRAINABLE
from otolith.train.engine import begin, run_stage
from otolith.train.sources import Sources, split_sources
from otolith.train.supervised import SegmentRun, SegmentTask, check_whole_windows, normalise
from otolith.types import ConfigError, SegmentBatch


@dataclass(frozen=True)
class ReconstructConfig(SegmentRun):
    """Everything that defines a run of this stage."""

    network: str = "limu-bert"
    """One of `PRETRAINABLE`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network not in PRETRAINABLE:
            raise ConfigError(f"'{self.network}' does not learn without labels: use {', '.join(PRETRAINABLE)}")
        check_whole_windows(self.segments, self.network)
        if self.train.patience:
            raise ConfigError("train.patience must be 0: this stage has no score that could stop rising")


class ReconstructModule(nn.Module):
    """The network; `forward` gives its losses.

    Attributes:
        seen: Batches seen in training, so that a resumed run knows how far it is.
    """

    seen: Tensor

    def __init__(self, model: NetworkClassifier, batches: int) -> None:
        super().__init__()
        self.model, self.batches = model, batches
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))
        model.net.reader.requires_grad_(False)  # data-parallel training waits for the gradient of every other weight

    def forward(self, batch: SegmentBatch) -> dict[str, Tensor]:
        """Losses of a batch; in eval mode those of the end of training."""
        progress = 1.0
        if self.training:
            progress = float(self.seen) / self.batches
            self.seen += 1
        losses: dict[str, Tensor] = self.model.net.pretraining_loss(self.model.windows(batch), progress)
        return losses


class ReconstructTask(SegmentTask):
    """Pretraining for the engine, without a score: its latest checkpoint is kept."""

    stage = "reconstruct"

    def __init__(
        self, model: NetworkClassifier, module: ReconstructModule, sources: Sources, config: ReconstructConfig
    ) -> None:
        super().__init__(model, module, sources, config)
        chosen = [index for index in sources.val if len(index)]  # with and without labels
        self.held_out = Segments(chosen, config.segments) if chosen else None

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """No score, and the losses on validation people, always with the same stretches hidden."""
        if self.held_out is None:
            return {}
        total: dict[str, float] = {}
        device = next(self.module.parameters()).device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            for batch, rows in self.held_out.batches():
                for name, value in self.module(batch.to(device)).items():
                    total[name] = total.get(name, 0.0) + float(value) * len(rows) / len(self.held_out)
        return total


def reconstruct(config: ReconstructConfig, folder: Path, *, resume: bool = False) -> Path:
    """Pretrains a network; `finetune` begins with it.

    Args:
        config: The run.
        folder: Its folder.
        resume: Continue the run that is there.

    Returns:
        The last checkpoint.
    """
    fabric, run = begin(config, folder, resume=resume)
    sources = split_sources(config.data, config.segments.index)
    segments = Segments(sources.train, config.segments, augment=config.augment)
    model = NetworkClassifier(config.network, len(segments.channels), config.segments.samples, labels=0)
    normalise(model, segments)
    module = ReconstructModule(model, config.train.steps * config.train.accumulate)
    task = ReconstructTask(model, module, sources, config)
    return run_stage(task, segments, config, run, fabric)
