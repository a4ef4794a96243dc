"""HMM with a mixture of Gaussians in each state."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from .._shared_docs import shared_docs
from ._base import BaseHMM, Statistics
from ._chain import check_distribution
from ._docs import EM
from ._gaussian import draw_gaussian
from ._means import kmeans_start
from ._moments import (
    count_covars,
    floor_matrices,
    floor_of_sums,
    overall_moments,
    recentred,
    require_definite,
    variance_floor,
)
from ._observations import check_real
from ._sequences import Array, Sequences

__all__ = ["GMMHMM"]

_NOTHING = 1e-12


@shared_docs(EM)
class GMMHMM(BaseHMM):
    r"""Hidden Markov model whose states emit from mixtures of Gaussians.

    In state i an observation has the density :math:`\sum_m w_{im} N(x; \mu_{im}, \Sigma_{im})`. Fitted by EM
    with hmmlearn's parameters, attributes and starting values. A step takes the covariances about the means
    before the step (a conditional maximisation), as hmmlearn does; the likelihood grows all the same.

    Parameters
    ----------
    n_components : int, default=1
        Number of states K.
    n_mix : int, default=1
        Number of components M of each mixture.
    min_covar : float, default=1e-3
        Added to the diagonal of the covariance that EM starts from.
    <<chain prior>>
    weights_prior : float or array-like of shape (n_components, n_mix), default=1.0
        Parameters of the Dirichlet prior of the rows of ``weights_``.
    means_prior, means_weight : float or array-like, default=0.0
        Mean and weight (in rows) of the normal prior of the means; shapes (n_components, n_mix, n_features)
        and (n_components, n_mix) or what broadcasts to them.
    covars_prior, covars_weight : float, array-like or None, default=None
        Parameters of the prior of the covariances. "full", "tied": inverse Wishart with scale matrix and
        degrees of freedom; "diag", "spherical": inverse gamma with shape and scale. None means flat.
    <<algorithm>>
    covariance_type : {"spherical", "diag", "full", "tied"}, default="diag"
        One variance for each component; one for each component and feature; a matrix for each component; one
        matrix for all components of a state.
    <<running>>
    params : str, default="stmcw"
        What EM updates: s for ``startprob_``, t for ``transmat_``, m for ``means_``, c for
        ``covars_``, w for ``weights_``.
    init_params : str, default="stmcw"
        What is filled before EM; the rest must have been set.
    <<engine>>
    variance_floor : float, default=1e-10
        No variance of a component falls below this fraction of the variance of the feature over all rows.
    <<callbacks>>

    Attributes
    ----------
    <<chain>>
    weights_ : ndarray of shape (n_components, n_mix)
        Weights of the components; rows add up to 1.
    means_ : ndarray of shape (n_components, n_mix, n_features)
        Means.
    covars_ : ndarray
        Covariances, of shape (n_components, n_mix), (n_components, n_mix, n_features), (n_components, n_mix,
        n_features, n_features) or (n_components, n_features, n_features) for "spherical", "diag", "full",
        "tied".
    n_features : int
        Number of features.
    <<fitted>>

    See Also
    --------
    GaussianHMM : One Gaussian in each state.

    Notes
    -----
    float32 and float64 observations are used as they are when C-contiguous; NaN is a missing value,
    integrated out for itself. An iteration costs O(n (K^2 + K M d^2)) with "full" and "tied".

    References
    ----------
    B.-H. Juang (1985). Maximum-likelihood estimation for mixture multivariate stochastic observations of
    Markov chains. AT&T Technical Journal 64, 1235-1249.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.hmm import GMMHMM
    >>> rng = np.random.default_rng(0)
    >>> X = rng.choice([-5.0, 5.0], 60)[:, None]
    >>> X += 0.1 * rng.standard_normal(X.shape)
    >>> model = GMMHMM(n_components=1, n_mix=2, random_state=0).fit(X)
    >>> np.sort(model.means_.ravel()).round()
    array([-5.,  5.])
    """

    _letters: ClassVar[Mapping[str, str]] = {
        "s": "startprob_",
        "t": "transmat_",
        "m": "means_",
        "c": "covars_",
        "w": "weights_",
    }
    means_: Any
    covars_: Any
    weights_: Any
    _floor: Array
    n_mix: int
    min_covar: float
    weights_prior: Any
    means_prior: Any
    means_weight: Any
    covars_prior: Any
    covars_weight: Any
    covariance_type: str
    variance_floor: float

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseHMM._parameter_constraints,
        "n_mix": [Interval(Integral, 1, None, closed="left")],
        "covariance_type": [StrOptions({"spherical", "diag", "full", "tied"})],
        "min_covar": [Interval(Real, 0, None, closed="left")],
        "weights_prior": [Interval(Real, 0, None, closed="left"), "array-like"],
        "means_prior": [Real, "array-like"],
        "means_weight": [Interval(Real, 0, None, closed="left"), "array-like"],
        "covars_prior": [Real, "array-like", None],
        "covars_weight": [Real, "array-like", None],
        "variance_floor": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        n_components: int = 1,
        n_mix: int = 1,
        min_covar: float = 1e-3,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        weights_prior: Any = 1.0,
        means_prior: Any = 0.0,
        means_weight: Any = 0.0,
        covars_prior: Any = None,
        covars_weight: Any = None,
        algorithm: str = "viterbi",
        covariance_type: str = "diag",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "stmcw",
        init_params: str = "stmcw",
        implementation: str = "log",
        *,
        n_init: int = 1,
        n_jobs: int | None = None,
        transmat_mask: Any = None,
        state_order: str | None = None,
        variance_floor: float = 1e-10,
        callbacks: Any = None,
    ) -> None:
        self._keep(locals())

    def _check_observations(self, X: Any, *, reset: bool) -> Array:
        return check_real(self, X, reset=reset)

    def _emission(self, X: Array | None) -> tuple[Any, ...]:
        K, M, kind = self.n_components, self.n_mix, self.covariance_type
        weights = check_distribution(self.weights_, "weights_", (K, M))
        means = np.ascontiguousarray(self.means_, dtype=np.float64)
        if means.ndim != 3 or means.shape[:2] != (K, M):
            raise ValueError(f"means_ must have shape (n_components, n_mix, n_features), got {means.shape}")
        d = means.shape[2]
        covars = np.ascontiguousarray(self.covars_, dtype=np.float64)
        shapes = {"spherical": (K, M), "diag": (K, M, d), "full": (K, M, d, d), "tied": (K, d, d)}
        if kind not in shapes:
            raise ValueError(f"covariance_type must be one of {sorted(shapes)}, got {kind!r} instead.")
        if covars.shape != shapes[kind]:
            raise ValueError(f"{kind!r} covars must have shape {shapes[kind]}, got {covars.shape}")
        if kind in ("full", "tied"):
            require_definite(covars, kind)
        elif not (covars > 0).all():
            raise ValueError(f"{kind!r} covars must be positive")
        if X is not None:
            self._check_features(X, d)
        return ("gaussian_mixture", kind, weights, means, covars)

    # -- starts

    def _init_emission(self, data: Sequences, random_state: Any) -> None:
        K, M = self.n_components, self.n_mix
        mean, covariance = overall_moments(data)
        self._floor = variance_floor(mean, covariance, self.variance_floor)
        start = covariance + self.min_covar * np.eye(len(mean))
        if self._needs_init("w", "weights_"):
            self.weights_ = np.full((K, M), 1.0 / M)
        if self._needs_init("m", "means_"):
            self.means_ = self._mixture_means(data, random_state, start)
        if self._needs_init("c", "covars_"):
            self.covars_ = self._spread(start)

    def _mixture_means(self, data: Sequences, random_state: Any, covariance: Array) -> Array:
        """k-means of the rows, then of the rows of each cluster."""
        K, M = self.n_components, self.n_mix
        weights = data.row_weights()
        centres, labels = kmeans_start(
            data.X, K, random_state, n_init=10, n_jobs=self.n_jobs, weights=weights
        )
        means = np.empty((K, M, centres.shape[1]))
        for k in range(K):
            rows = labels == k
            if rows.sum() >= M:
                means[k] = kmeans_start(
                    data.X[rows],
                    M,
                    random_state,
                    n_init=10,
                    n_jobs=self.n_jobs,
                    weights=None if weights is None else weights[rows],
                )[0]
            else:  # too few rows: the mixture starts around the centre of its cluster
                own = data.X[rows] if rows.any() else data.X
                moments = overall_moments(Sequences(own, np.array([0, len(own)], dtype=np.int64)))
                spread = np.sqrt(np.diag(moments[1]) + 1e-6 * np.diag(covariance))
                noise = check_random_state(random_state).uniform(-1, 1, size=(M, centres.shape[1]))
                means[k] = centres[k] + 0.1 * noise * spread
        return means

    def _spread(self, covariance: Array) -> Array:
        """One covariance matrix in the shape of the type, for all components."""
        K, M, d = self.n_components, self.n_mix, covariance.shape[0]
        if self.covariance_type == "spherical":
            value = covariance.mean()  # as GaussianHMM starts
            return np.full((K, M), value if value > 0 else np.trace(covariance) / d)
        if self.covariance_type == "diag":
            return self._floored(np.tile(np.diag(covariance), (K, M, 1)))
        if self.covariance_type == "tied":
            return self._floored(np.tile(covariance, (K, 1, 1)))
        return self._floored(np.tile(covariance, (K, M, 1, 1)))

    def _init_flat(self, data: Sequences) -> None:
        K, M = self.n_components, self.n_mix
        mean, covariance = overall_moments(data)
        self._floor = variance_floor(mean, covariance, self.variance_floor)
        start = covariance + self.min_covar * np.eye(len(mean))
        self.weights_ = np.full((K, M), 1.0 / M)
        means = kmeans_start(
            data.X, M, self.random_state, n_init=10, n_jobs=self.n_jobs, weights=data.row_weights()
        )[0]
        self.means_ = np.tile(means, (K, 1, 1))
        self.covars_ = self._spread(start)

    def _reseed(self, state: int, data: Sequences, row: int) -> None:
        mean, covariance = overall_moments(data)
        x = np.asarray(data.X[row], dtype=np.float64)
        steps = np.linspace(-0.5, 0.5, self.n_mix)[:, None] * np.sqrt(np.diag(covariance))
        self.means_ = np.array(self.means_, dtype=np.float64)
        self.means_[state] = np.where(np.isnan(x), mean, x) + steps
        self.weights_ = np.array(self.weights_, dtype=np.float64)
        self.weights_[state] = 1.0 / self.n_mix
        self.covars_ = np.array(self.covars_, dtype=np.float64)
        self.covars_[state] = self._spread(covariance + self.min_covar * np.eye(len(mean)))[state]

    # -- M-step

    def _floored(self, covars: Array) -> Array:
        if self.covariance_type == "spherical":
            return np.asarray(np.maximum(covars, self._floor.mean()))
        if self.covariance_type == "diag":
            return np.maximum(covars, self._floor)
        return floor_matrices(covars, self._floor)

    def _m_step_emission(self, statistics: Statistics, letters: str) -> None:
        K, M = self.n_components, self.n_mix
        post_mix = statistics["post_mix"]
        old_means = np.asarray(self.means_, dtype=np.float64)
        d = old_means.shape[2]
        weight = np.broadcast_to(np.asarray(self.means_weight, dtype=np.float64), (K, M))[:, :, None]
        prior = np.broadcast_to(np.asarray(self.means_prior, dtype=np.float64), (K, M, d))
        if "w" in letters:
            extra = np.broadcast_to(np.asarray(self.weights_prior, dtype=np.float64), (K, M)) - 1.0
            counts = np.maximum(post_mix + extra, 0.0)
            total = counts.sum(axis=1, keepdims=True)
            with np.errstate(invalid="ignore", divide="ignore"):
                self.weights_ = np.where(total > _NOTHING, counts / total, self.weights_)
        if "m" in letters:
            shift = statistics["shift"]
            count = post_mix[:, :, None] + weight
            with np.errstate(invalid="ignore", divide="ignore"):
                means = shift + (statistics["obs"] + weight * (prior - shift)) / count
            self.means_ = np.where(count > _NOTHING, means, old_means)
        if "c" in letters:
            if "_floor" not in vars(self):  # the parameters were set by hand
                self._floor = floor_of_sums(statistics, self.variance_floor)
            centred = recentred(statistics, old_means)
            self.covars_ = self._floored(self._new_covars(centred, weight, self.means_ - prior))

    def _new_covars(self, statistics: Statistics, weight: Array, away: Array) -> Array:
        """Modes of the posterior of the covariances; a component without rows keeps its own."""
        M, d = away.shape[1:]
        post_mix, kept = statistics["post_mix"], np.asarray(self.covars_, dtype=np.float64)
        prior, strength = self._covars_priors(d)
        if self.covariance_type == "diag":
            sums = statistics["obs2"] + weight * away**2 + 2.0 * strength
            count = post_mix[:, :, None] + 1.0 + 2.0 * (prior + 1.0)
        elif self.covariance_type == "spherical":
            sums = statistics["obs2"].sum(axis=2) + weight[:, :, 0] * (away**2).sum(axis=2) + 2.0 * strength
            count = d * post_mix + d + 2.0 * (prior + 1.0)
        else:
            outer = weight[..., None] * away[..., :, None] * away[..., None, :]
            sums = statistics["obs_obs"] + outer
            if self.covariance_type == "tied":
                sums = sums.sum(axis=1) + prior
                count = (post_mix.sum(axis=1) + M + strength + d + 1.0)[:, None, None]
            else:
                sums = sums + prior
                count = (post_mix + 1.0 + strength + d + 1.0)[:, :, None, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(count > _NOTHING, sums / count, kept)

    def _covars_priors(self, d: int) -> tuple[Array, Array]:
        """``covars_prior`` and ``covars_weight`` in full shape; None is the flat prior."""
        K, M, kind = self.n_components, self.n_mix, self.covariance_type
        shapes = {
            "spherical": ((K, M), (K, M), -(M + 2.0) / 2.0, 0.0),
            "diag": ((K, M, d), (K, M, d), -1.5, 0.0),
            "full": ((K, M, d, d), (K, M), 0.0, -(1.0 + d + 1.0)),
            "tied": ((K, d, d), (K,), 0.0, -(M + d + 1.0)),
        }
        first, second, prior, strength = shapes[kind]
        prior = prior if self.covars_prior is None else self.covars_prior
        strength = strength if self.covars_weight is None else self.covars_weight
        return (
            np.broadcast_to(np.asarray(prior, dtype=np.float64), first),
            np.broadcast_to(np.asarray(strength, dtype=np.float64), second),
        )

    # -- the rest

    def _emission_means(self) -> Array:
        return np.asarray(np.einsum("km,kmd->kd", np.asarray(self.weights_), np.asarray(self.means_)))

    def _count_emission_parameters(self) -> dict[str, int]:
        K, M, d = self.n_components, self.n_mix, int(self.n_features or 0)
        return {"m": K * M * d, "c": K * count_covars(self.covariance_type, M, d), "w": K * (M - 1)}

    def _fitted_n_features(self) -> int | None:
        means = vars(self).get("means_")
        return super()._fitted_n_features() if means is None else int(np.shape(means)[2])

    def _reorder_emission(self, order: Array) -> None:
        for name in ("weights_", "means_", "covars_"):
            setattr(self, name, np.asarray(getattr(self, name))[order])

    def _sample_emission(self, states: Array, generator: np.random.Generator) -> Array:
        _, kind, weights, means, covars = self._emission(None)
        K, M, d = means.shape
        cumulative = np.cumsum(weights, axis=1)[:, :-1]
        chosen = (generator.random(len(states))[:, None] > cumulative[states]).sum(axis=1)
        part = states.astype(np.int64) * M + chosen
        if kind == "tied":
            covars, kind = np.repeat(covars, M, axis=0), "full"
        else:
            covars = covars.reshape(K * M, *covars.shape[2:])
        return draw_gaussian(means.reshape(K * M, d), covars, kind, part, generator)
