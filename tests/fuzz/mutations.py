"""Ways in which a file of a stranger goes wrong: one function each, bytes in, bytes out, drawn from a generator."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

Mutation = Callable[[bytes, np.random.Generator], bytes]

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_STRANGE = (
    b"", b"nan", b"NaN", b"inf", b"-inf", b"1e400", b"-", b"0x1A", b"1_000", b"9" * 400, b"\xff\xfe", b"\x00", b'"',
    b"'", b"1,5", b"12:30", b"null", b"=1+1", b"\xe2\x88\x921", b"1e308", b"-9223372036854775809", b"true", b"[]", b"{",
)  # fmt: skip


def truncated(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(0, len(data) + 1)]


def head_lost(data: bytes, rng: np.random.Generator) -> bytes:
    return data[rng.integers(0, len(data) + 1) :]


def bits_flipped(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in rng.integers(0, max(1, len(data)), rng.choice([1, 1, 3, 20])) if data else ():
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def bytes_inserted(data: bytes, rng: np.random.Generator) -> bytes:
    place = int(rng.integers(0, len(data) + 1))
    return data[:place] + rng.bytes(int(rng.integers(1, 40))) + data[place:]


def block_repeated(data: bytes, rng: np.random.Generator) -> bytes:
    first, last = sorted(rng.integers(0, len(data) + 1, 2).tolist())
    return data[:last] + data[first:last][:65_536] + data[last:]


def other_delimiter(data: bytes, rng: np.random.Generator) -> bytes:
    old, new = rng.permutation(np.array([b",", b";", b"\t", b" ", b"|"]))[:2]
    return data.replace(bytes(old), bytes(new)) if bytes(old) in data else data.replace(b",", bytes(new))


def decimal_comma(data: bytes, rng: np.random.Generator) -> bytes:
    return data.replace(b".", b",")


def columns_swapped(data: bytes, rng: np.random.Generator) -> bytes:
    """Two columns of a table change places in every line, or from some line on."""
    mark = max((b",", b"\t", b";", b" "), key=data[:4000].count)
    lines = data.split(b"\n")
    begin = int(rng.integers(0, len(lines))) if rng.random() < 0.5 else 0
    one, other = rng.integers(0, max(1, lines[0].count(mark) + 1), 2).tolist()
    for number in range(begin, len(lines)):
        fields = lines[number].split(mark)
        if max(one, other) < len(fields):
            fields[one], fields[other] = fields[other], fields[one]
            lines[number] = mark.join(fields)
    return b"\n".join(lines)


def column_lost(data: bytes, rng: np.random.Generator) -> bytes:
    mark = max((b",", b"\t", b";", b" "), key=data[:4000].count)
    lines = [line.split(mark) for line in data.split(b"\n")]
    lost = int(rng.integers(0, max(1, len(lines[0]))))
    return b"\n".join(mark.join(f for k, f in enumerate(fields) if k != lost) for fields in lines)


def lines_lost(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.splitlines(keepends=True)
    kept = rng.random(len(lines)) > rng.choice([0.02, 0.5, 0.99])
    return b"".join(line for line, keep in zip(lines, kept, strict=True) if keep)


def lines_shuffled(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.splitlines(keepends=True)
    first = int(rng.integers(0, len(lines) + 1))
    tail = [lines[k] for k in first + rng.permutation(len(lines) - first)]
    return b"".join(lines[:first] + tail)


def line_repeated(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    place = int(rng.integers(0, len(lines)))
    return b"".join([*lines[:place], *[lines[place]] * int(rng.choice([2, 50])), *lines[place:]])


def wrong_unit(data: bytes, rng: np.random.Generator) -> bytes:
    """Every decimal number becomes so many times larger: g for m/s², degrees for radians, raw counts."""
    factor = float(rng.choice([9.80665, 1 / 9.80665, 57.2958, 1 / 57.2958, 1000, 16384, 1e30, -1.0, 0.0]))
    return re.sub(rb"-?\d+\.\d+", lambda found: b"%.6g" % (float(found[0]) * factor), data[:400_000])


def strange_value(data: bytes, rng: np.random.Generator) -> bytes:
    """A few numbers become something else."""
    found = list(_NUMBER.finditer(data[:400_000]))
    if not found:
        return bits_flipped(data, rng)
    pieces, end = [], 0
    for index in sorted(set(rng.integers(0, len(found), rng.choice([1, 2, 30])).tolist())):
        pieces += [data[end : found[index].start()], _STRANGE[rng.integers(len(_STRANGE))]]
        end = found[index].end()
    return b"".join([*pieces, data[end:]])


def empty(data: bytes, rng: np.random.Generator) -> bytes:
    return bytes(rng.choice(np.array([b"", b"\n", b"\r\n\r\n", b"\xef\xbb\xbf", b" ", b"\x00" * 7 + b"x"], object)))


def noise(data: bytes, rng: np.random.Generator) -> bytes:
    return rng.bytes(int(rng.integers(1, 5000)))


def other_encoding(data: bytes, rng: np.random.Generator) -> bytes:
    text = data[:200_000].decode("latin-1")
    return text.encode(str(rng.choice(["utf-16", "utf-32", "utf-8-sig", "cp037"])))


def other_kind(data: bytes, rng: np.random.Generator) -> bytes:
    """Another kind of file under this name: its first bytes promise what does not follow."""
    heads = [
        b"PK\x03\x04",
        b"\x1f\x8b\x08",
        b"MATLAB 5.0 MAT-file",
        b"\x93NUMPY\x01\x00",
        b"PAR1",
        b"%PDF",
        b"<html>",
        b"{}",
    ]
    head = heads[rng.integers(len(heads))]
    return head + data[len(head) :] if rng.random() < 0.5 else head


MUTATIONS: tuple[Mutation, ...] = (
    truncated, head_lost, bits_flipped, bytes_inserted, block_repeated, other_delimiter, decimal_comma, columns_swapped,
    column_lost, lines_lost, lines_shuffled, line_repeated, wrong_unit, strange_value, empty, noise, other_encoding,
    other_kind,
)  # fmt: skip
