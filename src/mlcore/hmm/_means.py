"""Starting means: k-means from k-means++ seeds, as scikit-learn's class would find them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.cluster import kmeans_plusplus
from sklearn.utils import check_random_state

from ..cluster import KMeans
from ._sequences import Array

__all__ = ["kmeans_start"]


def kmeans_start(
    X: Array,
    n_clusters: int,
    random_state: Any,
    *,
    n_init: int,
    n_jobs: int | None,
    weights: Array | None = None,
) -> tuple[Array, Array]:
    """Centres (float64) and labels of the best of ``n_init`` k-means runs.

    The seeds are scikit-learn's, drawn from the same stream, and Lloyd's iteration is mlcore's, whose sums do
    not depend on the number of threads. Rows with missing values take part with the mean of the column.

    Raises
    ------
    ValueError
        If there are fewer rows than clusters.
    """
    if X.shape[0] < n_clusters:
        raise ValueError(f"n_samples={X.shape[0]} should be >= n_components={n_clusters}.")
    generator = check_random_state(random_state)
    gone = np.isnan(X)
    if gone.any():
        count = (~gone).sum(axis=0)
        X = np.where(gone, np.where(gone, 0, X).sum(axis=0) / np.maximum(count, 1), X)
    mean = X.mean(axis=0)
    rows = X - mean
    peak = float(np.abs(rows).max())
    scale = 1.0 / peak if 0 < peak < 1e-100 else 1.0  # squares of such numbers vanish
    rows = rows * scale if scale != 1.0 else rows
    best: Any = None
    for _ in range(n_init):
        seeds, _ = kmeans_plusplus(rows, n_clusters, sample_weight=weights, random_state=generator)
        run = KMeans(n_clusters, init=seeds, n_init=1, n_jobs=n_jobs).fit(rows, sample_weight=weights)
        if best is None or (
            run.inertia_ < best.inertia_ and not _same(run.labels_, best.labels_, n_clusters)
        ):
            best = run
    centres = best.cluster_centers_.astype(np.float64) / scale + mean
    return centres, best.labels_


def _same(a: Array, b: Array, k: int) -> bool:
    """Do two labellings differ in the numbers of the clusters only?"""
    pairs = np.unique(a.astype(np.int64) * k + b)
    return len(pairs) == len(np.unique(a)) == len(np.unique(b))
