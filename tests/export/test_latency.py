"""Timing in turns, ratios, backends, memory, and the figure: on clocks and processes whose answer is known."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from otolith.evaluate import figures
from otolith.evaluate.latency_figures import Mark, speed_ratios
from otolith.export import backends, memory
from otolith.export.backends import BACKENDS, chosen, parts
from otolith.export.latency import LEAST_CALLS, WARM_UP, Ratio, Times, in_turns
from otolith.types import ConfigError, MissingExtraError


def times(*turns: tuple[float, ...]) -> Times:
    return Times(tuple(np.array(turn) for turn in turns))


def test_everybody_has_a_turn_and_the_order_turns_round() -> None:
    log: list[str] = []

    def call(name: str) -> Callable[[], object]:
        return lambda: log.append(name)

    advanced: list[int] = []
    found = in_turns({n: [call(n)] for n in "ABC"}, 3, least=0, progress=lambda: advanced.append(1))
    block = WARM_UP + LEAST_CALLS
    assert log == [name for name in "ABC" + "ABCCBAABC" for _ in range(block)]  # first a look at how quick each is
    assert len(advanced) == 9
    assert all([len(turn) for turn in found[name].turns] == [LEAST_CALLS] * 3 for name in "ABC")


def test_each_call_is_timed_by_itself_and_segments_alternate() -> None:
    seen: list[int] = []

    def call(number: int) -> Callable[[], object]:
        def wait() -> None:
            seen.append(number)
            time.sleep(0.02 if number else 0.0005)

        return wait

    found = in_turns({"only": [call(0), call(1)]}, 2, least=0)["only"]
    assert set(seen) == {0, 1}
    assert found.calls.min() < 0.02 <= found.calls.max() and (found.calls >= 0.0005).all()


def test_quick_candidates_make_more_calls() -> None:
    found = in_turns({"quick": [lambda: None], "slow": [lambda: time.sleep(0.002)]}, 2, least=0.02)
    assert LEAST_CALLS <= len(found["slow"].turns[0]) <= 10 < len(found["quick"].turns[0])


def test_a_ratio_is_of_the_same_turn() -> None:
    """A machine that is three times as slow in one turn does not change what was twice as fast."""
    reference, ours = times((4, 4), (12, 12), (4, 4)), times((2, 2), (6, 6), (2, 2))
    assert Ratio.of(reference, ours) == Ratio(2, 2, 2)
    spread = Ratio.of(times((4,), (4,), (4,)), times((4,), (2,), (1,)))
    assert (spread.low, spread.median, spread.high) == (1.5, 2, 3)
    assert times((1, 2), (3, 100)).median == 2.5 and times(tuple(range(101))).p95 == 95


def test_backends_are_named_as_they_are() -> None:
    assert len(BACKENDS) == 7 and parts("onnx-int8-static") == ("onnx", "int8-static")
    assert parts("pytorch") == ("pytorch", "fp32")
    assert chosen(["pytorch"]) == ("pytorch",)
    with pytest.raises(ConfigError, match="no backend 'tflite': use pytorch, onnx-fp32"):
        chosen(["tflite"])


def test_what_is_not_installed_is_left_out_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: None if name == "litert_torch" else object())
    assert chosen([]) == BACKENDS[:4]
    with pytest.raises(MissingExtraError, match=r"otolith\[litert\]"):
        chosen(["litert-fp32"])


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux forgets a peak")
def test_a_peak_is_remembered_until_it_is_forgotten() -> None:
    before = memory._peak(forget=True)
    held = np.ones(10_000_000)  # 80 MB
    del held
    assert memory._peak() - before == pytest.approx(80, abs=8)
    assert memory._peak(forget=True) - before < 8


def test_the_figure_shows_what_lies_beside_it(tmp_path: Path) -> None:
    marks = [Mark("xtinyhar", "PyTorch", "fp32", 1, 1, 1, 0.5, 1.14), Mark("a", "LiteRT", "fp32", 8, 7, 9, 0.06, 0.6)]
    figure = speed_ratios(marks, "xtinyhar in PyTorch")
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["xtinyhar, PyTorch fp32", "a, LiteRT fp32"]
    assert [dot.get_offsets()[0].tolist() for dot in axes.collections] == [[1, 0], [8, 1]]
    assert [text.get_text() for text in axes.texts[:6]] == ["1.00", "0.5", "1.14", "8.00", "0.06", "0.60"]
    figures.save(figure, tmp_path / "ratios.png", {"model": [m.model for m in marks]}, pdf=True)
    figure.draw_without_rendering()
    ends = [text.get_window_extent() for text in axes.texts]
    assert all(end.x1 <= figure.bbox.x1 for end in ends)  # no column is cut off
    assert not any(a.overlaps(b) for i, a in enumerate(ends) for b in ends[:i])
    with (tmp_path / "ratios.csv").open() as file:
        assert [row["model"] for row in csv.DictReader(file)] == ["xtinyhar", "a"]
