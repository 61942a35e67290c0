"""Motion-BIDS by hand: two tracking systems in one run, a second run, an inherited sidecar, no column of ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from archives.motion import G, simulate

CHANNELS = "name\tcomponent\ttype\ttracked_point\tunits\treference_frame\n"


def system(stem: Path, place: str, acc: np.ndarray, gyro: np.ndarray) -> None:
    kinds = (("acc", "ACCEL", "m/s^2"), ("gyro", "GYRO", "deg/s"))
    lines = [f"{kind}_{a}\t{a}\t{name}\t{place}\t{unit}\tlocal\n" for kind, name, unit in kinds for a in "xyz"]
    lines.append(f"quat\tquat_w\tORNT\t{place}\tn/a\tlocal\n")
    Path(f"{stem}_channels.tsv").write_text(CHANNELS + "".join(lines))
    rows = np.hstack([acc * G, np.degrees(gyro), np.ones((len(acc), 1))])
    text = "\n".join("\t".join(f"{v:.6f}" for v in row) for row in rows.tolist())
    Path(f"{stem}_motion.tsv").write_text(text.replace("1.000000\n", "n/a\n") + "\n")


def write(folder: Path) -> Path:
    root = folder / "walking"
    motion = root / "sub-01" / "motion"
    motion.mkdir(parents=True)
    about = {"Name": "Walking", "BIDSVersion": "1.9.0", "DatasetType": "raw"}
    (root / "dataset_description.json").write_text(json.dumps(about))
    shared = {"TaskName": "walking", "TrackingSystemName": "IMU", "SamplingFrequency": 100}
    (root / "task-walk_motion.json").write_text(json.dumps(shared))
    scans = ["filename\tacq_time"]
    for number, (name, late) in enumerate((("imuWrist_run-1", 0.0), ("imuHip_run-1", 0.25), ("imuHip_run-2", 60.0))):
        acc, gyro = simulate(14, 20 + number, rate=100)
        stem = motion / f"sub-01_task-walk_tracksys-{name}"
        system(stem, "LeftWrist" if "Wrist" in name else "Hip", acc, gyro)
        scans.append(f"motion/{stem.name}_motion.tsv\t2024-03-01T12:{int(late) // 60:02d}:{late % 60:06.3f}")
    events = "onset\tduration\ttrial_type\n1.0\t4.0\twalking\n6.0\t0\tbutton\n7.5\t3.0\tstanding\n"
    (motion / "sub-01_task-walk_tracksys-imuWrist_run-1_events.tsv").write_text(events)
    (root / "sub-01" / "sub-01_scans.tsv").write_text("\n".join(scans) + "\n")
    return root
