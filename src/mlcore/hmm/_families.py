"""Distributions of one column in each state, for models that mix them.

A family is stateless: its parameters are a dict of arrays with one entry for each state. ``update`` is one
weighted maximisation (or a step that cannot lower the weighted log-likelihood), so EM stays monotone. NaN is
a missing value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import digamma, gammaln, xlogy

from ._sequences import Array

__all__ = ["FAMILIES", "ColumnSums", "Family", "Parameters", "Sums"]

Parameters = dict[str, Array]
Sums = dict[str, Array]

_TINY = 1e-10
#: A state with less weight than this says nothing of its parameters.
_NOTHING = 1e-12
#: Shapes and degrees of freedom stay between these: beyond, the densities are limits that no data tell apart.
_LEAST, _MOST = 1e-3, 1e6


def _sums(weights: Array, values: Array) -> Array:
    """Weighted sums of a column for each state; weights (n, K), values (n,) or (n, K)."""
    return np.asarray(weights.T @ values) if values.ndim == 1 else np.asarray((weights * values).sum(axis=0))


def _ratio(sums: Array, total: Array, kept: Array) -> Array:
    """sums / total; states without rows keep theirs."""
    return np.where(total > _NOTHING, sums / np.maximum(total, 1e-300), kept)


def _about(sums: Sums, centre: Array, weight: str) -> Sums:
    """First and second moments about ``centre`` instead of about their shift; ``weight`` names the zeroth."""
    delta = sums["shift"] - centre
    first, count = sums["first"], sums[weight]
    return sums | {
        "shift": centre,
        "first": first + delta * count,
        "second": sums["second"] + 2 * delta * first + delta**2 * count,
    }


def _root(slope: Callable[[Array], Array], n_states: int) -> Array:
    """Where a falling function of log(parameter) crosses zero, by bisection; the nearer end when none."""
    low, high = np.full(n_states, np.log(_LEAST)), np.full(n_states, np.log(_MOST))
    for _ in range(60):
        middle = 0.5 * (low + high)
        positive = slope(np.exp(middle)) > 0
        low, high = np.where(positive, middle, low), np.where(positive, high, middle)
    return np.asarray(np.exp(0.5 * (low + high)))


class Family(ABC):
    """One column's distribution in each state."""

    #: Free parameters of a state.
    n_parameters: int = 1
    whole = False

    def check(self, x: Array, name: str) -> None:
        """ValueError when a column holds what the family cannot emit."""
        if self.whole and ((x < 0).any() or (x != np.floor(x)).any()):
            raise ValueError(f"{name} must hold non-negative whole numbers (NaN where missing).")

    @abstractmethod
    def start(self, x: Array, n_states: int) -> Parameters:
        """The same parameters in all states."""

    @abstractmethod
    def log_density(self, x: Array, p: Parameters) -> Array:
        """(n, n_states), for a column without missing values."""

    @abstractmethod
    def sums(self, x: Array, weights: Array, p: Parameters) -> Sums:
        """Sums over the rows of a column without missing values, given the weight of each in each state.

        They are all that :meth:`maximum` needs, and those of several blocks of rows can be added
        (:meth:`mixed`) when they were taken with the same parameters p.
        """

    @abstractmethod
    def maximum(self, sums: Sums, p: Parameters) -> Parameters:
        """Parameters that the sums make most likely; none is worse than p, with which they were taken."""

    def update(self, x: Array, weights: Array, p: Parameters) -> Parameters:
        """New parameters from a column without missing values and the weight of each row in each state."""
        return self.maximum(self.sums(x, weights, p), p)

    def mixed(self, a: Sums, share: float, b: Sums, other: float) -> Sums:
        """share * a + other * b."""
        return {name: share * a[name] + other * b[name] for name in a}

    @abstractmethod
    def means(self, p: Parameters) -> Array:
        """Expected value in each state."""

    @abstractmethod
    def draw(self, p: Parameters, states: Array, generator: np.random.Generator) -> Array:
        """One value for each state of a path."""

    def free(self, p: Parameters) -> int:
        """Free parameters of all states."""
        return self.n_parameters * len(next(iter(p.values())))

    def fit_of(self, sums: Sums, p: Parameters) -> Array:
        """Weighted log-likelihood of each state, up to a constant, from the sums."""
        raise NotImplementedError

    def no_worse(self, sums: Sums, new: Parameters, old: Parameters) -> Parameters:
        """New parameters where they raise a state's weighted log-likelihood, the old ones elsewhere."""
        better = self.fit_of(sums, new) >= self.fit_of(sums, old)
        return {
            name: np.where(better.reshape((-1,) + (1,) * (new[name].ndim - 1)), new[name], old[name])
            for name in new
        }


@dataclass(frozen=True, slots=True)
class ColumnSums:
    """The sums of one column, with the name of the family that made them."""

    family: str
    sums: Sums

    def mixed(self, share: float, other: ColumnSums, other_share: float) -> ColumnSums:
        mixed = FAMILIES[self.family].mixed(self.sums, share, other.sums, other_share)
        return ColumnSums(self.family, mixed)


class Gaussian(Family):
    """mean, variance."""

    n_parameters = 2

    def start(self, x: Array, n_states: int) -> Parameters:
        variance = x.var() if len(x) else 1.0
        self_floor = _TINY * (
            variance if variance > 0 else max(float(np.square(x).mean()) if len(x) else 1.0, 1.0)
        )
        return {
            "mean": np.full(n_states, x.mean() if len(x) else 0.0),
            "variance": np.full(n_states, max(variance, self_floor)),
            "floor": np.full(n_states, self_floor),
        }

    def log_density(self, x: Array, p: Parameters) -> Array:
        z = (x[:, None] - p["mean"]) ** 2 / p["variance"]
        return np.asarray(-0.5 * (np.log(2 * np.pi * p["variance"]) + z))

    def sums(self, x: Array, weights: Array, p: Parameters) -> Sums:
        # about the present means, so that little cancels
        away = x[:, None] - p["mean"]
        return {
            "total": weights.sum(axis=0),
            "shift": p["mean"],
            "first": _sums(weights, away),
            "second": _sums(weights, away**2),
        }

    def mixed(self, a: Sums, share: float, b: Sums, other: float) -> Sums:
        added = super().mixed(a, share, _about(b, a["shift"], "total"), other)
        return added | {"shift": a["shift"]}

    def maximum(self, sums: Sums, p: Parameters) -> Parameters:
        total = sums["total"]
        step = _ratio(sums["first"], total, np.zeros_like(total))
        mean = np.where(total > _NOTHING, sums["shift"] + step, p["mean"])
        spread = _ratio(sums["second"], total, p["variance"]) - step**2
        variance = np.where(total > _NOTHING, np.maximum(spread, p["floor"]), p["variance"])
        return {"mean": mean, "variance": variance, "floor": p["floor"]}

    def means(self, p: Parameters) -> Array:
        return p["mean"]

    def draw(self, p: Parameters, states: Array, generator: np.random.Generator) -> Array:
        return generator.normal(p["mean"][states], np.sqrt(p["variance"])[states])


class StudentT(Family):
    """location, scale (squared), dof."""

    n_parameters = 3
    #: Least and most degrees of freedom.
    DOF = (0.1, 1e3)

    def start(self, x: Array, n_states: int) -> Parameters:
        gaussian = Gaussian().start(x, n_states)
        return {
            "location": gaussian["mean"],
            "scale": gaussian["variance"],
            "dof": np.full(n_states, 5.0),
            "floor": gaussian["floor"],
        }

    def log_density(self, x: Array, p: Parameters) -> Array:
        dof = p["dof"]
        z = (x[:, None] - p["location"]) ** 2 / p["scale"]
        constant = gammaln(0.5 * (dof + 1)) - gammaln(0.5 * dof) - 0.5 * np.log(dof * np.pi * p["scale"])
        return np.asarray(constant - 0.5 * (dof + 1) * np.log1p(z / dof))

    def sums(self, x: Array, weights: Array, p: Parameters) -> Sums:
        # Given the row, the latent precision u of a row is gamma distributed; its expectation weighs the row.
        away = x[:, None] - p["location"]
        half = 0.5 * (p["dof"] + away**2 / p["scale"])
        u = 0.5 * (p["dof"] + 1) / half
        log_u = digamma(0.5 * (p["dof"] + 1)) - np.log(half)
        return {
            "total": weights.sum(axis=0),
            "precision": _sums(weights, u),
            "shift": p["location"],
            "first": _sums(weights, u * away),
            "second": _sums(weights, u * away**2),
            "excess": _sums(weights, log_u - u),
        }

    def mixed(self, a: Sums, share: float, b: Sums, other: float) -> Sums:
        added = super().mixed(a, share, _about(b, a["shift"], "precision"), other)
        return added | {"shift": a["shift"]}

    def maximum(self, sums: Sums, p: Parameters) -> Parameters:
        total, precision = sums["total"], sums["precision"]
        filled = total > _NOTHING
        step = _ratio(sums["first"], precision, np.zeros_like(total))
        spread = _ratio(sums["second"] - step * sums["first"], total, p["scale"])
        excess = _ratio(sums["excess"], total, np.zeros_like(total))
        dof = _root(lambda nu: np.log(0.5 * nu) - digamma(0.5 * nu) + 1.0 + excess, len(total))
        return {
            "location": np.where(filled, sums["shift"] + step, p["location"]),
            "scale": np.where(filled, np.maximum(spread, p["floor"]), p["scale"]),
            "dof": np.where(filled, np.clip(dof, *self.DOF), p["dof"]),
            "floor": p["floor"],
        }

    def update(self, x: Array, weights: Array, p: Parameters) -> Parameters:
        # ECME (Liu and Rubin 1995): with the rows at hand, the degrees of freedom maximise the likelihood
        # itself, which takes far fewer iterations than the sums.
        new = self.maximum(self.sums(x, weights, p), p)
        location, scale, dof = new["location"], new["scale"], p["dof"].copy()
        for k in np.flatnonzero(weights.sum(axis=0) > _NOTHING):
            rows = weights[:, k] > 0
            squared, share = (x[rows] - location[k]) ** 2 / scale[k], weights[rows, k]

            def loss(log_dof: float, squared: Array = squared, share: Array = share) -> float:
                nu = np.exp(log_dof)
                constant = gammaln(0.5 * (nu + 1)) - gammaln(0.5 * nu) - 0.5 * np.log(nu)
                return -float(share.sum() * constant - 0.5 * (nu + 1) * (share @ np.log1p(squared / nu)))

            found = minimize_scalar(loss, bounds=np.log(self.DOF), method="bounded")
            if found.fun <= loss(float(np.log(dof[k]))):
                dof[k] = float(np.exp(found.x))
        return new | {"dof": dof}

    def means(self, p: Parameters) -> Array:
        return p["location"]

    def draw(self, p: Parameters, states: Array, generator: np.random.Generator) -> Array:
        return p["location"][states] + np.sqrt(p["scale"])[states] * generator.standard_t(p["dof"][states])


class Gamma(Family):
    """shape, scale."""

    n_parameters = 2

    def check(self, x: Array, name: str) -> None:
        if (x <= 0).any():
            raise ValueError(f"{name} must hold positive numbers for the family 'gamma'.")

    def start(self, x: Array, n_states: int) -> Parameters:
        flat = {"shape": np.ones(n_states), "scale": np.full(n_states, x.mean() if len(x) else 1.0)}
        return self.update(x, np.ones((len(x), n_states)), flat) if len(x) else flat

    def log_density(self, x: Array, p: Parameters) -> Array:
        shape, scale = p["shape"], p["scale"]
        return np.asarray(
            (shape - 1) * np.log(x)[:, None] - x[:, None] / scale - gammaln(shape) - shape * np.log(scale)
        )

    def sums(self, x: Array, weights: Array, p: Parameters) -> Sums:
        logs = _sums(weights, np.log(x))
        return {"total": weights.sum(axis=0), "values": _sums(weights, x), "logs": logs}

    def fit_of(self, sums: Sums, p: Parameters) -> Array:
        shape, scale = p["shape"], p["scale"]
        constant = gammaln(shape) + shape * np.log(scale)
        return np.asarray((shape - 1) * sums["logs"] - sums["values"] / scale - sums["total"] * constant)

    def maximum(self, sums: Sums, p: Parameters) -> Parameters:
        total = sums["total"]
        mean = _ratio(sums["values"], total, p["shape"] * p["scale"])
        gap = np.log(mean) - _ratio(sums["logs"], total, np.log(mean))
        shape = _root(lambda a: np.log(a) - digamma(a) - gap, len(mean))
        shape = np.where(total > _NOTHING, shape, p["shape"])
        return self.no_worse(sums, {"shape": shape, "scale": mean / shape}, p)

    def means(self, p: Parameters) -> Array:
        return p["shape"] * p["scale"]

    def draw(self, p: Parameters, states: Array, generator: np.random.Generator) -> Array:
        return generator.gamma(p["shape"][states], p["scale"][states])


class Poisson(Family):
    """rate."""

    whole = True

    def start(self, x: Array, n_states: int) -> Parameters:
        return {"rate": np.full(n_states, max(x.mean() if len(x) else 1.0, _TINY))}

    def log_density(self, x: Array, p: Parameters) -> Array:
        return np.asarray(xlogy(x[:, None], p["rate"]) - p["rate"] - gammaln(x + 1)[:, None])

    def sums(self, x: Array, weights: Array, p: Parameters) -> Sums:
        return {"total": weights.sum(axis=0), "events": _sums(weights, x)}

    def maximum(self, sums: Sums, p: Parameters) -> Parameters:
        return {"rate": np.maximum(_ratio(sums["events"], sums["total"], p["rate"]), _TINY)}

    def means(self, p: Parameters) -> Array:
        return p["rate"]

    def draw(self, p: Parameters, states: Array, generator: np.random.Generator) -> Array:
        return generator.poisson(p["rate"][states]).astype(np.float64)


class NegativeBinomial(Family):
    """mean m, size r: variance m + m^2 / r."""

    n_parameters = 2
    whole = True

    def start(self, x: Array, n_states: int) -> Parameters:
        flat = {"mean": np.full(n_states, max(x.mean() if len(x) else 1.0, _TINY)), "size": np.ones(n_states)}
        return self.update(x, np.ones((len(x), n_states)), flat) if len(x) else flat

    def log_density(self, x: Array, p: Parameters) -> Array:
        r, m, x = p["size"], p["mean"], x[:, None]
        coefficient = gammaln(x + r) - gammaln(r) - gammaln(x + 1)
        return np.asarray(coefficient - r * np.log1p(m / r) - x * np.log1p(r / m))

    def sums(self, x: Array, weights: Array, p: Parameters) -> Sums:
        # No finite set of sums serves every size r; the weight of each distinct count does.
        values, which = np.unique(x, return_inverse=True)
        weight = np.zeros((len(values), weights.shape[1]))
        np.add.at(weight, which, weights)
        return {"values": values, "weight": weight}

    def mixed(self, a: Sums, share: float, b: Sums, other: float) -> Sums:
        values = np.union1d(a["values"], b["values"])
        weight = np.zeros((len(values), a["weight"].shape[1]))
        weight[np.searchsorted(values, a["values"])] += share * a["weight"]
        weight[np.searchsorted(values, b["values"])] += other * b["weight"]
        return {"values": values, "weight": weight}

    def fit_of(self, sums: Sums, p: Parameters) -> Array:
        return _sums(sums["weight"], self.log_density(sums["values"], p))

    def maximum(self, sums: Sums, p: Parameters) -> Parameters:
        # The mean is that of the rows; the size solves the score equation.
        values, weight = sums["values"], sums["weight"]
        total = weight.sum(axis=0)
        mean = np.maximum(_ratio(_sums(weight, values), total, p["mean"]), _TINY)

        def slope(r: Array) -> Array:
            ahead = _sums(weight, digamma(values[:, None] + r) - digamma(r))
            return np.asarray(ahead - total * np.log1p(mean / r))

        size = np.where(total > _NOTHING, _root(slope, len(mean)), p["size"])
        better = self.no_worse(sums, {"mean": mean, "size": size}, {"mean": mean, "size": p["size"]})
        return self.no_worse(sums, better, p)

    def means(self, p: Parameters) -> Array:
        return p["mean"]

    def draw(self, p: Parameters, states: Array, generator: np.random.Generator) -> Array:
        r, m = p["size"][states], p["mean"][states]
        return generator.negative_binomial(r, r / (r + m)).astype(np.float64)


class ZeroInflatedPoisson(Family):
    """zero_weight, rate: with probability zero_weight a zero, else Poisson."""

    n_parameters = 2
    whole = True

    def start(self, x: Array, n_states: int) -> Parameters:
        zeros = float((x == 0).mean()) if len(x) else 0.0
        mean = x.mean() if len(x) else 1.0
        return {
            "zero_weight": np.full(n_states, 0.5 * zeros),
            "rate": np.full(n_states, max(mean / max(1 - 0.5 * zeros, 0.1), _TINY)),
        }

    def log_density(self, x: Array, p: Parameters) -> Array:
        rest = np.log1p(-p["zero_weight"]) + Poisson().log_density(x, p)
        with np.errstate(divide="ignore"):
            zero = np.logaddexp(np.log(p["zero_weight"]), np.log1p(-p["zero_weight"]) - p["rate"])
        return np.where((x == 0)[:, None], zero, rest)

    def sums(self, x: Array, weights: Array, p: Parameters) -> Sums:
        zeros = _sums(weights, (x == 0).astype(np.float64))
        return {"total": weights.sum(axis=0), "zeros": zeros, "events": _sums(weights, x)}

    def fit_of(self, sums: Sums, p: Parameters) -> Array:
        share, rate = p["zero_weight"], p["rate"]
        zero = xlogy(sums["zeros"], share + (1 - share) * np.exp(-rate))
        rest = (sums["total"] - sums["zeros"]) * (np.log1p(-share) - rate) + xlogy(sums["events"], rate)
        return np.asarray(zero + rest)

    def maximum(self, sums: Sums, p: Parameters) -> Parameters:
        total = np.maximum(sums["total"], 1e-300)
        zeros, events = sums["zeros"], sums["events"]
        share, rate = p["zero_weight"], p["rate"]
        for _ in range(20):  # EM over which zeros are structural; every round raises the likelihood
            structural = zeros * share / np.maximum(share + (1 - share) * np.exp(-rate), 1e-300)
            share = np.minimum(structural / total, 1 - 1e-12)
            rate = np.maximum(events / np.maximum(total - structural, 1e-300), _TINY)
        empty = sums["total"] <= _NOTHING
        new = {
            "zero_weight": np.where(empty, p["zero_weight"], share),
            "rate": np.where(empty, p["rate"], rate),
        }
        return self.no_worse(sums, new, p)

    def means(self, p: Parameters) -> Array:
        return (1 - p["zero_weight"]) * p["rate"]

    def draw(self, p: Parameters, states: Array, generator: np.random.Generator) -> Array:
        structural = generator.random(len(states)) < p["zero_weight"][states]
        return np.where(structural, 0.0, generator.poisson(p["rate"][states]))


class Categorical(Family):
    """probabilities (n_states, n_symbols) of the symbols 0, 1, ..."""

    whole = True

    def start(self, x: Array, n_states: int) -> Parameters:
        counts = np.bincount(x.astype(np.int64)) + 1.0 if len(x) else np.ones(1)
        return {"probabilities": np.tile(counts / counts.sum(), (n_states, 1))}

    def log_density(self, x: Array, p: Parameters) -> Array:
        P = p["probabilities"]
        symbols = x.astype(np.int64)
        if len(symbols) and symbols.max() >= P.shape[1]:
            raise ValueError(f"X holds the symbol {symbols.max()}, which the model does not know.")
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(P).T[symbols])

    def sums(self, x: Array, weights: Array, p: Parameters) -> Sums:
        counts = np.zeros_like(p["probabilities"]).T
        np.add.at(counts, x.astype(np.int64), weights)
        return {"counts": counts.T}

    def maximum(self, sums: Sums, p: Parameters) -> Parameters:
        total = sums["counts"].sum(axis=1, keepdims=True)
        return {"probabilities": _ratio(sums["counts"], total, p["probabilities"])}

    def means(self, p: Parameters) -> Array:
        P = p["probabilities"]
        return np.asarray(P @ np.arange(P.shape[1]))

    def draw(self, p: Parameters, states: Array, generator: np.random.Generator) -> Array:
        cumulative = np.cumsum(p["probabilities"], axis=1)[:, :-1]
        return np.asarray(
            (generator.random(len(states))[:, None] > cumulative[states]).sum(axis=1).astype(np.float64)
        )

    def free(self, p: Parameters) -> int:
        n_states, n_symbols = p["probabilities"].shape
        return int(n_states * (n_symbols - 1))


FAMILIES: dict[str, Family] = {
    "gaussian": Gaussian(),
    "categorical": Categorical(),
    "poisson": Poisson(),
    "negative_binomial": NegativeBinomial(),
    "student_t": StudentT(),
    "gamma": Gamma(),
    "zero_inflated_poisson": ZeroInflatedPoisson(),
}
