"""Variational Bayes for HMMs: what the models share, and the categorical one.

The posterior is approximated by q(parameters) q(path). Given q(parameters) the path has the posterior of an
HMM with the sub-normalised parameters exp(E[log pi]), exp(E[log A]), exp(E[log b]); given q(path) the
posterior of the parameters is conjugate, prior plus expected counts. Both steps raise the same lower bound
of the log evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import digamma, gammaln
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from .._shared_docs import shared_docs
from ._base import BaseHMM, Statistics
from ._docs import VARIATIONAL
from ._engine import engine
from ._sequences import Array, Sequences
from ._symbols import EmissionprobMixin, SymbolMixin

__all__ = ["VariationalCategoricalHMM", "VariationalHMM", "dirichlet_divergence", "dirichlet_subnormal"]


def dirichlet_subnormal(parameters: Array) -> Array:
    """exp(E[log p]) for each row p ~ Dirichlet(parameters)."""
    total = parameters.sum(axis=-1, keepdims=True)
    with np.errstate(under="ignore"):
        # Not below a number that products of a few still hold: zero would rule a path out for good.
        return np.asarray(np.maximum(np.exp(digamma(parameters) - digamma(total)), 1e-250))


def dirichlet_divergence(q: Array, p: Array) -> float:
    """Sum over the rows of KL(Dirichlet(q) || Dirichlet(p))."""
    total_q, total_p = q.sum(axis=-1), p.sum(axis=-1)
    expected = digamma(q) - digamma(total_q)[..., None]
    constant = gammaln(total_q) - gammaln(total_p) - (gammaln(q) - gammaln(p)).sum(axis=-1)
    return float(np.sum(constant + ((q - p) * expected).sum(axis=-1)))


class VariationalHMM(BaseHMM):
    """Base of the variational models: the chain's part."""

    #: letter -> attributes of prior and posterior.
    _posteriors_of: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "s": ("startprob_prior_", "startprob_posterior_"),
        "t": ("transmat_prior_", "transmat_posterior_"),
    }
    _counting_is_enough: ClassVar[bool] = False
    startprob_prior_: Array
    startprob_posterior_: Array
    transmat_prior_: Array
    transmat_posterior_: Array

    def _fill(self, letter: str, name: str, value: Any) -> None:
        """Set an attribute unless the user has, for a letter that is not to be initialised."""
        if self._needs_init(letter, name):
            setattr(self, name, value() if callable(value) else value)

    def _init_chain(self, data: Sequences, random_state: Any) -> None:
        K = self.n_components
        even = 1.0 / K
        prior = even if self.startprob_prior is None else self.startprob_prior
        self._fill("s", "startprob_prior_", lambda: _filled(prior, (K,), "startprob_prior"))
        generator = check_random_state(random_state)
        start = generator.dirichlet(np.full(K, even)) * data.n_sequences
        trans = generator.dirichlet(np.full(K, even), size=K) * (data.n_rows / K)
        self._fill("s", "startprob_posterior_", np.maximum(start, _LEAST))
        prior_of_rows = even if self.transmat_prior is None else self.transmat_prior
        self._fill("t", "transmat_prior_", lambda: _filled(prior_of_rows, (K, K), "transmat_prior"))
        self._fill("t", "transmat_posterior_", np.maximum(trans, _LEAST))
        self._check_posteriors({"s": (K,), "t": (K, K)})
        self._expect_chain()

    def _check_posteriors(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        for letter, shape in shapes.items():
            for name in self._posteriors_of[letter]:
                setattr(self, name, positive(getattr(self, name), name, shape))

    def _expect_chain(self) -> None:
        """Expected chain of the posterior; a mask rules transitions out of it."""
        self.startprob_ = self.startprob_posterior_ / self.startprob_posterior_.sum()
        self.transmat_ = self.transmat_posterior_ / self.transmat_posterior_.sum(axis=1, keepdims=True)
        self._apply_mask()

    def _subnormal_model(self, X: Array) -> tuple[tuple[Any, ...], Array, Array, float]:
        """(emission, start, trans, log of a factor that is left out of every row)."""
        start = dirichlet_subnormal(self.startprob_posterior_)
        trans = dirichlet_subnormal(self.transmat_posterior_)
        trans = np.where(np.asarray(self.transmat_) > 0, trans, 0.0)
        emission, constants = self._subnormal_emission(X)
        if constants is None:
            return emission, start, trans, 0.0
        peak = float(constants.max())
        factors = np.exp(constants - peak)
        return emission, start * factors, trans * factors, peak

    def _subnormal_emission(self, X: Array) -> tuple[tuple[Any, ...], Array | None]:
        """Emission, and log constants by which the density of each state is to be multiplied."""
        raise NotImplementedError

    def _emission_divergence(self) -> float:
        raise NotImplementedError

    def _e_step(self, data: Sequences, threads: int) -> Statistics:
        emission, start, trans, peak = self._subnormal_model(data.X)
        if not (np.isfinite(start).all() and np.isfinite(trans).all()):
            raise ValueError(
                "The posterior is not finite: the values of X are too large or too small; scale it."
            )
        statistics: Statistics = engine.estep(
            emission, data.X, data.offsets, start, trans, data.weights, data.states, threads
        )
        statistics["log_likelihood"] = float(statistics["log_likelihood"]) + peak * data.total_rows
        return statistics

    def _objective(self, statistics: Statistics) -> float:
        return float(
            statistics["log_likelihood"]
            - dirichlet_divergence(self.startprob_posterior_, self.startprob_prior_)
            - dirichlet_divergence(self.transmat_posterior_, self.transmat_prior_)
            - self._emission_divergence()
        )

    def _m_step(self, statistics: Statistics, letters: str) -> None:
        if "s" in letters:
            self.startprob_posterior_ = self.startprob_prior_ + statistics["start"]
        if "t" in letters:
            self.transmat_posterior_ = self.transmat_prior_ + statistics["trans"]
        self._m_step_emission(statistics, letters)
        self._expect_chain()

    def _reorder_chain(self, order: Array) -> None:
        super()._reorder_chain(order)
        for name in self._posteriors_of["s"]:
            setattr(self, name, getattr(self, name)[order])
        for name in self._posteriors_of["t"]:
            setattr(self, name, getattr(self, name)[np.ix_(order, order)])

    def _init_from_states(self, data: Sequences) -> None:
        """Known states enter the first E-step; the start needs nothing of them."""

    def _init_flat(self, data: Sequences) -> None:
        raise NotImplementedError

    def _reseed(self, state: int, data: Sequences, row: int) -> None:
        """Empty states are what the prior is for: they stay empty."""


#: Least Dirichlet parameter of a start: draws from sparse Dirichlet distributions can be 0.
_LEAST = 1e-300


def _filled(value: Any, shape: tuple[int, ...], name: str) -> Array:
    try:
        return np.array(np.broadcast_to(np.asarray(value, dtype=np.float64), shape))
    except ValueError:
        raise ValueError(f"{name} must be a number or have shape {shape}, got {np.shape(value)}") from None


def positive(value: Any, name: str, shape: tuple[int, ...]) -> Array:
    """Parameters of a distribution: positive, of this shape."""
    checked = np.asarray(value, dtype=np.float64)
    if checked.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {checked.shape}")
    if not (checked > 0).all():
        raise ValueError(f"{name} must be positive")
    return checked


@shared_docs(VARIATIONAL)
class VariationalCategoricalHMM(SymbolMixin, EmissionprobMixin, VariationalHMM):
    r"""Hidden Markov model with categorical emissions, fitted by variational Bayes.

    The model of :class:`CategoricalHMM` with Dirichlet priors of its probabilities; the fit finds Dirichlet
    posteriors. States that the data do not need fall back to their prior, so ``n_components`` may be
    generous.

    Parameters
    ----------
    n_components : int, default=1
        Number of states K.
    <<chain prior>>
    emissionprob_prior : float, array-like of shape (n_components, n_features) or None, default=None
        Parameters of the Dirichlet prior of the rows of ``emissionprob_``; None means 1 / n_features.
    <<symbols>>
    <<algorithm>>
    <<running>>
    params : str, default="ste"
        What the fit updates: s for ``startprob_``, t for ``transmat_``, e for ``emissionprob_``.
    init_params : str, default="ste"
        What is filled before the first iteration; the rest must have been set.
    <<engine>>
    <<callbacks>>

    Attributes
    ----------
    <<chain>>
    emissionprob_ : ndarray of shape (n_components, n_features)
        Expected probability of each symbol in each state.
    emissionprob_prior_, emissionprob_posterior_ : ndarray of shape (n_components, n_features)
        Parameters of the Dirichlet distributions of the rows of ``emissionprob_``.
    <<fitted>>

    See Also
    --------
    CategoricalHMM : The maximum-likelihood fit.

    Notes
    -----
    ``score``, ``predict`` and the like use the expected parameters. Cost as of :class:`CategoricalHMM`.

    References
    ----------
    M. J. Beal (2003). Variational algorithms for approximate Bayesian inference, chapter 3. PhD thesis,
    University College London.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.hmm import VariationalCategoricalHMM
    >>> X = np.tile([0, 0, 1, 1], 50)[:, None]
    >>> model = VariationalCategoricalHMM(n_components=4, n_init=5, random_state=0).fit(X)
    >>> model.emissionprob_.shape
    (4, 2)
    >>> bool(np.all(np.diff(model.monitor_.history) > -1e-8))
    True
    """

    _letters: ClassVar[Mapping[str, str]] = {"s": "startprob_", "t": "transmat_", "e": "emissionprob_"}
    _posteriors_of: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **VariationalHMM._posteriors_of,
        "e": ("emissionprob_prior_", "emissionprob_posterior_"),
    }
    _n_symbols: int
    emissionprob_prior_: Array
    emissionprob_posterior_: Array
    emissionprob_prior: Any

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseHMM._parameter_constraints,
        "emissionprob_prior": [Interval(Real, 0, None, closed="neither"), "array-like", None],
        "n_features": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        n_components: int = 1,
        startprob_prior: Any = None,
        transmat_prior: Any = None,
        emissionprob_prior: Any = None,
        n_features: int | None = None,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 100,
        tol: float = 1e-6,
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

    def _init_emission(self, data: Sequences, random_state: Any) -> None:
        K, n_symbols = self.n_components, self._n_symbols
        prior = 1.0 / n_symbols if self.emissionprob_prior is None else self.emissionprob_prior
        shape = (K, n_symbols)
        self._fill("e", "emissionprob_prior_", lambda: _filled(prior, shape, "emissionprob_prior"))

        def drawn() -> Array:
            generator = check_random_state(random_state)
            rows = generator.dirichlet(np.full(n_symbols, 1.0 / n_symbols), size=K)
            return np.asarray(np.maximum(rows * (data.n_rows / K), _LEAST))

        self._fill("e", "emissionprob_posterior_", drawn)
        self._check_posteriors({"e": shape})
        self._expect_emission()

    def _expect_emission(self) -> None:
        q = self.emissionprob_posterior_
        self.emissionprob_ = q / q.sum(axis=1, keepdims=True)

    def _emission(self, X: Array | None) -> tuple[Any, ...]:
        P = self._checked_rows()
        if X is not None:
            self._check_known(X, P.shape[1])
        return ("categorical", P)

    def _subnormal_emission(self, X: Array) -> tuple[tuple[Any, ...], Array | None]:
        self._check_known(X, self.emissionprob_posterior_.shape[1])
        return ("categorical", dirichlet_subnormal(self.emissionprob_posterior_)), None

    def _emission_divergence(self) -> float:
        return dirichlet_divergence(self.emissionprob_posterior_, self.emissionprob_prior_)

    def _m_step_emission(self, statistics: Statistics, letters: str) -> None:
        if "e" in letters:
            self.emissionprob_posterior_ = self.emissionprob_prior_ + statistics["obs"]
            self._expect_emission()

    def _reorder_emission(self, order: Array) -> None:
        super()._reorder_emission(order)
        for name in self._posteriors_of["e"]:
            setattr(self, name, np.asarray(getattr(self, name))[order])
