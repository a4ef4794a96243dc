"""Convergence of EM, kept in an object that a user may replace."""

from __future__ import annotations

import logging
import sys
from collections import deque
from typing import ClassVar

import numpy as np

__all__ = ["ConvergenceMonitor"]

logger = logging.getLogger("mlcore.hmm")


class ConvergenceMonitor:
    """Record of the objective over the iterations of a fit, and the rule that ends it.

    A model makes one from its ``tol``, ``n_iter`` and ``verbose``; an instance of a subclass with another
    ``converged`` may be put into a model's ``monitor_`` before the fit.

    Parameters
    ----------
    tol : float
        A fit has converged when the objective grows by less than ``tol``.
    n_iter : int
        Limit on the iterations.
    verbose : bool
        Print every report to the standard error stream.

    Attributes
    ----------
    history : deque of float
        Log-likelihood (variational models: lower bound) at the parameters with which each iteration began.
    iter : int
        Number of reports.

    Examples
    --------
    >>> from mlcore.hmm import ConvergenceMonitor, GaussianHMM
    >>> class Threshold(ConvergenceMonitor):
    ...     @property
    ...     def converged(self):
    ...         return self.iter == self.n_iter or self.history[-1] >= self.tol
    >>> model = GaussianHMM(n_components=2)
    >>> model.monitor_ = Threshold(tol=-10.0, n_iter=20, verbose=False)
    """

    _template: ClassVar[str] = "{iter:>10d} {log_prob:>16.8f} {delta:>+16.8f}"

    def __init__(self, tol: float, n_iter: int, verbose: bool) -> None:
        self.tol = tol
        self.n_iter = n_iter
        self.verbose = verbose
        self.history: deque[float] = deque()
        self.iter = 0

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in sorted(vars(self).items()))
        return f"{type(self).__name__}({values})"

    def _reset(self) -> None:
        """Forget the last fit."""
        self.iter = 0
        self.history.clear()

    def report(self, log_prob: float) -> None:
        """Record the objective of one more iteration.

        Parameters
        ----------
        log_prob : float
            The objective.
        """
        if self.verbose:
            delta = log_prob - self.history[-1] if self.history else np.nan
            print(self._template.format(iter=self.iter + 1, log_prob=log_prob, delta=delta), file=sys.stderr)
        # Rounding of a sum over many frames is not a fall.
        slack = 1e-10 * abs(log_prob)
        if self.history and log_prob < self.history[-1] - slack:
            logger.info(
                "The objective fell from %.10g to %.10g: with priors it is their sum with the log-likelihood "
                "that EM raises.",
                self.history[-1],
                log_prob,
            )
        self.history.append(log_prob)
        self.iter += 1

    @property
    def converged(self) -> bool:
        """True when the limit is reached or the last gain was below ``tol``."""
        return self.iter == self.n_iter or (
            len(self.history) >= 2 and self.history[-1] - self.history[-2] < self.tol
        )
