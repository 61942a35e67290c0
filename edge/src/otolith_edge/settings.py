"""How a stream is read and smoothed."""

from __future__ import annotations

from dataclasses import dataclass, field

from otolith_edge.description import Description
from otolith_edge.errors import EdgeError
from otolith_edge.units import Units


@dataclass(frozen=True)
class Settings:
    """Settings of a stream.

    Attributes:
        units: Of the incoming numbers.
        window_seconds: Only for models of whole trials, which say nothing of it themselves.
        step: Seconds from one window to the next.
        enter: Probability at which an activity begins; None takes the calibrated threshold, or 0.5.
        leave: Probability below which it ends; None takes 0.7 of `enter`.
        minimum: Shortest activity in seconds.
        tolerance: Seconds that a sample may arrive after a later one.
        max_gap: Longest gap in seconds that is bridged; None takes 3.5 samples.
        jump: Seconds ahead from which a gap is a jump of the clock.
        settle: Seconds that a new clock must run before it is believed.
    """

    units: Units = field(default_factory=Units)
    window_seconds: float | None = None
    step: float = 1.0
    enter: float | None = None
    leave: float | None = None
    minimum: float = 2.0
    tolerance: float = 0.5
    max_gap: float | None = None
    jump: float = 60.0
    settle: float = 2.0

    def __post_init__(self) -> None:
        for name in ("step", "jump", "settle"):
            if not getattr(self, name) > 0:
                raise EdgeError(f"{name} {getattr(self, name):g} must be positive")
        for name, most in (("minimum", 3600.0), ("tolerance", 30.0)):
            if not 0 <= getattr(self, name) <= most:
                raise EdgeError(f"{name} {getattr(self, name):g} must be from 0 to {most:g} seconds")
        if self.max_gap is not None and not 0 < self.max_gap < self.jump:
            raise EdgeError(f"max_gap {self.max_gap:g} must be above 0 and below jump {self.jump:g}")

    def thresholds(self, calibrated: float) -> tuple[float, float]:
        """The probabilities to enter and to leave an activity.

        Raises:
            EdgeError: They are no probabilities, or `leave` is above `enter`.
        """
        enter = self.enter if self.enter is not None else calibrated or 0.5
        leave = 0.7 * enter if self.leave is None else self.leave
        if not 0 <= leave <= enter <= 1:
            raise EdgeError(f"enter {enter:g} and leave {leave:g} must be from 0 to 1, leave not above enter")
        return enter, leave

    def gap(self, rate: float) -> float:
        """Longest gap in seconds to bridge at this rate: three sampling intervals, and half of one for jitter."""
        return 3.5 / rate if self.max_gap is None else self.max_gap

    def seconds(self, model: Description) -> float:
        """Duration of a window.

        Raises:
            EdgeError: It is not said, or said twice, or shorter than the step.
        """
        seconds = self._window(model)
        if self.step > seconds:
            raise EdgeError(
                f"a step of {self.step:g} s leaves out what is between windows of {seconds:g} s: shorten it"
            )
        return seconds

    def _window(self, model: Description) -> float:
        if model.window_seconds is None:
            if self.window_seconds is None:
                raise EdgeError(
                    "the model takes whole trials and does not say how long a window is: give the duration of a "
                    "usual trial as its window"
                )
            if not self.window_seconds > 0:
                raise EdgeError(f"a window of {self.window_seconds:g} s must be positive")
            return self.window_seconds
        if self.window_seconds not in (None, model.window_seconds):
            raise EdgeError(f"the model has windows of {model.window_seconds:g} s: leave out the window")
        return model.window_seconds
