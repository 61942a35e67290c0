"""Stage 2: motion and words into one space."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from otolith.data.labels import VOCABULARY, group_of, kind_of, sentences, with_general
from otolith.data.loader import LoaderConfig, Windows
from otolith.data.sampling import SamplingConfig
from otolith.models.calibration import calibrate
from otolith.models.label_bank import LabelBankConfig, class_scores
from otolith.models.model import Otolith
from otolith.objectives.alignment import MemoryBank, alignment_losses
from otolith.objectives.relations import LabelRelations, relate
from otolith.train.engine import StageConfig, begin, run_stage
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
    targets: Tensor
    undecided: Tensor
    apart: Tensor
    general: Tensor
    asked: Tensor

    def __init__(
        self,
        model: Otolith,
        objective: AlignObjective,
        labels: Sequence[str],
        datasets: Mapping[str, Collection[str]],
    ) -> None:
        super().__init__()
        self.model, self.objective, self.names = model, objective, list(datasets)
        self.register_buffer("batches", torch.zeros((), dtype=torch.long))
        self.memory = MemoryBank(objective.memory, model.bank.config.dim)
        model.encoder.mask_token.requires_grad_(False)  # nothing is hidden in this stage
        labels = with_general(labels)
        wordings = [sentences(label) for label in labels]
        tokens, mask = model.texts.tokens([sentence for said in wordings for sentence in said])
        sizes = torch.tensor([len(said) for said in wordings])
        group = np.unique([group_of(label) for label in labels], return_inverse=True)[1]
        general = [labels.index(kind_of(label) or label) for label in labels]
        relations = relate(
            model.texts.sentences(labels),
            torch.from_numpy(group),
            torch.tensor(general),
            objective.soft_temperature,
            objective.hardness,
        )
        asked = [set(with_general(list(own))) for own in datasets.values()]
        # Not in checkpoints: all of these follow from the labels.
        for name, value in {
            "text_tokens": tokens,
            "text_mask": mask,
            "sizes": sizes,
            "first": sizes.cumsum(0) - sizes,
            **vars(relations),
            "asked": torch.tensor([[label in own for label in labels] for own in asked]),
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
        relations = LabelRelations(self.targets, self.undecided, self.apart, self.general)
        asked = self.asked[batch.dataset]
        to_text, to_motion = alignment_losses(scores, batch.label, relations, scale, asked, *self._past(prototypes))
        place = torch.where(batch.label < 0, -1, batch.label + len(self.sizes) * batch.dataset)
        self.memory.push(*_of_all_processes(embedding.detach(), place))
        self.batches += 1
        losses = {"loss": (to_text + to_motion) / 2, "motion_to_text": to_text, "text_to_motion": to_motion}
        losses["temperature"] = 1 / scale.detach()
        with torch.no_grad():
            for number in batch.dataset.unique().tolist():
                rows = batch.dataset == number
                parts = alignment_losses(scores[rows], batch.label[rows], relations, scale, asked[rows])
                losses[f"loss/{self.names[number]}"] = (parts[0] + parts[1]) / 2
        return losses

    def _past(self, prototypes: Tensor) -> tuple[Tensor, Tensor, Tensor] | tuple[()]:
        """Class scores of the memory, once it is warm, its labels, and the labels that are choices for its windows."""
        if int(self.batches) < self.objective.memory_warmup:
            return ()
        past, place, filled = self.memory.entries()
        label = torch.where(filled, place % len(self.sizes), -1)
        return class_scores(past, prototypes), label, self.asked[(place // len(self.sizes)).clamp(min=0)]


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
        self.known = sources.labels_by_dataset()
        module = AlignModule(model, config.objective, sources.labels, self.known)
        super().__init__(model, module, sources, config.loader, parent)
        self.model = model
        self.held_out = evaluation_windows(sources.val, sources, config.loader, limit=3000)

    def evaluate(self) -> dict[str, float]:
        """Macro-F1 by text prompt on validation subjects of each dataset among its own labels, and the mean of them."""
        if not len(self.held_out):
            return {}
        prototypes = self.model.prototypes([sentences(label) for label in self.sources.labels])
        embedding = embed_windows(self.model, self.held_out, self.model.embed)
        logits = self.model.logits(torch.from_numpy(embedding).to(prototypes.device), prototypes).cpu()
        self.model.meta["calibration"] = calibrate(logits, torch.from_numpy(self.held_out.label))
        truth, metrics = self.held_out.label, {}
        for number, name in enumerate(self.sources.names):
            rows = self.held_out.dataset == number
            if rows.any():  # asked among its own labels: that walking on a treadmill is walking is no mistake
                own = [i for i, label in enumerate(self.sources.labels) if label in self.known[name]]
                said = np.array(own)[logits[rows][:, own].argmax(1).numpy()]
                metrics[f"{SCORE}/{name}"] = macro_f1(truth[rows], said, np.unique(truth[rows]))
        metrics[SCORE] = float(np.mean(list(metrics.values())))
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
        CheckpointError: The parent is of neither stage, or its label bank has other sizes.
        ConfigError: No training window has a label.
        LeakError: The parent was trained on a subject that is held out here.
    """
    fabric, run = begin(config, folder, resume=resume)
    model, parent = _start(config)
    sources = open_sources(config.data, config.loader, model.texts)
    if not sources.labels:
        raise ConfigError("no training window has a label: alignment needs labelled recordings")
    if parent is not None:
        check_chain(parent["history"], sources)
    if parent is None or parent["stage"] == "pretrain":  # a bank that has learnt keeps its centre
        model.bank.centre(*model.texts.tokens(sorted(VOCABULARY)))
    task = AlignTask(model, config, sources, parent)
    labelled = [index.labelled(sources.labels) for index in sources.train]
    windows = Windows(labelled, sources.text, config.loader, labels=sources.labels, augment=config.augment)
    return run_stage(task, windows, config, run, fabric)


def _start(config: AlignConfig) -> tuple[Otolith, dict[str, Any] | None]:
    """A fresh model, one of stage 1 under fresh heads, or one of this stage to go on with; and who it learnt from."""
    if not config.parent:
        return Otolith(config.model, config.bank), None
    begun = Otolith.from_pretrained(config.parent)
    stage, about = begun.meta.get("stage"), begun.parentage(config.parent)
    if stage == "align" and begun.bank.config == config.bank:
        begun.meta = {}
        return begun, about
    if stage != "pretrain":
        raise CheckpointError(
            f"{config.parent} is of stage '{stage}' with a bank of {begun.bank.config.prototypes} prototypes: start "
            "from a checkpoint of stage 1 (otolith pretrain), or of stage 2 with the same bank"
        )
    model = Otolith(begun.encoder.config, config.bank, texts=begun.texts)
    model.encoder.load_state_dict(begun.encoder.state_dict())
    return model, about
