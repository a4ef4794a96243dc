"""HMM with multinomial emissions."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from ._base import BaseHMM, Statistics
from ._chain import check_distribution, normalized_rows
from ._observations import check_counts
from ._online import OnlineMixin
from ._sequences import Array, Sequences

__all__ = ["MultinomialHMM"]


class MultinomialHMM(OnlineMixin, BaseHMM):
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
    startprob_prior : float or array-like of shape (n_components,), default=1.0
        Parameters of the Dirichlet prior of ``startprob_``; 1 is flat.
    transmat_prior : float or array-like of shape (n_components, n_components), default=1.0
        Parameters of the Dirichlet prior of the rows of ``transmat_``.
    algorithm : {"viterbi", "map"}, default="viterbi"
        Decoder of ``predict`` and ``decode``.
    random_state : int, RandomState instance or None, default=None
        Seeds the starts and ``sample``.
    n_iter : int, default=10
        Limit on the iterations of EM.
    tol : float, default=1e-2
        EM ends when the log-likelihood grows by less.
    verbose : bool, default=False
        Print each iteration to the standard error stream.
    params : str, default="ste"
        What EM updates: s for ``startprob_``, t for ``transmat_``, e for ``emissionprob_``.
    init_params : str, default="ste"
        What is filled before EM; the rest must have been set.
    implementation : {"log", "scaling"}, default="log"
        Accepted for compatibility: both run the same scaled recursion, which does not underflow.
    n_init : int, default=1
        Number of starts, of which the one with the highest log-likelihood is kept.
    n_jobs : int or None, default=None
        Number of threads over sequences and starts; None means all allowed. Results do not depend on it.
    transmat_mask : array-like of shape (n_components, n_components) or None, default=None
        True where a transition is allowed; the others are and stay zero.
    state_order : {"mean", "occupancy"} or None, default=None
        Number the fitted states by their expected observations (first feature first) or by how many rows they
        explain, most first; None leaves them as EM found them.
    callbacks : list of callbacks or None, default=None
        Called between iterations, see :mod:`mlcore.callbacks`.

    Attributes
    ----------
    startprob_ : ndarray of shape (n_components,)
        Initial distribution.
    transmat_ : ndarray of shape (n_components, n_components)
        Transition probabilities; rows add up to 1.
    emissionprob_ : ndarray of shape (n_components, n_features)
        Probability of each symbol in each state; rows add up to 1.
    n_features : int
        Number of symbols.
    monitor_ : ConvergenceMonitor
        Log-likelihoods of the iterations, and whether EM has converged.
    n_iter_ : int
        Iterations of the best start.
    lower_bound_ : float
        Last log-likelihood that EM has reported.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when ``X`` had names that are all strings.

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
        self.n_components = n_components
        self.n_trials = n_trials
        self.startprob_prior = startprob_prior
        self.transmat_prior = transmat_prior
        self.algorithm = algorithm
        self.random_state = random_state
        self.n_iter = n_iter
        self.tol = tol
        self.verbose = verbose
        self.params = params
        self.init_params = init_params
        self.implementation = implementation
        self.n_init = n_init
        self.n_jobs = n_jobs
        self.transmat_mask = transmat_mask
        self.state_order = state_order
        self.callbacks = callbacks

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
        P = self.emissionprob_
        shape = np.shape(P)
        if len(shape) != 2 or shape[0] != self.n_components or shape[1] == 0:
            raise ValueError(f"emissionprob_ must have shape (n_components, n_features), got {shape}")
        checked = check_distribution(P, "emissionprob_", shape)
        if X is not None:
            self._check_features(X, shape[1])
        return ("multinomial", checked)

    def _init_emission(self, data: Sequences, random_state: Any) -> None:
        if self._needs_init("e", "emissionprob_"):
            drawn = check_random_state(random_state).rand(self.n_components, data.X.shape[1])
            self.emissionprob_ = drawn / drawn.sum(axis=1, keepdims=True)

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

    def _emission_means(self) -> Array:
        return np.asarray(self.emissionprob_, dtype=np.float64)

    def _count_emission_parameters(self) -> dict[str, int]:
        return {"e": self.n_components * (int(self.n_features or 1) - 1)}

    def _fitted_n_features(self) -> int | None:
        P = vars(self).get("emissionprob_")
        return super()._fitted_n_features() if P is None else int(np.shape(P)[1])

    def _reorder_emission(self, order: Array) -> None:
        self.emissionprob_ = np.asarray(self.emissionprob_)[order]

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
