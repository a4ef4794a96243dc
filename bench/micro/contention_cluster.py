"""Tasks of k-means for ``python -m bench.micro.contention``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .contention import Run, Tasks


def overlapping_blobs(rows: int, features: int, centers: int) -> NDArray[np.float32]:
    """Normal clouds that overlap, so that no fit ends at once."""
    rng = np.random.default_rng(0)
    middle = rng.uniform(-4, 4, (centers, features))
    X = middle[rng.integers(centers, size=rows)] + rng.standard_normal((rows, features))
    return X.astype(np.float32)


def kmeans(package: str, rows: int, features: int, clusters: int) -> Run:
    """A fit of at most 30 iterations from given centres."""
    X = overlapping_blobs(rows, features, clusters)
    options = {"n_clusters": clusters, "init": X[:clusters].copy(), "n_init": 1, "max_iter": 30}
    if package == "mlcore":
        from mlcore.cluster import KMeans
    else:
        from sklearn.cluster import KMeans
    return lambda: KMeans(**options).fit(X)


def seeding(package: str, rows: int, features: int, clusters: int) -> Run:
    """k-means++, which is many short parallel steps."""
    X = overlapping_blobs(rows, features, clusters)
    if package == "mlcore":
        from mlcore.cluster import kmeans_plusplus
    else:
        from sklearn.cluster import kmeans_plusplus
    return lambda: kmeans_plusplus(X, clusters, random_state=0)


TASKS: Tasks = {
    "k-means 500,000 x 16, k = 64": (lambda package: kmeans(package, 500_000, 16, 64), 3),
    "k-means 2,000 x 10, k = 8": (lambda package: kmeans(package, 2_000, 10, 8), 41),
    "k-means++ 100,000 x 16, k = 64": (lambda package: seeding(package, 100_000, 16, 64), 5),
}
