"""HMM with categorical emissions."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from .._shared_docs import shared_docs
from ._base import BaseHMM, Statistics
from ._chain import most_probable_rows
from ._docs import EM
from ._sequences import Array, Sequences
from ._symbols import EmissionprobMixin, SymbolMixin

__all__ = ["CategoricalHMM"]


@shared_docs(EM)
class CategoricalHMM(SymbolMixin, EmissionprobMixin, BaseHMM):
    r"""Hidden Markov model with categorical emissions.

    A chain of states :math:`z_1, \dots, z_T` with :math:`P(z_1 = i) = \pi_i` and
    :math:`P(z_t = j \mid z_{t-1} = i) = a_{ij}` emits symbols, :math:`P(x_t = m \mid z_t = i) = b_{im}`.
    Fitted by EM (Baum-Welch) with hmmlearn's parameters, attributes and starting values.

    Parameters
    ----------
    n_components : int, default=1
        Number of states K.
    <<chain prior>>
    emissionprob_prior : float or array-like of shape (n_components, n_features), default=1.0
        Parameters of the Dirichlet prior of the rows of ``emissionprob_``.
    <<symbols>>
    <<algorithm>>
    <<running>>
    params : str, default="ste"
        What EM updates: s for ``startprob_``, t for ``transmat_``, e for ``emissionprob_``.
    init_params : str, default="ste"
        What is filled before EM; the rest must have been set.
    <<engine>>
    <<callbacks>>

    Attributes
    ----------
    <<chain>>
    emissionprob_ : ndarray of shape (n_components, n_features)
        Probability of each symbol in each state; rows add up to 1.
    <<fitted>>

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
    emissionprob_prior: Any

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
        self._keep(locals())

    def _emission(self, X: Array | None) -> tuple[Any, ...]:
        P = self._checked_rows()
        if X is not None:
            self._check_known(X, P.shape[1])
        return ("categorical", P)

    def _init_emission(self, data: Sequences, random_state: Any) -> None:
        self._init_rows(self._n_symbols, random_state)

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
