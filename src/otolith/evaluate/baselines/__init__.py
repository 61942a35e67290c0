"""Controls: what simple methods reach on the same windows."""

from __future__ import annotations

from otolith.evaluate.baselines.minirocket import MiniRocketRidge
from otolith.evaluate.baselines.nearest import NearestRawWindow
from otolith.evaluate.baselines.protocol import Baseline, Majority
from otolith.evaluate.baselines.statistics import LogisticOnStatistics, RandomForest, statistics

__all__ = [
    "Baseline", "LogisticOnStatistics", "Majority", "MiniRocketRidge", "NearestRawWindow", "RandomForest",
    "statistics",
]  # fmt: skip
