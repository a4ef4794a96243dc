"""Single steps and quantities of the theory, for teaching and for tests."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Margins", "SmoStep", "margins", "smo_step"]

_FLAT = 1e-12  # curvature below this, relative to the kernel values, is none


class Margins(NamedTuple):
    """What :func:`margins` returns.

    Parameters
    ----------
    functional : ndarray of shape (n_samples,)
        :math:`y_i (w \\cdot x_i + b)`: changes with the length of w.
    geometric : ndarray of shape (n_samples,)
        The same divided by :math:`\\lVert w \\rVert`: signed distances from the plane.

    Examples
    --------
    >>> from mlcore.svm import margins
    >>> margins([3, 4], -1, [[1, 1]], [1]).geometric.tolist()
    [1.2]
    """

    functional: npt.NDArray[np.float64]
    geometric: npt.NDArray[np.float64]


def margins(w: Any, b: float, X: Any, y: Any) -> Margins:
    r"""Functional and geometric margins of rows with respect to a plane.

    .. math:: \hat\gamma_i = y_i (w \cdot x_i + b), \qquad \gamma_i = \hat\gamma_i / \lVert w \rVert

    (requirement 8.01). Multiplying w and b by a positive number leaves the geometric margins as they are.

    Parameters
    ----------
    w : array-like of shape (n_features,)
        Normal of the plane, not zero.
    b : float
        Offset of the plane.
    X : array-like of shape (n_samples, n_features) or (n_features,)
        Rows, or one row.
    y : array-like of shape (n_samples,), or one number
        Labels, +1 or -1.

    Returns
    -------
    margins : Margins
        Negative for rows on the wrong side.

    Raises
    ------
    ValueError
        If w is zero, a label is neither +1 nor -1, or shapes do not fit.

    Examples
    --------
    >>> from mlcore.svm import margins
    >>> functional, geometric = margins([3, 4], -1, [[1, 1]], [1])
    >>> functional.tolist(), geometric.tolist()
    ([6.0], [1.2])
    """
    normal = np.asarray(w, dtype=np.float64).ravel()
    rows = np.atleast_2d(np.asarray(X, dtype=np.float64))
    labels = _signs(y)
    if rows.ndim != 2 or rows.shape[1] != normal.size:
        raise ValueError(f"X has shape {rows.shape}, but w has {normal.size} entries")
    if labels.shape != (rows.shape[0],):
        raise ValueError(f"y has shape {labels.shape}, expected {(rows.shape[0],)}")
    largest = np.abs(normal).max(initial=0.0)
    if largest == 0:
        raise ValueError("w must not be zero")
    length = largest * np.linalg.norm(normal / largest)  # no overflow of the squares
    functional = labels * (rows @ normal + float(b))
    return Margins(functional, functional / length)


class SmoStep(NamedTuple):
    """What :func:`smo_step` returns.

    Parameters
    ----------
    alpha : ndarray of shape (n_samples,)
        The multipliers after the step.
    i, j : int
        The pair.
    errors : tuple of two floats
        :math:`E_i, E_j`, before the step and without the offset b.
    eta : float
        Curvature along the step, :math:`K_{ii} + K_{jj} - 2 K_{ij}`.
    unclipped : float
        The best :math:`\\alpha_j` on the line, infinite where the objective is linear along it.
    low, high : float
        The interval of :math:`\\alpha_j` inside the box.
    gain : float
        By how much the dual objective grew; never negative.

    Examples
    --------
    >>> from mlcore.svm import smo_step
    >>> smo_step([0.0, 0.0], [1, -1], [[1.0, 0.0], [0.0, 1.0]], C=0.5).alpha.tolist()
    [0.5, 0.5]
    """

    alpha: npt.NDArray[np.float64]
    i: int
    j: int
    errors: tuple[float, float]
    eta: float
    unclipped: float
    low: float
    high: float
    gain: float


def smo_step(alpha: Any, y: Any, K: Any, C: float = 1.0, pair: tuple[int, int] | None = None) -> SmoStep:
    r"""One step of sequential minimal optimisation: the best multipliers of one pair, the others fixed.

    .. math:: \alpha_j^{new} = \operatorname{clip}\Bigl(\alpha_j + \frac{y_j (E_i - E_j)}{\eta}, L, H\Bigr),
        \qquad \alpha_i^{new} = \alpha_i + y_i y_j (\alpha_j - \alpha_j^{new})

    with :math:`E_k = \sum_l \alpha_l y_l K_{kl} - y_k` and :math:`\eta = K_{ii} + K_{jj} - 2 K_{ij}`; for
    :math:`y_i \ne y_j` the interval is :math:`L = \max(0, \alpha_j - \alpha_i)`,
    :math:`H = \min(C, C + \alpha_j - \alpha_i)`, else :math:`L = \max(0, \alpha_i + \alpha_j - C)`,
    :math:`H = \min(C, \alpha_i + \alpha_j)` (requirements 8.15 and 8.16; Platt 1998). Where
    :math:`\eta \le 0` the dual is linear or convex along the line, and the step goes to the better end.

    Parameters
    ----------
    alpha : array-like of shape (n_samples,)
        Multipliers, in [0, C].
    y : array-like of shape (n_samples,)
        Labels, +1 or -1.
    K : array-like of shape (n_samples, n_samples)
        The Gram matrix.
    C : float, default=1.0
        The upper bound; ``inf`` for a hard margin.
    pair : tuple of two ints, default=None
        (i, j). None takes the pair that :class:`~mlcore.svm.SVC` takes: i the worst violator that may
        grow, j the partner that promises the largest gain to second order (Fan, Chen, Lin 2005);
        of equals the last, as there.

    Returns
    -------
    step : SmoStep

    Raises
    ------
    ValueError
        If shapes do not fit, a multiplier is outside of the box, i equals j, or ``pair`` is None and no pair
        violates the optimality conditions.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.svm import smo_step
    >>> step = smo_step([0.5, 1.5], [1, -1], 0.25 * np.eye(2), C=4, pair=(0, 1))
    >>> step.unclipped, step.low, step.high, step.alpha.tolist()
    (4.5, 1.0, 4.0, [3.0, 4.0])
    """
    old = np.array(alpha, dtype=np.float64)
    labels, gram = _signs(y), np.asarray(K, dtype=np.float64)
    n = old.size
    if old.shape != (n,) or labels.shape != (n,) or gram.shape != (n, n):
        raise ValueError(
            f"alpha, y and K have shapes {old.shape}, {labels.shape} and {gram.shape}, "
            "expected (n,), (n,) and (n, n)"
        )
    if not C > 0:
        raise ValueError("C must be positive")
    if not ((old >= 0) & (old <= C)).all():
        raise ValueError(f"alpha must lie between 0 and C={C:g}")
    errors = gram @ (old * labels) - labels
    i, j = _choose(old, labels, gram, errors, C) if pair is None else (int(pair[0]), int(pair[1]))
    if i == j or not (0 <= i < n and 0 <= j < n):
        raise ValueError(f"the pair must be two different rows, got {(i, j)}")
    same = labels[i] == labels[j]
    total, shift = old[i] + old[j], old[j] - old[i]
    low = max(0.0, total - C) if same else max(0.0, shift)
    high = min(C, total) if same else min(C, C + shift)
    eta = gram[i, i] + gram[j, j] - 2 * gram[i, j]
    slope = labels[j] * (errors[i] - errors[j])  # of the dual along alpha_j
    if eta > _FLAT * (abs(gram[i, i]) + abs(gram[j, j])):
        unclipped = old[j] + slope / eta
        new = min(max(unclipped, low), high)
    else:
        unclipped = np.inf if slope > 0 else -np.inf if slope < 0 else old[j]
        ends = [end for end in (low, high) if np.isfinite(end)]
        new = max([old[j], *ends], key=lambda end: slope * (end - old[j]) - 0.5 * eta * (end - old[j]) ** 2)
    by = new - old[j]
    alpha_new = old.copy()
    alpha_new[j] = new
    alpha_new[i] = min(max(old[i] - labels[i] * labels[j] * by, 0.0), C)
    gain = slope * by - 0.5 * eta * by**2
    return SmoStep(
        alpha_new,
        i,
        j,
        (float(errors[i]), float(errors[j])),
        float(eta),
        float(unclipped),
        float(low),
        float(high),
        max(0.0, float(gain)),
    )


def _choose(
    alpha: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    K: npt.NDArray[np.float64],
    errors: npt.NDArray[np.float64],
    C: float,
) -> tuple[int, int]:
    """Second-order working set: i has the smallest error of those whose y alpha may grow; last of equals."""
    up = np.where(y > 0, alpha < C, alpha > 0)
    low = np.where(y > 0, alpha > 0, alpha < C)
    i = _last(-np.where(up, errors, np.inf))
    violation = np.where(low, errors - errors[i], -np.inf)
    if not up.any() or not (violation > 0).any():
        raise ValueError("no pair violates the optimality conditions")
    diagonal = np.diag(K)
    eta = diagonal[i] + diagonal - 2 * K[i]
    promise = np.where(violation > 0, violation, 0.0) ** 2 / np.where(eta > 0, eta, 1e-12)
    return i, _last(promise)


def _last(values: npt.NDArray[np.float64]) -> int:
    """Last place of the largest value."""
    return len(values) - 1 - int(np.argmax(values[::-1]))


def _signs(y: Any) -> npt.NDArray[np.float64]:
    labels = np.atleast_1d(np.asarray(y, dtype=np.float64))
    if not np.isin(labels, (-1.0, 1.0)).all():
        raise ValueError("labels must be +1 or -1")
    return labels
