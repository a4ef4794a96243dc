"""What models with a row of probabilities in each state share, and those with one column of symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ._chain import check_distribution
from ._observations import check_symbols
from ._sequences import Array, Sequences

__all__ = ["EmissionprobMixin", "SymbolMixin", "draw_symbols"]


class EmissionprobMixin:
    """Emissions given by ``emissionprob_`` (n_components, n_features), rows that add up to 1."""

    n_components: int
    emissionprob_: Any
    _needs_init: Callable[[str, str], bool]

    def _checked_rows(self) -> Array:
        shape = np.shape(self.emissionprob_)
        if len(shape) != 2 or shape[0] != self.n_components or shape[1] == 0:
            raise ValueError(f"emissionprob_ must have shape (n_components, n_features), got {shape}")
        return check_distribution(self.emissionprob_, "emissionprob_", shape)

    def _init_rows(self, n_columns: int, random_state: Any) -> None:
        if self._needs_init("e", "emissionprob_"):
            drawn = check_random_state(random_state).rand(self.n_components, n_columns)
            self.emissionprob_ = drawn / drawn.sum(axis=1, keepdims=True)

    def _emission_means(self) -> Array:
        return np.asarray(self.emissionprob_, dtype=np.float64)

    def _fitted_n_features(self) -> int | None:
        P = vars(self).get("emissionprob_")
        return None if P is None else int(np.shape(P)[1])

    def _count_emission_parameters(self) -> dict[str, int]:
        seen = vars(self).get("_n_symbols", vars(self).get("n_features_in_", 1))
        return {"e": self.n_components * ((self._fitted_n_features() or seen) - 1)}

    def _reorder_emission(self, order: Array) -> None:
        self.emissionprob_ = np.asarray(self.emissionprob_)[order]


def draw_symbols(P: Array, states: Array, generator: np.random.Generator) -> Array:
    """One symbol from row ``P[s]`` for each s of ``states``, by inversion."""
    cumulative = np.cumsum(P, axis=1)
    cumulative[:, -1] = np.inf  # rounding must not leave a gap at the end
    uniform = generator.random(len(states))
    drawn = np.empty(len(states), dtype=np.int64)
    for k in range(len(P)):
        rows = states == k
        drawn[rows] = np.searchsorted(cumulative[k], uniform[rows], side="right")
    return drawn


class SymbolMixin:
    """What models with one column of symbols share: how many there are, and checks of the column."""

    emissionprob_: Any

    def _check_observations(self, X: Any, *, reset: bool) -> Array:
        symbols = check_symbols(self, X, reset=reset)
        if reset:
            given = vars(self).get("n_features")
            largest = int(symbols.max()) + 1
            if given is not None and largest > given:
                raise ValueError(
                    f"Largest symbol is {largest - 1} but the model only emits symbols up to {given - 1}"
                )
            self._n_symbols = largest if given is None else int(given)
        return symbols

    def _check_known(self, X: Array, n_symbols: int) -> None:
        if len(X) and X.max() >= n_symbols:
            raise ValueError(
                f"X holds the symbol {int(X.max())}, which the model does not know: it has "
                f"n_features={n_symbols} symbols from 0 on. Fit with n_features= for unseen symbols."
            )

    def _frequencies(self, data: Sequences) -> Array:
        """Share of each symbol, none of them zero."""
        seen = data.X >= 0
        weights = data.row_weights()
        counts = np.bincount(
            data.X[seen], None if weights is None else weights[seen], minlength=self._n_symbols
        )
        shares: Array = (counts + 1.0) / (counts + 1.0).sum()
        return shares

    def _sample_emission(self, states: Array, generator: np.random.Generator) -> Array:
        return draw_symbols(np.asarray(self.emissionprob_, dtype=np.float64), states, generator)[:, None]
