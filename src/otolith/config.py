"""From YAML and `--set` to the dataclasses that the rooms define; an unknown key names the nearest one."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from otolith.types import ConfigError

T = TypeVar("T")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        ConfigError: Not there, not YAML, or not a mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the configuration {path}: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold keys and values, like  train: {{steps: 1000}}")
    return values


def override(values: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Applies `key.sub=value` assignments, the values read as YAML.

    Raises:
        ConfigError: No equals sign, or a value that is not YAML.
    """
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment}: write key=value, for example --set train.steps=500")
        *path, last = key.strip().split(".")
        here = values
        for part in path:
            here = here.setdefault(part, {})
            if not isinstance(here, dict):
                raise ConfigError(f"--set {assignment}: '{part}' holds a value, not keys")
        try:
            here[last] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {assignment}: '{text}' is not a YAML value") from error
    return values


def build(cls: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """An instance of a config dataclass from plain values, nested ones included.

    Raises:
        ConfigError: An unknown key, a missing one, or a value of the wrong type.
    """
    hints = get_type_hints(cls)
    known = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.4)
            hint = f"did you mean '{near[0]}'?" if near else f"keys are {', '.join(known)}"
            raise ConfigError(f"unknown key '{where}{key}' in the configuration: {hint}")
    given = {key: _convert(value, hints[key], f"{where}{key}") for key, value in values.items()}
    try:
        return cls(**given)
    except TypeError as error:
        raise ConfigError(
            f"the configuration lacks a value under '{where.rstrip('.') or 'the top'}': {error}"
        ) from error


def _convert(value: Any, hint: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"'{where}' must hold keys and values, not {value!r}")
        return build(hint, value, where + ".")
    if get_origin(hint) in (Union, types.UnionType):
        return _first_that_fits(value, get_args(hint), where)
    if get_origin(hint) is Mapping:
        if not isinstance(value, Mapping):
            raise ConfigError(f"'{where}' must hold keys and values, not {value!r}")
        return dict(value)
    if get_origin(hint) is tuple:
        items = value if isinstance(value, list | tuple) else [value]
        return tuple(_convert(item, get_args(hint)[0], where) for item in items)
    if hint is float:
        return _number(value, where)
    if hint is types.NoneType and value is None:
        return None
    if isinstance(hint, type) and isinstance(value, hint) and (hint is bool) == isinstance(value, bool):
        return value
    raise ConfigError(f"'{where}' must be {getattr(hint, '__name__', hint)}, not {value!r}")


def _number(value: Any, where: str) -> float:
    """A finite number; YAML 1.1 takes 1e-3, without a point, for a string."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"'{where}' must be float, not {value!r}")
    return number


def _first_that_fits(value: Any, choices: Sequence[Any], where: str) -> Any:
    if isinstance(value, str):  # people may be called by numbers: "1" is a name before it is a share
        choices = sorted(choices, key=lambda choice: choice is float)
    for choice in choices:
        try:
            return _convert(value, choice, where)
        except ConfigError:
            continue
    names = " or ".join(getattr(c, "__name__", str(c)) for c in choices)
    raise ConfigError(f"'{where}' must be {names}, not {value!r}")
