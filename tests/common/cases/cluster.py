"""Cases of `mlcore.cluster`."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Case


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
        params={"n_references": 3},
        big_rows=4000,  # a fit for every candidate and reference
        without={
            "extreme_scales": "takes logarithms: a dispersion that vanishes has minus infinity",
            "degenerate_data": "the same; tests/cluster/test_gap.py says what equal rows give",
            "sparse_equals_dense": "dense only: its uniform reference sets fill the box of the data",
            "sparse_with_bad_values": "dense only: its uniform reference sets fill the box of the data",
        },
    ),
    "cluster.KernelKMeans": Case(
        big_rows=800,  # cost and memory are quadratic in the rows
        long_rows=3000,
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
        long={"n_clusters": 45_000},
        same_dtype=False,
        without={
            "integer_weights_are_repetition": "returns row numbers, which repetition changes",
        },
    ),
}
