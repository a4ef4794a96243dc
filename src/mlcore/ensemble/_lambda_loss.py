r"""LambdaMART: gradients of pairs, weighted by what swapping a pair does to NDCG.

For two rows of a query with grades a > b, scores s and positions p in the order of the scores:

.. math:: \rho = \frac{1}{1 + e^{s_a - s_b}}, \qquad
          \Delta = \frac{|G_a - G_b| \, |D_{p_a} - D_{p_b}|}{\mathrm{IDCG}}, \qquad
          g_a \mathrel{-}= \rho \Delta, \; g_b \mathrel{+}= \rho \Delta, \;
          h \mathrel{+}= \rho (1 - \rho) \Delta

with the gain :math:`G = 2^{grade} - 1` and the discount :math:`D_p = 1/\log_2(1 + p)`, p from 1, 0 beyond
``ndcg_at``. C. Burges, "From RankNet to LambdaRank to LambdaMART: an overview", MSR-TR-2010-82.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from ._parts import Part

__all__ = ["LambdaLoss", "mean_ndcg"]

Floats = npt.NDArray[np.float64]

#: 2**31 - 1 is the largest gain; beyond, one row would outweigh all others anyway.
GREATEST_GRADE = 31
#: Numbers in the pair arrays of a batch at most: they should stay in cache.
_BATCH = 400_000


@dataclass
class _Batch:
    """Queries of about the same length, padded: row numbers, gains, which are rows, 1 / IDCG."""

    rows: npt.NDArray[np.intp]
    gains: Floats
    present: npt.NDArray[np.bool_]
    inverse_ideal: Floats


def _discounts(size: int, ndcg_at: int | None) -> Floats:
    found: Floats = 1.0 / np.log2(np.arange(2, size + 2))
    if ndcg_at is not None:
        found[ndcg_at:] = 0.0
    return found


def _batches(y: Floats, qid: npt.NDArray[np.int64], ndcg_at: int | None) -> list[_Batch]:
    order = np.argsort(qid, kind="stable")
    begins = np.flatnonzero(np.append(True, np.diff(qid[order]) != 0))
    sizes = np.diff(np.append(begins, order.size))
    batches = []
    by_size = np.argsort(sizes, kind="stable")[::-1]
    place = 0
    while place < by_size.size:
        width = int(sizes[by_size[place]])
        queries = by_size[place : place + max(1, _BATCH // width**2)]
        place += queries.size
        inside = np.arange(width)
        present = inside < sizes[queries][:, np.newaxis]
        rows = order[np.where(present, begins[queries][:, np.newaxis] + inside, 0)]
        gains = np.where(present, np.exp2(y[rows]) - 1, 0.0)
        ideal = -np.sort(-gains, axis=1) @ _discounts(width, ndcg_at)
        inverse = np.divide(1.0, ideal, out=np.zeros_like(ideal), where=ideal > 0)
        batches.append(_Batch(rows, gains, present, inverse))
    return batches


def _discount_of_rows(batch: _Batch, scores: Floats, ndcg_at: int | None) -> Floats:
    """D at the position of each row; ties go to the row that comes first."""
    order = np.argsort(-scores, axis=1, kind="stable")
    found = np.empty_like(scores)
    np.put_along_axis(
        found, order, np.broadcast_to(_discounts(scores.shape[1], ndcg_at), scores.shape), axis=1
    )
    return found


def mean_ndcg(y: Floats, scores: Floats, qid: npt.NDArray[np.int64], ndcg_at: int | None = None) -> float:
    """The mean over queries; a query without any relevant row counts as 1."""
    return _mean_ndcg(_batches(y, qid, ndcg_at), scores, ndcg_at)


def _mean_ndcg(batches: list[_Batch], scores: Floats, ndcg_at: int | None) -> float:
    total, queries = 0.0, 0
    for batch in batches:
        s = np.where(batch.present, scores[batch.rows], -np.inf)
        reached = (batch.gains * _discount_of_rows(batch, s, ndcg_at)).sum(axis=1) * batch.inverse_ideal
        total += float(np.where(batch.inverse_ideal > 0, reached, 1.0).sum())
        queries += batch.rows.shape[0]
    return total / queries


def _pairs(batch: _Batch, s: Floats, ndcg_at: int | None) -> tuple[Floats, Floats]:
    """Sums of g and h over the pairs of each place; some rows at a time against all of their query."""
    placed = _discount_of_rows(batch, np.where(batch.present, s, -np.inf), ndcg_at)
    force, curve = np.zeros_like(s), np.zeros_like(s)
    step = max(1, _BATCH // s.size)
    for begin in range(0, s.shape[1], step):
        some = slice(begin, begin + step)
        ahead = batch.gains[:, some, np.newaxis] - batch.gains[:, np.newaxis, :]
        better = (ahead > 0) & batch.present[:, np.newaxis, :]
        rho = expit(s[:, np.newaxis, :] - s[:, some, np.newaxis])
        change = ahead * np.abs(placed[:, some, np.newaxis] - placed[:, np.newaxis, :])
        pull = np.where(better, rho * change, 0.0)
        bend = pull * (1 - rho)
        force += pull.sum(axis=1)
        force[:, some] -= pull.sum(axis=2)
        curve += bend.sum(axis=1)
        curve[:, some] += bend.sum(axis=2)
    ideal = batch.inverse_ideal[:, np.newaxis]
    return force * ideal, curve * ideal


class LambdaLoss:
    """What the boosting loop asks of a loss; its mean is 1 - NDCG."""

    n_outputs = 1

    def __init__(self, ndcg_at: int | None) -> None:
        self.ndcg_at = ndcg_at

    def check_target(self, y: Floats) -> None:
        if y.min() < 0 or y.max() > GREATEST_GRADE:
            raise ValueError(
                f"Grades must lie between 0 and {GREATEST_GRADE}, got {y.min():g} to {y.max():g}: their gain "
                "is 2**grade - 1."
            )

    def baseline(self, y: Floats, weights: Floats | None) -> Floats:
        return np.zeros(1)

    def has_constant_hessian(self, weights: Floats | None) -> bool:
        return False

    def _batches(self, part: Part) -> list[_Batch]:
        if "batches" not in part.cache:
            qid = np.zeros(part.size, dtype=np.int64) if part.qid is None else part.qid
            part.cache["batches"] = _batches(part.y, qid, self.ndcg_at)
        found: list[_Batch] = part.cache["batches"]
        return found

    def derivatives(self, part: Part, raw: Floats, gradients: Any, hessians: Any, threads: int) -> None:
        scores = raw[0]
        first, second = np.zeros(part.size), np.zeros(part.size)
        for batch in self._batches(part):
            rows = batch.rows[batch.present]
            # A row is in one place of one batch; the places of the padding are left out.
            force, curve = _pairs(batch, scores[batch.rows], self.ndcg_at)
            first[rows], second[rows] = force[batch.present], curve[batch.present]
        if part.weights is not None:
            first *= part.weights
            second *= part.weights
        gradients[0], hessians[0] = first, second

    def mean(self, part: Part, raw: Floats, threads: int) -> float:
        return 1.0 - _mean_ndcg(self._batches(part), raw[0], self.ndcg_at)

    def renewed(self, grower: Any, k: int, part: Part, raw: Floats, learning_rate: float) -> None:
        return None

    def inverse_link(self, raw: Floats) -> Floats:
        return raw
