"""Starting centres: what the user may give as ``init``, and starts for small data that do not depend on row
order.

On large data a named start is drawn by the native fit, from the rows in their order. On at most ``SMALL``
rows it is drawn here from the *different* rows with their total weights, sorted by value. The result then is
the same for any order of the rows, and the same for a row of weight m as for m equal rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array

from .. import _core
from .._validation import native_matrix, warn_user

__all__ = [
    "INITS",
    "Init",
    "called_init",
    "check_centers",
    "is_named",
    "number_of_runs",
    "small_starts",
    "take_rows",
    "warn_of_ignored_runs",
    "weighted_sample",
]

INITS = ("k-means++", "k-means||", "random")

#: An explicit array, the name of a method, or a function (X, n_clusters, random_state) -> centres.
Init = str | Callable[..., Any] | Sequence[Any] | npt.NDArray[Any]

#: Rows up to which sorting them costs less than anybody notices.
SMALL = 1024


def is_named(init: Init) -> bool:
    """True for the name of a method, False for centres and functions."""
    return isinstance(init, str)


def number_of_runs(n_init: int | str, init: Init, *, auto: int) -> int:
    """Resolve ``n_init="auto"``: ``auto`` runs for cheap random starts, one for all others."""
    if n_init != "auto":
        return int(n_init)
    return auto if callable(init) or (is_named(init) and init == "random") else 1


def warn_of_ignored_runs(n_init: int, init: Init, name: str) -> int:
    """Number of runs that make sense: explicit centres give the same result each time."""
    if n_init > 1 and not is_named(init) and not callable(init):
        warn_user(
            f"Explicit initial center position passed: performing only one init in {name} instead of "
            f"n_init={n_init}.",
            RuntimeWarning,
        )
        return 1
    return n_init


def check_centers(centers: Any, n_clusters: int, X: Any) -> npt.NDArray[Any]:
    """Starting centres given by the user: finite, of the dtype of X and of shape (n_clusters, n_features).

    Raises
    ------
    ValueError
        If the centres are not finite numbers or have another shape; scikit-learn's wording.
    """
    checked: npt.NDArray[Any]
    if (
        type(centers) is np.ndarray
        and centers.ndim == 2
        and centers.size > 0
        and centers.dtype == X.dtype
        and centers.flags.c_contiguous
        and centers.flags.aligned
        and _core.all_finite(centers, 1)
    ):
        checked = centers  # check_array would say the same, later
    else:
        checked = check_array(centers, dtype=X.dtype, order="C")
    if checked.shape[0] != n_clusters:
        raise ValueError(
            f"The shape of the initial centers {checked.shape} does not match the number of clusters "
            f"{n_clusters}."
        )
    if checked.shape[1] != X.shape[1]:
        raise ValueError(
            f"The shape of the initial centers {checked.shape} does not match the number of features of the "
            f"data {X.shape[1]}."
        )
    return checked


def called_init(init: Callable[..., Any], X: Any, n_clusters: int, random_state: Any) -> npt.NDArray[Any]:
    """Centres from the user's function, checked."""
    return check_centers(init(X, n_clusters, random_state=random_state), n_clusters, X)


def take_rows(X: Any, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The given rows as a dense array in C order."""
    taken = X[rows]
    return np.ascontiguousarray(taken if isinstance(taken, np.ndarray) else taken.toarray())


def small_starts(
    X: Any,
    weights: npt.NDArray[Any] | None,
    n_clusters: int,
    init: str,
    n_init: int,
    seed: int,
    threads: int,
) -> npt.NDArray[Any]:
    """``n_init`` named starts on small data, as an array of shape (n_init, n_clusters, n_features)."""
    rows, merged = _core.cluster.distinct_rows(native_matrix(X), weights)
    if len(rows) <= n_clusters:
        # Every different row is a centre, the first ones once more where they do not suffice.
        everything = take_rows(X, np.resize(rows, n_clusters))
        return np.repeat(everything[np.newaxis], n_init, axis=0)
    points = native_matrix(X[rows])
    starts = []
    for run in range(n_init):
        own_seed = (seed + run) % 2**63
        if init == "random":
            uniform = np.random.default_rng(own_seed).random(len(rows))
            chosen = rows[weighted_sample(np.log1p(-uniform), merged, n_clusters)]
        elif init == "k-means++":
            chosen = rows[_core.cluster.kmeans_plusplus(points, merged, n_clusters, 0, own_seed, threads)]
        else:
            starts.append(_core.cluster.kmeans_parallel_init(points, merged, n_clusters, own_seed, threads))
            continue
        starts.append(take_rows(X, chosen))
    return np.stack(starts)


def weighted_sample(
    log_uniform: npt.NDArray[np.float64], weights: npt.NDArray[Any] | None, count: int
) -> npt.NDArray[np.intp]:
    """``count`` different numbers, as if drawn one after the other in proportion to the weights.

    ``log_uniform`` are logarithms of uniform numbers u, one a weight: the largest of u^(1/w) are such a
    sample (Efraimidis and Spirakis 2006). Weights of 0 come last.
    """
    with np.errstate(divide="ignore"):
        keys = log_uniform if weights is None else log_uniform / weights
    return np.argsort(keys)[::-1][:count]
