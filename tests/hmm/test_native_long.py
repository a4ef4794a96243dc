"""Long sequences, which the native HMM engine cuts into segments: recursion, threads, log space."""

import itertools

import numpy as np
import pytest

from mlcore import _core

native = _core.hmm


def offsets_of(lengths):
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def scaled_twin(L, start, A, offsets):
    """Log-likelihoods, filtered and smoothed distributions, expected transitions: the textbook recursion."""
    scores, filtered, gamma, trans = [], np.zeros_like(L), np.zeros_like(L), np.zeros_like(A)
    for first, last in itertools.pairwise(offsets):
        top = L[first:last].max(axis=1)
        b = np.exp(L[first:last] - top[:, None])
        alpha, beta, c = np.empty_like(b), np.ones_like(b), np.empty(len(b))
        for t in range(len(b)):
            row = b[t] * (start if t == 0 else alpha[t - 1] @ A)
            c[t] = row.sum()
            alpha[t] = row / c[t]
        for t in range(len(b) - 2, -1, -1):
            beta[t] = A @ (b[t + 1] * beta[t + 1]) / c[t + 1]
        scores.append(np.log(c).sum() + top.sum())
        filtered[first:last] = alpha
        gamma[first:last] = alpha * beta
        trans += A * (alpha[:-1].T @ (b[1:] * beta[1:] / c[1:, None]))
    return np.array(scores), filtered, gamma, trans


def left_right(K):
    A = np.diag(np.full(K, 0.999)) + np.diag(np.full(K - 1, 0.001), 1)
    A[-1, -1] = 1.0
    return np.eye(K)[0], A


def mixing(K, rng):
    return rng.dirichlet(np.ones(K)), rng.dirichlet(np.ones(K), K)


def sticky(K, rng):
    """Forgets so slowly that no warming up suffices."""
    return np.full(K, 1 / K), np.eye(K) * (1 - 1e-4) + 1e-4 / K


@pytest.mark.parametrize("K", [1, 2, 4, 7, 8, 9, 13, 25])
@pytest.mark.parametrize("kind", ["mixing", "sticky", "left-right"])
def test_segments_are_the_whole(K, kind):
    rng = np.random.default_rng(K)
    offsets = offsets_of([3000, 5, 1, 4000, 700])
    start, A = {"mixing": mixing, "sticky": sticky, "left-right": lambda K, _: left_right(K)}[kind](K, rng)
    L = rng.normal(size=(offsets[-1], K)) * (2.0 if kind == "mixing" else 0.05) - 300
    emission = ("log_density", L)
    scores, filtered, gamma, trans = scaled_twin(L, start, A, offsets)
    np.testing.assert_allclose(native.score(emission, None, offsets, start, A, None, 2), scores, rtol=1e-12)
    got, smoothed = native.posteriors(emission, None, offsets, start, A, None, 2)
    np.testing.assert_allclose(got, scores, rtol=1e-12)
    np.testing.assert_allclose(smoothed, gamma, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        native.filter(emission, None, offsets, start, A, 2)[1], filtered, rtol=1e-9, atol=1e-12
    )
    statistics = native.estep(emission, None, offsets, start, A, None, None, 2)
    np.testing.assert_allclose(statistics["trans"], trans, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(statistics["start"], gamma[offsets[:-1]].sum(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(statistics["post"], gamma.sum(axis=0), rtol=1e-9, atol=1e-12)
    assert statistics["n_log_space"] == 0
    value, path = native.viterbi(emission, None, offsets, start, A, None, 2)
    exact, best = native.viterbi_beam(emission, None, offsets, start, A, None, K, 1)
    np.testing.assert_allclose(value, exact, rtol=1e-12)
    assert (path == best).all()


@pytest.mark.parametrize("K", [3, 10])
def test_thread_count_changes_no_bit(K):
    rng = np.random.default_rng(0)
    offsets = offsets_of([5000, *rng.integers(1, 60, 100), 1500, 30])
    start, A = mixing(K, rng)
    X = rng.normal(size=(offsets[-1], 3))
    emission = ("gaussian", "full", rng.normal(size=(K, 3)), np.tile(np.eye(3), (K, 1, 1)))
    arguments = (emission, X, offsets, start, A)
    weights = rng.uniform(0, 1, len(offsets) - 1)
    one = native.estep(*arguments, weights, None, 1)
    for threads in (2, 7):
        other = native.estep(*arguments, weights, None, threads)
        assert all(np.array_equal(one[key], other[key]) for key in one)
        for function in (native.score, native.posteriors, native.viterbi):
            for a, b in zip(function(*arguments, None, 1), function(*arguments, None, threads)):
                assert np.array_equal(a, b)
        drawn = [native.sample_posterior(*arguments, 2, 5, t) for t in (1, threads)]
        assert np.array_equal(*drawn)
        lengths = np.diff(offsets)
        assert np.array_equal(*[native.sample_states(start, A, lengths, 3, t) for t in (1, threads)])


@pytest.mark.parametrize("length", [30, 5000])
def test_what_probability_space_cannot_hold_is_done_in_log_space(length):
    """The path that is right in the end is e^-800 behind for a while."""
    rng = np.random.default_rng(1)
    L = rng.normal(size=(length, 2)) * 0.1
    L[10] += [0, -800]
    L[15] += [-1600, 0]
    offsets = offsets_of([length])
    start, A = np.array([0.5, 0.5]), np.array([[1.0, 0.0], [0.0, 1.0]])
    emission = ("log_density", L)
    log_p, log_alpha = native.forward(L, start, A)
    log_beta = native.backward(L, start, A)
    wanted = np.logaddexp(*(np.log(0.5) + L.sum(axis=0)))
    np.testing.assert_allclose(log_p, wanted, rtol=1e-12)
    np.testing.assert_allclose(native.score(emission, None, offsets, start, A, None, 1), [wanted], rtol=1e-12)
    _, gamma = native.posteriors(emission, None, offsets, start, A, None, 1)
    np.testing.assert_allclose(gamma, np.exp(log_alpha + log_beta - log_p), rtol=1e-9, atol=1e-12)
    assert gamma[0, 1] > 0.99
    statistics = native.estep(emission, None, offsets, start, A, None, None, 1)
    assert statistics["n_log_space"] == 1
    np.testing.assert_allclose(np.diag(statistics["trans"]), gamma[1:].sum(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(statistics["post"], gamma.sum(axis=0), rtol=1e-9)
    np.testing.assert_allclose(statistics["gamma"], gamma, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("length", [20, 5000])
def test_impossible_sequences_add_nothing(length):
    rng = np.random.default_rng(2)
    offsets = offsets_of([length, 40, 0, 3])
    start, A = mixing(3, rng)
    L = rng.normal(size=(offsets[-1], 3))
    L[length // 2] = -np.inf
    emission = ("log_density", L)
    scores = native.score(emission, None, offsets, start, A, None, 1)
    assert np.isneginf(scores[0])
    assert scores[2] == 0
    assert np.isfinite(scores).tolist() == [False, True, True, True]
    statistics = native.estep(emission, None, offsets, start, A, None, None, 1)
    np.testing.assert_allclose(statistics["post"].sum(), 43)
    np.testing.assert_allclose(statistics["trans"].sum(), 41)
    assert (statistics["gamma"][:length] == 0).all()
    np.testing.assert_allclose(statistics["gamma"][length:].sum(axis=1), 1)
    assert np.isneginf(native.viterbi(emission, None, offsets, start, A, None, 1)[0][0])


def test_blocks_of_sequences_add_up():
    rng = np.random.default_rng(3)
    K = 4
    offsets = offsets_of(rng.integers(1, 80, 40))
    start, A = mixing(K, rng)
    X = rng.normal(size=(offsets[-1], 2))
    emission = ("gaussian", "diag", rng.normal(size=(K, 2)), np.ones((K, 2)))
    whole = native.estep(emission, X, offsets, start, A, None, None, 1)
    middle = offsets[17]
    halves = [
        native.estep(emission, X[:middle], offsets[:18].copy(), start, A, None, None, 1),
        native.estep(emission, X[middle:], offsets[17:] - middle, start, A, None, None, 1),
    ]
    total = native.combine(*halves)
    assert total["n_sequences"] == 40
    for key in whole:
        np.testing.assert_allclose(total[key], whole[key], rtol=1e-12)
    other = native.estep((*emission[:2], emission[2] + 1, emission[3]), X, offsets, start, A, None, None, 1)
    with pytest.raises(ValueError, match="different parameters"):
        native.combine(whole, other)
