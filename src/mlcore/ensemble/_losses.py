r"""Losses: the first guess, the derivatives, the mean, and what a raw prediction means.

Nouns: *raw* predictions are sums of leaf values, of shape (n_outputs, n_rows), one row of the array for each
tree of an iteration. The *link* leads from them to what the user sees. A leaf is *renewed* when its value
minimises the loss over its rows exactly: where the second derivative says nothing (absolute error, quantiles)
the Newton step of the tree would be arbitrary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, softmax

from .. import _core
from ._parts import Part

__all__ = ["CompiledLoss", "CustomLoss", "Loss", "MultiQuantileLoss", "NativeLoss", "resolve_custom"]

Floats = npt.NDArray[np.float64]
Weights = Floats | None

_EPS = 10 * np.finfo(np.float64).eps
_LOG_LINK = ("gamma", "poisson", "tweedie")
_NO_CURVATURE = ("absolute_error", "quantile", "huber")
#: What the native renewal is called for a loss.
_RENEWAL = {"absolute_error": "quantile", "quantile": "quantile", "huber": "huber"}


def weighted_quantile(values: Floats, weights: Weights, level: float) -> float:
    """The smallest value with at least this share of the weight at or below it; interpolated without
    weights."""
    if weights is None:
        return float(np.percentile(values, 100 * level))
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    place = np.searchsorted(total, level * total[-1])
    return float(values[order[min(place, values.size - 1)]])


def renew_each(
    grower: Any, part: Part, raw: Floats, learning_rate: float, location: Callable[..., Any]
) -> Floats:
    """Leaf values, with the learning rate, from a function of the rows of a leaf; in order where features are
    monotone."""
    ids, offsets, rows = grower.leaf_rows()
    values = np.empty(ids.size)
    for i in range(ids.size):
        own = rows[offsets[i] : offsets[i + 1]]
        weight = None if part.weights is None else part.weights[own]
        values[i] = location(y_true=part.y[own], raw_prediction=raw[own], sample_weight=weight)
    ordered: Floats = grower.order_leaves(values * learning_rate)
    return ordered


@runtime_checkable
class Loss(Protocol):
    """What the boosting loop asks of a loss."""

    #: Trees of an iteration.
    n_outputs: int

    @property
    def renews(self) -> bool:
        """Whether leaves are renewed."""

    def check_target(self, y: Floats) -> None:
        """ValueError for targets that the loss is not defined for."""

    def baseline(self, y: Floats, weights: Weights) -> Floats:
        """The raw prediction of a model without trees, one number an output."""

    def has_constant_hessian(self, weights: Weights) -> bool:
        """Whether the second derivative is 1 everywhere, so that it need not be stored."""

    def derivatives(self, part: Part, raw: Floats, gradients: Any, hessians: Any, threads: int) -> None:
        """Fill the float32 arrays with the first and second derivatives by the raw predictions."""

    def mean(self, part: Part, raw: Floats, threads: int) -> float:
        """The weighted mean of the loss."""

    def renewed(self, grower: Any, k: int, part: Part, raw: Floats, learning_rate: float) -> Floats | None:
        """New values of the leaves of the tree just grown for output k, or None to keep the Newton steps."""

    def inverse_link(self, raw: Floats) -> Floats:
        """What the model says, from raw predictions."""


class NativeLoss:
    """A loss that the native side knows by name.

    Parameters
    ----------
    name : str
        As in the native module.
    parameter : float
        Level of a quantile or expectile, delta of Huber's loss, power of Tweedie's.
    n_outputs : int
        Trees of an iteration.
    """

    def __init__(self, name: str, parameter: float = 0.0, n_outputs: int = 1) -> None:
        self.name, self.parameter, self.n_outputs = name, float(parameter), n_outputs

    @property
    def renews(self) -> bool:
        return self.name in _RENEWAL

    def check_target(self, y: Floats) -> None:
        if self.name == "gamma" and not (y > 0).all():
            raise ValueError("loss='gamma' requires strictly positive y.")
        if self.name in ("poisson", "tweedie") and not ((y >= 0).all() and y.sum() > 0):
            raise ValueError(f"loss='{self.name}' requires non-negative y and sum(y) > 0.")

    def baseline(self, y: Floats, weights: Weights) -> Floats:
        if self.name == "multinomial":
            share = np.bincount(y.astype(np.intp), weights=weights, minlength=self.n_outputs)[
                : self.n_outputs
            ]
            logs = np.log(np.clip(share / share.sum(), _EPS, 1 - _EPS))
            return np.asarray(logs - logs.mean())
        if self.name in ("absolute_error", "quantile"):
            level = self.parameter if self.name == "quantile" else 0.5
            return np.array([weighted_quantile(y, weights, level)])
        if self.name == "huber":
            centre = weighted_quantile(y, weights, 0.5)
            return np.array(
                [centre + np.average(np.clip(y - centre, -self.parameter, self.parameter), weights=weights)]
            )
        if self.name == "expectile":
            return np.array([_expectile(y, weights, self.parameter)])
        mean = np.average(y, weights=weights)
        if self.name == "log_loss":
            return np.array([logit(np.clip(mean, _EPS, 1 - _EPS))])
        if self.name in _LOG_LINK:
            return np.array([np.log(max(mean, _EPS))])
        return np.array([mean])

    def has_constant_hessian(self, weights: Weights) -> bool:
        return weights is None and (self.name == "squared_error" or self.name in _NO_CURVATURE)

    def derivatives(self, part: Part, raw: Floats, gradients: Any, hessians: Any, threads: int) -> None:
        _core.ensemble.gradients(
            self.name, self.parameter, part.y, raw, part.weights, gradients, hessians, threads
        )

    def mean(self, part: Part, raw: Floats, threads: int) -> float:
        return float(_core.ensemble.loss(self.name, self.parameter, part.y, raw, part.weights, threads))

    def renewed(self, grower: Any, k: int, part: Part, raw: Floats, learning_rate: float) -> Floats | None:
        if not self.renews:
            return None
        level = 0.5 if self.name == "absolute_error" else self.parameter
        values: Floats = grower.renew_leaves(_RENEWAL[self.name], part.y, raw, part.weights, level)
        return values

    def inverse_link(self, raw: Floats) -> Floats:
        if self.name == "log_loss":
            return np.asarray(expit(raw))
        if self.name == "multinomial":
            return np.asarray(softmax(raw, axis=0))
        return np.asarray(np.exp(raw)) if self.name in _LOG_LINK else raw


def _expectile(y: Floats, weights: Weights, level: float) -> float:
    """The e with level * sum (y - e)+ = (1 - level) * sum (e - y)+, by reweighted means (each is a Newton
    step of a convex piecewise quadratic: it ends when no row changes sides)."""
    w = np.ones_like(y) if weights is None else weights
    e = np.average(y, weights=w)
    for _ in range(100):
        asymmetric = w * np.where(y > e, level, 1 - level)
        new = np.average(y, weights=asymmetric)
        if new == e:
            break
        e = new
    return float(e)


class MultiQuantileLoss:
    """Several quantiles in one model: the sum of their pinball losses, an output each.

    The predictions of a row are put in increasing order. This rearrangement never raises the sum of the
    pinball losses (V. Chernozhukov, I. Fernandez-Val, A. Galichon, "Quantile and probability curves without
    crossing", Econometrica 78, 2010).
    """

    renews = True

    def __init__(self, levels: list[float]) -> None:
        self.levels = levels
        self.n_outputs = len(levels)
        self._quantiles = [NativeLoss("quantile", level) for level in levels]
        self._rank = np.argsort(np.argsort(levels, kind="stable"), kind="stable")

    def check_target(self, y: Floats) -> None:
        pass

    def baseline(self, y: Floats, weights: Weights) -> Floats:
        return np.concatenate([quantile.baseline(y, weights) for quantile in self._quantiles])

    def has_constant_hessian(self, weights: Weights) -> bool:
        return weights is None

    def derivatives(self, part: Part, raw: Floats, gradients: Any, hessians: Any, threads: int) -> None:
        for k, quantile in enumerate(self._quantiles):
            one = hessians if hessians.shape[0] == 1 else hessians[k : k + 1]
            quantile.derivatives(part, raw[k : k + 1], gradients[k : k + 1], one, threads)

    def mean(self, part: Part, raw: Floats, threads: int) -> float:
        ordered = np.ascontiguousarray(self.inverse_link(raw))
        return sum(
            quantile.mean(part, ordered[k : k + 1], threads) for k, quantile in enumerate(self._quantiles)
        )

    def renewed(self, grower: Any, k: int, part: Part, raw: Floats, learning_rate: float) -> Floats | None:
        return self._quantiles[k].renewed(grower, 0, part, raw, learning_rate)

    def inverse_link(self, raw: Floats) -> Floats:
        ordered: Floats = np.sort(raw, axis=0)[self._rank]
        return ordered


class CompiledLoss:
    """A loss in machine code: ``void f(const double *y, const double *raw, const double *weight_or_NULL,
    float *gradient, float *hessian, int64_t n)``, called over blocks of rows from several threads."""

    n_outputs = 1
    renews = False

    def __init__(self, address: int, given: Any) -> None:
        self.address = address
        # Kept so that the code stays in memory as long as its address is in use.
        self.given = given

    def check_target(self, y: Floats) -> None:
        pass

    def baseline(self, y: Floats, weights: Weights) -> Floats:
        return np.zeros(1)

    def has_constant_hessian(self, weights: Weights) -> bool:
        return False

    def derivatives(self, part: Part, raw: Floats, gradients: Any, hessians: Any, threads: int) -> None:
        _core.ensemble.call_objective(
            self.address, part.y, raw[0], part.weights, gradients[0], hessians[0], threads
        )

    def mean(self, part: Part, raw: Floats, threads: int) -> float:
        raise ValueError("A compiled loss has derivatives only: give `scoring` or early_stopping=False.")

    def renewed(self, grower: Any, k: int, part: Part, raw: Floats, learning_rate: float) -> Floats | None:
        return None

    def inverse_link(self, raw: Floats) -> Floats:
        return raw


class CustomLoss:
    """A loss of the user's: an object with ``gradient_hessian``, and what else of the following it has.

    ``gradient_hessian(y_true, raw_prediction, sample_weight) -> (gradient, hessian)`` is needed; the weights
    are None or to be multiplied in. ``fit_intercept_only(y_true, sample_weight)`` is the first guess (else
    0), ``loss(y_true, raw_prediction, sample_weight)`` one number a row, for early stopping (else `scoring`
    must be given), ``inverse_link(raw_prediction)`` what ``predict`` returns, and ``renew_leaf(y_true,
    raw_prediction, sample_weight)`` the value to add in a leaf with these rows. scikit-learn's own loss
    objects fit too.
    """

    def __init__(self, given: Any, n_outputs: int = 1) -> None:
        self.given, self.n_outputs = given, n_outputs

    @property
    def renews(self) -> bool:
        if getattr(self.given, "renew_leaf", None) is not None:
            return True
        has_location = getattr(self.given, "fit_intercept_only", None) is not None
        return has_location and not getattr(self.given, "differentiable", True)

    def check_target(self, y: Floats) -> None:
        in_range = getattr(self.given, "in_y_true_range", None)
        if in_range is not None and not in_range(y):
            raise ValueError(f"Some values of y are out of the range of the loss {self.given!r}.")

    def _turned(self, raw: Floats) -> Floats:
        return raw[0] if self.n_outputs == 1 else raw.T

    def baseline(self, y: Floats, weights: Weights) -> Floats:
        first = getattr(self.given, "fit_intercept_only", None)
        if first is None:
            return np.zeros(self.n_outputs)
        return np.asarray(first(y_true=y, sample_weight=weights), dtype=np.float64).reshape(self.n_outputs)

    def has_constant_hessian(self, weights: Weights) -> bool:
        return False

    def derivatives(self, part: Part, raw: Floats, gradients: Any, hessians: Any, threads: int) -> None:
        first, second = self.given.gradient_hessian(
            y_true=part.y, raw_prediction=self._turned(raw), sample_weight=part.weights
        )
        shape = (part.size,) if self.n_outputs == 1 else (part.size, self.n_outputs)
        for name, found, out in (("gradient", first, gradients), ("hessian", second, hessians)):
            found = np.asarray(found)
            if found.shape != shape and not (name == "hessian" and found.size == 1):
                raise ValueError(f"The {name} of the loss has shape {found.shape}, expected {shape}.")
            if not np.isfinite(found).all():
                raise ValueError(f"The {name} of the loss is not finite.")
            out[:] = found.T

    def mean(self, part: Part, raw: Floats, threads: int) -> float:
        pointwise = getattr(self.given, "loss", None)
        if pointwise is None:
            raise ValueError(
                "The loss object has no method loss(y_true, raw_prediction, sample_weight): "
                "give `scoring` or early_stopping=False."
            )
        values = np.asarray(
            pointwise(y_true=part.y, raw_prediction=self._turned(raw), sample_weight=part.weights),
            dtype=np.float64,
        )
        return float(values.sum() / (part.size if part.weights is None else part.weights.sum()))

    def renewed(self, grower: Any, k: int, part: Part, raw: Floats, learning_rate: float) -> Floats | None:
        if not self.renews:
            return None
        renew = getattr(self.given, "renew_leaf", None)
        if renew is None:
            first = self.given.fit_intercept_only

            def renew(y_true: Floats, raw_prediction: Floats, sample_weight: Weights) -> Any:
                return first(y_true=y_true - raw_prediction, sample_weight=sample_weight)

        return renew_each(grower, part, raw, learning_rate, renew)

    def inverse_link(self, raw: Floats) -> Floats:
        own = getattr(self.given, "inverse_link", None)
        if own is None:
            link = getattr(self.given, "link", None)
            own = getattr(link, "inverse", None)
        if own is None:
            return raw
        turned = np.asarray(own(self._turned(raw)), dtype=np.float64)
        return turned[np.newaxis] if self.n_outputs == 1 else turned.T


def resolve_custom(given: Any, n_outputs: int) -> Loss:
    """The loss behind an object that the user gave.

    Raises
    ------
    ValueError, TypeError
        If it is nothing of the kind.
    """
    address = getattr(given, "address", None)
    if address is None and hasattr(given, "argtypes"):  # a ctypes function
        import ctypes

        address = ctypes.cast(given, ctypes.c_void_p).value
    if isinstance(address, int):
        if n_outputs != 1:
            raise ValueError("A compiled loss has one output: it cannot fit more than two classes.")
        return CompiledLoss(address, given)
    if callable(getattr(given, "gradient_hessian", None)):
        return CustomLoss(given, n_outputs)
    if callable(given):
        function: Callable[..., Any] = given
        return CustomLoss(_OfFunction(function), n_outputs)
    raise TypeError(
        f"loss must be a name, a function or object with derivatives, or compiled; got {given!r} instead."
    )


class _OfFunction:
    """``f(y_true, raw_prediction) -> (gradient, hessian)``; the weights are multiplied in here."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def gradient_hessian(self, y_true: Floats, raw_prediction: Floats, sample_weight: Weights) -> Any:
        first, second = (np.asarray(part, dtype=np.float64) for part in self.function(y_true, raw_prediction))
        if sample_weight is None:
            return first, second
        weights = sample_weight if first.ndim == 1 else sample_weight[:, np.newaxis]
        return first * weights, second * weights
