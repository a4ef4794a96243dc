"""How the splits of the trees are sought: ``tree_method``.

A *source* gives the native grower for the next tree, and the training rows in the form in which new trees are
added up on them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .. import _core
from ._parts import Part
from ._sparse import SparseColumns, binned_matrix
from ._tree_arrays import Tree, TreeList

__all__ = ["BinnedRows", "PlainRows", "Rows", "Source", "make_source"]

Floats = npt.NDArray[np.float64]


class Rows(Protocol):
    """Rows of data that trees are evaluated on."""

    def add_one(self, tree: Tree, raw: Floats, threads: int) -> None:
        """Add one tree to raw, of shape (n_rows,)."""


class BinnedRows:
    """As bins, for trees grown on the same bins."""

    def __init__(self, binned: Any) -> None:
        self.binned = binned

    def add_one(self, tree: Tree, raw: Floats, threads: int) -> None:
        _core.tree.add_tree(tree, self.binned, raw, threads)


class PlainRows:
    """As they are, for trees that have bins of their own, or none."""

    def __init__(self, X: Any) -> None:
        self.X = X

    def add_one(self, tree: Tree, raw: Floats, threads: int) -> None:
        TreeList(1, [tree]).add_to(raw[np.newaxis], self.X, 0, 1, threads)


class Source(Protocol):
    """See the module."""

    rows: Rows
    #: Whether the bins of the trees mean the same for all of them.
    has_bins: bool
    #: The training rows as an array, where linear leaves are wanted.
    X: Any

    def rows_of(self, X: Any) -> Rows:
        """Other rows in the same form."""

    def grower(self, hessians: npt.NDArray[np.float32], sample: npt.NDArray[np.uint32] | None) -> Any:
        """The native grower for a tree with these Hessians (one for all, or one a row) on these rows."""


class _Histogram:
    """Bins of equal numbers of rows, made once."""

    has_bins = True

    def __init__(self, model: Any, X: Any, train: Part, options: dict[str, Any], threads: int) -> None:
        self._threads = threads
        rows, weights = train.quantile_rows(model._random_seed)
        max_bins = int(model.max_bins)
        self._counts = None if model._codes is None else model._codes.counts()
        bundle = bool(model.bundle_features)
        if isinstance(X, SparseColumns):
            sample = X if rows is None else X[rows]
            self._thresholds = _core.tree.find_bins_of_columns(
                sample.columns(), weights, max_bins, X.absent_is_missing, threads
            )
        else:
            of_all = weights
            if weights is not None and rows is not None:
                of_all = np.zeros(X.shape[0])
                of_all[rows] = weights
            self._thresholds = _core.tree.find_bins(X, of_all, rows, max_bins, _mask(model), threads)
        mine = train.matrix(X)
        binned = binned_matrix(mine, self._thresholds, self._counts, threads, bundle)
        self._linear = bool(model.linear_leaves)
        self.X: Any = _array_of(mine) if self._linear else None
        self.rows: Rows = PlainRows(mine) if self._linear else BinnedRows(binned)
        self._grower = _core.tree.Grower(binned, **options)

    def rows_of(self, X: Any) -> Rows:
        if self._linear:
            return PlainRows(X)
        return BinnedRows(binned_matrix(X, self._thresholds, self._counts, self._threads))

    def grower(self, hessians: Any, sample: Any) -> Any:
        return self._grower


class _Unbinned:
    """What the other methods share: the training rows as an array of floats."""

    has_bins = False

    def __init__(self, model: Any, X: Any, train: Part, options: dict[str, Any], threads: int) -> None:
        X = train.matrix(X)
        self.rows: Rows = PlainRows(X)
        self.X: Any = _array_of(X)
        self._counts = None if model._codes is None else model._codes.counts()
        self._options, self._threads = options, threads

    def rows_of(self, X: Any) -> Rows:
        return PlainRows(X)


class _Exact(_Unbinned):
    """Columns sorted once."""

    def __init__(self, model: Any, X: Any, train: Part, options: dict[str, Any], threads: int) -> None:
        super().__init__(model, X, train, options, threads)
        matrix = _core.tree.SortedMatrix(self.X, self._counts, threads)
        self._grower = _core.tree.ExactGrower(matrix, **options)

    def grower(self, hessians: Any, sample: Any) -> Any:
        return self._grower


class _Sketched(_Unbinned):
    """Bins of equal sums of Hessians, made anew for each tree."""

    def __init__(self, model: Any, X: Any, train: Part, options: dict[str, Any], threads: int) -> None:
        super().__init__(model, X, train, options, threads)
        self._mask, self._max_bins = _mask(model), int(model.max_bins)
        self._grower: Any = None
        self._constant = False

    def grower(self, hessians: npt.NDArray[np.float32], sample: npt.NDArray[np.uint32] | None) -> Any:
        constant = hessians.size == 1 and sample is None
        if not (constant and self._constant):
            self._grower = None  # its bins first: they are as large as the new ones
            thresholds = _core.tree.sketch_bins(
                self.X, hessians, sample, self._max_bins, self._mask, self._threads
            )
            binned = _core.tree.BinnedMatrix(self.X, thresholds, self._counts, self._threads)
            self._grower = _core.tree.Grower(binned, **self._options)
            self._constant = constant
        return self._grower


def _array_of(X: Any) -> Any:
    return X.dense() if isinstance(X, SparseColumns) else X


def _mask(model: Any) -> npt.NDArray[np.uint8] | None:
    return None if model.is_categorical_ is None else model.is_categorical_.astype(np.uint8)


def make_source(
    model: Any,
    X: Any,
    train: Part,
    monotonic: npt.NDArray[np.int8],
    groups: list[list[int]] | None,
    threads: int,
) -> Source:
    """The source that ``model.tree_method`` names, for the training rows of X."""
    options = {
        "learning_rate": float(model.learning_rate),
        "max_leaf_nodes": int(model.max_leaf_nodes or 0),
        "max_depth": int(model.max_depth or 0),
        "min_samples_leaf": int(model.min_samples_leaf),
        "min_child_weight": float(model.min_child_weight),
        "l2": float(model.l2_regularization),
        "l1": float(model.l1_regularization),
        "min_split_gain": float(model.min_split_gain),
        "growth": model.growth,
        "monotonic_cst": monotonic if monotonic.any() else None,
        "interaction_cst": groups,
        "colsample_bylevel": float(model.colsample_bylevel),
        "colsample_bynode": float(model.max_features),
        "n_threads": threads,
    }
    methods: dict[str, Callable[..., Source]] = {"hist": _Histogram, "exact": _Exact, "approx": _Sketched}
    return methods[model.tree_method](model, X, train, options, threads)
