"""MiniBatchKMeans: k-means from small random samples, also as a stream."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from .. import _core
from .._callbacks import Callback, observe
from .._validation import (
    atomic_fit,
    check_data,
    check_weights,
    draw_seed,
    native_matrix,
    native_threads,
    validate_parameters,
    warn_user,
)
from ._base import CentroidClusterer, nearest_and_inertia
from ._starts import (
    INITS,
    SMALL,
    Init,
    called_init,
    check_centers,
    is_named,
    number_of_runs,
    small_starts,
    take_rows,
    warn_of_ignored_runs,
    weighted_sample,
)

__all__ = ["MiniBatchKMeans"]


class MiniBatchKMeans(CentroidClusterer):
    r"""K-means from small random samples of the rows (mini-batches).

    Every step draws ``batch_size`` rows with replacement, assigns them to their nearest centres and moves
    each centre to the weighted mean of all rows it was ever given (Sculley, "Web-scale k-means clustering",
    WWW 2010):

    .. math:: W_j \leftarrow W_j + \sum_{i \in B_j} w_i, \qquad
              c_j \leftarrow c_j + \frac{1}{W_j} \sum_{i \in B_j} w_i (x_i - c_j)

    Centres that hardly get rows are put on random rows of a batch now and then. The result is a little worse
    than that of :class:`KMeans`; the time does not depend on the number of rows.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters k.
    init : {'k-means++', 'k-means||', 'random'}, callable or array-like, default='k-means++'
        Starting centres, as in :class:`KMeans`, but found on a sample of ``init_size`` rows.
    max_iter : int, default=100
        Limit on the passes over the data; a pass is ``n_samples / batch_size`` steps.
    batch_size : int, default=1024
        Rows in a batch.
    verbose : int, default=0
        When not 0, every step is printed.
    compute_labels : bool, default=True
        Whether to assign all rows at the end of ``fit`` (and those of the batch at the end of
        ``partial_fit``).
    random_state : int, RandomState instance or None, default=None
        An int gives the same result at each call, on any number of threads.
    tol : float, default=0.0
        Stop when the squared move of all centres in a step is at most ``tol`` times the mean variance of the
        columns. 0 switches this rule off.
    max_no_improvement : int or None, default=10
        Stop after this many steps in a row without a new minimum of the smoothed inertia of the batches. None
        switches this rule off.
    init_size : int or None, default=None
        Rows to choose the start from; None means ``3 * batch_size``, at least ``3 * n_clusters``.
    n_init : 'auto' or int, default='auto'
        Number of starts, of which the one with the lowest inertia on a sample is kept. 'auto' is 3 for
        'random' and a callable, else 1.
    reassignment_ratio : float, default=0.01
        A centre is put on a random row when its weight is below this fraction of the largest.
    n_jobs : int or None, default=None
        Number of threads; None for as many as the process may use. Results do not depend on it.
    callbacks : list of callbacks or None, default=None
        Objects with ``on_iteration(info)``, called after each step of ``fit``, where a true result stops the
        fit. See :mod:`mlcore.callbacks`.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Centres, in the dtype of ``X`` (float64 for other types than float32).
    labels_ : ndarray of shape (n_samples,), int32
        Number of the cluster of each row, if ``compute_labels``.
    inertia_ : float
        Weighted sum of squared distances to the nearest centre; without ``compute_labels`` an estimate from
        the batches.
    n_iter_ : int
        Number of passes begun.
    n_steps_ : int
        Number of batches seen.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when ``X`` has names that are all strings.

    See Also
    --------
    KMeans : The exact iteration.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.cluster import MiniBatchKMeans
    >>> X = np.array([[1.0, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> stream = MiniBatchKMeans(n_clusters=2, init=X[[0, 3]], n_init=1)
    >>> for batch in (X[::2], X[1::2]):
    ...     stream = stream.partial_fit(batch)
    >>> stream.cluster_centers_
    array([[ 1.,  2.],
           [10.,  2.]])
    >>> stream.n_steps_
    2
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions(set(INITS)), callable, "array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
        "compute_labels": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_no_improvement": [Interval(Integral, 0, None, closed="left"), None],
        "init_size": [Interval(Integral, 1, None, closed="left"), None],
        "n_init": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "reassignment_ratio": [Interval(Real, 0, None, closed="left")],
        "n_jobs": [Integral, None],
        "callbacks": [list, tuple, None],
    }

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Init = "k-means++",
        max_iter: int = 100,
        batch_size: int = 1024,
        verbose: int | bool = 0,
        compute_labels: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 0.0,
        max_no_improvement: int | None = 10,
        init_size: int | None = None,
        n_init: int | str = "auto",
        reassignment_ratio: float = 0.01,
        n_jobs: int | None = None,
        callbacks: Sequence[Callback] | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.verbose = verbose
        self.compute_labels = compute_labels
        self.random_state = random_state
        self.tol = tol
        self.max_no_improvement = max_no_improvement
        self.init_size = init_size
        self.n_init = n_init
        self.reassignment_ratio = reassignment_ratio
        self.n_jobs = n_jobs
        self.callbacks = callbacks

    @atomic_fit
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> MiniBatchKMeans:
        """Compute the clustering from batches drawn at random.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to cluster. float32 and float64 are used as they are, in any memory order; CSR matrices too.
        y : Ignored
            Present for consistency of the interface.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative; None means ones.

        Returns
        -------
        self : MiniBatchKMeans

        Raises
        ------
        ValueError
            If a parameter, ``X`` or ``sample_weight`` is not as described, or there are fewer rows than
            clusters. The estimator then is as it was before.

        Warns
        -----
        RuntimeWarning
            If ``init_size`` is below ``n_clusters``, or ``n_init`` makes no sense beside an explicit
            ``init``.
        """
        validate_parameters(self)
        threads = native_threads(self.n_jobs)
        X = check_data(self, X, reset=True)
        self._check_enough_rows(X)
        weights = check_weights(sample_weight, X)
        generator = check_random_state(self.random_state)
        centers = self._start(X, weights, generator, threads)
        n_samples = X.shape[0]
        batch_size = min(int(self.batch_size), n_samples)
        steps = max(1, self.max_iter * n_samples // batch_size)
        patience = -1 if self.max_no_improvement is None else int(self.max_no_improvement)
        self._seed = draw_seed(generator)

        def run(observer: Any) -> Any:
            return _core.cluster.minibatch_fit(
                native_matrix(X), weights, centers, batch_size, steps, float(self.tol), patience,
                float(self.reassignment_ratio), self._seed, threads, observer,
            )  # fmt: skip

        if self.verbose or self.callbacks:
            with observe(self, callbacks=self.callbacks) as observer:
                fitted = run(_narrated(observer) if self.verbose else _silent(observer))
        else:
            fitted = run(None)
        self.cluster_centers_, self._counts, self._rows_unchecked, n_steps, smoothed, reason = fitted
        if self.verbose and reason in _REASONS:
            print(f"Converged ({_REASONS[reason]}) at step {n_steps}/{steps}")
        self.n_steps_ = n_steps
        self.n_iter_ = math.ceil(n_steps * batch_size / n_samples)
        if self.compute_labels:
            self._label(X, weights)
        else:
            self.inertia_ = smoothed * n_samples
        return self

    @atomic_fit
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> MiniBatchKMeans:
        """Take one step with ``X`` as the batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The batch. The first one also gives the starting centres and must have ``n_clusters`` rows at
            least.
        y : Ignored
            Present for consistency of the interface.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative; None means ones.

        Returns
        -------
        self : MiniBatchKMeans

        Raises
        ------
        ValueError
            As ``fit``.
        """
        begun = "cluster_centers_" in vars(self)
        if not begun:
            validate_parameters(self)
        threads = native_threads(self.n_jobs)
        X = check_data(self, X, reset=not begun)
        if begun:
            X = X.astype(self.cluster_centers_.dtype, copy=False)
        else:
            self._check_enough_rows(X)
        weights = check_weights(sample_weight, X)
        if not begun:
            generator = check_random_state(self.random_state)
            self.cluster_centers_ = self._start(X, weights, generator, threads)
            self._counts = np.zeros(self.n_clusters)
            self._rows_unchecked = 0
            self._seed = draw_seed(generator)
            self.n_steps_ = 0
        centers = np.ascontiguousarray(self.cluster_centers_)
        stepped = _core.cluster.minibatch_step(
            native_matrix(X), weights, centers, self._counts, self._rows_unchecked,
            float(self.reassignment_ratio), self._seed, self.n_steps_, threads,
        )  # fmt: skip
        self.cluster_centers_, self._counts, self._rows_unchecked, _, moved = stepped
        if self.verbose and moved:
            print(f"[MiniBatchKMeans] Reassigning {moved} cluster centers.")
        self.n_steps_ += 1
        if self.compute_labels:
            self._label(X, weights)
        return self

    def _label(self, X: Any, weights: npt.NDArray[Any] | None) -> None:
        threads = native_threads(self.n_jobs)
        self.labels_, self.inertia_ = nearest_and_inertia(X, weights, self.cluster_centers_, threads)

    def _resolved_init_size(self, n_samples: int) -> int:
        size = self.init_size
        if size is None:
            size = 3 * min(self.batch_size, n_samples)
            if size < self.n_clusters:
                size = 3 * self.n_clusters
        elif size < self.n_clusters:
            warn_user(
                f"init_size={size} should be larger than n_clusters={self.n_clusters}. Setting it to "
                "min(3*n_clusters, n_samples)",
                RuntimeWarning,
            )
            size = 3 * self.n_clusters
        return int(min(size, n_samples))

    def _start(
        self,
        X: Any,
        weights: npt.NDArray[Any] | None,
        generator: np.random.RandomState,
        threads: int,
    ) -> npt.NDArray[Any]:
        """The best of ``n_init`` starts, judged by the inertia of a random sample."""
        self._init_size = size = self._resolved_init_size(X.shape[0])
        n_init = number_of_runs(self.n_init, self.init, auto=3)
        self._n_init = n_init = warn_of_ignored_runs(n_init, self.init, type(self).__name__)
        if n_init == 1:
            return self._one_start(X, weights, generator, size, threads)
        judged, judged_weights = _sample(X, weights, generator, size)
        best, lowest = None, math.inf
        for run in range(n_init):
            if self.verbose:
                print(f"Init {run + 1}/{n_init} with method {self.init}")
            centers = self._one_start(X, weights, generator, size, threads)
            inertia = nearest_and_inertia(judged, judged_weights, centers, threads)[1]
            if self.verbose:
                print(f"Inertia for init {run + 1}/{n_init}: {inertia}")
            if best is None or inertia < lowest:
                best, lowest = centers, inertia
        assert best is not None
        return best

    def _one_start(
        self,
        X: Any,
        weights: npt.NDArray[Any] | None,
        generator: np.random.RandomState,
        size: int,
        threads: int,
    ) -> npt.NDArray[Any]:
        if callable(self.init):
            return called_init(self.init, X, self.n_clusters, generator)
        if not is_named(self.init):
            return check_centers(self.init, self.n_clusters, X)
        X, weights = _sample(X, weights, generator, size)
        k, seed = int(self.n_clusters), draw_seed(generator)
        if X.shape[0] <= SMALL:
            start: npt.NDArray[Any] = small_starts(X, weights, k, str(self.init), 1, seed, threads)[0]
            return start
        if self.init == "k-means||":
            drawn: npt.NDArray[Any]
            drawn = _core.cluster.kmeans_parallel_init(native_matrix(X), weights, k, seed, threads)
            return drawn
        if self.init == "k-means++":
            rows = _core.cluster.kmeans_plusplus(native_matrix(X), weights, k, 0, seed, threads)
        else:
            rows = _distinct_rows(X.shape[0], weights, k, generator)
        return take_rows(X, rows)


def _sample(
    X: Any, weights: npt.NDArray[Any] | None, generator: np.random.RandomState, size: int
) -> tuple[Any, npt.NDArray[Any] | None]:
    """``size`` rows drawn with replacement and their weights, one of them positive; else simply all rows."""
    if size >= X.shape[0]:
        return X, weights
    rows = generator.randint(0, X.shape[0], size)
    if weights is None:
        return X[rows], None
    if not weights[rows].any():
        rows[0] = int(np.argmax(weights))
    return X[rows], weights[rows]


def _distinct_rows(
    n_samples: int, weights: npt.NDArray[Any] | None, count: int, generator: np.random.RandomState
) -> npt.NDArray[Any]:
    """``count`` different rows, drawn in proportion to weight; those of weight 0 only when others run out."""
    return weighted_sample(np.log(generator.random_sample(n_samples)), weights, count)


_REASONS = {0: "small centers change", 3: "lack of improvement in inertia"}


def _silent(observer: Callable[[Mapping[str, Any]], bool] | None) -> Callable[[Mapping[str, Any]], bool]:
    """The observer without what only the narrator wants to know."""

    def listen(values: Mapping[str, Any]) -> bool:
        own = {key: value for key, value in values.items() if key not in ("batch_inertia", "reassigned")}
        return observer is not None and observer(own)

    return listen


def _narrated(observer: Callable[[Mapping[str, Any]], bool] | None) -> Callable[[Mapping[str, Any]], bool]:
    """The observer, and a line of text per step in scikit-learn's words."""
    silent = _silent(observer)

    def listen(values: Mapping[str, Any]) -> bool:
        if values["reassigned"]:
            print(f"[MiniBatchKMeans] Reassigning {values['reassigned']} cluster centers.")
        text = (
            f"Minibatch step {values['iteration']}/{values['max_iterations']}: mean batch inertia: "
            f"{values['batch_inertia']}"
        )
        print(text if math.isnan(values["objective"]) else f"{text}, ewa inertia: {values['objective']}")
        return silent(values)

    return listen
