"""GENEActiv: a .bin file of some pages, as its manual describes it (Operating Instructions, Decoding .bin files)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from archives.motion import simulate

GAIN, OFFSET = (25_548, 25_675, 25_560), (574, 1_340, -1_016)
PAGE_SAMPLES = 300
HEADER = """\
Device Identity
Device Unique Serial Code:012967
Device Type:GENEActiv
Device Model:1.1
Device Firmware Version:Ver06.17 15June23
Calibration Date:2020-01-10 10:00:00:000

Device Capabilities
Accelerometer Range:-8 to 8
Accelerometer Resolution:0.0039
Accelerometer Units:g
Light Meter Range:0 to 5000
Light Meter Resolution:5
Light Meter Units:lux
Temperature Sensor Range:0 to 70
Temperature Sensor Resolution:0.3
Temperature Sensor Units:deg. C

Configuration Info
Measurement Frequency:50 Hz
Measurement Period:24 Hours
Start Time:2024-03-01 12:00:00:000
Time Zone:GMT +01:00

Trial Info
Study Centre:
Study Code:
Investigator ID:
Exercise Type:
Config Operator ID:
Config Time:2024-03-01 11:00:00:000
Config Notes:
Extract Operator ID:
Extract Time:2024-03-02 11:00:00:000
Extract Notes:

Subject Info
Device Location Code:left wrist
Subject Code:
Date of Birth:1970-01-01
Sex:
Height:
Weight:
Handedness Code:
Subject Notes:

Calibration Data
x gain:{gain[0]}
x offset:{offset[0]}
y gain:{gain[1]}
y offset:{offset[1]}
z gain:{gain[2]}
z offset:{offset[2]}
Volts:300
Lux:800

Memory Status
Number of Pages:{pages}

"""
PAGE = """\
Recorded Data
Device Unique Serial Code:012967
Sequence Number:{number}
Page Time:{time}
Unassigned:
Temperature:21.6
Battery voltage:4.0896
Device Status:Recording
Measurement Frequency:50.0
{data}
"""


def write(folder: Path, pages: int = 3, name: str = "left wrist_012967_2024-03-02.bin") -> Path:
    acc, _ = simulate(pages * PAGE_SAMPLES / 50, 9, rate=50)
    raw = np.round((acc * GAIN + OFFSET) / 100).astype(int) & 0xFFF  # 12 bits, two's complement
    text = HEADER.format(gain=GAIN, offset=OFFSET, pages=pages)
    begin = datetime(2024, 3, 1, 12, tzinfo=UTC)
    for number in range(pages):
        rows = raw[number * PAGE_SAMPLES : (number + 1) * PAGE_SAMPLES]
        data = "".join(f"{x:03X}{y:03X}{z:03X}{40 << 2:03X}" for x, y, z in rows.tolist())
        time = begin + timedelta(seconds=number * PAGE_SAMPLES / 50)
        stamp = f"{time:%Y-%m-%d %H:%M:%S}:{time.microsecond // 1000:03d}"
        text += PAGE.format(number=number, time=stamp, data=data)
    path = folder / name
    path.write_bytes(text.replace("\n", "\r\n").encode())
    return path
