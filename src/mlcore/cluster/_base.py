"""What the k-means classes share: labels of the fit; with centres, predict, transform and score."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from .. import _core
from .._validation import check_data, check_weights, native_matrix, native_threads, warn_user

__all__ = ["CentroidClusterer", "Clusterer", "centers_like", "nearest_and_inertia", "warn_of_unused"]


def centers_like(centers: npt.NDArray[Any], X: Any) -> npt.NDArray[Any]:
    """The centres in C order and in the dtype of X: the few centres are cast, never the many rows."""
    return np.ascontiguousarray(centers, dtype=X.dtype)


def nearest_and_inertia(
    X: Any, weights: npt.NDArray[Any] | None, centers: npt.NDArray[Any], threads: int
) -> tuple[npt.NDArray[np.int32], float]:
    """Nearest of the centres (which have the dtype of X) for each row, and the weighted squared distances."""
    labels: npt.NDArray[np.int32] = _core.cluster.assign(native_matrix(X), centers, threads)
    return labels, _core.cluster.inertia(native_matrix(X), weights, centers, labels, threads)


def count_used(labels: npt.NDArray[np.int32], n_clusters: int) -> int:
    """Number of clusters that own a row; stops looking at labels when all are seen."""
    used = np.zeros(n_clusters, dtype=bool)
    start, step = 0, 1024
    while start < len(labels):
        used[labels[start : start + step]] = True
        if used.all():
            break
        start, step = start + step, 4 * step
    return int(used.sum())


def warn_of_unused(labels: npt.NDArray[np.int32], n_clusters: int) -> None:
    """ConvergenceWarning when there are fewer clusters than asked for."""
    used = count_used(labels, n_clusters)
    if used < n_clusters:
        warn_user(
            f"Number of distinct clusters ({used}) found smaller than n_clusters ({n_clusters}). "
            "Possibly due to duplicate points in X.",
            ConvergenceWarning,
        )


class Clusterer(ClusterMixin, BaseEstimator):
    """Base of the estimators that minimise an inertia over ``n_clusters`` clusters."""

    labels_: npt.NDArray[np.int32]
    inertia_: float
    n_features_in_: int
    n_clusters: int
    n_jobs: int | None

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        raise NotImplementedError

    def _check_enough_rows(self, X: Any) -> None:
        if X.shape[0] < self.n_clusters:
            raise ValueError(f"n_samples={X.shape[0]} should be >= n_clusters={self.n_clusters}.")

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> npt.NDArray[np.int32]:
        """Fit, and return the cluster of each row of ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in ``fit``.
        y : Ignored
            Present for consistency of the interface.
        sample_weight : array-like of shape (n_samples,), default=None
            As in ``fit``.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int32
            The same as ``labels_``.
        """
        self.fit(X, sample_weight=sample_weight)
        return self.labels_


class CentroidClusterer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Clusterer):
    """Base of the estimators that keep ``cluster_centers_`` and assign a row to the nearest centre."""

    cluster_centers_: npt.NDArray[Any]

    def _check_test_data(self, X: Any) -> Any:
        if "cluster_centers_" not in vars(self):
            check_is_fitted(self)
        return check_data(self, X, reset=False)

    def _assign(self, X: Any) -> npt.NDArray[np.int32]:
        centers = centers_like(self.cluster_centers_, X)
        labels: npt.NDArray[np.int32] = _core.cluster.assign(
            native_matrix(X), centers, native_threads(self.n_jobs)
        )
        return labels

    def _transform(self, X: Any) -> npt.NDArray[Any]:
        centers = centers_like(self.cluster_centers_, X)
        distances: npt.NDArray[Any] = _core.cluster.transform(
            native_matrix(X), centers, native_threads(self.n_jobs)
        )
        return distances

    def predict(self, X: Any) -> npt.NDArray[np.int32]:
        """Number of the cluster centre that is nearest to each row, ties to the lower number.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New data. float32 and float64 are used as they are, in any memory order; CSR matrices too.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int32
            ``labels[i] = argmin_j ||x_i - c_j||``.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If ``X`` is not a finite matrix with ``n_features_in_`` columns.
        """
        return self._assign(self._check_test_data(X))

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> npt.NDArray[Any]:
        """Fit, and return the distances of ``X`` to the centres: ``fit(X).transform(X)``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in ``fit``.
        y : Ignored
            Present for consistency of the interface.
        sample_weight : array-like of shape (n_samples,), default=None
            As in ``fit``.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_clusters)
            As of ``transform``.
        """
        self.fit(X, sample_weight=sample_weight)
        return self._transform(self._check_test_data(X))

    def transform(self, X: Any) -> npt.NDArray[Any]:
        """Euclidean distances of the rows to the cluster centres.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New data.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_clusters)
            ``distances[i, j] = ||x_i - c_j||``, in the dtype of ``X`` (float64 for other types than float32).
            Always dense, also for sparse ``X``.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If ``X`` is not a finite matrix with ``n_features_in_`` columns.
        """
        return self._transform(self._check_test_data(X))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Minus the inertia of ``X`` with respect to the fitted centres; larger is better.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New data.
        y : Ignored
            Present for consistency of the interface.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights ``w_i``; None means ones.

        Returns
        -------
        score : float
            ``-sum_i w_i min_j ||x_i - c_j||^2``.
        """
        X = self._check_test_data(X)
        weights = check_weights(sample_weight, X)
        centers = centers_like(self.cluster_centers_, X)
        return -nearest_and_inertia(X, weights, centers, native_threads(self.n_jobs))[1]

    @property
    def _n_features_out(self) -> int:
        return int(self.cluster_centers_.shape[0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
