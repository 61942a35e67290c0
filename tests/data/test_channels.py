from __future__ import annotations

import math

import pytest

from otolith.data.channels import GRAVITY, NORMALISED, SENSORS, Channel, to_si, triad, triads
from otolith.types import DataError, UnitError


@pytest.mark.parametrize(
    ("unit", "si", "one"),
    [
        ("m/s^2", "m/s^2", 1.0),
        ("m/s²", "m/s^2", 1.0),
        (" ms-2 ", "m/s^2", 1.0),
        ("g", "m/s^2", 9.80665),
        ("G", "m/s^2", 9.80665),
        ("mg", "m/s^2", 0.00980665),
        ("rad/s", "rad/s", 1.0),
        ("deg/s", "rad/s", 0.0174532925),
        ("°/s", "rad/s", 0.0174532925),
        ("dps", "rad/s", 0.0174532925),
        ("mdeg/s", "rad/s", 1.74532925e-5),
        ("µT", "uT", 1.0),
        ("μT", "uT", 1.0),  # the Greek letter, where the line above has the micro sign
        ("gauss", "uT", 100.0),
        ("T", "uT", 1e6),
        ("mT", "uT", 1e3),
        ("nT", "uT", 1e-3),
        ("deg", "rad", 0.0174532925),
        ("Pa", "hPa", 0.01),
        ("V", "mV", 1000.0),
        ("beats/min", "bpm", 1.0),
        ("°C", "degC", 1.0),
        ("normalized", NORMALISED, 1.0),
    ],
)
def test_units(unit: str, si: str, one: float) -> None:
    name, factor = to_si(unit)
    assert name == si
    assert factor == pytest.approx(one, rel=1e-8)


@pytest.mark.parametrize(
    ("unit", "near"), [("rads/sec", "rad/sec"), ("m/s3", "m/s²"), ("degs/s", "deg/s"), ("gaus", "gauss")]
)
def test_unknown_unit_names_the_nearest(unit: str, near: str) -> None:
    with pytest.raises(UnitError, match=rf"unknown unit '{unit}': did you mean '{near}'\?"):
        to_si(unit)


@pytest.mark.parametrize("unit", ["", "furlong per fortnight"])
def test_a_unit_like_no_other(unit: str) -> None:
    with pytest.raises(UnitError, match=r"known units are m/s\^2, g, mg"):
        to_si(unit)


def test_every_sensor_has_an_si_unit() -> None:
    for sensor in SENSORS.values():
        assert to_si(sensor.unit) == (sensor.unit, 1.0)
        assert 0 < sensor.reference < sensor.limit


def test_channel_takes_the_unit_of_its_sensor() -> None:
    x, _, z = triad("acc", "left wrist", device="smartwatch", gravity=True, prefix="lw_")
    assert (x.name, x.unit, x.axis, x.reference) == ("lw_acc_x", "m/s^2", "x", GRAVITY)
    assert (z.name, z.axis, z.gravity, z.frame) == ("lw_acc_z", "z", True, "sensor")
    assert Channel("hr", "heart_rate", "", "chest").unit == "bpm"
    assert Channel(**x.to_dict()) == x


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (("", "acc", "x", "waist", "", True), DataError, "has no name"),
        (("a", "accel", "x", "waist", "", True), DataError, "unknown sensor 'accel', use one of acc, gyro"),
        (("a", "acc", "w", "waist", "", True), DataError, "unknown axis 'w'"),
        (("a", "acc", "x", "waist", "", True, "earth"), DataError, "unknown frame 'earth'"),
        (
            ("a", "acc", "x", "waist", "", True, "sensor", "g"),
            UnitError,
            "unit 'g' is not SI for acc, convert it",
        ),
        (("a", "gyro", "x", "waist", "", None, "sensor", "deg/s"), UnitError, "convert it to rad/s"),
        (("a", "acc", "x", "waist"), UnitError, "whether gravity is in it"),
        (("a", "gyro", "x", "waist", "", False), UnitError, "whether gravity is in it"),
    ],
)
def test_channels_that_cannot_be(arguments: tuple[object, ...], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        Channel(*arguments)  # type: ignore[arg-type]


def test_normalised_values_have_no_scale() -> None:
    x, _, _ = triad("acc", "waist", gravity=True, unit=NORMALISED)
    assert x.reference == 1.0
    assert x.description == "accelerometer x axis with gravity, normalised, sensor at the waist"


def test_descriptions() -> None:
    x, _, _ = triad("acc", "waist", device="smartphone", gravity=True)
    assert x.description == "accelerometer x axis with gravity, smartphone at the waist"
    x, _, _ = triad("acc", "waist", gravity=False)
    assert x.description == "accelerometer x axis without gravity, sensor at the waist"
    assert triad("gyro", "left wrist", device="smartwatch")[2].description == (
        "gyroscope z axis, smartwatch at the left wrist"
    )
    world = Channel("v", "acc", "z", "hip", "", False, "world")
    assert world.description == "accelerometer z axis without gravity, world frame, sensor at the hip"
    assert Channel("hr", "heart_rate", "", "chest", "strap").description == "heart rate, strap at the chest"


def test_triads_of_one_body_turn_together() -> None:
    acc, gyro = triad("acc", "waist", gravity=True), triad("gyro", "waist")
    wrist = triad("acc", "left wrist", gravity=True, prefix="w_")
    channels = [*gyro, Channel("hr", "heart_rate", "", "chest"), *acc[::-1], *wrist]
    assert triads(channels) == {
        ("waist", ""): [(0, 1, 2), (6, 5, 4)],  # acc was given as z, y, x
        ("left wrist", ""): [(7, 8, 9)],
    }


def test_two_sensors_of_a_kind_on_one_body_stay_apart() -> None:
    low = triad("acc", "chest", gravity=True, prefix="16g_")
    high = triad("acc", "chest", gravity=True, prefix="6g_")
    assert triads([*low, *high]) == {("chest", ""): [(0, 1, 2), (3, 4, 5)]}


def test_what_no_rotation_may_touch() -> None:
    world = [Channel(f"w_{a}", "acc", a, "hip", "", False, "world") for a in "xyz"]
    angles = [Channel(f"o_{a}", "orientation", a, "hip") for a in "xyz"]
    pair = triad("acc", "hip", gravity=True)[:2]
    assert triads([*world, *angles, *pair]) == {}
    assert triads([]) == {}


def test_angles() -> None:
    assert to_si("deg")[1] * 180 == pytest.approx(math.pi)
