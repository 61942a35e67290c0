"""SPAR: seven shoulder exercises with a smartwatch (Burns et al. 2018), from the file inside the package `seglearn`."""

from __future__ import annotations

import codecs
import hashlib
import io
import pickle
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import from_core_motion, scale_to_si
from otolith.types import DataError, MissingExtraError

_FILE = "watch_dataset.npy"
_COLUMNS = ["ax", "ay", "az", "wx", "wy", "wz"]
_SIDES = {0: "left", 1: "right"}


def parts(raw_dir: Path | None, card: DatasetCard) -> list[Part]:
    """One file with a recording for each subject, exercise and side: about 20 repetitions, annotated as a whole.

    Raises:
        DataError: The file is not the published one.
        MissingExtraError: `raw_dir` does not hold the file and `seglearn` is not installed.
    """
    return [partial(_recordings, _locate(raw_dir, card), card)]


def _recordings(path: Path, card: DatasetCard) -> Iterator[Recording]:
    data = _read(path, card.sources[0].sha256)
    if data["X_labels"] != _COLUMNS or set(data["y_labels"]) != set(card.activities):
        raise DataError(f"{path} has other columns or exercises than the published file: install seglearn again")
    order = np.lexsort((data["side"], data["y"], data["subject"]))
    for row in order:
        side, code = _SIDES[int(data["side"][row])], data["y_labels"][int(data["y"][row])]
        subject = f"subject{int(data['subject'][row]):02d}"
        signal = data["X"][row]
        # The authors state g and rad/s, and the numbers agree: in the quietest second of each internal rotation (elbow
        # at the side) |acc| has a median of 1.04; the rate of turn has an rms of 0.7 to 2, which as deg/s would turn
        # the wrist by 2 to 4 degrees in the 1 to 2.6 seconds that a repetition takes. The sign is Core Motion's: with
        # the arm hanging (PEN) x averages +1.04 on the left wrist and -1.06 on the right, which is towards the ground
        # if x points to the right of the display; with the display up (ABD, FEL) z is negative on both.
        signal = np.hstack([from_core_motion(signal[:, :3]), signal[:, 3:]])
        signal = scale_to_si(signal, ["g"] * 3 + ["rad/s"] * 3).astype(np.float32)
        channels = tuple(channel for channel in card.channels if channel.placement == f"{side} wrist")
        whole = Annotation(0.0, len(signal) / card.rate, card.activities[code])
        yield Recording(signal, card.rate, channels, subject, f"{subject}_{code.lower()}_{side}", (whole,))


def _locate(raw_dir: Path | None, card: DatasetCard) -> Path:
    for folder in () if raw_dir is None else (raw_dir, raw_dir / card.name):
        if (folder / _FILE).is_file():
            return folder / _FILE
    # The specification gives the package's folder without running its code, which needs old interfaces of numpy.
    spec = find_spec("seglearn")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(location) / "data" / _FILE).is_file():
            return Path(location) / "data" / _FILE
    raise MissingExtraError("seglearn", "demo", f"the dataset '{card.name}'")


class _ArraysOnly(pickle.Unpickler):
    """Admits the four names that a pickled numpy array consists of.

    The file is an object array, hence a pickle, and a pickle can call any function that it names. The checksum already
    ties it to the published file; this holds even if someone relaxes the checksum, and `numpy.load(allow_pickle=True)`
    would not.
    """

    # `numpy.core.multiarray` has moved in numpy 2; an array tells where its own constructor is now.
    ALLOWED: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): codecs.encode,
    }

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """The admitted object, or an error."""
        if (module_name, global_name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module_name}.{global_name} has no place in a data file")
        return self.ALLOWED[module_name, global_name]


def _read(path: Path, sha256: str | None) -> dict[str, Any]:
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(
            f"{path} is not the published file (sha256 {found[:12]}..., expected {str(sha256)[:12]}...): "
            "install seglearn 1.2.5 again"
        )
    stream = io.BytesIO(content)
    np.lib.format.read_magic(stream)
    np.lib.format.read_array_header_1_0(stream)
    data: dict[str, Any] = _ArraysOnly(stream).load().item()
    return data
