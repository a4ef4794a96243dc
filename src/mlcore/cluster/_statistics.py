"""The sums behind one k-means iteration, for data that come in blocks or lie on several machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array

from .. import _core
from .._validation import check_weights, native_matrix, native_threads
from ._base import centers_like

__all__ = ["KMeansStatistics"]


@dataclass(frozen=True, slots=True, eq=False)
class KMeansStatistics:
    r"""Sufficient statistics of a block of rows for one step of k-means.

    A step over blocks b is ``partial`` on each block, ``combine`` of the results in any grouping, and
    ``finish``:

    .. math:: s_j = \sum_b \sum_{i \in b, l_i = j} w_i x_i, \quad W_j = \sum_b \sum_{i \in b, l_i = j} w_i,
              \quad c_j' = s_j / W_j

    where :math:`l_i` is the nearest of the present centres (Lloyd, "Least squares quantization in PCM",
    1982). The blocks may be worked on by different processes; only these k (d + 1) + 1 numbers travel.

    Parameters
    ----------
    sums : ndarray of shape (n_clusters, n_features), float64
        Weighted sum of the rows of each cluster.
    weights : ndarray of shape (n_clusters,), float64
        Sum of the weights of each cluster.
    inertia : float
        Weighted sum of the squared distances to the nearest centre.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.cluster import KMeansStatistics
    >>> X = np.array([[1.0, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> centers = X[[0, 3]]
    >>> first, second = (KMeansStatistics.partial(block, centers) for block in (X[:4], X[4:]))
    >>> together = first.combine(second)
    >>> together.weights, together.inertia
    (array([3., 3.]), 16.0)
    >>> together.finish(centers)
    array([[ 1.,  2.],
           [10.,  2.]])
    """

    sums: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    inertia: float

    @classmethod
    def partial(
        cls, X: Any, centers: Any, sample_weight: Any = None, *, n_jobs: int | None = None
    ) -> KMeansStatistics:
        """Statistics of one block of rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The block; float32 and float64 are used as they are.
        centers : array-like of shape (n_clusters, n_features)
            The present centres.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; None means ones.
        n_jobs : int or None, default=None
            Number of threads.

        Returns
        -------
        statistics : KMeansStatistics

        Raises
        ------
        ValueError
            If the block or the centres are not finite matrices with the same number of columns.
        """
        X = check_array(X, accept_sparse="csr", accept_large_sparse=True, dtype=[np.float64, np.float32])
        centers = centers_like(check_array(centers, dtype=[np.float64, np.float32]), X)
        if centers.shape[1] != X.shape[1]:
            raise ValueError(f"X has {X.shape[1]} features, but centers has {centers.shape[1]}.")
        weights = check_weights(sample_weight, X)
        return cls(*_core.cluster.partial(native_matrix(X), weights, centers, native_threads(n_jobs)))

    def combine(self, other: KMeansStatistics) -> KMeansStatistics:
        """Statistics of the rows of both; neither is changed.

        Raises
        ------
        ValueError
            If the shapes differ.
        """
        if self.sums.shape != other.sums.shape:
            raise ValueError(f"The statistics have shapes {self.sums.shape} and {other.sums.shape}.")
        return KMeansStatistics(*_core.cluster.combine(self._as_tuple(), other._as_tuple()))

    def finish(self, centers: Any) -> npt.NDArray[Any]:
        """The centres after the step, in the dtype of ``centers``; a cluster without weight keeps its centre.

        Parameters
        ----------
        centers : ndarray of shape (n_clusters, n_features)
            The centres that the statistics were taken with; not changed.

        Returns
        -------
        moved : ndarray of shape (n_clusters, n_features)
        """
        centers = check_array(centers, dtype=[np.float64, np.float32], order="C")
        if centers.shape != self.sums.shape:
            raise ValueError(f"The statistics have shape {self.sums.shape}, the centers {centers.shape}.")
        moved: npt.NDArray[Any] = _core.cluster.finish(self._as_tuple(), centers)
        return moved

    def _as_tuple(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
        return self.sums, self.weights, self.inertia
