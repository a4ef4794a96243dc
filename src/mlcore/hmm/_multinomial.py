"""HMM with multinomial emissions."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from .._shared_docs import shared_docs
from ._base import BaseHMM, Statistics
from ._chain import normalized_rows
from ._docs import EM
from ._observations import check_counts
from ._sequences import Array, Sequences
from ._symbols import EmissionprobMixin

__all__ = ["MultinomialHMM"]


@shared_docs(EM)
class MultinomialHMM(EmissionprobMixin, BaseHMM):
    r"""Hidden Markov model whose rows are counts of several symbols.

    In state i a row of :math:`n_t` trials is :math:`x_t \sim \mathrm{Multinomial}(n_t, b_i)`. Fitted by EM
    (Baum-Welch) with hmmlearn's parameters, attributes and starting values.

    Parameters
    ----------
    n_components : int, default=1
        Number of states K.
    n_trials : int, array-like of shape (n_samples,) or None, default=None
        Number of trials of every row, or of each. None means what the rows add up to; after a fit the
        attribute says so. To sample, it must be one number.
    <<chain prior>>
    <<algorithm>>
    <<running>>
    params : str, default="ste"
        What EM updates: s for ``startprob_``, t for ``transmat_``, e for ``emissionprob_``.
    init_params : str, default="ste"
        What is filled before EM; the rest must have been set.
    <<engine>>
    <<callbacks>>

    Attributes
    ----------
    <<chain>>
    emissionprob_ : ndarray of shape (n_components, n_features)
        Probability of each symbol in each state; rows add up to 1.
    n_features : int
        Number of symbols.
    <<fitted>>

    See Also
    --------
    CategoricalHMM : One symbol in each row.

    Notes
    -----
    ``X`` holds whole numbers from 0 on. A row with a NaN is missing as a whole. An iteration costs
    O(n (K^2 + K d)).

    References
    ----------
    L. R. Rabiner (1989). A tutorial on hidden Markov models and selected applications in speech recognition.
    Proceedings of the IEEE 77, 257-286.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.hmm import MultinomialHMM
    >>> X = np.array([[5, 0], [4, 1], [5, 0], [0, 5], [1, 4], [0, 5]])
    >>> model = MultinomialHMM(n_components=2, n_init=3, random_state=0, state_order="occupancy").fit(X)
    >>> states = model.predict(X)
    >>> bool(states[0] == states[1] == states[2] != states[3] == states[4] == states[5])
    True
    """

    _letters: ClassVar[Mapping[str, str]] = {"s": "startprob_", "t": "transmat_", "e": "emissionprob_"}
    emissionprob_: Any
    _trials: Any

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseHMM._parameter_constraints,
        "n_trials": [Interval(Integral, 1, None, closed="left"), "array-like", None],
    }

    def __init__(
        self,
        n_components: int = 1,
        n_trials: Any = None,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "ste",
        init_params: str = "ste",
        implementation: str = "log",
        *,
        n_init: int = 1,
        n_jobs: int | None = None,
        transmat_mask: Any = None,
        state_order: str | None = None,
        callbacks: Any = None,
    ) -> None:
        self._keep(locals())

    @property
    def n_trials(self) -> Any:
        """Number of trials: as given, or after a fit what the rows add up to."""
        given = vars(self).get("n_trials")
        return given if given is not None else vars(self).get("_trials")

    @n_trials.setter
    def n_trials(self, value: Any) -> None:
        vars(self)["n_trials"] = value
        vars(self).pop("_trials", None)

    def _check_observations(self, X: Any, *, reset: bool) -> Array:
        counts = check_counts(self, X, reset=reset)
        gone: Array = np.asarray(np.isnan(counts).any(axis=1))
        totals = counts.sum(axis=1)
        given = vars(self).get("n_trials")
        if given is not None and (reset or np.ndim(given) == 0):
            wanted = np.broadcast_to(np.asarray(given), totals.shape) if np.ndim(given) in (0, 1) else None
            if wanted is None or (np.ndim(given) == 1 and len(given) != len(totals)):
                raise ValueError(f"n_trials must be an int or have shape ({len(totals)},).")
            if (totals != wanted)[~gone].any():
                raise ValueError("Total count for each sample should add up to the number of trials")
        if reset:
            self._trials = np.where(gone, 0, totals).astype(np.int64)
        if gone.any():
            counts = np.where(gone[:, None], np.nan, counts)
        return counts

    def _emission(self, X: Array | None) -> tuple[Any, ...]:
        P = self._checked_rows()
        if X is not None:
            self._check_features(X, P.shape[1])
        return ("multinomial", P)

    def _init_emission(self, data: Sequences, random_state: Any) -> None:
        self._init_rows(data.X.shape[1], random_state)

    def _frequencies(self, data: Sequences) -> Array:
        counts = np.nansum(np.asarray(data.X, dtype=np.float64), axis=0) + 1.0
        return np.asarray(counts / counts.sum())

    def _init_flat(self, data: Sequences) -> None:
        self.emissionprob_ = np.tile(self._frequencies(data), (self.n_components, 1))

    def _reseed(self, state: int, data: Sequences, row: int) -> None:
        x: Array = np.nan_to_num(np.asarray(data.X[row], dtype=np.float64)) + self._frequencies(data)
        self.emissionprob_ = np.array(self.emissionprob_, dtype=np.float64)
        self.emissionprob_[state] = x / x.sum()

    def _m_step_emission(self, statistics: Statistics, letters: str) -> None:
        if "e" in letters:
            current = np.asarray(self.emissionprob_, dtype=np.float64)
            self.emissionprob_ = normalized_rows(statistics["obs"], current)

    def _sample_emission(self, states: Array, generator: np.random.Generator) -> Array:
        trials = self.n_trials
        if trials is None or (np.ndim(trials) and len(np.unique(trials)) != 1):
            raise ValueError("To sample, n_trials must be one number of trials for all rows.")
        number = int(np.ravel(trials)[0])
        P = np.asarray(self.emissionprob_, dtype=np.float64)
        drawn = np.empty((len(states), P.shape[1]), dtype=np.int64)
        for k in range(len(P)):
            rows = states == k
            drawn[rows] = generator.multinomial(number, P[k], size=int(rows.sum()))
        return drawn
