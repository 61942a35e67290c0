"""The same signal twice: whole recordings, and stretches that begin anywhere."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from otolith.data.quality.findings import Concern, concern
from otolith.data.recording import Recording

BLOCK_SECONDS = 2.0
_MOST_BLOCKS = 5_000_000

Codes = NDArray[np.uint64]


class Copies:
    """Finds equal stretches of two seconds, wherever they begin.

    About one row a second is an anchor, chosen by a hash of its own content, so that copies have the same anchors
    wherever they lie; the block that follows an anchor is remembered by its hash. Stretches in which fewer than half of
    the rows differ from the one before say nothing and are passed over.
    """

    def __init__(self) -> None:
        self.total = 0
        self._names: list[str] = []
        self._subjects: list[str] = []
        self._whole: dict[bytes, list[int]] = {}
        self._blocks: list[Codes] = []
        self._owners: list[NDArray[np.int32]] = []
        self._kept = 0

    def see(self, recording: Recording) -> None:
        """Takes a recording into account."""
        number = self.total
        self.total += 1
        self._names.append(recording.name)
        self._subjects.append(recording.subject)
        content = hashlib.sha256(np.ascontiguousarray(recording.signal).data)
        self._whole.setdefault(content.digest(), []).append(number)
        if self._kept < _MOST_BLOCKS:
            blocks = _blocks(recording.signal, recording.rate)
            self._blocks.append(blocks)
            self._owners.append(np.full(len(blocks), number, np.int32))
            self._kept += len(blocks)

    def concerns(self) -> list[Concern]:
        """Copies; severe where two people share one, for then no split keeps them apart."""
        same = [numbers for numbers in self._whole.values() if len(numbers) > 1]
        found = self._say(same, "the whole signal is that of another recording ('{}' is '{}')")
        known = {number for numbers in same for number in numbers[1:]}
        parts = [[n for n in numbers if n not in known] for numbers in self._shared()]
        said = f"{BLOCK_SECONDS:g} s or more are identical with a part of another recording ('{{}}' and '{{}}')"
        return [*found, *self._say([numbers for numbers in parts if len(numbers) > 1], said)]

    def _shared(self) -> list[list[int]]:
        """Recordings that have a block in common, for each such block."""
        if not self._blocks:
            return []
        blocks, owners = np.concatenate(self._blocks), np.concatenate(self._owners)
        order = np.lexsort((owners, blocks))
        blocks, owners = blocks[order], owners[order]
        edges = np.flatnonzero(np.diff(blocks)) + 1
        starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(blocks)]])
        many = ends - starts > 1
        groups = (np.unique(owners[a:b]) for a, b in zip(starts[many], ends[many], strict=True))
        return list({tuple(g.tolist()): g.tolist() for g in groups if len(g) > 1}.values())

    def _say(self, groups: list[list[int]], text: str) -> list[Concern]:
        found = []
        for severe in (True, False):
            mine = [g for g in groups if (len({self._subjects[n] for n in g}) > 1) == severe]
            if mine:
                mend = (
                    "of different people, so no split keeps them apart: leave one of each out"
                    if severe
                    else "of the same person; leave one of each out, or count them once"
                )
                numbers = sorted({number for group in mine for number in group})
                pair = self._differing(mine[0]) if severe else mine[0][:2]
                sentence = f"{text.format(*(self._names[n] for n in pair))}, {mend}"
                found.append(concern("duplicate", severe, sentence, [self._names[n] for n in numbers], self.total))
        return found

    def _differing(self, group: list[int]) -> list[int]:
        """Two recordings of a group that are of different people."""
        first = group[0]
        return [first, next(n for n in group if self._subjects[n] != self._subjects[first])]


def _blocks(signal: NDArray[np.float32], rate: float) -> Codes:
    """Hashes of the blocks that follow the anchors of a signal [T, C]."""
    length = max(8, round(BLOCK_SECONDS * rate))
    if len(signal) < length:
        return np.empty(0, np.uint64)
    rows = _row_codes(signal)
    changed = np.concatenate([[0], np.cumsum(rows[1:] != rows[:-1])])
    missing = np.concatenate([[0], np.cumsum(np.isnan(signal).any(axis=1))])
    last = len(rows) - length
    anchors = np.flatnonzero(rows[: last + 1] % np.uint64(max(1, round(rate))) == 0)
    lively = (changed[anchors + length - 1] - changed[anchors] >= length // 2) & (
        missing[anchors + length] == missing[anchors]
    )
    anchors = anchors[lively]
    weights = _odd(length, seed=1)
    # In turns: the blocks of a long recording would not fit into memory at once.
    parts = [
        (rows[some[:, None] + np.arange(length)] * weights).sum(axis=1, dtype=np.uint64)
        for some in np.array_split(anchors, max(1, len(anchors) // 4096))
    ]
    return np.concatenate(parts)


def _row_codes(signal: NDArray[np.float32]) -> Codes:
    """A hash for each row."""
    bits = np.ascontiguousarray(signal).view(np.uint32).astype(np.uint64)
    codes: Codes = (bits * _odd(signal.shape[1], seed=0)).sum(axis=1, dtype=np.uint64)
    codes ^= codes >> np.uint64(31)
    codes *= np.uint64(0x9E3779B97F4A7C15)  # the golden ratio, as in Fibonacci hashing (Knuth, TAOCP 3, 6.4)
    return codes ^ (codes >> np.uint64(29))


def _odd(count: int, seed: int) -> Codes:
    """Fixed odd multipliers."""
    return np.random.default_rng(seed).integers(2**63, size=count, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
