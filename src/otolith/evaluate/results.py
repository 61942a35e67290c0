"""The results file: one tidy CSV row per score, with what is needed to say where it came from."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

import otolith
from otolith.evaluate.appending import UNFINISHED, AppendOnly, encode
from otolith.types import DataError


@dataclass(frozen=True)
class Provenance:
    """Which code, configuration and data gave a number.

    Attributes:
        commit: Git commit of the source, `+dirty` when the source differs from it; outside a checkout the package
            version, as `v0.1.0`.
        config_sha256: Hash of the configuration.
        data_sha256: Hash of the data: the dataset's own, or for several datasets the hash of their hashes.
    """

    commit: str
    config_sha256: str
    data_sha256: str

    @classmethod
    def collect(cls, config: Mapping[str, Any], data: Sequence[str]) -> Provenance:
        """Hashes `config` as canonical JSON and takes the dataset hashes `data` in any order."""
        text = json.dumps(config, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
        joined = data[0] if len(data) == 1 else _sha256("\n".join(sorted(data)))
        return cls(_commit(), _sha256(text), joined)


@dataclass(frozen=True)
class Row:
    """One score.

    Attributes:
        fold: Name of the fold; `all` where there is one.
        value: A fraction from 0 to 1 for scores; the metric's own unit for others (`latency_ms`).
        n: Number of windows (or trials) behind the value.
    """

    model: str
    dataset: str
    protocol: str
    fold: str
    seed: int
    metric: str
    value: float
    n: int
    commit: str
    config_sha256: str
    data_sha256: str


COLUMNS = tuple(field.name for field in fields(Row))
_HEADER = (",".join(COLUMNS) + "\n").encode()


def rows(
    scores: Mapping[str, float],
    *,
    model: str,
    dataset: str,
    protocol: str,
    n: int,
    provenance: Provenance,
    fold: str | int = "all",
    seed: int = 0,
) -> list[Row]:
    """One row for each score of one evaluation."""
    origin = astuple(provenance)
    return [
        Row(model, dataset, protocol, str(fold), seed, metric, float(value), n, *origin)
        for metric, value in scores.items()
    ]


class ResultsFile(AppendOnly):
    """An append-only CSV of `Row`s that survives a crash.

    What one call of `append` writes is there as a whole or not at all; `AppendOnly` says how.
    """

    what = "a results file"
    header = _HEADER

    def append(self, rows: Iterable[Row]) -> None:
        """Adds rows at the end.

        Raises:
            DataError: The path can hold no file, the file is not a results file, a text has a line break, or the disk
                is full (nothing is added).
        """
        self._add(encode(map(_values, rows), COLUMNS))

    def read(self) -> pd.DataFrame:
        """All complete rows, typed: text, except int64 `seed` and `n` and float64 `value`. No file: no rows.

        Raises:
            DataError: The path can hold no file, the file is not a results file, or one of its lines is damaged.
        """
        self._require_place()
        data = b""
        if self.path.exists():
            with self.path.open("rb") as handle:
                size = self._complete(handle)
                handle.seek(0)
                data = handle.read(size)
        records = [] if not data else [astuple(row) for row in _decode(data, self.path)]
        types = {"seed": "int64", "n": "int64", "value": "float64"}
        return pd.DataFrame(records, columns=list(COLUMNS)).astype({c: types.get(c, "str") for c in COLUMNS})

    def rows(self) -> list[Row]:
        """All complete rows; errors as in `read`."""
        return [Row(*values) for values in self.read().itertuples(index=False, name=None)]

    def of(self, provenance: Provenance) -> list[Row]:
        """The rows that this code, configuration and data have already given; errors as in `read`."""
        return [row for row in self.rows() if (row.commit, row.config_sha256, row.data_sha256) == astuple(provenance)]

    def _complete(self, handle: BinaryIO) -> int:
        handle.seek(0)
        data = handle.read()
        if data.startswith(UNFINISHED) or (len(data) < len(_HEADER) and _HEADER.startswith(data)):
            return 0
        if not data.replace(b"\r\n", b"\n").startswith(_HEADER):
            raise self._foreign()
        blank = data.find(b"\n" + UNFINISHED)
        return (blank if blank >= 0 else data.rfind(b"\n")) + 1


def _values(row: Row) -> tuple[object, ...]:
    if not math.isfinite(row.value):
        raise ValueError(f"{row.metric} of {row.model} is {row.value}, which is no result")
    return astuple(replace(row, value=float(row.value)))


def _decode(data: bytes, path: Path) -> Iterator[Row]:
    lines = csv.reader(io.StringIO(data.decode("utf-8", errors="replace"), newline=""))
    next(lines)
    for number, line in enumerate(lines, start=2):
        try:
            model, dataset, protocol, fold, seed, metric, value, n, *origin = line
            yield Row(model, dataset, protocol, fold, int(seed), metric, float(value), int(n), *origin)
        except (ValueError, TypeError) as error:
            raise DataError(f"{path}, line {number} is damaged: mend or remove that line") from error


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"a configuration value of type {type(value).__name__} has no JSON form")


def _commit() -> str:
    """The commit of the checkout that this package lies in, or the package version."""
    package = Path(otolith.__file__).parent
    # The package may lie inside a repository that does not track it (an environment inside a project).
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return f"v{otolith.__version__}"
    commit = _git(package, "rev-parse", "HEAD")
    if not commit:
        return f"v{otolith.__version__}"
    return commit + ("+dirty" if _git(package, "status", "--porcelain", "--", ".") else "")


def _git(folder: Path, *arguments: str) -> str | None:
    # A hook that runs this sets GIT_DIR to the repository of the hook.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
