"""The Markov chain of a model: initial distribution and transition matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._sequences import Array

__all__ = [
    "check_distribution",
    "check_mask",
    "most_probable_rows",
    "normalized_rows",
    "stationary_distribution",
]


def normalized_rows(counts: Array, fallback: Array) -> Array:
    """Rows divided by their sums; a row without counts is taken from ``fallback``: any row is as likely."""
    totals = counts.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(totals > 0, counts / totals, fallback)


def most_probable_rows(counts: Array, prior: Any, current: Array, mask: Array | None = None) -> Array:
    """Mode of the Dirichlet posterior of each row.

    With expected counts n and prior parameters a the mode is proportional to max(n + a - 1, 0). An entry that
    is zero now stays zero (no path can use it), and so does what the mask forbids.
    """
    wanted = np.maximum(counts + (np.asarray(prior, dtype=np.float64) - 1.0), 0.0)
    wanted = np.where(current == 0, 0.0, wanted)
    if mask is not None:
        wanted = np.where(mask, wanted, 0.0)
    return normalized_rows(wanted, current)


def check_distribution(values: Any, name: str, shape: tuple[int, ...]) -> Array:
    """Probabilities as a C-contiguous float64 array whose last axis adds up to 1.

    Raises
    ------
    ValueError
        For another shape, negative values, NaN, or sums that differ from 1 by more than 1e-5.
    """
    checked = np.ascontiguousarray(values, dtype=np.float64)
    if checked.shape != shape:
        words = "length n_components" if len(shape) == 1 else f"shape {shape}"
        raise ValueError(f"{name} must have {words}, got shape {checked.shape}")
    total = checked.sum(axis=-1)
    # One comparison that NaN fails as well.
    if not (checked.min(initial=0.0) >= 0.0 and np.abs(total - 1.0).max(initial=0.0) <= 1e-5):
        if np.isnan(checked).any() or checked.min() < 0:
            raise ValueError(f"{name} must hold probabilities, got negative values or NaN")
        if checked.ndim == 1:
            raise ValueError(f"{name} must sum to 1 (got {total:.4f})")
        raise ValueError(f"{name} rows must sum to 1 (got row sums of {total})")
    return checked


def check_mask(mask: Any, n_components: int) -> Array | None:
    """``transmat_mask`` as booleans (n_components, n_components), every row with at least one True.

    Raises
    ------
    ValueError
        For another shape or a row that allows nothing.
    """
    if mask is None:
        return None
    checked = np.asarray(mask)
    if checked.shape != (n_components, n_components):
        raise ValueError(
            f"transmat_mask must have shape ({n_components}, {n_components}), got {checked.shape}."
        )
    checked = checked.astype(bool)
    if not checked.any(axis=1).all():
        row = int(np.argmin(checked.any(axis=1)))
        raise ValueError(f"transmat_mask allows no transition from state {row}.")
    return checked


def stationary_distribution(transmat: Any) -> Array:
    r"""Distribution over states that the chain keeps: :math:`\pi A = \pi`, :math:`\sum_i \pi_i = 1`.

    Parameters
    ----------
    transmat : array-like of shape (n_components, n_components)
        Transition probabilities; rows add up to 1.

    Returns
    -------
    distribution : ndarray of shape (n_components,)
        Least-squares solution, clipped at 0. A chain with several closed classes has many stationary
        distributions; this is the one of least norm.

    Raises
    ------
    ValueError
        If ``transmat`` is not a square matrix of probabilities.

    Examples
    --------
    >>> from mlcore.hmm import stationary_distribution
    >>> stationary_distribution([[0.7, 0.1, 0.2], [0.3, 0.5, 0.2], [0.3, 0.3, 0.4]]).round(12)
    array([0.5 , 0.25, 0.25])
    """
    A = np.asarray(transmat, dtype=np.float64)
    if A.ndim != 2 or A.shape[0] != A.shape[1]:
        raise ValueError(f"transmat must be a square matrix, got shape {A.shape}.")
    A = check_distribution(A, "transmat", A.shape)
    K = A.shape[0]
    system = np.vstack([A.T - np.eye(K), np.ones((1, K))])
    target = np.zeros(K + 1)
    target[-1] = 1.0
    found: Array = np.maximum(np.linalg.lstsq(system, target, rcond=None)[0], 0.0)
    return np.asarray(found / found.sum())
