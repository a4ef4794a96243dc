"""Agreement of two labellings of the same rows: alignment and purity."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.utils import check_array, check_consistent_length, column_or_1d

__all__ = ["align_labels", "purity_score"]


class _Contingency:
    """Weight that each pair of labels shares; rows are true classes, columns predicted ones, both sorted."""

    def __init__(self, labels_true: Any, labels_pred: Any, sample_weight: Any) -> None:
        true = column_or_1d(labels_true)
        pred = column_or_1d(labels_pred)
        check_consistent_length(true, pred)
        if true.shape[0] == 0:
            raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
        self.classes, rows = np.unique(true, return_inverse=True)
        self.clusters, self.columns = np.unique(pred, return_inverse=True)
        if sample_weight is not None:
            sample_weight = check_array(
                sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
            )
            check_consistent_length(true, sample_weight)
            if sample_weight.ndim != 1:
                raise ValueError("Sample weights must be 1D array or scalar")
            if np.any(sample_weight < 0):
                raise ValueError("Negative values in data passed to `sample_weight`")
        shape = (self.classes.size, self.clusters.size)
        cells = np.bincount(rows * shape[1] + self.columns, sample_weight, shape[0] * shape[1])
        self.table: npt.NDArray[Any] = cells.reshape(shape)


@overload
def align_labels(
    labels_true: Any, labels_pred: Any, *, sample_weight: Any = ..., return_mapping: Literal[False] = ...
) -> npt.NDArray[Any]: ...
@overload
def align_labels(
    labels_true: Any, labels_pred: Any, *, sample_weight: Any = ..., return_mapping: Literal[True]
) -> tuple[npt.NDArray[Any], dict[Any, Any]]: ...
def align_labels(
    labels_true: Any, labels_pred: Any, *, sample_weight: Any = None, return_mapping: bool = False
) -> npt.NDArray[Any] | tuple[npt.NDArray[Any], dict[Any, Any]]:
    r"""Rename the clusters of one labelling so that it agrees with another in as many rows as possible.

    The numbers of clusters are arbitrary; before two labellings are compared row by row, in a confusion
    matrix or in a picture, one of them has to be renamed. The best one-to-one renaming

    .. math:: \max_{\pi} \sum_i w_i\, [\,y_i = \pi(\hat y_i)\,]

    is a linear assignment problem on the contingency table and is solved exactly (the Hungarian problem; Kuhn
    1955, requirement 18.26), in :math:`O(n + k^3)` time.

    Parameters
    ----------
    labels_true : array-like of shape (n_samples,)
        The labelling whose names are kept: class labels, or the clusters of an earlier fit. Integers or
        strings.
    labels_pred : array-like of shape (n_samples,)
        The labelling to rename.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights :math:`w_i`; None means ones.
    return_mapping : bool, default=False
        Also return the renaming.

    Returns
    -------
    aligned : ndarray of shape (n_samples,)
        ``labels_pred`` with the names, and the dtype, of ``labels_true``. When ``labels_pred`` has more
        distinct labels than ``labels_true``, those left over, in ascending order, get the integers after the
        greatest label of both.
    mapping : dict
        Old label to new label. Only with ``return_mapping=True``.

    Raises
    ------
    ValueError
        If the arguments are empty or of unequal length, if weights are negative or not finite, or if there
        are more predicted than true labels and the true ones are not integers (there is no name to invent
        then).

    See Also
    --------
    sklearn.metrics.adjusted_rand_score : An agreement that needs no renaming.

    References
    ----------
    H. W. Kuhn (1955). The Hungarian method for the assignment problem. Naval Research Logistics Quarterly 2,
    83-97.

    Examples
    --------
    >>> from mlcore.metrics import align_labels
    >>> align_labels([0, 0, 1, 1, 2], [2, 2, 0, 0, 1])
    array([0, 0, 1, 1, 2])
    >>> align_labels(["cat", "cat", "dog"], [1, 1, 0]).tolist()
    ['cat', 'cat', 'dog']
    """
    counts = _Contingency(labels_true, labels_pred, sample_weight)
    rows, columns = linear_sum_assignment(counts.table, maximize=True)
    n_clusters = counts.clusters.size
    left_over = np.setdiff1d(np.arange(n_clusters), columns)
    names = np.empty(n_clusters, dtype=counts.classes.dtype)
    names[columns] = counts.classes[rows]
    if left_over.size:
        if counts.classes.dtype.kind not in "iu":
            raise ValueError(
                f"labels_pred has {n_clusters} distinct labels but labels_true only {counts.classes.size}; "
                "names for the others can be found only when labels_true are integers."
            )
        names = names.astype(np.int64)
        greatest = int(counts.classes[-1])
        if counts.clusters.dtype.kind in "iu":
            greatest = max(greatest, int(counts.clusters[-1]))
        names[left_over] = np.arange(greatest + 1, greatest + 1 + left_over.size)
    aligned: npt.NDArray[Any] = names[counts.columns]
    if return_mapping:
        return aligned, dict(zip(counts.clusters.tolist(), names.tolist()))
    return aligned


def purity_score(labels_true: Any, labels_pred: Any, *, sample_weight: Any = None) -> float:
    r"""Share of the rows that belong to the most frequent class of their cluster.

    .. math:: \frac{1}{\sum_i w_i} \sum_c \max_j \sum_{i:\, \hat y_i = c,\, y_i = j} w_i

    (requirement 18.25; Manning, Raghavan and Schütze 2008, section 16.3). It never falls when a cluster is
    split, so it compares clusterings with the same number of clusters only.

    Parameters
    ----------
    labels_true : array-like of shape (n_samples,)
        Class labels, integers or strings.
    labels_pred : array-like of shape (n_samples,)
        Cluster labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights :math:`w_i`, not all zero; None means ones.

    Returns
    -------
    purity : float
        In (0, 1]; 1 when no cluster mixes classes.

    Raises
    ------
    ValueError
        If the arguments are empty or of unequal length, or if weights are negative, not finite or all zero.

    References
    ----------
    C. D. Manning, P. Raghavan, H. Schütze (2008). Introduction to Information Retrieval. Cambridge
    University Press.

    Examples
    --------
    >>> from mlcore.metrics import purity_score
    >>> purity_score(["a", "a", "b", "b", "b"], [0, 0, 0, 1, 1])
    0.8
    """
    table = _Contingency(labels_true, labels_pred, sample_weight).table
    total = table.sum()
    if total == 0:
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return float(table.max(axis=0).sum() / total)
