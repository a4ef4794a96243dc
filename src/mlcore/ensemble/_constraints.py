"""Constraints on trees: which features may meet on a path."""

from __future__ import annotations

import itertools
from numbers import Integral
from typing import Any

__all__ = ["interaction_groups"]


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
