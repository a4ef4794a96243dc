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


def _bound_between(
    low: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
    w_low: npt.NDArray[np.float64],
    w_high: npt.NDArray[np.float64],
) -> float:
    """The m that changes least, in squares, when ``low`` is cut off above it and ``high`` below it."""

    def slope(m: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Half the derivative of the change by m: it rises, and is linear between the values."""
        down = np.maximum(low - m[:, np.newaxis], 0.0) @ w_low
        up = np.maximum(m[:, np.newaxis] - high, 0.0) @ w_high
        return np.asarray(up - down)

    points = np.unique(np.concatenate([low, high]))
    slopes = slope(points)
    right = int(np.searchsorted(slopes, 0.0))
    if right == 0 or slopes[right] == 0.0:
        return float(points[right])
    a, b = slopes[right - 1], slopes[right]
    return float(points[right - 1] - a * (points[right] - points[right - 1]) / (b - a))


def clip_leaves(
    tree: Mapping[str, npt.NDArray[Any]],
    leaves: npt.NDArray[np.int32],
    values: npt.NDArray[np.float64],
    monotonic: npt.NDArray[np.int8],
) -> npt.NDArray[np.float64]:
    """Leaf values near to ``values`` that keep every split on a monotone feature in order.

    The grower keeps its own leaf values in order; values that replace them (medians and the like) need not
    be. From the root down, where a leaf on the lower side of a monotone split lies above one on the upper
    side, both sides are cut off at a bound between them. What is done further down stays within these bounds.
    """
    feature, left, right = tree["feature"], tree["left"], tree["right"]
    n = feature.size
    end = np.arange(1, n + 1)  # nodes are in pre-order: the subtree of a node is node ... end - 1
    for node in range(n - 1, -1, -1):
        if feature[node] >= 0:
            end[node] = end[right[node]]
    place = np.empty(n, dtype=np.intp)
    place[leaves] = np.arange(leaves.size)
    order = np.sort(leaves)
    new = values.copy()
    for node in range(n):
        sign = 0 if feature[node] < 0 else monotonic[feature[node]]
        if sign == 0:
            continue
        first, middle, last = np.searchsorted(order, [left[node], right[node], end[node]])
        sides = place[order[first:middle]], place[order[middle:last]]
        low, high = sides if sign > 0 else sides[::-1]
        if new[low].max() > new[high].min():
            weights = [tree["count"][leaves[side]].astype(np.float64) for side in (low, high)]
            bound = _bound_between(new[low], new[high], *weights)
            new[low] = np.minimum(new[low], bound)
            new[high] = np.maximum(new[high], bound)
    return new
