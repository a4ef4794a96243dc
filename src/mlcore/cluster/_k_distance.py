"""The k-distance curve, by which eps of DBSCAN is chosen."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array

from .. import _core
from .._validation import native_threads
from ._elbow import elbow_point

__all__ = ["k_distance"]

_METRICS = ("euclidean", "manhattan", "chebyshev")


def k_distance(
    X: Any, k: int = 4, *, metric: str = "euclidean", n_jobs: int | None = None
) -> tuple[npt.NDArray[np.float64], float]:
    r"""Distances of the rows from their k-th nearest other row, sorted, and the knee of that curve.

    Plotted against its index, the curve stays low over the rows inside clusters and turns up at those
    that are noise; its knee is a value for ``eps`` of :class:`DBSCAN` with ``min_samples=k + 1`` (the row
    itself counts there). Ester et al. 1996, section 4.2; requirement 18.17. The knee is the point of the
    curve farthest from the chord between its ends, see :func:`elbow_point`.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows, more than ``k`` of them. float32 and float64 of any memory order are used as they are.
    k : int, default=4
        Which neighbour. The row itself is not counted, an equal one is.
    metric : {"euclidean", "manhattan", "chebyshev"}, default="euclidean"
        Distance, evaluated in float64.
    n_jobs : int or None, default=None
        Number of threads; None means all allowed. The result does not depend on it.

    Returns
    -------
    distances : ndarray of shape (n_samples,), float64
        Ascending.
    knee : float
        The distance at the knee; the only one where all are equal.

    Raises
    ------
    ValueError
        If an argument is not as described.

    Notes
    -----
    Exact, by a kd-tree that searches for the k nearest of each row and keeps the farthest of them: memory for
    n distances and a float64 copy of X.

    References
    ----------
    M. Ester, H.-P. Kriegel, J. Sander, X. Xu (1996). A density-based algorithm for discovering clusters in
    large spatial databases with noise. KDD 1996, 226-231.

    Examples
    --------
    >>> from mlcore.cluster import k_distance
    >>> distances, knee = k_distance([[0.0], [1.0], [2.0], [3.0], [50.0]], k=1)
    >>> distances.tolist(), knee
    ([1.0, 1.0, 1.0, 1.0, 47.0], 1.0)
    """
    threads = native_threads(n_jobs)
    X = check_array(X, dtype=[np.float64, np.float32])
    if not X.flags.aligned:
        X = X.copy()
    if not isinstance(k, Integral) or k < 1:
        raise ValueError(f"k must be an int of at least 1, got {k!r} instead.")
    if metric not in _METRICS:
        raise ValueError(f"metric must be one of {_METRICS}, got {metric!r} instead.")
    if X.shape[0] <= k:
        raise ValueError(f"n_samples={X.shape[0]} should be > k={k}.")
    nearest, _ = _core.neighbors.nearest(X, None, int(k), metric, 2.0, False, True, threads)
    distances: npt.NDArray[np.float64] = nearest.ravel()
    distances.sort()
    if not np.isfinite(distances[-1]):
        raise ValueError("The values of X are too large: squared distances overflow; scale it.")
    return distances, float(distances[elbow_point(np.arange(distances.size), distances)])
