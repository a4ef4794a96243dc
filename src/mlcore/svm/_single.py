"""Base of the machines with one problem: regression and the one-class machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import column_or_1d

from .. import _core
from .._validation import native_matrix, native_threads, validate_parameters
from ._machine import KernelMachine

__all__ = ["EPSILON_SVR", "NU_SVR", "ONE_CLASS", "SingleMachine"]

EPSILON_SVR, NU_SVR, ONE_CLASS = range(3)
_MEGABYTE = 2**20


class SingleMachine(KernelMachine):
    """Base of SVR, NuSVR and OneClassSVM."""

    n_iter_: int
    kkt_violation_: float
    dual_gap_: float

    def _fit_single(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        problem: int,
        *,
        C: float = 1.0,
        epsilon: float = 0.0,
        nu: float = 0.5,
    ) -> float:
        """Checks, solves, sets the attributes; returns half the width of the tube."""
        validate_parameters(self)
        regression = problem != ONE_CLASS
        if regression and y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y is None."
            )
        last = self._last_solution()
        X, y = self._check_training(X, y if regression else None)
        rows = X.shape[0]
        start = self._start(last, rows, 1)
        targets = np.zeros(0)
        if regression:
            targets = np.ascontiguousarray(column_or_1d(y, warn=True), dtype=np.float64)
        weights = self._check_sample_weight(sample_weight, X, rows)
        bounds = np.zeros(rows)
        np.multiply(weights, C, out=bounds, where=weights > 0)
        support, coef, rho, width, self.n_iter_, violation, gap, objective, status, at_bound, _ = (
            _core.svm.single_fit(
                native_matrix(X),
                problem,
                targets,
                bounds,
                float(epsilon),
                float(nu),
                self._kernel_tuple(),
                float(self.tol),
                float(self.cache_size) * _MEGABYTE,
                bool(self.shrinking),
                *self._limits(),
                start,
                native_threads(self.n_jobs),
            )
        )
        self._n_support = np.array([len(support)], dtype=np.int32)
        self.intercept_ = np.array([-rho])
        self._keep_support(X, support, coef)
        self.kkt_violation_ = violation
        self.dual_gap_ = gap
        self._support_bounds, self._n_at_bound = bounds[support], np.array([at_bound], dtype=np.int32)
        self._report(
            f"{int((bounds > 0).sum())} rows",
            iterations=self.n_iter_,
            objective=-objective,
            rho=rho,
            epsilon=width,
            violation=violation,
            gap=gap,
            nSV=len(support),
            nBSV=at_bound,
        )
        self._check_solution(status, violation)
        return width

    def _decide(self, X: Any) -> npt.NDArray[np.float64]:
        X, vectors, coef, per_class, rho, support, kernel, threads = self._native_query(X)
        decisions: npt.NDArray[np.float64] = _core.svm.decide(
            X, vectors, coef, per_class, rho, support, kernel, False, threads
        )
        return decisions.ravel()
