"""`otolith-edge`: recordings and live streams on the command line."""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from otolith_edge import __version__
from otolith_edge.errors import EdgeError
from otolith_edge.model import Model
from otolith_edge.session import Session
from otolith_edge.settings import Settings
from otolith_edge.sources import descriptor_lines, file_lines, serial_lines, udp_lines
from otolith_edge.units import Units
from otolith_edge.view import JsonLines, Live, Timeline, View, plain
from otolith_edge.vocabulary import Vocabulary

_AT_ONCE = 512  # lines read at a time where nobody waits
_LONGEST_WAIT = 60.0  # seconds of a recording without a sample that a replay waits for
_PACED = 5  # and where they are to come as they were recorded


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Bad input: one sentence and exit code 2.

    Args:
        arguments: Those of the command line if None.
    """
    options = _parser().parse_args(arguments)
    try:
        options.do(options)
    except EdgeError as error:
        sys.stderr.write(f"otolith-edge: {plain(str(error))}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        sys.exit(0)


def _run(options: argparse.Namespace) -> None:
    """A recording from its first to its last line."""
    session = _session(options)
    view: View = JsonLines(sys.stdout) if options.json else Timeline(sys.stdout, sys.stderr)
    for lines in file_lines(options.file, _AT_ONCE):
        view.show(session.push(lines), session.stream)
    view.show(session.finish(), session.stream)
    view.close(session.stream)


def _stream(options: argparse.Namespace) -> None:
    """A stream until it ends, falls silent or is interrupted."""
    if not options.speed >= 0:
        raise EdgeError(f"--speed {options.speed:g} must be 0 or more")
    session = _session(options)
    view: View = JsonLines(sys.stdout) if options.json else Timeline(sys.stdout, sys.stderr)
    if not options.json and sys.stdout.isatty():
        view = Live(sys.stdout)
    pace = _Pace(options.speed) if options.replay and options.speed else None
    heard = time.monotonic()
    try:
        for lines in _lines(options):
            view.show(session.push(lines), session.stream)
            if pace:
                pace.wait(session.latest)
            heard = time.monotonic() if lines else heard
            if options.idle and time.monotonic() - heard > options.idle:
                break
    except KeyboardInterrupt:  # how a live stream ends
        pass
    view.show(session.finish(), session.stream)
    view.close(session.stream)


def _lines(options: argparse.Namespace) -> Iterator[list[str]]:
    if options.replay:
        return file_lines(options.replay, _PACED if options.speed else _AT_ONCE)
    if options.serial:
        return serial_lines(options.serial, options.baud)
    return udp_lines(options.udp) if options.udp else descriptor_lines(sys.stdin.fileno())


class _Pace:
    """Holds a replay back to a multiple of the time in which it was recorded."""

    def __init__(self, speed: float) -> None:
        self._speed, self._began = speed, time.monotonic()
        self._first = self._last = math.nan

    def wait(self, latest: float | None) -> None:
        """Until a sample of that time is due."""
        if latest is None:
            return
        if not 0 <= latest - self._last <= _LONGEST_WAIT:  # the clock was set: go on from there
            self._first, self._began = latest, time.monotonic()
        self._last = latest
        ahead = (latest - self._first) / self._speed - (time.monotonic() - self._began)
        if ahead > 0:
            time.sleep(ahead)


def _session(options: argparse.Namespace) -> Session:
    if options.threads < 1:
        raise EdgeError(f"--threads {options.threads} must be 1 or more")
    sensors = {"acc": options.acc_unit, "gyro": options.gyro_unit, "mag": options.mag_unit}
    settings = Settings(
        units=Units(options.time_unit, {sensor: unit for sensor, unit in sensors.items() if unit}),
        window_seconds=options.window,
        step=options.step,
        enter=options.enter,
        leave=options.leave,
        minimum=options.minimum,
        tolerance=options.tolerance,
        max_gap=options.max_gap,
    )
    model = Model.load(options.model, options.threads)
    words = options.vocabulary
    beside = options.model.with_suffix(".vocabulary.npz")
    if words is None and model.description.kind == "words" and beside.is_file():
        words = beside
    vocabulary = Vocabulary.load(words) if words else None
    columns = options.columns.split(",") if options.columns else None
    return Session(model, vocabulary, settings, columns, options.rate)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="otolith-edge", description="Activities from motion sensors, by an exported Otolith model."
    )
    parser.add_argument("--version", action="version", version=f"otolith-edge {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="the timeline of a recording")
    run.add_argument("file", type=Path, help="CSV: a time and the model's channels")
    run.set_defaults(do=_run)
    stream = commands.add_parser("stream", help="activities while samples arrive; lines on standard input if not said")
    source = stream.add_mutually_exclusive_group()
    source.add_argument("--replay", type=Path, metavar="FILE", help="a CSV recording, as if it were live")
    source.add_argument("--serial", metavar="PORT", help="a serial port")
    source.add_argument("--udp", metavar="[HOST:]PORT", help="datagrams; on this machine alone unless a host is given")
    stream.add_argument("--speed", type=float, default=1.0, help="of a replay: 1 is real time, 0 as fast as it goes")
    stream.add_argument("--baud", type=int, default=115_200, help="of the serial port")
    stream.add_argument("--idle", type=float, help="end after so many seconds without a line")
    stream.set_defaults(do=_stream)
    for command in (run, stream):
        _common(command)
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-m", "--model", type=Path, required=True, help=".onnx or .tflite that  otolith export  wrote")
    add("-v", "--vocabulary", type=Path, help=".npz of words for a model that knows them; by default that beside it")
    add("--json", action="store_true", help="one JSON object a line for every event")
    add("--rate", type=float, help="samples per second of the sensor; measured if not given")
    add("--columns", help="names of the time and of each channel's column, separated by commas")
    add("--time-unit", default="s", help="s, ms, us, ns")
    add("--acc-unit", help="m/s^2, g, mg")
    add("--gyro-unit", help="rad/s, deg/s")
    add("--mag-unit", help="uT, mT, gauss")
    add("--window", type=float, help="seconds, of a model of whole trials")
    add("--step", type=float, default=1.0, help="seconds from one window to the next")
    add("--enter", type=float, help="probability at which an activity begins; by default as calibrated, or 0.5")
    add("--leave", type=float, help="probability below which it ends; by default 0.7 of --enter")
    add("--minimum", type=float, default=2.0, help="shortest activity in seconds")
    add("--tolerance", type=float, default=0.5, help="seconds that a sample may come after a later one")
    add("--max-gap", type=float, help="longest gap in seconds that is bridged; by default 3.5 samples")
    add("--threads", type=int, default=1, help="of the model's runtime")
