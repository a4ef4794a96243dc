"""Leaf weight, score and split gain of the second-order objective (requirements 12.02 and 12.03)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["leaf_weight", "split_gain", "structure_score"]


def _check_penalties(**penalties: float) -> None:
    for name, value in penalties.items():
        if not value >= 0:
            raise ValueError(f"{name} must not be negative, got {value!r}.")


def _shrunk(gradient: npt.NDArray[np.float64], l1: float) -> npt.NDArray[np.float64]:
    """The soft threshold: what an L1 penalty leaves of a gradient."""
    return np.sign(gradient) * np.maximum(np.abs(gradient) - l1, 0.0)


def _sums(*values: Any) -> list[npt.NDArray[np.float64]]:
    return [np.asarray(value, dtype=np.float64) for value in values]


def _quotient(top: npt.NDArray[np.float64], bottom: npt.NDArray[np.float64]) -> Any:
    """top / bottom with 0 / 0 = 0: a node without curvature and without gradient stays where it is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((top == 0) & (bottom == 0), 0.0, top / bottom)[()]


def leaf_weight(
    gradient: Any, hessian: Any, *, l2_regularization: float = 0.0, l1_regularization: float = 0.0
) -> Any:
    r"""The value of a leaf that minimises the second-order objective.

    With :math:`G = \sum g_i` and :math:`H = \sum h_i` over the rows of the leaf, the objective
    :math:`G w + \frac12 (H + \lambda) w^2 + \alpha |w|` is smallest at

    .. math:: w^* = - \frac{\operatorname{sign}(G) \max(|G| - \alpha, 0)}{H + \lambda} .

    Parameters
    ----------
    gradient, hessian : array-like
        G and H, of shapes that broadcast; one element a leaf.
    l2_regularization : float, default=0.0
        :math:`\lambda`.
    l1_regularization : float, default=0.0
        :math:`\alpha`.

    Returns
    -------
    weight : float or ndarray of float64
        :math:`w^*`; 0 where G is (after the threshold) and H + :math:`\lambda` are both 0.

    Raises
    ------
    ValueError
        If a penalty is negative.

    See Also
    --------
    structure_score : The objective at this weight.

    References
    ----------
    T. Chen, C. Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016, equation 5.

    Examples
    --------
    Squared error, one row with y = 5 where the model says 3: g = -2, h = 1, and a full step reaches it.

    >>> from mlcore.tree import leaf_weight
    >>> float(leaf_weight(-2.0, 1.0))
    2.0
    >>> float(leaf_weight(-2.0, 1.0, l2_regularization=1.0))
    1.0
    """
    _check_penalties(l2_regularization=l2_regularization, l1_regularization=l1_regularization)
    G, H = _sums(gradient, hessian)
    return _quotient(-_shrunk(G, l1_regularization), H + l2_regularization)


def structure_score(
    gradient: Any, hessian: Any, *, l2_regularization: float = 0.0, l1_regularization: float = 0.0
) -> Any:
    r"""How much a leaf lowers the objective: :math:`\frac12 (|G| - \alpha)_+^2 / (H + \lambda)`.

    Parameters
    ----------
    gradient, hessian : array-like
        Sums over the rows of the leaf, of shapes that broadcast.
    l2_regularization : float, default=0.0
        :math:`\lambda`.
    l1_regularization : float, default=0.0
        :math:`\alpha`.

    Returns
    -------
    score : float or ndarray of float64
        Not negative; larger is better. A tree's objective is minus the sum over its leaves, plus
        :math:`\gamma` for each leaf.

    Raises
    ------
    ValueError
        If a penalty is negative.

    Examples
    --------
    >>> from mlcore.tree import structure_score
    >>> float(structure_score(-2.0, 1.0))
    2.0
    """
    _check_penalties(l2_regularization=l2_regularization, l1_regularization=l1_regularization)
    G, H = _sums(gradient, hessian)
    return _quotient(0.5 * np.square(_shrunk(G, l1_regularization)), H + l2_regularization)


def split_gain(
    gradient_left: Any,
    hessian_left: Any,
    gradient_right: Any,
    hessian_right: Any,
    *,
    l2_regularization: float = 0.0,
    l1_regularization: float = 0.0,
    min_split_gain: float = 0.0,
) -> Any:
    r"""How much a split lowers the second-order objective.

    .. math:: \frac12 \left[ \frac{G_L^2}{H_L + \lambda} + \frac{G_R^2}{H_R + \lambda}
              - \frac{(G_L + G_R)^2}{H_L + H_R + \lambda} \right] - \gamma

    A split is worth making when this is positive. The bracket is not negative for :math:`\lambda = 0`; with
    :math:`\lambda > 0` it can be, because two leaves are shrunk where one was.

    Parameters
    ----------
    gradient_left, hessian_left, gradient_right, hessian_right : array-like
        Sums of the first and second derivatives of the loss over the rows of either side, of shapes that
        broadcast: cumulative sums along a feature give the gains of all its thresholds at once.
    l2_regularization : float, default=0.0
        :math:`\lambda`.
    l1_regularization : float, default=0.0
        Each G is first moved towards 0 by this much.
    min_split_gain : float, default=0.0
        :math:`\gamma`, the price of a leaf.

    Returns
    -------
    gain : float or ndarray of float64

    Raises
    ------
    ValueError
        If a penalty is negative.

    References
    ----------
    T. Chen, C. Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016, equation 7.

    Examples
    --------
    >>> from mlcore.tree import split_gain
    >>> gain = split_gain(-1.5, 6.0, -0.5, 4.0, l2_regularization=1.0, min_split_gain=0.5)
    >>> round(float(gain), 6)
    -0.496104
    """
    _check_penalties(
        l2_regularization=l2_regularization,
        l1_regularization=l1_regularization,
        min_split_gain=min_split_gain,
    )
    GL, HL, GR, HR = _sums(gradient_left, hessian_left, gradient_right, hessian_right)

    def score(G: Any, H: Any) -> Any:
        return structure_score(G, H, l2_regularization=l2_regularization, l1_regularization=l1_regularization)

    return (score(GL, HL) + score(GR, HR) - score(GL + GR, HL + HR) - min_split_gain)[()]
