"""Probabilities from decision values: Platt's sigmoid and the coupling of pairs of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .._validation import native_matrix, native_threads

__all__ = ["couple_pairs", "cross_validated_decisions", "fit_sigmoid"]

_Floats = npt.NDArray[np.float64]
_FOLDS = 5
_LEAST = 1e-7  # probabilities are kept this far from 0 and 1


def cross_validated_decisions(
    machine: Any,
    X: Any,
    rows: npt.NDArray[np.intp],
    first: npt.NDArray[np.bool_],
    bounds: _Floats,
    random_state: np.random.RandomState,
) -> _Floats:
    """Decision value of each row by a machine fitted without its fifth of the rows.

    Where the other fifths hold one class only, the value is +1 or -1 for that class.
    """
    order = random_state.permutation(len(rows))
    decisions = np.zeros(len(rows))
    precomputed = machine._kernel_tuple()[0] == 4
    for fold in range(_FOLDS):
        held_out = order[fold * len(rows) // _FOLDS : (fold + 1) * len(rows) // _FOLDS]
        rest = np.setdiff1d(order, held_out)
        if held_out.size == 0:
            continue
        if rest.size == 0 or first[rest].all() or not first[rest].any():
            decisions[held_out] = 0.0 if rest.size == 0 else 1.0 if first[rest[0]] else -1.0
            continue
        train = X[rows[rest]]
        if precomputed:
            train = np.ascontiguousarray(train[:, rows[rest]])
        kernel, threads = machine._kernel_tuple(), native_threads(machine.n_jobs)
        labels = np.where(first[rest], 0, 1).astype(np.int32)
        support, per_class, coef, rho, *_ = _core.svm.svc_fit(
            native_matrix(train),
            labels,
            2,
            bounds[rest],
            machine._nu(),
            kernel,
            float(machine.tol),
            float(machine.cache_size) * 2**20,
            bool(machine.shrinking),
            machine._limits()[0],
            machine._limits()[1],
            None,
            threads,
        )
        query = X[rows[held_out]]
        if precomputed:
            vectors: Any = np.empty((0, 0))
            query = np.ascontiguousarray(query[:, rows[rest]])
        else:
            vectors = native_matrix(train[support].astype(np.float64))
            if machine._sparse:
                index = query.indices.dtype
                vectors = (vectors[0], vectors[1].astype(index), vectors[2].astype(index), vectors[3])
        decisions[held_out] = _core.svm.decide(
            native_matrix(query), vectors, coef, per_class, rho, support, kernel, False, threads
        )[:, 0]
    return decisions


def fit_sigmoid(decisions: _Floats, first: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """A and B of P(first | f) = 1 / (1 + exp(A f + B)), by Newton's method with line search.

    Maximises the likelihood of Platt's smoothed targets (Lin, Lin and Weng, "A note on Platt's probabilistic
    outputs for support vector machines", Machine Learning 68, 2007).
    """
    positives, negatives = int(first.sum()), int((~first).sum())
    target = np.where(first, (positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0))

    def loss(a: float, b: float) -> float:
        z = decisions * a + b
        # -log likelihood without overflow: t z + log(1 + e^-z), for either sign of z
        return float(np.sum(target * z + np.logaddexp(0.0, -z)))

    a, b = 0.0, float(np.log((negatives + 1.0) / (positives + 1.0)))
    value = loss(a, b)
    for _ in range(100):
        z = decisions * a + b
        p = np.exp(-np.logaddexp(0.0, z))  # 1 / (1 + e^z)
        curvature = p * (1.0 - p)
        difference = target - p
        gradient_a, gradient_b = float(np.dot(decisions, difference)), float(difference.sum())
        if abs(gradient_a) < 1e-5 and abs(gradient_b) < 1e-5:
            break
        h_aa = float(np.dot(decisions**2, curvature)) + 1e-12
        h_bb = float(curvature.sum()) + 1e-12
        h_ab = float(np.dot(decisions, curvature))
        determinant = h_aa * h_bb - h_ab * h_ab
        step_a = -(h_bb * gradient_a - h_ab * gradient_b) / determinant
        step_b = -(h_aa * gradient_b - h_ab * gradient_a) / determinant
        slope = gradient_a * step_a + gradient_b * step_b
        length = 1.0
        while length >= 1e-10:
            candidate = loss(a + length * step_a, b + length * step_b)
            if candidate < value + 1e-4 * length * slope:
                a, b, value = a + length * step_a, b + length * step_b, candidate
                break
            length /= 2.0
        else:
            break
    return a, b


def couple_pairs(decisions: _Floats, slopes: _Floats, offsets: _Floats, classes: int) -> _Floats:
    """Class probabilities from those of the pairs.

    Minimises sum over a, b of (r_ba p_a - r_ab p_b)^2 on the simplex by the iteration of Wu, Lin and Weng,
    "Probability estimates for multi-class classification by pairwise coupling", JMLR 5, 2004 (their second
    method), for all rows at once.
    """
    z = decisions * slopes + offsets
    pairs = np.clip(np.exp(-np.logaddexp(0.0, z)), _LEAST, 1.0 - _LEAST)
    if classes == 2:
        return np.column_stack([pairs[:, 0], 1.0 - pairs[:, 0]])
    rows = len(pairs)
    r = np.zeros((rows, classes, classes))
    a, b = np.triu_indices(classes, 1)
    r[:, a, b] = pairs
    r[:, b, a] = 1.0 - pairs
    q = -r.transpose(0, 2, 1) * r
    diagonal = np.arange(classes)
    q[:, diagonal, diagonal] = (r.transpose(0, 2, 1) ** 2).sum(axis=2)
    p = np.full((rows, classes), 1.0 / classes)
    active = np.arange(rows)
    for _ in range(max(100, classes)):
        qa, pa = q[active], p[active]
        qp = np.einsum("nij,nj->ni", qa, pa)
        total = np.einsum("ni,ni->n", pa, qp)
        worst = np.abs(qp - total[:, None]).max(axis=1)
        unfinished = worst >= 0.005 / classes
        if not unfinished.any():
            break
        active, qa, pa = active[unfinished], qa[unfinished], pa[unfinished]
        qp, total = qp[unfinished], total[unfinished]
        for t in range(classes):
            change = (total - qp[:, t]) / qa[:, t, t]
            pa[:, t] += change
            scale = 1.0 + change
            total = (total + change * (change * qa[:, t, t] + 2.0 * qp[:, t])) / scale**2
            qp = (qp + change[:, None] * qa[:, t, :]) / scale[:, None]
            pa /= scale[:, None]
        p[active] = pa
    return p
