"""UTD-MHAD: 27 actions with one inertial sensor on the wrist or the thigh (Chen et al. 2015)."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.tables import find_folder
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import scale_to_si
from otolith.types import DataError

_PATTERN = "a*_s*_t*_inertial.mat"
_FILE = re.compile(r"a(\d+)_s(\d+)_t(\d+)_inertial\.mat")
_FIRST_ON_THIGH = 22

# All 861 files are alike (MATLAB 5 MAT-file format, R2015b, chapter 1): a header of 128 bytes, then one compressed
# element, which holds one real array of doubles by the name of d_iner. So they are read by what they are:
# `scipy.io.loadmat` admits every kind of content, and crashes the interpreter on some damaged ones.
_HEADER_BYTES = 128
_TAG = struct.Struct("<II")  # type, bytes
_COMPRESSED, _MATRIX, _DOUBLES = 15, 14, 9
_ARRAY = struct.Struct("<2I 4I 2I2i 16s 2I")  # tag; flags; dimensions; name; tag of the values
_FLAGS, _DIMENSIONS = (6, 8, 6, 0), (5, 8)
_NAME = b"\1\0\0\0\6\0\0\0d_iner\0\0"
_MAX_BYTES = 1 << 20  # the longest trial has 16 kB


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """One recording for each trial, annotated as a whole.

    Raises:
        DataError: A file is damaged, or its action is unknown.
    """
    folders = ("Inertial", f"{card.name}/Inertial", ".", card.name)
    folder = find_folder(raw_dir, folders, _PATTERN, card.name)
    trials = {}
    for path in folder.glob(_PATTERN):
        match = _FILE.fullmatch(path.name)
        if match is None or match[1] not in card.activities:
            raise DataError(f"{path} is not of '{card.name}': actions are a1 to a{len(card.activities)}")
        trials[int(match[1]), int(match[2]), int(match[3])] = path
    for (action, person, trial), path in sorted(trials.items()):
        yield partial(_trial, path, action, f"s{person}", f"a{action:02d}_s{person}_t{trial}", card)


def _trial(path: Path, action: int, subject: str, name: str, card: DatasetCard) -> list[Recording]:
    placement = "right thigh" if action >= _FIRST_ON_THIGH else "right wrist"
    channels = tuple(channel for channel in card.channels if channel.placement == placement)
    # The authors give g and deg/s. The numbers agree: before an action |acc| has a median of 1.04, and the values
    # are cut off at 8.000 and 1000.5, the ends of the ranges of 8 g and 1000 deg/s.
    signal = scale_to_si(_read(path), ["g"] * 3 + ["deg/s"] * 3).astype(np.float32)
    whole = Annotation(0.0, len(signal) / card.rate, card.activities[str(action)])
    return [Recording(signal, card.rate, channels, subject, name, (whole,))]


def _read(path: Path) -> NDArray[np.float64]:
    """The array `d_iner` [T, 6]: acceleration in g and rate of turn in deg/s."""
    content = path.read_bytes()
    broken = DataError(f"{path} is not a MATLAB file as published: unpack the archive again")
    little_endian = content[_HEADER_BYTES - 2 : _HEADER_BYTES] == b"IM"
    if not content.startswith(b"MATLAB 5.0") or not little_endian or len(content) < _HEADER_BYTES + _TAG.size:
        raise broken
    kind, size = _TAG.unpack_from(content, _HEADER_BYTES)
    packed = content[_HEADER_BYTES + _TAG.size :]
    unpacker = zlib.decompressobj()
    try:
        element = unpacker.decompress(packed, _MAX_BYTES)
    except zlib.error as error:
        raise broken from error
    if (kind, size) != (_COMPRESSED, len(packed)) or not unpacker.eof or len(element) < _ARRAY.size:
        raise broken
    matrix, inside, *rest = _ARRAY.unpack_from(element)
    rows, columns = rest[6:8]
    values = np.frombuffer(element, "<f8", offset=_ARRAY.size) if (len(element) - _ARRAY.size) % 8 == 0 else np.empty(0)
    expected = (*_FLAGS, *_DIMENSIONS, rows, 6, _NAME, _DOUBLES, values.nbytes)
    if (matrix, inside) != (_MATRIX, len(element) - _TAG.size) or tuple(rest) != expected or rows * 6 != values.size:
        raise broken
    if not np.isfinite(values).all():
        raise DataError(f"{path}: d_iner has values that are not numbers: unpack the archive again")
    return values.reshape(columns, rows).T
