"""HMM with Gaussian emissions."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._shared_docs import shared_docs
from ._base import BaseHMM, Statistics
from ._docs import EM
from ._means import kmeans_start
from ._moments import (
    checked_covars,
    count_covars,
    floor_matrices,
    floor_of_sums,
    full_covars,
    overall_moments,
    per_state,
    recentred,
    variance_floor,
)
from ._observations import check_real
from ._sequences import Array, Sequences

__all__ = ["GaussianHMM", "draw_gaussian"]

_NOTHING = 1e-12


@shared_docs(EM)
class GaussianHMM(BaseHMM):
    r"""Hidden Markov model with Gaussian emissions.

    A chain of states :math:`z_1, \dots, z_T` with :math:`P(z_1 = i) = \pi_i` and
    :math:`P(z_t = j \mid z_{t-1} = i) = a_{ij}` emits :math:`x_t \sim N(\mu_{z_t}, \Sigma_{z_t})`. Fitted by
    EM (Baum-Welch) with hmmlearn's parameters, attributes and starting values.

    Parameters
    ----------
    n_components : int, default=1
        Number of states K.
    covariance_type : {"spherical", "diag", "full", "tied"}, default="diag"
        One variance for each state; one for each state and feature; a matrix for each state; one matrix for
        all.
    min_covar : float, default=1e-3
        Added to the diagonal of the covariance that EM starts from.
    <<chain prior>>
    means_prior, means_weight : float or array-like, default=0
        Mean and weight (in rows) of the normal prior of the means: scalars, one for each state, or arrays of
        shape (n_components, n_features).
    covars_prior, covars_weight : float or array-like, default=1e-2 and 1
        Parameters of the prior of the covariances: the scale, which is added to the sums of squares, and the
        weight: inverse gamma for "spherical" and "diag", inverse Wishart for "full" and "tied".
    <<algorithm>>
    <<running>>
    params : str, default="stmc"
        What EM updates: s for ``startprob_``, t for ``transmat_``, m for ``means_``, c for ``covars_``.
    init_params : str, default="stmc"
        What is filled before EM; the rest must have been set.
    <<engine>>
    variance_floor : float, default=1e-10
        No variance of a state falls below this fraction of the variance of the feature over all rows.
    <<callbacks>>

    Attributes
    ----------
    <<chain>>
    means_ : ndarray of shape (n_components, n_features)
        Means.
    covars_ : ndarray of shape (n_components, n_features, n_features)
        Covariance matrices, whatever the type; may be set in the compact shape of the type.
    n_features : int
        Number of features.
    <<fitted>>

    See Also
    --------
    GMMHMM : A mixture of Gaussians in each state.
    VariationalGaussianHMM : The same with a posterior over the parameters.

    Notes
    -----
    float32 and float64 observations are used as they are when C-contiguous; parameters and sums are float64.
    An iteration costs O(n (K^2 + K d^2)) with "full" and "tied", O(n (K^2 + K d)) with the others. A missing
    feature is integrated out, also under full covariances.

    References
    ----------
    L. R. Rabiner (1989). A tutorial on hidden Markov models and selected applications in speech recognition.
    Proceedings of the IEEE 77, 257-286.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.hmm import GaussianHMM
    >>> X = np.repeat([0.0, 5.0, 0.0], 30)[:, None] + 0.1 * np.sin(np.arange(90.0))[:, None]
    >>> model = GaussianHMM(n_components=2, random_state=0, state_order="mean").fit(X)
    >>> model.means_.ravel().round(1)
    array([0., 5.])
    >>> model.predict(X)[[0, 40, 80]]
    array([0, 1, 0], dtype=int32)
    """

    _letters: ClassVar[Mapping[str, str]] = {
        "s": "startprob_",
        "t": "transmat_",
        "m": "means_",
        "c": "_covars_",
    }
    means_: Any
    _covars_: Any
    _floor: Array
    covariance_type: str
    min_covar: float
    means_prior: Any
    means_weight: Any
    covars_prior: Any
    covars_weight: Any
    variance_floor: float

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseHMM._parameter_constraints,
        "covariance_type": [StrOptions({"spherical", "diag", "full", "tied"})],
        "min_covar": [Interval(Real, 0, None, closed="left")],
        "means_prior": [Real, "array-like"],
        "means_weight": [Interval(Real, 0, None, closed="left"), "array-like"],
        "covars_prior": [Interval(Real, 0, None, closed="left"), "array-like"],
        "covars_weight": [Interval(Real, 0, None, closed="left"), "array-like"],
        "variance_floor": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        n_components: int = 1,
        covariance_type: str = "diag",
        min_covar: float = 1e-3,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        means_prior: Any = 0,
        means_weight: Any = 0,
        covars_prior: Any = 1e-2,
        covars_weight: Any = 1,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "stmc",
        init_params: str = "stmc",
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

    @property
    def covars_(self) -> Array:
        """Covariance matrices (n_components, n_features, n_features)."""
        return full_covars(self._covars_, self.covariance_type, self.n_components, np.shape(self.means_)[1])

    @covars_.setter
    def covars_(self, covars: Any) -> None:
        self._covars_ = checked_covars(covars, self.covariance_type, self.n_components)

    def _check_observations(self, X: Any, *, reset: bool) -> Array:
        return check_real(self, X, reset=reset)

    def _emission(self, X: Array | None) -> tuple[Any, ...]:
        K, kind = self.n_components, self.covariance_type
        means = np.ascontiguousarray(self.means_, dtype=np.float64)
        if means.ndim != 2 or means.shape[0] != K:
            raise ValueError(f"means_ must have shape (n_components, n_features), got {means.shape}")
        d = means.shape[1]
        covars = self._covars_
        wanted = {"spherical": (K,), "diag": (K, d), "tied": (d, d), "full": (K, d, d)}.get(kind)
        if wanted is None:
            raise ValueError(f"covariance_type must be 'spherical', 'diag', 'full' or 'tied', got {kind!r}.")
        if covars.shape != wanted:
            raise ValueError(f"{kind!r} covars must have shape {wanted}, got {covars.shape}")
        if X is not None:
            self._check_features(X, d)
        return ("gaussian", kind, means, covars)

    # -- starts

    def _init_emission(self, data: Sequences, random_state: Any) -> None:
        mean, covariance = overall_moments(data)
        self._floor = variance_floor(mean, covariance, self.variance_floor)
        if self._needs_init("m", "means_"):
            self.means_ = kmeans_start(
                data.X,
                self.n_components,
                random_state,
                n_init=10,
                n_jobs=self.n_jobs,
                weights=data.row_weights(),
            )[0]
        if self._needs_init("c", "_covars_"):
            self._covars_ = self._spread(covariance + self.min_covar * np.eye(len(mean)))

    def _spread(self, covariance: Array) -> Array:
        """One covariance matrix in the shape of the type, for all states."""
        K, d = self.n_components, covariance.shape[0]
        if self.covariance_type == "spherical":
            # hmmlearn's start: the mean over the whole matrix. A variance must be positive, so where the
            # covariances pull it below, the mean of the diagonal.
            value = covariance.mean()
            return np.full(K, value if value > 0 else np.trace(covariance) / d)
        if self.covariance_type == "diag":
            return self._floored(np.tile(np.diag(covariance), (K, 1)))
        if self.covariance_type == "tied":
            return self._floored(covariance)
        return self._floored(np.tile(covariance, (K, 1, 1)))

    def _init_flat(self, data: Sequences) -> None:
        mean, covariance = overall_moments(data)
        self._floor = variance_floor(mean, covariance, self.variance_floor)
        self.means_ = np.tile(mean, (self.n_components, 1))
        self._covars_ = self._spread(covariance + self.min_covar * np.eye(len(mean)))

    def _reseed(self, state: int, data: Sequences, row: int) -> None:
        mean, covariance = overall_moments(data)
        x = np.asarray(data.X[row], dtype=np.float64)
        self.means_ = np.array(self.means_, dtype=np.float64)
        self.means_[state] = np.where(np.isnan(x), mean, x)
        if self.covariance_type != "tied":
            self._covars_ = self._covars_.copy()
            self._covars_[state] = self._spread(covariance + self.min_covar * np.eye(len(mean)))[state]

    # -- M-step

    def _floored(self, covars: Array) -> Array:
        if self.covariance_type == "spherical":
            return np.asarray(np.maximum(covars, self._floor.mean()))
        if self.covariance_type == "diag":
            return np.maximum(covars, self._floor)
        return floor_matrices(covars, self._floor)

    def _m_step_emission(self, statistics: Statistics, letters: str) -> None:
        post = statistics["post"]
        weight = per_state(self.means_weight, self.n_components)
        prior = per_state(self.means_prior, self.n_components)
        if "m" in letters:
            shift = statistics["shift"]
            count = post[:, None] + weight
            with np.errstate(invalid="ignore", divide="ignore"):
                means = shift + (statistics["obs"] + weight * (prior - shift)) / count
            self.means_ = np.where(count > _NOTHING, means, np.asarray(self.means_, dtype=np.float64))
        if "c" in letters:
            if "_floor" not in vars(self):  # the parameters were set by hand
                self._floor = floor_of_sums(statistics, self.variance_floor)
            centred = recentred(statistics, np.asarray(self.means_, dtype=np.float64))
            self._covars_ = self._floored(self._new_covars(centred, weight, self.means_ - prior))

    def _new_covars(self, statistics: Statistics, weight: Array, away: Array) -> Array:
        """Covariances from sums about the new means; a state without rows keeps its own."""
        post, d = statistics["post"], away.shape[1]
        if self.covariance_type in ("spherical", "diag"):
            sums = statistics["obs2"] + weight * away**2 + self._shaped_prior()
            count = np.maximum(
                np.maximum(per_state(self.covars_weight, len(post)) - 1, 0) + post[:, None], 1e-5
            )
            covars = sums / count
            if self.covariance_type == "spherical":
                covars = covars.mean(axis=1)
                return np.asarray(np.where(post > _NOTHING, covars, self._covars_))
            return np.asarray(np.where(post[:, None] > _NOTHING, covars, self._covars_))
        own = np.maximum(np.asarray(self.covars_weight, dtype=np.float64) - d, 0)
        scaled = np.broadcast_to(weight, away.shape) * away
        sums = statistics["obs_obs"] + scaled[:, :, None] * away[:, None, :]
        if self.covariance_type == "tied":
            return np.asarray((sums.sum(axis=0) + self._shaped_prior()) / (np.sum(own) + post.sum()))
        count = (own + post)[:, None, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            covars = (sums + self._shaped_prior()) / count
        return np.asarray(np.where(count > _NOTHING, covars, self._covars_))

    def _shaped_prior(self) -> Array:
        prior = np.asarray(self.covars_prior, dtype=np.float64)
        if self.covariance_type in ("spherical", "diag"):
            return per_state(prior, self.n_components)
        if self.covariance_type == "full" and prior.ndim == 1:
            return prior[:, None, None]
        return prior

    # -- the rest

    def _emission_means(self) -> Array:
        return np.asarray(self.means_, dtype=np.float64)

    def _count_emission_parameters(self) -> dict[str, int]:
        K, d = self.n_components, int(self.n_features or 0)
        return {"m": K * d, "c": count_covars(self.covariance_type, K, d)}

    def _fitted_n_features(self) -> int | None:
        means = vars(self).get("means_")
        return super()._fitted_n_features() if means is None else int(np.shape(means)[1])

    def _reorder_emission(self, order: Array) -> None:
        self.means_ = np.asarray(self.means_)[order]
        if self.covariance_type != "tied":
            self._covars_ = self._covars_[order]

    def _sample_emission(self, states: Array, generator: np.random.Generator) -> Array:
        means = np.asarray(self.means_, dtype=np.float64)
        return draw_gaussian(means, self._covars_, self.covariance_type, states, generator)


def draw_gaussian(
    means: Array, covars: Array, kind: str, states: Array, generator: np.random.Generator
) -> Array:
    """One draw of N(means[s], covariance[s]) for each s of ``states``."""
    noise = generator.standard_normal((len(states), means.shape[1]))
    if kind == "spherical":
        return np.asarray(means[states] + np.sqrt(covars)[states, None] * noise)
    if kind == "diag":
        return np.asarray(means[states] + np.sqrt(covars)[states] * noise)
    if kind == "tied":
        return np.asarray(means[states] + noise @ np.linalg.cholesky(covars).T)
    drawn = means[states]
    factors = np.linalg.cholesky(covars)
    for k in range(len(means)):
        rows = states == k
        drawn[rows] += noise[rows] @ factors[k].T
    return drawn
