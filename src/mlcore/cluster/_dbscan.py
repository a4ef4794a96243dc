"""DBSCAN."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.metrics.pairwise import _VALID_METRICS
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .. import _core
from .._validation import (
    atomic_fit,
    check_data,
    native_matrix,
    native_threads,
    tidy,
    validate_parameters,
    warn_user,
)

__all__ = ["DBSCAN", "dbscan"]

_FLOATS = (np.float64, np.float32)
#: Names of the metrics that the native side knows, and its own names for them.
_NATIVE = {
    "euclidean": "euclidean",
    "l2": "euclidean",
    "manhattan": "manhattan",
    "cityblock": "manhattan",
    "l1": "manhattan",
    "minkowski": "minkowski",
}
#: Sparse rows are unpacked for the kd-tree when that takes no more than so many bytes.
_UNPACKED_BYTES = 2**28
#: Entries of the distances that are in memory at once where scikit-learn finds the neighbours.
_CHUNK_ENTRIES = 2**23


class DBSCAN(ClusterMixin, BaseEstimator):
    r"""Density-based clustering: clusters are regions where every row has enough neighbours.

    A row is *core* when the rows within distance ``eps`` of it, itself included, have a total weight of at
    least ``min_samples``. Clusters are the connected components of the core rows under "within ``eps``",
    numbered in order of their lowest core row. Any other row within ``eps`` of core rows is a *border* row
    and belongs to the cluster of the lowest number among them; the rest is noise, label -1 (Ester et al.
    1996; requirement 18.16). Labels are exactly scikit-learn's, border rows and numbers included.

    Parameters
    ----------
    eps : float, default=0.5
        Largest distance of two neighbours, in the units of ``X``.
    min_samples : int, default=5
        Number of rows (or total weight) within ``eps`` that makes a row core; the row itself counts.
    metric : str or callable, default="euclidean"
        Distance. "euclidean", "manhattan", "chebyshev", "minkowski" (and their other names) and "cosine" run
        natively on dense rows; "precomputed" means that ``X`` holds the distances, dense or sparse (where
        only stored entries can be neighbours). For every other metric of scikit-learn, and functions, its
        neighbour search is used.
    metric_params : dict or None, default=None
        More arguments of the metric. With any but ``p``, scikit-learn's neighbour search is used.
    algorithm : {"auto", "ball_tree", "kd_tree", "brute"}, default="auto"
        Checked as scikit-learn does, and handed on where its neighbour search is used. The native search
        has one engine, a kd-tree.
    leaf_size : int, default=30
        Handed on where scikit-learn's neighbour search is used.
    p : float or None, default=None
        Power of the Minkowski metric; None means 2.
    n_jobs : int or None, default=None
        Number of threads; None means all allowed. The result does not depend on it.

    Attributes
    ----------
    core_sample_indices_ : ndarray of shape (n_core_samples,), int64
        Numbers of the core rows, ascending.
    components_ : ndarray or CSR matrix of shape (n_core_samples, n_features), dtype of X
        Copy of the core rows.
    labels_ : ndarray of shape (n_samples,), int64
        Cluster of each row, -1 for noise.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when ``X`` had names that are all strings.

    See Also
    --------
    dbscan : The same as a function.
    KMeans : Clusters around centres, of which the number is given.

    Notes
    -----
    The rule for "within ``eps``" is a plain loop in float64, also for float32 data: with the Euclidean metric
    :math:`\sum_j (x_j - y_j)^2 \le \varepsilon^2`, summed in the order of the columns, every operation
    rounded once. The Minkowski metrics compare the sum of :math:`|x_j - y_j|^p` with :math:`\varepsilon^p`.
    The cosine metric compares the rows scaled to length 1 by :math:`|x - y|^2 \le 2\varepsilon`. Nothing
    depends on the number of threads or the instruction set.

    Time is O(n log n) where few rows are within ``eps`` or ``min_samples`` is small, O(n² d) at worst. Memory
    is one float64 copy of the rows and O(n): neighbours are never listed. Only the metrics that
    scikit-learn's search serves, and sparse rows of many columns, need memory for all pairs of neighbours.
    float32 and float64 in any memory order are used as they are.

    References
    ----------
    M. Ester, H.-P. Kriegel, J. Sander, X. Xu (1996). A density-based algorithm for discovering clusters in
    large spatial databases with noise. KDD 1996, 226-231.

    E. Schubert, J. Sander, M. Ester, H.-P. Kriegel, X. Xu (2017). DBSCAN revisited, revisited: why and how
    you should (still) use DBSCAN. ACM Transactions on Database Systems 42 (3).

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.cluster import DBSCAN
    >>> X = np.array([[1.0, 2.0], [2.0, 2.0], [2.0, 3.0], [8.0, 7.0], [8.0, 8.0], [25.0, 80.0]])
    >>> model = DBSCAN(eps=3, min_samples=2).fit(X)
    >>> model.labels_.tolist()
    [0, 0, 0, 1, 1, -1]
    >>> model.predict([[1.0, 1.0], [30.0, 30.0]]).tolist()
    [0, -1]
    """

    core_sample_indices_: npt.NDArray[np.int64]
    components_: Any
    labels_: npt.NDArray[np.int64]
    n_features_in_: int

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "eps": [Interval(Real, 0.0, None, closed="neither")],
        "min_samples": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions(set(_VALID_METRICS) | {"precomputed"}), callable],
        "metric_params": [dict, None],
        "algorithm": [StrOptions({"auto", "ball_tree", "kd_tree", "brute"})],
        "leaf_size": [Interval(Integral, 1, None, closed="left")],
        "p": [Interval(Real, 0.0, None, closed="left"), None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        eps: float = 0.5,
        *,
        min_samples: int = 5,
        metric: Any = "euclidean",
        metric_params: dict[str, Any] | None = None,
        algorithm: str = "auto",
        leaf_size: int = 30,
        p: float | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.eps = eps
        self.min_samples = min_samples
        self.metric = metric
        self.metric_params = metric_params
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.p = p
        self.n_jobs = n_jobs

    @atomic_fit
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> DBSCAN:
        """Find the clusters of ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples)
            Rows, or with ``metric="precomputed"`` their distances. Sparse rows that are small when unpacked
            are treated like dense ones.
        y : Ignored
            Present for consistency of the interface.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the counts; None means ones. A row whose own weight is ``min_samples`` is
            core by itself; a negative weight can keep its neighbours from being core. Sums of weights that
            are not whole numbers are rounded in an order of our own.

        Returns
        -------
        self : DBSCAN
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, ``X`` or the weights are not as described.
        """
        validate_parameters(self)
        if self.p is not None and "p" in (self.metric_params or {}):
            warn_user(
                "Parameter p is found in metric_params. The corresponding parameter from __init__ is "
                "ignored.",
                SyntaxWarning,
            )
        threads = native_threads(self.n_jobs)
        X = self._check(X, reset=True)
        weights = None
        if sample_weight is not None:
            weights = np.ascontiguousarray(_check_sample_weight(sample_weight, X, dtype=np.float64))
        distances = X if self.metric == "precomputed" else None
        native = None if distances is not None else self._native_rows(X)
        if native is not None:
            rows, metric, p, eps = native
            core, labels = _core.cluster.dbscan_fit(
                rows, weights, metric, p, eps, float(self.min_samples), threads
            )
        else:
            eps = float(self.eps)
            if distances is None:
                distances = self._neighbour_graph(X)
            elif sp.issparse(distances):
                distances = _with_diagonal(distances)
            else:
                eps = float(distances.dtype.type(eps))  # compared in the precision of the matrix
            core, labels = _core.cluster.dbscan_matrix(
                native_matrix(distances), weights, eps, float(self.min_samples), threads
            )
        self.core_sample_indices_, self.labels_ = core, labels
        self.components_ = X[core].copy() if core.size else np.empty((0, X.shape[1]), dtype=X.dtype)
        return self

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> npt.NDArray[np.int64]:
        """Fit, and return the cluster of each row of ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples)
            As in ``fit``.
        y : Ignored
            Present for consistency of the interface.
        sample_weight : array-like of shape (n_samples,), default=None
            As in ``fit``.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int64
            The same as ``labels_``.
        """
        self.fit(X, sample_weight=sample_weight)
        return self.labels_

    def predict(self, X: Any) -> npt.NDArray[np.int64]:
        """Cluster of the core rows within ``eps`` of each new row, by the rule for border rows.

        On the rows of the fit this gives ``labels_``. New rows do not change which rows are core.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features) or (n_queries, n_samples_fit)
            New rows, or with ``metric="precomputed"`` their distances from the rows of the fit.

        Returns
        -------
        labels : ndarray of shape (n_queries,), int64
            Lowest number among the clusters of the core rows within ``eps``; -1 where there is none.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If ``X`` is not a finite matrix with ``n_features_in_`` columns.
        """
        check_is_fitted(self)
        X = self._check(X, reset=False)
        of_core = self.labels_[self.core_sample_indices_]
        if of_core.size == 0:
            return np.full(X.shape[0], -1, dtype=np.int64)
        if self.metric == "precomputed":
            return self._predict_from_distances(X, of_core)
        core = self.components_.astype(X.dtype, copy=False)
        if sp.issparse(X) != sp.issparse(core):
            X, core = sp.csr_array(X), sp.csr_array(core)
        asked, known = self._native_rows(X), self._native_rows(core)
        if asked is None or known is None:
            search = self._search(core)
            labels = np.full(X.shape[0], -1, dtype=np.int64)
            for start in range(0, X.shape[0], step := _chunk(core.shape[0])):
                found = search.radius_neighbors(X[start : start + step], return_distance=False)
                for i, neighbours in enumerate(found, start):
                    if len(neighbours):
                        labels[i] = of_core[neighbours].min()
            return labels
        rows, metric, p, eps = asked
        result: npt.NDArray[np.int64] = _core.cluster.dbscan_predict(
            known[0], of_core, rows, metric, p, eps, native_threads(self.n_jobs)
        )
        return result

    def _check(self, X: Any, *, reset: bool) -> Any:
        if self.metric == "precomputed" or self._metric_name() is not None:
            return check_data(self, X, reset=reset)
        # Metrics of booleans and the like get the data as they are.
        return tidy(validate_data(self, X, reset=reset, accept_sparse="csr"))

    def _power(self) -> float:
        return float((self.metric_params or {}).get("p", 2.0 if self.p is None else self.p))

    def _metric_name(self) -> str | None:
        """Native name of the metric; "cosine"; None where scikit-learn's search is used."""
        if not isinstance(self.metric, str) or set(self.metric_params or {}) - {"p"}:
            return None
        if self.metric == "chebyshev" or (self.metric == "cosine" and self.algorithm in ("auto", "brute")):
            return self.metric
        name = _NATIVE.get(self.metric)
        if name == "minkowski":
            power = self._power()
            by_power = {1.0: "manhattan", 2.0: "euclidean", np.inf: "chebyshev"}
            if power <= 0 or (power < 1 and self.algorithm in ("kd_tree", "ball_tree")):
                return None  # refused by scikit-learn's words
            return by_power.get(power, "minkowski")
        return name

    def _native_rows(self, X: Any) -> tuple[Any, str, float, float] | None:
        """Rows, metric, p and eps for the native search; None where scikit-learn's is needed."""
        name = self._metric_name()
        if name is None:
            return None
        if sp.issparse(X):
            if X.shape[0] * X.shape[1] * X.dtype.itemsize > _UNPACKED_BYTES:
                return None
            X = X.toarray()
        eps, p = float(self.eps), 2.0
        if name == "minkowski":
            p = self._power()
        if name != "cosine":
            return X, name, p, eps
        X = np.asarray(X, dtype=np.float64)
        largest = np.abs(X).max(axis=1, keepdims=True)
        if not largest.all():
            return None  # a zero row has no direction
        return normalize(X / largest, copy=False), "euclidean", p, float(np.sqrt(2 * eps))

    def _search(self, X: Any) -> Any:
        """scikit-learn's neighbour search, fitted to ``X``."""
        return NearestNeighbors(
            radius=self.eps,
            algorithm=self.algorithm,
            leaf_size=self.leaf_size,
            metric=self.metric,
            metric_params=self.metric_params,
            p=2 if self.p is None else self.p,
            n_jobs=self.n_jobs,
        ).fit(X)

    def _neighbour_graph(self, X: Any) -> Any:
        """CSR matrix with a zero stored for every pair of neighbours."""
        search = self._search(X)
        n = X.shape[0]
        counts, columns = [np.zeros(1, dtype=np.int64)], []
        for start in range(0, n, step := _chunk(n)):
            found = search.radius_neighbors(X[start : start + step], return_distance=False)
            counts.append(np.array([len(neighbours) for neighbours in found], dtype=np.int64))
            columns.append(np.concatenate(found).astype(np.int64))
        starts, indices = np.cumsum(np.concatenate(counts)), np.concatenate(columns)
        return sp.csr_array((np.zeros(indices.size), indices, starts), shape=(n, n))

    def _predict_from_distances(self, X: Any, of_core: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        none = np.iinfo(np.int64).max
        labels = np.full(X.shape[0], none)
        if sp.issparse(X):
            label_of = np.full(X.shape[1], none)
            label_of[self.core_sample_indices_] = of_core
            row_of = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
            near = X.data <= self.eps
            np.minimum.at(labels, row_of[near], label_of[X.indices[near]])
        else:
            eps = X.dtype.type(self.eps)
            for start in range(0, X.shape[0], step := _chunk(of_core.size)):
                near = X[start : start + step][:, self.core_sample_indices_] <= eps
                labels[start : start + step] = np.where(near, of_core, none).min(axis=1)
        labels[labels == none] = -1
        return labels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.metric == "precomputed"
        tags.input_tags.sparse = True
        return tags


def _chunk(columns: int) -> int:
    """Rows at a time of a matrix of distances."""
    return max(1, _CHUNK_ENTRIES // max(columns, 1))


def _with_diagonal(distances: Any) -> Any:
    """The graph with every row a neighbour of itself; the argument is not changed."""
    missing = distances.shape[0] - np.count_nonzero(
        distances.indices == np.repeat(np.arange(distances.shape[0]), np.diff(distances.indptr))
    )
    if missing == 0:
        return distances
    n = distances.shape[0]
    rows = np.repeat(np.arange(n), np.diff(distances.indptr))
    on_diagonal = np.zeros(n, dtype=bool)
    on_diagonal[rows[rows == distances.indices]] = True
    absent = np.flatnonzero(~on_diagonal)
    entries = np.concatenate([distances.data, np.zeros(absent.size, dtype=distances.data.dtype)])
    columns = np.concatenate([distances.indices, absent.astype(distances.indices.dtype)])
    order = np.argsort(np.concatenate([rows, absent]), kind="stable")
    starts = np.zeros(n + 1, dtype=distances.indptr.dtype)
    np.cumsum(np.diff(distances.indptr) + ~on_diagonal, out=starts[1:])
    return type(distances)((entries[order], columns[order], starts), shape=(n, n))


def dbscan(
    X: Any,
    eps: float = 0.5,
    *,
    min_samples: int = 5,
    metric: Any = "minkowski",
    metric_params: dict[str, Any] | None = None,
    algorithm: str = "auto",
    leaf_size: int = 30,
    p: float | None = 2,
    sample_weight: Any = None,
    n_jobs: int | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """DBSCAN as a function; see :class:`DBSCAN`.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples)
        Rows, or with ``metric="precomputed"`` their distances.
    eps : float, default=0.5
        Largest distance of two neighbours.
    min_samples : int, default=5
        Number of rows (or total weight) within ``eps`` that makes a row core.
    metric : str or callable, default="minkowski"
        Distance.
    metric_params : dict or None, default=None
        More arguments of the metric.
    algorithm : {"auto", "ball_tree", "kd_tree", "brute"}, default="auto"
        As in :class:`DBSCAN`.
    leaf_size : int, default=30
        As in :class:`DBSCAN`.
    p : float or None, default=2
        Power of the Minkowski metric.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row in the counts.
    n_jobs : int or None, default=None
        Number of threads.

    Returns
    -------
    core_samples : ndarray of shape (n_core_samples,), int64
        Numbers of the core rows.
    labels : ndarray of shape (n_samples,), int64
        Cluster of each row, -1 for noise.

    Examples
    --------
    >>> from mlcore.cluster import dbscan
    >>> core, labels = dbscan([[0.0], [1.0], [2.0], [9.0]], eps=1.5, min_samples=2)
    >>> core.tolist(), labels.tolist()
    ([0, 1, 2], [0, 0, 0, -1])
    """
    model = DBSCAN(
        eps=eps,
        min_samples=min_samples,
        metric=metric,
        metric_params=metric_params,
        algorithm=algorithm,
        leaf_size=leaf_size,
        p=p,
        n_jobs=n_jobs,
    ).fit(X, sample_weight=sample_weight)
    return model.core_sample_indices_, model.labels_
