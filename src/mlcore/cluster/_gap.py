"""Number of clusters by the gap statistic."""

from __future__ import annotations

import numbers
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.utils import check_array, check_random_state

from .. import _core
from .._validation import native_threads
from ._kmeans import KMeans

__all__ = ["GapStatistic", "gap_statistic"]


class GapStatistic(NamedTuple):
    """Result of :func:`gap_statistic`; all arrays have shape (n_candidates,).

    Attributes
    ----------
    best : int
        The chosen number of clusters.
    n_clusters : ndarray of int64
        The candidates, ascending.
    gap : ndarray of float64
        ``reference_log_inertia - log_inertia``.
    standard_error : ndarray of float64
        ``s_k``: standard deviation over the references times ``sqrt(1 + 1/n_references)``.
    log_inertia : ndarray of float64
        ``log W_k`` of the data.
    reference_log_inertia : ndarray of float64
        Mean of ``log W*_k`` over the references.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from mlcore.cluster import gap_statistic
    >>> X, _ = make_blobs(200, centers=[[0, 0], [8, 0]], random_state=0)
    >>> result = gap_statistic(X, 4, random_state=0)
    >>> result.best, result.n_clusters.tolist()
    (2, [1, 2, 3, 4])
    >>> bool(result.gap[1] > result.gap[0] + result.standard_error[1])
    True
    """

    best: int
    n_clusters: npt.NDArray[np.int64]
    gap: npt.NDArray[np.float64]
    standard_error: npt.NDArray[np.float64]
    log_inertia: npt.NDArray[np.float64]
    reference_log_inertia: npt.NDArray[np.float64]


def _box(X: npt.NDArray[Any], reference: str) -> Callable[[np.random.RandomState], npt.NDArray[Any]]:
    """A function that draws one reference data set: uniform in the box of X along the features or the axes
    of PCA."""
    if reference == "uniform":
        low, high = X.min(axis=0), X.max(axis=0)

        def draw(generator: np.random.RandomState) -> npt.NDArray[Any]:
            sample: npt.NDArray[Any] = low + generator.random_sample(X.shape) * (high - low)
            return sample.astype(X.dtype)

        return draw
    mean = X.mean(axis=0, dtype=np.float64)
    # The right singular vectors of the centred data; through the d x d matrix, so that nothing n x n or n x
    # d is factorised. Their accuracy is of no consequence: any nearby box serves.
    centred = X - mean
    _, axes = np.linalg.eigh(centred.T @ centred)
    scores = centred @ axes
    low, high = scores.min(axis=0), scores.max(axis=0)

    def draw_aligned(generator: np.random.RandomState) -> npt.NDArray[Any]:
        sample: npt.NDArray[Any] = low + generator.random_sample(X.shape) * (high - low)
        turned: npt.NDArray[Any] = mean + sample @ axes.T
        return turned.astype(X.dtype)

    return draw_aligned


def _candidates(n_clusters: Any, n_samples: int) -> npt.NDArray[np.int64]:
    if isinstance(n_clusters, numbers.Integral):
        candidates = np.arange(1, int(n_clusters) + 1, dtype=np.int64)
    else:
        values = np.unique(np.asarray(n_clusters))
        if values.ndim != 1 or values.dtype.kind not in "iu":
            raise ValueError(f"n_clusters must be an int or a list of ints, got {n_clusters!r} instead.")
        candidates = values.astype(np.int64)
    if candidates.size == 0 or candidates[0] < 1:
        raise ValueError(f"n_clusters must be at least 1, got {n_clusters!r} instead.")
    if candidates[-1] >= n_samples:
        raise ValueError(f"n_samples={n_samples} should be > n_clusters={candidates[-1]}.")
    return candidates


def gap_statistic(
    X: Any,
    n_clusters: Any = 10,
    *,
    n_references: int = 10,
    reference: str = "uniform",
    estimator: Any = None,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> GapStatistic:
    r"""Choose the number of clusters by comparing the inertia with that of data without clusters.

    For each candidate k, :math:`W_k` is the inertia (the pooled within-cluster sum of squares) of the data
    and :math:`W^{*}_{kb}` that of reference set b, uniform in a box around the data. Then (Tibshirani,
    Walther and Hastie 2001; requirement 18.12)

    .. math::
        \mathrm{Gap}(k) = \frac1B \sum_b \log W^{*}_{kb} - \log W_k, \qquad
        s_k = \sqrt{1 + 1/B}\; \mathrm{sd}_b(\log W^{*}_{kb}),

    and the chosen k is the smallest candidate with
    :math:`\mathrm{Gap}(k) \ge \mathrm{Gap}(k') - s_{k'}`, where k' is the next candidate; when none has this
    property, the greatest candidate. k = 1, no clusters at all, is a possible answer.

    The cost is that of ``(n_references + 1) * len(n_clusters)`` fits; each thread holds one reference set, a
    dense array of the size of ``X``.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Dense data; float32 stays float32, everything else becomes float64. Not sparse: a uniform reference
        is dense.
    n_clusters : int or array-like of int, default=10
        The candidates; an int K means 1, ..., K. All must be below n_samples, where the inertia is 0.
    n_references : int, default=10
        Number B of reference sets.
    reference : {"uniform", "pca"}, default="uniform"
        Box of the references: along the features, or along the principal axes of the data, which respects an
        oblique shape (choices (a) and (b) of the paper).
    estimator : estimator, default=None
        What clusters: has ``n_clusters`` and sets ``inertia_``; cloned for each fit, with ``n_clusters``
        and, when it has them, ``random_state`` and ``n_jobs`` set. None means ``KMeans(n_init=5)``.
    random_state : int, RandomState instance or None, default=None
        Seeds references and fits. The result of an int is the same for any ``n_jobs``.
    n_jobs : int or None, default=None
        Threads over which the data sets are shared out; None means all allowed. With more than one the
        estimator runs single-threaded.

    Returns
    -------
    result : GapStatistic
        Named tuple with ``best``, ``n_clusters``, ``gap``, ``standard_error``, ``log_inertia`` and
        ``reference_log_inertia``.

    Raises
    ------
    ValueError
        If ``X`` is not a finite matrix, a candidate is not in [1, n_samples - 1], ``n_references`` is below
        1 or ``reference`` is unknown.
    TypeError
        If ``X`` is sparse.

    See Also
    --------
    elbow_point : Looks at the inertia curve alone.
    mlcore.metrics.silhouette_score : Compares distances within and between clusters.

    Notes
    -----
    Data in which all rows of some clustering coincide have :math:`W_k = 0` and an infinite gap.

    References
    ----------
    R. Tibshirani, G. Walther, T. Hastie (2001). Estimating the number of clusters in a data set via the gap
    statistic. Journal of the Royal Statistical Society B 63, 411-423.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from mlcore.cluster import gap_statistic
    >>> X, _ = make_blobs(200, centers=[[0, 0], [8, 0], [0, 8]], random_state=0)
    >>> gap_statistic(X, 6, random_state=0).best
    3
    """
    X = check_array(X, dtype=[np.float64, np.float32], ensure_min_samples=2)
    candidates = _candidates(n_clusters, X.shape[0])
    if not isinstance(n_references, numbers.Integral) or n_references < 1:
        raise ValueError(f"n_references must be an int of at least 1, got {n_references!r} instead.")
    if reference not in ("uniform", "pca"):
        raise ValueError(f"reference must be 'uniform' or 'pca', got {reference!r} instead.")
    template = KMeans(n_init=5) if estimator is None else estimator
    settable = template.get_params(deep=False)
    draw = _box(X, reference)
    # One seed a data set, drawn beforehand: no result depends on who runs when.
    seeds = check_random_state(random_state).randint(np.iinfo(np.int32).max, size=int(n_references) + 1)
    allowed = _core.resolve_threads(native_threads(n_jobs))[0]
    workers = min(allowed, seeds.size)

    stopped = threading.Event()

    def log_inertias(number: int) -> list[float]:
        """log W_k of the data (number 0) or of reference set `number`."""
        generator = np.random.RandomState(seeds[number])
        data = X if number == 0 else draw(generator)
        values = []
        for k in candidates:
            if stopped.is_set():
                break
            params: dict[str, Any] = {"n_clusters": int(k)}
            if "random_state" in settable:
                params["random_state"] = int(seeds[number])
            if "n_jobs" in settable:
                params["n_jobs"] = 1 if workers > 1 else allowed
            inertia = float(clone(template).set_params(**params).fit(data).inertia_)
            values.append(np.log(inertia) if inertia > 0 else -np.inf)
        return values

    try:
        table = np.array(list(_each(log_inertias, seeds.size, workers)))
    except BaseException:
        stopped.set()
        raise
    log_inertia, references = table[0], table[1:]
    with np.errstate(invalid="ignore"):  # inf - inf, in data whose box is a point
        mean = references.mean(axis=0)
        gap = np.where(log_inertia == mean, 0.0, mean - log_inertia)
        deviation = references.std(axis=0) * np.sqrt(1.0 + 1.0 / n_references)
    error = np.where(np.isfinite(mean), deviation, 0.0)
    enough = np.flatnonzero(gap[:-1] >= gap[1:] - error[1:])
    best = int(candidates[enough[0]] if enough.size else candidates[-1])
    return GapStatistic(best, candidates, gap, error, log_inertia, mean)


def _each(function: Callable[[int], list[float]], count: int, workers: int) -> Iterator[list[float]]:
    """function(0), ..., function(count - 1), shared out over threads; the native fits release the GIL."""
    if workers == 1:
        yield from map(function, range(count))
        return
    pool = ThreadPoolExecutor(workers)
    try:
        yield from pool.map(function, range(count))
    except BaseException:
        # Ctrl-C too: what has not begun is dropped, and nobody waits for the fits under way.
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
