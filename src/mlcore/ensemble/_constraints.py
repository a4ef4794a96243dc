"""Constraints on trees: monotone features, and which features may meet on a path."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["clip_leaves", "interaction_groups"]


def interaction_groups(constraint: Any, n_features: int) -> list[list[int]] | None:
    """``interaction_cst`` as lists of columns, with one more for the columns that are in no group.

    Raises
    ------
    ValueError
        With scikit-learn's words when it is not a sequence of groups of column numbers.
    """
    if constraint is None:
        return None
    groups: Any = constraint
    if isinstance(constraint, str):
        size = 1 if constraint == "no_interactions" else 2
        groups = itertools.combinations(range(n_features), size)
    try:
        sets = [set(group) for group in groups]
    except TypeError:
        raise ValueError(
            f"Interaction constraints must be a sequence of tuples or lists, got: {constraint!r}."
        ) from None
    for group in sets:
        if not all(isinstance(j, Integral) and 0 <= int(j) < n_features for j in group):
            raise ValueError(
                "Interaction constraints must consist of integer indices in [0, n_features - 1] = "
                f"[0, {n_features - 1}], specifying the position of features, got invalid indices: {group!r}"
            )
    rest = set(range(n_features)).difference(*sets)
    if rest:
        sets.append(rest)
    return [sorted(int(j) for j in group) for group in sets]


def clip_leaves(
    tree: Mapping[str, npt.NDArray[Any]],
    leaves: npt.NDArray[np.int32],
    values: npt.NDArray[np.float64],
    monotonic: npt.NDArray[np.int8],
) -> npt.NDArray[np.float64]:
    """Leaf values nearest to ``values`` along the tree that keep every monotone split in order.

    The grower keeps its own leaf values in order; values that replace them (medians and the like) need not
    be. Walking down, a split on a monotone feature whose sides are in the wrong order, or overlap, bounds
    them by the middle of their means, so every leaf on one side is at most every leaf on the other.
    """
    n = tree["feature"].size
    count = tree["count"].astype(np.float64)
    mean = np.zeros(n)
    mean[leaves] = values
    left, right, feature = tree["left"], tree["right"], tree["feature"]
    for node in range(n - 1, -1, -1):  # children come after their parent
        if feature[node] >= 0:
            a, b = left[node], right[node]
            mean[node] = (mean[a] * count[a] + mean[b] * count[b]) / (count[a] + count[b])
    low, high = np.full(n, -np.inf), np.full(n, np.inf)
    for node in range(n):
        if feature[node] < 0:
            continue
        a, b = left[node], right[node]
        low[a] = low[b] = low[node]
        high[a] = high[b] = high[node]
        sign = monotonic[feature[node]]
        if sign != 0:
            middle = float(np.clip((mean[a] + mean[b]) / 2, low[node], high[node]))
            if sign > 0:
                high[a] = low[b] = middle
            else:
                low[a] = high[b] = middle
    clipped: npt.NDArray[np.float64] = np.clip(values, low[leaves], high[leaves])
    return clipped
