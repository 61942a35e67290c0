"""The same parts read by the processes of a Ray cluster, for archives beyond one machine (needs the extra `ray`)."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from otolith.data.channels import Channel
from otolith.data.converters import Part, recordings
from otolith.data.recording import Annotation, Recording
from otolith.types import DataError, MissingExtraError, OtolithError


def on_ray(parts: Sequence[Part], jobs: int | None = None) -> Generator[list[Recording], None, None]:
    """The recordings of each part, in the order of the parts, read by Ray Data.

    Joins the Ray that this process or the variable RAY_ADDRESS names, else starts one on this machine and stops it
    afterwards. Otolith must be installed on every node, and every node must see the archive under the same path or URL.
    Ray bounds what is under way by the size of its object store.

    Args:
        parts: What `otolith.data.converters.parts` gives; they are sent to the workers.
        jobs: Parts to read at the same time; None leaves it to Ray.

    Raises:
        DataError: Of the first part, in order, that is damaged.
        MissingExtraError: Ray is not installed.
    """
    if not parts:
        return
    with _ray(jobs) as data:
        numbers = data.from_items([{"part": number} for number in range(len(parts))], override_num_blocks=len(parts))
        rows = numbers.flat_map(partial(_rows, parts), concurrency=min(jobs, len(parts)) if jobs else None)
        rows.context.execution_options.preserve_order = True
        rows.context.enable_progress_bars = False
        with closing(iter(rows.iter_rows())) as stream:  # Ray crashes when it is shut down in the middle of one
            for _, group in groupby(stream, key=itemgetter("part")):
                yield [_recording(row) for row in group]


@contextmanager
def _ray(jobs: int | None) -> Iterator[Any]:
    """The module `ray.data`, connected."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("ray[data]", "ray", "the engine 'ray'") from error
    ours = not ray.is_initialized()
    try:
        if ours:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told that someone converts a dataset
            logging.getLogger("ray.data").setLevel(logging.ERROR)
            local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": jobs, "include_dashboard": False}
            ray.init(logging_level=logging.ERROR, log_to_driver=False, **local)
        yield ray.data
    finally:
        if ours:
            ray.shutdown()  # also of what an interruption left half started


def _rows(parts: Sequence[Part], row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The recordings of one part as plain values; what is wrong with it as its sentence, not as Ray's pages."""
    number = int(row["part"])
    empty = {"part": number, "error": "", "signal": b"", "about": ""}
    try:
        for recording in recordings(parts[number]):
            signal = np.ascontiguousarray(recording.signal, "<f4").tobytes()
            yield {**empty, "signal": signal, "about": _about(recording)}
    except OtolithError as error:
        yield {**empty, "error": str(error)}


def _about(recording: Recording) -> str:
    notes = [[float(note.start), float(note.end), note.activity] for note in recording.annotations]
    return json.dumps(
        {
            "rate": float(recording.rate),
            "channels": [channel.to_dict() for channel in recording.channels],
            "subject": recording.subject,
            "name": recording.name,
            "annotations": notes,
            "session": recording.session,
            "offset": float(recording.offset),
        }
    )


def _recording(row: dict[str, Any]) -> Recording:
    if row["error"]:
        raise DataError(row["error"])
    about = json.loads(row["about"])
    about["channels"] = tuple(Channel(**channel) for channel in about["channels"])
    about["annotations"] = tuple(Annotation(*note) for note in about["annotations"])
    return Recording(np.frombuffer(row["signal"], "<f4").reshape(-1, len(about["channels"])), **about)
