"""What the name of a column says: sensor, axis, unit, place. Only for proposals that a person then corrects."""

from __future__ import annotations

import re
from dataclasses import dataclass

from otolith.data.channels import to_si
from otolith.types import UnitError

_WORDS = {
    "acc": "acc", "accel": "acc", "accelero": "acc", "accelerometer": "acc", "acceleration": "acc",
    "accelerations": "acc", "gyr": "gyro", "gyro": "gyro", "gyroscope": "gyro", "rotation": "gyro",
    "rot": "gyro", "angular": "gyro", "angvel": "gyro", "omega": "gyro", "mag": "mag", "magn": "mag",
    "magnet": "mag", "magnetic": "mag", "magnetometer": "mag", "gravity": "gravity", "grav": "gravity",
    "roll": "orientation", "pitch": "orientation", "yaw": "orientation", "attitude": "orientation",
    "quaternion": "orientation", "quat": "orientation", "euler": "orientation",
    "pressure": "pressure", "barometer": "pressure", "baro": "pressure",
    "temperature": "temperature", "temp": "temperature",
    "heartrate": "heart_rate", "heart": "heart_rate", "hr": "heart_rate", "bpm": "heart_rate",
    "ecg": "ecg", "ekg": "ecg",
}  # fmt: skip
_LETTERS = {"a": "acc", "g": "gyro", "w": "gyro", "m": "mag", "b": "mag"}
_LINEAR = {"linear", "lin", "user"}
_UNITS = {
    "mg": "mg", "ms2": "m/s^2", "mps2": "m/s^2", "mss": "m/s^2", "dps": "deg/s", "degs": "deg/s", "degps": "deg/s",
    "rads": "rad/s", "radps": "rad/s", "mdps": "mdeg/s", "ut": "uT", "nt": "nT", "mt": "mT", "gauss": "gauss",
}  # fmt: skip
_OF = {"acc": "m/s^2", "gravity": "m/s^2", "gyro": "rad/s", "mag": "uT"}
_SIDES = {"left": "left", "right": "right", "l": "left", "r": "right"}
_PARTS = {
    "wrist", "ankle", "chest", "waist", "hip", "thigh", "shin", "shank", "calf", "foot", "head", "neck", "back",
    "hand", "arm", "forearm", "leg", "pocket", "ear", "torso", "trunk", "sternum", "pelvis", "knee", "finger",
    "shoulder", "belt", "upperarm",
}  # fmt: skip
_DEVICES = {"phone": "smartphone", "smartphone": "smartphone", "watch": "smartwatch", "smartwatch": "smartwatch"}
_BRACKETS = re.compile(r"[(\[{]([^)\]}]*)[)\]}]\s*$")
_EDGES = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")
_GLUED = re.compile(rf"({'|'.join([*_WORDS, *_LETTERS])})([xyz])")
_GLUED_BACK = re.compile(rf"([xyz])({'|'.join(_WORDS)})")


@dataclass(frozen=True)
class Meaning:
    """What a name says; empty where it says nothing.

    Attributes:
        sensor: `acc`, `gyro`, ..., as `otolith.data.channels.SENSORS`, or `gravity` for gravity alone.
        axis: `x`, `y`, `z`, or a number that may stand for one.
        unit: As written, known to `to_si`.
        linear: Whether it says that gravity is not in it.
        placement: Such as `left wrist`.
        device: Such as `smartphone`.
        rest: The other words, by which sensors of one kind are told apart.
        apple: Whether these are the words of Apple's Core Motion.
    """

    sensor: str = ""
    axis: str = ""
    unit: str = ""
    linear: bool = False
    placement: str = ""
    device: str = ""
    rest: tuple[str, ...] = ()
    apple: bool = False


def meaning(name: str) -> Meaning:
    """Reads a column's name, such as `Accel X (g)`, `left_wrist_gyro_z`, `userAcceleration.x` or `ax`."""
    unit, plain = "", name
    if bracket := _BRACKETS.search(name):
        unit = known_unit(bracket[1])
        plain = name[: bracket.start()]
    plain = plain.replace("²", "2").replace("°", "deg").replace("µ", "u").replace("μ", "u")
    words = [w for part in re.split(r"[^0-9A-Za-z]+", plain) for w in _EDGES.sub(" ", part).lower().split()]
    together = "".join(words)
    apple = any(said in together for said in ("useracceleration", "rotationrate", "accelerometeracceleration"))
    words, glued, axis = _apart(_joined(words))
    sensor = glued
    rest: list[str] = []
    linear = False
    for word in words:
        if word in _WORDS and (not sensor or (sensor == "gravity" and word == "acceleration")):
            sensor = _WORDS[word]
        elif word in _WORDS and _WORDS[word] == sensor:
            continue
        elif word in _LINEAR:
            linear = True
        elif not unit and word in _UNITS:
            unit = _UNITS[word]
        elif word == "g" and sensor in ("acc", "gravity") and not unit:
            unit = "g"
        else:
            rest.append(word)
    if not axis and rest and rest[-1] in ("0", "1", "2", "3"):
        axis = rest.pop()
    if not sensor and axis in "xyz" and len(rest) == 1 and rest[0] in _LETTERS:
        sensor = _LETTERS[rest.pop()]
    if not sensor and axis and unit:
        sensor = next((of for of, si in _OF.items() if to_si(unit)[0] == si), "")
    placement, rest = _place([word for word in rest if word != "axis"])
    device = next((_DEVICES[word] for word in rest if word in _DEVICES), "")
    if unit and sensor in _OF and to_si(unit)[0] != _OF[sensor]:
        unit = ""
    return Meaning(
        sensor, axis, unit, linear, placement, device, tuple(w for w in rest if w not in _DEVICES), apple
    )  # fmt: skip


def known_unit(text: str) -> str:
    """The unit in brackets if it is one that is known, else nothing."""
    text = text.strip().replace("Â", "")
    for spelling in (text, text.replace(" ", ""), text.replace("^", ""), text.lower()):
        try:
            to_si(spelling)
        except UnitError:
            continue
        return spelling
    return ""


def _joined(words: list[str]) -> list[str]:
    """Words that belong together: `m s 2`, `deg s`, `heart rate`."""
    text = f" {' '.join(words)} "
    for apart, whole in (
        (" m s 2 ", " ms2 "), (" ms 2 ", " ms2 "), (" mps 2 ", " mps2 "), (" m s2 ", " ms2 "), (" deg s ", " dps "),
        (" rad s ", " rads "), (" heart rate ", " heartrate "), (" upper arm ", " upperarm "), (" u t ", " ut "),
        (" angular velocity ", " angvel "), (" angular rate ", " angvel "), (" rotation rate ", " rotation "),
        (" magnetic field ", " magnetic "),
    ):  # fmt: skip
        text = text.replace(apart, whole)
    return text.split()


def _apart(words: list[str]) -> tuple[list[str], str, str]:
    """The words without the axis, the sensor of a word such as `accx`, and the axis."""
    axes = [word for word in words if word in ("x", "y", "z")]
    if len(axes) == 1:
        return [word for word in words if word != axes[0]], "", axes[0]
    for place, word in enumerate(words):
        if match := _GLUED.fullmatch(word):
            return words[:place] + words[place + 1 :], (_WORDS | _LETTERS)[match[1]], match[2]
        if match := _GLUED_BACK.fullmatch(word):
            return words[:place] + words[place + 1 :], _WORDS[match[2]], match[1]
    return words, "", ""


def _place(words: list[str]) -> tuple[str, list[str]]:
    """A place on the body in plain words, and the words that are not of it."""
    parts = [word for word in words if word in _PARTS]
    if not parts:
        return "", words
    sides = [word for word in words if word in _SIDES]
    found = [*(_SIDES[side] for side in sides[:1]), *parts]
    return " ".join(found).replace("upperarm", "upper arm"), [w for w in words if w not in (*sides, *parts)]
