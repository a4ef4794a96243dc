"""Sparse data: columns for training, dense blocks of rows for prediction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .. import _core

__all__ = ["SparseColumns", "binned_matrix", "without_zeros"]

#: Values of a dense block of rows.
_BLOCK = 1 << 20


class SparseColumns:
    """A sparse matrix by columns, without duplicates and without stored zeros.

    Parameters
    ----------
    matrix : sparse array or matrix
        Not changed.
    absent_is_missing : bool
        Whether an entry that is not stored is missing; else it is 0.
    """

    def __init__(self, matrix: Any, absent_is_missing: bool) -> None:
        columns = sp.csc_array(matrix)
        if not columns.has_canonical_format or (columns.data.size and not columns.data.all()):
            columns = columns.copy()
            columns.sum_duplicates()
            columns.eliminate_zeros()
        self.matrix, self.absent_is_missing = columns, absent_is_missing

    @property
    def shape(self) -> tuple[int, int]:
        return int(self.matrix.shape[0]), int(self.matrix.shape[1])

    @property
    def nbytes(self) -> int:
        return int(self.matrix.data.nbytes + self.matrix.indices.nbytes + self.matrix.indptr.nbytes)

    def __getitem__(self, rows: Any) -> SparseColumns:
        return SparseColumns(self.matrix[rows], self.absent_is_missing)

    def columns(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], int]:
        """What the native side takes: values, row numbers, where columns begin, number of rows."""
        X = self.matrix
        index = np.int64 if np.int64 in (X.indices.dtype, X.indptr.dtype) else np.int32
        return X.data, X.indices.astype(index, copy=False), X.indptr.astype(index, copy=False), self.shape[0]

    def dense(self) -> npt.NDArray[Any]:
        """All of it as an array in column-major order."""
        X: npt.NDArray[Any] = self.matrix.toarray(order="F")
        return without_zeros(X) if self.absent_is_missing else X

    def dense_blocks(self, used: npt.NDArray[np.intp]) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        """First row and values of blocks of rows, only of the columns named."""
        rows = self.matrix[:, used].tocsr()
        step = max(1, _BLOCK // max(1, used.size))
        for first in range(0, self.shape[0], step):
            block = rows[first : first + step].toarray()
            yield first, without_zeros(block) if self.absent_is_missing else block


def without_zeros(X: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy with NaN where X is 0."""
    changed: npt.NDArray[Any] = np.where(X == 0, X.dtype.type(np.nan), X)
    return changed


def binned_matrix(
    X: Any,
    thresholds: list[npt.NDArray[np.float64]],
    counts: npt.NDArray[np.int32] | None,
    threads: int,
    bundle: bool = False,
) -> Any:
    """Bins of a dense or sparse matrix; ``counts`` are the numbers of categories of dense columns, ``bundle``
    says whether sparse columns that are exclusive share memory."""
    if isinstance(X, SparseColumns):
        return _core.tree.BinnedMatrix.of_columns(
            X.columns(), thresholds, X.absent_is_missing, bundle, threads
        )
    return _core.tree.BinnedMatrix(X, thresholds, counts, threads)
