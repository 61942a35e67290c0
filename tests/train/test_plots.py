from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from otolith.train import plots
from otolith.train.plots import curves, plot_run, smooth

HISTORY: list[dict[str, Any]] = [
    *(
        {
            "step": step,
            "kind": "train",
            "loss": 3.0 / step,
            "masked": 1.0 / step,
            "contrastive": 2.0 / step,
            "masked/spar": 1.0 / step,
            "learning_rate": 1e-3,
            **({"masked/hapt": 0.5} if step % 2 else {}),
        }
        for step in range(1, 151)
    ),
    {"step": 50, "kind": "val", "macro_f1": 0.3, "macro_f1/spar": 0.2},
    {"step": 100, "kind": "val", "macro_f1": 0.5, "macro_f1/spar": 0.4},
]


def test_curves() -> None:
    found = curves(HISTORY)
    assert found["val/macro_f1"] == ([50, 100], [0.3, 0.5]) and found["train/masked/hapt"][0] == list(range(1, 151, 2))
    assert set(found) == {
        "train/loss",
        "train/masked",
        "train/contrastive",
        "train/masked/spar",
        "train/masked/hapt",
        "train/learning_rate",
        "val/macro_f1",
        "val/macro_f1/spar",
    }


def test_figures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot_run(HISTORY, tmp_path / "plots")
    assert {p.stem for p in (tmp_path / "plots").glob("*.png")} == {
        "overall_loss",
        "loss_components",
        "per_dataset_losses",
        "learning_rate",
        "held_out_macro_f1",
        "dataset_spar_detail",
        "dataset_hapt_detail",
    }
    for path in (tmp_path / "plots").glob("*.png"):
        head = path.read_bytes()[:24]
        assert head.startswith(b"\x89PNG") and min(struct.unpack(">II", head[16:])) > 300
    numbers = json.loads((tmp_path / "plots" / "metrics.json").read_text())
    assert numbers["train/loss"]["value"][1] == 1.5 and numbers.keys() == curves(HISTORY).keys()


def test_without_matplotlib_the_numbers_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    plot_run(HISTORY, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_one_point_is_no_curve(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot_run([HISTORY[0], *HISTORY[-2:]], tmp_path)
    assert {p.stem for p in tmp_path.glob("*.png")} == {"held_out_macro_f1", "dataset_spar_detail"}


def test_nothing_logged(tmp_path: Path) -> None:
    plot_run([], tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text()) == {}


def testsmoothing_has_no_lag() -> None:
    line = np.arange(200.0)
    np.testing.assert_allclose(smooth(list(line))[5:-5], line[5:-5], atol=0.51)
    np.testing.assert_allclose(smooth([2.0] * 120), 2.0)
    np.testing.assert_allclose(smooth([1.0, 5.0]), [1.0, 5.0])
