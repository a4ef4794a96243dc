"""Online EM: the statistics of the past, faded, take the place of the past itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._validation import atomic_fit, native_threads, validate_parameters
from ._moments import recentred

if TYPE_CHECKING:
    from ._base import BaseHMM, Statistics

__all__ = ["OnlineMixin"]

#: Step sizes (t + OFFSET) ** -DECAY of the t-th batch, t from 0; between 0.5 and 1 they converge.
DECAY, OFFSET = 0.7, 1.0


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
        follows (Cappé and Moulines 2009). The first batch also makes the starting parameters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Observations of whole sequences.
        lengths : array-like of shape (n_sequences,), default=None
            Rows of each sequence; None for one sequence.
        sample_weight : array-like of shape (n_sequences,), default=None
            Weight of each sequence.
        states : array-like of shape (n_samples,), default=None
            Known states, -1 where unknown.

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
        statistics = self._e_step(data, native_threads(self.n_jobs))
        bound = self._objective(statistics, data)
        if not np.isfinite(bound):
            raise ValueError("The batch has probability zero under the model: no path can emit it.")
        rows = data.total_rows
        shift = statistics.get("shift")
        reference = shift if past is None else past["reference"]
        if shift is not None:  # sums about the means of this batch and of the last one do not mix
            statistics = recentred(statistics, np.asarray(reference))
        kept = {name: value for name, value in statistics.items() if name not in ("log_likelihood", "shift")}
        fresh = {name: np.asarray(value) / rows for name, value in kept.items()}
        if past is None:
            mixed, seen, batches = fresh, rows, 1
        else:
            rate = (past["batches"] + OFFSET) ** -DECAY
            old = past["statistics"]
            mixed = {name: (1 - rate) * old[name] + rate * fresh[name] for name in old}
            seen, batches = past["rows"] + rows, past["batches"] + 1
        kept_for_next = {"statistics": mixed, "rows": seen, "batches": batches, "reference": reference}
        vars(self)["_online"] = kept_for_next
        whole: Statistics = {name: value * seen for name, value in mixed.items()}
        if reference is not None:
            whole["shift"] = reference
        self._m_step(whole, self.params)
        monitor = self.monitor_
        self._monitor = type(monitor)(monitor.tol, monitor.n_iter, monitor.verbose)
        self._monitor.history.extend(monitor.history)
        self._monitor.iter = monitor.iter
        self._monitor.report(bound)
        self.n_iter_ = batches
        self.lower_bound_ = bound / rows
        self._refuse_invalid()
        return self
