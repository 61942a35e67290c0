"""GENEActiv: the `.bin` file of the watch, decoded by `actfast` (github.com/GESISProject/actfast, extra `devices`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from otolith.data.channels import GRAVITY, Channel, triad
from otolith.data.importers.rows import MAX_BYTES
from otolith.data.importers.session import Session, Stream, Wearing
from otolith.types import DataError, MissingExtraError

if TYPE_CHECKING:
    from actfast import ActfastResult

TITLE = "GENEActiv (.bin)"

_BEGINS = b"Device Identity"
_ZONE = re.compile(r"GMT\s*([+-])(\d\d):(\d\d)")


def recognises(path: Path) -> bool:
    """Whether this is a `.bin` of a GENEActiv."""
    with suppress(OSError):
        if path.is_file() and path.suffix.lower() == ".bin":
            with path.open("rb") as content:
                return content.read(4096).startswith(_BEGINS)
    return False


def read(path: Path, wearing: Wearing) -> Iterator[Session]:
    """The session in one file: acceleration in three axes, and the temperature of each page.

    Raises:
        DataError: The file is damaged or too large.
        MissingExtraError: `actfast` is not installed.
    """
    content = _decoded(path)
    series, about = content["timeseries"], content["metadata"]
    fast, slow = series["high_frequency"], series["low_frequency"]
    if not len(fast["datetime"]):
        raise DataError(f"{path} holds no page of samples; extract it from the watch again")
    first = int(fast["datetime"].min())
    device = wearing.device or "wrist-worn accelerometer"
    # The pages are stamped by a clock of their own: the last samples of one may come after the first of the next.
    times = np.maximum.accumulate((fast["datetime"] - first) / 1e9)
    acc = Stream(
        times,
        fast["acceleration"].astype(np.float64) * GRAVITY,
        triad("acc", wearing.placement, device=device, gravity=True),
        _rate(about),
        path.name,
    )
    warmth = Channel("temperature", "temperature", "", wearing.placement, device)
    pages = np.maximum.accumulate((slow["datetime"] - first) / 1e9)
    warm = Stream(pages, slow["temperature"].astype(np.float64)[:, None], (warmth,), source=f"{path.name}, temperature")
    started, notes = _started(about, first)
    pages_said = about.get("Memory Status", {}).get("Number of Pages", "")
    if pages_said.isdigit() and int(pages_said) != len(slow["datetime"]):
        notes = (*notes, f"the file says that it has {pages_said} pages and holds {len(slow['datetime'])}")
    yield Session(path.stem, (acc, warm), wearing.subject, started=started, notes=notes)


def _decoded(path: Path) -> ActfastResult:
    """What the file holds; errors as in `read`."""
    try:
        import actfast
    except ImportError as error:
        raise MissingExtraError("actfast", "devices", "reading a GENEActiv") from error
    if not path.is_file():
        raise DataError(f"there is no file {path}; check the path")
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path} has more than {MAX_BYTES >> 20} MiB, the most that is read at once; cut it into days")
    try:
        return actfast.read(str(path))
    except BaseException as error:  # a panic of the reader's own language is no Exception
        if not isinstance(error, ValueError | OSError) and type(error).__name__ != "PanicException":
            raise
        raise DataError(f"{path} is damaged ({str(error)[:80]}); extract it from the watch again") from error


def _rate(about: dict[str, dict[str, str]]) -> float | None:
    said = re.match(r"([\d.]{1,6})", about.get("Configuration Info", {}).get("Measurement Frequency", ""))
    with suppress(ValueError):
        return float(said[1]) if said and float(said[1]) > 0 else None
    return None


def _started(about: dict[str, Any], first: int) -> tuple[float | None, tuple[str, ...]]:
    """UTC seconds of the first sample: the stamps are local times, of the zone that the header names."""
    zone = _ZONE.search(about.get("Configuration Info", {}).get("Time Zone", ""))
    if not zone:
        return None, ("the file does not say its time zone, so its clock is not known",)
    offset = (int(zone[2]) * 60 + int(zone[3])) * 60 * (-1 if zone[1] == "-" else 1)
    return first / 1e9 - offset, ()
