"""The products of feature maps: kernel values and linear maps by the core, in the float type of the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.metrics.pairwise import pairwise_kernels

from .. import _core
from .._validation import native_matrix, native_threads

__all__ = ["finite", "kernel_values", "map_rows"]

_NATIVE = {"linear": 0, "poly": 1, "polynomial": 1, "rbf": 2, "sigmoid": 3}


def _table(X: Any) -> Any:
    """As the core takes it."""
    return native_matrix(X if sp.issparse(X) else np.ascontiguousarray(X))


def kernel_values(
    X: Any, Y: Any, kernel: Any, params: dict[str, Any], n_jobs: int | None
) -> npt.NDArray[Any]:
    """Gram matrix (n, m) of the rows of X and Y: natively for the kernels of the core, else theirs."""
    degree = params.get("degree", 3)
    native = isinstance(kernel, str) and kernel in _NATIVE and float(degree).is_integer() and degree < 2**31
    same_kind = sp.issparse(X) == sp.issparse(Y) and X.dtype == Y.dtype
    if not (native and same_kind):
        values: npt.NDArray[Any] = pairwise_kernels(X, Y, metric=kernel, filter_params=True, **params)
        return values
    gamma = float(params.get("gamma", 1.0 / X.shape[1]))
    spec = (_NATIVE[kernel], gamma, float(params.get("coef0", 1.0)), int(degree))
    if sp.issparse(X) and X.indices.dtype != Y.indices.dtype:
        wide = np.result_type(X.indices.dtype, Y.indices.dtype)
        X, Y = (
            type(Z)((Z.data, Z.indices.astype(wide), Z.indptr.astype(wide)), shape=Z.shape) for Z in (X, Y)
        )
    return _core.svm.kernel_matrix(_table(X), _table(Y), spec, native_threads(n_jobs))


def finite(values: npt.NDArray[Any], n_jobs: int | None) -> npt.NDArray[Any]:
    """The values, unless some have overflown."""
    if not _core.all_finite(values, native_threads(n_jobs)):
        raise ValueError("The features are not finite: the values of X are too large; scale it.")
    return values


def map_rows(X: Any, weights: npt.NDArray[Any], n_jobs: int | None) -> npt.NDArray[Any]:
    """X @ weights for a table X (n, d) and weights (d, m), in the float type of X."""
    rows = np.ascontiguousarray(weights.T, dtype=X.dtype)
    if sp.issparse(X):
        index = X.indices.dtype
        dense = sp.csr_array(rows)
        columns = (dense.data, dense.indices.astype(index), dense.indptr.astype(index), X.shape[1])
        return _core.svm.kernel_matrix(native_matrix(X), columns, (0, 0.0, 0.0, 3), native_threads(n_jobs))
    return _core.svm.kernel_matrix(_table(X), rows, (0, 0.0, 0.0, 3), native_threads(n_jobs))
