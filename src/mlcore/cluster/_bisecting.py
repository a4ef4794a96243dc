"""BisectingKMeans: a tree of splits in two.

Glossary: a *node* holds the rows of one cluster of some level; a *leaf* is a node that has not been split and
becomes a cluster of the result. Leaves are numbered from left to right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
)
from ._base import CentroidClusterer, centers_like, warn_of_unused
from ._kmeans import ALGORITHMS, sensible_algorithm
from ._starts import INITS, SMALL, called_init, small_starts

__all__ = ["BisectingKMeans"]


class _Node:
    """A cluster of the hierarchy: its centre, its rows (until it is split) and its two parts (afterwards)."""

    __slots__ = ("center", "label", "left", "right", "rows", "score")

    def __init__(self, center: npt.NDArray[Any], rows: npt.NDArray[np.intp] | None, score: float) -> None:
        self.center = center
        self.rows = rows
        self.score = score
        self.left: _Node | None = None
        self.right: _Node | None = None
        self.label = -1

    def leaves(self) -> Iterator[_Node]:
        """Leaves below this node, from left to right; iterative, since a tree can be a long chain."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            if node.left is None or node.right is None:
                yield node
            else:
                waiting += (node.right, node.left)


class BisectingKMeans(CentroidClusterer):
    r"""Bisecting k-means clustering.

    Starts with one cluster of all rows and splits a cluster in two by k-means until there are ``n_clusters``
    (Steinbach, Karypis and Kumar, "A comparison of document clustering techniques", KDD workshop on text
    mining 2000). Cheaper than k-means for many clusters, with clusters of more even size, and with a
    hierarchy.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    init : {'k-means++', 'k-means||', 'random'} or callable, default='random'
        Starting centres of each split, as in :class:`KMeans`; a callable is asked for two centres.
    n_init : int, default=1
        Runs per split, of which the one with the lowest inertia is kept.
    random_state : int, RandomState instance or None, default=None
        An int gives the same result at each call, on any number of threads.
    max_iter : int, default=300
        Limit on the iterations of each run.
    verbose : int, default=0
        When not 0, every iteration is printed.
    tol : float, default=1e-4
        As in :class:`KMeans`, relative to the mean variance of the columns of the rows that are being split.
    copy_x : bool, default=True
        Has no effect: ``X`` is never changed.
    algorithm : {'auto', 'lloyd', 'elkan', 'hamerly', 'exponion', 'yinyang'}, default='auto'
        As in :class:`KMeans`; all give the same labels.
    bisecting_strategy : {'biggest_inertia', 'largest_cluster'}, default='biggest_inertia'
        Which cluster is split next: the one with the largest inertia, or with the most rows.
    n_jobs : int or None, default=None
        Number of threads; None for as many as the process may use. Results do not depend on it.
    callbacks : list of callbacks or None, default=None
        Objects with ``on_iteration(info)``, called after each split; a true result stops the fit with the
        clusters there are. See :mod:`mlcore.callbacks`.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Centres of the leaves, in the dtype of ``X`` (float64 for other types than float32).
    labels_ : ndarray of shape (n_samples,), int32
        Number of the cluster of each row; equal to ``predict(X)``.
    inertia_ : float
        Weighted sum of the squared distances to the centre of the own cluster.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when ``X`` has names that are all strings.

    See Also
    --------
    KMeans : All clusters at once.

    Notes
    -----
    ``predict`` walks down the tree, at each node to the nearer of two centres, so that the answer need not be
    the nearest of all ``cluster_centers_``; ``transform`` gives the distances to these.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.cluster import BisectingKMeans
    >>> X = np.array([[1, 1], [10, 1], [3, 1], [10, 0], [2, 1], [10, 2], [10, 8], [10, 9], [10, 10]])
    >>> bisecting = BisectingKMeans(n_clusters=3, init="k-means++", random_state=0).fit(X)
    >>> sorted(bisecting.cluster_centers_.tolist())
    [[2.0, 1.0], [10.0, 1.0], [10.0, 9.0]]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions(set(INITS)), callable],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "copy_x": ["boolean"],
        "algorithm": [StrOptions(set(ALGORITHMS))],
        "bisecting_strategy": [StrOptions({"biggest_inertia", "largest_cluster"})],
        "n_jobs": [Integral, None],
        "callbacks": [list, tuple, None],
    }

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: str | Callable[..., Any] = "random",
        n_init: int = 1,
        random_state: int | np.random.RandomState | None = None,
        max_iter: int = 300,
        verbose: int | bool = 0,
        tol: float = 1e-4,
        copy_x: bool = True,
        algorithm: str = "auto",
        bisecting_strategy: str = "biggest_inertia",
        n_jobs: int | None = None,
        callbacks: Sequence[Callback] | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.random_state = random_state
        self.max_iter = max_iter
        self.verbose = verbose
        self.tol = tol
        self.copy_x = copy_x
        self.algorithm = algorithm
        self.bisecting_strategy = bisecting_strategy
        self.n_jobs = n_jobs
        self.callbacks = callbacks

    @atomic_fit
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> BisectingKMeans:
        """Compute the hierarchy.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to cluster. float32 and float64 are not converted; the rows of a cluster are gathered for its
            split.
        y : Ignored
            Present for consistency of the interface.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative; None means ones. Not used by a callable ``init``.

        Returns
        -------
        self : BisectingKMeans

        Raises
        ------
        ValueError
            If a parameter, ``X`` or ``sample_weight`` is not as described, or there are fewer rows than
            clusters. The estimator then is as it was before.

        Warns
        -----
        ConvergenceWarning
            If some clusters own no row, because ``X`` has too few different rows.
        """
        validate_parameters(self)
        threads = native_threads(self.n_jobs)
        X = check_data(self, X, reset=True)
        self._check_enough_rows(X)
        weights = check_weights(sample_weight, X)
        algorithm = sensible_algorithm(self.algorithm, self.n_clusters)
        generator = check_random_state(self.random_state)
        origin = np.zeros((1, X.shape[1]), X.dtype)
        statistics = _core.cluster.partial(native_matrix(X), weights, origin, threads)
        root = _Node(_core.cluster.finish(statistics, origin)[0], np.arange(X.shape[0]), 0.0)
        with observe(self, callbacks=self.callbacks) as observer:
            for split in range(1, self.n_clusters):
                self._split(_to_split(root), X, weights, algorithm, generator, threads)
                values = {"iteration": split, "max_iterations": self.n_clusters - 1, "restart": 0}
                if observer is not None and observer({**values, "objective": np.nan, "change": np.nan}):
                    break
        labels = np.empty(X.shape[0], dtype=np.int32)
        leaves = list(root.leaves())
        for label, leaf in enumerate(leaves):
            leaf.label = label
            labels[leaf.rows] = label
        for node in leaves:
            node.rows = None
        warn_of_unused(labels, len(leaves))
        self._tree = root
        self.cluster_centers_ = np.stack([leaf.center for leaf in leaves])
        self.labels_ = labels
        self.inertia_ = _core.cluster.inertia(
            native_matrix(X), weights, self.cluster_centers_, labels, threads
        )
        return self

    def _split(
        self,
        node: _Node,
        X: Any,
        weights: npt.NDArray[Any] | None,
        algorithm: str,
        generator: np.random.RandomState,
        threads: int,
    ) -> None:
        rows = node.rows
        assert rows is not None
        part = X if len(rows) == X.shape[0] else X[rows]
        part_weights = None if weights is None else weights[rows]
        if part_weights is not None and not part_weights.any():
            part_weights = None  # any split of rows without weight is as good
        seed = draw_seed(generator)
        init: Any = self.init
        if callable(init):
            init = np.stack([called_init(init, part, 2, generator) for _ in range(self.n_init)])
        elif len(rows) <= SMALL:
            init = small_starts(part, part_weights, 2, str(init), int(self.n_init), seed, threads)
        listener = _told(self.verbose)
        labels, _, centers, *_ = _core.cluster.kmeans_fit(
            native_matrix(part), part_weights, init, 2, int(self.n_init), algorithm, int(self.max_iter),
            float(self.tol), seed, threads, listener,
        )  # fmt: skip
        node.rows = None
        parts = []
        for side in (0, 1):
            inside = labels == side
            if self.bisecting_strategy == "largest_cluster":
                score = float(np.count_nonzero(inside))
            else:
                own = inside.astype(X.dtype)
                if part_weights is not None:
                    own *= part_weights
                score = _core.cluster.inertia(native_matrix(part), own, centers, labels, threads)
            parts.append(_Node(centers[side], rows[inside], score))
        node.left, node.right = parts

    def _assign(self, X: Any) -> npt.NDArray[np.int32]:
        labels = np.empty(X.shape[0], dtype=np.int32)
        threads = native_threads(self.n_jobs)
        waiting: list[tuple[_Node, npt.NDArray[np.intp] | None]] = [(self._tree, None)]
        while waiting:
            node, rows = waiting.pop()
            if node.left is None or node.right is None:
                labels[slice(None) if rows is None else rows] = node.label
                continue
            part = X if rows is None else X[rows]
            if part.shape[0] == 0:
                continue
            pair = centers_like(np.stack([node.left.center, node.right.center]), X)
            goes_right = _core.cluster.assign(native_matrix(part), pair, threads) == 1
            everybody = np.arange(X.shape[0]) if rows is None else rows
            waiting += ((node.left, everybody[~goes_right]), (node.right, everybody[goes_right]))
        return labels


def _to_split(root: _Node) -> _Node:
    """The leaf with the highest score, among those with at least two rows; ties to the left."""
    candidates = [leaf for leaf in root.leaves() if leaf.rows is not None and len(leaf.rows) > 1]
    return max(candidates, key=lambda leaf: leaf.score)


def _told(verbose: int | bool) -> Any:
    """Observer that prints the iterations of a split, or None."""
    if not verbose:
        return None

    def listen(values: dict[str, Any]) -> bool:
        if values["iteration"] == 1:
            print("Initialization complete")
        print(f"Iteration {values['iteration'] - 1}, inertia {values['objective']}.")
        return False

    return listen
