"""HMM with categorical emissions."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from ._base import BaseHMM, Statistics
from ._chain import check_distribution, most_probable_rows
from ._observations import check_symbols
from ._online import OnlineMixin
from ._sequences import Array, Sequences

__all__ = ["CategoricalHMM", "SymbolMixin", "draw_symbols"]


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

    n_components: int
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

    def _fitted_n_features(self) -> int | None:
        P = vars(self).get("emissionprob_")
        return None if P is None else int(np.shape(P)[1])

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


class CategoricalHMM(SymbolMixin, OnlineMixin, BaseHMM):
    r"""Hidden Markov model with categorical emissions.

    A chain of states :math:`z_1, \dots, z_T` with :math:`P(z_1 = i) = \pi_i` and
    :math:`P(z_t = j \mid z_{t-1} = i) = a_{ij}` emits symbols, :math:`P(x_t = m \mid z_t = i) = b_{im}`.
    Fitted by EM (Baum-Welch) with hmmlearn's parameters, attributes and starting values.

    Parameters
    ----------
    n_components : int, default=1
        Number of states K.
    startprob_prior : float or array-like of shape (n_components,), default=1.0
        Parameters of the Dirichlet prior of ``startprob_``; 1 is flat.
    transmat_prior : float or array-like of shape (n_components, n_components), default=1.0
        Parameters of the Dirichlet prior of the rows of ``transmat_``.
    emissionprob_prior : float or array-like of shape (n_components, n_features), default=1.0
        Parameters of the Dirichlet prior of the rows of ``emissionprob_``.
    n_features : int or None, default=None
        Number of symbols; None means one more than the largest symbol of the fit. After a fit the attribute
        says how many there are.
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
    MultinomialHMM : Counts of several symbols in each row.
    VariationalCategoricalHMM : The same with a posterior over the parameters.

    Notes
    -----
    ``X`` is one column of integers 0, 1, ...; floats that are whole numbers are taken as well, and NaN is a
    missing symbol. An iteration costs O(n K^2). A symbol that the fit has not seen has probability zero in
    every state, unless ``emissionprob_prior`` is above 1.

    References
    ----------
    L. R. Rabiner (1989). A tutorial on hidden Markov models and selected applications in speech recognition.
    Proceedings of the IEEE 77, 257-286.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.hmm import CategoricalHMM
    >>> model = CategoricalHMM(n_components=2)
    >>> model.startprob_ = np.array([0.6, 0.4])
    >>> model.transmat_ = np.array([[0.7, 0.3], [0.4, 0.6]])
    >>> model.emissionprob_ = np.array([[0.1, 0.4, 0.5], [0.6, 0.3, 0.1]])
    >>> log_prob, states = model.decode([[0], [1], [2]])
    >>> round(float(np.exp(log_prob)), 5), states
    (0.01344, array([1, 0, 0], dtype=int32))
    """

    _letters: ClassVar[Mapping[str, str]] = {"s": "startprob_", "t": "transmat_", "e": "emissionprob_"}
    _n_symbols: int

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseHMM._parameter_constraints,
        "emissionprob_prior": [Interval(Real, 0, None, closed="left"), "array-like"],
        "n_features": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        n_components: int = 1,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        *,
        emissionprob_prior: Any = 1.0,
        n_features: int | None = None,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "ste",
        init_params: str = "ste",
        implementation: str = "log",
        n_init: int = 1,
        n_jobs: int | None = None,
        transmat_mask: Any = None,
        state_order: str | None = None,
        callbacks: Any = None,
    ) -> None:
        self.n_components = n_components
        self.startprob_prior = startprob_prior
        self.transmat_prior = transmat_prior
        self.emissionprob_prior = emissionprob_prior
        self.n_features = n_features
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

    def _emission(self, X: Array | None) -> tuple[Any, ...]:
        P = self.emissionprob_
        shape = np.shape(P)
        if len(shape) != 2 or shape[0] != self.n_components or shape[1] == 0:
            raise ValueError(f"emissionprob_ must have shape (n_components, n_features), got {shape}")
        checked = check_distribution(P, "emissionprob_", shape)
        if X is not None:
            self._check_known(X, shape[1])
        return ("categorical", checked)

    def _init_emission(self, data: Sequences, random_state: Any) -> None:
        if self._needs_init("e", "emissionprob_"):
            drawn = check_random_state(random_state).rand(self.n_components, self._n_symbols)
            self.emissionprob_ = drawn / drawn.sum(axis=1, keepdims=True)

    def _init_flat(self, data: Sequences) -> None:
        self.emissionprob_ = np.tile(self._frequencies(data), (self.n_components, 1))

    def _reseed(self, state: int, data: Sequences, row: int) -> None:
        self.emissionprob_ = np.array(self.emissionprob_)
        self.emissionprob_[state] = self._frequencies(data)

    def _m_step_emission(self, statistics: Statistics, letters: str) -> None:
        if "e" in letters:
            self.emissionprob_ = most_probable_rows(
                statistics["obs"], self.emissionprob_prior, np.asarray(self.emissionprob_, dtype=np.float64)
            )

    def _emission_means(self) -> Array:
        return np.asarray(self.emissionprob_, dtype=np.float64)

    def _count_emission_parameters(self) -> dict[str, int]:
        symbols = self._fitted_n_features() or vars(self).get("_n_symbols", 1)
        return {"e": self.n_components * (symbols - 1)}

    def _reorder_emission(self, order: Array) -> None:
        self.emissionprob_ = np.asarray(self.emissionprob_)[order]

    def _sample_emission(self, states: Array, generator: np.random.Generator) -> Array:
        return draw_symbols(np.asarray(self.emissionprob_, dtype=np.float64), states, generator)[:, None]
