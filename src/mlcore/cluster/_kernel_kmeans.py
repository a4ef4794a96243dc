"""Kernel k-means: k-means in the feature space of a kernel.

Glossary
    mass       s_c, sum of the weights of the members of cluster c
    sums       S[c, i] = sum over the members j of c of w_j K(x_j, x_i), float64; all that is kept of the
               kernel matrix
    spread     m_c . m_c = sum over the members i of c of w_i S[c, i] / s_c^2, the squared norm of a centroid
    score      spread_c - 2 S[c, i] / s_c, the squared distance of x_i from centroid c less K(x_i, x_i)

A centroid of the feature space has no coordinates; it is known by its members. When a few points change their
cluster, the sums change by the kernel rows of these points only, so an iteration evaluates as many rows of
the kernel matrix as points have moved, and the n x n matrix is never needed as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import PAIRWISE_KERNEL_FUNCTIONS, pairwise_kernels
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, check_non_negative

from .._callbacks import NativeObserver, observe
from .._threads import blas_threads
from .._validation import atomic_fit, check_data, check_weights, validate_parameters, warn_user
from ._base import Clusterer, warn_of_unused

__all__ = ["KernelKMeans"]

_Floats = npt.NDArray[np.float64]
_Labels = npt.NDArray[np.int32]

# Values of the kernel matrix that are held at a time, 64 MB of float64. By shape only: results must not
# depend on the machine.
_BLOCK_VALUES = 1 << 23

_DENSE_POSITIVE = ("chi2", "additive_chi2")


def _blocks(rows: npt.NDArray[np.int64], n_columns: int) -> list[npt.NDArray[np.int64]]:
    step = max(1, _BLOCK_VALUES // max(1, n_columns))
    return [rows[start : start + step] for start in range(0, rows.size, step)]


class _KernelRows:
    """Rows and diagonal of the kernel matrix of the training data, evaluated or looked up when asked for."""

    def __init__(self, X: Any, metric: Any, params: dict[str, Any]) -> None:
        self.X, self.metric, self.params = X, metric, params
        self.n = X.shape[0]
        if metric == "precomputed":
            self.diagonal: _Floats = np.diagonal(X).astype(np.float64)
            return
        self.diagonal = np.empty(self.n)
        # Small diagonal blocks: any kernel, at the price of a few rows.
        for start in range(0, self.n, 32):
            part = X[start : start + 32]
            self.diagonal[start : start + 32] = np.diagonal(self.between(part, part))

    def between(self, A: Any, B: Any) -> npt.NDArray[Any]:
        values = pairwise_kernels(A, B, metric=self.metric, filter_params=True, **self.params)
        dense: npt.NDArray[Any] = values.toarray() if sp.issparse(values) else np.asarray(values)
        return dense

    def rows(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        if self.metric == "precomputed":
            taken: npt.NDArray[Any] = self.X[numbers]
            return np.ascontiguousarray(taken)
        return np.ascontiguousarray(self.between(self.X[numbers], self.X))


def _membership(
    clusters: npt.NDArray[Any], columns: npt.NDArray[Any], values: npt.NDArray[Any], shape: tuple[int, int]
) -> Any:
    """Sparse (n_clusters, n) matrix with the given entries."""
    return sp.csr_array((values, (clusters, columns)), shape=shape)


@dataclass
class _Run:
    """State of one descent. `members` defines the centroids, `labels` is the nearest centroid of each
    point."""

    kernel: _KernelRows
    weights: _Floats
    n_clusters: int

    def start(self, members: _Labels) -> None:
        self.members = members.astype(np.int32)
        self.sums: _Floats = np.zeros((self.n_clusters, self.kernel.n))
        # Points without weight are in no sum.
        self._add(np.flatnonzero(self.weights), None)

    def _add(self, rows: npt.NDArray[np.int64], before: _Labels | None) -> None:
        """Bring the sums up to date after `rows` have left the clusters `before` for `members`."""
        for part in _blocks(rows, self.kernel.n):
            values = self.kernel.rows(part)
            columns = np.arange(part.size)
            entries = self.weights[part].astype(values.dtype)
            clusters = self.members[part]
            if before is not None:
                clusters = np.concatenate([clusters, before[part]])
                columns = np.concatenate([columns, columns])
                entries = np.concatenate([entries, -entries])
            self.sums += _membership(clusters, columns, entries, (self.n_clusters, part.size)) @ values

    def assign(self) -> tuple[_Labels, _Floats]:
        """Nearest centroid of every point and the squared distance from it; ties go to the lower number."""
        mass, spread = self.centroids()
        labels = np.empty(self.kernel.n, dtype=np.int32)
        distances = np.empty(self.kernel.n)
        step = max(1, _BLOCK_VALUES // (8 * self.n_clusters))
        for start in range(0, self.kernel.n, step):
            part = slice(start, start + step)
            scores = _scores(self.sums[:, part], mass, spread)
            labels[part] = scores.argmin(axis=0)
            distances[part] = scores.min(axis=0) + self.kernel.diagonal[part]
        return labels, np.maximum(distances, 0.0)

    def centroids(self) -> tuple[_Floats, _Floats]:
        """Mass and spread of the clusters; a cluster without mass has an infinite spread, so nobody joins
        it."""
        mass: npt.NDArray[Any] = np.bincount(self.members, self.weights, self.n_clusters)
        own = self.weights * self.sums[self.members, np.arange(self.kernel.n)]
        inner = np.bincount(self.members, own, self.n_clusters)
        spread = np.full(self.n_clusters, np.inf)
        np.divide(inner, mass * mass, out=spread, where=mass > 0)
        return mass, spread

    def relocate(self, labels: _Labels, distances: _Floats) -> None:
        """Give each empty cluster the farthest point that another cluster can spare."""
        heavy = self.weights > 0
        sizes = np.bincount(labels[heavy], minlength=self.n_clusters)
        empty = np.flatnonzero(sizes == 0)
        if empty.size == 0:
            return
        far = np.flatnonzero(heavy & (distances > _noise(self.kernel)))
        candidates = iter(far[np.argsort(-distances[far], kind="stable")])
        for cluster in empty:
            for point in candidates:
                if sizes[labels[point]] > 1:
                    sizes[labels[point]] -= 1
                    sizes[cluster] += 1
                    labels[point] = cluster
                    distances[point] = 0.0
                    break

    def descend(
        self, max_iter: int, tol: float, restart: int, observer: NativeObserver | None
    ) -> tuple[_Labels, float, int, bool, bool]:
        """Lloyd's iteration; returns labels, inertia, iterations, whether it converged and whether it was
        stopped."""
        before = np.inf
        stopped = converged = False
        iteration = 0
        for iteration in range(1, max_iter + 1):
            labels, distances = self.assign()
            self.relocate(labels, distances)
            inertia = _weighted_sum(self.weights, distances)
            change = (before - inertia) / inertia if inertia > 0 else 0.0
            moved = np.flatnonzero((labels != self.members) & (self.weights > 0))
            previous, self.members = self.members, labels
            if moved.size == 0:
                converged = True
            else:
                self._add(moved, previous)
                converged = bool(np.isfinite(before) and tol > 0 and change <= tol)
            if observer is not None:
                values = {"iteration": iteration, "max_iterations": max_iter, "restart": restart}
                stopped = observer({**values, "objective": inertia, "change": change})
            if converged or stopped:
                break
            before = inertia
        labels, distances = self.assign()
        return labels, _weighted_sum(self.weights, distances), iteration, converged, stopped


def _weighted_sum(weights: _Floats, values: _Floats) -> float:
    """In an order of additions that does not depend on the threads, as that of a BLAS product may."""
    return float((weights * values).sum())


def _scores(sums: _Floats, mass: _Floats, spread: _Floats) -> _Floats:
    factor = np.zeros_like(mass)
    np.divide(-2.0, mass, out=factor, where=mass > 0)
    scores = sums * factor[:, None]
    scores += spread[:, None]
    return scores


def _noise(kernel: _KernelRows) -> float:
    """What a squared distance of coinciding points may come to by rounding."""
    dtype = kernel.X.dtype if kernel.X.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    return float(16 * np.finfo(dtype).eps * np.abs(kernel.diagonal).max())


class _Draw:
    """Weighted draws that depend on the rows of X and not on their order.

    The rows are put in order of a random projection, in which equal rows are neighbours; a row of weight 2
    and two equal rows of weight 1 thus take up the same part of the cumulative weights.
    """

    def __init__(self, kernel: _KernelRows, generator: np.random.RandomState) -> None:
        self.generator = generator
        if kernel.metric == "precomputed":
            self.order = np.arange(kernel.n)
            return
        direction = generator.standard_normal(kernel.X.shape[1])
        self.order = np.argsort(kernel.X @ direction, kind="stable")

    def __call__(self, density: _Floats, size: int) -> npt.NDArray[np.int64]:
        cumulative = np.cumsum(density[self.order])
        last = np.searchsorted(cumulative, cumulative[-1])  # the last one that has any density
        places = np.searchsorted(
            cumulative, self.generator.random_sample(size) * cumulative[-1], side="right"
        )
        chosen: npt.NDArray[np.int64] = self.order[np.minimum(places, last)]
        return chosen


def _seed(
    kernel: _KernelRows, weights: _Floats, n_clusters: int, method: str, generator: np.random.RandomState
) -> _Labels:
    """Labels by the nearest of n_clusters seeds: greedy k-means++ in the feature space, or seeds at
    random."""
    draw = _Draw(kernel, generator)
    trials = 2 + int(np.log(n_clusters)) if method == "k-means++" else 1
    noise = _noise(kernel)
    labels = np.zeros(kernel.n, dtype=np.int32)
    nearest = np.full(kernel.n, np.inf)
    for cluster in range(n_clusters):
        # At random means among the rows that do not coincide with a seed: equal rows count as one heavy row.
        density = weights * (nearest if cluster > 0 and method == "k-means++" else nearest > 0)
        if not density.any():
            density = weights
        candidates = draw(density, trials if cluster > 0 else 1)
        distances = kernel.diagonal - 2.0 * kernel.rows(candidates) + kernel.diagonal[candidates, None]
        distances[distances <= noise] = 0.0
        distances[np.arange(candidates.size), candidates] = 0.0
        potentials = (np.minimum(distances, nearest) * weights).sum(axis=1)
        best = int(potentials.argmin())
        closer = distances[best] < nearest
        labels[closer] = cluster
        nearest[closer] = distances[best][closer]
    return labels


class KernelKMeans(Clusterer):
    r"""K-means in the feature space of a kernel.

    Minimises, over partitions of the rows into clusters :math:`C_1, \dots, C_k` with centroids :math:`m_c`,

    .. math::
        J = \sum_c \sum_{i \in C_c} w_i \lVert \varphi(x_i) - m_c \rVert^2, \qquad
        \lVert \varphi(x_i) - m_c \rVert^2 = K_{ii} - \frac{2}{s_c} \sum_{j \in C_c} w_j K_{ij}
        + \frac{1}{s_c^2} \sum_{j, l \in C_c} w_j w_l K_{jl}, \quad s_c = \sum_{j \in C_c} w_j

    (Schölkopf, Smola and Müller 1998; Dhillon, Guan and Kulis 2004; requirement 18.08) by Lloyd's iteration.
    The ``"linear"`` kernel gives ordinary k-means; others separate clusters that no straight line separates.

    The kernel matrix is never held: memory is one float64 array of shape (n_clusters, n_samples), a
    temporary one of this shape, and a block of at most 64 MB (or one row) of kernel values. An iteration
    evaluates the kernel rows of those points only that have changed their cluster: O(n_moved n_samples)
    evaluations, all n_samples rows in the first.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    kernel : str or callable, default="rbf"
        Name of a kernel of :func:`sklearn.metrics.pairwise.pairwise_kernels` (``"linear"``, ``"rbf"``,
        ``"poly"``, ``"sigmoid"``, ``"cosine"``, ``"laplacian"``, ``"chi2"``, ...), ``"precomputed"``, or a
        symmetric function ``kernel(x, y, **kernel_params) -> float`` of two rows, which is called for every
        pair and slow. With ``"precomputed"``, ``X`` is the symmetric kernel matrix. The objective falls in
        every step when the kernel is positive semi-definite; with others (``"sigmoid"``) the iteration may
        go round in circles until ``max_iter``.
    gamma : float or None, default=None
        Parameter of the rbf, laplacian, polynomial, sigmoid and chi2 kernels; None means the kernel's own
        default, mostly ``1 / n_features``.
    degree : float, default=3
        Degree of the polynomial kernel.
    coef0 : float, default=1
        Constant of the polynomial and sigmoid kernels.
    kernel_params : dict or None, default=None
        Keyword arguments of a callable kernel.
    init : {"k-means++", "random"} or array-like of int of shape (n_samples,), default="k-means++"
        Starting clusters: by the nearest of n_clusters seeds, which greedy k-means++ chooses in the feature
        space or which are rows chosen at random; or labels in 0, ..., n_clusters - 1.
    n_init : int, default=1
        Number of starts; the result with the lowest inertia is kept. 1 when ``init`` is an array.
    max_iter : int, default=300
        Limit on the iterations of a start.
    tol : float, default=0.0
        Stop when the inertia has fallen by at most this fraction of itself; 0 means to go on until no point
        moves.
    verbose : int, default=0
        Print the inertia of every iteration when not 0.
    random_state : int, RandomState instance or None, default=None
        Seeds the starts. The choice does not depend on the order of the rows (except with a precomputed
        kernel).
    n_jobs : int or None, default=None
        Number of threads of the matrix products; None leaves the BLAS as it is, -1 stands for all that the
        process may use. The limit holds for the whole process while a fit or a prediction runs.
    callbacks : list of callbacks or None, default=None
        Called between iterations, see :mod:`mlcore.callbacks`.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,), int32
        Cluster of each training row, the same as ``predict`` of them.
    inertia_ : float
        J, with each row at its nearest centroid.
    n_iter_ : int
        Iterations of the best start.
    X_fit_ : {ndarray, sparse matrix} of shape (n_samples, n_features)
        A copy of the training data, which define the centroids. Not there with ``kernel="precomputed"``.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when ``X`` had names that are all strings.

    See Also
    --------
    KMeans : The linear kernel, far faster.
    sklearn.cluster.SpectralClustering : A relaxation of a weighted kernel k-means.

    Notes
    -----
    Distances are differences of kernel values. When these are large compared with the distances (a linear or
    polynomial kernel of data far from the origin), digits are lost: centre the data first. float32 data keep
    float32 kernel values, summed in float64.

    References
    ----------
    B. Schölkopf, A. Smola, K.-R. Müller (1998). Nonlinear component analysis as a kernel eigenvalue problem.
    Neural Computation 10, 1299-1319.

    I. S. Dhillon, Y. Guan, B. Kulis (2004). Kernel k-means, spectral clustering and normalized cuts. KDD,
    551-556.

    Examples
    --------
    Two rings, which k-means cannot tell apart:

    >>> import numpy as np
    >>> from sklearn.datasets import make_circles
    >>> from mlcore.cluster import KernelKMeans
    >>> from mlcore.metrics import adjusted_rand_score
    >>> X, ring = make_circles(200, factor=0.2, noise=0.03, random_state=0)
    >>> model = KernelKMeans(2, kernel="rbf", gamma=2.0, n_init=5, random_state=0).fit(X)
    >>> float(adjusted_rand_score(ring, model.labels_))
    1.0
    >>> model.predict([[0.0, 0.2], [0.0, 1.0]]).tolist() == model.predict([[0.1, 0.1], [1.0, 0.0]]).tolist()
    True
    """

    n_iter_: int
    X_fit_: Any

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "kernel": [StrOptions(set(PAIRWISE_KERNEL_FUNCTIONS) | {"precomputed"}), callable],
        "gamma": [Interval(Real, 0, None, closed="left"), None],
        "degree": [Interval(Real, 0, None, closed="left")],
        "coef0": [Interval(Real, None, None, closed="neither")],
        "kernel_params": [dict, None],
        "init": [StrOptions({"k-means++", "random"}), "array-like"],
        "n_init": [Interval(Integral, 1, None, closed="left")],
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
        kernel: Any = "rbf",
        gamma: float | None = None,
        degree: float = 3,
        coef0: float = 1,
        kernel_params: dict[str, Any] | None = None,
        init: Any = "k-means++",
        n_init: int = 1,
        max_iter: int = 300,
        tol: float = 0.0,
        verbose: int = 0,
        random_state: Any = None,
        n_jobs: int | None = None,
        callbacks: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.kernel_params = kernel_params
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.callbacks = callbacks

    def _kernel_rows(self, X: Any) -> _KernelRows:
        return _KernelRows(X, self.kernel, self._kernel_keywords())

    def _kernel_keywords(self) -> dict[str, Any]:
        if callable(self.kernel):
            return dict(self.kernel_params or {})
        keywords: dict[str, Any] = {"degree": self.degree, "coef0": self.coef0}
        if self.gamma is not None:  # chi2 has a default but does not take None
            keywords["gamma"] = self.gamma
        return keywords

    def _check(self, X: Any, *, reset: bool) -> Any:
        X = check_data(self, X, reset=reset)
        if self.kernel == "precomputed":
            if sp.issparse(X):
                raise TypeError("Sparse data was passed, but a precomputed kernel matrix must be dense.")
            if reset and X.shape[0] != X.shape[1]:
                raise ValueError(
                    f"Kernel matrix must be a square matrix. Input is a {X.shape[0]}x{X.shape[1]} matrix."
                )
        elif self.kernel in _DENSE_POSITIVE:
            if sp.issparse(X):
                raise TypeError(f"Sparse data was passed, but the {self.kernel} kernel needs dense data.")
            check_non_negative(X, "KernelKMeans")
            if not X.flags.writeable:  # these two kernels of scikit-learn's refuse read-only memory
                X = X.copy()
        return X

    @atomic_fit
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> KernelKMeans:
        """Find the clusters of ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data, or with ``kernel="precomputed"`` the dense kernel matrix of shape (n_samples,
            n_samples). Sparse where the kernel takes it. float32 and float64 are used as they are.
        y : Ignored
            Present for consistency of the interface.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; None means ones. A row of weight 2 counts as two rows, one of weight 0 gets
            a label and has no influence.

        Returns
        -------
        self : KernelKMeans
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, ``X`` or the weights are not as described, or there are fewer rows than clusters.

        Warns
        -----
        ConvergenceWarning
            When ``max_iter`` ends the best start, or when fewer than ``n_clusters`` clusters have members.
        """
        validate_parameters(self)
        with blas_threads(self.n_jobs):
            return self._fit(X, sample_weight)

    def _fit(self, X: Any, sample_weight: Any) -> KernelKMeans:
        X = self._check(X, reset=True)
        self._check_enough_rows(X)
        n = X.shape[0]
        checked = check_weights(sample_weight, X)
        weights = np.ones(n) if checked is None else checked.astype(np.float64)
        given = None if isinstance(self.init, str) else self._check_labels(n)
        generator = check_random_state(self.random_state)
        kernel = self._kernel_rows(X)
        best: tuple[_Labels, float, int, bool, bool] | None = None
        with observe(self, callbacks=self.callbacks, verbose=self.verbose, objective="inertia") as observer:
            for restart in range(1 if given is not None else self.n_init):
                run = _Run(kernel, weights, self.n_clusters)
                start = given
                if start is None:
                    start = _seed(kernel, weights, self.n_clusters, self.init, generator)
                run.start(start)
                result = run.descend(self.max_iter, self.tol, restart, observer)
                if best is None or result[1] < best[1]:
                    best, members, spread = result, run.members, run.centroids()[1]
                if result[4]:
                    break
        assert best is not None
        self.labels_, self.inertia_, self.n_iter_ = best[:3]
        self._keep(kernel, members, spread, weights)
        self._warn(best[3] or best[4], weights)
        return self

    def _check_labels(self, n: int) -> _Labels:
        labels = check_array(self.init, ensure_2d=False, dtype="numeric", input_name="init")
        if labels.ndim != 1 or labels.shape[0] != n:
            raise ValueError(
                f"init must be a vector of n_samples={n} labels if it is an array, got shape {labels.shape}."
            )
        if not np.all(labels == np.floor(labels)) or labels.min() < 0 or labels.max() >= self.n_clusters:
            raise ValueError(
                f"The labels in init must be integers from 0 to n_clusters - 1 = {self.n_clusters - 1}."
            )
        as_integers: _Labels = labels.astype(np.int32)
        return as_integers

    def _keep(self, kernel: _KernelRows, members: _Labels, spread: _Floats, weights: _Floats) -> None:
        """What predict needs: the members of the clusters, with their share in the centroid, and the
        spreads."""
        mass = np.bincount(members, weights, self.n_clusters)
        heavy = np.flatnonzero(weights)
        share = weights[heavy] / mass[members[heavy]]
        self._shares = _membership(members[heavy], heavy, share, (self.n_clusters, kernel.n))
        self._spread = spread
        if self.kernel == "precomputed":
            self.__dict__.pop("X_fit_", None)
        else:
            self.X_fit_ = kernel.X.copy()  # what the caller does to X later is no business of the model

    def _warn(self, ended: bool, weights: _Floats) -> None:
        warn_of_unused(self.labels_[weights > 0], self.n_clusters)
        if not ended:
            warn_user(
                f"KernelKMeans did not converge in max_iter={self.max_iter} iterations.", ConvergenceWarning
            )

    def predict(self, X: Any) -> _Labels:
        r"""Cluster whose centroid is nearest in the feature space, ties to the lower number.

        Takes one kernel evaluation for each pair of a new and a training row, in blocks of at most 64 MB.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New data; with ``kernel="precomputed"`` the kernel between new and training rows, of shape
            (n_samples, n_training_samples).

        Returns
        -------
        labels : ndarray of shape (n_samples,), int32
            :math:`\arg\min_c \lVert \varphi(x_i) - m_c \rVert^2`.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If ``X`` is not a finite matrix with ``n_features_in_`` columns.
        """
        check_is_fitted(self)
        X = self._check(X, reset=False)
        n_training = self._shares.shape[1]
        labels = np.empty(X.shape[0], dtype=np.int32)
        evaluate = None if self.kernel == "precomputed" else self._kernel_of_new
        with blas_threads(self.n_jobs):
            for part in _blocks(np.arange(X.shape[0]), n_training):
                values = X[part] if evaluate is None else evaluate(X[part])
                scores = self._spread[:, None] - 2.0 * (self._shares @ values.T.astype(np.float64))
                labels[part] = scores.argmin(axis=0)
        return labels

    def _kernel_of_new(self, X: Any) -> npt.NDArray[Any]:
        keywords = self._kernel_keywords()
        values = pairwise_kernels(X, self.X_fit_, metric=self.kernel, filter_params=True, **keywords)
        dense: npt.NDArray[Any] = values.toarray() if sp.issparse(values) else np.asarray(values)
        return dense

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.kernel == "precomputed"
        tags.input_tags.positive_only = self.kernel in _DENSE_POSITIVE
        tags.input_tags.sparse = self.kernel != "precomputed" and self.kernel not in _DENSE_POSITIVE
        return tags
