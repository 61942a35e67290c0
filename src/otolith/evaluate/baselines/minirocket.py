"""Ridge regression on MiniRocket features: a strong control from the field of time series classification."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from otolith.evaluate.baselines.protocol import check_training
from otolith.evaluate.baselines.statistics import fill
from otolith.types import DataError, MissingExtraError

SHORTEST = 9
"""Samples in a kernel of MiniRocket: the least that a window may have."""

ALPHAS = np.logspace(-3, 3, 10)
"""Strengths of regularisation, among which leave-one-out cross-validation on the training windows chooses."""


class MiniRocketRidge:
    """Ridge classifier on 9,996 random convolutional features (Dempster et al. 2021, arXiv:2012.08791, section 3).

    Each feature is the share of samples at which a kernel's response exceeds a bias. Features are divided by their
    deviation over the training windows but not centred. The same windows and seed give the same answers; it runs on
    one thread. Missing samples take the mean of the channel's other samples in the window, or 0 if there are none.

    Args:
        seed: Draws the channels of each kernel, and the windows from which its biases are taken; 0 to 2**32 - 1.
    """

    name = "minirocket"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, windows: NDArray[np.floating], labels: Sequence[str]) -> Self:
        """Learns from windows [N, T, C], all of the same length.

        Raises:
            DataError: Fewer than two classes, or windows shorter than `SHORTEST` samples.
            MissingExtraError: The extra `baselines` is not installed.
        """
        check_training(windows, labels)
        if len(set(labels)) < 2:
            raise DataError(f"all training windows are '{labels[0]}': give windows of at least two classes")
        if windows.shape[1] < SHORTEST:
            raise DataError(
                f"windows of {windows.shape[1]} samples are too short for MiniRocket: give at least {SHORTEST} samples"
            )
        self._shape = windows.shape[1:]
        self._transform = _minirocket(self.seed)
        self._model = make_pipeline(StandardScaler(with_mean=False), RidgeClassifierCV(alphas=ALPHAS))
        # BLAS sums in another order on another number of threads, and a training may run beside.
        with threadpool_limits(limits=1), _random_state_kept():
            features = self._transform.fit_transform(_series(windows))
            self._model.fit(features, np.asarray(labels))
        return self

    def predict(self, windows: NDArray[np.floating]) -> list[str]:
        """The likeliest label of each of `windows` [N, T, C].

        Raises:
            ValueError: T or C is not that of the training windows.
        """
        if windows.shape[1:] != self._shape:
            raise ValueError(f"windows are [N, {self._shape[0]}, {self._shape[1]}], not {list(windows.shape)}")
        if not len(windows):
            return []
        with threadpool_limits(limits=1):
            return [str(label) for label in self._model.predict(self._transform.transform(_series(windows)))]


def _series(windows: NDArray[np.floating]) -> NDArray[np.float32]:
    """[N, T, C] to aeon's [N, C, T], nothing missing."""
    return np.ascontiguousarray(fill(windows.astype(np.float64)).transpose(0, 2, 1), dtype=np.float32)


def _minirocket(seed: int) -> Any:
    try:
        from aeon.transformations.collection.convolution_based import MiniRocket
    except ImportError as error:
        raise MissingExtraError("aeon", "baselines", "the control 'minirocket'") from error
    return MiniRocket(random_state=seed, n_jobs=1)


@contextmanager
def _random_state_kept() -> Iterator[None]:
    # aeon seeds numpy's global generator, on which somebody else may rely.
    state = np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
