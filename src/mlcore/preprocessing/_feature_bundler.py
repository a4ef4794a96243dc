"""Exclusive feature bundling (requirement 12.15).

Nouns: a column is *present* in a row where it is not 0. Two columns *conflict* in a row where both are
present. A *bundle* is a set of columns with few conflicts that share one column of the output. A *code* is
the number of a present value's bin in its column, from 1; a bundle's value is the column's *offset* plus the
code, and 0 where no column of it is present.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from .._validation import atomic_fit, validate_parameters

__all__ = ["ExclusiveFeatureBundler"]

# float32 holds all integers up to here.
_MOST_CODES = 2**24


def _edges(values: npt.NDArray[Any], max_bins: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Upper edges of the bins of present values, and a representative of each bin."""
    distinct, counts = np.unique(values, return_counts=True)
    if distinct.size > max_bins:
        # About the same number of rows in each bin; equal values stay together.
        bin_of = (np.cumsum(counts) - 1) * max_bins // values.size
        last = np.append(np.flatnonzero(np.diff(bin_of)), distinct.size - 1)
        first = np.append(0, last[:-1] + 1)
        sums = np.add.reduceat(distinct.astype(np.float64) * counts, first)
        return distinct[last], (sums / np.add.reduceat(counts, first)).astype(values.dtype)
    return distinct, distinct


class ExclusiveFeatureBundler(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Put sparse columns that are hardly ever present together into one column.

    Finding the fewest bundles without conflicts is graph colouring. The greedy answer of [1]_: take the
    columns by falling number of conflicts with all others (their degree in the conflict graph, weighted), and
    put each into the first bundle where the conflicts of the bundle stay within the budget; if there is none,
    open a new one. Inside a bundle the columns get ranges of their own: column k with :math:`K_k` codes owns
    the values :math:`o_k + 1, \ldots, o_k + K_k` with :math:`o_k = \sum_{l<k} K_l`.

    A histogram tree on a conflict-free bundle has the splits of the columns in it: the ranges do not mix.

    Parameters
    ----------
    max_conflict_rate : float, default=0.0
        Budget of a bundle: the share of rows that may have more than one of its columns present. There the
        column that joined the bundle last wins.
    max_bins : int, default=255
        Codes of one column at most; a column with more distinct values is cut at its quantiles.

    Attributes
    ----------
    bundles_ : list of ndarray of int
        The columns of each bundle, in the order in which they joined.
    offsets_ : list of ndarray of int
        :math:`o_k` of each of these columns.
    bin_edges_ : list of ndarray
        Upper edges of the bins of each input column's present values.
    conflict_counts_ : ndarray of shape (n_features, n_features), int64
        Number of rows where both columns are present; the diagonal says where one is.
    n_conflicts_ : ndarray of shape (n_bundles,), int64
        Rows of the training data in which a bundle had to drop a value.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when ``X`` has names that are all strings.

    Notes
    -----
    The counts are one sparse product, the colouring is quadratic in the number of columns.

    References
    ----------
    .. [1] G. Ke et al., "LightGBM: a highly efficient gradient boosting decision tree", NeurIPS 2017,
       algorithms 3 and 4.

    Examples
    --------
    The indicators of a category never meet, so they are one column again.

    >>> import numpy as np
    >>> from mlcore.preprocessing import ExclusiveFeatureBundler
    >>> X = np.eye(3)[[0, 1, 2, 1]]
    >>> bundler = ExclusiveFeatureBundler().fit(X)
    >>> bundler.transform(X)
    array([[1.],
           [2.],
           [3.],
           [2.]])
    >>> bool((bundler.inverse_transform(bundler.transform(X)) == X).all())
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "max_conflict_rate": [Interval(Real, 0, 1, closed="left")],
        "max_bins": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, *, max_conflict_rate: float = 0.0, max_bins: int = 255) -> None:
        self.max_conflict_rate = max_conflict_rate
        self.max_bins = max_bins

    def _columns(self, X: Any, *, reset: bool) -> Any:
        X = validate_data(self, X, reset=reset, accept_sparse="csc", dtype=[np.float64, np.float32])
        X = sp.csc_array(X)
        if X.has_canonical_format and (X.data.size == 0 or X.data.all()):
            return X
        X = X.copy()
        X.sum_duplicates()
        X.eliminate_zeros()
        return X

    @atomic_fit
    def fit(self, X: Any, y: Any = None) -> ExclusiveFeatureBundler:
        """Find the bundles.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Finite numbers; 0 means absent.
        y : Ignored
            Present for consistency of the interface.

        Returns
        -------
        self : ExclusiveFeatureBundler
        """
        validate_parameters(self)
        columns = self._columns(X, reset=True)
        n_rows, n_features = columns.shape
        present = sp.csc_array(
            (np.ones(columns.data.size, dtype=np.int64), columns.indices, columns.indptr), shape=columns.shape
        )
        conflicts = np.asarray((present.T @ present).todense(), dtype=np.int64)
        found = [
            _edges(columns.data[columns.indptr[j] : columns.indptr[j + 1]], self.max_bins)
            for j in range(n_features)
        ]
        self.bin_edges_ = [edges for edges, _ in found]
        self._representatives = [values for _, values in found]
        self.conflict_counts_ = conflicts
        self.bundles_, self.n_conflicts_ = self._colour(
            columns, conflicts, int(self.max_conflict_rate * n_rows)
        )
        self.offsets_ = []
        for bundle in self.bundles_:
            sizes = [self.bin_edges_[j].size for j in bundle]
            self.offsets_.append(np.concatenate([[0], np.cumsum(sizes[:-1])]).astype(np.int64))
        return self

    def _colour(
        self, columns: Any, conflicts: npt.NDArray[np.int64], budget: int
    ) -> tuple[list[npt.NDArray[np.int64]], npt.NDArray[np.int64]]:
        degree = conflicts.sum(axis=1) - conflicts.diagonal()
        bundles: list[list[int]] = []
        taken: list[npt.NDArray[np.bool_]] = []  # rows where a bundle has a value
        dropped: list[int] = []
        codes: list[int] = []
        for j in np.argsort(-degree, kind="stable"):
            rows = columns.indices[columns.indptr[j] : columns.indptr[j + 1]]
            size = self.bin_edges_[j].size
            for b in range(len(bundles)):
                if codes[b] + size > _MOST_CODES:
                    continue
                # The pairwise counts bound the conflicts from below: the rows are looked at only if needed.
                if conflicts[j, bundles[b]].max() + dropped[b] > budget:
                    continue
                clash = int(taken[b][rows].sum())
                if dropped[b] + clash <= budget:
                    bundles[b].append(int(j))
                    taken[b][rows] = True
                    dropped[b] += clash
                    codes[b] += size
                    break
            else:
                bundles.append([int(j)])
                taken.append(np.zeros(columns.shape[0], dtype=bool))
                taken[-1][rows] = True
                dropped.append(0)
                codes.append(size)
        return [np.array(bundle, dtype=np.int64) for bundle in bundles], np.array(dropped, dtype=np.int64)

    def transform(self, X: Any) -> npt.NDArray[Any]:
        """One column a bundle.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New data. A value beyond those seen in ``fit`` gets the nearest code of its column.

        Returns
        -------
        bundled : ndarray of shape (n_samples, n_bundles)
            Whole numbers, in the dtype of ``X``: offset plus code of the column that is present, or 0.
        """
        check_is_fitted(self)
        columns = self._columns(X, reset=False)
        bundled = np.zeros((columns.shape[0], len(self.bundles_)), dtype=columns.dtype, order="F")
        for b, (bundle, offsets) in enumerate(zip(self.bundles_, self.offsets_)):
            for j, offset in zip(bundle, offsets):
                edges = self.bin_edges_[j]
                if edges.size == 0:  # never present in training: it has no code
                    continue
                part = slice(columns.indptr[j], columns.indptr[j + 1])
                code = np.minimum(np.searchsorted(edges, columns.data[part]), edges.size - 1) + 1
                bundled[columns.indices[part], b] = offset + code
        return bundled

    def inverse_transform(self, X: Any) -> npt.NDArray[Any]:
        """The columns again: exact where no value was dropped and no column was cut at quantiles.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_bundles)
            What ``transform`` returned.

        Returns
        -------
        columns : ndarray of shape (n_samples, n_features)
            A value that shared its bin with others comes back as their mean.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=[np.float64, np.float32])
        if X.shape[1] != len(self.bundles_):
            raise ValueError(f"X has {X.shape[1]} columns, but there are {len(self.bundles_)} bundles.")
        columns = np.zeros((X.shape[0], self.n_features_in_), dtype=X.dtype)
        for b, (bundle, offsets) in enumerate(zip(self.bundles_, self.offsets_)):
            value = X[:, b].astype(np.int64)
            for j, offset in zip(bundle, offsets):
                rows = np.flatnonzero((value > offset) & (value <= offset + self.bin_edges_[j].size))
                columns[rows, j] = self._representatives[j][value[rows] - offset - 1]
        return columns

    @property
    def _n_features_out(self) -> int:
        return len(self.bundles_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
