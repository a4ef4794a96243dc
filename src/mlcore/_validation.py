"""Checks that the estimators share: parameters, data, weights, threads and seeds.

The rules and the wording are scikit-learn's, and every complaint comes from its own functions. What is added
is a short way for input that is plainly good (an aligned, finite float array; parameters seen before),
because on small data these checks cost more than the numerics.
"""

from __future__ import annotations

import functools
import sys
import threading
import types
import warnings
from collections.abc import Callable
from numbers import Integral
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn import get_config
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, validate_data

from . import _core

__all__ = [
    "NativeMatrix",
    "atomic_fit",
    "check_data",
    "check_weights",
    "draw_seed",
    "native_matrix",
    "native_threads",
    "tidy",
    "validate_parameters",
    "warn_user",
]

#: What the native side takes: a dense array in any strides, or (data, indices, indptr, n_features) of a CSR
#: matrix.
NativeMatrix: TypeAlias = npt.NDArray[Any] | tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], int]

_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))

_P = ParamSpec("_P")
_R = TypeVar("_R")
_S = TypeVar("_S")


def _refuse_overflow(state: dict[str, Any]) -> None:
    """An objective that is not finite, or centres whose distances are not, must not become a model."""
    inertia = state.get("inertia_", 0.0)
    fine = inertia - inertia == 0.0
    centers = state.get("cluster_centers_")
    if fine and centers is not None and not np.isfinite(np.vdot(centers, centers)):
        with np.errstate(over="ignore", invalid="ignore"):  # far from 0, perhaps near each other
            fine = bool(np.isfinite(np.square(np.ptp(centers, axis=0)).sum()))
    if not fine:
        raise ValueError(
            "The values of X are too large or too small: squared distances overflow or vanish; scale it."
        )


def atomic_fit(method: Callable[Concatenate[_S, _P], _R]) -> Callable[Concatenate[_S, _P], _R]:
    """Make a fitting method leave the estimator as it was when it raises (Ctrl-C included).

    The attributes are put back; objects that the method changes in place are its own business.
    """

    @functools.wraps(method)
    def wrapper(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        before = vars(self).copy()
        try:
            result = method(self, *args, **kwargs)
            _refuse_overflow(vars(self))
            return result
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return wrapper


# Values whose validity is a matter of type and value, and values whose validity is a matter of type alone.
_BY_VALUE = frozenset({int, float, str, bool, type(None)})
_BY_TYPE = frozenset({np.ndarray, np.random.RandomState, types.FunctionType, types.MethodType})
_accepted_parameters: set[tuple[Any, ...]] = set()
_ACCEPTED_LIMIT = 4096


def validate_parameters(estimator: Any) -> None:
    """Check the constructor parameters against ``_parameter_constraints``.

    Combinations that have passed before are remembered: scikit-learn's check takes 40 us, as long as a small
    fit.

    Raises
    ------
    InvalidParameterError
        scikit-learn's subclass of ValueError and TypeError, with its wording.
    """
    state = vars(estimator)
    key: list[Any] = [type(estimator)]
    for name in estimator._parameter_constraints:
        value = state.get(name)
        kind = type(value)
        if kind in _BY_VALUE:
            key += (kind, value)
        elif kind in _BY_TYPE:
            key.append(kind)
        else:
            break
    else:
        accepted = tuple(key)
        if accepted in _accepted_parameters:
            return
        if get_config()["skip_parameter_validation"]:
            return
        estimator._validate_params()
        if len(_accepted_parameters) >= _ACCEPTED_LIMIT:
            _accepted_parameters.clear()
        _accepted_parameters.add(accepted)
        return
    if not get_config()["skip_parameter_validation"]:
        estimator._validate_params()


def _is_plain(X: Any, n_jobs: int) -> bool:
    """True for arrays that no check of scikit-learn's would change or refuse."""
    return (
        type(X) in (np.ndarray, np.memmap)
        and X.ndim == 2
        and X.dtype in _FLOATS
        and X.size > 0
        and X.flags.aligned
        and (get_config()["assume_finite"] or _core.all_finite(X, n_jobs))
    )


def check_data(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Check the data matrix of a fit (``reset=True``) or of a later call.

    Sets or compares ``n_features_in_`` and ``feature_names_in_``.

    Parameters
    ----------
    estimator : estimator
        Named in messages; carries the attributes.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        float32 and float64 arrays of any layout, and CSR matrices of these types, are returned as they are;
        other numeric types become float64, other sparse formats CSR.
    reset : bool
        True in ``fit``.

    Returns
    -------
    X : ndarray or CSR matrix
        Finite, float32 or float64.

    Raises
    ------
    ValueError, TypeError
        As :func:`sklearn.utils.validation.validate_data`.
    """
    state = vars(estimator)
    if (
        (reset or (state.get("n_features_in_") == getattr(X, "shape", (0, 0))[-1]))
        and "feature_names_in_" not in state
        and _is_plain(X, state.get("n_jobs") or 0)
    ):
        if reset:
            estimator.n_features_in_ = X.shape[1]
        return X
    X = validate_data(
        estimator, X, reset=reset, accept_sparse="csr", accept_large_sparse=True, dtype=list(_FLOATS)
    )
    return tidy(X)


def tidy(X: Any) -> Any:
    """Checked data as the native side takes them: an aligned array, or CSR with every entry stored once."""
    if sp.issparse(X):
        return _tidy_csr(X)
    return X if X.flags.aligned else X.copy()


def _tidy_csr(X: Any) -> Any:
    """CSR with one index type and every entry stored once; X itself when it is so already."""
    if X.indices.dtype != X.indptr.dtype:
        wide = np.result_type(X.indices.dtype, X.indptr.dtype)
        parts = (X.data, X.indices.astype(wide, copy=False), X.indptr.astype(wide, copy=False))
        X = type(X)(parts, shape=X.shape, copy=False)
    if not X.has_canonical_format:
        # The square of an entry that is stored as two summands is not the sum of their squares.
        X = X.copy()
        X.sum_duplicates()
    return X


def native_matrix(X: Any) -> NativeMatrix:
    """The form in which checked data go to the native side; nothing is copied."""
    if isinstance(X, np.ndarray):
        return X
    return X.data, X.indices, X.indptr, X.shape[1]


def check_weights(sample_weight: Any, X: Any) -> npt.NDArray[Any] | None:
    """Check sample weights against the checked data ``X``.

    Parameters
    ----------
    sample_weight : None, number or array-like of shape (n_samples,)
        None means ones.
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Gives length and dtype.

    Returns
    -------
    weights : ndarray of shape (n_samples,) with the dtype of X, or None
        None when all weights are 1, so that both ways to say so give the same result.

    Raises
    ------
    ValueError
        If the weights have the wrong length or shape, are not finite, negative, or all zero.
    TypeError
        If they are an array without dimensions.
    """
    if sample_weight is None:
        return None
    weights: npt.NDArray[Any] = _check_sample_weight(sample_weight, X, dtype=X.dtype)
    lowest = weights.min()
    if lowest < 0:
        raise ValueError("Negative values in data passed to `sample_weight`")
    if not weights.any():  # scikit-learn says so itself from 1.9 on
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return None if lowest == 1 == weights.max() else weights


def native_threads(n_jobs: int | None) -> int:
    """``n_jobs`` as the native side takes it, where 0 stands for "as many as allowed".

    Raises
    ------
    ValueError
        If ``n_jobs`` is 0 or not an integer.
    """
    if n_jobs is None:
        return 0
    if not isinstance(n_jobs, Integral):
        raise ValueError(f"n_jobs must be an int or None, got {n_jobs!r} instead.")
    if n_jobs == 0:
        raise ValueError("n_jobs == 0 has no meaning; use None for all allowed threads.")
    return int(n_jobs)


class _Scratch(threading.local):
    """One generator per thread, seeded anew at each use: to make one costs 80 us, to seed one 5 us."""

    def __init__(self) -> None:
        self.generator = np.random.RandomState(0)


_scratch = _Scratch()


def draw_seed(random_state: Any) -> int:
    """One 63-bit seed for the native generator.

    An int gives the seed that ``RandomState(int)`` would give; a generator is consumed.
    """
    if type(random_state) is int:
        generator = _scratch.generator
        generator.seed(random_state)
    else:
        generator = check_random_state(random_state)
    return int(generator.randint(0, np.iinfo(np.int64).max, dtype=np.int64))


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn, and name as the place the first caller outside this package."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("mlcore."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
