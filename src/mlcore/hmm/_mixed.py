"""HMM with a family of distributions for each column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from .._shared_docs import shared_docs
from ._base import BaseHMM, Statistics
from ._docs import EM
from ._families import FAMILIES, ColumnSums, Family, Parameters
from ._means import kmeans_start
from ._observations import check_real
from ._sequences import Array, Sequences

__all__ = ["ColumnFamiliesMixin", "MixedHMM"]


class ColumnFamiliesMixin(BaseHMM):
    """Emissions of independent columns, each with a family of its own."""

    _letters: ClassVar[Mapping[str, str]] = {"s": "startprob_", "t": "transmat_", "e": "emissions_"}
    families: Any
    emissions_: list[Parameters]

    def _family_names(self, n_columns: int) -> list[str]:
        return [self.families] * n_columns if isinstance(self.families, str) else list(self.families)

    def _column_families(self, n_columns: int) -> list[Family]:
        names = self._family_names(n_columns)
        unknown = [name for name in names if name not in FAMILIES]
        if unknown:
            raise ValueError(f"families may hold {sorted(FAMILIES)}, got {unknown[0]!r} instead.")
        if len(names) != n_columns:
            raise ValueError(f"There are {len(names)} families, but X has {n_columns} columns.")
        return [FAMILIES[name] for name in names]

    def _check_observations(self, X: Any, *, reset: bool) -> Array:
        checked = check_real(self, X, reset=reset)
        for j, family in enumerate(self._column_families(checked.shape[1])):
            column = checked[:, j]
            family.check(column[~np.isnan(column)], f"Column {j} of X")
        return checked

    def _log_densities(self, X: Array) -> Array:
        K = self.n_components
        L = np.zeros((len(X), K))
        for j, (family, parameters) in enumerate(zip(self._column_families(X.shape[1]), self.emissions_)):
            column = np.asarray(X[:, j], dtype=np.float64)
            seen = ~np.isnan(column)
            # What overflows here is infinitely far from every state: minus infinity, and no news.
            with np.errstate(over="ignore"):
                L[seen] += family.log_density(column[seen], parameters)
        return L

    def _emission(self, X: Array | None) -> tuple[Any, ...]:
        if X is None:
            return ("log_density", np.zeros((0, self.n_components)))
        self._check_features(X, len(self.emissions_))
        return ("log_density", self._log_densities(X))

    def _required(self) -> list[str]:
        return list(self._letters.values())

    def _refuse_invalid(self) -> None:
        for parameters in self.emissions_:
            if not all(np.isfinite(value).all() for value in parameters.values()):
                raise ValueError("The values of X are too large or too small; scale it.")
        self._check()

    # -- starts

    def _flat_emissions(self, X: Array) -> list[Parameters]:
        columns = np.asarray(X, dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            flat = [
                family.start(column[~np.isnan(column)], self.n_components)
                for family, column in zip(self._column_families(X.shape[1]), columns.T)
            ]
        if not all(np.isfinite(value).all() for parameters in flat for value in parameters.values()):
            raise ValueError("The values of X are too large or too small: squares overflow; scale it.")
        return flat

    def _init_flat(self, data: Sequences) -> None:
        self.emissions_ = self._flat_emissions(data.X)

    def _init_emission(self, data: Sequences, random_state: Any) -> None:
        if not self._needs_init("e", "emissions_"):
            return
        K = self.n_components
        self.emissions_ = self._flat_emissions(data.X)
        _, labels = kmeans_start(
            self._features(data.X), K, random_state, n_init=1, n_jobs=self.n_jobs, weights=data.row_weights()
        )
        # Every state gets a little of every row, so that none starts with a variance of zero.
        gamma = np.full((data.n_rows, K), 0.1 / K)
        gamma[np.arange(data.n_rows), labels] += 0.9
        weights = data.row_weights()
        self._update_emissions(data.X, gamma if weights is None else gamma * weights[:, None])

    def _features(self, X: Array) -> Array:
        """Columns of like weight for k-means: numbers scaled, symbols as indicators."""
        parts = []
        for family, column in zip(self._column_families(X.shape[1]), np.asarray(X, dtype=np.float64).T):
            seen = column[~np.isnan(column)]
            if family is FAMILIES["categorical"]:
                parts.append((column[:, None] == np.unique(seen)).astype(np.float64))
            elif len(seen):
                spread = seen.std()
                parts.append((column[:, None] - seen.mean()) / (spread if spread > 0 else 1.0))
        return np.ascontiguousarray(np.hstack(parts))

    def _reseed(self, state: int, data: Sequences, row: int) -> None:
        flat = self._flat_emissions(data.X)
        self.emissions_ = [{name: value.copy() for name, value in p.items()} for p in self.emissions_]
        for own, start in zip(self.emissions_, flat):
            for name, value in start.items():
                own[name][state] = value[state]

    # -- M-step

    def _complete(self, statistics: Statistics, X: Array) -> Statistics:
        statistics["X"] = X
        return statistics

    def _additive(self, statistics: Statistics) -> Statistics:
        rest = {name: value for name, value in statistics.items() if name not in ("X", "gamma")}
        names = self._family_names(len(self.emissions_))
        columns = [
            ColumnSums(name, FAMILIES[name].sums(column, weights, parameters))
            for name, (column, weights), parameters in zip(
                names, self._seen(statistics["X"], statistics["gamma"]), self.emissions_
            )
        ]
        return rest | {"columns": columns}

    @staticmethod
    def _seen(X: Array, gamma: Array) -> Iterator[tuple[Array, Array]]:
        """Each column without its missing values, and the weights of the other rows."""
        for column in np.asarray(X, dtype=np.float64).T:
            seen = ~np.isnan(column)
            yield column[seen], gamma[seen]

    def _update_emissions(self, X: Array, gamma: Array) -> None:
        families = self._column_families(X.shape[1])
        self.emissions_ = [
            family.update(column, weights, parameters)
            for family, (column, weights), parameters in zip(families, self._seen(X, gamma), self.emissions_)
        ]

    def _m_step_emission(self, statistics: Statistics, letters: str) -> None:
        if "e" not in letters:
            return
        if "columns" in statistics:
            self.emissions_ = [
                FAMILIES[column.family].maximum(column.sums, parameters)
                for column, parameters in zip(statistics["columns"], self.emissions_)
            ]
        else:
            self._update_emissions(statistics["X"], statistics["gamma"])

    # -- the rest

    def _emission_means(self) -> Array:
        families = self._column_families(len(self.emissions_))
        return np.stack([f.means(p) for f, p in zip(families, self.emissions_)], axis=1)

    def _count_emission_parameters(self) -> dict[str, int]:
        emissions = vars(self).get("emissions_")
        if emissions is None:
            return {"e": 0}
        return {"e": sum(f.free(p) for f, p in zip(self._column_families(len(emissions)), emissions))}

    def _fitted_n_features(self) -> int | None:
        emissions = vars(self).get("emissions_")
        return super()._fitted_n_features() if emissions is None else len(emissions)

    def _reorder_emission(self, order: Array) -> None:
        self.emissions_ = [{name: value[order] for name, value in p.items()} for p in self.emissions_]

    def _sample_emission(self, states: Array, generator: np.random.Generator) -> Array:
        families = self._column_families(len(self.emissions_))
        return np.stack([f.draw(p, states, generator) for f, p in zip(families, self.emissions_)], axis=1)


@shared_docs(EM)
class MixedHMM(ColumnFamiliesMixin):
    r"""Hidden Markov model with a family of distributions for each column.

    Given the state the columns are independent,
    :math:`p(x_t \mid z_t = i) = \prod_j f_j(x_{tj}; \theta_{ij})`,
    where :math:`f_j` is Gaussian, Student-t, gamma, Poisson, negative binomial, zero-inflated Poisson or
    categorical. Fitted by EM; every family's update is a weighted maximum-likelihood fit or an ECM step, so
    the likelihood never falls.

    Parameters
    ----------
    n_components : int, default=1
        Number of states K.
    <<columns>>
    <<chain prior>>
    <<algorithm>>
    <<running>>
    params : str, default="ste"
        What EM updates: s for ``startprob_``, t for ``transmat_``, e for ``emissions_``.
    init_params : str, default="ste"
        What is filled before EM; the rest must have been set.
    <<engine>>
    <<callbacks>>

    Attributes
    ----------
    <<chain>>
    <<emissions>>
    <<fitted>>

    See Also
    --------
    GaussianHMM, PoissonHMM, CategoricalHMM : One family for all columns, faster.
    HSMM : The same emissions with explicit durations.

    Notes
    -----
    NaN is a missing value, marginalised for itself. Densities are computed in NumPy, the recursions natively:
    an iteration costs O(n K (K + d)). Categorical columns hold 0, 1, ...

    References
    ----------
    W. Zucchini, I. L. MacDonald, R. Langrock (2016). Hidden Markov models for time series, 2nd edition. CRC
    Press.

    C. Liu, D. B. Rubin (1995). ML estimation of the t distribution using EM and its extensions, ECM and ECME.
    Statistica Sinica 5, 19-39.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.hmm import MixedHMM
    >>> X = np.array([[0.1, 0], [0.2, 1], [-0.1, 0], [5.1, 8], [4.9, 9], [5.2, 7], [0.0, 0], [0.1, np.nan]])
    >>> model = MixedHMM(2, families=["gaussian", "poisson"], random_state=0, state_order="mean").fit(X)
    >>> model.predict(X)
    array([0, 0, 0, 1, 1, 1, 0, 0], dtype=int32)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseHMM._parameter_constraints,
        "families": [str, "array-like"],
    }

    def __init__(
        self,
        n_components: int = 1,
        families: Any = "gaussian",
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
