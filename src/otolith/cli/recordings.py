"""A recording from a file or a dataset, as the options of the command describe it, and what to know about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict, Unpack

import typer

from otolith.types import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otolith.data.recording import Recording
    from otolith.data.views import ChannelView
    from otolith.models.saved import TextModel

File = Annotated[
    Path, typer.Argument(help="CSV or Parquet, the export of a device (file, folder or zip), or a dataset folder.")
]
Name = Annotated[str | None, typer.Option("--recording", help="Name of the recording, if FILE is a dataset.")]
Mapping = Annotated[Path | None, typer.Option(help="YAML that describes the columns, instead of the options below.")]
AccUnit = Annotated[str, typer.Option(help="Unit of acceleration: m/s^2, g, mg.")]
GyroUnit = Annotated[str, typer.Option(help="Unit of angular rate: rad/s, deg/s.")]
MagUnit = Annotated[str, typer.Option(help="Unit of the magnetic field: uT, gauss.")]
TimeUnit = Annotated[str, typer.Option(help="Unit of the time column: s, ms, us, ns.")]
Rate = Annotated[
    float | None, typer.Option(help="Samples per second, if the file has no times or many rows share one.")
]
Placement = Annotated[str, typer.Option(help="Where the sensor was worn, in words: left wrist, waist.")]
Device = Annotated[str, typer.Option(help="What carried it, in words: smartwatch, smartphone.")]
Gravity = Annotated[bool, typer.Option(help="Whether gravity is in the acceleration.")]
CoreMotion = Annotated[
    bool, typer.Option("--core-motion", help="Acceleration of an iPhone's Core Motion: at rest it points down.")
]

MIN_RATE = 10.0
"""Samples per second below which nothing is recognised: everyday movement reaches 5 Hz and would be aliased."""


class Described(TypedDict):
    """What a table's numbers cannot say, under the names that `TableMapping.standard` gives it."""

    acc_unit: str
    gyro_unit: str
    mag_unit: str
    time_unit: str
    rate: float | None
    placement: str
    device: str
    gravity: bool
    core_motion: bool


_UNSAID = Described(
    acc_unit="", gyro_unit="", mag_unit="", time_unit="", rate=None, placement="", device="", gravity=True,
    core_motion=False,
)  # fmt: skip


def open_recording(file: Path, name: str | None, mapping: Path | None, **described: Unpack[Described]) -> Recording:
    """The recording; refused if its numbers cannot be what they are said to be.

    Raises:
        ConfigError: An option is missing, or contradicts the file or the mapping.
        DataError: The file cannot be read, or holds no such recording, or is too slow.
    """
    found = _read(file, name, mapping, described)
    if found.rate < MIN_RATE:
        raise DataError(
            f"{file} has {found.rate:.3g} samples per second, and below {MIN_RATE:g} movements cannot be told apart; "
            "record at 20 or more"
        )
    return found


def _read(file: Path, name: str | None, mapping: Path | None, described: Described) -> Recording:
    from otolith.data.importers import TableMapping, read_columns, read_table, recognised
    from otolith.data.importers.opening import opened

    unsaid: dict[str, object] = {**_UNSAID}
    said = [
        "--no-gravity" if key == "gravity" else f"--{key.replace('_', '-')}"
        for key, value in described.items()
        if value != unsaid[key]
    ]
    if mapping and said:
        raise ConfigError(f"--mapping describes the columns: say it in {mapping} and leave out {', '.join(said)}")
    if (file / "dataset.json").is_file():
        if said or mapping:
            raise ConfigError(
                f"{file} is a dataset, which describes itself: leave out {', '.join(said or ['--mapping'])}"
            )
        return _of_dataset(file, name)
    if mapping:
        return read_table(file, TableMapping.from_yaml(mapping))
    with opened(file) as source:
        if recognised(source):
            return _of_export(source, described, [option for option in said if option not in _WORN])
    if file.is_dir():
        return _of_dataset(file, name)  # which says what is wrong with it
    columns = read_columns(file)
    if not described["placement"]:
        raise ConfigError("say where the sensor was worn, for example --placement 'left wrist': the model reads this")
    return read_table(file, TableMapping.standard(columns, **described))


def _of_dataset(folder: Path, name: str | None) -> Recording:
    from otolith.data.recording import refuse_implausible
    from otolith.data.store import Dataset

    dataset = Dataset.open(folder)
    names = list(dataset.recordings["name"])
    if name not in names:
        some = ", ".join(names[:3])
        raise DataError(f"say which recording of {folder} with --recording: there are {len(names)}, such as {some}")
    found = dataset.read(names.index(name))
    refuse_implausible(found)
    return found


_WORN = ("--placement", "--device")
"""Options that the export of a device leaves open."""


def _of_export(source: Path, described: Described, too_much: Sequence[str]) -> Recording:
    """The motion in the first session of a device's or an app's export."""
    from otolith.data.importers import Wearing, sessions
    from otolith.data.importers.clocks import recordings

    if too_much:
        raise ConfigError(f"{source.name} is the export of a device, which states units and clock: leave out "
                          f"{', '.join(too_much)}")  # fmt: skip
    session = next(sessions(source, Wearing(described["placement"], described["device"])))
    found, notes = recordings(session)
    tell(notes)
    return found[0]


def notes_on(found: Recording, model: TextModel, view: ChannelView) -> list[str]:
    """What a person should know of how this model sees the recording. Before `embed`, which adds to `model.texts`.

    Raises:
        DataError: The model learnt from acceleration, and that of the recording is of the other kind (gravity).
    """
    from otolith.data.channels import SENSORS
    from otolith.data.recording import check_physics

    ignored = [c for c in found.channels if not view.keeps(c)]
    names = ", ".join(c.name for c in ignored)
    learnt = any(text.startswith(SENSORS["acc"].words) for text in model.texts.known)
    if learnt and view.lacks_gravity(found.channels):
        has, wants = ("without", "with") if view.gravity else ("with", "without")
        raise DataError(
            f"recording '{found.name}': its acceleration is {has} gravity, and this model learnt from acceleration "
            f"{wants} gravity; give that, or leave the columns of acceleration out"
        )
    notes = [finding.text for finding in check_physics(found)]
    return [*notes, f"this model does not use {names}"] if ignored else notes


def note_on_words(model: TextModel, names: Sequence[str], advice: str) -> list[str]:
    """A sentence on the activities that the model never saw, if there are any, and what to do about it."""
    from otolith.recognise.zeroshot import unlearnt

    strange = unlearnt(model, names)
    if not strange:
        return []
    some = ", ".join(f"'{name}'" for name in strange[:3]) + (f" and {len(strange) - 3} more" if strange[3:] else "")
    return [f"this model was never shown {some}: {advice}"]


def note_on_gaps(missing: Sequence[tuple[float, float]]) -> list[str]:
    """A sentence on the stretches that nothing is said about, if there are any."""
    if not missing:
        return []
    some = ", ".join(f"{start:.1f} s to {end:.1f} s" for start, end in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    return [f"nothing is recognised from {some}{more}: samples are missing there"]


def tell(notes: Sequence[str]) -> None:
    """Prints notes to stderr."""
    for note in notes:
        typer.echo(f"otolith: note: {note}", err=True)
