"""Entries that the docstrings of all models share, written once: blocks of ``shared_docs``."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["EM", "SEQUENCES", "TRELLIS", "VARIATIONAL"]


_RUNNING = """\
random_state : int, RandomState instance or None, default=None
    Seeds the starts and ``sample``.
"""
_ENGINE = """\
implementation : {"log", "scaling"}, default="log"
    Accepted for compatibility: both run the same scaled recursion, which does not underflow.
n_init : int, default=1
    Number of starts, of which the one with the highest OBJECTIVE is kept.
n_jobs : int or None, default=None
    Number of threads over sequences and starts; None means all allowed. Results do not depend on it.
transmat_mask : array-like of shape (n_components, n_components) or None, default=None
    True where a transition is allowed; the others are and stay zero.
state_order : {"mean", "occupancy"} or None, default=None
    Number the fitted states by their expected observations (first feature first) or by how many rows they
    explain, most first; None leaves them as the fit found them.
"""
_FITTED = """\
n_iter_ : int
    Iterations of the best start.
lower_bound_ : float
    Last OBJECTIVE that the fit has reported.
n_features_in_ : int
    Number of columns of ``X``.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of the columns, when ``X`` had names that are all strings.
"""
_COMMON = {
    "algorithm": """\
algorithm : {"viterbi", "map"}, default="viterbi"
    Decoder of ``predict`` and ``decode``.
""",
    "callbacks": """\
callbacks : list of callbacks or None, default=None
    Called between iterations, see :mod:`mlcore.callbacks`.
""",
    "columns": """\
families : str or sequence of str, default="gaussian"
    Family of each column, or one for all: "gaussian", "categorical", "poisson", "negative_binomial",
    "student_t", "gamma", "zero_inflated_poisson".
""",
    "emissions": """\
emissions_ : list of dict
    For each column the arrays of its family's parameters, first axis n_components: "mean", "variance";
    "location", "scale", "dof"; "shape", "scale"; "rate"; "mean", "size"; "zero_weight", "rate";
    "probabilities".
n_features : int
    Number of features.
""",
    "symbols": """\
n_features : int or None, default=None
    Number of symbols; None means one more than the largest symbol of the fit. After a fit the attribute
    says how many there are.
""",
}

#: Blocks of the models that maximise the likelihood.
EM: Mapping[str, str] = _COMMON | {
    "chain prior": """\
startprob_prior : float or array-like of shape (n_components,), default=1.0
    Parameters of the Dirichlet prior of ``startprob_``; 1 is flat.
transmat_prior : float or array-like of shape (n_components, n_components), default=1.0
    Parameters of the Dirichlet prior of the rows of ``transmat_``.
""",
    "running": _RUNNING
    + """\
n_iter : int, default=10
    Limit on the iterations of EM.
tol : float, default=1e-2
    EM ends when the log-likelihood grows by less.
verbose : bool, default=False
    Print each iteration to the standard error stream.
""",
    "engine": _ENGINE.replace("OBJECTIVE", "log-likelihood"),
    "chain": """\
startprob_ : ndarray of shape (n_components,)
    Initial distribution.
transmat_ : ndarray of shape (n_components, n_components)
    Transition probabilities; rows add up to 1.
""",
    "fitted": """\
monitor_ : ConvergenceMonitor
    Log-likelihoods of the iterations, and whether EM has converged.
"""
    + _FITTED.replace("OBJECTIVE", "log-likelihood"),
}

#: Blocks of the models that raise a lower bound of the evidence.
VARIATIONAL: Mapping[str, str] = _COMMON | {
    "chain prior": """\
startprob_prior : float, array-like of shape (n_components,) or None, default=None
    Parameters of the Dirichlet prior of the initial distribution; None means 1 / n_components.
transmat_prior : float, array-like of shape (n_components, n_components) or None, default=None
    Parameters of the Dirichlet prior of the rows of the transition matrix; None means 1 / n_components.
""",
    "running": _RUNNING
    + """\
n_iter : int, default=100
    Limit on the iterations.
tol : float, default=1e-6
    The fit ends when the lower bound grows by less.
verbose : bool, default=False
    Print each iteration to the standard error stream.
""",
    "engine": _ENGINE.replace("OBJECTIVE", "lower bound"),
    "chain": """\
startprob_ : ndarray of shape (n_components,)
    Expected initial distribution.
transmat_ : ndarray of shape (n_components, n_components)
    Expected transition probabilities; rows add up to 1.
startprob_prior_, startprob_posterior_ : ndarray of shape (n_components,)
    Parameters of the Dirichlet distributions of ``startprob_``.
transmat_prior_, transmat_posterior_ : ndarray of shape (n_components, n_components)
    Parameters of the Dirichlet distributions of the rows of ``transmat_``.
""",
    "fitted": """\
monitor_ : ConvergenceMonitor
    Lower bounds of the iterations, and whether the fit has converged.
"""
    + _FITTED.replace("OBJECTIVE", "lower bound of the log evidence"),
}

#: Blocks of the functions on plain arrays.
TRELLIS: Mapping[str, str] = {
    "chain": """\
startprob : array-like of shape (n_components,)
    Initial distribution.
transmat : array-like of shape (n_components, n_components)
    Transition probabilities.
frameprob : array-like of shape (n_samples, n_components)
    Probability (density) of each observation in each state.
""",
    "errors": """\
ValueError
    If the arrays are not as described or the observations are impossible.
""",
}

#: Blocks of the methods of models.
SEQUENCES: Mapping[str, str] = {
    "sequences": """\
X : array-like of shape (n_samples, n_features)
    Observations, all sequences below each other; NaN is a missing value and is marginalised.
lengths : array-like of shape (n_sequences,), default=None
    Rows of each sequence; None for one sequence.
""",
    "weights and states": """\
sample_weight : array-like of shape (n_sequences,), default=None
    Weight of each sequence: 2 counts as the sequence twice, 0 as its absence.
states : array-like of shape (n_samples,), default=None
    Known states, -1 where unknown: paths through other states than the known ones are ruled out.
""",
}
