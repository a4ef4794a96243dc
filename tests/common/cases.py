"""What the sweep must know about single estimators and functions. Those not listed are swept with defaults.

Keep it small: cheap arguments, arguments that make a fit long or independent of a random draw, and the checks
that do not apply, each with its reason. The key is the public name, `cluster.KMeans`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: Arguments for every constructor or function that has them.
DEFAULTS: dict[str, Any] = {
    "n_clusters": 3,
    "n_components": 2,
    "n_estimators": 5,
    "n_init": 2,
    "max_iter": 20,
    "random_state": 0,
}
#: The same on big data, where threads pay.
BIG: dict[str, Any] = {"n_clusters": 8, "n_components": 4, "max_iter": 3}
#: The same for a fit of more than a minute, to be interrupted.
LONG: dict[str, Any] = {
    "n_clusters": 32,
    "n_init": 1_000_000,
    "max_iter": 1_000_000,
    "tol": 0.0,
    "random_state": 0,
}


@dataclass(frozen=True)
class Case:
    """How one estimator is swept."""

    #: Arguments besides DEFAULTS; the other dicts come on top of it.
    params: Mapping[str, Any] = field(default_factory=dict)
    big: Mapping[str, Any] = field(default_factory=dict)
    long: Mapping[str, Any] = field(default_factory=dict)
    #: X -> arguments with which no random draw depends on the number of rows, for the meaning of weights.
    no_draws: Callable[[np.ndarray], Mapping[str, Any]] = lambda X: {}
    #: Rows of the "big" and of the "long" data.
    big_rows: int = 20_000
    long_rows: int = 50_000
    #: Relative tolerance where another order of additions is allowed (layouts, sparse, ISA levels).
    rtol: float = 1e-6
    #: Are results of float64 input float64 for input of every type? Not where rows of X are handed back.
    same_dtype: bool = True
    #: Does a seed change the result of a fit on noise?
    random: bool = True
    #: check name -> why it does not apply.
    without: Mapping[str, str] = field(default_factory=dict)


def _first_rows_as_centers(X: np.ndarray) -> dict[str, Any]:
    return {"init": X[:3].copy(), "n_init": 1}


def _two_fixed_centers(X: Any, n_clusters: int, random_state: Any) -> np.ndarray:
    return np.array([[10.0, 0, 0, 10], [0, 10.0, 0, 0]])[:n_clusters].astype(X.dtype)


CASES: dict[str, Case] = {
    "cluster.BisectingKMeans": Case(
        no_draws=lambda X: {"init": _two_fixed_centers, "n_init": 1, "n_clusters": 2},
    ),
    "cluster.KMeans": Case(no_draws=_first_rows_as_centers),
    "cluster.k_means": Case(no_draws=_first_rows_as_centers),
    "cluster.gap_statistic": Case(
        without={
            "extreme_scales": "takes logarithms: a dispersion that vanishes has minus infinity",
            "degenerate_data": "the same; tests/cluster/test_gap.py says what equal rows give",
            "sparse_equals_dense": "dense only: its uniform reference sets fill the box of the data",
            "sparse_with_bad_values": "dense only: its uniform reference sets fill the box of the data",
        },
    ),
    "cluster.KernelKMeans": Case(
        big_rows=1500,  # cost and memory are quadratic in the rows
        long_rows=3000,
        without={
            "sparse_equals_dense": "X_fit_ keeps the format of X, so attributes differ",
        },
    ),
    "cluster.MiniBatchKMeans": Case(
        params={"batch_size": 64},
        no_draws=_first_rows_as_centers,
        without={
            "integer_weights_are_repetition": "a batch is a draw of row numbers, another one for other rows",
            "weight_zero_is_removal": "a batch is a draw of row numbers, another one for other rows",
        },
    ),
    "cluster.kmeans_plusplus": Case(
        same_dtype=False,
        without={
            "integer_weights_are_repetition": "returns row numbers, which repetition changes",
            "control_c": "one short seeding: no arguments make it last a minute",
        },
    ),
}
