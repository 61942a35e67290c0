"""The one way from the parts of an archive to a dataset on disk: side by side, in order, in memory that stays flat."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from otolith.data import remote
from otolith.data.cluster import on_ray
from otolith.data.converters import Part, parts, recordings
from otolith.data.download import sources_of
from otolith.data.format import check_replaceable
from otolith.data.recording import Recording
from otolith.data.registry import card
from otolith.data.store import Dataset, DatasetWriter
from otolith.types import ConfigError

Progress = Callable[[int, int], None]
"""Is told how many parts are written, and how many there are."""

_AHEAD = 2
"""Parts in memory for each job: one being read, and one that waits for its turn to be written."""


def convert_dataset(
    name: str,
    raw: Path | str | None,
    output: Path | str,
    *,
    jobs: int | None = None,
    engine: str = "threads",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Converts a public dataset; the new one takes the place of an old one of the same name when all of it is there.

    Parts are read side by side and written in their order, so the content and its hash are the same for any number
    of jobs and for each engine. At most two parts for each job are in memory.

    Args:
        name: A name in the registry, for example `hapt`.
        raw: The unpacked archive, or the folder that holds it under the dataset's name: a path, or a URL that fsspec
            knows (`s3://...`). None for a dataset that comes inside an installed package.
        output: The dataset's folder, a path or a URL. For a URL the dataset is made in a temporary folder, which needs
            its size on the local disk, and is then copied; see `otolith.data.remote.upload`.
        jobs: Parts to read at the same time; None takes the cores that there are.
        engine: One of `ENGINES`.
        progress: Called after each part.

    Returns:
        What `dataset.json` of the new dataset says.

    Raises:
        DataError: The archive is missing or damaged, or `output` cannot be written or holds something else. What was
            there is as it was, unless an upload to a URL broke off.
        ConfigError: There is no such engine, or `jobs` is below one.
        MissingExtraError: A URL or Ray is asked for without the extra `ray`, or the dataset's package is missing.
    """
    if engine not in ENGINES:
        raise ConfigError(f"there is no engine '{engine}'; choose one of {', '.join(ENGINES)}")
    if jobs is not None and jobs < 1:
        raise ConfigError(f"{jobs} jobs convert nothing; give at least 1")
    target = remote.locate(output)
    check_replaceable(target, name)
    place = None if raw is None else remote.locate(raw)
    found = parts(name, place)
    told = (lambda done: progress(done, len(found))) if progress else None
    with ExitStack() as stack:
        groups = stack.enter_context(closing(ENGINES[engine](found, jobs)))  # an error waits for what still reads
        if not remote.is_url(output):
            return _write(name, target, groups, told, place)
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="otolith-"))) / name
        info = _write(name, folder, groups, told, place)
        check_replaceable(target, name)  # once more: much may have come there meanwhile
        remote.upload(folder, target)
        return info


def _write(
    name: str,
    target: Path,
    groups: Iterable[Iterable[Recording]],
    progress: Callable[[int], None] | None,
    raw: Path | None,
) -> dict[str, Any]:
    about = card(name)
    place = target.resolve()  # now: who replaces the working folder stands in the old one afterwards
    with DatasetWriter(
        target,
        name,
        title=about.title,
        licence=about.licence,
        citation=about.citation,
        sources=sources_of(about, raw),
        split=about.split,
    ) as writer:
        for number, group in enumerate(groups, start=1):
            for recording in group:
                writer.add(recording)
            if progress:
                progress(number)
    return Dataset.open(place).info


def side_by_side(parts: Sequence[Part], jobs: int | None = None) -> Generator[Iterable[Recording], None, None]:
    """The recordings of each part, in the order of the parts, read by threads of this process.

    Threads, not processes: parsing, unpacking, filtering and hashing run outside the interpreter's lock, so that
    threads were faster in each archive that was measured (`benchmarks/bench_conversion.py`), start at once, and leave
    nothing running behind when the process ends, however it ends.

    Args:
        parts: What `otolith.data.converters.parts` gives.
        jobs: Threads; None takes one for each core. With one, nothing is read ahead, not even within a part.

    Raises:
        DataError: Of the first part, in order, that is damaged or cannot be read.
    """
    threads = min(jobs or _cores(), len(parts))
    if threads <= 1:
        yield from map(recordings, parts)
        return
    waiting = iter(parts)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="convert")
    try:
        begun = deque(pool.submit(_read, part) for part in islice(waiting, _AHEAD * threads))
        while begun:
            group = begun.popleft().result()
            begun.extend(pool.submit(_read, part) for part in islice(waiting, 1))
            yield group
    finally:
        pool.shutdown(cancel_futures=True)  # waits for what has begun: no thread outlives the conversion


def _read(part: Part) -> list[Recording]:
    return list(recordings(part))


def _cores() -> int:
    """Cores that this process may use, which in a container can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


ENGINES: dict[str, Callable[[Sequence[Part], int | None], Generator[Iterable[Recording], None, None]]] = {
    "threads": side_by_side,
    "ray": on_ray,
}
"""What reads parts side by side: threads of this process, or the processes of a Ray cluster."""
