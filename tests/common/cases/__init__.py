"""What the sweep must know about single estimators and functions. Those not listed are swept with defaults.

One file per family with a dict CASES, found by existing; the key is the public name, `cluster.KMeans`. Keep
it small: cheap arguments, arguments that make a fit long or independent of a random draw, what X may hold,
what fit wants besides X and y, and the checks that do not apply, each with its reason.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

#: Arguments for every constructor or function that has them.
DEFAULTS: dict[str, Any] = {
    "n_clusters": 3,
    "n_components": 2,
    "n_estimators": 5,
    "n_init": 2,
    "max_iter": 20,
    "n_iter": 20,
    "random_state": 0,
}
#: The same on big data, where threads pay.
BIG: dict[str, Any] = {"n_clusters": 8, "n_components": 4, "max_iter": 3, "n_iter": 3}
#: The same for a fit of more than a minute, to be interrupted.
LONG: dict[str, Any] = {
    "n_clusters": 32,
    "n_init": 1_000_000,
    "max_iter": 1_000_000,
    "n_iter": 1_000_000,
    "tol": 0.0,
    "random_state": 0,
}


def as_it_is(X: np.ndarray) -> np.ndarray:
    return X


def nothing(rows: int) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Case:
    """How one estimator is swept. Functions here must be module-level (a case travels to another process)."""

    #: Arguments besides DEFAULTS; the other dicts come on top of it.
    params: Mapping[str, Any] = field(default_factory=dict)
    big: Mapping[str, Any] = field(default_factory=dict)
    long: Mapping[str, Any] = field(default_factory=dict)
    #: X -> arguments with which no random draw depends on the number of rows, for the meaning of weights.
    no_draws: Callable[[np.ndarray], Mapping[str, Any]] = lambda X: {}
    #: Rows of the "big" and of the "long" data.
    big_rows: int = 20_000
    long_rows: int = 50_000

    #: Makes X, rows of real numbers of either sign, into what the estimator accepts: counts, symbols.
    data: Callable[[np.ndarray], np.ndarray] = as_it_is
    #: dtypes of X that are at home; the first is the one that others are compared with.
    dtypes: tuple[type, ...] = (np.float64, np.float32)
    #: May X be any table of real numbers? If not, checks that make up their own values are left out.
    reals: bool = True
    #: May X have any number of columns? If not (one column of symbols), checks of widths and names are
    #: left out.
    any_width: bool = True
    #: The target of a supervised fit; None: found out from the tags.
    target: Literal["none", "classes", "regression", "positive"] | None = None
    #: rows of X -> what fit must get besides X, y and weights ({"lengths": [...]}, {"qid": ...}).
    fit_arguments: Callable[[int], Mapping[str, Any]] = nothing
    #: rows of X -> what predict, score and the like must get besides X and y.
    answer_arguments: Callable[[int], Mapping[str, Any]] = nothing
    #: Is `sample_weight` one number per row? Weights of something else are the family's own to test.
    weights_of_rows: bool = True

    #: Attributes about single rows of the fit (numbers of rows, a multiplier of each): rows that are repeated
    #: have their own, so only what the model makes of them is compared with a fit that weighs rows.
    about_rows: frozenset[str] = frozenset()
    #: Attributes that say how far from zero something is that should be zero -> what each run must stay below
    #: where runs are compared to a tolerance; rounding decides what is left of them.
    residuals: Mapping[str, float] = field(default_factory=dict)
    #: What weights below zero mean: an error, or that the row is left out as with weight 0.
    negative_weights: Literal["an error", "left out"] = "an error"

    #: Relative tolerance where another order of additions is allowed (layouts, sparse, ISA levels).
    rtol: float = 1e-6
    #: Are results of float64 input float64 for input of every type? Not where rows of X are handed back.
    same_dtype: bool = True
    #: Does a seed change the result of a fit on noise?
    random: bool = True
    #: check name -> why it does not apply.
    without: Mapping[str, str] = field(default_factory=dict)
    #: name of a check of scikit-learn's check_estimator -> why it must fail (it is an error if it does not).
    estimator_checks_fail: Mapping[str, str] = field(default_factory=dict)
    #: the same for checks that fail with default arguments only (and pass with `params`).
    estimator_checks_fail_by_default: Mapping[str, str] = field(default_factory=dict)


def _of_all_families() -> dict[str, Case]:
    found: dict[str, Case] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        more = importlib.import_module(module.name).CASES
        assert not set(more) & set(found), f"{module.name} repeats {set(more) & set(found)}"
        found |= more
    return found


CASES: dict[str, Case] = {}  # filled last: the modules of families import Case from here
CASES.update(_of_all_families())
