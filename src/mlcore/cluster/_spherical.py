"""Spherical k-means."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.preprocessing import normalize
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.extmath import safe_sparse_dot

from .. import _core
from .._callbacks import observe
from .._validation import (
    atomic_fit,
    check_data,
    check_weights,
    draw_seed,
    native_matrix,
    native_threads,
    validate_parameters,
)
from ._base import CentroidClusterer, centers_like, warn_of_unused
from ._starts import called_init, check_centers, is_named, number_of_runs

__all__ = ["SphericalKMeans"]

_STOPPED = 2  # by a callback
_LIMIT = 1  # max_iter


class SphericalKMeans(CentroidClusterer):
    r"""K-means for directions: clusters rows by the cosine of their angle.

    Minimises, over assignments :math:`a` and unit vectors :math:`c_1, \dots, c_k`,

    .. math:: J = \sum_i w_i \left(1 - \cos(x_i, c_{a_i})\right), \qquad
        \cos(x, c) = \frac{x \cdot c}{\lVert x \rVert},

    by assigning each row to the centre of the largest cosine and moving each centre to the direction of the
    sum of its normalised rows (Dhillon and Modha 2001; requirement 18.07). Each step lowers J. Only
    directions count: rows of different length and the same direction are the same. J is half the inertia that
    :class:`KMeans` has on normalised rows with these centres; there, however, centres are means, which lie
    inside the sphere.

    Rows that are zero have no direction. Their cosine with every centre is taken to be 0: they get label 0,
    contribute 1 each to ``inertia_`` and move no centre.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters k.
    init : {"k-means++", "random"}, callable or array-like, default="k-means++"
        Starting centres: greedy k-means++ with distance 1 - cos; rows chosen at random, of different
        directions; an array, whose rows are normalised; or a function ``init(X, n_clusters, random_state)``
        that returns one.
    n_init : int or "auto", default="auto"
        Number of starts, of which the one with the lowest inertia is kept. "auto" means 1 for "k-means++" and
        arrays, 10 for "random" and functions.
    max_iter : int, default=300
        Limit on the iterations of a start.
    tol : float, default=1e-4
        A start ends when the squared moves of the centres add up to no more than ``tol`` times the mean
        variance of the columns of the normalised rows; 0 means to go on until no label changes.
    verbose : int, default=0
        Print the inertia of every iteration when not 0.
    random_state : int, RandomState instance or None, default=None
        Seeds the starts. The choice does not depend on the order of the rows.
    n_jobs : int or None, default=None
        Number of threads; None means all allowed. The result does not depend on it.
    callbacks : list of callbacks or None, default=None
        Called between iterations, see :mod:`mlcore.callbacks`.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features), dtype of X
        Centres, each of length 1.
    labels_ : ndarray of shape (n_samples,), int32
        Centre of the largest cosine of each training row.
    inertia_ : float
        J, summed in float64.
    n_iter_ : int
        Iterations of the best start.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when ``X`` had names that are all strings.

    See Also
    --------
    KMeans : Clusters by Euclidean distance.

    Notes
    -----
    float32 and float64 data in any memory order and CSR matrices are used as they are; no normalised copy is
    made. C order is fastest. Time O(n k d) an iteration (CSR: entries instead of n d); memory beyond the data
    O(n + k d).

    References
    ----------
    I. S. Dhillon, D. S. Modha (2001). Concept decompositions for large sparse text data using clustering.
    Machine Learning 42, 143-175.

    K. Hornik, I. Feinerer, M. Kober, C. Buchta (2012). Spherical k-means clustering. Journal of Statistical
    Software 50 (10).

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.cluster import SphericalKMeans
    >>> X = np.array([[1.0, 0.1], [20.0, 1.0], [0.1, 1.0], [0.0, 30.0]])
    >>> model = SphericalKMeans(2, random_state=0).fit(X)
    >>> bool(model.labels_[0] == model.labels_[1] != model.labels_[2] == model.labels_[3])
    True
    >>> np.linalg.norm(model.cluster_centers_, axis=1).round(12).tolist()
    [1.0, 1.0]
    """

    n_iter_: int

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions({"k-means++", "random"}), callable, "array-like"],
        "n_init": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "callbacks": [list, tuple, None],
    }

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Any = "k-means++",
        n_init: int | str = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        verbose: int = 0,
        random_state: Any = None,
        n_jobs: int | None = None,
        callbacks: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.callbacks = callbacks

    @atomic_fit
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> SphericalKMeans:
        """Find the clusters of ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data, at least one row not zero. float32 and float64 are used as they are, CSR too; other
            numeric types become float64 and other sparse formats CSR.
        y : Ignored
            Present for consistency of the interface.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; None means ones. A row of weight 2 counts as two rows, one of weight 0 gets
            a label and has no influence.

        Returns
        -------
        self : SphericalKMeans
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, ``X`` or the weights are not as described, there are fewer rows than clusters, or
            no row with weight has a direction.

        Warns
        -----
        ConvergenceWarning
            When fewer than ``n_clusters`` clusters have members.
        """
        validate_parameters(self)
        X = check_data(self, X, reset=True)
        self._check_enough_rows(X)
        weights = check_weights(sample_weight, X)
        threads = native_threads(self.n_jobs)
        generator = check_random_state(self.random_state)
        matrix = native_matrix(X)
        best: Any = None
        with observe(self, callbacks=self.callbacks, verbose=self.verbose, objective="inertia") as observer:
            for restart, start in enumerate(self._starts(X, weights, generator, threads)):
                result = _core.cluster.spherical_fit(
                    matrix, weights, start, self.max_iter, float(self.tol), restart, threads, observer
                )
                if best is None or result[1] < best[1]:
                    best = result
                if result[4] == _STOPPED:
                    break
        self.labels_, self.inertia_, self.cluster_centers_, self.n_iter_, _ = best
        warn_of_unused(self.labels_, self.n_clusters)
        return self

    def _starts(self, X: Any, weights: npt.NDArray[Any] | None, generator: Any, threads: int) -> Any:
        """Starting centres of each restart, one after the other."""
        n_init = number_of_runs(self.n_init, self.init, auto=10)
        if callable(self.init):
            for _ in range(n_init):
                yield _directions(called_init(self.init, X, self.n_clusters, generator))
            return
        if not is_named(self.init):
            yield _directions(check_centers(self.init, self.n_clusters, X))
            return
        seed = draw_seed(generator)
        # In order of a random projection of their directions equal rows are neighbours, however X is
        # arranged.
        projection = safe_sparse_dot(X, generator.standard_normal(X.shape[1]).astype(X.dtype))
        norms = _row_norms(X)
        order = np.argsort(
            np.divide(projection, norms, out=np.zeros_like(norms), where=norms > 0), kind="stable"
        )
        matrix = native_matrix(X)
        for restart in range(n_init):
            rows = _core.cluster.spherical_seed(
                matrix, weights, order, self.n_clusters, self.init == "k-means++", seed, restart, threads
            )
            chosen = X[rows]
            yield _unit(chosen.toarray() if sp.issparse(chosen) else chosen)

    def _nearest(self, X: Any, sample_weight: Any = None) -> Any:
        """Label of each row, and the inertia."""
        X = self._check_test_data(X)
        weights = check_weights(sample_weight, X)
        centers = centers_like(self.cluster_centers_, X)
        return _core.cluster.spherical_assign(native_matrix(X), weights, centers, native_threads(self.n_jobs))

    def predict(self, X: Any) -> npt.NDArray[np.int32]:
        r"""Cluster whose centre has the largest cosine with each row, ties to the lower number.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New data; zero rows get label 0.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int32
            :math:`\arg\max_c \cos(x_i, c)`.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If ``X`` is not a finite matrix with ``n_features_in_`` columns.
        """
        labels: npt.NDArray[np.int32] = self._nearest(X)[0]
        return labels

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Minus the inertia of ``X`` with respect to the fitted centres; larger is better.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New data.
        y : Ignored
            Present for consistency of the interface.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; None means ones.

        Returns
        -------
        score : float
            ``-sum_i w_i (1 - max_c cos(x_i, c))``.
        """
        return -float(self._nearest(X, sample_weight)[1])

    def transform(self, X: Any) -> npt.NDArray[Any]:
        """Cosine distances of the rows from the centres.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New data.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_clusters)
            ``1 - cos(x_i, c_j)``, in [0, 2] and in the dtype of ``X`` (float64 for other types than
            float32); 1 for zero rows. Always dense.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If ``X`` is not a finite matrix with ``n_features_in_`` columns.
        """
        return self._transform(self._check_test_data(X))

    def _transform(self, X: Any) -> npt.NDArray[Any]:
        centers = centers_like(self.cluster_centers_, X)
        distances: npt.NDArray[Any] = np.asarray(safe_sparse_dot(X, centers.T, dense_output=True))
        norms = _row_norms(X)
        norms[norms == 0] = 1
        distances /= -norms[:, None]
        distances += 1
        return np.clip(distances, 0, 2, out=distances)


def _directions(centers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Starting centres given by the user, scaled to length 1."""
    if not centers.any(axis=1).all():
        raise ValueError("The initial centers must not be zero: a zero vector has no direction.")
    return _unit(centers)


def _unit(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The rows, scaled to length 1; scaled by their largest entry first, so that squares stay in range."""
    scaled = rows.astype(np.float64)
    scaled /= np.abs(scaled).max(axis=1, keepdims=True)
    units: npt.NDArray[Any] = normalize(scaled, copy=False).astype(rows.dtype)
    return np.ascontiguousarray(units)


def _row_norms(X: Any) -> npt.NDArray[Any]:
    """Euclidean lengths of the rows in the dtype of X."""
    sparse = sp.issparse(X)
    with np.errstate(over="ignore", under="ignore"):
        squares = np.asarray(X.multiply(X).sum(axis=1)).ravel() if sparse else np.einsum("ij,ij->i", X, X)
    norms: npt.NDArray[Any] = np.sqrt(squares)
    information = np.finfo(X.dtype)
    extreme = np.flatnonzero(~(squares < information.max) | (squares < information.tiny / information.eps))
    if extreme.size:  # squares that left the range, and zero rows
        rows = X[extreme].toarray() if sparse else X[extreme]
        largest = np.abs(rows).max(axis=1, initial=0)
        largest[largest == 0] = 1
        scaled = rows / largest[:, None]
        norms[extreme] = largest * np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
    return norms
