"""A small copy of the archive of utd_mhad, in its layout."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from archives.motion import simulate


def mat_file(values: np.ndarray, name: bytes = b"d_iner") -> bytes:
    """A MATLAB 5 file as MATLAB writes it: header, one compressed element, in it a matrix of doubles."""
    data = np.asfortranarray(values, "<f8").tobytes("F")
    rows, columns = values.shape
    inner = struct.pack("<4I2I2i2I8s2I", 6, 8, 6, 0, 5, 8, rows, columns, 1, 6, name, 9, len(data)) + data
    packed = zlib.compress(struct.pack("<2I", 14, len(inner)) + inner)
    header = b"MATLAB 5.0 MAT-file, Platform: PCWIN64, Created on: Thu Jan 15 10:00:00 2015".ljust(124) + b"\x00\x01IM"
    return header + struct.pack("<2I", 15, len(packed)) + packed


def write(folder: Path) -> None:
    (folder / "Inertial").mkdir(parents=True)
    for seed, (action, person, trial) in enumerate(((1, 1, 1), (1, 1, 2), (21, 2, 1), (22, 2, 1), (27, 1, 4))):
        acc, gyro = simulate(6, seed)
        path = folder / "Inertial" / f"a{action}_s{person}_t{trial}_inertial.mat"
        path.write_bytes(mat_file(np.hstack([acc, np.degrees(gyro)])))
