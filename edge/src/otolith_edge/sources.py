"""Where lines come from: a file, standard input, a serial port, a UDP socket.

Each is an iterator of lists of lines. A live one gives an empty list when nothing came for a moment, so that its reader
can look at the clock.
"""

from __future__ import annotations

import importlib
import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

from otolith_edge.errors import EdgeError, MissingExtraError

_MOMENT = 0.2  # seconds
_LONGEST = 65_536  # bytes of a line; what is longer is cut, and so no sample


class LineBuffer:
    """Bytes in any pieces to whole lines."""

    def __init__(self) -> None:
        self._rest = b""

    def push(self, data: bytes) -> list[str]:
        """More bytes, to the lines that they complete."""
        *lines, rest = (self._rest + data).split(b"\n")
        if len(rest) > _LONGEST:
            lines, rest = [*lines, rest[:_LONGEST]], b""
        self._rest = rest
        return [line.decode("utf-8", errors="replace") for line in lines]

    def finish(self) -> list[str]:
        """A last line without an end."""
        return self.push(b"\n") if self._rest else []


def file_lines(path: Path, count: int) -> Iterator[list[str]]:
    """`count` lines of a file at a time.

    Raises:
        EdgeError: It cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as handle:
            while lines := [line for _, line in zip(range(count), handle, strict=False)]:
                yield lines
    except OSError as error:
        raise EdgeError(f"cannot read {path}: {error.strerror}") from error


def descriptor_lines(descriptor: int) -> Iterator[list[str]]:
    """Lines from an open file descriptor, such as standard input, as they arrive."""
    buffer = LineBuffer()
    while True:
        if os.name == "posix" and not select.select([descriptor], [], [], _MOMENT)[0]:
            yield []
            continue
        data = os.read(descriptor, _LONGEST)
        if not data:
            break
        yield buffer.push(data)
    yield buffer.finish()


def serial_lines(port: str, baud: int) -> Iterator[list[str]]:
    """Lines from a serial port.

    Raises:
        MissingExtraError: pyserial is not installed.
        EdgeError: The port cannot be opened, or has gone.
    """
    try:
        serial = importlib.import_module("serial")
    except ImportError as error:
        raise MissingExtraError("pyserial", "serial", f"reading {port}") from error
    buffer = LineBuffer()
    try:
        with serial.Serial(port, baud, timeout=_MOMENT) as device:
            while True:
                yield buffer.push(device.read(device.in_waiting or 1))
    except (serial.SerialException, OSError) as error:
        raise EdgeError(f"serial port {port}: {error}; check that it is there and no other program has it") from error


def udp_lines(address: str) -> Iterator[list[str]]:
    """Lines from datagrams; each holds whole lines.

    Args:
        address: `PORT`, on this machine alone, or `HOST:PORT`.

    Raises:
        EdgeError: The address is none, or is taken.
    """
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        raise EdgeError(f"'{address}' is no address: give a port such as 5555, or host and port such as 127.0.0.1:5555")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        try:
            receiver.bind((host or "127.0.0.1", int(port)))
        except OSError as error:
            raise EdgeError(f"cannot listen on {address}: {error.strerror}; choose another port") from error
        receiver.settimeout(_MOMENT)
        while True:
            try:
                data, _ = receiver.recvfrom(_LONGEST)
            except TimeoutError:
                data = b""
            yield data.decode("utf-8", errors="replace").splitlines()
