"""The sums of an E-step: added, faded, and as an object for data that come in blocks."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from .._shared_docs import shared_docs
from .._validation import native_threads
from ._docs import SEQUENCES
from ._moments import recentred

if TYPE_CHECKING:
    from ._base import BaseHMM, Statistics

__all__ = ["HMMStatistics", "mixed", "scaled"]


def mixed(a: Statistics, share: float, b: Statistics, other: float) -> Statistics:
    """share * a + other * b, where sums about a shift are brought to that of a.

    Raises
    ------
    ValueError
        If they are not sums of the same kind and shape.
    """
    if a.keys() != b.keys() or any(np.shape(a[name]) != np.shape(b[name]) for name in a):
        raise ValueError("The statistics are of models of different kinds or sizes.")
    if "shift" in a:
        b = recentred(b, np.asarray(a["shift"]))
    return {name: _mixed_value(name, a[name], share, b[name], other) for name in a}


def _mixed_value(name: str, a: Any, share: float, b: Any, other: float) -> Any:
    if name == "shift":
        return a
    if name == "columns":
        return [one.mixed(share, two, other) for one, two in zip(a, b)]
    return share * a + other * b


def scaled(statistics: Statistics, factor: float) -> Statistics:
    """All sums times a factor."""
    return mixed(statistics, factor, statistics, 0.0)


@shared_docs(SEQUENCES)
@dataclass(frozen=True, slots=True, eq=False)
class HMMStatistics:
    r"""Sufficient statistics of a block of sequences for one iteration of EM.

    An iteration over blocks b is ``partial`` on each block, ``combine`` of the results in any grouping, and
    ``finish``. For the chain

    .. math:: s_i = \sum_b \sum_{x \in b} \gamma_1(i), \quad
              n_{ij} = \sum_b \sum_{x \in b} \sum_t \xi_t(i, j), \quad
              \pi_i' \propto s_i, \quad a_{ij}' \propto n_{ij}

    (with the priors added), and each family of emissions has sums of its own: counts, weighted sums of rows
    and of their squares (Baum et al. 1970, Rabiner 1989). The blocks may be worked on by different processes
    and objects of this class are pickled between them; their size does not depend on the number of rows.

    Parameters
    ----------
    sums : dict
        The sums by name: "log_likelihood", "start" (n_components,), "trans" (n_components, n_components),
        "post" (n_components,), and those of the emissions, about "shift" where there is one.
    n_rows : float
        Number of rows, each counted with the weight of its sequence.

    Notes
    -----
    Over whole data the three steps are one iteration of ``fit``, but for the Student-t columns of
    :class:`MixedHMM` and :class:`HSMM`, whose degrees of freedom ``fit`` finds with the rows at hand (ECME)
    and these sums in the smaller steps of EM. What ``fit`` does beside EM, starts and the revival of states
    without rows, is left to the caller.

    References
    ----------
    L. E. Baum, T. Petrie, G. Soules, N. Weiss (1970). A maximization technique occurring in the statistical
    analysis of probabilistic functions of Markov chains. Annals of Mathematical Statistics 41, 164-171.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.hmm import GaussianHMM, HMMStatistics
    >>> blocks = [np.repeat([0.0, 5.0], 20)[:, None], np.repeat([5.0, 0.1], 30)[:, None]]
    >>> model = GaussianHMM(2, n_iter=0, random_state=0, state_order="mean").fit(blocks[0])
    >>> for _ in range(5):
    ...     first, second = (HMMStatistics.partial(block, model) for block in blocks)
    ...     model = first.combine(second).finish(model)
    >>> model.means_.ravel().round(2)
    array([0.06, 5.  ])
    """

    sums: dict[str, Any]
    n_rows: float

    @classmethod
    def partial(
        cls, X: Any, model: BaseHMM, lengths: Any = None, *, sample_weight: Any = None, states: Any = None
    ) -> HMMStatistics:
        """Statistics of one block of whole sequences, taken with the present parameters of a model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Observations of the block; NaN is a missing value.
        model : hidden Markov model
            With parameters, fitted or set by hand; not changed.
        lengths : array-like of shape (n_sequences,), default=None
            Rows of each sequence; None for one sequence.
        <<weights and states>>

        Returns
        -------
        statistics : HMMStatistics

        Raises
        ------
        ValueError
            If the block is not as described, or the model gives it probability zero.
        """
        model = copy.copy(model)
        model._model(None)
        data = model._training_data(X, lengths, sample_weight, states, reset=False)
        sums = model._additive(model._e_step(data, native_threads(model.n_jobs)))
        if not np.isfinite(sums["log_likelihood"]):
            raise ValueError("The block has probability zero under the model: no path can emit it.")
        return cls(sums, data.total_rows)

    @property
    def log_likelihood(self) -> float:
        """Of the rows, under the parameters with which the statistics were taken."""
        return float(self.sums["log_likelihood"])

    def combine(self, *others: HMMStatistics) -> HMMStatistics:
        """Statistics of the rows of all; none of them is changed.

        Raises
        ------
        ValueError
            If they were taken with models of different kinds or sizes.
        """
        sums = reduce(lambda a, b: mixed(a, 1.0, b.sums, 1.0), others, self.sums)
        return HMMStatistics(sums, self.n_rows + sum(other.n_rows for other in others))

    def finish(self, model: BaseHMM) -> Any:
        """The model after the iteration.

        Parameters
        ----------
        model : hidden Markov model
            The one that the statistics were taken with; not changed.

        Returns
        -------
        moved : hidden Markov model
            A copy with new values of the parameters that its ``params`` names, and the objective of the old
            ones in ``lower_bound_`` and at the end of ``monitor_.history``.

        Raises
        ------
        ValueError
            If the model is of another size than that of the statistics.
        """
        moved = copy.copy(model)
        moved._model(None)
        if np.shape(self.sums["start"]) != (model.n_components,):
            raise ValueError(
                f"The statistics are of {len(self.sums['start'])} states, the model has {model.n_components}."
            )
        bound = moved._objective(self.sums)
        moved._m_step(self.sums, moved.params)
        moved._monitor = copy.deepcopy(model.monitor_)
        moved._monitor.report(bound)
        moved.n_iter_ = moved._monitor.iter
        moved.lower_bound_ = bound
        vars(moved).pop("_online", None)
        moved._refuse_invalid()
        return moved
