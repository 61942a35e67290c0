"""Windows of the smart-watch set: 4 s, every 2 s, as the published controls were measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from otolith.data.channels import triads
from otolith.data.recording import Recording
from otolith.evaluate import appending


class Windows(NamedTuple):
    x: NDArray[np.float32]  # [N, 200, 6]
    labels: list[str]
    subjects: list[str]
    triads: list[tuple[int, int, int]]

    def of(self, chosen: NDArray[np.bool_]) -> Windows:
        keep = np.flatnonzero(chosen)
        return Windows(self.x[keep], [self.labels[i] for i in keep], [self.subjects[i] for i in keep], self.triads)


@pytest.fixture(scope="session")
def spar_windows(spar_recordings: list[Recording]) -> Windows:
    cut, labels, subjects = [], [], []
    for recording in spar_recordings:
        for note in recording.annotations:
            first, last = round(note.start * recording.rate), round(note.end * recording.rate)
            for start in range(first, last - 199, 100):
                cut.append(recording.signal[start : start + 200])
                labels.append(note.activity)
                subjects.append(recording.subject)
    bodies = triads(spar_recordings[0].channels)
    return Windows(np.stack(cut), labels, subjects, [t for body in bodies.values() for t in body])


class KilledError(BaseException):
    """Stands in for the end of a process."""


@pytest.fixture
def killed_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Runs an append in a process that dies between the two steps of it."""

    def dies(descriptor: int, data: bytes, offset: int, write=appending._write) -> None:  # type: ignore[no-untyped-def]
        if len(data) == 1:
            raise KilledError
        write(descriptor, data, offset)

    def run(append: Callable[[], object]) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(appending, "_write", dies)
            with pytest.raises(KilledError):
                append()

    return run
