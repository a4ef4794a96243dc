"""Variational Bayes for HMMs with Gaussian emissions."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import digamma, multigammaln
from sklearn.utils._param_validation import Interval, StrOptions

from .._shared_docs import shared_docs
from ._base import BaseHMM, Statistics
from ._docs import VARIATIONAL
from ._gaussian import draw_gaussian
from ._means import kmeans_start
from ._moments import checked_covars, count_covars, full_covars, overall_moments, recentred
from ._observations import check_real
from ._sequences import Array, Sequences
from ._variational import VariationalHMM

__all__ = ["VariationalGaussianHMM"]


@shared_docs(VARIATIONAL)
class VariationalGaussianHMM(VariationalHMM):
    r"""Hidden Markov model with Gaussian emissions, fitted by variational Bayes.

    The model of :class:`GaussianHMM` with conjugate priors: Dirichlet for the chain, and in each state
    :math:`\mu_i \mid \Lambda_i \sim N(m_0, (\beta_0 \Lambda_i)^{-1})` with a Wishart ("full", "tied") or
    gamma ("diag", "spherical") precision of ``dof`` degrees of freedom and inverse scale ``scale``. States
    that the data do not need fall back to their prior, so ``n_components`` may be generous.

    Parameters
    ----------
    n_components : int, default=1
        Number of states K.
    covariance_type : {"spherical", "diag", "full", "tied"}, default="full"
        One variance for each state; one for each state and feature; a matrix for each state; one matrix for
        all.
    <<chain prior>>
    means_prior : float, array-like of shape (n_components, n_features) or None, default=None
        Prior means; None means those of the data.
    beta_prior : float, array-like of shape (n_components,) or None, default=None
        Weight of the prior means, in rows; None means 1.
    dof_prior : float, array-like of shape (n_components,) or None, default=None
        Degrees of freedom of the prior precisions ("tied": one number); None means the number of features.
    scale_prior : float, array-like or None, default=None
        Inverse scale of the prior precisions, in the compact shape of the type; None means 1e-3 (for
        matrices: of the identity).
    <<algorithm>>
    <<running>>
    params : str, default="stmc"
        What the fit updates: s for ``startprob_``, t for ``transmat_``, m for the means, c for the
        precisions.
    init_params : str, default="stmc"
        What is filled before the first iteration; the rest must have been set.
    <<engine>>
    <<callbacks>>

    Attributes
    ----------
    <<chain>>
    means_ : ndarray of shape (n_components, n_features)
        Expected means.
    covars_ : ndarray of shape (n_components, n_features, n_features)
        Inverses of the expected precisions.
    means_prior_, means_posterior_ : ndarray of shape (n_components, n_features)
        Prior and posterior means.
    beta_prior_, beta_posterior_ : ndarray of shape (n_components,)
        Their weights.
    dof_prior_, dof_posterior_ : ndarray of shape (n_components,), or float for "tied"
        Degrees of freedom of the precisions.
    scale_prior_, scale_posterior_ : ndarray
        Inverse scales of the precisions, in the compact shape of the type.
    n_features : int
        Number of features.
    <<fitted>>

    See Also
    --------
    GaussianHMM : The maximum-likelihood fit.

    Notes
    -----
    ``score``, ``predict`` and the like use the expected parameters. Cost as of :class:`GaussianHMM`.

    References
    ----------
    C. A. McGrory, D. M. Titterington (2009). Variational Bayesian analysis for hidden Markov models.
    Australian and New Zealand Journal of Statistics 51, 227-244.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.hmm import VariationalGaussianHMM
    >>> X = np.repeat([0.0, 5.0, 0.0], 40)[:, None] + 0.1 * np.sin(np.arange(120.0))[:, None]
    >>> model = VariationalGaussianHMM(n_components=2, random_state=0, state_order="mean").fit(X)
    >>> model.means_.ravel().round() + 0.0
    array([0., 5.])
    """

    _letters: ClassVar[Mapping[str, str]] = {
        "s": "startprob_",
        "t": "transmat_",
        "m": "means_posterior_",
        "c": "scale_posterior_",
    }
    _posteriors_of: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **VariationalHMM._posteriors_of,
        "m": ("means_prior_", "means_posterior_", "beta_prior_", "beta_posterior_"),
        "c": ("dof_prior_", "dof_posterior_", "scale_prior_", "scale_posterior_"),
    }
    means_prior_: Array
    means_posterior_: Array
    beta_prior_: Array
    beta_posterior_: Array
    dof_prior_: Any
    dof_posterior_: Any
    scale_prior_: Array
    scale_posterior_: Array
    covariance_type: str
    means_prior: Any
    beta_prior: Any
    dof_prior: Any
    scale_prior: Any

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseHMM._parameter_constraints,
        "covariance_type": [StrOptions({"spherical", "diag", "full", "tied"})],
        "means_prior": [Real, "array-like", None],
        "beta_prior": [Interval(Real, 0, None, closed="neither"), "array-like", None],
        "dof_prior": [Interval(Real, 0, None, closed="neither"), "array-like", None],
        "scale_prior": [Interval(Real, 0, None, closed="neither"), "array-like", None],
    }

    def __init__(
        self,
        n_components: int = 1,
        covariance_type: str = "full",
        startprob_prior: Any = None,
        transmat_prior: Any = None,
        means_prior: Any = None,
        beta_prior: Any = None,
        dof_prior: Any = None,
        scale_prior: Any = None,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 100,
        tol: float = 1e-6,
        verbose: bool = False,
        params: str = "stmc",
        init_params: str = "stmc",
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
    def means_(self) -> Array:
        """Expected means."""
        return self.means_posterior_

    @property
    def _covars_(self) -> Array:
        """Inverses of the expected precisions, compact."""
        dof = np.asarray(self.dof_posterior_, dtype=np.float64)
        scale = np.asarray(self.scale_posterior_, dtype=np.float64)
        return np.asarray(scale / dof.reshape(dof.shape + (1,) * (scale.ndim - dof.ndim)))

    @property
    def covars_(self) -> Array:
        """Inverses of the expected precisions, (n_components, n_features, n_features)."""
        return full_covars(self._covars_, self.covariance_type, self.n_components, self.means_.shape[1])

    def _check_observations(self, X: Any, *, reset: bool) -> Array:
        return check_real(self, X, reset=reset)

    def _check(self) -> tuple[Array, Array, tuple[Any, ...]]:
        K, d = self.n_components, np.shape(self.means_posterior_)[-1]
        self._check_shapes(K, d)
        return super()._check()

    def _check_shapes(self, K: int, d: int) -> None:
        for name, shape in (
            ("means_prior_", (K, d)),
            ("means_posterior_", (K, d)),
            ("beta_prior_", (K,)),
            ("beta_posterior_", (K,)),
        ):
            value = np.asarray(getattr(self, name), dtype=np.float64)
            if value.shape != shape:
                raise ValueError(f"{name} must have shape {shape}, got {value.shape}")
            setattr(self, name, value)
        dof_shape: tuple[int, ...] = () if self.covariance_type == "tied" else (K,)
        for name in ("dof_prior_", "dof_posterior_"):
            dof = np.asarray(getattr(self, name), dtype=np.float64)
            if dof.shape != dof_shape or not (dof > 0).all():
                raise ValueError(f"{name} must be positive and have shape {dof_shape}, got shape {dof.shape}")
            setattr(self, name, dof if dof_shape else float(dof))
        wanted = {"spherical": (K,), "diag": (K, d), "tied": (d, d), "full": (K, d, d)}[self.covariance_type]
        for name in ("scale_prior_", "scale_posterior_"):
            scale = np.asarray(getattr(self, name), dtype=np.float64)
            if scale.shape != wanted:
                raise ValueError(f"{name} must have shape {wanted}, got {scale.shape}")
            setattr(self, name, checked_covars(scale, self.covariance_type, K))

    # -- starts

    def _init_emission(self, data: Sequences, random_state: Any) -> None:
        K, kind = self.n_components, self.covariance_type
        mean, covariance = overall_moments(data)
        d = len(mean)
        prior_means = mean if self.means_prior is None else self.means_prior
        self._fill("m", "means_prior_", lambda: _spread_over(prior_means, (K, d), "means_prior"))
        weights = data.row_weights()
        if self._needs_init("m", "means_posterior_"):
            self.means_posterior_, labels = kmeans_start(
                data.X, K, random_state, n_init=10, n_jobs=self.n_jobs, weights=weights
            )
        else:
            labels = nearest(data.X, np.asarray(self.means_posterior_, dtype=np.float64), (K, d))
        counts = np.maximum(np.bincount(labels, weights, minlength=K), 1.0)
        beta = 1.0 if self.beta_prior is None else self.beta_prior
        self._fill("m", "beta_prior_", lambda: _spread_over(beta, (K,), "beta_prior"))
        self._fill("m", "beta_posterior_", counts)
        shape: tuple[int, ...] = () if kind == "tied" else (K,)
        dof = float(d) if self.dof_prior is None else self.dof_prior
        self._fill("c", "dof_prior_", lambda: _spread_over(dof, shape, "dof_prior"))
        self._fill(
            "c",
            "dof_posterior_",
            float(data.n_rows) if kind == "tied" else counts * (d if kind == "spherical" else 1),
        )
        scale = 1e-3 if self.scale_prior is None else self.scale_prior
        start = covariance + 1e-3 * np.eye(d)
        compact = {
            "spherical": ((K,), lambda: max(start.mean(), 1e-3) * d * counts),
            "diag": ((K, d), lambda: np.diag(start) * counts[:, None]),
            "tied": ((d, d), lambda: start * data.n_rows),
            "full": ((K, d, d), lambda: start * counts[:, None, None]),
        }[kind]
        if kind in ("tied", "full") and np.ndim(scale) == 0:
            scale = scale * np.eye(d)
        self._fill("c", "scale_prior_", lambda: _spread_over(scale, compact[0], "scale_prior"))
        self._fill("c", "scale_posterior_", compact[1])
        self._check_shapes(K, d)

    # -- iterations

    def _emission(self, X: Array | None) -> tuple[Any, ...]:
        means = np.ascontiguousarray(self.means_posterior_, dtype=np.float64)
        if X is not None:
            self._check_features(X, means.shape[1])
        return ("gaussian", self.covariance_type, means, np.ascontiguousarray(self._covars_))

    def _log_precision(self) -> Array:
        """E[log |Lambda|] + log |expected covariance|, (n_components,); free of the scale."""
        d = self.means_posterior_.shape[1]
        dof = np.broadcast_to(np.asarray(self.dof_posterior_, dtype=np.float64), (self.n_components,))
        if self.covariance_type in ("full", "tied"):
            digammas = digamma(0.5 * np.maximum(dof[:, None] - np.arange(d), 0.01)).sum(axis=1)
        else:
            digammas = d * digamma(0.5 * dof)
        return np.asarray(digammas + d * np.log(2.0) - d * np.log(dof))

    def _subnormal_emission(self, X: Array) -> tuple[tuple[Any, ...], Array | None]:
        # E[log N(x; mu, Lambda)] is log N(x; m, expected covariance) plus what depends on the state alone.
        d = self.means_posterior_.shape[1]
        return self._emission(X), 0.5 * (self._log_precision() - d / self.beta_posterior_)

    def _emission_divergence(self) -> float:
        K, d = self.means_posterior_.shape
        away = self.means_posterior_ - self.means_prior_
        covars = full_covars(self._covars_, self.covariance_type, K, d)
        squared = np.einsum("kd,kd->k", away, np.linalg.solve(covars, away[..., None])[..., 0])
        ratio = self.beta_prior_ / self.beta_posterior_
        means = 0.5 * (d * (ratio - 1.0 - np.log(ratio)) + self.beta_prior_ * squared).sum()
        kind, dof, dof0 = self.covariance_type, self.dof_posterior_, self.dof_prior_
        scale, scale0 = self.scale_posterior_, self.scale_prior_
        if kind == "tied":
            return float(means + wishart_divergence(dof, scale, dof0, scale0))
        if kind == "full":
            rest = [wishart_divergence(dof[k], scale[k], dof0[k], scale0[k]) for k in range(K)]
            return float(means + sum(rest))
        one = [
            wishart_divergence(dof[k], np.atleast_2d(a), dof0[k], np.atleast_2d(b))
            for k in range(K)
            for a, b in zip(np.ravel(scale[k]), np.ravel(scale0[k]))
        ]
        return float(means + sum(one))

    def _m_step_emission(self, statistics: Statistics, letters: str) -> None:
        post, kind = statistics["post"], self.covariance_type
        d = self.means_posterior_.shape[1]
        if "m" in letters:
            shift, beta0 = statistics["shift"], self.beta_prior_[:, None]
            beta = beta0 + post[:, None]
            self.means_posterior_ = shift + (beta0 * (self.means_prior_ - shift) + statistics["obs"]) / beta
            self.beta_posterior_ = beta[:, 0]
        if "c" in letters:
            centred = recentred(statistics, self.means_posterior_)
            away = self.means_prior_ - self.means_posterior_
            beta0 = self.beta_prior_
            if kind in ("spherical", "diag"):
                sums = centred["obs2"] + beta0[:, None] * away**2
                if kind == "spherical":  # every feature of a row is an observation of the one variance
                    sums, post = sums.sum(axis=1), d * post
                self.dof_posterior_ = self.dof_prior_ + post
            else:
                sums = centred["obs_obs"] + beta0[:, None, None] * away[:, :, None] * away[:, None, :]
                if kind == "tied":
                    sums = sums.sum(axis=0)
                self.dof_posterior_ = self.dof_prior_ + (post.sum() if kind == "tied" else post)
            self.scale_posterior_ = self.scale_prior_ + sums
            if not np.isfinite(self.scale_posterior_).all():
                raise ValueError("The values of X are too large or too small: squares overflow; scale it.")

    # -- the rest

    def _emission_means(self) -> Array:
        return self.means_posterior_

    def _count_emission_parameters(self) -> dict[str, int]:
        K, d = self.n_components, int(self.n_features or 0)
        return {"m": K * d, "c": count_covars(self.covariance_type, K, d)}

    def _fitted_n_features(self) -> int | None:
        means = vars(self).get("means_posterior_")
        return super()._fitted_n_features() if means is None else int(np.shape(means)[1])

    def _reorder_emission(self, order: Array) -> None:
        names = list(self._posteriors_of["m"])
        if self.covariance_type != "tied":
            names += self._posteriors_of["c"]
        for name in names:
            setattr(self, name, np.asarray(getattr(self, name))[order])

    def _sample_emission(self, states: Array, generator: np.random.Generator) -> Array:
        return draw_gaussian(self.means_, self._covars_, self.covariance_type, states, generator)


def _spread_over(value: Any, shape: tuple[int, ...], name: str) -> Any:
    try:
        spread = np.array(np.broadcast_to(np.asarray(value, dtype=np.float64), shape))
    except ValueError:
        raise ValueError(f"{name} must be a number or have shape {shape}, got {np.shape(value)}") from None
    return spread if shape else float(spread)


def nearest(X: Array, means: Array, shape: tuple[int, int]) -> Array:
    """Nearest mean of each row; missing values do not count."""
    if means.shape != shape:
        raise ValueError(f"means_posterior_ must have shape {shape}, got {means.shape}")
    return np.asarray(
        np.nansum((np.asarray(X, dtype=np.float64)[:, None] - means) ** 2, axis=2).argmin(axis=1)
    )


def wishart_divergence(dof: Any, scale: Array, dof0: Any, scale0: Array) -> float:
    """KL(Wishart(dof, scale^-1) || Wishart(dof0, scale0^-1)), both given by inverse scales (d, d)."""
    d = len(scale)
    nu, nu0 = float(dof), float(dof0)
    digammas = digamma(0.5 * np.maximum(nu - np.arange(d), 0.01)).sum()
    # A prior of fewer degrees of freedom than dimensions is improper; its constant does not depend on the
    # fit.
    constant0 = multigammaln(0.5 * nu0, d) if nu0 > d - 1 else 0.0
    return float(
        0.5 * nu0 * (np.linalg.slogdet(scale)[1] - np.linalg.slogdet(scale0)[1])
        + 0.5 * nu * (np.trace(np.linalg.solve(scale, scale0)) - d)
        + constant0
        - (multigammaln(0.5 * nu, d) if nu > d - 1 else 0.0)
        + 0.5 * (nu - nu0) * digammas
    )
