"""The motion that the small archives and exports are made of."""

from __future__ import annotations

import numpy as np

G = 9.80665


def simulate(seconds: float, seed: int, rate: float = 50) -> tuple[np.ndarray, np.ndarray]:
    """Specific force in g of a device that stands on its x axis and is moved in every second two seconds; rad/s."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate)
    moving = (np.arange(count) // (2 * rate) % 2)[:, None]
    acc = [1.0, 0.0, 0.0] + moving * rng.normal(0, 0.3, (count, 3))
    return acc, moving * rng.normal(0, 1.0, (count, 3)) + rng.normal(0, 0.01, (count, 3))
