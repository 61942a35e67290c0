"""`otolith pretrain`, `align`, `teach`, `distil`, `finetune` and `reconstruct`: from a YAML and flags to a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from otolith.types import ConfigError

Config = Annotated[Path | None, typer.Option("--config", "-c", help="YAML with the run's configuration.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")]
Data = Annotated[list[Path] | None, typer.Option("--data", "-d", help="Converted dataset; may be given several times.")]
Size = Annotated[str | None, typer.Option("--size", help="Encoder: tiny, small or base.")]
Steps = Annotated[int | None, typer.Option("--steps", help="Optimiser steps.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of weights, order and augmentation.")]
Devices = Annotated[int | None, typer.Option("--devices", help="Processes or GPUs to train on (data-parallel).")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Any other value: key=value, for example train.clip=0.5.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def pretrain(
    output: Output,
    data: Data = None,
    config: Config = None,
    size: Size = None,
    steps: Steps = None,
    seed: Seed = None,
    devices: Devices = None,
    assign: Set = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Stage 1: learn from unlabelled recordings (masked patches and contrast)."""
    from otolith.config import build
    from otolith.models.encoder import SIZES
    from otolith.train.pretrain import PretrainConfig
    from otolith.train.pretrain import pretrain as run

    values = _compose(
        config, output, resume, assign, SIZES, data=data, size=size, steps=steps, seed=seed, devices=devices
    )
    _report(run(build(PretrainConfig, values), output, resume=resume), as_json)


def align(
    output: Output,
    data: Data = None,
    parent: Annotated[
        Path | None, typer.Option("--from", help="Checkpoint of pretrain to start from, or of align to go on with.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Activities to learn, separated by commas; all by default.")
    ] = None,
    config: Config = None,
    size: Size = None,
    steps: Steps = None,
    seed: Seed = None,
    devices: Devices = None,
    assign: Set = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Stage 2: align motion with the words for it, from labelled recordings."""
    from otolith.config import build
    from otolith.models.encoder import SIZES
    from otolith.train.align import AlignConfig
    from otolith.train.align import align as run

    values = _compose(
        config, output, resume, assign, SIZES, data=data, size=size, steps=steps, seed=seed, devices=devices
    )
    if parent is not None:
        values["parent"] = str(parent)
    if labels is not None:
        _section(values, "data")["labels"] = [label.strip() for label in labels.split(",")]
    _report(run(build(AlignConfig, values), output, resume=resume), as_json)


def teach(
    output: Output,
    data: Data = None,
    config: Config = None,
    size: Annotated[str | None, typer.Option("--size", help="Teacher: teacher or teacher-small.")] = None,
    steps: Steps = None,
    seed: Seed = None,
    devices: Devices = None,
    assign: Set = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train a teacher that sees skeleton and sensors, from labels."""
    from otolith.config import build
    from otolith.models.registry import TEACHERS
    from otolith.train.teach import TeachConfig
    from otolith.train.teach import teach as run

    values = _compose(
        config, output, resume, assign, TEACHERS, data=data, size=size, steps=steps, seed=seed, devices=devices
    )
    _report(run(build(TeachConfig, values), output, resume=resume), as_json)


def distil(
    output: Output,
    data: Data = None,
    teachers: Annotated[
        list[Path] | None,
        typer.Option("--from", help="Teacher: a checkpoint of teach, of align, or several; none learns from labels."),
    ] = None,
    config: Config = None,
    size: Annotated[str | None, typer.Option("--size", help="Student: student, student-small or student-tiny.")] = None,
    steps: Steps = None,
    seed: Seed = None,
    devices: Devices = None,
    assign: Set = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train a student that sees the sensors alone, from teachers, labels, or both."""
    from otolith.config import build
    from otolith.models.registry import STUDENTS
    from otolith.train.distil import DistilConfig
    from otolith.train.distil import distil as run

    values = _compose(
        config, output, resume, assign, STUDENTS, data=data, size=size, steps=steps, seed=seed, devices=devices
    )
    if teachers:
        values["teachers"] = [str(file) for file in teachers]
    _report(run(build(DistilConfig, values), output, resume=resume), as_json)


def finetune(
    output: Output,
    data: Data = None,
    network: Annotated[
        str | None, typer.Option("--network", help="otolith-tiny, otolith-small, otolith-base, cnn, tinyhar, ...")
    ] = None,
    parent: Annotated[
        Path | None,
        typer.Option("--from", help="Checkpoint to start from: of pretrain or align, or of reconstruct for a net."),
    ] = None,
    config: Config = None,
    steps: Steps = None,
    seed: Seed = None,
    devices: Devices = None,
    assign: Set = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train the encoder, or a network of others, to tell classes apart, from labels."""
    from otolith.config import build
    from otolith.train.finetune import FineTuneConfig
    from otolith.train.finetune import finetune as run

    values = _compose(config, output, resume, assign, {}, data=data, size=None, steps=steps, seed=seed, devices=devices)
    values |= {k: v for k, v in (("network", network), ("parent", parent and str(parent))) if v is not None}
    _report(run(build(FineTuneConfig, values), output, resume=resume), as_json)


def reconstruct(
    output: Output,
    data: Data = None,
    network: Annotated[str | None, typer.Option("--network", help="limu-bert or crosshar.")] = None,
    config: Config = None,
    steps: Steps = None,
    seed: Seed = None,
    devices: Devices = None,
    assign: Set = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Let a network of others learn without labels first, by the loss of its paper."""
    from otolith.config import build
    from otolith.train.reconstruct import ReconstructConfig
    from otolith.train.reconstruct import reconstruct as run

    values = _compose(config, output, resume, assign, {}, data=data, size=None, steps=steps, seed=seed, devices=devices)
    if network is not None:
        values["network"] = network
    _report(run(build(ReconstructConfig, values), output, resume=resume), as_json)


def _compose(
    config: Path | None, output: Path, resume: bool, assign: list[str] | None, sizes: Mapping[str, Any], **flags: Any
) -> dict[str, Any]:
    """The YAML (of the run that is resumed, if none is named), then `--size`, the flags, and `--set`."""
    from otolith.config import override, read_yaml

    written = output / "config.yaml"
    values = read_yaml(config) if config else read_yaml(written) if resume and written.exists() else {}
    if flags["size"]:
        values["model"] = _size(flags["size"], sizes)
    if flags["data"]:
        _section(values, "data")["datasets"] = [str(folder) for folder in flags["data"]]
    for flag in ("steps", "devices"):
        if flags[flag] is not None:
            _section(values, "train")[flag] = flags[flag]
    if flags["seed"] is not None:
        values["seed"] = flags["seed"]
    values = override(values, assign or [])
    if not _section(values, "data").get("datasets"):
        raise ConfigError(
            "no data to train on: name a converted dataset with --data FOLDER, or data.datasets in --config"
        )
    return values


def _section(values: dict[str, Any], name: str) -> dict[str, Any]:
    """The keys and values under a key, there for setting; an empty one is none."""
    if values.get(name) is None:
        values[name] = {}
    if not isinstance(values[name], dict):
        raise ConfigError(f"'{name}' must hold keys and values, not {values[name]!r}")
    section: dict[str, Any] = values[name]
    return section


def _size(name: str, sizes: Mapping[str, Any]) -> dict[str, Any]:
    from dataclasses import asdict

    if name not in sizes:
        raise ConfigError(f"there is no size '{name}': use {', '.join(sizes)}")
    return asdict(sizes[name])


def _report(best: Path, as_json: bool) -> None:
    from otolith.models.io import read_checkpoint

    meta = read_checkpoint(best).meta
    score = meta["score"]
    if as_json:
        typer.echo(json.dumps({"checkpoint": str(best), "step": meta["step"], "macro_f1": score}))
        return
    how = (
        f"macro-F1 {score:.3f} on held-out subjects"
        if score is not None
        else "the last one: there was nothing to choose by"
    )
    typer.echo(f"best checkpoint: {best} (step {meta['step']}, {how})")
