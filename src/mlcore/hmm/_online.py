"""Online EM: the statistics of the past, faded, take the place of the past itself."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from .._shared_docs import shared_docs
from .._validation import atomic_fit, native_threads, validate_parameters
from ._docs import SEQUENCES
from ._statistics import mixed, scaled

if TYPE_CHECKING:
    from ._base import BaseHMM

__all__ = ["OnlineMixin"]

#: Step sizes (t + OFFSET) ** -DECAY of the t-th batch, t from 0; between 0.5 and 1 they converge.
DECAY, OFFSET = 0.7, 1.0


@shared_docs(SEQUENCES)
class OnlineMixin:
    """Fits that take sequences in batches."""

    _online: dict[str, Any]

    @atomic_fit
    def partial_fit(  # type: ignore[misc]
        self: BaseHMM, X: Any, lengths: Any = None, *, sample_weight: Any = None, states: Any = None
    ) -> Any:
        r"""Update the parameters by one batch of sequences (online EM).

        The statistics s of a batch, per row, are mixed into those of the past,
        :math:`S_t = (1 - \rho_t) S_{t-1} + \rho_t s_t` with :math:`\rho_t = (t + 1)^{-0.7}`, and one M-step
        follows (Cappé and Moulines 2009; for the variational models Sato 2001). The first batch also makes
        the starting parameters, unless there has been a ``fit``, whose parameters it then starts from and
        whose statistics it does not know.

        Parameters
        ----------
        <<sequences>>
        <<weights and states>>

        Returns
        -------
        self : object
            The updated model.
        """
        validate_parameters(self)
        self._check_letters()
        past = vars(self).get("_online")
        started = past is not None or "n_iter_" in vars(self)
        data = self._training_data(X, lengths, sample_weight, states, reset=not started)
        if not started:
            self._initialize(data, self.random_state)
        statistics = self._additive(self._e_step(data, native_threads(self.n_jobs)))
        bound = self._objective(statistics)
        if not np.isfinite(bound):
            raise ValueError("The batch has probability zero under the model: no path can emit it.")
        rows = data.total_rows
        if past is None:
            average, seen, batches = scaled(statistics, 1.0 / rows), rows, 1
        else:
            rate = (past["batches"] + OFFSET) ** -DECAY
            average = mixed(past["statistics"], 1.0 - rate, statistics, rate / rows)
            seen, batches = past["rows"] + rows, past["batches"] + 1
        vars(self)["_online"] = {"statistics": average, "rows": seen, "batches": batches}
        self._m_step(scaled(average, seen), self.params)
        self._monitor = copy.deepcopy(self.monitor_)
        self._monitor.report(bound)
        self.n_iter_ = batches
        self.lower_bound_ = bound / rows
        self._refuse_invalid()
        return self
