"""The list of checks, each with what a subject must have for it to apply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sweep.subjects import EstimatorSubject, Subject


@dataclass(frozen=True)
class Check:
    name: str
    run: Callable[[Subject], None]
    applies: Callable[[Subject], bool]


CHECKS: dict[str, Check] = {}

#: What a check may ask for.
NEEDS: dict[str, Callable[[Subject], bool]] = {
    "estimator": lambda s: s.is_estimator,
    "weights": lambda s: s.takes_weights,
    "no sparse": lambda s: not s.takes_sparse,
    "finite": lambda s: s.case.reals and not s.allows_nan,
    "reals": lambda s: s.case.reals,
    "floats": lambda s: {np.float64, np.float32} <= set(s.case.dtypes),
    "any width": lambda s: s.case.any_width,
    "sparse": lambda s: s.case.reals and s.takes_sparse,
    "random": lambda s: "random_state" in s.parameters and s.case.random,
    "random_state": lambda s: "random_state" in s.parameters,
    "n_jobs": lambda s: "n_jobs" in s.parameters,
    "callbacks": lambda s: "callbacks" in s.parameters,
    "transform": lambda s: isinstance(s, EstimatorSubject) and hasattr(s.thing, "transform"),
    "methods": lambda s: (
        isinstance(s, EstimatorSubject) and any(hasattr(s.thing, m) for m in ("predict", "transform"))
    ),
    "constraints": lambda s: hasattr(s.thing, "_parameter_constraints"),
}


def check(*needs: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function `check_<name>(subject)` for all subjects that have what it needs."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        name = function.__name__.removeprefix("check_")
        assert name not in CHECKS, name
        CHECKS[name] = Check(name, function, lambda s: all(NEEDS[need](s) for need in needs))
        return function

    return register


def applicable(subject: Subject) -> list[Check]:
    unknown = set(subject.case.without) - set(CHECKS)
    assert not unknown, f"cases.py names checks that do not exist for {subject}: {sorted(unknown)}"
    return [c for c in CHECKS.values() if c.applies(subject) and c.name not in subject.case.without]
