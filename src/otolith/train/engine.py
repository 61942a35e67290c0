"""The training loop of every stage: precision, accumulation, schedule, evaluation, checkpoints, resume.

Randomness is drawn afresh for each step from (seed, step), and the data order is a pure function of the seed, so a run
that was killed and resumed ends with the same weights as one that was not.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision.amp import MixedPrecision
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn

from otolith.data.augmenter import AugmentConfig
from otolith.data.loader import Drawable, LoaderConfig, Plan
from otolith.data.sampling import SamplingConfig
from otolith.models.encoder import EncoderConfig
from otolith.train.callbacks import Progress
from otolith.train.run import Run, State
from otolith.train.sources import SourceConfig
from otolith.train.task import SCORE, Task
from otolith.types import ConfigError, OtolithError


@dataclass(frozen=True)
class EngineConfig:
    """How long and how fast to train."""

    steps: int = 2000
    """Optimiser steps."""
    learning_rate: float = 1e-3
    """Peak learning rate of AdamW."""
    warmup: float = 0.1
    """Share of the steps in which the learning rate rises to its peak; a cosine takes it down to 1 % after."""
    weight_decay: float = 0.05
    """On matrices only; biases, norms and single vectors are not decayed."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    accumulate: int = 1
    """Batches a step."""
    precision: str = "bf16-mixed"
    """`32-true`, or `bf16-mixed` (linear layers in bfloat16, attention on CPU and losses in float32)."""
    accelerator: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    devices: int = 1
    """Processes or GPUs on this machine; more than one trains data-parallel (DDP)."""
    compile: bool = False
    """torch.compile: pays on GPUs; on CPUs it was measured to gain nothing and to cost 30 to 70 s."""
    evaluate_every: int = 200
    """Steps between evaluations; also at the end, and where a checkpoint is kept."""
    save_every: int = 200
    """Steps between writes of `latest`; also at the end."""
    keep_every: int = 0
    """Steps between checkpoints that are kept; 0 keeps none but `latest` and `best`."""
    patience: int = 0
    """Evaluations without a better score after which training stops; 0 never stops early."""
    threads: int = 0
    """CPU threads; 0 leaves the default."""

    def __post_init__(self) -> None:
        for name in ("steps", "accumulate", "evaluate_every", "save_every", "devices"):
            if getattr(self, name) < 1:
                raise ConfigError(f"train.{name} must be at least 1, not {getattr(self, name)}")
        for name in ("keep_every", "patience", "threads"):
            if getattr(self, name) < 0:
                raise ConfigError(f"train.{name} must be 0 or more, not {getattr(self, name)}")
        if self.accelerator not in ("auto", "cpu", "cuda"):
            raise ConfigError(f"train.accelerator must be auto, cpu or cuda, not '{self.accelerator}'")
        if self.precision not in ("32-true", "bf16-mixed"):
            raise ConfigError(f"train.precision must be 32-true or bf16-mixed, not '{self.precision}'")
        if not (self.learning_rate > 0 and 0 <= self.warmup < 1 and self.clip > 0 and self.weight_decay >= 0):
            raise ConfigError(
                "train.learning_rate and train.clip must be positive, train.warmup in [0, 1), "
                "train.weight_decay 0 or more"
            )


@dataclass(frozen=True)
class RunConfig:
    """What defines a run of any stage; each stage adds its own."""

    data: SourceConfig
    """Recordings and the split of their subjects."""
    seed: int = 0
    """Of weights, order, augmentation and dropout."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """How an epoch is drawn."""
    train: EngineConfig = field(default_factory=EngineConfig)
    """How long and how fast."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed must be 0 or more and below 2^63, not {self.seed}")

    @property
    def workers(self) -> int:
        """Loader processes; 0 loads in the training process."""
        return 0


@dataclass(frozen=True)
class StageConfig(RunConfig):
    """What defines a run of a stage of the encoder."""

    loader: LoaderConfig = field(default_factory=LoaderConfig)
    """What a batch holds."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Of training batches."""
    model: EncoderConfig = field(default_factory=EncoderConfig)
    """Size of a new encoder."""

    @property
    def workers(self) -> int:
        """As the loader is configured."""
        return self.loader.workers


def learning_rate_factor(step: int, config: EngineConfig) -> float:
    """Linear warm-up, then a cosine down to 1 % (Loshchilov & Hutter 2017, SGDR), as a factor on the peak."""
    warmup = max(1, round(config.warmup * config.steps))
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, config.steps - warmup)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def optimiser(module: nn.Module, config: EngineConfig) -> torch.optim.AdamW:
    """AdamW with weight decay on matrices only."""
    named = [(n, p) for n, p in module.named_parameters() if p.requires_grad]
    groups = [
        {"params": [p for _, p in named if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for _, p in named if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98), fused=True)


class _Autocast(MixedPrecision):
    """Mixed precision of the arithmetic alone.

    Fabric's own also rounds the data before the model sees it. In bfloat16 a signal about 1 g keeps steps of 8 mg, so a
    body at rest would lose its movement, and training would see other data than recognition does.
    """

    def __init__(self, config: EngineConfig) -> None:
        super().__init__("bf16-mixed", "cuda" if _on_gpu(config) else "cpu")

    def convert_input(self, data: Any) -> Any:
        """The data as it is."""
        return data


def _on_gpu(config: EngineConfig) -> bool:
    return config.accelerator == "cuda" or (config.accelerator == "auto" and torch.cuda.is_available())


def launch(config: EngineConfig) -> Fabric:
    """Starts the processes that train; call it once, before data is opened.

    Raises:
        ConfigError: More GPUs are asked for than there are.
    """
    if _on_gpu(config) and torch.cuda.device_count() < config.devices:
        raise ConfigError(
            f"train.accelerator '{config.accelerator}' with train.devices {config.devices} needs as many GPUs, and "
            f"{torch.cuda.device_count()} can be used here: use fewer devices, or train.accelerator cpu"
        )
    if config.threads:
        torch.set_num_threads(config.threads)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    # No broadcast of buffers: every process keeps the same ones by itself.
    strategy = DDPStrategy(broadcast_buffers=False) if max(config.devices, world) > 1 else "auto"
    plugins = None if config.precision == "32-true" else _Autocast(config)
    fabric = Fabric(accelerator=config.accelerator, devices=config.devices, strategy=strategy, plugins=plugins)
    fabric.launch()
    return fabric


def begin(config: RunConfig, folder: Path, *, resume: bool) -> tuple[Fabric, Run]:
    """Starts the processes that train, and looks at the folder before any data is read.

    Args:
        config: The stage's whole configuration; it is written to the folder once training starts.
        folder: Of the run.
        resume: Continue the run that is there.

    Raises:
        ConfigError: The folder holds a run and `resume` is off, or its configuration is another one; or as in `launch`.
    """
    fabric = launch(config.train)
    torch.manual_seed(config.seed)
    return fabric, Run(folder, asdict(config), resume=resume, writes=fabric.is_global_zero)


def run_stage(task: Task, windows: Drawable, config: RunConfig, run: Run, fabric: Fabric) -> Path:
    """Trains a stage in its run folder and draws its curves.

    Args:
        task: The stage.
        windows: What it trains on.
        config: The stage's whole configuration.
        run: From `begin`.
        fabric: Likewise.

    Returns:
        The best checkpoint.
    """
    plan = Plan(windows, config.sampling, config.seed, fabric.global_rank, fabric.world_size)
    fit(task, plan, config.train, run, fabric, seed=config.seed, workers=config.workers)
    if fabric.is_global_zero:
        run.plot()
    return run.best


def fit(
    task: Task, plan: Plan, config: EngineConfig, run: Run, fabric: Fabric, *, seed: int, workers: int = 0
) -> State:
    """Trains a task in a run folder, from its latest checkpoint if it has one.

    Args:
        task: The stage.
        plan: Its batches.
        config: Length, schedule, precision.
        run: Where checkpoints, metrics and plots go.
        fabric: From `launch`.
        seed: Of dropout and the like.
        workers: Loader processes.

    Returns:
        The final state; `run.best` and `run.latest` are written.

    Raises:
        OtolithError: The loss is no longer finite.
    """
    plain = optimiser(task.module, config)
    forward: Any = torch.compile(task.module) if config.compile else task.module
    wrapped, adam = fabric.setup(forward, plain)
    # After the module has moved to its device: the optimiser's state is loaded to where its weights are.
    state = run.restore(task.module, plain, fabric)
    batches = plan.loader(state.step * config.accumulate, workers)
    try:
        with Progress(config.steps, state, enabled=fabric.is_global_zero) as progress:
            while state.step < config.steps and not state.stopped:
                for group in adam.param_groups:
                    group["lr"] = config.learning_rate * learning_rate_factor(state.step, config)
                logs = _step(wrapped, adam, batches, config, fabric, seed, state.step)
                state.step += 1
                run.log(state.step, "train", {**logs, "learning_rate": adam.param_groups[0]["lr"]})
                progress.advance(logs)
                _after(task, adam, config, run, fabric, state, progress)
    finally:
        run.finish()
    return state


def _step(
    module: Any, adam: Any, batches: Iterator[Any], config: EngineConfig, fabric: Fabric, seed: int, step: int
) -> dict[str, float]:
    """One optimiser step over `accumulate` batches; returns mean losses."""
    logs: dict[str, list[float]] = {}
    module.train()
    for part in range(config.accumulate):
        torch.manual_seed(hash((seed, step, part, fabric.global_rank)) % 2**63)
        batch = next(batches).to(fabric.device)
        last = part == config.accumulate - 1
        with fabric.no_backward_sync(module, enabled=not last):
            losses: dict[str, Tensor] = module(batch)
            fabric.backward(losses["loss"] / config.accumulate)
        for name, value in losses.items():
            logs.setdefault(name, []).append(float(value.detach()))
    # A dataset need not occur in every batch of a step.
    total = {name: sum(values) / len(values) for name, values in logs.items()}
    # Of all processes: one that stopped alone would leave the others waiting for it.
    mean: Any = fabric.all_reduce(torch.tensor(total["loss"], device=fabric.device), reduce_op="mean")
    if not math.isfinite(mean):
        raise OtolithError(
            f"the loss is {float(mean)} at step {step + 1}: lower train.learning_rate, or use "
            "train.precision 32-true; resume continues from the last checkpoint"
        )
    fabric.clip_gradients(module, adam, max_norm=config.clip)
    adam.step()
    adam.zero_grad()
    return total


def _after(
    task: Task, adam: Any, config: EngineConfig, run: Run, fabric: Fabric, state: State, progress: Progress
) -> None:
    """Evaluation and checkpoints, where they are due."""
    done = state.step >= config.steps
    kept = bool(config.keep_every) and state.step % config.keep_every == 0
    if done or kept or state.step % config.evaluate_every == 0:
        metrics = _evaluate(task, fabric)
        run.log(state.step, "val", metrics)
        progress.note(state.step, metrics)
        score = metrics.get(SCORE)
        best = score is None or score >= state.best_score  # of equals the later, which has learnt for longer
        if score is not None:
            state.without_gain = 0 if score > state.best_score else state.without_gain + 1
            state.best_score = max(score, state.best_score)
        if best:
            state.best_step = state.step
            run.save_best(task, state, score)
        state.stopped = bool(config.patience and state.without_gain >= config.patience)
        if kept:
            run.save_kept(task, state, score)
    if done or state.stopped or state.step % config.save_every == 0:
        run.save_latest(task, adam, state)
    fabric.barrier()


@torch.no_grad()
def _evaluate(task: Task, fabric: Fabric) -> dict[str, float]:
    """Metrics of rank 0, on all ranks, so that all decide alike."""
    task.module.eval()
    metrics = task.evaluate() if fabric.is_global_zero else {}
    return fabric.broadcast(metrics)
