"""Every model against the enumeration of all paths."""

import itertools

import hmm_oracle as oracle
import numpy as np
import pytest
from scipy.special import logsumexp

LENGTHS = [5, 1, 4]


def brute(model, X, allowed=None):
    """Results of enumeration for each sequence, densities from the oracle."""
    emission = model._emission(None)
    if emission[0] == "log_density":
        L = model._log_densities(X)
    elif emission[0] == "categorical":
        symbols = np.where(np.isnan(X[:, 0]), -1, np.nan_to_num(X[:, 0])).astype(int)
        L = oracle.log_densities(emission, symbols)
    else:
        L = oracle.log_densities(emission, X)
    if allowed is not None:
        L = np.where(allowed, L, -np.inf)
    ends = np.cumsum([0, *LENGTHS])
    return [
        oracle.enumerate_all(L[a:b], np.asarray(model.startprob_), np.asarray(model.transmat_))
        for a, b in itertools.pairwise(ends)
    ]


def with_gaps(name, X, gaps):
    X = X.copy()
    if gaps:
        X[1, 0] = np.nan
        X[5] = np.nan  # the whole of the sequence of one row
        X[8, -1] = np.nan
    return X


@pytest.mark.parametrize("gaps", [False, True])
def test_likelihood_posteriors_and_paths(small_model, gaps):
    name, model, draw = small_model
    X = with_gaps(name, draw(10), gaps)
    if name == "multinomial":
        X[np.isnan(X).any(axis=1)] = np.nan
    found = brute(model, X)
    total = sum(result[0] for result in found)
    assert model.score(X, LENGTHS) == pytest.approx(total, rel=1e-12)
    np.testing.assert_allclose(
        model.score_sequences(X, LENGTHS), [r[0] for r in found], rtol=1e-12, atol=1e-13
    )
    log_prob, gamma = model.score_samples(X, LENGTHS)
    assert log_prob == pytest.approx(total, rel=1e-12)
    expected = np.concatenate([r[1] for r in found])
    np.testing.assert_allclose(gamma, expected, rtol=1e-10, atol=1e-14)
    best, path = model.decode(X, LENGTHS)
    assert best == pytest.approx(sum(r[3][0][1] for r in found), rel=1e-12)
    assert path.tolist() == [state for r in found for state in r[3][0][0]]
    chosen, states = model.decode(X, LENGTHS, algorithm="map")
    assert chosen == pytest.approx(expected.max(axis=1).sum(), rel=1e-12)
    assert states.tolist() == expected.argmax(axis=1).tolist()
    np.testing.assert_array_equal(model.predict(X, LENGTHS), path)


def test_k_best_paths(small_model):
    _, model, draw = small_model
    X = draw(10)
    values, paths = model.decode(X, LENGTHS, n_best=6)
    assert values.shape == (3, 6)
    assert paths.shape == (6, 10)
    ends = np.cumsum([0, *LENGTHS])
    for s, (_, _, _, ranked) in enumerate(brute(model, X)):
        wanted = [value for _, value in ranked[:6]]
        np.testing.assert_allclose(values[s, : len(wanted)], wanted, rtol=1e-12)
        for i, (path, _) in enumerate(ranked[:6]):
            assert tuple(paths[i, ends[s] : ends[s + 1]]) == path
        assert (values[s, len(wanted) :] == -np.inf).all()
        assert (paths[len(wanted) :, ends[s] : ends[s + 1]] == -1).all()


def test_constraints(small_model):
    _, model, draw = small_model
    X = draw(10)
    known = np.array([-1, 2, -1, 0, -1, 1, -1, -1, 2, -1])
    allowed = (known[:, None] < 0) | (known[:, None] == np.arange(3))
    found = brute(model, X, allowed)
    for constraints in (known, allowed):
        best, path = model.decode(X, LENGTHS, constraints=constraints)
        assert best == pytest.approx(sum(r[3][0][1] for r in found), rel=1e-12)
        assert path.tolist() == [state for r in found for state in r[3][0][0]]
    values, _ = model.decode(X, LENGTHS, constraints=allowed, n_best=2)
    assert values[0, 1] == pytest.approx(found[0][3][1][1], rel=1e-12)


def test_beam(small_model):
    _, model, draw = small_model
    X = draw(10)
    exact, path = model.decode(X, LENGTHS)
    wide, same = model.decode(X, LENGTHS, algorithm="beam", beam_width=3)
    assert wide == pytest.approx(exact, rel=1e-14)
    np.testing.assert_array_equal(path, same)
    narrow = [model.decode(X, LENGTHS, algorithm="beam", beam_width=width)[0] for width in (1, 2)]
    assert max(narrow) <= exact + 1e-12


def test_filtering_sees_the_past_only(small_model):
    _, model, draw = small_model
    X = draw(10)
    filtered = model.filter(X, LENGTHS)
    ends = np.cumsum([0, *LENGTHS])
    for a, b in itertools.pairwise(ends):
        stream = model.stream()
        for t in range(a, b):
            row = stream.update(X[t])
            np.testing.assert_allclose(filtered[t], row, rtol=1e-12, atol=1e-15)
            past = model.predict_proba(X[a : t + 1])[-1]
            np.testing.assert_allclose(row, past, rtol=1e-10, atol=1e-14)
        assert stream.log_likelihood == pytest.approx(model.score(X[a:b]), rel=1e-12)
        assert stream.n_rows == b - a
        ahead, expected = model.forecast(X[a:b], steps=3)
        np.testing.assert_allclose(ahead[0, 2], stream.forecast(3), rtol=1e-10)
        np.testing.assert_allclose(ahead[0, 0], filtered[b - 1] @ model.transmat_, rtol=1e-10)
        np.testing.assert_allclose(expected[0], ahead[0] @ model._emission_means(), rtol=1e-12)


def test_paths_drawn_from_the_posterior(small_model):
    _, model, draw = small_model
    X = draw(4)
    n = 20_000
    drawn = model.sample_posterior(X, n_samples=n, random_state=3)
    assert drawn.shape == (n, 4)
    L = model._emission(X)[1] if model._emission(None)[0] == "log_density" else None
    if L is None:
        emission = model._emission(None)
        data = X[:, 0].astype(int) if emission[0] == "categorical" else X
        L = oracle.log_densities(emission, data)
    total, _, _, ranked = oracle.enumerate_all(L, model.startprob_, model.transmat_)
    codes = drawn @ (3 ** np.arange(4))
    for path, value in ranked[:10]:
        p = np.exp(value - total)
        share = (codes == np.array(path) @ (3 ** np.arange(4))).mean()
        assert abs(share - p) < 5 * np.sqrt(p * (1 - p) / n) + 1e-12
    np.testing.assert_array_equal(drawn, model.sample_posterior(X, n_samples=n, random_state=3))


def test_forbidden_transitions_are_not_used(small_model):
    _, model, draw = small_model
    mask = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 1]], dtype=bool)
    trans = np.where(mask, np.asarray(model.transmat_), 0.0)
    model.transmat_ = trans / trans.sum(axis=1, keepdims=True)
    X = draw(10)
    found = brute(model, X)
    assert model.score(X, LENGTHS) == pytest.approx(sum(r[0] for r in found), rel=1e-12)
    paths = model.sample_posterior(X, LENGTHS, n_samples=200, random_state=0)
    for a, b in ((0, 5), (6, 10)):
        steps = paths[:, a:b]
        assert mask[steps[:, :-1], steps[:, 1:]].all()
    path = model.decode(X, LENGTHS)[1]
    assert path.tolist() == [state for r in found for state in r[3][0][0]]


def test_the_oracle_agrees_with_enumeration(small_model):
    """Guards the twin itself: recursions against the sum over paths, for the statistics of an E-step."""
    name, model, draw = small_model
    if name == "mixed":
        pytest.skip("its densities are not the oracle's")
    X = draw(10)
    emission = model._emission(None)
    data = X[:, 0].astype(np.int64) if name == "categorical" else X
    offsets = np.cumsum([0, *LENGTHS])
    weights = np.array([1.0, 0.5, 2.0])
    stats = oracle.estep(emission, data, offsets, model.startprob_, model.transmat_, weights)
    found = brute(model, X)
    assert stats["log_likelihood"] == pytest.approx(sum(w * r[0] for w, r in zip(weights, found)), rel=1e-12)
    np.testing.assert_allclose(stats["start"], sum(w * r[1][0] for w, r in zip(weights, found)), rtol=1e-10)
    np.testing.assert_allclose(
        stats["trans"], sum(w * r[2].sum(axis=0) for w, r in zip(weights, found)), rtol=1e-10, atol=1e-14
    )
    L = oracle.log_densities(emission, data)
    assert logsumexp(oracle.log_forward(L[:5], model.startprob_, model.transmat_)[-1]) == pytest.approx(
        found[0][0], rel=1e-12
    )
