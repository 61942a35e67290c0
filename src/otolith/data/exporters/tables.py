"""A table for each recording, as CSV or Parquet, and a mapping with which `otolith import` reads it again."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import yaml

from otolith.data.channels import Channel
from otolith.data.recording import Recording
from otolith.data.store import Dataset

README = """\
One table for each recording under recordings/: time [s] from its first sample, a column for each channel in SI units,
and the activity of each row. recordings.csv says who wore the sensors and when, annotations.csv says when each activity
began and ended. mapping-<layout>.yaml says what the columns of the recordings of this layout measure:

    otolith import recordings/NAME.{form} --mapping mapping-0.yaml -o DATASET
"""


def write(dataset: Dataset, folder: Path, form: str, progress: Callable[[], None]) -> None:
    """Writes every recording of `dataset` into `folder`; `form` is `csv` or `parquet`."""
    (folder / "recordings").mkdir()
    rows, notes = [], []
    names: set[str] = set()
    for number in range(len(dataset)):
        recording = dataset.read(number)
        file = file_stem(recording.name, names)
        _write_table(_table(recording), folder / "recordings" / f"{file}.{form}", form)
        rows.append(
            {
                "file": f"recordings/{file}.{form}",
                "name": recording.name,
                "subject": recording.subject,
                "session": recording.session,
                "offset_s": recording.offset,
                "rate": recording.rate,
                "layout": int(dataset.recordings["layout"].iloc[number]),
            }
        )
        notes += [(recording.name, n.start, n.end, n.activity) for n in recording.annotations]
        progress()
    pd.DataFrame(rows).to_csv(folder / "recordings.csv", index=False)
    columns = ["recording", "start_s", "end_s", "activity"]
    pd.DataFrame(notes, columns=columns).to_csv(folder / "annotations.csv", index=False)
    for number, layout in enumerate(dataset.layouts):
        text = yaml.safe_dump(_mapping(layout), sort_keys=False, allow_unicode=True)
        (folder / f"mapping-{number}.yaml").write_text(text, encoding="utf-8")
    about = [f"{dataset.info.get('title') or dataset.name}", f"licence: {dataset.info['licence']}"]
    text = "\n".join([*about, f"cite: {dataset.info['citation']}", "", README.format(form=form)])
    (folder / "README.md").write_text(text, encoding="utf-8")


def file_stem(name: str, taken: set[str]) -> str:
    """A file name for a recording that no other has, whatever its name is made of; it is added to `taken`."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")[:100] or "recording"
    stem, number = plain, 2
    while stem.casefold() in taken:
        stem, number = f"{plain}_{number}", number + 1
    taken.add(stem.casefold())
    return stem


def _table(recording: Recording) -> pa.Table:
    times = np.round(np.arange(len(recording.signal)) / recording.rate, 6)
    labels = np.full(len(times), "", dtype=object)
    for note in recording.annotations:
        labels[(times >= note.start - 1e-6) & (times < note.end - 1e-6)] = note.activity
    columns = {"time": pa.array(times)}
    for index, channel in enumerate(recording.channels):
        values = recording.signal[:, index]
        columns[channel.name] = pa.array(values, mask=np.isnan(values))  # a missing sample is an empty cell
    return pa.table({**columns, "activity": pa.array(labels, pa.string())})


def _write_table(table: pa.Table, path: Path, form: str) -> None:
    if form == "parquet":
        pq.write_table(table, path)
    else:
        csv.write_csv(table, path, csv.WriteOptions(quoting_style="needed"))


def _mapping(layout: tuple[Channel, ...]) -> dict[str, object]:
    columns: dict[str, dict[str, object]] = {}
    for channel in layout:
        said = {"sensor": channel.sensor, "axis": channel.axis, "unit": channel.unit, "gravity": channel.gravity}
        kept = {key: value for key, value in said.items() if value not in ("", None)}
        columns[channel.name] = {**kept, "placement": channel.placement}
    devices = {channel.device for channel in layout}
    device = {"device": next(iter(devices))} if len(devices) == 1 else {}
    return {"time": "time", "time_unit": "s", "label": "activity", **device, "columns": columns}
