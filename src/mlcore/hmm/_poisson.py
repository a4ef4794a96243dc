"""HMM with Poisson emissions."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from ._base import BaseHMM, Statistics
from ._moments import per_state
from ._observations import check_counts
from ._online import OnlineMixin
from ._sequences import Array, Sequences

__all__ = ["PoissonHMM"]

_LEAST = 1e-10


class PoissonHMM(OnlineMixin, BaseHMM):
    r"""Hidden Markov model whose states emit independent Poisson counts.

    In state i feature j is :math:`x_{tj} \sim \mathrm{Poisson}(\lambda_{ij})`. Fitted by EM (Baum-Welch) with
    hmmlearn's parameters, attributes and starting values.

    Parameters
    ----------
    n_components : int, default=1
        Number of states K.
    startprob_prior : float or array-like of shape (n_components,), default=1.0
        Parameters of the Dirichlet prior of ``startprob_``; 1 is flat.
    transmat_prior : float or array-like of shape (n_components, n_components), default=1.0
        Parameters of the Dirichlet prior of the rows of ``transmat_``.
    lambdas_prior, lambdas_weight : float or array-like, default=0.0
        Shape and rate of the gamma prior of the rates: scalars, one for each state, or arrays of shape
        (n_components, n_features). The update is (prior + n m) / (weight + n) with n the number of rows and m
        the mean count in the state, as in hmmlearn.
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
    params : str, default="stl"
        What EM updates: s for ``startprob_``, t for ``transmat_``, l for ``lambdas_``.
    init_params : str, default="stl"
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
    lambdas_ : ndarray of shape (n_components, n_features)
        Expected counts.
    n_features : int
        Number of features.
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
    MixedHMM : Negative binomial and zero-inflated Poisson counts, and mixed columns.

    Notes
    -----
    ``X`` holds whole numbers from 0 on; NaN is a missing count, marginalised for itself. A state without any
    count keeps a rate of 1e-10. An iteration costs O(n (K^2 + K d)).

    References
    ----------
    W. Zucchini, I. L. MacDonald, R. Langrock (2016). Hidden Markov models for time series, 2nd edition. CRC
    Press.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.hmm import PoissonHMM
    >>> X = np.array([0, 1, 0, 0, 1, 0, 9, 8, 11, 9, 10, 8, 1, 0, 0, 1])[:, None]
    >>> model = PoissonHMM(n_components=2, n_init=5, n_iter=50, random_state=0, state_order="mean").fit(X)
    >>> model.predict(X)
    array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0], dtype=int32)
    """

    _letters: ClassVar[Mapping[str, str]] = {"s": "startprob_", "t": "transmat_", "l": "lambdas_"}
    lambdas_: Any

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseHMM._parameter_constraints,
        "lambdas_prior": [Interval(Real, 0, None, closed="left"), "array-like"],
        "lambdas_weight": [Interval(Real, 0, None, closed="left"), "array-like"],
    }

    def __init__(
        self,
        n_components: int = 1,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        lambdas_prior: Any = 0.0,
        lambdas_weight: Any = 0.0,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "stl",
        init_params: str = "stl",
        implementation: str = "log",
        *,
        n_init: int = 1,
        n_jobs: int | None = None,
        transmat_mask: Any = None,
        state_order: str | None = None,
        callbacks: Any = None,
    ) -> None:
        self.n_components = n_components
        self.startprob_prior = startprob_prior
        self.transmat_prior = transmat_prior
        self.lambdas_prior = lambdas_prior
        self.lambdas_weight = lambdas_weight
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

    def _check_observations(self, X: Any, *, reset: bool) -> Array:
        return check_counts(self, X, reset=reset)

    def _emission(self, X: Array | None) -> tuple[Any, ...]:
        lambdas = np.ascontiguousarray(self.lambdas_, dtype=np.float64)
        if lambdas.ndim != 2 or lambdas.shape[0] != self.n_components or lambdas.shape[1] == 0:
            raise ValueError(f"lambdas_ must have shape (n_components, n_features), got {lambdas.shape}")
        if not (lambdas > 0).all():
            raise ValueError("lambdas_ must be positive")
        if X is not None:
            self._check_features(X, lambdas.shape[1])
        return ("poisson", lambdas)

    def _init_emission(self, data: Sequences, random_state: Any) -> None:
        if self._needs_init("l", "lambdas_"):
            # A gamma distribution with mean and variance of all counts, over all features.
            X = np.asarray(data.X, dtype=np.float64)
            mean, variance = float(np.nanmean(X)), float(np.nanvar(X))
            shape = (self.n_components, X.shape[1])
            if mean == 0 or variance == 0:
                self.lambdas_ = np.full(shape, max(mean, _LEAST))
            else:
                drawn = check_random_state(random_state).gamma(
                    mean**2 / variance, variance / mean, size=shape
                )
                self.lambdas_ = np.maximum(drawn, _LEAST)

    def _column_means(self, data: Sequences) -> Array:
        X = np.asarray(data.X, dtype=np.float64)
        seen = ~np.isnan(X)
        weights = data.row_weights()
        share = seen * (1.0 if weights is None else weights[:, None])
        means = (share * np.where(seen, X, 0.0)).sum(axis=0) / np.maximum(share.sum(axis=0), _LEAST)
        return np.asarray(np.maximum(means, _LEAST))

    def _init_flat(self, data: Sequences) -> None:
        self.lambdas_ = np.tile(self._column_means(data), (self.n_components, 1))

    def _reseed(self, state: int, data: Sequences, row: int) -> None:
        x = np.asarray(data.X[row], dtype=np.float64)
        self.lambdas_ = np.array(self.lambdas_, dtype=np.float64)
        self.lambdas_[state] = np.where(np.isnan(x), self._column_means(data), np.maximum(x, 0.5))

    def _m_step_emission(self, statistics: Statistics, letters: str) -> None:
        if "l" not in letters:
            return
        post = statistics["post"][:, None]
        shape, rate = per_state(self.lambdas_prior, len(post)), per_state(self.lambdas_weight, len(post))
        total = post.sum()
        with np.errstate(invalid="ignore", divide="ignore"):
            lambdas = (shape + total * (statistics["obs"] / post)) / (rate + total)
        kept = np.asarray(self.lambdas_, dtype=np.float64)
        self.lambdas_ = np.maximum(np.where(post > 1e-12, lambdas, kept), _LEAST)

    def _emission_means(self) -> Array:
        return np.asarray(self.lambdas_, dtype=np.float64)

    def _count_emission_parameters(self) -> dict[str, int]:
        return {"l": self.n_components * int(self.n_features or 0)}

    def _fitted_n_features(self) -> int | None:
        lambdas = vars(self).get("lambdas_")
        return super()._fitted_n_features() if lambdas is None else int(np.shape(lambdas)[1])

    def _reorder_emission(self, order: Array) -> None:
        self.lambdas_ = np.asarray(self.lambdas_)[order]

    def _sample_emission(self, states: Array, generator: np.random.Generator) -> Array:
        return generator.poisson(np.asarray(self.lambdas_, dtype=np.float64)[states])
