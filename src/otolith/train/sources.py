"""The data of a run: datasets opened, windows indexed, split by subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from otolith.data.labels import resolve
from otolith.data.leaks import check_leak, share_recordings
from otolith.data.loader import LoaderConfig, TextTable, Windows, describe_channels
from otolith.data.registry import CARDS
from otolith.data.store import Dataset
from otolith.data.windows import UNLABELLED, Split, WindowIndex, index_windows, overlapping, split_by_subject
from otolith.models.text_cache import TextCache
from otolith.types import ConfigError, DataError, LeakError


@dataclass(frozen=True)
class SourceConfig:
    """Which recordings a run learns from, and which people it is judged on."""

    datasets: tuple[str, ...] = ()
    """Folders of converted datasets."""
    val: float | tuple[str, ...] | None = None
    """Subjects of each dataset that judge checkpoints: a share, or names that occur in at least one of them; nothing
    takes whom the dataset's card names, or a share of 0.15 where no card fixes it."""
    test: float | tuple[str, ...] | None = None
    """Subjects of each dataset that are kept away altogether: a share, names, or nothing, likewise (0.2)."""
    labels: tuple[str, ...] = ()
    """Activities to learn; empty takes all that occur. Other windows count as unlabelled."""
    exclude: tuple[str, ...] = ()
    """Activities of which nothing is used, unlabelled training included: windows that overlap one are left out."""
    split_seed: int = 0
    """Draws the subjects where a share is given; the same for every stage of a chain, or the guard raises."""
    tuned_on: tuple[str, ...] = ()
    """Subjects whose results chose this very configuration. They may train, but a model can no more be judged on them
    than on those who trained it: its history names them."""
    labelled_share: float = 1.0
    """Share of each training side's labels that is used: the same number of each activity (or all that there are of
    it, at least one), drawn with `split_seed`. The other windows count as unlabelled."""
    allow_zero_shot_only: bool = False
    """Train even on datasets whose card reserves them for zero-shot tests."""

    def __post_init__(self) -> None:
        if not self.datasets:
            raise ConfigError("data.datasets is empty: name at least one converted dataset folder")
        if self.split_seed < 0:
            raise ConfigError(f"data.split_seed must be 0 or more, not {self.split_seed}")
        if not 0 < self.labelled_share <= 1:
            raise ConfigError(f"data.labelled_share must be above 0 and at most 1, not {self.labelled_share:g}")


@dataclass(frozen=True)
class Sources:
    """Splits of each dataset, and the texts of their channels."""

    names: list[str]
    splits: list[Split]
    labels: list[str]
    text: TextTable
    hashes: Mapping[str, str] = field(default_factory=dict)
    tuned_on: tuple[str, ...] = ()

    @property
    def train(self) -> list[WindowIndex]:
        """Training windows of each dataset."""
        return [s.train for s in self.splits]

    def labels_by_dataset(self) -> dict[str, set[str]]:
        """The labels of each dataset's training windows."""
        return {
            name: set(np.unique(index.label).tolist()) & set(self.labels)
            for name, index in zip(self.names, self.train, strict=True)
        }

    @property
    def val(self) -> list[WindowIndex]:
        """Validation windows of each dataset."""
        return [s.val for s in self.splits]

    def describe(self) -> dict[str, dict[str, object]]:
        """Which subjects were on which side, and the hash of each dataset; goes into the checkpoint."""
        return {
            name: {
                "sha256": self.hashes[name],
                **{side: sorted(set(getattr(split, side).subject.tolist())) for side in ("train", "val", "test")},
            }
            for name, split in zip(self.names, self.splits, strict=True)
        }


def open_sources(config: SourceConfig, loader: LoaderConfig, texts: TextCache) -> Sources:
    """Opens, indexes and splits windows, and reads the words for their channels; errors as in `split_sources`."""
    sources = split_sources(
        config, lambda d: index_windows(d, loader.window_seconds, loader.step_seconds, view=loader.view)
    )
    return replace(sources, text=texts.table(describe_channels(sources.train, loader.view, upright=loader.upright)))


def split_sources(config: SourceConfig, index: Callable[[Dataset], WindowIndex]) -> Sources:
    """Opens, indexes and splits.

    Args:
        config: Datasets, people, labels.
        index: What the windows of a dataset are.

    Raises:
        ConfigError: A dataset that is reserved for zero-shot tests, or given twice.
        DataError: A label that no training window carries, a subject that no dataset has, or no window is left.
        LeakError: Two datasets share recordings.
    """
    datasets = _open(config)
    splits = _split(config, _without(config.exclude, [index(dataset) for dataset in datasets]))
    check_leak(train=[s.train for s in splits], val=[s.val for s in splits], test=[s.test for s in splits])
    labels = _labels(config, [s.train for s in splits])
    if config.labelled_share < 1:
        splits = [replace(s, train=_fewer_labels(s.train, labels, config)) for s in splits]
    return Sources(
        [d.name for d in datasets], splits, labels, {}, {d.name: d.sha256 for d in datasets}, config.tuned_on
    )


def _open(config: SourceConfig) -> list[Dataset]:
    datasets = [Dataset.open(Path(folder)) for folder in config.datasets]
    for number, dataset in enumerate(datasets):
        twin = next((d for d in datasets[:number] if d.name == dataset.name or d.sha256 == dataset.sha256), None)
        if twin:
            known = "" if twin.name == dataset.name else f", once as '{twin.name}'"
            raise ConfigError(f"data.datasets names '{dataset.name}' twice{known}: give each dataset once")
        card = CARDS.get(dataset.name)
        if card and card.zero_shot_only and not config.allow_zero_shot_only:
            raise ConfigError(
                f"'{dataset.name}' is reserved for zero-shot tests and not for training; "
                "data.allow_zero_shot_only: true trains on it all the same"
            )
    return datasets


def _without(exclude: Sequence[str], indexes: Sequence[WindowIndex]) -> list[WindowIndex]:
    """The windows that do not overlap an excluded activity."""
    excluded = {resolve(label) for label in exclude}
    present = {resolve(activity) for index in indexes for activity in index.dataset.annotations["activity"].unique()}
    absent = sorted(excluded - present)
    if absent:  # a slip of the pen here would train on what is to be held back
        raise DataError(f"data.exclude names '{absent[0]}', which no recording holds: correct it or leave it out")
    kept = [index.take(~overlapping(index, excluded)) for index in indexes]
    for index in kept:
        if not len(index):
            raise DataError(f"data.exclude leaves no window of '{index.dataset.name}': exclude fewer activities")
    return kept


def _split(config: SourceConfig, indexes: Sequence[WindowIndex]) -> list[Split]:
    """Splits each dataset; a dataset takes those of the named subjects that it has."""
    there = [set(index.subject.tolist()) for index in indexes]
    everyone = set().union(*there)
    for key, side in (("val", config.val), ("test", config.test)):
        absent = [name for name in side if name not in everyone] if isinstance(side, tuple) else []
        if absent:
            known = ", ".join(sorted(everyone))
            raise DataError(f"data.{key} names '{absent[0]}', but there is no such subject; subjects are {known}")
    return [
        split_by_subject(
            index,
            val=_of("val", config.val, index.dataset, here),
            test=_of("test", config.test, index.dataset, here),
            seed=config.split_seed,
        )
        for index, here in zip(indexes, there, strict=True)
    ]


_SHARES = {"val": 0.15, "test": 0.2}
"""Of the subjects of a dataset whose card fixes nothing, such as one's own."""


def _of(
    key: str, side: float | tuple[str, ...] | None, dataset: Dataset, subjects: set[str]
) -> float | tuple[str, ...]:
    """The side for one dataset: a share, or those of the named subjects that it has."""
    fixed = dataset.split
    if side is None and fixed is None:
        return _SHARES[key]
    if isinstance(side, float | int):
        return side
    names: tuple[str, ...] = side if side is not None else getattr(fixed, key)
    here = tuple(name for name in names if name in subjects)
    if side is None and names and not here:
        raise DataError(
            f"of the people whom the card of '{dataset.name}' keeps for {key} none is in {dataset.path}; "
            f"give data.{key} as a share or as names"
        )
    return here


def _fewer_labels(train: WindowIndex, labels: Sequence[str], config: SourceConfig) -> WindowIndex:
    """The training windows with a class-balanced share of their labels."""
    present = [label for label in labels if (train.label == label).any()]
    total = int(np.isin(train.label, present).sum())
    each = max(1, round(config.labelled_share * total / max(1, len(present))))
    rng = np.random.default_rng(config.split_seed)
    kept = np.full(len(train), UNLABELLED, dtype=train.label.dtype)
    for label in present:
        rows = np.flatnonzero(train.label == label)
        chosen = rng.choice(rows, min(each, len(rows)), replace=False)
        kept[chosen] = label
    return replace(train, label=kept)


def _labels(config: SourceConfig, train: Sequence[WindowIndex]) -> list[str]:
    present = sorted({str(x) for index in train for x in np.unique(index.label) if x})
    if not config.labels:
        return present
    wanted = [resolve(label) for label in config.labels]
    twice = [label for label in wanted if wanted.count(label) > 1]
    if twice:
        raise ConfigError(f"data.labels names '{twice[0]}' twice: give each activity once")
    missing = [label for label in wanted if label not in present]
    if missing:
        raise DataError(f"no training window is labelled '{missing[0]}'; there are {', '.join(present) or 'none'}")
    return wanted


def evaluation_windows(indexes: Sequence[WindowIndex], sources: Sources, loader: LoaderConfig, limit: int) -> Windows:
    """At most about `limit` windows with one of the labels, evenly spread, unaugmented."""
    chosen = [index.labelled(sources.labels) for index in indexes]
    total = sum(len(c) for c in chosen)
    stride = max(1, -(-total // limit))
    thinned = [c.take(np.arange(0, len(c), stride)) for c in chosen]
    return Windows(thinned, sources.text, loader, labels=sources.labels)


History = Mapping[str, Mapping[str, Sequence[str]]]
"""Of each dataset that a model or its ancestors learnt from: `sha256` of every copy, and who trained, who chose
checkpoints (`val`), and who chose the recipe (`tuned`)."""


def lineage(parent: Mapping[str, Any] | None, sources: Sources) -> dict[str, dict[str, list[str]]]:
    """The history of a model that begins from a parent (its description; None without) and learns from sources."""
    past: History = parent["history"] if parent else {}
    merged = {name: {key: list(values) for key, values in entry.items()} for name, entry in past.items()}
    for name, split in zip(sources.names, sources.splits, strict=True):
        here = {
            "sha256": [sources.hashes[name]],
            "train": split.train.subject.tolist(),
            "val": split.val.subject.tolist(),
            "tuned": list(sources.tuned_on),
        }
        before = merged.get(name, {})
        merged[name] = {key: sorted({*values, *before.get(key, ())}) for key, values in here.items()}
    return merged


def subjects_in(history: History, name: str, sha256: str, sides: Sequence[str]) -> set[str] | None:
    """Who of a dataset was on one of the sides, or None if the dataset never was in use.

    A dataset is known by its name, or under another name by its content.
    """
    entries = [entry for known, entry in history.items() if known == name or sha256 in entry["sha256"]]
    return {subject for entry in entries for side in sides for subject in entry.get(side, ())} if entries else None


def check_chain(parent: History, sources: Sources) -> None:
    """Raises if a validation or test subject was trained on by the parent checkpoint or its ancestors.

    Args:
        parent: `history` of the parent's description.
        sources: Of the child.

    Raises:
        LeakError: A subject on the wrong side, or another dataset with the same recordings.
    """
    for name, split in zip(sources.names, sources.splits, strict=True):
        held = set(split.val.subject.tolist()) | set(split.test.subject.tolist())
        twin = next((other for other in parent if other != name and share_recordings(name, other)), None)
        if twin and held:
            raise LeakError(
                f"'{name}' contains the recordings of '{twin}', on which the parent checkpoint was trained: "
                "hold out no subject of it, or start from another parent"
            )
        leaked = sorted(held & (subjects_in(parent, name, sources.hashes[name], ("train",)) or set()))
        if leaked:
            raise LeakError(
                f"subject {leaked[0]} of '{name}' is held out here, but the parent checkpoint was trained on it: "
                "use the same data.val, data.test and data.split_seed in both stages"
            )
