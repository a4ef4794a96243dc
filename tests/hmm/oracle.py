"""The native HMM functions once more in plain NumPy, in log space, a frame at a time; and brute force.

Same names, arguments and results as `mlcore._core.hmm`. Slow on purpose: every line is a textbook formula
(Rabiner, "A tutorial on hidden Markov models", 1989). The functions `enumerate_*` do not even use the
recursions: they visit all K^T paths.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy.special import gammaln, logsumexp, xlogy

# -- emission densities, with NaN (or a negative symbol) marginalised


def gaussian_log_density(x, mean, covariance):
    seen = ~np.isnan(x)
    if not seen.any():
        return 0.0
    covariance = covariance[np.ix_(seen, seen)]
    difference = x[seen] - mean[seen]
    _, log_determinant = np.linalg.slogdet(covariance)
    quadratic = difference @ np.linalg.solve(covariance, difference)
    return -0.5 * (seen.sum() * math.log(2 * math.pi) + log_determinant + quadratic)


def full_covariances(kind, covars, K, d):
    """Covariance matrices (K, d, d) from any of the four shapes."""
    covars = np.asarray(covars, dtype=float)
    if kind == "full":
        return covars
    if kind == "tied":
        return np.repeat(covars[None], K, axis=0)
    if kind == "diag":
        return np.array([np.diag(row) for row in covars])
    return np.array([value * np.eye(d) for value in covars.ravel()[:K]])


def mixture_covariances(kind, covars, K, M, d):
    """Covariance matrices (K, M, d, d) from hmmlearn's shapes of a mixture."""
    covars = np.asarray(covars, dtype=float)
    if kind == "full":
        return covars
    if kind == "tied":
        return np.repeat(covars[:, None], M, axis=1)
    if kind == "diag":
        return np.array([[np.diag(row) for row in state] for state in covars])
    return np.array([[value * np.eye(d) for value in state] for state in covars])


def mixture_log_terms(emission, X):
    """log(weight) + log density of every mixture component: (n, K, M)."""
    _, kind, weights, means, covars = emission
    K, M, d = means.shape
    matrices = mixture_covariances(kind, covars, K, M, d)
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    return np.array(
        [
            [
                [log_weights[k, m] + gaussian_log_density(x, means[k, m], matrices[k, m]) for m in range(M)]
                for k in range(K)
            ]
            for x in np.asarray(X, dtype=float)
        ]
    )


def log_densities(emission, X, n_threads=0):
    name = emission[0]
    with np.errstate(divide="ignore"):
        if name == "log_density":
            return np.asarray(emission[1], dtype=float)
        if name == "categorical":
            logs = np.log(np.asarray(emission[1], dtype=float)).T
            symbols = np.asarray(X).ravel()
            return np.where((symbols < 0)[:, None], 0.0, logs[np.maximum(symbols, 0)])
        X = np.asarray(X, dtype=float)
        if name == "gaussian":
            _, kind, means, covars = emission
            matrices = full_covariances(kind, covars, *means.shape)
            return np.array([[gaussian_log_density(x, *pair) for pair in zip(means, matrices)] for x in X])
        if name == "gaussian_mixture":
            return logsumexp(mixture_log_terms(emission, X), axis=2)
        if name == "poisson":
            lambdas = emission[1]
            terms = xlogy(X[:, None], lambdas) - lambdas - gammaln(X[:, None] + 1)
            return np.where(np.isnan(X[:, None]), 0.0, terms).sum(axis=2)
        if name == "multinomial":
            P = emission[1]
            gone = np.isnan(X).any(axis=1)
            X = np.where(gone[:, None], 0.0, X)
            constant = gammaln(X.sum(axis=1) + 1) - gammaln(X + 1).sum(axis=1)
            return np.where(gone[:, None], 0.0, constant[:, None] + xlogy(X[:, None], P).sum(axis=2))
    raise ValueError(name)


# -- recursions


def clamp(L, labels):
    """Log densities where a label (>= 0) rules out every other state."""
    L = np.array(L, dtype=float)
    if labels is not None:
        for t, label in enumerate(labels):
            if label >= 0:
                L[t, np.arange(L.shape[1]) != label] = -np.inf
    return L


def logs(startprob, transmat):
    with np.errstate(divide="ignore"):
        return np.log(startprob), np.log(transmat)


def log_forward(L, startprob, transmat):
    log_start, log_trans = logs(startprob, transmat)
    alpha = np.empty_like(L)
    alpha[0] = log_start + L[0]
    for t in range(1, len(L)):
        alpha[t] = logsumexp(alpha[t - 1][:, None] + log_trans, axis=0) + L[t]
    return alpha


def log_backward(L, transmat):
    _, log_trans = logs(transmat[0], transmat)
    beta = np.zeros_like(L)
    for t in range(len(L) - 2, -1, -1):
        beta[t] = logsumexp(log_trans + L[t + 1] + beta[t + 1], axis=1)
    return beta


def pieces(L, offsets):
    return [L[a:b] for a, b in itertools.pairwise(offsets)]


def score(emission, X, offsets, startprob, transmat, labels=None, n_threads=0):
    L = clamp(log_densities(emission, X), labels)
    return np.array([logsumexp(log_forward(part, startprob, transmat)[-1]) for part in pieces(L, offsets)])


def posteriors(emission, X, offsets, startprob, transmat, labels=None, n_threads=0):
    L = clamp(log_densities(emission, X), labels)
    scores, gammas = [], []
    for part in pieces(L, offsets):
        alpha, beta = log_forward(part, startprob, transmat), log_backward(part, transmat)
        scores.append(logsumexp(alpha[-1]))
        gammas.append(np.exp(alpha + beta - scores[-1]))
    return np.array(scores), np.concatenate(gammas)


def viterbi_path(L, startprob, transmat):
    log_start, log_trans = logs(startprob, transmat)
    delta = log_start + L[0]
    back = np.zeros(L.shape, dtype=np.int32)
    for t in range(1, len(L)):
        scores = delta[:, None] + log_trans
        back[t] = scores.argmax(axis=0)
        delta = scores.max(axis=0) + L[t]
    path = np.empty(len(L), dtype=np.int32)
    path[-1] = delta.argmax()
    for t in range(len(L) - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return delta.max(), path


def viterbi(emission, X, offsets, startprob, transmat, labels=None, n_threads=0):
    L = clamp(log_densities(emission, X), labels)
    found = [viterbi_path(part, startprob, transmat) for part in pieces(L, offsets)]
    return np.array([value for value, _ in found]), np.concatenate([path for _, path in found])


def conditional_moments(x, mean, covariance):
    """E[x - mean] and E[(x - mean)(x - mean)'] given the values of x that were seen."""
    gone = np.isnan(x)
    expected = np.where(gone, 0.0, x - mean)
    spread = np.zeros_like(covariance)
    if gone.any():
        seen = ~gone
        inverse = np.linalg.inv(covariance[np.ix_(seen, seen)]) if seen.any() else np.zeros((0, 0))
        gain = covariance[np.ix_(gone, seen)] @ inverse
        expected[gone] = gain @ expected[seen]
        spread[np.ix_(gone, gone)] = covariance[np.ix_(gone, gone)] - gain @ covariance[np.ix_(seen, gone)]
    return expected, np.outer(expected, expected) + spread


def estep(emission, X, offsets, startprob, transmat, weights=None, labels=None, n_threads=0):
    L = clamp(log_densities(emission, X), labels)
    K = L.shape[1]
    log_trans = logs(startprob, transmat)[1]
    if weights is None:
        weights = np.ones(len(offsets) - 1)
    total, start, trans, gammas = 0.0, np.zeros(K), np.zeros((K, K)), []
    for weight, part in zip(weights, pieces(L, offsets)):
        alpha, beta = log_forward(part, startprob, transmat), log_backward(part, transmat)
        value = logsumexp(alpha[-1])
        gamma = np.exp(alpha + beta - value)
        total += weight * value if weight > 0 else 0.0
        start += weight * gamma[0]
        for t in range(len(part) - 1):
            trans += weight * np.exp(alpha[t][:, None] + log_trans + part[t + 1] + beta[t + 1] - value)
        gammas.append(weight * gamma)
    gamma = np.concatenate(gammas)
    stats = {
        "log_likelihood": total,
        "n_sequences": float(np.sum(weights)),
        "start": start,
        "trans": trans,
        "post": gamma.sum(axis=0),
    }
    return stats | emission_statistics(emission, X, gamma)


def emission_statistics(emission, X, gamma):
    name = emission[0]
    n, K = gamma.shape
    if name == "log_density":
        return {"gamma": gamma}
    if name == "categorical":
        obs = np.zeros((K, emission[1].shape[1]))
        for symbol, row in zip(np.asarray(X).ravel(), gamma):
            if symbol >= 0:
                obs[:, symbol] += row
            else:  # a missing symbol is expected to be what the state emits
                obs += row[:, None] * emission[1] / emission[1].sum(axis=1, keepdims=True)
        return {"obs": obs}
    X = np.asarray(X, dtype=float)
    if name == "poisson":
        filled = np.where(np.isnan(X[:, None]), emission[1], X[:, None])
        return {"obs": np.einsum("tk,tkj->kj", gamma, filled)}
    if name == "multinomial":
        seen = ~np.isnan(X).any(axis=1)
        return {"obs": gamma[seen].T @ X[seen]}
    if name == "gaussian":
        _, kind, means, covars = emission
        d = means.shape[1]
        matrices = full_covariances(kind, covars, K, d)
        first, second = np.zeros((K, d)), np.zeros((K, d, d))
        for t, k in itertools.product(range(n), range(K)):
            m, S = conditional_moments(X[t], means[k], matrices[k])
            first[k] += gamma[t, k] * m
            second[k] += gamma[t, k] * S
        stats = {"obs": first, "shift": np.array(means, dtype=float)}
        if kind in ("full", "tied"):
            return stats | {"obs_obs": second}
        return stats | {"obs2": np.einsum("kjj->kj", second)}
    _, kind, _, means, covars = emission
    K, M, d = means.shape
    matrices = mixture_covariances(kind, covars, K, M, d)
    terms = mixture_log_terms(emission, X)
    share = gamma[:, :, None] * np.exp(terms - logsumexp(terms, axis=2, keepdims=True))
    first, second = np.zeros((K, M, d)), np.zeros((K, M, d, d))
    for t, k, j in itertools.product(range(n), range(K), range(M)):
        m, S = conditional_moments(X[t], means[k, j], matrices[k, j])
        first[k, j] += share[t, k, j] * m
        second[k, j] += share[t, k, j] * S
    stats = {"post_mix": share.sum(axis=0), "obs": first, "shift": np.array(means, dtype=float)}
    if kind in ("full", "tied"):
        return stats | {"obs_obs": second}
    return stats | {"obs2": np.einsum("kmjj->kmj", second)}


# -- all paths


def enumerate_paths(L, startprob, transmat):
    """(path, log joint probability) of all K^T paths."""
    log_start, log_trans = logs(startprob, transmat)
    for path in itertools.product(range(L.shape[1]), repeat=len(L)):
        value = log_start[path[0]] + L[0, path[0]]
        for t in range(1, len(L)):
            value += log_trans[path[t - 1], path[t]] + L[t, path[t]]
        yield path, value


def enumerate_all(L, startprob, transmat):
    """Log-likelihood, posteriors (T, K), pair posteriors (T - 1, K, K), and the paths, best first."""
    found = list(enumerate_paths(L, startprob, transmat))
    total = logsumexp([value for _, value in found])
    T, K = L.shape
    gamma, xi = np.zeros((T, K)), np.zeros((max(T - 1, 0), K, K))
    for path, value in found:
        p = math.exp(value - total)
        for t in range(T):
            gamma[t, path[t]] += p
        for t in range(T - 1):
            xi[t, path[t], path[t + 1]] += p
    ranked = sorted((item for item in found if item[1] > -np.inf), key=lambda item: -item[1])
    return total, gamma, xi, ranked


# -- what draws or ranks


def sample_states(startprob, transmat, lengths, seed, n_threads=0):
    rng = np.random.default_rng(seed)
    states = []
    for length in lengths:
        state = rng.choice(len(startprob), p=startprob)
        for t in range(length):
            if t:
                state = rng.choice(len(startprob), p=transmat[state])
            states.append(state)
    return np.array(states, dtype=np.int32)


def sample_posterior(emission, X, offsets, startprob, transmat, n_samples, seed, n_threads=0):
    rng = np.random.default_rng(seed)
    L = log_densities(emission, X)
    log_trans = logs(startprob, transmat)[1]
    draws = []
    for part in pieces(L, offsets):
        alpha = log_forward(part, startprob, transmat)
        paths = np.empty((n_samples, len(part)), dtype=np.int32)
        for path in paths:
            for t in range(len(part) - 1, -1, -1):
                row = alpha[t] if t == len(part) - 1 else alpha[t] + log_trans[:, path[t + 1]]
                path[t] = rng.choice(len(startprob), p=np.exp(row - logsumexp(row)))
        draws.append(paths)
    return np.concatenate(draws, axis=1)


def k_best(L, startprob, transmat, k):
    """The k best paths, by keeping k hypotheses per state and frame."""
    log_start, log_trans = logs(startprob, transmat)
    T, K = L.shape
    cells = [[(log_start[j] + L[0, j], (j,))] for j in range(K)]
    for t in range(1, T):
        cells = [
            sorted(
                (
                    (value + log_trans[i, j] + L[t, j], (*path, j))
                    for i in range(K)
                    for value, path in cells[i]
                    if value + log_trans[i, j] + L[t, j] > -np.inf
                ),
                key=lambda item: -item[0],
            )[:k]
            for j in range(K)
        ]
    ranked = sorted(
        (item for cell in cells for item in cell if item[0] > -np.inf), key=lambda item: -item[0]
    )[:k]
    values = np.full(k, -np.inf)
    paths = np.full((k, T), -1, dtype=np.int32)
    for i, (value, path) in enumerate(ranked):
        values[i], paths[i] = value, path
    return values, paths


def viterbi_k_best(emission, X, offsets, startprob, transmat, labels, k, parts=1, n_threads=0):
    L = clamp(log_densities(emission, X), labels)
    found = [k_best(part, startprob, transmat, k) for part in pieces(L, offsets)]
    return np.array([v for v, _ in found]), np.concatenate([p for _, p in found], axis=1)
