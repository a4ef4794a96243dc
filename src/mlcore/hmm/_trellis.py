"""The recursions on plain arrays, with their trellis: for teaching, plots and models of one's own.

All take an initial distribution, a transition matrix and the probability of each observation in each state,
and no estimator. They are written in NumPy, a row at a time; the estimators use native code.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._shared_docs import shared_docs
from ._chain import check_distribution
from ._docs import TRELLIS
from ._sequences import Array

__all__ = [
    "Backward",
    "Forward",
    "Posteriors",
    "Viterbi",
    "backward",
    "forward",
    "posteriors",
    "viterbi",
]


class Forward(NamedTuple):
    """Result of :func:`forward`.

    Attributes
    ----------
    log_likelihood : float
        Log-probability of all observations.
    alpha : ndarray of shape (n_samples, n_components)
        The trellis.
    scale : ndarray of shape (n_samples,)
        Factors by which the rows were divided; ones for ``scaled=False``.
    """

    log_likelihood: float
    alpha: Array
    scale: Array


class Backward(NamedTuple):
    """Result of :func:`backward`.

    Attributes
    ----------
    log_likelihood : float
        Log-probability of all observations, from the first row.
    beta : ndarray of shape (n_samples, n_components)
        The trellis; its last row is 1.
    scale : ndarray of shape (n_samples,)
        Factors by which the rows were divided; ones for ``scaled=False``.
    """

    log_likelihood: float
    beta: Array
    scale: Array


class Posteriors(NamedTuple):
    """Result of :func:`posteriors`.

    Attributes
    ----------
    log_likelihood : float
        Log-probability of all observations.
    gamma : ndarray of shape (n_samples, n_components)
        State posteriors; rows add up to 1.
    xi : ndarray of shape (n_samples - 1, n_components, n_components)
        Posteriors of pairs of neighbours; each matrix adds up to 1.
    """

    log_likelihood: float
    gamma: Array
    xi: Array


class Viterbi(NamedTuple):
    """Result of :func:`viterbi`.

    Attributes
    ----------
    log_prob : float
        Log joint probability of the best path and the observations.
    path : ndarray of shape (n_samples,), int32
        The best path.
    delta : ndarray of shape (n_samples, n_components)
        Log-probability of the best path into each state.
    backpointers : ndarray of shape (n_samples, n_components), int32
        The state before on that path; -1 in the first row.
    """

    log_prob: float
    path: Array
    delta: Array
    backpointers: Array


def _checked(startprob: Any, transmat: Any, frameprob: Any) -> tuple[Array, Array, Array]:
    B = np.asarray(frameprob, dtype=np.float64)
    if B.ndim != 2 or 0 in B.shape:
        raise ValueError(f"frameprob must have shape (n_samples, n_components), got {B.shape}.")
    if not (np.isfinite(B).all() and (B >= 0).all()):
        raise ValueError("frameprob must hold densities: finite and not negative.")
    K = B.shape[1]
    return (
        check_distribution(startprob, "startprob", (K,)),
        check_distribution(transmat, "transmat", (K, K)),
        B,
    )


def _impossible(t: int) -> ValueError:
    return ValueError(f"Row {t} has probability zero in every state that can be reached.")


@shared_docs(TRELLIS)
def forward(startprob: Any, transmat: Any, frameprob: Any, *, scaled: bool = True) -> Forward:
    r"""Forward recursion: what the observations so far say of the present state.

    .. math:: \alpha_1(i) = \pi_i b_i(x_1), \qquad \alpha_t(j) = b_j(x_t) \sum_i \alpha_{t-1}(i) a_{ij}

    Parameters
    ----------
    <<chain>>
    scaled : bool, default=True
        Divide every row by its sum, which becomes its scale: row t is then the filtered distribution, and no
        long sequence underflows. False gives the joint probabilities themselves.

    Returns
    -------
    result : Forward
        ``log_likelihood``, ``alpha``, ``scale``.

    Raises
    ------
    <<errors>>

    Examples
    --------
    >>> from mlcore.hmm import forward
    >>> result = forward([0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]], [[0.5, 0.4], [0.5, 0.6]], scaled=False)
    >>> result.alpha.round(4)
    array([[0.3   , 0.16  ],
           [0.137 , 0.1116]])
    """
    start, trans, B = _checked(startprob, transmat, frameprob)
    alpha, scale = np.empty_like(B), np.ones(len(B))
    row = start
    for t in range(len(B)):
        row = (row if t == 0 else row @ trans) * B[t]
        if scaled:
            scale[t] = row.sum()
            if not scale[t] > 0:
                raise _impossible(t)
            row = row / scale[t]
        alpha[t] = row
    total = float(row.sum())
    if not total > 0:
        raise ValueError("The probability is zero or underflows; use scaled=True.")
    # Of a scaled row the total is 1 up to rounding, and counts as 1.
    log_likelihood = float(np.log(scale).sum()) if scaled else float(np.log(total))
    return Forward(log_likelihood, alpha, scale)


@shared_docs(TRELLIS)
def backward(startprob: Any, transmat: Any, frameprob: Any, *, scaled: bool = True) -> Backward:
    r"""Backward recursion: what the observations to come say of the present state.

    .. math:: \beta_T(i) = 1, \qquad \beta_t(i) = \sum_j a_{ij} b_j(x_{t+1}) \beta_{t+1}(j)

    Parameters
    ----------
    <<chain>>
    scaled : bool, default=True
        Divide by the same scales as :func:`forward`: then alpha times beta is the posterior.

    Returns
    -------
    result : Backward
        ``log_likelihood``, ``beta``, ``scale``.

    Raises
    ------
    <<errors>>

    Examples
    --------
    >>> from mlcore.hmm import backward
    >>> result = backward([0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]], [[0.5, 0.4], [0.5, 0.6]], scaled=False)
    >>> result.beta.round(4)
    array([[0.53, 0.56],
           [1.  , 1.  ]])
    """
    start, trans, B = _checked(startprob, transmat, frameprob)
    scale = forward(start, trans, B).scale if scaled else np.ones(len(B))
    beta = np.ones_like(B)
    for t in range(len(B) - 2, -1, -1):
        beta[t] = trans @ (B[t + 1] * beta[t + 1]) / scale[t + 1]
    total = float((start * B[0] * beta[0]).sum())
    if not total > 0:
        raise ValueError("The probability is zero or underflows; use scaled=True.")
    rest = float(np.log(scale[1:]).sum())
    return Backward(float(np.log(total)) + rest, beta, scale)


@shared_docs(TRELLIS)
def posteriors(startprob: Any, transmat: Any, frameprob: Any) -> Posteriors:
    r"""Smoothing: posteriors of states and of pairs of neighbouring states.

    .. math:: \gamma_t(i) \propto \alpha_t(i) \beta_t(i), \qquad
              \xi_t(i, j) \propto \alpha_t(i) a_{ij} b_j(x_{t+1}) \beta_{t+1}(j)

    Parameters
    ----------
    <<chain>>

    Returns
    -------
    result : Posteriors
        ``log_likelihood``, ``gamma``, ``xi``; the sum of ``xi[t]`` over its last axis is ``gamma[t]``.

    Raises
    ------
    <<errors>>

    Examples
    --------
    >>> from mlcore.hmm import posteriors
    >>> posteriors([0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]], [[0.5, 0.4], [0.5, 0.6]]).gamma.round(4)
    array([[0.6396, 0.3604],
           [0.5511, 0.4489]])
    """
    start, trans, B = _checked(startprob, transmat, frameprob)
    log_likelihood, alpha, scale = forward(start, trans, B)
    beta = backward(start, trans, B).beta
    ahead = B[1:] * beta[1:] / scale[1:, None]
    xi = alpha[:-1, :, None] * trans * ahead[:, None, :]
    return Posteriors(log_likelihood, alpha * beta, xi)


@shared_docs(TRELLIS)
def viterbi(startprob: Any, transmat: Any, frameprob: Any) -> Viterbi:
    r"""Most probable path of states, in log space; ties go to the lower state.

    .. math:: \delta_t(j) = \log b_j(x_t) + \max_i [\delta_{t-1}(i) + \log a_{ij}]

    Parameters
    ----------
    <<chain>>

    Returns
    -------
    result : Viterbi
        ``log_prob``, ``path``, ``delta``, ``backpointers``.

    Raises
    ------
    <<errors>>

    Examples
    --------
    >>> from mlcore.hmm import viterbi
    >>> viterbi([0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]], [[0.1, 0.6], [0.4, 0.3], [0.5, 0.1]]).path
    array([1, 0, 0], dtype=int32)
    """
    start, trans, B = _checked(startprob, transmat, frameprob)
    with np.errstate(divide="ignore"):
        log_start, log_trans, log_B = np.log(start), np.log(trans), np.log(B)
    delta = np.empty_like(B)
    back = np.full(B.shape, -1, dtype=np.int32)
    delta[0] = log_start + log_B[0]
    for t in range(1, len(B)):
        scores = delta[t - 1][:, None] + log_trans
        back[t] = scores.argmax(axis=0)
        delta[t] = scores.max(axis=0) + log_B[t]
    path = np.empty(len(B), dtype=np.int32)
    path[-1] = delta[-1].argmax()
    for t in range(len(B) - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    best = float(delta[-1].max())
    if best == -np.inf:
        raise ValueError("No path can emit the observations.")
    return Viterbi(best, path, delta, back)
