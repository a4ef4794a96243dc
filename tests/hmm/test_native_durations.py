"""The native recursion with explicit durations against the chain of pairs (state, rows left)."""

import itertools

import numpy as np
import pytest

from mlcore import _core

native = _core.hmm


def offsets_of(lengths):
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def pairs_of(start, A, P):
    """Initial distribution and transitions of the pairs (k, r), number k D + r."""
    K, D = P.shape
    trans = np.zeros((K, D, K, D))
    trans[:, 0] = A[:, :, None] * P
    for r in range(1, D):
        trans[np.arange(K), r, np.arange(K), r - 1] += 1.0
    return (start[:, None] * P).ravel(), trans.reshape(K * D, K * D)


def model(rng, K, D, zeros=False):
    A = rng.dirichlet(np.ones(K), K)
    if K > 1:
        np.fill_diagonal(A, 0.0)
        A /= A.sum(axis=1, keepdims=True)
    P = rng.dirichlet(np.ones(D), K)
    if zeros and D > 2:
        P[:, 0] = 0.0
        P /= P.sum(axis=1, keepdims=True)
    return rng.dirichlet(np.ones(K)), A, P


def slow(L, offsets, start, A, P, weights=None):
    """Statistics of the chain of pairs, one sequence at a time in log space."""
    K, D = P.shape
    pi, T = pairs_of(start, A, P)
    scores, gamma = [], np.zeros_like(L)
    starts, trans, durations = np.zeros(K), np.zeros((K, K)), np.zeros((K, D))
    with np.errstate(divide="ignore"):
        log_T = np.log(T)
    for s, (first, last) in enumerate(itertools.pairwise(offsets)):
        wide = np.repeat(L[first:last], D, axis=1)
        log_p, alpha = native.forward(wide, pi, T)
        beta = native.backward(wide, pi, T)
        weight = 1.0 if weights is None else weights[s]
        pairs = np.exp(alpha + beta - log_p).reshape(-1, K, D)
        gamma[first:last] = weight * pairs.sum(axis=2)
        starts += weight * pairs[0].sum(axis=1)
        durations += weight * pairs[0]
        for t in range(1, len(wide)):
            xi = np.exp(alpha[t - 1][:, None] + log_T + (wide[t] + beta[t])[None] - log_p).reshape(K, D, K, D)
            trans += weight * xi[:, 0].sum(axis=2)
            durations += weight * xi[:, 0].sum(axis=0)
        scores.append(log_p)
    return np.array(scores), gamma, starts, trans, durations


@pytest.mark.parametrize(("K", "D"), [(1, 1), (1, 5), (2, 1), (2, 7), (3, 8), (4, 9), (3, 17), (9, 3)])
def test_durations_are_the_chain_of_pairs(K, D):
    rng = np.random.default_rng(10 * K + D)
    start, A, P = model(rng, K, D, zeros=K == 3)
    offsets = offsets_of([1, 2, 30, 41])
    L = rng.normal(size=(offsets[-1], K)) - 200
    weights = rng.uniform(0.5, 2, 4)
    scores, gamma, starts, trans, durations = slow(L, offsets, start, A, P, weights)
    arguments = (L, offsets, start, A, P)
    np.testing.assert_allclose(native.duration_score(*arguments, None, 1), scores, rtol=1e-12)
    found = native.duration_estep(*arguments, weights, None, 1)
    np.testing.assert_allclose(found["log_likelihood"], weights @ scores, rtol=1e-12)
    for key, wanted in (("gamma", gamma), ("start", starts), ("trans", trans), ("durations", durations)):
        np.testing.assert_allclose(found[key], wanted, rtol=1e-9, atol=1e-13, err_msg=key)
    np.testing.assert_allclose(found["post"], gamma.sum(axis=0), rtol=1e-9)
    assert found["n_log_space"] == 0
    values, smoothed = native.duration_posteriors(*arguments, None, 1)
    np.testing.assert_allclose(values, scores, rtol=1e-12)
    np.testing.assert_allclose(smoothed.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(smoothed * np.repeat(weights, np.diff(offsets))[:, None], gamma, atol=1e-12)
    value, path = native.duration_viterbi(*arguments, None, 1)
    wide = ("log_density", np.repeat(L, D, axis=1))
    exact, pairs = native.viterbi(wide, None, offsets, *pairs_of(start, A, P), None, 1)
    np.testing.assert_allclose(value, exact, rtol=1e-12)
    assert (path == pairs // D).all()


def test_long_sequences_go_through_checkpoints():
    """A sequence of many tiles is its first half joined to its second by the textbook recursion."""
    rng = np.random.default_rng(0)
    K, D, n = 3, 60, 30_000  # plane 3 x 72: tiles of 173 rows
    start, A, P = model(rng, K, D)
    L = rng.normal(size=(n, K))
    offsets = offsets_of([n])
    found = native.duration_estep(L, offsets, start, A, P, None, None, 1)
    wide = ("log_density", np.repeat(L, D, axis=1))
    pi, T = pairs_of(start, A, P)
    scores, pairs = native.posteriors(wide, None, offsets, pi, T, None, 2)
    np.testing.assert_allclose(found["log_likelihood"], scores[0], rtol=1e-12)
    np.testing.assert_allclose(found["gamma"], pairs.reshape(n, K, D).sum(axis=2), rtol=1e-8, atol=1e-12)


def test_known_states_rule_out_the_others():
    rng = np.random.default_rng(1)
    start, A, P = model(rng, 3, 4)
    offsets = offsets_of([25, 10])
    L = rng.normal(size=(35, 3))
    labels = np.full(35, -1, dtype=np.int32)
    labels[[3, 4, 20, 30]] = [1, 1, 0, 2]
    ruled_out = np.where((labels[:, None] >= 0) & (labels[:, None] != np.arange(3)), -np.inf, L)
    for function in (native.duration_score, native.duration_posteriors, native.duration_viterbi):
        for a, b in zip(
            function(L, offsets, start, A, P, labels, 1), function(ruled_out, offsets, start, A, P, None, 1)
        ):
            assert np.array_equal(a, b)
    _, gamma = native.duration_posteriors(L, offsets, start, A, P, labels, 1)
    np.testing.assert_allclose(gamma[labels >= 0, labels[labels >= 0]], 1)


def test_thread_count_changes_no_bit():
    rng = np.random.default_rng(2)
    start, A, P = model(rng, 3, 6)
    offsets = offsets_of(rng.integers(1, 90, 150))
    L = rng.normal(size=(offsets[-1], 3))
    one = native.duration_estep(L, offsets, start, A, P, None, None, 1)
    for threads in (2, 7):
        other = native.duration_estep(L, offsets, start, A, P, None, None, threads)
        assert all(np.array_equal(one[key], other[key]) for key in one)
        for function in (native.duration_score, native.duration_posteriors, native.duration_viterbi):
            for a, b in zip(
                function(L, offsets, start, A, P, None, 1), function(L, offsets, start, A, P, None, threads)
            ):
                assert np.array_equal(a, b)


def test_what_probability_space_cannot_hold_is_done_in_log_space():
    """Segments last three rows: two paths, and the one that is right in the end is e^-900 behind first."""
    rng = np.random.default_rng(3)
    start, A = np.array([0.5, 0.5]), np.array([[0.0, 1.0], [1.0, 0.0]])
    P = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    L = rng.normal(size=(40, 2))
    L[7] += [-900, 0]
    L[8] += [0, -1900]
    offsets = offsets_of([40])
    scores, gamma, starts, trans, durations = slow(L, offsets, start, A, P)
    found = native.duration_estep(L, offsets, start, A, P, None, None, 1)
    assert found["n_log_space"] == 1
    np.testing.assert_allclose(native.duration_score(L, offsets, start, A, P, None, 1), scores, rtol=1e-12)
    for key, wanted in (("gamma", gamma), ("start", starts), ("trans", trans), ("durations", durations)):
        np.testing.assert_allclose(found[key], wanted, rtol=1e-9, atol=1e-13, err_msg=key)


def test_impossible_sequences_add_nothing():
    rng = np.random.default_rng(4)
    start, A, P = model(rng, 2, 3)
    offsets = offsets_of([20, 0, 15])
    L = rng.normal(size=(35, 2))
    L[10] = -np.inf
    found = native.duration_estep(L, offsets, start, A, P, None, None, 1)
    assert np.isneginf(found["log_likelihood"])
    np.testing.assert_allclose(found["post"].sum(), 15)
    assert (found["gamma"][:20] == 0).all()
    scores = native.duration_score(L, offsets, start, A, P, None, 1)
    assert np.isneginf(scores[0])
    assert scores[1] == 0


def test_arguments_are_checked():
    rng = np.random.default_rng(5)
    start, A, P = model(rng, 2, 3)
    offsets = offsets_of([10])
    L = rng.normal(size=(10, 2))
    with pytest.raises(ValueError, match="durations must have a row"):
        native.duration_score(L, offsets, start, A, P[:1], None, 1)
    with pytest.raises(ValueError, match="differ in the states"):
        native.duration_score(L[:, :1].copy(), offsets, start, A, P, None, 1)
    with pytest.raises(ValueError, match="outside X"):
        native.duration_score(L[:5], offsets, start, A, P, None, 1)
    with pytest.raises(ValueError, match="NaN"):
        native.duration_score(L, offsets, start, np.full((2, 2), np.nan), P, None, 1)
