"""Means and covariances: of all rows, about another centre, with a floor, in the four shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

from ._sequences import Array, Sequences

__all__ = [
    "checked_covars",
    "count_covars",
    "floor_matrices",
    "floor_of_sums",
    "full_covars",
    "overall_moments",
    "per_state",
    "recentred",
    "variance_floor",
]

_TOO_LARGE = "The values of X are too large or too small: squares overflow; scale it."


def overall_moments(data: Sequences) -> tuple[Array, Array]:
    """Mean (d,) and covariance (d, d) of all rows, float64; missing values count as the mean of their column.

    Raises
    ------
    ValueError
        If the squares of the values overflow.
    """
    X = np.asarray(data.X, dtype=np.float64)
    weights = data.row_weights()
    seen = ~np.isnan(X)
    with np.errstate(over="ignore", invalid="ignore"):
        if seen.all():
            mean = X.mean(axis=0) if weights is None else weights @ X / weights.sum()
            centred = X - mean
        else:
            share = seen if weights is None else seen * weights[:, None]
            count = share.sum(axis=0)
            mean = (share * np.where(seen, X, 0.0)).sum(axis=0) / np.where(count > 0, count, 1.0)
            centred = np.where(seen, X - mean, 0.0)
        total = float(len(X)) if weights is None else float(weights.sum())
        weighted = centred if weights is None else centred * weights[:, None]
        covariance = weighted.T @ centred / (total - 1.0 if total > 1.0 else total)
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ValueError(_TOO_LARGE)
    return mean, covariance


def variance_floor(mean: Array, covariance: Array, relative: float) -> Array:
    """Least variance of each column: relative to its variance, or to its size when it is constant."""
    variance = np.diag(covariance)
    scale = np.where(variance > 0, variance, np.maximum(np.minimum(mean**2, 1e100), 1.0))
    return np.maximum(relative * scale, np.finfo(np.float64).tiny * 1e8)


def floor_of_sums(statistics: dict[str, Any], relative: float) -> Array:
    """``variance_floor`` of the rows behind the sums of an E-step, for models that have not seen any rows."""
    d = statistics["obs"].shape[-1]
    centre = np.asarray(statistics["shift"]).reshape(-1, d).mean(axis=0)
    sums = recentred(statistics, centre)
    squares = sums["obs2"] if "obs2" in sums else np.diagonal(sums["obs_obs"], axis1=-2, axis2=-1)
    total = float(np.sum(statistics["post"]))
    step = sums["obs"].reshape(-1, d).sum(axis=0) / total
    variance = squares.reshape(-1, d).sum(axis=0) / total - step**2
    return variance_floor(centre + step, np.diag(np.maximum(variance, 0.0)), relative)


def per_state(value: Any, n_states: int) -> Array:
    """A prior given as one number, one for each state, or one for each state and column."""
    array = np.asarray(value, dtype=np.float64)
    return array[:, None] if array.ndim == 1 and array.shape[0] == n_states else array


def recentred(statistics: dict[str, Any], centre: Array) -> dict[str, Any]:
    """The sums of an E-step about ``centre`` instead of about their ``shift``.

    With delta = shift - centre: sum g (x - centre) = sum g (x - shift) + G delta, and so on for squares.
    """
    delta = statistics["shift"] - centre
    if not delta.any():
        return statistics
    moved = dict(statistics)
    post = statistics["post_mix"] if "post_mix" in statistics else statistics["post"]
    first, count = statistics["obs"], post[..., None]
    moved["obs"] = first + count * delta
    moved["shift"] = np.array(centre, dtype=np.float64)
    if "obs2" in statistics:
        moved["obs2"] = statistics["obs2"] + 2 * delta * first + count * delta**2
    if "obs_obs" in statistics:
        cross = delta[..., :, None] * first[..., None, :]
        outer = delta[..., :, None] * delta[..., None, :]
        moved["obs_obs"] = (
            statistics["obs_obs"] + cross + np.swapaxes(cross, -1, -2) + count[..., None] * outer
        )
    return moved


def floor_matrices(matrices: Array, floor: Array) -> Array:
    """Covariance matrices (..., d, d) with no direction of less variance than ``floor`` (d,) allows.

    C is kept when C - diag(floor) is positive definite. Otherwise the eigenvalues of
    diag(floor)^-1/2 C diag(floor)^-1/2 are raised to 1.
    """
    shape = matrices.shape
    flat = matrices.reshape(-1, *shape[-2:])
    scale = np.sqrt(floor)
    try:
        np.linalg.cholesky(flat - np.diag(floor))
        return matrices
    except np.linalg.LinAlgError:
        pass
    raised = np.empty_like(flat)
    for i, matrix in enumerate(flat):
        if not np.isfinite(matrix).all():
            raise ValueError(_TOO_LARGE)
        values, vectors = linalg.eigh(matrix / np.outer(scale, scale))
        # A little above 1, so that rounding leaves a matrix that Cholesky takes; 1e-10 of the largest
        # likewise.
        values = np.maximum(values, max(1.0 + 1e-6, 1e-13 * values[-1]))
        raised[i] = (vectors * values) @ vectors.T * np.outer(scale, scale)
        raised[i] = 0.5 * (raised[i] + raised[i].T)
    return raised.reshape(shape)


def count_covars(kind: str, n_states: int, d: int) -> int:
    """Free parameters of ``n_states`` covariances (of one for all, if tied)."""
    matrix = d * (d + 1) // 2
    return {"spherical": n_states, "diag": n_states * d, "tied": matrix, "full": n_states * matrix}[kind]


def full_covars(covars: Array, kind: str, n_states: int, d: int) -> Array:
    """Covariance matrices (n_states, d, d) from the compact shape of a kind."""
    if kind == "full":
        return np.array(covars)
    if kind == "tied":
        return np.tile(covars, (n_states, 1, 1))
    matrices = np.zeros((n_states, d, d))
    diagonal = np.arange(d)
    matrices[:, diagonal, diagonal] = covars if kind == "diag" else covars[:, None]
    return matrices


def checked_covars(covars: Any, kind: str, n_states: int) -> Array:
    """Covariances in the compact shape of their kind.

    Parameters
    ----------
    covars : array-like
        In the compact shape, or as full matrices (n_states, d, d), which "diag", "spherical" and "tied" take
        when they have that structure.
    kind : {"spherical", "diag", "full", "tied"}
        Covariance type.
    n_states : int
        Number of states.

    Raises
    ------
    ValueError
        For another shape, or covariances that are not positive (definite).
    """
    given = np.array(covars, dtype=np.float64)
    matrices = given if given.ndim == 3 and given.shape[:1] == (n_states,) else None
    square = matrices is not None and matrices.shape[1] == matrices.shape[2]
    if kind == "spherical":
        compact = _spherical(given, n_states, square)
    elif kind == "diag":
        compact = np.ascontiguousarray(np.diagonal(given, axis1=1, axis2=2)) if square else given
        if compact.ndim != 2 or compact.shape[0] != n_states:
            raise ValueError(f"'diag' covars must have shape (n_components, n_dim), got {given.shape}")
    elif kind == "tied":
        compact = given[0] if square and n_states and (given == given[0]).all() else given
        if compact.ndim != 2 or compact.shape[0] != compact.shape[1]:
            raise ValueError(f"'tied' covars must have shape (n_dim, n_dim), got {given.shape}")
    elif kind == "full":
        compact = given
        if not square:
            raise ValueError(f"'full' covars must have shape (n_components, n_dim, n_dim), got {given.shape}")
    else:
        raise ValueError(
            f"covariance_type must be one of 'spherical', 'diag', 'full', 'tied', got {kind!r} instead."
        )
    if kind in ("spherical", "diag"):
        if not (compact > 0).all():
            raise ValueError(f"{kind!r} covars must be positive")
    else:
        require_definite(compact, kind)
    return np.ascontiguousarray(compact)


def require_definite(matrices: Array, kind: str) -> None:
    """ValueError unless all matrices are symmetric and positive definite."""
    try:
        if not np.allclose(matrices, np.swapaxes(matrices, -1, -2)):
            raise np.linalg.LinAlgError
        np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        raise ValueError(f"{kind!r} covars must be symmetric, positive-definite") from None


def _spherical(given: Array, n_states: int, square: bool) -> Array:
    if square:
        given = np.diagonal(given, axis1=1, axis2=2)
    given = given.reshape(given.shape[0], -1) if given.ndim else given.reshape(1, 1)
    if given.shape[0] != n_states or given.size == 0:
        raise ValueError(f"'spherical' covars must have length n_components, got shape {given.shape}")
    if (given != given[:, :1]).any():
        raise ValueError("'spherical' covars must be the same for all features of a state")
    return given[:, 0].copy()
