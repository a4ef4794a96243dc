"""The native HMM engine against the sum over all state paths: likelihood, posteriors, E-step, decoding."""

import itertools

import numpy as np
import pytest
from scipy.stats import multinomial, multivariate_normal, poisson

from mlcore import _core

native = _core.hmm
KINDS = ["spherical", "diag", "full", "tied"]


def enumerate_paths(L, start, A, offsets):
    """Log-likelihoods, posteriors, expected transitions, log-probabilities of the three best paths."""
    K = len(start)
    scores, best = [], []
    gamma, trans = np.zeros_like(L), np.zeros_like(A)
    for first, last in itertools.pairwise(offsets):
        total, found = 0.0, []
        for path in itertools.product(range(K), repeat=last - first):
            p = start[path[0]] * np.exp(L[first, path[0]])
            for t in range(1, len(path)):
                p *= A[path[t - 1], path[t]] * np.exp(L[first + t, path[t]])
            total += p
            found.append((p, path))
        for p, path in found:
            for t, state in enumerate(path):
                gamma[first + t, state] += p / total
            for i, j in itertools.pairwise(path):
                trans[i, j] += p / total
        found.sort(key=lambda pair: -pair[0])
        scores.append(np.log(total))
        best.append([np.log(p) if p > 0 else -np.inf for p, _ in found[:3]])
    return np.array(scores), gamma, trans, best


def path_log_probability(path, L, start, A):
    p = start[path[0]] * np.exp(L[0, path[0]])
    for t in range(1, len(path)):
        p *= A[path[t - 1], path[t]] * np.exp(L[t, path[t]])
    return np.log(p)


def chain(rng, K):
    return rng.dirichlet(np.ones(K)), rng.dirichlet(np.ones(K), K)


def offsets_of(lengths):
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def lengths_of(K):
    """More sequences than lanes, ragged, with one observation; fewer where enumeration is dear."""
    return [5, 1, 3, 4, 2, 5, 3, 3, 4, 2, 1] if K < 4 else [4, 3, 1, 4]


def covariances(rng, K, d):
    W = rng.normal(size=(K, d, d))
    full = W @ W.transpose(0, 2, 1) + np.eye(d)
    diagonal = np.einsum("kii->ki", full).copy()
    return {"full": full, "diag": diagonal, "spherical": diagonal[:, 0].copy(), "tied": full[0].copy()}


def matrices(kind, covars, K, d):
    """K x d x d whatever the kind."""
    if kind == "full":
        return covars
    if kind == "tied":
        return np.broadcast_to(covars, (K, d, d))
    diagonal = covars if kind == "diag" else np.repeat(covars[:, None], d, axis=1)
    return np.stack([np.diag(row) for row in diagonal])


def gaussian_log_density(X, means, C):
    """NaN features are left out of the density."""
    L = np.zeros((len(X), len(means)))
    for i, x in enumerate(X):
        seen = ~np.isnan(x)
        if seen.any():
            for j, mean in enumerate(means):
                L[i, j] = multivariate_normal.logpdf(x[seen], mean[seen], C[j][np.ix_(seen, seen)])
    return L


def expected_moments(X, gamma, means, C):
    """Sums of gamma E[x] and gamma E[x x'], missing features conditional on the others of their row."""
    K, d = means.shape
    first, second = np.zeros((K, d)), np.zeros((K, d, d))
    for i, x in enumerate(X):
        m = np.isnan(x)
        o = ~m
        for j in range(K):
            guess, rest = x.copy(), np.zeros((d, d))
            guess[m] = means[j][m]
            if m.all():
                rest = C[j]
            elif m.any():
                gain = C[j][np.ix_(m, o)] @ np.linalg.inv(C[j][np.ix_(o, o)])
                guess[m] = means[j][m] + gain @ (x[o] - means[j][o])
                rest[np.ix_(m, m)] = C[j][np.ix_(m, m)] - gain @ C[j][np.ix_(o, m)]
            first[j] += gamma[i, j] * guess
            second[j] += gamma[i, j] * (np.outer(guess, guess) + rest)
    return first, second


def check_everything(emission, X, L, start, A, offsets):
    scores, gamma, trans, best = enumerate_paths(L, start, A, offsets)
    np.testing.assert_allclose(
        native.score(emission, X, offsets, start, A, None, 1), scores, rtol=1e-11, atol=1e-13
    )
    got, posterior = native.posteriors(emission, X, offsets, start, A, None, 2)
    np.testing.assert_allclose(got, scores, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(posterior, gamma, rtol=1e-9, atol=1e-14)
    statistics = native.estep(emission, X, offsets, start, A, None, None, 2)
    np.testing.assert_allclose(statistics["log_likelihood"], scores.sum(), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(statistics["start"], gamma[offsets[:-1]].sum(axis=0), rtol=1e-9)
    np.testing.assert_allclose(statistics["post"], gamma.sum(axis=0), rtol=1e-9)
    np.testing.assert_allclose(statistics["trans"], trans, rtol=1e-9, atol=1e-14)
    value, path = native.viterbi(emission, X, offsets, start, A, None, 1)
    np.testing.assert_allclose(value, [b[0] for b in best], rtol=1e-11, atol=1e-13)
    values, listed = native.viterbi_k_best(emission, X, offsets, start, A, None, 3, 1, 1)
    for s, (first, last) in enumerate(itertools.pairwise(offsets)):
        found = int(np.isfinite(best[s]).sum())
        own = L[first:last]
        # Paths of equal probability may come in any order, so it is their probabilities that count.
        np.testing.assert_allclose(
            path_log_probability(path[first:last], own, start, A), best[s][0], rtol=1e-11
        )
        np.testing.assert_allclose(values[s, :found], best[s][:found], rtol=1e-11, atol=1e-13)
        for value, row in zip(values[s, :found], listed):
            np.testing.assert_allclose(
                path_log_probability(row[first:last], own, start, A), value, rtol=1e-11, atol=1e-13
            )
        assert len({tuple(row[first:last]) for row in listed[:found]}) == found
        assert np.isneginf(values[s, found:]).all()
        assert (listed[found:, first:last] == -1).all()
    return gamma, statistics


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("K", [1, 2, 3, 4])
@pytest.mark.parametrize("missing", [False, True])
def test_gaussian(K, kind, missing):
    rng = np.random.default_rng(K)
    d = 3
    start, A = chain(rng, K)
    offsets = offsets_of(lengths_of(K))
    X, means = rng.normal(size=(offsets[-1], d)) + 5, rng.normal(size=(K, d)) + 5
    if missing:
        X[rng.random(X.shape) < 0.3] = np.nan
        X[1] = np.nan
    covars = covariances(rng, K, d)[kind]
    C = matrices(kind, covars, K, d)
    L = gaussian_log_density(X, means, C)
    emission = ("gaussian", kind, means, covars)
    np.testing.assert_allclose(native.log_densities(emission, X, 1), L, rtol=1e-10, atol=1e-12)
    gamma, statistics = check_everything(emission, X, L, start, A, offsets)
    shift = statistics["shift"]
    first, second = expected_moments(X - shift, gamma, means - shift, C)
    np.testing.assert_allclose(statistics["obs"], first, rtol=1e-9, atol=1e-12)
    if kind in ("full", "tied"):
        np.testing.assert_allclose(statistics["obs_obs"], second, rtol=1e-9, atol=1e-12)
    else:
        np.testing.assert_allclose(statistics["obs2"], np.einsum("kii->ki", second), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", [False, True])
def test_gaussian_mixture(kind, missing):
    rng = np.random.default_rng(5)
    K, M, d = 2, 3, 2
    start, A = chain(rng, K)
    offsets = offsets_of(lengths_of(K))
    X = rng.normal(size=(offsets[-1], d)) * 2
    if missing:
        X[rng.random(X.shape) < 0.3] = np.nan
    weights, means = rng.dirichlet(np.ones(M), K), rng.normal(size=(K, M, d))
    full = covariances(rng, K * M, d)["full"].reshape(K, M, d, d)
    diagonal = np.einsum("kmii->kmi", full).copy()
    covars = {
        "full": full,
        "diag": diagonal,
        "spherical": diagonal[..., 0].copy(),
        "tied": full[:, 0].copy(),
    }[kind]
    C = {
        "full": full,
        "tied": np.repeat(full[:, :1], M, axis=1),
        "diag": diagonal[..., None] * np.eye(d),
        "spherical": diagonal[..., :1, None] * np.eye(d),
    }[kind].reshape(K * M, d, d)
    parts = gaussian_log_density(X, means.reshape(-1, d), C).reshape(-1, K, M) + np.log(weights)
    L = np.logaddexp.reduce(parts, axis=2)
    emission = ("gaussian_mixture", kind, weights, means, covars)
    np.testing.assert_allclose(native.log_densities(emission, X, 1), L, rtol=1e-10, atol=1e-12)
    gamma, statistics = check_everything(emission, X, L, start, A, offsets)
    share = (gamma[:, :, None] * np.exp(parts - L[:, :, None])).reshape(len(X), -1)
    np.testing.assert_allclose(statistics["post_mix"].ravel(), share.sum(axis=0), rtol=1e-9)
    shift = statistics["shift"]
    first, second = expected_moments(X - shift, share, means.reshape(-1, d) - shift, C)
    np.testing.assert_allclose(statistics["obs"].reshape(-1, d), first, rtol=1e-9, atol=1e-12)
    if kind in ("full", "tied"):
        np.testing.assert_allclose(statistics["obs_obs"].reshape(-1, d, d), second, rtol=1e-9, atol=1e-12)
    else:
        wanted = np.einsum("kii->ki", second)
        np.testing.assert_allclose(statistics["obs2"].reshape(-1, d), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("M", [1, 4, 9])
@pytest.mark.parametrize("K", [1, 2, 3, 4])
def test_categorical(K, M):
    rng = np.random.default_rng(K)
    start, A = chain(rng, K)
    offsets = offsets_of(lengths_of(K))
    P = rng.dirichlet(np.ones(M), K)
    symbols = rng.integers(0, M, offsets[-1])
    symbols[[0, 2]] = -1
    L = np.where(symbols[:, None] < 0, 0.0, np.log(P[:, symbols]).T)
    np.testing.assert_allclose(
        native.log_densities(("categorical", P), symbols, 1), L, rtol=1e-12, atol=1e-15
    )
    gamma, statistics = check_everything(("categorical", P), symbols, L, start, A, offsets)
    wanted = np.stack([gamma[symbols == m].sum(axis=0) for m in range(M)], axis=1)
    np.testing.assert_allclose(statistics["obs"], wanted, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("family", ["poisson", "multinomial"])
def test_counts(family):
    rng = np.random.default_rng(2)
    K, d = 3, 3
    start, A = chain(rng, K)
    offsets = offsets_of(lengths_of(K))
    X = rng.poisson(3, size=(offsets[-1], d)).astype(float)
    X[5] = [0, 30, 7]
    if family == "poisson":
        parameters = rng.uniform(0.5, 4, (K, d))
        with np.errstate(all="ignore"):  # SciPy's own
            L = poisson.logpmf(X[:, None], parameters[None]).sum(axis=2)
    else:
        parameters = rng.dirichlet(np.ones(d), K)
        L = np.stack([multinomial.logpmf(X, X.sum(axis=1), p) for p in parameters], axis=1)
    np.testing.assert_allclose(native.log_densities((family, parameters), X, 1), L, rtol=1e-11, atol=1e-13)
    gamma, statistics = check_everything((family, parameters), X, L, start, A, offsets)
    np.testing.assert_allclose(statistics["obs"], gamma.T @ X, rtol=1e-9)


@pytest.mark.parametrize("count", [0, 11, 12, 255, 256, 1000, 10**6])
def test_factorials_of_large_counts(count):
    got = native.log_densities(("poisson", np.array([[50.0]])), np.array([[float(count)]]), 1)
    np.testing.assert_allclose(got[0, 0], poisson.logpmf(count, 50.0), rtol=1e-13)


def test_missing_counts():
    rng = np.random.default_rng(3)
    K, d = 2, 3
    start, A = chain(rng, K)
    offsets = offsets_of(lengths_of(K))
    X = rng.poisson(3, size=(offsets[-1], d)).astype(float)
    X[rng.random(X.shape) < 0.3] = np.nan
    seen, known = ~np.isnan(X), np.nan_to_num(X)
    rates = rng.uniform(0.5, 4, (K, d))
    terms = poisson.logpmf(known[:, None], rates[None])
    gamma, statistics = check_everything(
        ("poisson", rates), X, (terms * seen[:, None]).sum(axis=2), start, A, offsets
    )
    wanted = np.einsum("nk,nkd->kd", gamma, np.where(seen[:, None], known[:, None], rates[None]))
    np.testing.assert_allclose(statistics["obs"], wanted, rtol=1e-9)
    P = rng.dirichlet(np.ones(d), K)
    complete = seen.all(axis=1)
    L = np.stack([multinomial.logpmf(known, known.sum(axis=1), p) for p in P], axis=1) * complete[:, None]
    gamma, statistics = check_everything(("multinomial", P), X, L, start, A, offsets)
    np.testing.assert_allclose(statistics["obs"], gamma[complete].T @ known[complete], rtol=1e-9)


def test_labels_clamp_states_and_weights_weigh_sequences():
    rng = np.random.default_rng(4)
    K = 3
    start, A = chain(rng, K)
    lengths = lengths_of(K)
    offsets = offsets_of(lengths)
    P = rng.dirichlet(np.ones(5), K)
    symbols = rng.integers(0, 5, offsets[-1])
    labels = np.where(rng.random(offsets[-1]) < 0.4, rng.integers(0, K, offsets[-1]), -1).astype(np.int32)
    L = np.log(P[:, symbols]).T
    L[(labels[:, None] >= 0) & (labels[:, None] != np.arange(K))] = -np.inf
    scores, gamma, _, best = enumerate_paths(L, start, A, offsets)
    weights = rng.uniform(0, 2, len(lengths))
    per_row = np.repeat(weights, lengths)
    emission = ("categorical", P)
    np.testing.assert_allclose(
        native.score(emission, symbols, offsets, start, A, labels, 1), scores, rtol=1e-11
    )
    _, posterior = native.posteriors(emission, symbols, offsets, start, A, labels, 1)
    np.testing.assert_allclose(posterior, gamma, rtol=1e-9, atol=1e-14)
    value, path = native.viterbi(emission, symbols, offsets, start, A, labels, 1)
    np.testing.assert_allclose(value, [b[0] for b in best], rtol=1e-11, atol=1e-13)
    assert (path[labels >= 0] == labels[labels >= 0]).all()
    statistics = native.estep(emission, symbols, offsets, start, A, weights, labels, 1)
    np.testing.assert_allclose(statistics["log_likelihood"], weights @ scores, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(statistics["post"], per_row @ gamma, rtol=1e-9)
    np.testing.assert_allclose(statistics["start"], weights @ gamma[offsets[:-1]], rtol=1e-9)
    wanted = np.zeros((K, K))
    for s, (first, last) in enumerate(itertools.pairwise(offsets)):
        alone = np.array([0, last - first])
        wanted += weights[s] * enumerate_paths(L[first:last], start, A, alone)[2]
    np.testing.assert_allclose(statistics["trans"], wanted, rtol=1e-9, atol=1e-14)


def test_masked_and_subnormalised_chains():
    rng = np.random.default_rng(6)
    K = 3
    A = np.array([[0.5, 0.3, 0.0], [0.0, 0.6, 0.2], [0.0, 0.0, 0.9]])
    start = np.array([0.8, 0.1, 0.0])
    offsets = offsets_of(lengths_of(K))
    L = rng.normal(size=(offsets[-1], K))
    _, statistics = check_everything(("log_density", L), None, L, start, A, offsets)
    assert (statistics["trans"][A == 0] == 0).all()
