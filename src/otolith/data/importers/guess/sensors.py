"""Which columns of a table are which sensor, in which unit: from their names, and from what the numbers tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from otolith.data.channels import to_si
from otolith.data.importers.guess.evidence import (
    Finding,
    Turning,
    acceleration_unit,
    gyroscope_unit,
    rate_from_turning,
    rest,
    turning,
)
from otolith.data.importers.guess.naming import Meaning, meaning
from otolith.data.importers.guess.proposal import Group, Proposal
from otolith.data.importers.guess.sample import Sample, Series
from otolith.data.importers.session import Wearing
from otolith.types import DataError

_ASSUMED_RATE = 50.0
_RANGES = {
    # What such a sensor reads on a person, and the unit that this is in.
    "heart_rate": ((30, 240, "bpm"),),
    "temperature": ((-20, 60, "degC"),),
    "pressure": ((500, 1100, "hPa"), (50_000, 110_000, "Pa")),
    "mag": ((15, 150, "uT"), (0.15, 1.5, "gauss"), (15_000, 150_000, "nT")),
}


@dataclass(frozen=True)
class Triad:
    """Three columns that are the axes of one sensor, and what their names say of it."""

    names: tuple[str, str, str]
    says: Meaning
    values: NDArray[np.float64]

    @property
    def body(self) -> tuple[str, str]:
        """What carries it, as far as the names say."""
        return self.says.placement, self.says.device


def propose_from(sample: Sample, wearing: Wearing) -> Proposal:
    """What the columns of a table mean.

    Raises:
        DataError: Nothing in it looks like a motion sensor.
    """
    made = Proposal(notes=[f"looked at {sample.rows} rows of {sample.path.name}", *sample.layout.evidence])
    time, clock, notes = sample.time()
    label, why_label = sample.label()
    subject = sample.subject()
    taken = {s.name for s in (time, label, subject) if s is not None}
    rate = clock.rate if clock and clock.unit else None
    triads, left = _triads(sample, taken)
    finder = _Finder(triads, rate)
    made.groups += finder.groups()
    made.groups += [group for series in left for group in _scalar(series, made)]
    used = {name for group in made.groups for name, _ in group.columns} | finder.added
    if not any(column["sensor"] in ("acc", "gyro") for group in made.groups for _, column in group.columns):
        raise DataError(
            f"{sample.path}: no three columns look like an accelerometer or a gyroscope; "
            "say in a mapping what each one measures (see docs/own-recordings.md)"
        )
    made.unused += finder.unused + [(name, "its name occurs twice") for name in sample.twice]
    known = used | taken | {name for name, _ in made.unused}
    made.unused += [(s.name, _why_unused(s)) for s in sample.series if s.name not in known]
    _layout_keys(sample, made)
    if time is not None and clock is not None:
        made.keys.append(("time", time.name, "; ".join(["", *notes]).lstrip("; ")))
        if time.kind != "date":
            made.keys.append(("time_unit", clock.unit, clock.why))
        elif clock.why:
            made.notes.append(f"'{time.name}' is of dates; {clock.why}")
        if clock.coarse:
            made.keys.append(("rate", float(f"{clock.rate:.4g}"), "many rows share a time, so the rate must be stated"))
    else:
        made.notes += notes
        found = finder.rate()
        made.keys.append(("rate", float(found.value) if found.value else "", found.why))
    made.keys.append(("core_motion", finder.apple, finder.why_apple))
    if label is not None:
        made.keys.append(("label", label.name, why_label))
    _subject(subject, wearing, made)
    return made


def _why_unused(series: Series) -> str:
    if series.kind == "number" and meaning(series.name).sensor == "orientation":
        return "orientation, which follows from the sensors"
    kinds = {
        "text": "text",
        "mixed": "numbers and text",
        "empty": "hardly any values",
        "date": "dates",
        "other": "other",
    }
    return kinds.get(series.kind, "its name does not say that it is one axis of a sensor")


def _layout_keys(sample: Sample, made: Proposal) -> None:
    layout = sample.layout
    default = {"above": 0, "below": 0, "header": True, "decimal": "."}
    said = {"above": layout.above, "below": layout.below, "header": layout.header, "decimal": layout.decimal}
    made.keys += [(key, value, "") for key, value in said.items() if value != default[key]]
    if layout.delimiter and (layout.delimiter == " " or layout.decimal == "," or not layout.header):
        made.keys.append(("delimiter", layout.delimiter, ""))


def _subject(series: Series | None, wearing: Wearing, made: Proposal) -> None:
    if series is None:
        return
    if len(series.words) > 1:
        made.notes.append(
            f"ATTENTION: '{series.name}' has {len(series.words)} values, so this may be of several people; "
            "give each person a file"
        )
    elif wearing.subject == Wearing("").subject:
        made.keys.append(("subject", series.words[0], f"all of column '{series.name}'"))


def _triads(sample: Sample, taken: set[str]) -> tuple[list[Triad], list[Series]]:
    """Columns in threes, and those of numbers that are left."""
    free = [s for s in sample.series if s.kind == "number" and s.name not in taken]
    if not sample.layout.header:
        clocks = sample.nearly_times()
        rows = [s for s in free if s.name not in clocks and np.ptp(s.values[np.isfinite(s.values)]) > 0]
        threes = [rows[i : i + 3] for i in range(0, len(rows) - len(rows) % 3, 3)]
        return [_triad(three, Meaning()) for three in threes], []
    units = dict(zip((s.name for s in sample.series), sample.layout.units, strict=False))
    groups: dict[Meaning, dict[str, Series]] = {}
    for series in free:
        says = meaning(series.name)
        if says.axis:
            if not says.unit and units.get(series.name):
                says = meaning(f"{series.name} ({units[series.name]})")
            groups.setdefault(replace(says, axis=""), {}).setdefault(says.axis, series)
    found, grouped = [], set()
    for says, axes in groups.items():
        for order in ("xyz", "012", "123"):
            if set(order) <= set(axes):
                found.append(_triad([axes[axis] for axis in order], says))
                grouped |= {axes[axis].name for axis in order}
                break
    return found, [series for series in free if series.name not in grouped]


def _triad(three: list[Series], says: Meaning) -> Triad:
    x, y, z = three
    return Triad((x.name, y.name, z.name), says, np.column_stack([x.values, y.values, z.values]))


class _Finder:
    """Goes through the triads of a table: acceleration first, as the gyroscope is judged by it.

    Attributes:
        apple: Whether acceleration seems to be Core Motion's, and `why_apple`.
        added: Columns that are added to others.
        unused: Columns that are not read, and why.
    """

    def __init__(self, triads: list[Triad], rate: float | None) -> None:
        self._known_rate = rate
        self._rate = rate or _ASSUMED_RATE
        self.unused: list[tuple[str, str]] = []
        self.added: set[str] = set()
        self._rests = {t.names: rest(t.values, self._rate) for t in triads}
        self._gravity = [t for t in triads if t.says.sensor == "gravity"]
        unnamed = [t for t in triads if not t.says.sensor]
        self._mag = [t for t in triads if t.says.sensor == "mag"]
        self._gyro = [t for t in triads if t.says.sensor == "gyro"]
        self._acc = [t for t in triads if t.says.sensor == "acc"]
        for triad, feels in zip(unnamed, self._tell_apart(unnamed), strict=True):
            (self._acc if feels else self._gyro).append(triad)
        self._unnamed = {t.names for t in unnamed}
        self.apple = any(t.says.apple for t in triads)
        self.why_apple = (
            "these are the names of Apple's Core Motion, whose acceleration points to the ground at rest"
            if self.apple
            else "which way acceleration points at rest, the numbers cannot tell: taken as what an accelerometer feels "
            "(lying face up +1 g on z); for an iPhone's own values say true"
        )
        self._first: tuple[Turning | None, float] | None = None

    def _feels_gravity(self, triad: Triad) -> bool:
        found = self._rests[triad.names]
        return found is not None and bool(acceleration_unit(found)[0].value)

    def _tell_apart(self, unnamed: list[Triad]) -> list[bool]:
        """Which of the triads without names are acceleration."""
        changes = {t.names: r.change for t in unnamed if (r := self._rests[t.names]) and self._feels_gravity(t)}
        if len(unnamed) == len(changes) == 2 and max(changes.values()) < 2 * min(changes.values()):
            one, other = unnamed  # the way round in which one turns as the other says
            found = [turning(a.values, b.values, self._rate) for a, b in ((one, other), (other, one))]
            agree = [t.agreement if t else 0.0 for t in found]
            if max(agree) > 0.5:
                return [agree[0] > agree[1], agree[1] > agree[0]]
        steady = max(0.25, 1.3 * min(changes.values(), default=0.0))
        return [changes.get(triad.names, np.inf) <= steady for triad in unnamed]

    def groups(self) -> Iterator[Group]:
        """What to read of acceleration, angular rate and the magnetic field."""
        total = [t for t in self._acc if not t.says.linear]
        for triad in self._acc:
            yield from self._acceleration(triad, beside=[t for t in total if t.body == triad.body and t is not triad])
        for triad in self._gravity:
            if triad.names[0] not in self.added:
                self.unused += [(name, "gravity alone") for name in triad.names]
        for triad in self._gyro:
            yield from self._turn(triad)
        for triad in self._mag:
            yield from self._field(triad)

    def _acceleration(self, triad: Triad, beside: list[Triad]) -> Iterator[Group]:
        says, found = triad.says, self._rests[triad.names]
        if says.linear and beside:
            self.unused += [(name, "acceleration without gravity beside that with it") for name in triad.names]
            return
        gravity = next((g for g in self._gravity if g.body == triad.body), None)
        if says.linear and gravity is not None:
            yield self._sum(triad, gravity)
            return
        guessed, scale = acceleration_unit(found) if found else (Finding("", "too short to find gravity in it"), 1.0)
        whole = bool(guessed.value) or not (says.linear or (found and found.share < 0.45))
        unit, reason = guessed.value or says.unit or ("g" if says.apple else ""), guessed.why
        why = [self._names(triad)]
        if not unit:
            reason += "; so nothing tells its unit"
        if says.linear and whole:
            reason += "; ITS NAME SAYS THAT GRAVITY IS NOT IN IT"
        if says.unit and unit and to_si(says.unit)[1] != to_si(unit)[1] * scale:
            reason += f"; ITS NAME SAYS {says.unit}"
        yield self._group(triad, "acc", unit, [*why, reason], gravity=whole, scale=scale)

    def _sum(self, triad: Triad, gravity: Triad) -> Group:
        """Core Motion, and Android too, can give gravity and the rest apart; what was felt is their sum."""
        self.added |= set(gravity.names)
        found = self._rests[gravity.names]
        unit, scale = Finding("", "gravity is not whole for a second"), 1.0
        if found is not None:
            unit, scale = acceleration_unit(found)
        why = [self._names(triad), f"gravity is in columns of its own, and is added; {unit.why}"]
        group = self._group(triad, "acc", unit.value, why, gravity=True, scale=scale)
        for (_, column), plus in zip(group.columns, gravity.names, strict=True):
            column["plus"] = plus
        return group

    def _turning(self, triad: Triad) -> Turning | None:
        """How a gyroscope turns beside what says where the ground is: gravity alone, or acceleration."""
        gravity = [t for t in self._gravity if t.body == triad.body] or self._gravity
        acc = [t for t in self._acc if self._feels_gravity(t)]
        near = [t for t in acc if (*t.body, t.says.rest) == (*triad.body, triad.says.rest)]
        near = near or [t for t in acc if t.body == triad.body] or acc[:1]
        if not gravity and not near:
            return None
        return turning((gravity or near)[0].values, triad.values, self._rate, gravity=bool(gravity))

    def _turn(self, triad: Triad) -> Iterator[Group]:
        found = self._turning(triad)
        if triad.names in self._unnamed and (found is None or not gyroscope_unit(found, triad.values).value):
            self.unused += [(name, "neither gravity nor how it turns shows what it is") for name in triad.names]
            return
        guessed = gyroscope_unit(found, triad.values)
        unit, why = guessed.value, guessed.why
        says = triad.says
        if self._known_rate is None:
            # Without a clock, how fast it turns depends on the rate as well, so what names say comes first.
            unit = says.unit or ("rad/s" if says.apple else unit)
            why = f"{why} at an assumed {self._rate:g} Hz" + ("; Core Motion gives rad/s" if says.apple else "")
        elif says.unit and unit and to_si(says.unit) != to_si(unit):
            why += f"; ITS NAME SAYS {says.unit}"
        unit = unit or says.unit
        if unit and self._first is None:
            self._first = found, to_si(unit)[1]
        yield self._group(triad, "gyro", unit, [self._names(triad), why])

    def _field(self, triad: Triad) -> Iterator[Group]:
        size = float(np.nanmedian(np.linalg.norm(triad.values, axis=1)))
        unit = _in_range("mag", size)
        why = f"its magnitude is {size:.4g}, and the Earth's field is 25 to 65 uT: {unit or 'no known unit'}"
        if triad.says.unit and triad.says.unit != unit:
            why += f"; its name says {triad.says.unit}, which is taken"
        yield self._group(triad, "mag", triad.says.unit or unit, [self._names(triad), why])

    def _names(self, triad: Triad) -> str:
        if triad.names in self._unnamed:
            return "no name says what it is; the numbers do:"
        says = triad.says
        words = [says.sensor, "without gravity" if says.linear else "", f"in {says.unit}" if says.unit else ""]
        words += [f"at the {says.placement}" if says.placement else ""]
        return "by its name: " + ", ".join(word for word in words if word)

    def _group(
        self, triad: Triad, sensor: str, unit: str, why: list[str], *, gravity: bool | None = None, scale: float = 1.0
    ) -> Group:
        columns = []
        for name, axis in zip(triad.names, "xyz", strict=True):
            column: dict[str, object] = {"sensor": sensor, "axis": axis, "unit": unit}
            column |= {} if gravity is None else {"gravity": gravity}
            column |= {} if scale == 1.0 else {"scale": scale}
            column |= {"placement": triad.says.placement} if triad.says.placement else {}
            columns.append((name, column))
        return Group(why, columns)

    def rate(self) -> Finding:
        """Samples per second, where there is no column of time."""
        found, factor = self._first or (None, 1.0)
        return rate_from_turning(found, factor, self._rate)


def _in_range(sensor: str, value: float) -> str:
    return next((unit for low, high, unit in _RANGES[sensor] if low <= value <= high), "")


def _scalar(series: Series, made: Proposal) -> Iterator[Group]:
    """A column of heart rate, temperature or pressure, if name and numbers agree."""
    says = meaning(series.name)
    if says.sensor not in ("heart_rate", "temperature", "pressure") or says.axis:
        return
    usual = float(np.nanmedian(series.values))
    unit = _in_range(says.sensor, usual)
    if not unit or (says.unit and to_si(says.unit)[0] != to_si(unit)[0]):
        made.unused.append((series.name, f"named as {says.sensor}, but its usual value is {usual:.4g}"))
        return
    why = f"by its name, and its usual value is {usual:.4g} {unit}"
    column: dict[str, object] = {"sensor": says.sensor, "unit": unit}
    yield Group([why], [(series.name, column | ({"placement": says.placement} if says.placement else {}))])
