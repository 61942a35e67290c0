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


_MUCH = 150_000
_HEAD = 3000
"""Bytes in which headers lie."""


def _mark(data: bytes) -> bytes:
    """What separates the columns."""
    return max((b",", b"\t", b";", b" "), key=data[:4000].count)


def _stretch(data: bytes, rng: np.random.Generator) -> tuple[int, int]:
    """Where to look for numbers: everywhere in what is small, else a part of it, which is often the beginning."""
    if len(data) <= _MUCH:
        return 0, len(data)
    first = int(rng.integers(0, len(data) - _MUCH)) if rng.random() < 0.6 else 0
    return first, first + _MUCH


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
    mark = _mark(data)
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
    mark = _mark(data)
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
    """Every decimal number, or those of one stretch, becomes so many times larger: g for m/s², degrees for radians."""
    factor = float(rng.choice([9.80665, 1 / 9.80665, 57.2958, 1 / 57.2958, 1000, 16384, 1e30, -1.0, 0.0]))
    first, last = _stretch(data, rng)
    changed = re.sub(rb"-?\d+\.\d+", lambda found: b"%.6g" % (float(found[0]) * factor), data[first:last])
    return data[:first] + changed + data[last:]


def unit_renamed(data: bytes, rng: np.random.Generator) -> bytes:
    """Another unit in the words of the header."""
    units = [b"m/s^2", b"rad/s", b"deg/s", b"degree/s", b"m/(s^2)", b"(s)", b"(ms)", b"uT", b"bpm", b"mV", b"Hz", b"g"]
    there = [unit for unit in units if unit in data[:_HEAD]] or [b"_"]
    old, new = there[rng.integers(len(there))], units[rng.integers(len(units))]
    return data[:_HEAD].replace(old, new) + data[_HEAD:]


def column_changed(data: bytes, rng: np.random.Generator) -> bytes:
    """The numbers of one column, from some line on, are moved, scaled or all the same: what happens to clocks."""
    mark = _mark(data)
    lines = data.split(b"\n")
    begin, end = sorted(rng.integers(0, len(lines) + 1, 2).tolist())
    end = len(lines) if rng.random() < 0.6 else end
    column = int(rng.integers(0, max(1, lines[len(lines) // 2].count(mark) + 1)))
    plus = float(rng.choice([0, 1, 1, -1])) * 10 ** rng.uniform(-4, 18)
    times = float(rng.choice([1, 1, 1, 1, 1000, 1e-3, 1e9, 0, -1]))
    for number in range(begin, end):
        fields = lines[number].split(mark)
        if column < len(fields) and _NUMBER.fullmatch(fields[column].strip()):
            value = float(fields[column]) * times + plus
            fields[column] = b"%d" % value if b"." not in fields[column] and abs(value) < 1e19 else b"%r" % value
            lines[number] = mark.join(fields)
    return b"\n".join(lines)


def clock_jumps(data: bytes, rng: np.random.Generator) -> bytes:
    """From some line on, a column that counts evenly is so many steps ahead, or behind: a device fell asleep."""
    mark = _mark(data)
    lines = data.split(b"\n")
    middle = [line.split(mark) for line in lines[len(lines) // 2 :][:4]]
    for column in range(min(map(len, middle), default=0)):
        shown = [row[column].strip() for row in middle]
        if all(map(_NUMBER.fullmatch, shown)):
            values = [float(value) for value in shown]
            if len(values) == 4 and 0 < values[1] - values[0] < 2.5 * (values[3] - values[2]):
                return _ahead(lines, mark, column, (values[1] - values[0]) * rng.choice([1, 1, 1, -1]), rng)
    return column_changed(data, rng)


def _ahead(lines: list[bytes], mark: bytes, column: int, step: float, rng: np.random.Generator) -> bytes:
    jump = float(step * 10 ** rng.uniform(0.5, 9))
    for number in range(int(rng.integers(0, len(lines))), len(lines)):
        fields = lines[number].split(mark)
        value = fields[column].strip() if column < len(fields) else b""
        if len(value) < 40 and _NUMBER.fullmatch(value):
            whole = b"." not in value and b"e" not in value.lower()
            fields[column] = b"%d" % (int(value) + round(jump)) if whole else b"%r" % (float(value) + jump)
            lines[number] = mark.join(fields)
    return b"\n".join(lines)


def word_changed(data: bytes, rng: np.random.Generator) -> bytes:
    """A word of the first lines, or one anywhere, is another: column names, labels, dates, keys."""
    part = data[:_HEAD] if rng.random() < 0.6 else data[:400_000]
    found = list(re.finditer(rb"[A-Za-z_]{2,}", part))
    if not found:
        return line_repeated(data, rng)
    place = found[rng.integers(len(found))]
    new = [*_STRANGE, b"x", b"Time", b"../../x", b"\x1b[31m", b"\xc3\xa9", b"a" * 70_000, found[0][0], found[-1][0]]
    return data[: place.start()] + new[rng.integers(len(new))] + data[place.end() :]


def value_changed(data: bytes, rng: np.random.Generator) -> bytes:
    """What follows a colon, an equals sign or the first mark of a line is another: `Frequency: 50 Hz`."""
    found = list(re.finditer(rb"(?m)^[^\n:=,\t]{2,40}[:=,\t]", data[:_HEAD]))
    if not found:
        return word_changed(data, rng)
    start = found[rng.integers(len(found))].end()
    end = data.find(b"\n", start)
    end = end if end >= 0 else len(data)
    new = [
        *_STRANGE,
        b" 0",
        b"-1",
        b"0.0001 Hz",
        b"1e9",
        b"4294967296",
        b"99:99:99",
        b"0000-00-00",
        b"31/31/2024",
        b"\xff",
    ]
    return data[:start] + new[rng.integers(len(new))] + data[end:]


def other_newlines(data: bytes, rng: np.random.Generator) -> bytes:
    new = [b"\r\n", b"\r", b"\n\n", b"\n\r", b";\n", b",\n", b"\x0b", b"\xe2\x80\xa8", b""]
    return data.replace(b"\r\n", b"\n").replace(b"\n", new[rng.integers(len(new))])


def quoted(data: bytes, rng: np.random.Generator) -> bytes:
    """Quotes around every field, or one that never closes."""
    mark = _mark(data)
    if rng.random() < 0.4:
        place = int(rng.integers(0, len(data) + 1))
        return data[:place] + b'"' + data[place:]
    return b"\n".join(b'"' + line.replace(mark, b'"' + mark + b'"') + b'"' for line in data.split(b"\n"))


def endless_line(data: bytes, rng: np.random.Generator) -> bytes:
    """A line of a megabyte, of one field or of very many."""
    place = data.find(b"\n", int(rng.integers(0, len(data) + 1))) + 1
    piece = [b"1", b"x", b"1" + _mark(data), b'"', b"\x00", b" "][rng.integers(6)]
    return data[:place] + piece * (1_100_000 // len(piece)) + data[place:]


def strange_value(data: bytes, rng: np.random.Generator) -> bytes:
    """A few numbers become something else."""
    begin, last = _stretch(data, rng)
    found = list(_NUMBER.finditer(data, begin, last))
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
    text = data[:400_000].decode("latin-1")
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


def in_the_head(data: bytes, rng: np.random.Generator) -> bytes:
    """One of the others, in the first lines only."""
    size = int(rng.choice([150, 600, _HEAD]))
    return ANYWHERE[rng.integers(len(ANYWHERE))](data[:size], rng) + data[size:]


BINARY: tuple[Mutation, ...] = (
    truncated, head_lost, bits_flipped, bytes_inserted, block_repeated, empty, noise, other_kind, in_the_head
)  # fmt: skip
"""Those that ask nothing of the content."""

ANYWHERE: tuple[Mutation, ...] = (
    truncated, head_lost, bits_flipped, bytes_inserted, block_repeated, other_delimiter, decimal_comma, columns_swapped,
    column_lost, lines_lost, lines_shuffled, line_repeated, strange_value, other_encoding, other_newlines, quoted,
    endless_line,
)  # fmt: skip

TEXT: tuple[Mutation, ...] = (
    *ANYWHERE, in_the_head, in_the_head, column_changed, column_changed, clock_jumps, clock_jumps, wrong_unit,
    unit_renamed, word_changed, value_changed, empty, noise, other_kind,
)  # fmt: skip
"""Those for tables and other text, as often as they are here."""
