r"""LambdaMART: gradients of pairs, weighted by what swapping a pair does to a measure of the order.

For two rows of a query with grades a > b, scores s and positions p in the order of the scores:

.. math:: \rho = \frac{1}{1 + e^{s_a - s_b}}, \qquad
          g_a \mathrel{-}= \rho \Delta, \; g_b \mathrel{+}= \rho \Delta, \;
          h \mathrel{+}= \rho (1 - \rho) \Delta

NDCG changes by :math:`\Delta = |G_a - G_b| \, |D_{p_a} - D_{p_b}| / \mathrm{IDCG}` with the gain
:math:`G = 2^{grade} - 1` and the discount :math:`D_p = 1/\log_2(1 + p)`, p from 1, 0 beyond ``ndcg_at``.

The average precision of R relevant rows (grade > 0), with :math:`c_p` of them in the first p places, is
:math:`\frac1R \sum_{p\ relevant} c_p / p`. A swap of a relevant and another row in the places p < q
changes it by

.. math:: \Delta = \frac1R \left| \frac{c_{p-1} + 1}{p} + \sum_{p < k < q,\ relevant} \frac1k
          - \frac{c_q}{q} \right| .

C. Burges, "From RankNet to LambdaRank to LambdaMART: an overview", MSR-TR-2010-82.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from ._parts import Part

__all__ = ["AveragePrecision", "LambdaLoss", "Measure", "Ndcg", "mean_measure"]

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


class Ndcg:
    """The normalised discounted cumulative gain, at the first ``at`` places."""

    def __init__(self, at: int | None) -> None:
        self.at = at

    def gains(self, y: Floats) -> Floats:
        return np.asarray(np.exp2(y) - 1)

    def inverse_ideal(self, gains: Floats) -> Floats:
        ideal = -np.sort(-gains, axis=1) @ _discounts(gains.shape[1], self.at)
        return np.divide(1.0, ideal, out=np.zeros_like(ideal), where=ideal > 0)

    def reached(self, batch: _Batch, scores: Floats) -> Floats:
        return np.asarray((batch.gains * self._placed(scores)).sum(axis=1))

    def _placed(self, scores: Floats) -> Floats:
        return _in_order(scores, np.broadcast_to(_discounts(scores.shape[1], self.at), scores.shape))

    def changes(self, batch: _Batch, scores: Floats) -> Callable[[slice], Floats]:
        """Of some rows against all of their query."""
        placed = self._placed(scores)

        def change(some: slice) -> Floats:
            ahead = batch.gains[:, some, np.newaxis] - batch.gains[:, np.newaxis, :]
            apart = np.abs(placed[:, some, np.newaxis] - placed[:, np.newaxis, :])
            return np.asarray(np.maximum(ahead, 0.0) * apart)

        return change


class AveragePrecision:
    """The mean of the precision at the places of relevant rows (grade > 0)."""

    def gains(self, y: Floats) -> Floats:
        return np.asarray(y > 0, dtype=np.float64)

    def inverse_ideal(self, gains: Floats) -> Floats:
        relevant: Floats = gains.sum(axis=1)
        inverse: Floats = np.divide(1.0, relevant, out=np.zeros_like(relevant), where=relevant > 0)
        return inverse

    def _sums(self, batch: _Batch, scores: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """In the order of the scores: places from 1, relevance, its sum and that of its inverse places."""
        order = _order(scores)
        relevant = np.take_along_axis(batch.gains, order, axis=1)
        places = np.broadcast_to(np.arange(1.0, scores.shape[1] + 1), scores.shape)
        return places, relevant, np.cumsum(relevant, axis=1), np.cumsum(relevant / places, axis=1)

    def reached(self, batch: _Batch, scores: Floats) -> Floats:
        places, relevant, count, _ = self._sums(batch, scores)
        return np.asarray((relevant * count / places).sum(axis=1))

    def changes(self, batch: _Batch, scores: Floats) -> Callable[[slice], Floats]:
        places, relevant, count, inverse = self._sums(batch, scores)
        first = _in_order(scores, (count - relevant + 1) / places - inverse)
        last = _in_order(scores, inverse - relevant / places - count / places)
        place = _in_order(scores, places)

        def change(some: slice) -> Floats:
            before = place[:, some, np.newaxis] < place[:, np.newaxis, :]
            swapped = np.where(
                before,
                first[:, some, np.newaxis] + last[:, np.newaxis, :],
                first[:, np.newaxis, :] + last[:, some, np.newaxis],
            )
            ahead = batch.gains[:, some, np.newaxis] > batch.gains[:, np.newaxis, :]
            return np.where(ahead, np.abs(swapped), 0.0)

        return change


Measure = Ndcg | AveragePrecision


def _batches(y: Floats, qid: npt.NDArray[np.int64], measure: Measure) -> list[_Batch]:
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
        gains = np.where(present, measure.gains(y[rows]), 0.0)
        batches.append(_Batch(rows, gains, present, measure.inverse_ideal(gains)))
    return batches


def _order(scores: Floats) -> npt.NDArray[np.intp]:
    """Rows from the highest score down; ties go to the row that comes first."""
    return np.argsort(-scores, axis=1, kind="stable")


def _in_order(scores: Floats, values: Floats) -> Floats:
    """For each row, the value of its place in the order of the scores."""
    found = np.empty_like(scores)
    np.put_along_axis(found, _order(scores), values, axis=1)
    return found


def mean_measure(y: Floats, scores: Floats, qid: npt.NDArray[np.int64], measure: Measure) -> float:
    """The mean over queries; a query without any relevant row counts as 1."""
    return _mean(_batches(y, qid, measure), scores, measure)


def _mean(batches: list[_Batch], scores: Floats, measure: Measure) -> float:
    total, queries = 0.0, 0
    for batch in batches:
        s = np.where(batch.present, scores[batch.rows], -np.inf)
        reached = measure.reached(batch, s) * batch.inverse_ideal
        total += float(np.where(batch.inverse_ideal > 0, reached, 1.0).sum())
        queries += batch.rows.shape[0]
    return total / queries


def _pairs(batch: _Batch, s: Floats, measure: Measure) -> tuple[Floats, Floats]:
    """Sums of g and h over the pairs of each place; some rows at a time against all of their query."""
    changes = measure.changes(batch, np.where(batch.present, s, -np.inf))
    force, curve = np.zeros_like(s), np.zeros_like(s)
    step = max(1, _BATCH // s.size)
    for begin in range(0, s.shape[1], step):
        some = slice(begin, begin + step)
        rho = expit(s[:, np.newaxis, :] - s[:, some, np.newaxis])
        pull = np.where(batch.present[:, np.newaxis, :], rho * changes(some), 0.0)
        bend = pull * (1 - rho)
        force += pull.sum(axis=1)
        force[:, some] -= pull.sum(axis=2)
        curve += bend.sum(axis=1)
        curve[:, some] += bend.sum(axis=2)
    ideal = batch.inverse_ideal[:, np.newaxis]
    return force * ideal, curve * ideal


class LambdaLoss:
    """What the boosting loop asks of a loss; its mean is 1 - the measure."""

    n_outputs = 1
    renews = False

    def __init__(self, measure: Measure) -> None:
        self.measure = measure

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
            part.cache["batches"] = _batches(part.y, qid, self.measure)
        found: list[_Batch] = part.cache["batches"]
        return found

    def derivatives(self, part: Part, raw: Floats, gradients: Any, hessians: Any, threads: int) -> None:
        scores = raw[0]
        first, second = np.zeros(part.size), np.zeros(part.size)
        for batch in self._batches(part):
            rows = batch.rows[batch.present]
            # A row is in one place of one batch; the places of the padding are left out.
            force, curve = _pairs(batch, scores[batch.rows], self.measure)
            first[rows], second[rows] = force[batch.present], curve[batch.present]
        if part.weights is not None:
            first *= part.weights
            second *= part.weights
        gradients[0], hessians[0] = first, second

    def mean(self, part: Part, raw: Floats, threads: int) -> float:
        return 1.0 - _mean(self._batches(part), raw[0], self.measure)

    def renewed(self, grower: Any, k: int, part: Part, raw: Floats, learning_rate: float) -> None:
        return None

    def inverse_link(self, raw: Floats) -> Floats:
        return raw
