"""From features of many dimensions to places in two or three."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

METHODS = ("umap", "tsne", "pca")
"""Names of layouts; UMAP needs the extra `maps`."""


@dataclass(frozen=True)
class Layout:
    """Places of N windows.

    Attributes:
        points: [N, D].
        name: What the axes are called: `UMAP`, `t-SNE` or `principal component`.
    """

    points: Floats
    name: str


def default_method() -> str:
    """UMAP where it is installed, else t-SNE."""
    return "umap" if find_spec("umap") else "tsne"


def layout(features: NDArray[np.float32], dimensions: int, method: str | None = None, seed: int = 0) -> Layout:
    """Lays windows out so that those with like features are near.

    Args:
        features: [N, F].
        dimensions: 2 or 3.
        method: One of `METHODS`; None takes `default_method`. Fewer than 10 windows are laid out by PCA.
        seed: Of what is drawn.
    """
    method = method or default_method()
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    if method == "pca" or len(features) < 10:
        return Layout(shared_components(features[None], dimensions)[0], "principal component")
    neighbours = min(15, len(features) - 1)
    if method == "umap":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)  # it says that it was not given TensorFlow
            import umap

        reducer = umap.UMAP(n_components=dimensions, n_neighbors=neighbours, random_state=seed, n_jobs=1)
        return Layout(np.asarray(reducer.fit_transform(features), dtype=np.float64), "UMAP")
    from sklearn.manifold import TSNE

    spread = min(30.0, (len(features) - 1) / 3)
    reducer = TSNE(n_components=dimensions, init="pca", perplexity=spread, random_state=seed)
    return Layout(np.asarray(reducer.fit_transform(_compact(features)), dtype=np.float64), "t-SNE")


def shared_components(features: NDArray[np.float32], dimensions: int) -> Floats:
    """All snapshots along the same axes, so that a point moves only where its features change.

    The axes are the principal components of the last snapshot. Of each snapshot its own mean is taken off first: what
    all windows do together would hide how they part. So nothing jumps that does not jump in the features, and distances
    are comparable between snapshots.

    Args:
        features: [S, N, F].
        dimensions: D; axes beyond min(N, F) are zero.

    Returns:
        [S, N, D]. The sign of each axis is such that its largest loading is positive.
    """
    values = features.astype(np.float64)
    values -= values.mean(axis=1, keepdims=True)
    axes = np.linalg.svd(values[-1], full_matrices=False)[2][:dimensions]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    points = values @ (axes * np.where(largest < 0, -1.0, 1.0)).T
    padded: Floats = np.pad(points, ((0, 0), (0, 0), (0, dimensions - points.shape[2])))
    return padded


def explained(features: NDArray[np.float32], dimensions: int) -> float:
    """Share of the variance of [N, F] that its first principal components hold."""
    singular = np.linalg.svd(features - features.mean(axis=0), compute_uv=False)
    energy = np.square(singular, dtype=np.float64)
    return float(energy[:dimensions].sum() / energy.sum()) if energy.any() else 1.0


def _compact(features: NDArray[np.float32]) -> Floats:
    """At most 50 principal components: what t-SNE is usually given, and much faster."""
    points: Floats = shared_components(features[None], min(50, *features.shape))[0]
    return points
