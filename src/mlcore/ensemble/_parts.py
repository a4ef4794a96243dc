"""The rows of a fit: which train, which validate, and what each tree sees of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from .. import _core

__all__ = ["Part", "TreeSample", "split_rows"]

#: Quantiles of more rows than these are taken of a sample of this size.
BINNED_ROWS = 200_000


@dataclass
class Part:
    """Some rows of a matrix, with their targets and weights.

    Attributes
    ----------
    rows : ndarray of int64 or None
        Row numbers in ascending order; None for all rows.
    y, weights : ndarray of float64
        Of these rows; ``weights`` may be None.
    order : ndarray of int64 or None
        The same rows in the order in which the split drew them.
    qid : ndarray of int64 or None
        Query of each row, for rankers.
    cache : dict
        What a loss wants to keep about the rows.
    """

    rows: npt.NDArray[np.int64] | None
    y: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64] | None
    order: npt.NDArray[np.int64] | None = None
    qid: npt.NDArray[np.int64] | None = None
    cache: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return int(self.y.size)

    def matrix(self, X: Any) -> Any:
        """The rows themselves; a copy unless it is all of them."""
        return X if self.rows is None else X[self.rows]

    def select(self, places: npt.NDArray[np.int64]) -> Part:
        """The part with these rows, counted within this one."""
        rows = places if self.rows is None else self.rows[places]
        ascending = np.sort(places)
        mine = ascending if self.rows is None else self.rows[ascending]
        return Part(
            mine,
            self.y[ascending],
            None if self.weights is None else self.weights[ascending],
            rows,
            None if self.qid is None else self.qid[ascending],
        )

    def quantile_rows(self, seed: int) -> tuple[npt.NDArray[np.int64] | None, npt.NDArray[np.float64] | None]:
        """Rows and weights for the bin edges: scikit-learn's sample, with its generator."""
        if self.size <= BINNED_ROWS:
            return self.rows, self.weights
        generator = np.random.RandomState(seed)
        share = None
        if self.weights is not None:
            in_order = self.weights
            if self.order is not None and self.rows is not None:
                in_order = self.weights[np.searchsorted(self.rows, self.order)]
            share = in_order / in_order.sum()
        places = generator.choice(self.size, BINNED_ROWS, p=share, replace=True)
        return (places if self.order is None else self.order[places]).astype(np.int64), None


def split_rows(part: Part, size: Any, stratify: bool, seed: int) -> tuple[Part, Part]:
    """Training and validation rows: the split that scikit-learn's class makes of the same data."""
    train, validation = train_test_split(
        np.arange(part.size, dtype=np.int64),
        test_size=size,
        stratify=part.y if stratify else None,
        random_state=seed,
    )
    return part.select(train), part.select(validation)


class TreeSample:
    """Rows and columns for each tree, drawn from (seed, iteration, tree) and nothing else.

    Parameters
    ----------
    sampling : {'none', 'uniform', 'goss'}
        How rows are drawn.
    subsample, top_rate, other_rate, colsample : float
        Shares.
    draws : bool
        Whether the grower itself draws columns.
    seed : int
        Of the fit.
    n_rows, n_features : int
        To draw from.
    """

    def __init__(
        self,
        sampling: str,
        *,
        subsample: float,
        top_rate: float,
        other_rate: float,
        colsample: float,
        draws: bool,
        seed: int,
        n_rows: int,
        n_features: int,
    ) -> None:
        self.sampling = sampling
        self.subsample, self.top_rate, self.other_rate = subsample, top_rate, other_rate
        self.colsample, self.seed = colsample, seed
        self.draws = draws or sampling != "none" or colsample < 1.0
        words = np.random.SeedSequence([seed if self.draws else 0, 1]).generate_state(1, np.uint64)
        self._first_seed = int(words[0])
        self.n_rows, self.n_features = n_rows, n_features

    @property
    def needs_hessians(self) -> bool:
        """GOSS multiplies them."""
        return self.sampling == "goss"

    def seed_of(self, iteration: int, tree: int) -> int:
        """The seed of one tree's own draws: the rounding of its gradients, and columns if they are drawn.

        Without any drawing a model does not depend on the seed of the fit.
        """
        # The native generator mixes its key well: numbers in a row will do.
        return (self._first_seed + (iteration << 20) + tree) % 2**64

    def rows(
        self, iteration: int, gradients: Any, hessians: Any, threads: int
    ) -> npt.NDArray[np.uint32] | None:
        """Rows of this iteration in ascending order, or None for all; GOSS weights the arrays in place."""
        if self.sampling == "uniform" and self.subsample < 1.0:
            draws = np.random.default_rng([self.seed, iteration, 2])
            count = max(1, round(self.subsample * self.n_rows))
            chosen = draws.choice(self.n_rows, count, replace=False, shuffle=False)
            return np.sort(chosen).astype(np.uint32)
        if self.sampling == "goss" and self.top_rate + self.other_rate < 1.0:
            seed = self.seed_of(iteration, 2**20 - 1)
            rows: npt.NDArray[np.uint32] = _core.ensemble.goss(
                gradients, hessians, self.top_rate, self.other_rate, seed, threads
            )
            return rows
        return None

    def columns(self, iteration: int, tree: int) -> npt.NDArray[np.uint8] | None:
        """Mask of the columns of this tree, or None for all."""
        if self.colsample >= 1.0:
            return None
        draws = np.random.default_rng([self.seed, iteration, tree, 3])
        count = max(1, round(self.colsample * self.n_features))
        mask = np.zeros(self.n_features, dtype=np.uint8)
        mask[draws.choice(self.n_features, count, replace=False)] = 1
        return mask
