"""Checks of observations: real numbers, counts, symbols; NaN stands for a missing value."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.utils.validation import validate_data

from .. import _core
from ._sequences import Array

__all__ = ["check_counts", "check_real", "check_symbols"]

_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def _checked(estimator: Any, X: Any, *, reset: bool) -> Array:
    """A C-contiguous float matrix without infinities, or an array of integers."""
    state = vars(estimator)
    if (
        type(X) in (np.ndarray, np.memmap)
        and X.ndim == 2
        and X.size > 0
        and X.flags.c_contiguous
        and X.flags.aligned
        and "feature_names_in_" not in state
        and (reset or state.get("n_features_in_", X.shape[1]) == X.shape[1])
        and (
            X.dtype.kind in "iu"
            or (
                X.dtype in _FLOATS
                and (get_config()["assume_finite"] or _core.all_finite(X, 1) or not np.isinf(X).any())
            )
        )
    ):
        if reset:
            estimator.n_features_in_ = X.shape[1]
        plain: Array = X
        return plain
    if not reset and "n_features_in_" not in state:  # parameters that a user has set
        skip: dict[str, Any] = {"skip_check_array": False}
        checked: Array = _validate_without_features(estimator, X, **skip)
    else:
        checked = validate_data(
            estimator, X, reset=reset, dtype=_wanted(X), order="C", ensure_all_finite="allow-nan"
        )
    return checked if checked.flags.aligned else checked.copy()


def _wanted(X: Any) -> Any:
    kind = getattr(getattr(X, "dtype", None), "kind", "")
    return None if kind in "iu" and kind else list(_FLOATS)


def _validate_without_features(estimator: Any, X: Any, **_: Any) -> Array:
    from sklearn.utils import check_array

    checked: Array = check_array(
        X,
        dtype=_wanted(X),
        order="C",
        ensure_all_finite="allow-nan",
        estimator=estimator,
        input_name="X",
    )
    return checked


def _refuse_all_missing(X: Array) -> None:
    if np.isnan(X).all():
        raise ValueError("Every value of X is NaN: there is nothing to learn from.")


def check_real(estimator: Any, X: Any, *, reset: bool) -> Array:
    """Observations as a C-contiguous float32 or float64 matrix; integers become float64."""
    checked = _checked(estimator, X, reset=reset)
    if checked.dtype.kind in "iu":
        checked = checked.astype(np.float64)
    if reset and not _core.all_finite(checked, 1):
        _refuse_all_missing(checked)
    return checked


def check_counts(estimator: Any, X: Any, *, reset: bool) -> Array:
    """Non-negative whole numbers as floats.

    Raises
    ------
    ValueError
        For negative values, fractions, or counts from 2**53 on, where floats are no counts any more.
    """
    checked = check_real(estimator, X, reset=reset)
    with np.errstate(invalid="ignore"):
        fractions = np.asarray(checked != np.floor(checked)) & ~np.isnan(checked)
        if (checked < 0).any() or (checked >= 2.0**53).any() or fractions.any():
            raise ValueError(
                f"X passed to {type(estimator).__name__} must hold counts: non-negative whole numbers "
                "below 2**53 (NaN where missing)."
            )
    return checked


def check_symbols(estimator: Any, X: Any, *, reset: bool) -> Array:
    """One column of symbols 0, 1, ... as int64 of shape (n,), -1 where missing.

    Raises
    ------
    ValueError
        For several columns, negative values or fractions.
    """
    checked = _checked(estimator, X, reset=reset)
    if reset and checked.dtype.kind == "f":
        _refuse_all_missing(checked)
    if checked.shape[1] != 1:
        raise ValueError(
            f"X has {checked.shape[1]} features, but {type(estimator).__name__} is expecting 1 features as "
            "input: one column of symbols. Pass X.reshape(-1, 1) for one sequence, or use MixedHMM."
        )
    column = checked[:, 0]
    if column.dtype.kind == "f":
        gone = np.isnan(column)
        if gone.any():
            column = np.where(gone, 0.0, column)
            symbols = _whole(column)
            symbols[gone] = -1
            return symbols
        return _whole(column)
    if column.size and column.min() < 0:
        raise ValueError("Symbols should be nonnegative integers")
    return np.ascontiguousarray(column, dtype=np.int64)


def _whole(column: Array) -> Array:
    if column.min() < 0 or (column != np.floor(column)).any() or column.max() >= 2**53:
        raise ValueError("Symbols should be nonnegative integers")
    return column.astype(np.int64)
