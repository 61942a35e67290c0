"""Damage that knows its format: what is inside is changed and packed again, so that it gets past the packing."""

from __future__ import annotations

import io
import json
import struct
import zlib
from functools import cache
from pathlib import PurePosixPath
from tokenize import TokenError
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from fuzz import tars, zips
from fuzz.mutations import BINARY, TEXT, Mutation, strange_value, value_changed, word_changed


@cache
def zeros_packed() -> bytes:
    """Many zeros, as zlib packs them."""
    packer = zlib.compressobj(1)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(zips.BOMB_BYTES >> 20)) + packer.flush()


def mutations_of(name: str) -> tuple[Mutation, ...]:
    """What may happen to the bytes of a file of this name."""
    suffix = ".tar" if ".tar" in name else PurePosixPath(name).suffix.lower()
    own = BY_SUFFIX.get(suffix, ())
    if suffix in (".json", ".yaml"):
        return (*own, *own, *TEXT)
    return (*own * max(1, round(2 * len(BINARY) / len(own))), *BINARY) if own else TEXT


# NumPy


def npy_header(data: bytes, rng: np.random.Generator) -> bytes:
    """A header that says something else, or is none; the content stays."""
    if data[:6] != b"\x93NUMPY" or len(data) < 128:
        return data[:5]
    rows = [(0, 3), (-1,), (2**62, 2**62), (10**30, 1), (1,), (), (7, 3), (3, 0), (2**31, 5), (1, 1, 1, 1), (10**8, 5)]
    kinds = ["<f4", ">f8", "|O", "<i8", "<U4", "<c16", "|V8", "<M8[ns]", "<f2", "|b1", "|S8", "<u8", "x", "", "<f8"]
    shape = str(rows[rng.integers(len(rows))])
    kind = kinds[rng.integers(len(kinds))]
    old = data[10 : 10 + int.from_bytes(data[8:10], "little")].decode("latin-1")
    start, end = old.find("(") if "(" in old else 0, old.find(")") + 1
    texts = [
        old[:start] + shape + old[end:],
        old.replace("'<f8'", repr(kind)).replace("'<f4'", repr(kind)),
        old.replace("False", "True"),
        old.replace("'<f8'", "[('a', '<f8'), ('b', '<i4')]"),
        old.replace("'descr'", "'other'"),
        "{" * 3000,
        "(" * 9000 + ")" * 9000,
        "__import__('os').system('touch escaped')",
        old + " " * 60_000,
        "\0" * 100,
        "-" * 5000 + "1",
    ]
    text = texts[rng.integers(len(texts))].encode("latin-1").ljust(117) + b"\n"
    version = bytes([int(rng.choice([1, 1, 1, 2, 3, 9])), 0])
    size = int(rng.choice([len(text), len(text), len(text), 0, 2**16 - 1]))
    length = struct.pack("<H", min(size, 2**16 - 1)) if version[0] == 1 else struct.pack("<I", size << 8)
    return data[:6] + version + length + text + data[10 + len(old) :]


def npy_values(data: bytes, rng: np.random.Generator) -> bytes:
    """An array that is well packed and holds something else."""
    try:
        values = np.lib.format.read_array(io.BytesIO(data))
    except (ValueError, EOFError, RecursionError, MemoryError, TokenError):
        return data[:-1]
    with np.errstate(all="ignore"):
        return packed_npy(_other_values(values, rng))


def packed_npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def _other_values(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    changed = values.astype(np.float64)
    flat = changed.reshape(-1)
    way = int(rng.integers(10))
    if way == 0 and flat.size:
        flat[rng.integers(0, flat.size, rng.choice([1, 50]))] = rng.choice(
            [np.nan, np.inf, -np.inf, 1e300, 1e30, -1, 0]
        )
    elif way == 1:
        changed = changed * float(rng.choice([0, -1, 1e-3, 9.80665, 57.3, 1000, 1e39]))
    elif way == 2 and changed.ndim > 1:  # a clock that jumps, or a sensor that hangs
        column = changed[..., int(rng.integers(changed.shape[-1]))]
        column[len(column) // 2 :] += rng.choice([-1, 1, 1]) * 10 ** rng.uniform(-2, 15)
    elif way == 3:
        changed = np.moveaxis(changed, 0, -1)
    elif way == 4 and len(changed):
        changed = changed[rng.permutation(len(changed))]
    elif way == 5:
        changed = changed[: int(rng.integers(0, len(changed) + 1))] if changed.ndim else changed
    elif way == 6 and changed.ndim > 1:
        changed = np.delete(changed, int(rng.integers(changed.shape[-1])), axis=-1)
    elif way == 7 and changed.ndim > 1 and changed.shape[-1] > 1:
        changed = changed[..., rng.permutation(changed.shape[-1])]
    elif way == 8:
        kinds = ["f2", "i2", ">f8", "c16", "U20", "?"]
        return np.nan_to_num(changed).clip(-3e4, 3e4).astype(kinds[rng.integers(len(kinds))])
    elif way == 9:
        changed = np.repeat(changed, 2, axis=0) if changed.ndim else changed
    return changed


# MATLAB 5


def mat_inside(data: bytes, rng: np.random.Generator) -> bytes:
    """The tags within a packed element: types, sizes, flags, dimensions, name; or its numbers."""
    head, rest = data[:128], data[128:]
    packed = rest[:1] == b"\x0f"
    try:
        inside = bytearray(zlib.decompress(rest[8:]) if packed else rest)
    except zlib.error:
        return data[:-1]
    strange = [0, 1, 2, 5, 9, 14, 15, 0x0800, 0xFFFF, 0x00040005, 2**31 - 1, 2**31, 2**32 - 1, len(inside), 0x7FF00000]
    way = int(rng.integers(5))
    if way <= 1 and len(inside) > 96:
        for _ in range(int(rng.choice([1, 1, 2]))):
            struct.pack_into("<I", inside, 4 * int(rng.integers(0, 20)), strange[rng.integers(len(strange))])
    elif way == 2 and len(inside) > 200:
        place = 8 * int(rng.integers(10, len(inside) // 8))
        struct.pack_into("<d", inside, place, float(rng.choice([np.nan, np.inf, 1e300, -5, 1e30, 0.5])))
    elif way == 3:
        inside = inside[: int(rng.integers(0, len(inside) + 1))]
    else:
        inside += inside[:80] * int(rng.choice([1, 500]))
    if not packed:
        return head + bytes(inside)
    small = zlib.compress(bytes(inside), 1)
    return head + struct.pack("<2I", 15, len(small)) + small


def mat_packing(data: bytes, rng: np.random.Generator) -> bytes:
    """A bomb, an element within an element within an element, an absurd size, bytes that follow."""
    head, rest = data[:128], data[128:]
    nested = rest
    for _ in range(200):
        small = zlib.compress(nested, 1)
        nested = struct.pack("<2I", 15, len(small)) + small
    ways = [
        struct.pack("<2I", 15, len(zeros_packed())) + zeros_packed(),
        nested,
        rest[:4] + struct.pack("<I", int(rng.choice([0, 1, 2**31, 2**32 - 1]))) + rest[8:],
        rest * 3,
        rest + bytes(9),
        struct.pack("<2I", 14, 0) * 20_000,
    ]
    return head + ways[rng.integers(len(ways))]


# JSON and YAML

_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 0.5, 1e308, float("nan"), float("inf"), 10**400, "", "x" * 70_000, [], {}, [[]], "\ud800", "\0",
    "../../x", "a\nb", [None] * 2000, {"": ""}, "1970-01-01", "50 Hz", "\x1b[31m",
)  # fmt: skip
_RAW = (
    b"[" * 100_000,
    b"9" * 5000,
    b"NaN",
    b"-",
    b'{"a":' * 50_000,
    b'"\\ud800"',
    b'"\\u0000"',
    b"1e999",
    b"\xff",
    b"",
)


def _nodes(value: Any) -> list[tuple[Any, Any]]:
    """Each place in nested lists and dicts, as container and key."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [place for key in keys for place in ((value, key), *_nodes(value[key]))]


def _changed(whole: Any, rng: np.random.Generator) -> Any:
    places = _nodes(whole)
    if not places or rng.random() < 0.05:
        return _VALUES[rng.integers(len(_VALUES))]
    container, key = places[rng.integers(len(places))]
    way = rng.random()
    if way < 0.25:
        del container[key]
    elif way < 0.4:
        container[key] = [container[key]]
    elif way < 0.5 and isinstance(container, dict):
        container[f"{key}_"] = container.pop(key)
    elif way < 0.6:
        other, name = places[rng.integers(len(places))]
        container[key] = json.loads(json.dumps(other.get(name) if isinstance(other, dict) else other[:1]))
    else:
        container[key] = _VALUES[rng.integers(len(_VALUES))]
    return whole


def json_value(data: bytes, rng: np.random.Generator) -> bytes:
    """A value, key or branch is another."""
    try:
        whole = json.loads(data)
    except ValueError:
        return data[:-1]
    if rng.random() < 0.25:
        places = _nodes(whole)
        container, key = places[rng.integers(len(places))] if places else ({"": 0}, "")
        container[key] = "here!"
        return json.dumps(whole).encode().replace(b'"here!"', _RAW[rng.integers(len(_RAW))])
    return json.dumps(_changed(whole, rng), indent=int(rng.integers(0, 3)) or None).encode()


def yaml_value(data: bytes, rng: np.random.Generator) -> bytes:
    """As `json_value`; or aliases that unfold without end, and tags that ask for objects."""
    try:
        whole = yaml.safe_load(data)
    except yaml.YAMLError:
        return data[:-1]
    if rng.random() < 0.2:
        laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
        raw = [
            b"a0: &a0 [x]\n" + laughs.encode() + b"columns: *a11\n",
            b"columns: !!python/object/apply:os.system ['touch escaped']\n",
            b"columns: &c {x: *c}\n",
            b"a: " + b"{b: " * 3000,
            b"- " * 20_000,
            b"<<: [1]\n",
            b"? [1, 2]\n: x\n",
            b"rate: 1_000:00:00\nplacement: 2001-02-30\n",
        ]
        return raw[rng.integers(len(raw))] + (data if rng.random() < 0.5 else b"")
    return yaml.dump(_changed(whole, rng), allow_unicode=True).encode("utf-8", "surrogatepass")


# Parquet


def parquet_table(data: bytes, rng: np.random.Generator) -> bytes:
    """A sound file with other columns, types, rows or values."""
    try:
        table = pq.read_table(pa.BufferReader(data))
    except (OSError, pa.ArrowException):
        return data[:-1]
    column = int(rng.integers(table.num_columns)) if table.num_columns else 0
    way = int(rng.integers(7))
    if way == 0 and table.num_columns:
        table = table.remove_column(column)
    elif way == 1 and table.num_rows:
        table = table.take(pa.array(rng.integers(0, table.num_rows, table.num_rows)))
    elif way == 2:
        table = table.slice(0, int(rng.choice([0, 1, 7])))
    elif way == 3:
        table = table.rename_columns([str(rng.choice(table.column_names)) for _ in table.column_names])
    elif table.num_columns:
        values = table.column(column).to_pylist()
        table = table.set_column(column, table.column_names[column], _other_column(values, rng))
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def _other_column(values: list[Any], rng: np.random.Generator) -> pa.Array:
    strange = [
        None,
        -1,
        2**40,
        0,
        1,
        2**62,
        "../../../x",
        "a\nb",
        float("nan"),
        float("inf"),
        1e300,
        "",
        "\x1b[31m",
        7.5,
    ]
    some = set(rng.integers(0, max(1, len(values)), rng.choice([1, 1, 5])).tolist())
    for _ in range(20):  # until one fits the type that the others have
        new = strange[rng.integers(len(strange))]
        try:
            return pa.array([new if row in some else value for row, value in enumerate(values)])
        except (pa.ArrowException, TypeError, OverflowError):
            continue
    kinds = [[[v] for v in values], [{"a": 1} for _ in values], [str(v) for v in values], [b"\xff" for _ in values]]
    return pa.array(kinds[rng.integers(len(kinds))])


# GENEActiv: text in pages


def bin_pages(data: bytes, rng: np.random.Generator) -> bytes:
    """Pages are lost, repeated, in another order, far apart in time, or of other samples."""
    head, *pages = data.split(b"Recorded Data")
    if not pages:
        return data[:-1]
    page = int(rng.integers(len(pages)))
    lines = pages[page].split(b"\r\n")
    way = int(rng.integers(6))
    if way == 0:
        del pages[page]
    elif way == 1:
        pages += [pages[page]] * int(rng.choice([1, 300]))
    elif way == 2:
        pages = [pages[k] for k in rng.permutation(len(pages))]
    elif way == 3:
        dates = [
            b"1970-01-01",
            b"9999-12-31",
            b"2024-02-30",
            b"0000-00-00",
            b"2524-03-01",
            b"-271821-01-01",
            b"2024-03-02",
        ]
        pages[page] = pages[page].replace(b"2024-03-01", dates[rng.integers(len(dates))])
    elif way == 4:
        new = [b"", b"0", b"FFF" * 1200, b"zz" * 1800, b"\xff" * 3600, b"0" * 100_000, lines[-2][:-1], lines[-2][:24]]
        lines[-2] = new[rng.integers(len(new))]
        pages[page] = b"\r\n".join(lines)
    else:
        rates = [b"0", b"-1", b"nan", b"inf", b"1e-300", b"1e300", b"0.0001", b"100", b"25.0", b"9" * 400, b""]
        lines = [b"Measurement Frequency:" + rates[rng.integers(len(rates))] if b"Freq" in x else x for x in lines]
        pages[page] = b"\r\n".join(lines)
    return b"Recorded Data".join([head, *pages])


# What is in archives


def zip_member(data: bytes, rng: np.random.Generator) -> bytes:
    """One file in a zip is damaged as such files are, lost, or has another name."""
    files = zips.unzipped(data)
    if not files:
        return data[:-1]
    place = int(rng.integers(len(files)))
    name, content = files[place]
    files[place : place + 1] = _member(name, content, rng)
    return zips.zipped(files)


def tar_member(data: bytes, rng: np.random.Generator) -> bytes:
    """As `zip_member`."""
    plain, packed = tars.opened(data)
    members = tars.untarred(plain)
    if not members:
        return data[:-1]
    place = int(rng.integers(len(members)))
    info, content = members[place]
    members[place : place + 1] = [tars.member(*one) for one in _member(info.name, content, rng)]
    return packed(tars.tarred(members))


def _member(name: str, content: bytes, rng: np.random.Generator) -> zips.Files:
    way = rng.random()
    if way < 0.1:
        return []
    if way < 0.2:
        return [(name[: len(name) // 2] + str(rng.integers(100)) + name[len(name) // 2 :], content)]
    ways = mutations_of(name)
    return [(name, ways[rng.integers(len(ways))](content, rng))]


BY_SUFFIX: dict[str, tuple[Mutation, ...]] = {
    ".npy": (npy_header, npy_values),
    ".mat": (mat_inside, mat_inside, mat_packing),
    ".json": (json_value,),
    ".yaml": (yaml_value,),
    ".parquet": (parquet_table,),
    ".bin": (bin_pages, value_changed, value_changed, word_changed, strange_value),
    ".zip": (*zips.ZIPS, *[zip_member] * 6),
    ".tar": (*tars.TARS, *[tar_member] * 6),
}
