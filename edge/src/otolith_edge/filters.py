"""Zero-phase filters and changes of rate for signals that never end.

Each output depends on the input around it alone, so that a stream in any pieces gives what the whole would give. Where
the signal begins, ends or has a gap, it is extended by odd reflection at the edge, as `otolith.data.signal` extends the
ends of a recording.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_TAPS_PER_SIDE = 24
_KAISER_BETA = 8.0
_CUTOFF = 0.9
_BLOCK = 512  # outputs computed at a time, which bounds the memory
_TAIL = 1e-6  # share of a low-pass's response that may be cut off


class Filter:
    """A symmetric FIR filter between two rates, for C channels at once.

    Args:
        taps: [2 * half + 1] at `up` times the rate of the input.
        up: Outputs for every `down` inputs.
        down: Inputs for every `up` outputs.
        channels: C.
    """

    def __init__(self, taps: Doubles, up: int, down: int, channels: int) -> None:
        self.up, self.down = up, down
        half = len(taps) // 2
        self.reach = half // up + 1
        """Input samples on either side that an output depends on."""
        # Row r weighs the inputs around an output that lies r / up of a sample after one of them.
        place = half + np.arange(up)[:, None] - np.arange(-self.reach, self.reach + 1) * up
        self._weights = np.where((place >= 0) & (place < len(taps)), taps[np.clip(place, 0, len(taps) - 1)], 0.0)
        self._buffer = np.full((self.reach, channels), np.nan)
        self._first = -self.reach  # input sample at the head of the buffer
        self._next = 0  # output that comes next

    def push(self, rows: Doubles) -> Doubles:
        """Inputs [k, C], NaN where missing, to the outputs [n, C] that are now certain."""
        self._buffer = np.concatenate([self._buffer, rows])
        known = self._first + len(self._buffer)  # inputs so far
        return self._emit(((known - self.reach) * self.up - 1) // self.down + 1)

    def finish(self) -> Doubles:
        """The outputs that were waiting for more input."""
        inputs = self._first + len(self._buffer)
        self._buffer = np.concatenate([self._buffer, np.full((self.reach, self._buffer.shape[1]), np.nan)])
        return self._emit(((inputs - 1) * self.up) // self.down + 1)

    def _emit(self, after: int) -> Doubles:
        """Outputs from the next one to before `after`."""
        parts = [
            self._block(np.arange(first, min(first + _BLOCK, after))) for first in range(self._next, after, _BLOCK)
        ]
        self._next = max(self._next, after)
        unneeded = self._next * self.down // self.up - self.reach - self._first
        if unneeded > 0:
            self._buffer, self._first = self._buffer[unneeded:], self._first + unneeded
        return np.concatenate(parts) if parts else np.empty((0, self._buffer.shape[1]))

    def _block(self, numbers: NDArray[np.int64]) -> Doubles:
        centre, phase = np.divmod(numbers * self.down, self.up)
        around = centre[:, None] + np.arange(-self.reach, self.reach + 1) - self._first
        windows = self._buffer[around]
        if not np.isfinite(windows).all():
            windows = _extended(windows, self.reach, (phase > 0).astype(np.int64))
        out: Doubles = np.einsum("nkc,nk->nc", windows, self._weights[phase])
        return out


def _extended(windows: Doubles, centre: int, next_too: NDArray[np.int64]) -> Doubles:
    """Windows [n, k, C] with all beyond the first gap on either side of the centre replaced by odd reflection.

    Args:
        windows: With NaN.
        centre: Index of the sample before the output.
        next_too: [n] 1 where the output lies between that sample and the next, and so needs both.

    Returns:
        [n, k, C]; all NaN where a needed sample is missing.
    """
    missing = np.isnan(windows)
    place = np.arange(windows.shape[1])[None, :, None]
    low = np.where(missing & (place <= centre), place + 1, 0).max(axis=1, keepdims=True)
    last = windows.shape[1] - 1
    high = np.where(missing & (place > centre), place - 1, last).min(axis=1, keepdims=True)
    usable = (low <= centre) & (high >= centre + next_too[:, None, None])
    low, high = np.minimum(low, centre), np.maximum(high, centre)
    mirror = np.where(place < low, 2 * low - place, np.where(place > high, 2 * high - place, place))
    mirrored = np.take_along_axis(windows, np.clip(mirror, low, high), axis=1)
    left, right = (np.take_along_axis(windows, edge, axis=1) for edge in (low, high))
    out = np.where(place < low, 2 * left - mirrored, np.where(place > high, 2 * right - mirrored, mirrored))
    return np.where(usable, out, np.nan)


def rate_change(rate: float, new_rate: float) -> Fraction:
    """new_rate / rate as a fraction whose smaller term is at most 1000."""
    if new_rate < rate:
        return 1 / Fraction(rate / new_rate).limit_denominator(1000)
    return Fraction(new_rate / rate).limit_denominator(1000)


def resampling(rate: float, new_rate: float, channels: int) -> Filter | None:
    """From one rate to another; None if they agree.

    Flat to 0.79 of the lower Nyquist frequency, 80 dB down above it.
    """
    ratio = rate_change(rate, new_rate)
    up, down = ratio.numerator, ratio.denominator
    if up == down:
        return None
    wide = max(up, down)
    place = np.arange(-_TAPS_PER_SIDE * wide, _TAPS_PER_SIDE * wide + 1)
    taps = np.sinc(_CUTOFF / wide * place) * np.kaiser(len(place), _KAISER_BETA)
    return Filter(taps * (up / taps.sum()), up, down, channels)


def low_pass(rate: float, cutoff: float, channels: int) -> Filter | None:
    """A fourth-order Butterworth filter run forward and back, as in `otolith.data.signal`; None if it does nothing.

    The two runs together have a symmetric response, which is long past being felt after a second.
    """
    if not 0 < cutoff < rate / 2:
        return None
    size = 1 << int(np.ceil(np.log2(64 * max(1.0, rate / cutoff)))) + 4
    frequency = np.arange(size // 2 + 1) / size
    with np.errstate(over="ignore"):
        gain = 1 / (1 + (np.tan(np.pi * frequency) / np.tan(np.pi * cutoff / rate)) ** 8)
    response = np.fft.irfft(gain, size)[: size // 2]
    beyond = np.cumsum(np.abs(response[::-1]))[::-1]
    half = max(1, int(np.argmax(beyond < _TAIL)))
    taps = np.concatenate([response[half:0:-1], response[: half + 1]])
    return Filter(taps / taps.sum(), 1, 1, channels)
