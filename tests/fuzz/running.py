"""Running one input under watch, and many in processes of their own: what ends how, and what may never happen."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

import numpy as np

from fuzz import targets, trees
from fuzz.targets import NEW, Target
from fuzz.zips import BAIT
from otolith.types import OtolithError

SECONDS = 10.0
"""The longest that one input may take; a sound one takes a tenth of a second."""

MEMORY = 1 << 30
"""Bytes by which a process may grow."""

_FENCE = 4 << 30
"""Address space beyond which the system refuses: more than `MEMORY`, as libraries reserve what they do not use."""

_LONGEST = 1000
"""Characters of a sentence."""

_DEAD = 5
"""Processes that die in a row before they have run an input, after which no more are started."""

Find = Callable[[], list[Target]]
Input = tuple[str, int]
"""The name of a target and the number of an input for it; together they are the seed."""


@dataclass(frozen=True)
class Outcome:
    """How one input ended: `well`, `refused` with the sentence, or `failed` with what went wrong."""

    target: str
    number: int
    ended: str
    text: str = ""
    changes: tuple[str, ...] = ()
    seconds: float = 0.0

    def __str__(self) -> str:
        again = f"again:  python -m fuzz {self.target} {self.number}"
        return "\n  ".join([f"{self.target} {self.number} {self.ended}: {self.text}", *self.changes, again])


class Hang(BaseException):
    """An input took too long; no `except Exception` may hold it up."""


# One input


def seed(given: Input) -> np.random.Generator:
    """Everything about an input is drawn from here."""
    return np.random.default_rng([zlib.crc32(given[0].encode()), given[1]])


def build(given: Input, target: Target, sound: Path, place: Path) -> tuple[Path, list[str], np.random.Generator]:
    """The damaged input under `place`, what was done to it, and what draws the rest.

    Args:
        given: Which.
        target: Of this name.
        sound: The sound input, in a folder of its own; it is linked to, not copied.
        place: An empty folder.
    """
    rng = seed(given)
    (place / "in").mkdir()
    (place / "outside").mkdir()
    (place / "outside" / "bait.txt").write_text("nobody writes here\n")
    tree = place / "in" / sound.name
    if sound.is_dir():
        shutil.copytree(sound, tree, copy_function=os.link)
    else:
        os.link(sound, tree)
    changes = trees.mutate(tree, place / "outside", rng)
    if target.packable and rng.random() < 0.12:
        tree = trees.packed(tree, rng)
        changes.append(f"packed as {tree.name}")
    return tree, changes, rng


def run_one(given: Input, target: Target, sound: Path, place: Path) -> Outcome:
    """Runs one input in the empty folder `place`."""
    try:
        tree, changes, rng = build(given, target, sound, place)
    except Exception:  # noqa: BLE001
        return Outcome(*given, "failed", f"the fuzz itself: {traceback.format_exc()}")
    (place / "out").mkdir()
    (place / "tmp").mkdir()
    output = place / "out" / NEW
    foreign = _put_something_there(output, target, rng)
    old, rest = _contents(output), _listing(place, output)
    started = time.perf_counter()
    ended, text = _watched(lambda: target.act(tree, output, rng), place / "tmp")
    seconds = time.perf_counter() - started
    wrong = (
        [text]
        if ended == "failed"
        else [*_left_over(place, output, rest), *_unsound(ended, target, output, old, foreign)]
    )
    if ended == "refused" and not wrong:
        wrong = _no_sentence(text)
    if wrong:
        ended, text = "failed", "\n".join([*wrong, *([f"after: {text}"] if ended == "refused" else [])])
    return Outcome(*given, ended, text, tuple(changes), seconds)


def _put_something_there(output: Path, target: Target, rng: np.random.Generator) -> bool:
    """What was at the place of the output before; whether it is something that nobody may replace."""
    drawn = rng.random()
    if drawn < 0.35:
        target.old(output)
    elif drawn < 0.38:
        output.mkdir()
        (output / "mine.txt").write_text("not a dataset\n")
    elif drawn < 0.4:
        output.write_text("a file\n")
    return 0.35 <= drawn < 0.4


def _watched(act: Callable[[], None], temporary: Path) -> tuple[str, str]:
    """How the call ended, under a clock and with warnings as errors; temporary files go to `temporary`."""
    threads = threading.active_count()
    unraised: list[str] = []
    try:
        with _limited(), _environment(temporary, unraised), warnings.catch_warnings():
            warnings.simplefilter("error")
            act()
        ended, text = "well", ""
    except OtolithError as error:
        ended, text = "refused", str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 (a panic of Rust is no Exception)
        ended, text = "failed", traceback.format_exc()
    if unraised:
        ended, text = "failed", f"in the background: {unraised[0]}"
    if threading.active_count() > threads:
        ended, text = "failed", f"a thread is left over after: {text}"
    if _grown() > MEMORY:
        ended, text = "failed", f"memory grew by {_grown() >> 20} MiB; {text}"
    return ended, text


@contextmanager
def _limited() -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        raise Hang(f"no end after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    # Where no Python runs, no signal is seen.
    faulthandler.dump_traceback_later(3 * SECONDS, exit=True, file=sys.__stderr__)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _environment(temporary: Path, unraised: list[str]) -> Iterator[None]:
    before, hook = tempfile.tempdir, sys.unraisablehook
    tempfile.tempdir = str(temporary)
    sys.unraisablehook = lambda what: unraised.append(f"{what.exc_value!r} of {what.object!r}")
    try:
        yield
    finally:
        tempfile.tempdir, sys.unraisablehook = before, hook


_first_peak = 0


def _peak() -> int:
    """The most bytes of memory that this process ever had."""
    status = Path("/proc/self/status")
    if status.exists():  # `getrusage` counts what the process had that started this one
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def _grown() -> int:
    """Bytes by which the peak of this process has grown since `watch_memory`."""
    return _peak() - _first_peak if _first_peak else 0


def watch_memory() -> None:
    """From here on, growth counts."""
    global _first_peak
    _first_peak = _peak()


# What is on the disk


def _listing(place: Path, but: Path) -> dict[str, tuple[int, int, int]]:
    """Everything under `place` except `but`: kind, size and time of each file."""
    found = {}
    for folder, folders, files in os.walk(place):
        folders[:] = [name for name in folders if Path(folder, name) != but]
        for name in [*folders, *files]:
            path = Path(folder, name)
            if path != but:
                state = path.lstat()
                plain = (state.st_size, state.st_mtime_ns) if name in files else (0, 0)
                found[str(path.relative_to(place))] = (state.st_mode, *plain)
    return found


def _contents(path: Path) -> dict[str, bytes | None] | None:
    """All that is at a path, None if nothing is."""
    if not path.is_dir():
        return {"": path.read_bytes()} if path.exists() else None
    return {str(p.relative_to(path)): p.read_bytes() if p.is_file() else None for p in sorted(path.rglob("*"))}


def _left_over(place: Path, output: Path, before: dict[str, tuple[int, int, int]]) -> list[str]:
    after = _listing(place, output)
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    wrong = [f"changed outside of the output: {', '.join(map(repr, changed[:5]))}"] if changed else []
    if os.path.lexists(BAIT):
        wrong.append(f"{BAIT} was written")
        Path(BAIT).unlink()
    return wrong


def _unsound(ended: str, target: Target, output: Path, old: dict[str, bytes | None] | None, foreign: bool) -> list[str]:
    """Refused, the old content is as it was; ended well, a new one is there and complete."""
    same = _contents(output) == old
    if ended == "refused" or target.check is None:
        return [] if same else [f"{ended}, and yet the output has changed"]
    if foreign and not target.replaces:
        return ["ended well, though the output was something else"]
    try:
        target.check(output)
    except (AssertionError, OtolithError, OSError) as error:
        return [f"ended well, and yet the output is not complete: {error!r}"]
    return ["ended well, and yet nothing new was written"] if same else []


def _no_sentence(text: str) -> list[str]:
    if len(text.splitlines()) != 1:
        return [f"{len(text.splitlines())} lines instead of a sentence"]
    if not text.isprintable():
        return ["control characters in a sentence"]
    if len(text) > _LONGEST:
        return [f"a sentence of {len(text)} characters"]
    return ["the disk was full"] if "no space left" in text else []


# Many inputs


def spread(count: int, names: Sequence[str]) -> list[Input]:
    """`count` inputs, evenly over targets."""
    return [(names[number % len(names)], number // len(names)) for number in range(count)]


def prepare(found: Sequence[Target], place: Path) -> dict[str, Path]:
    """The sound input of each target, written once, and alike each time: the time of day is not in its zips."""
    sound = {}
    with patch.object(time, "localtime", lambda seconds=None: time.gmtime(1_500_000_000)):
        for target in found:
            folder = place / "sound" / target.name
            folder.mkdir(parents=True)
            sound[target.name] = target.write(folder)
    return sound


def run_here(
    inputs: Sequence[Input], found: Sequence[Target], sound: dict[str, Path], place: Path
) -> Iterator[Outcome]:
    """Runs inputs one after another in this process."""
    by_name = {target.name: target for target in found}
    for name, number in inputs:
        folder = Path(tempfile.mkdtemp(dir=place))
        try:
            yield run_one((name, number), by_name[name], sound[name], folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def run_apart(inputs: Sequence[Input], place: Path, processes: int = 2, find: Find = targets.discover) -> list[Outcome]:
    """Runs inputs in processes of their own; one that dies is a failure of its input, and another takes its place.

    Args:
        inputs: What to run.
        place: An empty folder.
        processes: Side by side.
        find: A function of a module that gives the targets.
    """
    sound = prepare([target for target in find() if target.name in {name for name, _ in inputs}], place)
    with ThreadPoolExecutor(processes) as pool:
        shares = [inputs[first::processes] for first in range(processes)]
        done = pool.map(lambda share: _share(share, find, sound, place), shares)
        order = {given: number for number, given in enumerate(inputs)}
        return sorted(chain.from_iterable(done), key=lambda outcome: order[outcome.target, outcome.number])


def _share(inputs: Sequence[Input], find: Find, sound: dict[str, Path], place: Path) -> list[Outcome]:
    waiting, done, dead = deque(inputs), [], 0
    context = multiprocessing.get_context("spawn")
    while waiting and dead < _DEAD:
        before = len(done)
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(list(waiting), find, sound, place, theirs), daemon=True)
        process.start()
        theirs.close()
        try:
            while True:
                done.append(ours.recv())
                waiting.popleft()
        except EOFError:
            process.join()
        dead = 0 if len(done) > before else dead + 1
        if waiting and (process.exitcode or not done or done[-1].ended != "failed"):
            done.append(Outcome(*waiting.popleft(), "failed", f"the process died with code {process.exitcode}"))
    return [*done, *(Outcome(*given, "failed", "was not run, as each process dies at once") for given in waiting)]


def _work(inputs: Sequence[Input], find: Find, sound: dict[str, Path], place: Path, results: Connection) -> None:
    found = find()
    _fence()
    watch_memory()
    for outcome in run_here(inputs, found, sound, place):
        results.send(outcome)
        if outcome.ended == "failed" and "memory grew" in outcome.text:
            return  # the peak of a process never falls: another one goes on


def _fence() -> None:
    """From here on the system refuses more address space than `_FENCE` beyond what there is, where it tells that."""
    status = Path("/proc/self/statm")
    if status.exists():
        most = int(status.read_text().split()[0]) * resource.getpagesize() + _FENCE
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


# Reports


def report(outcomes: Sequence[Outcome]) -> str:
    """A line for each target: how many inputs, how many ended well, were refused, failed, and how long they took."""
    lines = [f"{'target':<16}{'inputs':>8}{'well':>8}{'refused':>9}{'failed':>8}{'ms':>7}"]
    for name in dict.fromkeys(outcome.target for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.target == name]
        counts = Counter(outcome.ended for outcome in own)
        mean = 1000 * sum(outcome.seconds for outcome in own) / len(own)
        lines.append(
            f"{name:<16}{len(own):>8}{counts['well']:>8}{counts['refused']:>9}{counts['failed']:>8}{mean:>7.0f}"
        )
    return "\n".join(lines)
