"""ActiGraph GT3X+: the raw export of ActiLife, without time stamps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import simulate

HEAD = """\
------------ Data File Created By ActiGraph GT3X+ ActiLife v6.13.3 Firmware v3.2.1 date format M/d/yyyy at {rate} Hz  Filter Normal -----------
Serial Number NEO1F18120387
Start Time 13:00:00
Start Date 6/1/2024
Epoch Period (hh:mm:ss) {epoch}
Download Time 10:45:00
Download Date 6/8/2024
Current Memory Address: 0
Current Battery Voltage: 4.07     Mode = 12
--------------------------------------------------
"""  # noqa: E501 (as the file has it)
AXES = ["Accelerometer X", "Accelerometer Y", "Accelerometer Z"]


def write(
    folder: Path,
    separator: str = ",",
    epoch: str = "00:00:00",
    columns: list[str] | None = None,
    rows: np.ndarray | None = None,
) -> Path:
    path = folder / "NEO1F18120387 (2024-06-01)RAW.csv"
    rows = simulate(14, 12, rate=30)[0] if rows is None else rows
    decimal = "," if separator == ";" else "."
    lines = [separator.join(columns)] if columns else [separator.join(AXES)] if columns is None else []
    lines += [separator.join(f"{v:.3f}".replace(".", decimal) for v in row) for row in rows]
    path.write_text(HEAD.format(rate=30, epoch=epoch) + "\n".join(lines) + "\n")
    return path
