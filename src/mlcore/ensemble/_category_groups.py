"""Groups of categories, for columns that have more of them than a histogram has bins."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ._parts import Part

__all__ = ["first_gradients", "group_categories"]

Floats = npt.NDArray[np.float64]

#: Added to the Hessian sum of a category, as where splits are sought: rare ones go to the middle.
_SMOOTH = 10.0


def first_gradients(loss: Any, train: Part, threads: int) -> tuple[Any, Any]:
    """Derivatives of the loss before the first tree, of shape (n_outputs, n_rows)."""
    raw = np.empty((loss.n_outputs, train.size))
    raw[:] = loss.baseline(train.y, train.weights)[:, np.newaxis]
    gradients = np.empty(raw.shape, dtype=np.float32)
    shape = (1, 1) if loss.has_constant_hessian(train.weights) else raw.shape
    hessians = np.ones(shape, dtype=np.float32)
    loss.derivatives(train, raw, gradients, hessians, threads)
    return gradients, np.broadcast_to(hessians, raw.shape)


def group_categories(
    codes: npt.NDArray[Any], n_codes: int, gradients: Any, hessians: Any, n_groups: int
) -> npt.NDArray[np.int32]:
    """The group of each code: runs of about equal numbers of rows in the order of the mean gradients.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        0 ... n_codes - 1, or NaN where the category is missing.
    n_codes : int
        Number of categories.
    gradients, hessians : ndarray of shape (n_outputs, n_rows)
        Of the first iteration.
    n_groups : int
        Groups at most.

    Returns
    -------
    groups : ndarray of shape (n_codes,), int32
        0 ... at most n_groups - 1, all of them in use.

    Notes
    -----
    The order is that of :math:`G / (H + 10)`, as in the search for categorical splits. With several outputs a
    category has as many means; they are ordered along their first principal axis.
    """
    present = ~np.isnan(codes)
    number = codes[present].astype(np.intp)
    rows = np.bincount(number, minlength=n_codes).astype(np.float64)
    means = np.stack(
        [
            np.bincount(number, weights=g[present], minlength=n_codes)
            / (np.bincount(number, weights=h[present], minlength=n_codes) + _SMOOTH)
            for g, h in zip(gradients, hessians)
        ]
    )
    order = np.argsort(_along_first_axis(means, rows), kind="stable")
    before = np.cumsum(rows[order]) - rows[order]
    share = (before + rows[order] / 2) / max(rows.sum(), 1.0)
    groups = np.empty(n_codes, dtype=np.int32)
    groups[order] = np.minimum((share * n_groups).astype(np.int32), n_groups - 1)
    return np.unique(groups, return_inverse=True)[1].astype(np.int32)


def _along_first_axis(means: Floats, rows: Floats) -> Floats:
    if means.shape[0] == 1:
        return np.asarray(means[0])
    centred = means - np.average(means, axis=1, weights=rows)[:, np.newaxis]
    axis = np.linalg.svd(centred * np.sqrt(rows), full_matrices=False)[0][:, 0]
    return np.asarray(axis @ centred * np.sign(axis[np.abs(axis).argmax()]))
