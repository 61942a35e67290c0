"""Windows over recordings, and splits by subject; `otolith.data.leaks` is the guard between two sides of a split."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otolith.data.labels import group_of, resolve
from otolith.data.recording import Annotation
from otolith.data.store import Dataset
from otolith.data.views import ChannelView
from otolith.types import ConfigError, DataError, LeakError

UNLABELLED = ""


@dataclass(frozen=True)
class WindowIndex:
    """Windows of one dataset, as columns of equal length N. Labels stay strings until the last moment.

    Attributes:
        dataset: Where the signals are.
        recording: [N] row in `dataset.recordings`.
        start: [N] first sample.
        length: [N] samples (the same seconds at each recording's own rate).
        subject: [N] who wore the sensor.
        label: [N] canonical activity, or empty where none covers enough of the window.
    """

    dataset: Dataset
    recording: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    subject: NDArray[np.str_]
    label: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.recording)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> WindowIndex:
        """The chosen windows."""
        return WindowIndex(
            self.dataset,
            self.recording[rows],
            self.start[rows],
            self.length[rows],
            self.subject[rows],
            self.label[rows],
        )

    def labelled(self, labels: Iterable[str] | None = None) -> WindowIndex:
        """Windows that have a label, or one of `labels`."""
        return self.take(self.label != UNLABELLED if labels is None else np.isin(self.label, list(labels)))

    def of_subjects(self, subjects: Iterable[str]) -> WindowIndex:
        """Windows of the named subjects."""
        return self.take(np.isin(self.subject, list(subjects)))

    @property
    def group(self) -> NDArray[np.str_]:
        """[N] group of each label; empty where unlabelled."""
        groups = {label: group_of(label) if label else "" for label in np.unique(self.label)}
        return np.array([groups[label] for label in self.label], dtype=np.str_)


def index_windows(
    dataset: Dataset, seconds: float, step: float, purity: float = 0.9, view: ChannelView | None = None
) -> WindowIndex:
    """All windows of a dataset that have no missing sample.

    Args:
        dataset: An opened dataset.
        seconds: Window duration.
        step: Seconds from one start to the next.
        purity: Share of the window that one activity must cover for the window to carry its label.
        view: Channels in which a missing sample matters; None takes all. Recordings of which it keeps nothing (a
            skeleton beside the sensors) have no windows.

    Raises:
        ConfigError: A duration is not positive, or the view keeps nothing of any recording.
        DataError: No recording is as long as one window.
    """
    if not (seconds > 0 and step > 0 and 0 < purity <= 1):
        raise ConfigError(
            f"windows of {seconds} s each {step} s with purity {purity}: seconds and step must be positive, "
            "purity in (0, 1]"
        )
    notes: dict[int, list[Annotation]] = {}
    for row, begin, end, activity in dataset.annotations.itertuples(index=False, name=None):
        notes.setdefault(row, []).append(Annotation(begin, end, resolve(activity)))
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], int, NDArray[np.str_]]] = []
    seen = _seen(dataset, view)
    for row, rate in enumerate(dataset.recordings["rate"]):
        if not seen[row]:
            continue
        length = round(seconds * rate)
        signal = dataset.signal(row)
        if view is not None:
            signal = signal[:, view.columns(dataset.channels(row))]
        starts = window_starts(signal, length, max(1, round(step * rate)))
        label = label_windows(starts / rate, seconds, notes.get(row, ()), purity)
        parts.append((np.full(len(starts), row), starts, length, label))
    if not sum(len(p[0]) for p in parts):
        raise DataError(
            f"dataset '{dataset.name}': no recording holds {seconds:g} s without a gap; use shorter windows"
        )
    recording = np.concatenate([p[0] for p in parts])
    return WindowIndex(
        dataset,
        recording,
        np.concatenate([p[1] for p in parts]),
        np.concatenate([np.full(len(p[0]), p[2]) for p in parts]),
        dataset.recordings["subject"].to_numpy(dtype=np.str_)[recording],
        np.concatenate([p[3] for p in parts]),
    )


def index_trials(dataset: Dataset, shortest: float, view: ChannelView | None = None) -> WindowIndex:
    """Every annotated stretch of a dataset as one window of its own length: a trial from its beginning to its end.

    Args:
        dataset: An opened dataset.
        shortest: Seconds; shorter stretches are left out, as are those with a missing sample.
        view: As in `index_windows`.

    Raises:
        ConfigError: The view keeps nothing of any recording.
        DataError: No stretch is long enough.
    """
    seen = _seen(dataset, view)
    found = []
    for row, begin, end, activity in dataset.annotations.itertuples(index=False, name=None):
        if not seen[row]:
            continue
        signal, rate = dataset.signal(row), float(dataset.recordings["rate"].iloc[row])
        start, stop = round(begin * rate), min(round(end * rate), len(signal))
        part = signal[start:stop] if view is None else signal[start:stop, view.columns(dataset.channels(row))]
        if len(part) >= shortest * rate and not np.isnan(part).any():
            found.append((row, start, stop - start, resolve(activity)))
    if not found:
        raise DataError(f"dataset '{dataset.name}': no annotated stretch holds {shortest:g} s without a gap")
    rows, starts, lengths, labels = (np.array(column) for column in zip(*found, strict=True))
    people = dataset.recordings["subject"].to_numpy(dtype=np.str_)[rows]
    return WindowIndex(dataset, rows, starts, lengths, people, labels.astype(np.str_))


def _seen(dataset: Dataset, view: ChannelView | None) -> list[bool]:
    """Of each recording, whether the view keeps any channel of it (it may be the skeleton beside the sensors)."""
    seen = [view is None or any(map(view.keeps, dataset.channels(row))) for row in range(len(dataset))]
    if view is not None and not any(seen):
        view.columns(dataset.channels(0))  # says what is wanted and what is there
    return seen


def window_starts(signal: NDArray[np.float32], length: int, step: int, *, flush: bool = False) -> NDArray[np.int64]:
    """Starts of all windows of `length` samples in signal [T, C] that hold no NaN.

    With `flush` one more window ends with the signal, so that no time is left over.
    """
    last = len(signal) - length
    starts = np.arange(0, last + 1, step, dtype=np.int64)
    if flush and len(starts) and starts[-1] < last:
        starts = np.append(starts, last)
    missing = np.isnan(signal).any(axis=1)
    if not missing.any():
        return starts
    before = np.concatenate([[0], np.cumsum(missing)])
    kept: NDArray[np.int64] = starts[before[starts + length] == before[starts]]
    return kept


def label_windows(
    starts: NDArray[np.float64], seconds: float, annotations: Sequence[Annotation], purity: float
) -> NDArray[np.str_]:
    """The activity that covers at least `purity` of each window [N], else empty; starts in seconds."""
    best = np.zeros(len(starts))
    label = np.full(len(starts), UNLABELLED, dtype=object)
    covered: dict[str, NDArray[np.float64]] = {}
    for note in annotations:
        overlap = np.minimum(starts + seconds, note.end) - np.maximum(starts, note.start)
        covered[note.activity] = covered.get(note.activity, np.zeros(len(starts))) + np.maximum(overlap, 0)
    for activity, overlap in covered.items():
        wins = (overlap > best) & (overlap >= purity * seconds - 1e-9)
        label[wins], best[wins] = activity, overlap[wins]
    return label.astype(np.str_)


def overlapping(index: WindowIndex, activities: Collection[str]) -> NDArray[np.bool_]:
    """[N] whether any part of a window, however short, is annotated with one of the activities.

    Args:
        index: Windows of one dataset.
        activities: Canonical names.
    """
    rate = index.dataset.recordings["rate"].to_numpy(dtype=np.float64)[index.recording]
    begin, end = index.start / rate, (index.start + index.length) / rate
    found = np.zeros(len(index), dtype=np.bool_)
    for row, first, last, activity in index.dataset.annotations.itertuples(index=False, name=None):
        if resolve(activity) in activities:
            found |= (index.recording == row) & (begin < last) & (end > first)
    return found


@dataclass(frozen=True)
class Split:
    """Three sides with no subject in common; any of them may be empty."""

    train: WindowIndex
    val: WindowIndex
    test: WindowIndex


def split_by_subject(
    index: WindowIndex, *, val: float | Sequence[str], test: float | Sequence[str], seed: int = 0
) -> Split:
    """Splits by subject, never by window.

    Args:
        index: Windows of one dataset.
        val: Share of the subjects (at least one unless 0), or their names.
        test: Likewise.
        seed: Order in which subjects are drawn for shares.

    Raises:
        DataError: A named subject does not exist, or none is left for training.
        LeakError: A subject is named for both sides.
    """
    subjects = sorted(set(index.subject.tolist()), key=natural)
    order = [subjects[i] for i in np.random.default_rng(seed).permutation(len(subjects))]
    test_subjects = _side(test, order, subjects)
    val_subjects = _side(val, [s for s in order if s not in test_subjects], subjects)
    twice = next((s for s in val_subjects if s in test_subjects), None)
    if twice:
        raise LeakError(
            f"subject {twice} of '{index.dataset.name}' on both sides, val and test: name each subject for one of them"
        )
    train_subjects = [s for s in subjects if s not in test_subjects and s not in val_subjects]
    if not train_subjects:
        raise DataError(
            f"dataset '{index.dataset.name}': {len(subjects)} subjects leave none for training; hold out fewer"
        )
    return Split(*(index.of_subjects(s) for s in (train_subjects, val_subjects, test_subjects)))


def natural(name: str) -> tuple[int, str]:
    """Key that sorts `s2` before `s10`: the number in a name, then the name."""
    digits = "".join(c for c in name if c.isdigit())
    return (int(digits) if digits else 0, name)


def _side(side: float | Sequence[str], order: list[str], known: list[str]) -> list[str]:
    if isinstance(side, int | float):
        if not 0 <= side < 1:
            raise ConfigError(f"a share of subjects must be in [0, 1), not {side}")
        return order[: max(1, round(side * len(known)))] if side else []
    unknown = [s for s in side if s not in known]
    if unknown:
        raise DataError(f"there is no subject '{unknown[0]}'; subjects are {', '.join(known)}")
    return list(side)
