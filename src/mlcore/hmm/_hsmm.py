"""Hidden semi-Markov model: explicit durations of the states.

Glossary: a *segment* is a run of rows in one state, its *duration* their number. The model is an HMM over
pairs (state, rows left), where a state counts down and only then hands over: everything the engine can do
serves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from scipy.special import gammaln, xlogy
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from .._shared_docs import shared_docs
from .._validation import native_threads
from ._base import BaseHMM, Statistics
from ._chain import check_distribution, check_mask, normalized_rows
from ._decoding import no_path
from ._docs import EM
from ._engine import engine
from ._mixed import ColumnFamiliesMixin
from ._sequences import Array, Sequences

__all__ = ["HSMM"]


@shared_docs(EM)
class HSMM(ColumnFamiliesMixin):
    r"""Hidden semi-Markov model: how long a state lasts has a distribution of its own.

    An HMM leaves a state with the same probability in every row, so durations are geometric. Here a segment
    in state i lasts d rows with probability :math:`p_i(d)`, :math:`1 \le d \le D`, and then another state
    follows with probability :math:`a_{ij}`, :math:`a_{ii} = 0`. The first segment begins with the first
    row; the last one may be cut off by the end of the sequence. Fitted by EM.

    Parameters
    ----------
    n_components : int, default=2
        Number of states K.
    <<columns>>
    max_duration : int, default=20
        Longest duration D.
    duration : {"categorical", "poisson"}, default="categorical"
        Durations with a free probability each, or d - 1 from a Poisson distribution cut off at D.
    <<chain prior>>
    <<algorithm>>
    <<running>>
    params : str, default="sted"
        What EM updates: s for ``startprob_``, t for ``transmat_``, e for ``emissions_``, d for
        ``durations_``.
    init_params : str, default="sted"
        What is filled before EM; the rest must have been set.
    <<engine>>
    <<callbacks>>

    Attributes
    ----------
    <<chain>>
    durations_ : ndarray of shape (n_components, max_duration)
        Probability of the durations 1, 2, ..., D; rows add up to 1.
    <<emissions>>
    <<fitted>>

    See Also
    --------
    MixedHMM : The same emissions with geometric durations.

    Notes
    -----
    An iteration costs O(n (K^2 + K D)) and, beyond the posteriors, O(sqrt(T) K D) numbers of memory for a
    sequence of T rows; ``filter``, ``forecast``, ``sample_posterior`` and the k best paths run over the K D
    pairs (state, rows left). With one state there is no other to go to: ``transmat_`` is then 1, and
    durations say nothing. The log-probability that ``decode`` returns is that of the best path of pairs;
    with ``n_best`` the paths of states all differ. Sequences are shared out between threads; a single one is
    done by one thread, however long it is.

    References
    ----------
    S.-Z. Yu (2010). Hidden semi-Markov models. Artificial Intelligence 174, 215-243.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.hmm import HSMM
    >>> X = np.tile(np.repeat([0.0, 5.0], [3, 5]), 6)[:, None] + 0.1 * np.sin(np.arange(48.0))[:, None]
    >>> model = HSMM(2, max_duration=8, n_iter=30, random_state=0, state_order="mean").fit(X)
    >>> (model.durations_ @ np.arange(1, 9)).round(1)
    array([3., 5.])
    """

    _letters: ClassVar[Mapping[str, str]] = {
        "s": "startprob_",
        "t": "transmat_",
        "e": "emissions_",
        "d": "durations_",
    }
    _counting_is_enough: ClassVar[bool] = False
    durations_: Any
    max_duration: int
    duration: str

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseHMM._parameter_constraints,
        "families": [str, "array-like"],
        "max_duration": [Interval(Integral, 1, None, closed="left")],
        "duration": [StrOptions({"categorical", "poisson"})],
    }

    def __init__(
        self,
        n_components: int = 2,
        families: Any = "gaussian",
        max_duration: int = 20,
        duration: str = "categorical",
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "sted",
        init_params: str = "sted",
        implementation: str = "log",
        *,
        n_init: int = 1,
        n_jobs: int | None = None,
        transmat_mask: Any = None,
        state_order: str | None = None,
        callbacks: Any = None,
    ) -> None:
        self._keep(locals())

    # -- the HMM over (state, rows left)

    def _check_durations(self) -> Array:
        return check_distribution(self.durations_, "durations_", (self.n_components, self.max_duration))

    def _model(self, X: Array | None) -> tuple[tuple[Any, ...], Array, Array]:
        emission, start, trans = super()._model(X)
        durations = self._check_durations()
        K, D = durations.shape
        # pair (k, r), r rows left after this one: number k D + r
        expanded = np.zeros((K, D, K, D))
        expanded[:, 0] = trans[:, :, None] * durations
        for r in range(1, D):
            expanded[np.arange(K), r, np.arange(K), r - 1] = 1.0
        return emission, (start[:, None] * durations).ravel(), expanded.reshape(K * D, K * D)

    def _emission(self, X: Array | None) -> tuple[Any, ...]:
        return ("log_density", np.repeat(super()._emission(X)[1], self.max_duration, axis=1))

    def _spread_states(self, data: Sequences, emission: tuple[Any, ...]) -> tuple[Any, ...]:
        """Known states rule out the pairs of other states."""
        if data.states is None:
            return emission
        state = np.arange(self.n_components).repeat(self.max_duration)
        ruled_out = (data.states[:, None] >= 0) & (data.states[:, None] != state)
        return ("log_density", np.where(ruled_out, -np.inf, emission[1]))

    def _native_labels(self, data: Sequences) -> Array | None:
        return None

    def _segments(self, data: Sequences) -> tuple[Array, ...]:
        """What the recursions with explicit durations take, without the detour over pairs."""
        durations = self._check_durations()
        _, start, trans = super()._model(None)
        return super()._emission(data.X)[1], data.offsets, start, trans, durations

    def _log_likelihoods(self, X: Any, lengths: Any) -> Array:
        data = self._test_data(X, lengths)
        values: Array = engine.duration_score(*self._segments(data), None, native_threads(self.n_jobs))
        return values

    def _posteriors(self, data: Sequences) -> tuple[float, Array]:
        values, gamma = engine.duration_posteriors(
            *self._segments(data), data.states, native_threads(self.n_jobs)
        )
        if not np.isfinite(values).all():
            raise ValueError(no_path(values))
        if not np.isfinite(gamma).all():
            raise ValueError("The values of X are too far from the model for posteriors: scale it.")
        return float(values.sum()), gamma

    def _best_path(
        self, arguments: tuple[Any, ...], labels: Array | None, threads: int
    ) -> tuple[Array, Array]:
        emission, _, offsets = arguments[:3]
        D = self.max_duration
        L = np.ascontiguousarray(emission[1][:, ::D])  # all pairs of a state have its densities
        durations = self._check_durations()
        values, states = engine.duration_viterbi(
            L, offsets, *super()._model(None)[1:], durations, labels, threads
        )
        return values, states * D

    def _collapse(self, values: Array) -> Array:
        return np.asarray(
            values.reshape(*values.shape[:-1], self.n_components, self.max_duration).sum(axis=-1)
        )

    def _collapse_states(self, states: Array) -> Array:
        return np.asarray(np.where(states < 0, -1, states // self.max_duration)).astype(np.int32)

    # -- starts

    def _init_chain(self, data: Sequences, random_state: Any) -> None:
        super()._init_chain(data, random_state)
        K, D = self.n_components, self.max_duration
        self.transmat_ = self._without_loops(np.asarray(self.transmat_, dtype=np.float64))
        if self._needs_init("d", "durations_"):
            drawn = check_random_state(random_state).uniform(0.5, 1.5, size=(K, D))
            self.durations_ = drawn / drawn.sum(axis=1, keepdims=True)
            if self.duration == "poisson":
                self.durations_ = self._poisson_durations(self.durations_)

    def _without_loops(self, trans: Array) -> Array:
        K = self.n_components
        if K == 1:
            return np.ones((1, 1))
        open_pairs = ~np.eye(K, dtype=bool)
        mask = check_mask(self.transmat_mask, K)
        if mask is not None:
            open_pairs &= mask
            if not open_pairs.any(axis=1).all():
                raise ValueError("transmat_mask must leave every state a transition to another one.")
        even = open_pairs / open_pairs.sum(axis=1, keepdims=True)
        return normalized_rows(np.where(open_pairs, np.maximum(trans, 1e-6), 0.0), even)

    def _init_flat(self, data: Sequences) -> None:
        super()._init_flat(data)
        K, D = self.n_components, self.max_duration
        self.durations_ = np.full((K, D), 1.0 / D)
        self.transmat_ = self._without_loops(np.full((K, K), 1.0 / K))

    # -- EM

    def _e_step(self, data: Sequences, threads: int) -> Statistics:
        found: Statistics = engine.duration_estep(*self._segments(data), data.weights, data.states, threads)
        del found["n_sequences"], found["n_log_space"]
        return {**found, "X": data.X}

    def _m_step_emission(self, statistics: Statistics, letters: str) -> None:
        super()._m_step_emission(statistics, letters)
        if "d" in letters and "durations" in statistics:
            current = np.asarray(self.durations_, dtype=np.float64)
            shares = normalized_rows(statistics["durations"], current)
            self.durations_ = self._poisson_durations(shares) if self.duration == "poisson" else shares

    def _poisson_durations(self, shares: Array) -> Array:
        """The truncated Poisson distributions with the means of these: their maximum-likelihood fits."""
        before = np.arange(self.max_duration, dtype=np.float64)
        wanted = shares @ before
        low, high = np.full(len(wanted), -12.0), np.full(len(wanted), np.log(100.0 * self.max_duration))
        for _ in range(80):
            middle = 0.5 * (low + high)
            below = _truncated_poisson(np.exp(middle), before) @ before < wanted
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return _truncated_poisson(np.exp(0.5 * (low + high)), before)

    def _statistics_of_known(self, data: Sequences) -> Statistics:
        assert data.states is not None
        weights = data.row_weights()
        gamma = np.zeros((data.n_rows, self.n_components))
        known = np.flatnonzero(data.states >= 0)
        gamma[known, data.states[known]] = 1.0 if weights is None else weights[known]
        return {"gamma": gamma, "post": gamma.sum(axis=0), "X": data.X}

    # -- the rest

    def _count_parameters(self) -> int:
        K, D = self.n_components, self.max_duration
        durations = K if self.duration == "poisson" else K * (D - 1)
        return K - 1 + K * max(K - 2, 0) + durations + self._count_emission_parameters()["e"]

    def _refuse_invalid(self) -> None:
        super()._refuse_invalid()
        self._check_durations()

    def _reorder_emission(self, order: Array) -> None:
        super()._reorder_emission(order)
        self.durations_ = np.asarray(self.durations_)[order]


def _truncated_poisson(rates: Array, counts: Array) -> Array:
    logs = xlogy(counts, rates[:, None]) - gammaln(counts + 1)
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))
