"""Cases of the density part of `mlcore.cluster`."""

from __future__ import annotations

from . import Case

_WITHOUT = {
    "bad_weights": "negative weights have a meaning here (as in scikit-learn)",
    "integer_weights_are_repetition": "returns row numbers and core rows, which repetition changes; see "
    "tests/cluster/test_dbscan.py",
    "weight_zero_is_removal": "a row of weight 0 still gets a label, and can be core; see "
    "tests/cluster/test_dbscan.py",
}

CASES: dict[str, Case] = {
    "cluster.DBSCAN": Case(
        params={"eps": 1.5, "min_samples": 5},
        big={"eps": 0.4},
        # no row ever has enough neighbours, and no box lies wholly within reach or out of it
        long={"eps": 1.6, "min_samples": 10**9},
        long_rows=500_000,
        same_dtype=False,  # components_ are rows of X
        without=_WITHOUT
        | {"sparse_equals_dense": "components_ has the format of X; see tests/cluster/test_dbscan.py"},
    ),
    "cluster.k_distance": Case(
        long={"k": 500},
        long_rows=200_000,
        without={
            "sparse_equals_dense": "dense only: the kd-tree holds dense rows",
            "sparse_with_bad_values": "dense only: the kd-tree holds dense rows",
        },
    ),
    "cluster.dbscan": Case(
        params={"eps": 1.5, "min_samples": 5},
        big={"eps": 0.4},
        long={"eps": 1.6, "min_samples": 10**9},
        long_rows=500_000,
        without=_WITHOUT,
    ),
}
