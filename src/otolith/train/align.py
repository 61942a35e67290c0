"""Stage 2: motion and words into one space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from otolith.data.labels import VOCABULARY, group_of, sentences
from otolith.data.loader import LoaderConfig, Windows
from otolith.data.sampling import SamplingConfig
from otolith.models.calibration import calibrate
from otolith.models.label_bank import LabelBankConfig, class_scores
from otolith.models.model import Otolith
from otolith.objectives.alignment import MemoryBank, alignment_losses, soft_targets
from otolith.train.engine import StageConfig, launch, run_stage
from otolith.train.probe import embed_windows, macro_f1
from otolith.train.sources import Sources, check_chain, evaluation_windows, open_sources
from otolith.train.task import SCORE, Task
from otolith.types import Batch, CheckpointError, ConfigError


@dataclass(frozen=True)
class AlignObjective:
    """The soft-target contrast between windows and label texts."""

    soft_temperature: float = 0.1
    """Of the text similarities that soften the targets."""
    hardness: float = 0.8
    """Weight of a window's own label in its target; the rest goes to labels that mean nearly the same."""
    memory: int = 256
    """Windows of past batches that serve as further negatives; few, since embeddings of many batches ago mislead."""
    memory_warmup: int = 200
    """Batches before the memory is used: while embeddings still move fast, escaping their own past is easier than
    telling activities apart, and learning stalls (measured on HAPT: macro-F1 0.78 against 0.93 after 200 steps)."""

    def __post_init__(self) -> None:
        if self.memory < 1 or not 0 <= self.hardness <= 1 or self.soft_temperature <= 0:
            raise ConfigError("objective: memory must be at least 1, hardness in [0, 1], soft_temperature positive")


@dataclass(frozen=True)
class AlignConfig(StageConfig):
    """Everything that defines a stage-2 run."""

    parent: str = ""
    """Stage-1 checkpoint to start from; empty starts from scratch, with `model`."""
    loader: LoaderConfig = field(default_factory=lambda: LoaderConfig(patch_seconds=(1.0, 0.8, 1.33)))
    sampling: SamplingConfig = field(default_factory=lambda: SamplingConfig(balance_groups=True))
    bank: LabelBankConfig = field(default_factory=LabelBankConfig)
    objective: AlignObjective = field(default_factory=AlignObjective)


class AlignModule(nn.Module):
    """The model, the memory bank and the label texts; `forward` gives the losses."""

    batches: Tensor
    text_tokens: Tensor
    text_mask: Tensor
    sizes: Tensor
    first: Tensor
    group: Tensor
    targets: Tensor

    def __init__(self, model: Otolith, objective: AlignObjective, labels: Sequence[str], names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.objective, self.names = model, objective, list(names)
        self.register_buffer("batches", torch.zeros((), dtype=torch.long))
        self.memory = MemoryBank(objective.memory, model.bank.config.dim)
        model.encoder.mask_token.requires_grad_(False)  # nothing is hidden in this stage
        wordings = [sentences(label) for label in labels]
        tokens, mask = model.texts.tokens([sentence for said in wordings for sentence in said])
        sizes = torch.tensor([len(said) for said in wordings])
        group = np.unique([group_of(label) for label in labels], return_inverse=True)[1]
        # Not in checkpoints: all of these follow from the labels.
        for name, value in {
            "text_tokens": tokens,
            "text_mask": mask,
            "sizes": sizes,
            "first": sizes.cumsum(0) - sizes,
            "group": torch.from_numpy(group),
            "targets": soft_targets(model.texts.sentences(labels), objective.soft_temperature, objective.hardness),
        }.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Losses of a labelled batch: `loss` and that of each dataset. Each label is worded anew for each batch."""
        assert batch.label is not None and batch.dataset is not None
        embedding = self.model.embed(batch)
        pick = self.first + (torch.rand(len(self.sizes), device=self.sizes.device) * self.sizes).long()
        prototypes = self.model.bank(self.text_tokens[pick], self.text_mask[pick])
        scores = class_scores(embedding, prototypes)
        scale = self.model.bank.scale()
        arguments = (self.targets, self.group, scale)
        to_text, to_motion = alignment_losses(scores, batch.label, *arguments, *self._past(prototypes))
        self.memory.push(*_of_all_processes(embedding.detach(), batch.label))
        self.batches += 1
        losses = {"loss": (to_text + to_motion) / 2, "motion_to_text": to_text, "text_to_motion": to_motion}
        losses["temperature"] = 1 / scale.detach()
        with torch.no_grad():
            for number in batch.dataset.unique().tolist():
                rows = batch.dataset == number
                parts = alignment_losses(scores[rows], batch.label[rows], *arguments)
                losses[f"loss/{self.names[number]}"] = (parts[0] + parts[1]) / 2
        return losses

    def _past(self, prototypes: Tensor) -> tuple[Tensor, Tensor] | tuple[()]:
        """Class scores and labels of the memory, once it is warm."""
        if int(self.batches) < self.objective.memory_warmup:
            return ()
        past, label, _ = self.memory.entries()
        return class_scores(past, prototypes), label


def _of_all_processes(*tensors: Tensor) -> list[Tensor]:
    """Tensors of equal shape in all data-parallel processes, joined along the first axis; the same in each process."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return list(tensors)
    joined = []
    for tensor in tensors:
        parts = [torch.empty_like(tensor) for _ in range(torch.distributed.get_world_size())]
        torch.distributed.all_gather(parts, tensor.contiguous())
        joined.append(torch.cat(parts))
    return joined


class AlignTask(Task):
    """Stage 2 for the engine; judged by recognition from the label texts on held-out subjects."""

    stage = "align"

    def __init__(self, model: Otolith, config: AlignConfig, sources: Sources, parent: dict[str, Any] | None) -> None:
        module = AlignModule(model, config.objective, sources.labels, sources.names)
        super().__init__(model, module, sources, config.loader, parent)
        self.model = model
        self.held_out = evaluation_windows(sources.val, sources, config.loader, limit=3000)

    def evaluate(self) -> dict[str, float]:
        """Macro-F1 by text prompt on validation subjects, over all labels and for each dataset over its own."""
        if not len(self.held_out):
            return {SCORE: 0.0}
        prototypes = self.model.prototypes([sentences(label) for label in self.sources.labels])
        embedding = embed_windows(self.model, self.held_out, self.model.embed)
        logits = self.model.logits(torch.from_numpy(embedding).to(prototypes.device), prototypes).cpu()
        self.model.meta["calibration"] = calibrate(logits, torch.from_numpy(self.held_out.label))
        predicted, truth = logits.argmax(1).numpy(), self.held_out.label
        metrics = {SCORE: macro_f1(truth, predicted, range(len(self.sources.labels)))}
        for number, name in enumerate(self.sources.names):
            rows = self.held_out.dataset == number
            if rows.any():
                metrics[f"{SCORE}/{name}"] = macro_f1(truth[rows], predicted[rows], np.unique(truth[rows]))
        return metrics


def align(config: AlignConfig, folder: Path, *, resume: bool = False) -> Path:
    """Runs stage 2.

    Args:
        config: The run.
        folder: Its folder.
        resume: Continue the run that is there.

    Returns:
        The best checkpoint.

    Raises:
        CheckpointError: The parent is not of stage 1.
        ConfigError: No training window has a label.
        LeakError: The parent was trained on a subject that is held out here.
    """
    fabric = launch(config.train)
    torch.manual_seed(config.seed)
    model, parent = _start(config)
    sources = open_sources(config.data, config.loader, model.texts)
    if not sources.labels:
        raise ConfigError("no training window has a label: alignment needs labelled recordings")
    if parent is not None:
        check_chain(parent["history"], sources)
    model.bank.centre(*model.texts.tokens(sorted(VOCABULARY)))
    task = AlignTask(model, config, sources, parent)
    labelled = [index.labelled(sources.labels) for index in sources.train]
    windows = Windows(labelled, sources.text, config.loader, labels=sources.labels, augment=config.augment)
    return run_stage(task, windows, config, folder, fabric, resume=resume)


def _start(config: AlignConfig) -> tuple[Otolith, dict[str, Any] | None]:
    """A fresh model, or the parent's encoder under fresh heads, with the parent's name and hash."""
    if not config.parent:
        return Otolith(config.model, config.bank), None
    stage1 = Otolith.from_pretrained(config.parent)
    stage = stage1.meta.get("stage")
    if stage != "pretrain":  # its head would be lost without a word
        raise CheckpointError(
            f"{config.parent} is of stage '{stage}': start from a checkpoint of stage 1 (otolith pretrain)"
        )
    model = Otolith(stage1.encoder.config, config.bank, texts=stage1.texts)
    model.encoder.load_state_dict(stage1.encoder.state_dict())
    return model, stage1.parentage(config.parent)
