"""The guard that finds what two sides of a split have in common, and names it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from otolith.data.registry import CARDS
from otolith.data.windows import WindowIndex, natural
from otolith.types import LeakError

Kind = Literal["subjects", "recordings", "time", "origin", "copied recordings", "copied windows"]

_BATCH = 256
_MOST_NAMED = 12
_SAME_TIME = 1e-6  # s: windows that touch do not overlap


@dataclass(frozen=True)
class Leak:
    """One way in which two sides of a split know each other.

    Attributes:
        kind: `subjects` and `recordings` are the same ones of one dataset, `time` is the same seconds of a recording,
            `origin` is two datasets of which a card says that they hold the same recordings, and what is copied is
            the same byte for byte, whatever its name and dataset.
        sides: Names of both sides.
        datasets: The dataset on each.
        names: The subjects or recordings concerned, as the second side names them.
        windows: How many windows of the second side are concerned.
        seconds: How long these last, time that several of them cover counted once; for `time`, what both sides cover.
        sentence: All this in words, and how to mend it.
    """

    kind: Kind
    sides: tuple[str, str]
    datasets: tuple[str, str]
    names: tuple[str, ...]
    windows: int
    seconds: float
    sentence: str


def check_leak(*, contents: bool = False, **sides: Sequence[WindowIndex]) -> None:
    """Raises if two sides of a split share a person, a recording, or, where asked, the samples themselves.

    Args:
        contents: As in `find_leaks`.
        **sides: Name of each side and its window indexes, for example `train=[...]`, `test=[...]`.

    Raises:
        LeakError: The first leak of `find_leaks`, and how many more there are.
    """
    found = find_leaks(contents=contents, **sides)
    if found:
        more = len(found) - 1
        rest = f" ({more} more leak{'s' if more > 1 else ''} found)" if more else ""
        raise LeakError(found[0].sentence + rest)


def find_leaks(*, contents: bool = False, **sides: Sequence[WindowIndex]) -> list[Leak]:
    """Everything that each two sides of a split have in common.

    A dataset is known by its name, or under another name by its content; subjects and recordings by their names in it.

    Args:
        contents: Also compare hashes (64 bits) of the samples of every window and of every whole recording, across
            all datasets. It reads all signals once and keeps 8 bytes a window. Not found are copies that begin at
            another sample than the windows do, or were resampled, filtered, or given in another unit or channel order.
            Windows and recordings in which no channel ever changes are left out: a sensor that is off, or lies still,
            reads the same anywhere, so they say nothing about where they came from.
        **sides: Name of each side and its window indexes, for example `train=[...]`, `test=[...]`.

    Returns:
        The leaks, by pairs of sides in the order given; none where all is well.
    """
    digests = {id(index): _Digests(index) for each in sides.values() for index in each if contents and len(index)}
    found: list[Leak] = []
    for left, right in combinations(sides, 2):
        for x in sides[left]:
            for y in sides[right]:
                if len(x) and len(y):
                    pair = _Pair((left, right), x, y)
                    found += pair.by_name()
                    found += pair.by_content(digests[id(x)], digests[id(y)]) if contents else ()
    return found


def share_recordings(one: str, other: str) -> bool:
    """Whether two different datasets were made from the same recordings, as their cards say."""
    return any(b in CARDS[a].shares_recordings_with for a, b in ((one, other), (other, one)) if a in CARDS)


def check_statistics(
    mean: ArrayLike,
    std: ArrayLike,
    expected_mean: ArrayLike,
    expected_std: ArrayLike,
    *,
    tolerance: float = 2e-4,
) -> None:
    """Raises if a model's normaliser was not fitted on the training side alone.

    Args:
        mean: [C] as the model stores it.
        std: [C] likewise.
        expected_mean: [C] as a normaliser stores it that was fitted on the training side just now.
        expected_std: [C] likewise, with the same lower limit.
        tolerance: Largest difference, as a share of the expected deviation. Rounding to float32 stays below the
            default where a channel varies by 1e-3 of its level or more; one more person is far above it.

    Raises:
        LeakError: They differ, or are of another number of channels.
    """
    stored, expected = (
        np.stack([np.asarray(m, np.float64).ravel(), np.asarray(s, np.float64).ravel()])
        for m, s in ((mean, std), (expected_mean, expected_std))
    )
    mend = "fit it again on the training people alone"
    if stored.shape != expected.shape:
        raise LeakError(
            f"the model's normaliser is of {stored.shape[1]} channels, the training side of {expected.shape[1]}: {mend}"
        )
    scale = np.maximum(expected[1], np.finfo(np.float32).tiny)
    off = np.abs(stored - expected) / scale
    if not (off <= tolerance).all():
        which, channel = np.unravel_index(np.argmax(np.nan_to_num(off, nan=np.inf)), off.shape)
        what = ("mean", "deviation")[which]
        raise LeakError(
            f"the model's normaliser holds the {what} {stored[which, channel]:.6g} for channel {channel}, where the "
            f"training side gives {expected[which, channel]:.6g}: it has seen others, {mend}"
        )


class _Pair:
    """One dataset's windows on each of two sides, neither of them empty."""

    def __init__(self, sides: tuple[str, str], x: WindowIndex, y: WindowIndex) -> None:
        self.sides, self.x, self.y = sides, x, y
        self.datasets = (x.dataset.name, y.dataset.name)
        self.one = x.dataset.name == y.dataset.name or x.dataset.sha256 == y.dataset.sha256
        self.used = (_recordings(x), _recordings(y))
        self.shared = sorted(self.used[0].keys() & self.used[1].keys(), key=natural) if self.one else []
        self.which = f"'{self.datasets[1]}'"
        if self.one and self.datasets[0] != self.datasets[1]:
            self.which += f" (which is '{self.datasets[0]}' under another name)"

    def by_name(self) -> Iterator[Leak]:
        """What the names of subjects, recordings and datasets, and the times of windows, tell."""
        left, right = self.sides
        both = f"on both sides, {left} and {right}"
        if not self.one:
            if share_recordings(*self.datasets):
                one, other = self.datasets
                text = f"'{one}' ({left}) and '{other}' ({right}) contain the same recordings: keep them on one side"
                yield self._leak("origin", (), np.ones(len(self.y), np.bool_), text)
            return
        people = sorted(set(self.x.subject.tolist()) & set(self.y.subject.tolist()), key=natural)
        if people:
            said = f"subject{_s(people)} {_named(people)} of {self.which}"
            yield self._leak("subjects", people, np.isin(self.y.subject, people), f"{said} {both}: split by subject")
        if self.shared:
            said = f"recording{_s(self.shared)} {_named(self.shared)} of {self.which}"
            again = np.isin(self.y.recording, [self.used[1][name] for name in self.shared])
            yield self._leak("recordings", self.shared, again, f"{said} {both}: keep each recording on one side")
            yield from self._by_time()

    def _by_time(self) -> Iterator[Leak]:
        """Seconds of the same recording that both sides cover."""
        left, right = self.sides
        known, here = _windows_of(self.x), _windows_of(self.y)
        hit = np.zeros(len(self.y), np.bool_)
        names, seconds = [], 0.0
        for name in self.shared:
            rows = here[self.used[1][name]]
            before, own = _union(_seconds(self.x, known[self.used[0][name]])), _seconds(self.y, rows)
            last = np.searchsorted(before[:, 0], own[:, 1] - _SAME_TIME) - 1
            hit[rows] = (last >= 0) & (before[last, 1] > own[:, 0] + _SAME_TIME)
            if hit[rows].any():
                names.append(name)
                seconds += _length(before) + _length(_union(own)) - _length(_union(np.concatenate([before, own])))
        if names:
            text = (
                f"{_count(hit)} of {right} overlap with windows of {left} by {seconds:.1f} s of {_named(names)} in "
                f"{self.which}: leave out the windows of one side"
            )
            yield self._leak("time", names, hit, text, seconds)

    def by_content(self, a: _Digests, b: _Digests) -> Iterator[Leak]:
        """What the samples tell of recordings that were not named already."""
        left, right = self.sides
        fresh = [{name: row for name, row in used.items() if name not in self.shared} for used in self.used]
        origin = {a.recordings[row]: name for name, row in fresh[0].items() if row in a.recordings}
        copies = {name: origin[b.recordings[row]] for name, row in fresh[1].items() if b.recordings.get(row) in origin}
        where = f"can be found in '{self.datasets[0]}' ({left}), sample for sample: keep one of the copies"
        if copies:
            said = _named([f"{name} (there {other})" for name, other in copies.items()])
            hit = np.isin(self.y.recording, [fresh[1][name] for name in copies])
            text = f"recording{_s(copies)} {said} of '{self.datasets[1]}' ({right}) {where}"
            yield self._leak("copied recordings", copies, hit, text)
        mine, theirs = (
            side.moving & np.isin(index.recording, list(rows.values()))
            for side, index, rows in ((b, self.y, fresh[1]), (a, self.x, fresh[0]))
        )
        same = mine & np.isin(b.windows, a.windows[theirs])
        if same.any():
            rows = set(self.y.recording[same].tolist())
            names = [name for name, row in fresh[1].items() if row in rows]
            text = f"{_count(same)} of '{self.datasets[1]}' ({right}) in {_named(names)} {where}"
            yield self._leak("copied windows", names, same, text)

    def _leak(
        self, kind: Kind, names: Iterable[str], hit: NDArray[np.bool_], text: str, seconds: float | None = None
    ) -> Leak:
        if seconds is None:
            concerned = self.y.take(hit)
            seconds = sum(_length(_union(_seconds(concerned, rows))) for rows in _windows_of(concerned).values())
        return Leak(kind, self.sides, self.datasets, tuple(names), int(hit.sum()), round(seconds, 6), text)


class _Digests:
    """Hashes of the samples of windows and of whole recordings.

    Attributes:
        windows: [N] of each window.
        moving: [N] whether any channel of the window changes.
        recordings: Of each recording by its row, unless nothing in it changes.
    """

    def __init__(self, index: WindowIndex) -> None:
        self.windows = np.zeros(len(index), np.uint64)
        self.moving = np.zeros(len(index), np.bool_)
        layout = index.dataset.recordings["layout"].to_numpy(np.int64)[index.recording]
        kinds, which = np.unique(np.stack([layout, index.length]), axis=1, return_inverse=True)
        for kind, (_, length) in enumerate(kinds.T):
            rows = np.flatnonzero(which == kind)
            for first in range(0, len(rows), _BATCH):
                some = rows[first : first + _BATCH]
                signal = index.dataset.gather(index.recording[some], index.start[some], int(length))
                self.windows[some] = [_digest(window) for window in signal]
                self.moving[some] = _changes(signal)
        self.recordings: dict[int, int] = {}
        for row in np.unique(index.recording).tolist():
            signal = index.dataset.signal(row)
            if _changes(signal[None])[0]:
                self.recordings[row] = _digest(signal)


def _digest(signal: NDArray[np.float32]) -> int:
    shape = np.array(signal.shape, np.int64)
    found = hashlib.blake2b(shape.tobytes(), digest_size=8)
    found.update(np.ascontiguousarray(signal).data)
    return int.from_bytes(found.digest(), "little")


def _changes(signals: NDArray[np.float32]) -> NDArray[np.bool_]:
    """[B] whether any channel of signals [B, T, C] changes, missing samples aside."""
    changes: NDArray[np.bool_] = (np.fmax.reduce(signals, axis=1) > np.fmin.reduce(signals, axis=1)).any(axis=1)
    return changes


def _recordings(index: WindowIndex) -> dict[str, int]:
    """Rows of the recordings that the windows come from, by name."""
    names = index.dataset.recordings["name"]
    return {str(names.iloc[row]): row for row in np.unique(index.recording).tolist()}


def _windows_of(index: WindowIndex) -> dict[int, NDArray[np.int64]]:
    """Which windows come from each recording."""
    rows, which = np.unique(index.recording, return_inverse=True)
    order = np.argsort(which, kind="stable")
    return dict(zip(rows.tolist(), np.split(order, np.cumsum(np.bincount(which))[:-1]), strict=True))


def _seconds(index: WindowIndex, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """[K, 2] begin and end of windows, from the beginning of the recording."""
    rate = index.dataset.recordings["rate"].to_numpy(dtype=np.float64)[index.recording[rows]]
    return np.stack([index.start[rows] / rate, (index.start[rows] + index.length[rows]) / rate], axis=1)


def _union(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stretches [M, 2], apart and in order, that cover what the times [K, 2] cover."""
    times = times[np.argsort(times[:, 0])]
    reach = np.maximum.accumulate(times[:, 1])
    apart = times[1:, 0] > reach[:-1]
    return np.stack([times[np.r_[True, apart], 0], reach[np.r_[apart, True]]], axis=1)


def _length(times: NDArray[np.float64]) -> float:
    return float((times[:, 1] - times[:, 0]).sum())


def _count(hit: NDArray[np.bool_]) -> str:
    return f"{int(hit.sum())} window{'s' if hit.sum() > 1 else ''}"


def _s(names: Collection[str]) -> str:
    return "s" if len(names) > 1 else ""


def _named(names: Sequence[str]) -> str:
    """The names, or the first of them and how many more."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
