"""The gradient boosting classes. Small data need small leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import Case

# The Hessian, not the number of rows, limits leaves: a weight of 2 must be the same as two rows.
SMALL = {"max_iter": 8, "min_samples_leaf": 1, "min_child_weight": 2.0}
BIG = {"max_iter": 5, "max_leaf_nodes": 15}
LONG = {"max_iter": 1_000_000, "early_stopping": False}


def queries(rows: int) -> Mapping[str, Any]:
    """Queries of 30 rows: the pairs of one query of all rows would be rows squared."""
    return {"qid": np.arange(rows) // 30}


_MISSING = {
    "shapes_and_types_that_are_refused": "a matrix of None is one of missing values, which are welcome"
}

CASES = {
    "ensemble.HistGradientBoostingRegressor": Case(
        params=SMALL,
        big=BIG,
        long=LONG,
        random=False,
        without={
            **_MISSING,
            "integer_weights_are_repetition": "columns that part the rows alike have equal gains but for "
            "rounding, and rows of weight 0 tell them apart; see tests/ensemble/test_properties.py",
        },
    ),
    "ensemble.HistGradientBoostingClassifier": Case(
        params=SMALL, big=BIG, long=LONG, random=False, without=_MISSING
    ),
    "ensemble.HistGradientBoostingRanker": Case(
        params=SMALL,
        big=BIG,
        long=LONG,
        random=False,
        target="classes",
        fit_arguments=queries,
        answer_arguments=queries,
        without={
            **_MISSING,
            "integer_weights_are_repetition": "a row twice in a query makes more pairs",
        },
    ),
}
