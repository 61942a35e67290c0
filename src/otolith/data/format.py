"""Format version 1 of a dataset on disk: its tables, its description and its content hash.

    dataset.json          name, licence, citation, sources, channel layouts, activities, rates, counts, content hash
    recordings.parquet    one row a recording: name, subject, session, offset_s, rate, layout, shard, start, rows
    annotations.parquet   recording (row number), start_s, end_s, activity
    signals/0-0.npy       <layout>-<shard>: float32 [rows, C] in SI, recordings one after another

A layout is a set of channels; recordings with the same channels share one. Signals are memory-mapped, so a dataset
larger than memory is read at random, and several processes share the pages.
"""

from __future__ import annotations

import glob
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from otolith.types import DataError

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 1

RECORDINGS = pa.schema(
    [
        ("name", pa.string()),
        ("subject", pa.string()),
        ("session", pa.string()),
        ("offset_s", pa.float64()),
        ("rate", pa.float64()),
        ("layout", pa.int64()),
        ("shard", pa.int64()),
        ("start", pa.int64()),
        ("rows", pa.int64()),
    ]
)
ANNOTATIONS = pa.schema(
    [("recording", pa.int64()), ("start_s", pa.float64()), ("end_s", pa.float64()), ("activity", pa.string())]
)
_INFO_KEYS = ("name", "licence", "citation", "sources", "layouts", "activities", "rates", "counts", "sha256")
_OURS = re.compile(r"dataset\.json|(recordings|annotations)\.parquet|signals([/\\]\d+-\d+\.npy)?")


def shard_path(folder: Path, layout: int, shard: int) -> Path:
    """The signal file of one shard of one layout."""
    return folder / "signals" / f"{layout}-{shard}.npy"


def check_replaceable(path: Path, name: str) -> None:
    """Only the same dataset may be replaced: a folder given by mistake must not lose what is in it.

    Raises:
        DataError: `path` is a file, or a folder with anything but the dataset `name` in it.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    try:
        found = json.loads((path / "dataset.json").read_text(encoding="utf-8"))["name"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path} is there and is no dataset, so it is left as it is; name a folder of the dataset's own"
        ) from error
    if found != name:
        raise DataError(
            f"{path} holds the dataset '{found}', not '{name}', so it is left as it is; name a folder of its own"
        )
    entries = sorted(str(entry.relative_to(path)) for entry in path.rglob("*"))
    foreign = [entry for entry in entries if not _OURS.fullmatch(entry)]
    if foreign:
        raise DataError(
            f"{path} holds more than its dataset ({foreign[0]}), so it is left as it is; move that elsewhere first"
        )


def content_sha256(
    layouts: list[Any], rows: Iterable[Mapping[Any, Any]], notes: Iterable[Mapping[Any, Any]], signals: bytes
) -> str:
    """Hash of the content, in this order; where a signal lies among the shards is no part of it."""
    content = hashlib.sha256(json.dumps(layouts, sort_keys=True).encode())
    for row in rows:
        together = [row["session"], row["offset_s"]] if row["session"] else []  # the lone ones keep their older hash
        content.update(
            json.dumps([*(row[k] for k in ("name", "subject", "rate", "layout", "rows")), *together]).encode()
        )
    for note in notes:
        content.update(json.dumps([note[k] for k in ANNOTATIONS.names]).encode())
    content.update(signals)
    return content.hexdigest()


def read_info(path: Path) -> dict[str, Any]:
    """What `dataset.json` in folder `path` says.

    Raises:
        DataError: Nothing is there, it is half-written or damaged, or of another format version.
    """
    file = path / "dataset.json"
    convert = f"otolith datasets convert {path.name}"
    if not path.is_dir():
        if path.exists():
            raise DataError(f"{path} is a file, not a dataset; give the dataset's folder")
        if any(path.parent.glob(f".{glob.escape(path.name)}.*.part")):
            raise DataError(f"the conversion to {path} is still running or was interrupted; run it again:  {convert}")
        raise DataError(f"there is no dataset at {path}; make it with  {convert}")
    if not file.is_file():
        raise DataError(f"{path} is not a dataset, it has no dataset.json; make one with  {convert}")
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{file} cannot be read as JSON; remove {path} and convert the dataset again with  {convert}"
        ) from error
    version = info.get("format_version") if isinstance(info, dict) else None
    if version != FORMAT_VERSION:
        raise DataError(
            f"{path} has format version {version}, this Otolith reads version {FORMAT_VERSION}; "
            f"convert the dataset again with  {convert}"
        )
    missing = [key for key in _INFO_KEYS if key not in info]
    if missing or not isinstance(info["counts"], dict) or not isinstance(info["layouts"], list):
        raise DataError(
            f"{file} is incomplete ({', '.join(missing) or 'counts or layouts'}); "
            f"convert the dataset again with  {convert}"
        )
    return dict(info)


def read_table(path: Path, schema: pa.Schema) -> pd.DataFrame:
    """One Parquet table that has exactly the columns of `schema`, none of them empty.

    Raises:
        DataError: The file is missing, cut off, or has other columns.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; convert the dataset again") from error
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read, it is cut off or damaged; convert the dataset again") from error
    if not table.schema.equals(schema, check_metadata=False) or any(c.null_count for c in table.columns):
        raise DataError(f"{path} does not have the columns {', '.join(schema.names)}; convert the dataset again")
    frame: pd.DataFrame = table.to_pandas()
    return frame
