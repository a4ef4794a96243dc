"""The sums behind one split, for data that come in blocks or lie on several machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from .. import _core
from .._validation import native_threads

__all__ = ["HistogramStatistics", "Split"]

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """The best split of some rows.

    Parameters
    ----------
    gain : float
        By how much it lowers the objective.
    feature : int
        Its column.
    bin : int
        Bins up to this one go left.
    threshold : float
        ``x <= threshold`` goes left; infinite where only missing values go right.
    missing_left : bool
        Where missing values go.
    left_gradient, left_hessian : float
        Sums over the left side.
    left_count : int
        Rows of the left side.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.tree import HistogramStatistics
    >>> X = np.array([[1.0], [2.0], [np.nan], [4.0]])
    >>> edges = HistogramStatistics.thresholds(X)
    >>> sums = HistogramStatistics.partial(X, edges, [1.0, 1.0, -1.0, -1.0])
    >>> split = sums.finish(edges, min_samples_leaf=1)
    >>> split.feature, split.threshold, split.missing_left, round(split.gain, 9)
    (0, 3.0, False, 2.0)
    """

    gain: float
    feature: int
    bin: int
    threshold: float
    missing_left: bool
    left_gradient: float
    left_hessian: float
    left_count: int


@dataclass(frozen=True, slots=True, eq=False)
class HistogramStatistics:
    r"""Sums of gradients and Hessians by bin, of a block of rows.

    A split over blocks is ``partial`` on each block, ``combine`` of the results in any grouping, and
    ``finish``. For bin b of column j

    .. math:: G_{jb} = \sum_{i: b_{ij} = b} \operatorname{round}(R g_i), \quad
              H_{jb} = \sum_{i: b_{ij} = b} \operatorname{round}(R h_i)

    with the resolution R: integers, so that the total does not depend on the blocks or their order, to the
    last bit. All blocks must use the same thresholds, of :meth:`thresholds` on a sample. A tree over shards
    takes the best split, has every shard divide its rows, and goes on with the rows of each side; the sums
    of the larger side are those of the parent minus the smaller one's (:meth:`without`).

    Parameters
    ----------
    gradients, hessians : ndarray of int64
        One number a bin, column after column; the last bin of a column is that of missing values.
    counts : ndarray of int64
        Rows.
    bins : ndarray of shape (n_features,), int64
        Bins of each column, the missing one counted.
    resolution : float
        R.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.tree import HistogramStatistics
    >>> X = np.arange(8.0).reshape(-1, 1)
    >>> gradients = np.where(X[:, 0] < 5, 1.0, -1.0)
    >>> edges = HistogramStatistics.thresholds(X)
    >>> first = HistogramStatistics.partial(X[:4], edges, gradients[:4])
    >>> second = HistogramStatistics.partial(X[4:], edges, gradients[4:])
    >>> split = first.combine(second).finish(edges, min_samples_leaf=1)
    >>> split.threshold, split.left_gradient, split.left_count
    (4.5, 5.0, 5)
    """

    gradients: Integers
    hessians: Integers
    counts: Integers
    bins: Integers
    resolution: float

    @staticmethod
    def thresholds(
        X: Any, sample_weight: Any = None, *, max_bins: int = 255, n_jobs: int | None = None
    ) -> list[npt.NDArray[np.float64]]:
        """Edges of the bins: midpoints of few distinct values, else quantiles.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            A sample of the rows; NaN is missing.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        max_bins : int, default=255
            Bins of a column at most, without the missing one.
        n_jobs : int or None, default=None
            Number of threads.

        Returns
        -------
        thresholds : list of ndarray of float64
            An increasing list for each column.
        """
        X = _checked(X)
        weights = None
        if sample_weight is not None:
            weights = column_or_1d(sample_weight, dtype=np.float64)
            check_consistent_length(X, weights)
        found: list[npt.NDArray[np.float64]] = _core.tree.find_bins(
            X, weights, None, max_bins, None, native_threads(n_jobs)
        )
        return found

    @classmethod
    def partial(
        cls,
        X: Any,
        thresholds: list[npt.NDArray[np.float64]],
        gradients: Any,
        hessians: Any = None,
        *,
        resolution: float = 2.0**20,
        n_jobs: int | None = None,
    ) -> HistogramStatistics:
        """Statistics of one block of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The block; NaN is missing.
        thresholds : list of ndarray
            Edges of the bins, the same for all blocks.
        gradients : array-like of shape (n_samples,)
            First derivatives, used in single precision.
        hessians : array-like of shape (n_samples,), default=None
            Second derivatives; None means ones.
        resolution : float, default=2**20
            Steps that a gradient of 1 has; the same for all blocks.
        n_jobs : int or None, default=None
            Number of threads.

        Returns
        -------
        statistics : HistogramStatistics

        Raises
        ------
        ValueError
            If the shapes do not fit, a derivative is not finite, or the sums could overflow.
        """
        X = _checked(X)
        g = column_or_1d(gradients, dtype=np.float32)
        h = np.ones(1, dtype=np.float32) if hessians is None else column_or_1d(hessians, dtype=np.float32)
        check_consistent_length(X, g)
        if hessians is not None:
            check_consistent_length(X, h)
        threads = native_threads(n_jobs)
        binned = _core.tree.BinnedMatrix(X, thresholds, None, threads)
        sums = _core.tree.histogram_partial(binned, g, h, None, float(resolution), threads)
        return cls(*sums, binned.n_bins().astype(np.int64) + 1, float(resolution))

    def _check_same(self, other: HistogramStatistics) -> None:
        if not np.array_equal(self.bins, other.bins) or self.resolution != other.resolution:
            raise ValueError("The statistics were taken with other thresholds, or another resolution.")

    def combine(self, other: HistogramStatistics) -> HistogramStatistics:
        """Statistics of the rows of both; neither is changed.

        Raises
        ------
        ValueError
            If they have other bins or another resolution.
        """
        self._check_same(other)
        return HistogramStatistics(
            self.gradients + other.gradients,
            self.hessians + other.hessians,
            self.counts + other.counts,
            self.bins,
            self.resolution,
        )

    def without(self, other: HistogramStatistics) -> HistogramStatistics:
        """Statistics of the rows that are not in the other one, which must be a part of this; exact.

        Raises
        ------
        ValueError
            If they have other bins or another resolution, or the other one is no part.
        """
        self._check_same(other)
        if (other.counts > self.counts).any():
            raise ValueError("The other statistics have rows that these have not.")
        return HistogramStatistics(
            self.gradients - other.gradients,
            self.hessians - other.hessians,
            self.counts - other.counts,
            self.bins,
            self.resolution,
        )

    def finish(
        self,
        thresholds: list[npt.NDArray[np.float64]],
        *,
        l2_regularization: float = 0.0,
        l1_regularization: float = 0.0,
        min_split_gain: float = 0.0,
        min_child_weight: float = 1e-3,
        min_samples_leaf: int = 20,
    ) -> Split | None:
        """The best split, see :func:`mlcore.tree.split_gain`; ties go to the lower column, then bin.

        Parameters
        ----------
        thresholds : list of ndarray
            As in ``partial``.
        l2_regularization, l1_regularization, min_split_gain, min_child_weight, min_samples_leaf : float
            As in :class:`mlcore.ensemble.HistGradientBoostingRegressor`.

        Returns
        -------
        split : Split or None
            None when no split lowers the objective.
        """
        if [len(edges) + 2 for edges in thresholds] != self.bins.tolist():
            raise ValueError("The statistics were taken with other thresholds.")
        found = _core.tree.histogram_finish(
            self.gradients,
            self.hessians,
            self.counts,
            self.bins.tolist(),
            self.resolution,
            l2=float(l2_regularization),
            l1=float(l1_regularization),
            min_split_gain=float(min_split_gain),
            min_child_weight=float(min_child_weight),
            min_samples_leaf=int(min_samples_leaf),
        )
        if found is None:
            return None
        gain, feature, place, missing_left, g, h, count = found
        edges = thresholds[feature]
        threshold = float(edges[place]) if place < len(edges) else float("inf")
        unit = self.resolution
        return Split(gain, feature, place, threshold, missing_left, g / unit, h / unit, count)


def _checked(X: Any) -> npt.NDArray[Any]:
    checked: npt.NDArray[Any] = check_array(X, dtype=[np.float64, np.float32], ensure_all_finite=False)
    return checked
