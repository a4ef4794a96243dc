"""KMeans: parameters, starting points, warnings and attributes around the native Lloyd iteration."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.sparsefuncs import mean_variance_axis

from .. import _core
from .._callbacks import Callback, IterationInfo, observe
from .._validation import (
    atomic_fit,
    check_data,
    check_weights,
    draw_seed,
    native_matrix,
    native_threads,
    tidy,
    validate_parameters,
    warn_user,
)
from ._base import CentroidClusterer, warn_of_unused
from ._starts import (
    INITS,
    SMALL,
    Init,
    called_init,
    check_centers,
    is_named,
    number_of_runs,
    small_starts,
    warn_of_ignored_runs,
)

__all__ = ["KMeans", "k_means", "kmeans_plusplus"]

ALGORITHMS = ("auto", "lloyd", "elkan", "hamerly", "exponion", "yinyang")


def sensible_algorithm(algorithm: str, n_clusters: int) -> str:
    """The algorithm to run; the bounds of the pruning ones need a second centre."""
    if n_clusters > 1 or algorithm in ("auto", "lloyd"):
        return algorithm
    warn_user(
        f"algorithm='{algorithm}' doesn't make sense for a single cluster. Using 'lloyd' instead.",
        RuntimeWarning,
    )
    return "lloyd"


def mean_column_variance(X: Any) -> float:
    """What the relative tolerance is multiplied with; needed here for messages only."""
    variances = mean_variance_axis(X, axis=0)[1] if issparse(X) else np.var(X, axis=0)
    return float(np.mean(variances))


class _Narrator:
    """What ``verbose`` prints, in scikit-learn's words (it counts iterations from 0)."""

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance

    def on_iteration(self, info: IterationInfo) -> bool:
        number = info.iteration - 1
        if number == 0:
            print("Initialization complete")
        print(f"Iteration {number}, inertia {info.objective}.")
        if info.change == 0:
            print(f"Converged at iteration {number}: strict convergence.")
        elif info.change <= self.tolerance:
            print(
                f"Converged at iteration {number}: center shift {info.change} within tolerance "
                f"{self.tolerance}."
            )
        return False


class KMeans(CentroidClusterer):
    r"""K-means clustering.

    Looks for centres :math:`c_1, \ldots, c_k` that minimise the inertia

    .. math:: J = \sum_i w_i \min_j \lVert x_i - c_j \rVert^2

    by Lloyd's iteration [1]_: assign every row to the nearest centre, move every centre to the weighted mean
    of its rows. A cluster that loses all its rows is moved to the row that is farthest from its own centre.
    The fit ends when no label changes, when the centres together move by at most ``tol``, or after
    ``max_iter`` iterations.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters k, at most the number of rows.
    init : {'k-means++', 'k-means||', 'random'}, callable or array-like, default='k-means++'
        Starting centres.

        - 'k-means++': rows, drawn with probability proportional to the squared distance to the nearest centre
          drawn so far; of ``2 + log(k)`` candidates the one that lowers the inertia most [2]_.
        - 'k-means||': a few rounds that draw many rows at once, then reduced to k [3]_. For large k.
        - 'random': k different rows, drawn with probability proportional to their weight.
        - array: the centres themselves; never changed.
        - callable: called as ``init(X, n_clusters, random_state=random_state)``, returns the centres.
    n_init : 'auto' or int, default='auto'
        Number of runs from different starting centres, of which the one with the lowest inertia is kept.
        'auto' is 10 for 'random' and a callable, else 1.
    max_iter : int, default=300
        Limit on the iterations of a run.
    tol : float, default=1e-4
        A run ends when the sum over centres of the squared move is at most ``tol`` times the mean variance of
        the columns of ``X``. With 0 it ends when no label changes.
    verbose : int, default=0
        When not 0, every iteration is printed.
    random_state : int, RandomState instance or None, default=None
        An int gives the same result at each call, on any number of threads.
    copy_x : bool, default=True
        Has no effect: ``X`` is never changed and never copied.
    algorithm : {'auto', 'lloyd', 'elkan', 'hamerly', 'exponion', 'yinyang'}, default='auto'
        How the nearest centres are found. All return the labels of Lloyd's iteration; the others skip
        distances that the triangle inequality rules out ([4]_ to [7]_), which pays on clustered data. 'auto'
        chooses by the numbers of rows, columns and clusters.
    n_jobs : int or None, default=None
        Number of threads; None for as many as the process may use, -1 for the same, -2 for one less.
        Results do not depend on it.
    callbacks : list of callbacks or None, default=None
        Objects with ``on_iteration(info)``, called between iterations, where a true result stops the fit. See
        :mod:`mlcore.callbacks`.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Centres, in the dtype of ``X`` (float64 for other types than float32).
    labels_ : ndarray of shape (n_samples,), int32
        Number of the cluster of each row; equal to ``predict(X)``.
    inertia_ : float
        J of the formula above, for the final centres and labels.
    n_iter_ : int
        Number of iterations of the run that was kept.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when ``X`` has names that are all strings.

    See Also
    --------
    MiniBatchKMeans : Approximate, for streams and very many rows.
    BisectingKMeans : A hierarchy of splits in two.
    KMeansStatistics : The sums behind one iteration, for data that lie in several places.

    Notes
    -----
    An iteration of 'lloyd' costs ``2 n k d`` operations; extra memory is ``O(n + k d)`` for every algorithm.
    Sums over rows are kept in float64 also for float32 data. Ties go to the centre with the lower number.

    References
    ----------
    .. [1] S. Lloyd, "Least squares quantization in PCM", IEEE Trans. Information Theory 28, 1982.
    .. [2] D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    .. [3] B. Bahmani et al., "Scalable k-means++", VLDB 2012.
    .. [4] C. Elkan, "Using the triangle inequality to accelerate k-means", ICML 2003.
    .. [5] G. Hamerly, "Making k-means even faster", SDM 2010.
    .. [6] J. Newling, F. Fleuret, "Fast k-means with accurate bounds", ICML 2016 (exponion).
    .. [7] Y. Ding et al., "Yinyang k-means", ICML 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.cluster import KMeans
    >>> X = np.array([[1.0, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> kmeans = KMeans(n_clusters=2, init=X[[0, 3]], n_init=1).fit(X)
    >>> kmeans.labels_
    array([0, 0, 0, 1, 1, 1], dtype=int32)
    >>> kmeans.predict([[0, 0], [12, 3]])
    array([0, 1], dtype=int32)
    >>> kmeans.cluster_centers_
    array([[ 1.,  2.],
           [10.,  2.]])
    >>> kmeans.inertia_
    16.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions(set(INITS)), callable, "array-like"],
        "n_init": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "copy_x": ["boolean"],
        "algorithm": [StrOptions(set(ALGORITHMS))],
        "n_jobs": [Integral, None],
        "callbacks": [list, tuple, None],
    }

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Init = "k-means++",
        n_init: int | str = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        verbose: int | bool = 0,
        random_state: int | np.random.RandomState | None = None,
        copy_x: bool = True,
        algorithm: str = "auto",
        n_jobs: int | None = None,
        callbacks: Sequence[Callback] | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.copy_x = copy_x
        self.algorithm = algorithm
        self.n_jobs = n_jobs
        self.callbacks = callbacks

    @atomic_fit
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> KMeans:
        """Compute the clustering.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to cluster. float32 and float64 are used as they are, in any memory order, and are never
            copied or changed; CSR matrices with 32-bit or 64-bit indices too. Other formats are converted
            once.
        y : Ignored
            Present for consistency of the interface.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative; None means ones. Not used by a callable or explicit ``init``.

        Returns
        -------
        self : KMeans

        Raises
        ------
        ValueError
            If a parameter, ``X`` or ``sample_weight`` is not as described, or there are fewer rows than
            clusters. The estimator then is as it was before.

        Warns
        -----
        ConvergenceWarning
            If some clusters own no row, because ``X`` has too few different rows.
        RuntimeWarning
            If ``n_init`` or ``algorithm`` makes no sense beside the other parameters.
        """
        validate_parameters(self)
        threads = native_threads(self.n_jobs)
        X = check_data(self, X, reset=True)
        self._check_enough_rows(X)
        weights = check_weights(sample_weight, X)
        n_init = number_of_runs(self.n_init, self.init, auto=10)
        self._n_init = n_init = warn_of_ignored_runs(n_init, self.init, type(self).__name__)
        algorithm = sensible_algorithm(self.algorithm, self.n_clusters)
        init, seed = self._starting_points(X, weights, n_init, threads)

        def run(observer: Any) -> Any:
            return _core.cluster.kmeans_fit(
                native_matrix(X), weights, init, int(self.n_clusters), n_init, algorithm, int(self.max_iter),
                float(self.tol), seed, threads, observer,
            )  # fmt: skip

        if self.verbose or self.callbacks:
            with observe(self, callbacks=self._listeners(X)) as observer:
                labels, inertia, centers, n_iter, _, _ = run(observer)
        else:
            labels, inertia, centers, n_iter, _, _ = run(None)
        warn_of_unused(labels, self.n_clusters)
        self.cluster_centers_ = centers
        self.labels_ = labels
        self.inertia_ = inertia
        self.n_iter_ = n_iter
        return self

    def _starting_points(
        self, X: Any, weights: npt.NDArray[Any] | None, n_init: int, threads: int
    ) -> tuple[str | npt.NDArray[Any], int]:
        """``init`` and ``seed`` as the native fit takes them."""
        if is_named(self.init):
            name, seed = str(self.init), draw_seed(self.random_state)
            if X.shape[0] > SMALL:
                return name, seed
            return small_starts(X, weights, int(self.n_clusters), name, n_init, seed, threads), seed
        if callable(self.init):
            generator = check_random_state(self.random_state)
            starts = [called_init(self.init, X, self.n_clusters, generator) for _ in range(n_init)]
            return np.stack(starts), 0
        return check_centers(self.init, self.n_clusters, X)[np.newaxis], 0

    def _listeners(self, X: Any) -> list[Callback]:
        listeners = list(self.callbacks or ())
        if self.verbose:
            listeners.insert(0, _Narrator(self.tol * mean_column_variance(X)))
        return listeners


@validate_params(
    {"X": ["array-like", "sparse matrix"], "sample_weight": ["array-like", None], "return_n_iter": [bool]},
    prefer_skip_nested_validation=False,
)  # type: ignore[untyped-decorator]
def k_means(
    X: Any,
    n_clusters: int,
    *,
    sample_weight: Any = None,
    init: Init = "k-means++",
    n_init: int | str = "auto",
    max_iter: int = 300,
    verbose: int | bool = False,
    tol: float = 1e-4,
    random_state: int | np.random.RandomState | None = None,
    copy_x: bool = True,
    algorithm: str = "auto",
    return_n_iter: bool = False,
    n_jobs: int | None = None,
) -> tuple[Any, ...]:
    """K-means as a function; see :class:`KMeans`, which it calls, for everything not said here.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to cluster.
    n_clusters : int
        Number of clusters.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows; None means ones.
    init : {'k-means++', 'k-means||', 'random'}, callable or array-like, default='k-means++'
        Starting centres.
    n_init : 'auto' or int, default='auto'
        Number of runs.
    max_iter : int, default=300
        Limit on the iterations of a run.
    verbose : bool, default=False
        Print every iteration.
    tol : float, default=1e-4
        Relative tolerance.
    random_state : int, RandomState instance or None, default=None
        Source of randomness.
    copy_x : bool, default=True
        Has no effect.
    algorithm : {'auto', 'lloyd', 'elkan', 'hamerly', 'exponion', 'yinyang'}, default='auto'
        How the nearest centres are found.
    return_n_iter : bool, default=False
        Whether to return the number of iterations too.
    n_jobs : int or None, default=None
        Number of threads.

    Returns
    -------
    centroid : ndarray of shape (n_clusters, n_features)
        The centres.
    label : ndarray of shape (n_samples,), int32
        Number of the cluster of each row.
    inertia : float
        Weighted sum of squared distances to the nearest centre.
    best_n_iter : int
        Iterations of the best run; only with ``return_n_iter=True``.

    Raises
    ------
    ValueError
        As ``KMeans.fit``.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.cluster import k_means
    >>> X = np.array([[1.0, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> centroid, label, inertia = k_means(X, 2, init=X[[0, 3]], n_init=1)
    >>> centroid
    array([[ 1.,  2.],
           [10.,  2.]])
    >>> inertia
    16.0
    """
    fitted = KMeans(
        n_clusters,
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        verbose=verbose,
        tol=tol,
        random_state=random_state,
        copy_x=copy_x,
        algorithm=algorithm,
        n_jobs=n_jobs,
    ).fit(X, sample_weight=sample_weight)
    result = fitted.cluster_centers_, fitted.labels_, fitted.inertia_
    return (*result, fitted.n_iter_) if return_n_iter else result


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "sample_weight": ["array-like", None],
        "x_squared_norms": ["array-like", None],
        "random_state": ["random_state"],
        "n_local_trials": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)  # type: ignore[untyped-decorator]
def kmeans_plusplus(
    X: Any,
    n_clusters: int,
    *,
    sample_weight: Any = None,
    x_squared_norms: Any = None,
    random_state: int | np.random.RandomState | None = None,
    n_local_trials: int | None = None,
    n_jobs: int | None = None,
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    r"""Starting centres by k-means++.

    The first row is drawn with probability proportional to its weight, each further one with probability
    proportional to :math:`w_i D(x_i)^2`, where D is the distance to the nearest row drawn so far (Arthur and
    Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007). Of ``n_local_trials`` such
    draws the one that lowers the potential :math:`\sum_i w_i D(x_i)^2` most is taken.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to draw from.
    n_clusters : int
        Number of rows to draw.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows; None means ones. A row of weight 0 is not drawn.
    x_squared_norms : array-like of shape (n_samples,), default=None
        Only its length is checked: the distances are computed without it.
    random_state : int, RandomState instance or None, default=None
        Source of randomness.
    n_local_trials : int, default=None
        Candidates per centre; None means ``2 + int(log(n_clusters))``.
    n_jobs : int or None, default=None
        Number of threads. The result does not depend on it.

    Returns
    -------
    centers : ndarray of shape (n_clusters, n_features)
        The rows drawn, in the dtype of ``X`` (integers stay integers).
    indices : ndarray of shape (n_clusters,), int64
        Their numbers.

    Raises
    ------
    ValueError
        If a parameter or ``X`` is not as described, or there are fewer rows than clusters.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.cluster import kmeans_plusplus
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> centers, indices = kmeans_plusplus(X, n_clusters=2, random_state=0)
    >>> bool((centers == X[indices]).all()), abs(int(centers[0, 0] - centers[1, 0]))
    (True, 9)
    """
    given = check_array(X, accept_sparse="csr")
    floats = tidy(check_array(given, accept_sparse="csr", dtype=[np.float64, np.float32]))
    if floats.shape[0] < n_clusters:
        raise ValueError(f"n_samples={floats.shape[0]} should be >= n_clusters={n_clusters}.")
    weights = check_weights(sample_weight, floats)
    if x_squared_norms is not None:
        norms = check_array(x_squared_norms, ensure_2d=False)
        if norms.shape[0] != floats.shape[0]:
            raise ValueError(
                f"The length of x_squared_norms {norms.shape[0]} should be equal to the length of n_samples "
                f"{floats.shape[0]}."
            )
    indices: npt.NDArray[np.int64] = _core.cluster.kmeans_plusplus(
        native_matrix(floats), weights, n_clusters, n_local_trials or 0, draw_seed(random_state),
        native_threads(n_jobs),
    )  # fmt: skip
    centers = given[indices]
    return (centers.toarray() if issparse(centers) else centers), indices
