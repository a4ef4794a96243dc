"""HMM with Poisson emissions."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from .._shared_docs import shared_docs
from ._base import BaseHMM, Statistics
from ._docs import EM
from ._moments import per_state
from ._observations import check_counts
from ._sequences import Array, Sequences

__all__ = ["PoissonHMM"]

_LEAST = 1e-10


@shared_docs(EM)
class PoissonHMM(BaseHMM):
    r"""Hidden Markov model whose states emit independent Poisson counts.

    In state i feature j is :math:`x_{tj} \sim \mathrm{Poisson}(\lambda_{ij})`. Fitted by EM (Baum-Welch) with
    hmmlearn's parameters, attributes and starting values.

    Parameters
    ----------
    n_components : int, default=1
        Number of states K.
    <<chain prior>>
    lambdas_prior, lambdas_weight : float or array-like, default=0.0
        Shape and rate of the gamma prior of the rates: scalars, one for each state, or arrays of shape
        (n_components, n_features). The update is (prior + n m) / (weight + n) with n the number of rows and m
        the mean count in the state, as in hmmlearn.
    <<algorithm>>
    <<running>>
    params : str, default="stl"
        What EM updates: s for ``startprob_``, t for ``transmat_``, l for ``lambdas_``.
    init_params : str, default="stl"
        What is filled before EM; the rest must have been set.
    <<engine>>
    <<callbacks>>

    Attributes
    ----------
    <<chain>>
    lambdas_ : ndarray of shape (n_components, n_features)
        Expected counts.
    n_features : int
        Number of features.
    <<fitted>>

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
    lambdas_prior: Any
    lambdas_weight: Any

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
        self._keep(locals())

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
