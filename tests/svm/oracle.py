"""Slow twins in NumPy and SciPy: kernels, decision values, the dual as a quadratic program."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import LinearConstraint, minimize
from scipy.spatial.distance import cdist


def kernel_matrix(kind: str, X: Any, Z: Any, gamma: float, coef0: float = 0.0, degree: int = 3) -> np.ndarray:
    X, Z = np.asarray(X, dtype=float), np.asarray(Z, dtype=float)
    if kind == "rbf":
        return np.exp(-gamma * cdist(X, Z, "sqeuclidean"))
    products = X @ Z.T
    if kind == "linear":
        return products
    if kind == "poly":
        return (gamma * products + coef0) ** degree
    return np.tanh(gamma * products + coef0)


def dual_optimum(
    K: np.ndarray, q: np.ndarray, low: np.ndarray, high: np.ndarray, A: np.ndarray, b: np.ndarray
):
    """min 1/2 x'Kx + q'x over low <= x <= high, A x = b, by a general solver; returns (x, objective)."""
    start = np.clip(np.linalg.lstsq(A, b, rcond=None)[0], low, high)
    found = minimize(
        lambda x: 0.5 * x @ K @ x + q @ x,
        start,
        jac=lambda x: K @ x + q,
        hess=lambda x: K,
        method="trust-constr",
        bounds=list(zip(low, high)),
        constraints=[LinearConstraint(A, b, b)],
        options={"gtol": 1e-11, "xtol": 1e-14, "barrier_tol": 1e-12, "maxiter": 3000},
    )
    return found.x, float(found.fun)


def violation(f: np.ndarray, beta: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Largest f of what may shrink minus smallest f of what may grow."""
    up, down = beta < high, beta > low
    return float(max(0.0, f[down].max(initial=-np.inf) - f[up].min(initial=np.inf)))
