"""What a person sees: a live picture on a terminal, plain lines elsewhere, or JSON lines."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Protocol, TextIO

from otolith_edge.events import Activity, Event, Segment, Window, as_dict
from otolith_edge.faults import KINDS
from otolith_edge.stream import Stream

_REDRAW = 0.1  # seconds
_MOST = 5  # activities shown
_BAR = 30


class View(Protocol):
    """Somewhere to show events."""

    def show(self, events: Sequence[Event], stream: Stream | None) -> None:
        """What is new; called now and then without anything new as well."""
        ...

    def close(self, stream: Stream | None) -> None:
        """The end."""
        ...


class JsonLines:
    """One JSON object a line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, events: Sequence[Event], stream: Stream | None) -> None:
        """Every event."""
        labels = stream.labels if stream else ()
        for event in events:
            self._out.write(json.dumps(as_dict(event, labels)) + "\n")
        if events:
            self._out.flush()

    def close(self, stream: Stream | None) -> None:
        """A last line with all counters."""
        if stream:
            summary = {"event": "end", "received": stream.received, "used": stream.used, "faults": stream.faults.counts}
            self._out.write(json.dumps(summary) + "\n")
            self._out.flush()


class Timeline:
    """Segments as they end; faults, summed up at the end, go to the notes.

    Args:
        out: For segments.
        notes: For faults.
    """

    def __init__(self, out: TextIO, notes: TextIO) -> None:
        self._out, self._notes = out, notes

    def show(self, events: Sequence[Event], stream: Stream | None) -> None:
        """Segments."""
        for event in events:
            if isinstance(event, Segment):
                self._out.write(
                    f"{event.start:10.2f} s {event.end:10.2f} s  {plain(event.label):30} {event.confidence:.2f}\n"
                )
                self._out.flush()

    def close(self, stream: Stream | None) -> None:
        """One note for each kind of fault."""
        for text in summary(stream):
            self._notes.write(f"otolith-edge: note: {text}\n")


class Live:
    """Current activity, probabilities, counters and rate, drawn in place.

    Args:
        out: A terminal.
    """

    def __init__(self, out: TextIO) -> None:
        self._out, self._lines = out, 0
        self._window: Window | None = None
        self._activity: Activity | None = None
        self._drawn = self._began = time.monotonic()
        self._samples, self._rate = 0, 0.0

    def show(self, events: Sequence[Event], stream: Stream | None) -> None:
        """Redraws, not too often."""
        for event in events:
            self._window = event if isinstance(event, Window) else self._window
            self._activity = event if isinstance(event, Activity) else self._activity
            if isinstance(event, Segment):
                self._activity = None
        now = time.monotonic()
        if now - self._drawn >= _REDRAW:
            self._draw(stream, now)

    def close(self, stream: Stream | None) -> None:
        """Leaves the last picture, and what was wrong below it."""
        self._draw(stream, time.monotonic())
        for text in summary(stream):
            self._out.write(f"{text}\n")

    def _draw(self, stream: Stream | None, now: float) -> None:
        self._drawn = now
        lines = picture(stream, self._window, self._activity, self._speed(stream, now))
        up = f"\x1b[{self._lines}A\x1b[J" if self._lines else ""
        self._out.write(up + "\n".join(lines) + "\n")
        self._out.flush()
        self._lines = len(lines)

    def _speed(self, stream: Stream | None, now: float) -> float:
        """Samples per second that arrive, over the last seconds."""
        received = stream.received if stream else 0
        if now - self._began > 2:
            self._rate = (received - self._samples) / (now - self._began)
            self._samples, self._began = received, now
        return self._rate


def picture(stream: Stream | None, window: Window | None, activity: Activity | None, speed: float) -> list[str]:
    """The lines of the live picture.

    Args:
        stream: None while the rate is being measured.
        window: The last.
        activity: The current one.
        speed: Samples per second that arrive.
    """
    if stream is None:
        return ["waiting for samples"]
    now = f"{plain(activity.label)} since {activity.since:.1f} s" if activity else "..."
    lines = [f"  {now}", ""]
    if window:
        ranked = sorted(zip(window.probabilities, stream.labels, strict=True), reverse=True)[:_MOST]
        lines += [f"  {plain(name)[:24]:24} {bar(share)} {share:.2f}" for share, name in ranked]
    lines += ["", f"  {speed:.0f} samples/s arrive, sensor {stream.rate:g} Hz, {stream.received} samples"]
    counts = stream.faults.counts
    lines.append("  " + (", ".join(f"{kind} {count}" for kind, count in counts.items()) or "no faults"))
    return lines


def bar(share: float) -> str:
    """A bar for a probability."""
    full = round(max(0.0, min(1.0, share)) * _BAR)
    return "█" * full + "·" * (_BAR - full)


def summary(stream: Stream | None) -> list[str]:
    """One sentence for each kind of fault so far."""
    return [f"{count} {KINDS[kind]}" for kind, count in stream.faults.counts.items()] if stream else []


def plain(text: str) -> str:
    """A foreign text without what would move the cursor."""
    return "".join(c if c.isprintable() else "?" for c in text)
