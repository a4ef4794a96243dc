"""When to stop: the scores of a fit and the rule that looks at them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.utils import resample

from ._parts import Part
from ._sparse import SparseColumns

__all__ = ["LossScores", "ScorerScores", "has_stalled"]

#: A scorer looks at no more rows of the training data than these.
SCORED_ROWS = 10_000


def has_stalled(scores: list[float], patience: int, tol: float) -> bool:
    """True when none of the last ``patience`` scores is better by more than ``tol`` than the one before."""
    if len(scores) <= patience:
        return False
    best_possible = scores[-patience - 1] + tol
    return not any(score > best_possible for score in scores[-patience:])


class LossScores:
    """Minus the loss, from raw predictions that are at hand anyway."""

    def __init__(self, loss: Any, threads: int) -> None:
        self.loss, self.threads = loss, threads

    def training(self, part: Part, raw: npt.NDArray[np.float64]) -> float:
        return -float(self.loss.mean(part, raw, self.threads))

    def validation(self, part: Part, raw: npt.NDArray[np.float64]) -> float:
        return self.training(part, raw)


class ScorerScores:
    """A scorer's opinion of the estimator on (at most 10,000) training rows and on the validation rows.

    The scorer asks the estimator for predictions of the very array it is given; the estimator answers with
    the raw predictions that the fit keeps, see ``_held`` there.
    """

    def __init__(
        self,
        estimator: Any,
        scoring: Any,
        training: tuple[Any, Part],
        validation: tuple[Any, Part] | None,
        seed: int,
    ) -> None:
        X, train = training
        self.estimator = estimator
        self.scorer = check_scoring(estimator, scoring)
        places: Any = slice(None)
        if train.size > SCORED_ROWS:
            stratify = train.y if is_classifier(estimator) else None
            places = resample(
                np.arange(train.size),
                n_samples=SCORED_ROWS,
                replace=False,
                random_state=seed,
                stratify=stratify,
            )
        self.places = places
        rows = places if train.rows is None else train.rows[places]
        self.train = self._sample(X[rows], train, places)
        self.held_out = None
        if validation is not None:
            matrix, part = validation
            self.held_out = self._sample(part.matrix(matrix), part, slice(None))

    def _sample(self, X: Any, part: Part, places: Any) -> tuple[Any, Any, Any]:
        weights = None if part.weights is None else part.weights[places]
        if isinstance(X, SparseColumns):
            X = X.matrix
        return X, self.estimator._decode_y(part.y[places]), weights

    def _score(self, sample: tuple[Any, Any, Any], raw: npt.NDArray[np.float64]) -> float:
        X, y, weights = sample
        self.estimator._held = (X, raw)
        try:
            if weights is None:
                return float(self.scorer(self.estimator, X, y))
            return float(self.scorer(self.estimator, X, y, sample_weight=weights))
        finally:
            del self.estimator._held

    def training(self, part: Part, raw: npt.NDArray[np.float64]) -> float:
        return self._score(self.train, raw[:, self.places])

    def validation(self, part: Part, raw: npt.NDArray[np.float64]) -> float:
        assert self.held_out is not None
        return self._score(self.held_out, raw)
