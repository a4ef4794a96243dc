"""The families of a column against SciPy, and the durations of the semi-Markov model against enumeration."""

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from mlcore import hmm
from mlcore.hmm._families import FAMILIES

CASES = {
    "gaussian": (
        {"mean": [1.0, -2.0], "variance": [2.0, 0.3]},
        [stats.norm(1, 2**0.5), stats.norm(-2, 0.3**0.5)],
    ),
    "student_t": (
        {"location": [1.0, 0.0], "scale": [4.0, 1.0], "dof": [3.0, 8.0]},
        [stats.t(3, 1, 2), stats.t(8, 0, 1)],
    ),
    "gamma": (
        {"shape": [2.0, 0.7], "scale": [1.5, 3.0]},
        [stats.gamma(2, scale=1.5), stats.gamma(0.7, scale=3)],
    ),
    "poisson": ({"rate": [3.0, 0.5]}, [stats.poisson(3), stats.poisson(0.5)]),
    "negative_binomial": (
        {"mean": [4.0, 1.0], "size": [2.0, 0.5]},
        [stats.nbinom(2, 2 / 6), stats.nbinom(0.5, 0.5 / 1.5)],
    ),
}


def sample_of(name, n=4000):
    parameters = {key: np.array(value[:1]) for key, value in CASES[name][0].items()}
    parameters["floor"] = np.array([1e-12])
    return FAMILIES[name].draw(parameters, np.zeros(n, dtype=int), np.random.default_rng(1))


@pytest.mark.parametrize("name", CASES)
def test_densities_means_and_draws(name):
    parameters, frozen = CASES[name]
    parameters = {key: np.array(value) for key, value in parameters.items()}
    family = FAMILIES[name]
    x = np.array([1.0, 2.0, 7.0]) if name in ("poisson", "negative_binomial") else np.array([0.3, 1.7, 5.0])
    found = family.log_density(x, parameters)
    for k, distribution in enumerate(frozen):
        log = distribution.logpmf(x) if hasattr(distribution.dist, "pmf") else distribution.logpdf(x)
        np.testing.assert_allclose(found[:, k], log, rtol=1e-10)
        assert family.means(parameters)[k] == pytest.approx(distribution.mean(), rel=1e-12, abs=1e-12)
    drawn = sample_of(name)
    assert drawn.mean() == pytest.approx(frozen[0].mean(), abs=4 * frozen[0].std() / 60)


@pytest.mark.parametrize("name", CASES)
def test_updates_find_the_parameters(name):
    family = FAMILIES[name]
    x = sample_of(name)
    parameters = family.start(x, 1)
    weights = np.ones((len(x), 1))
    for _ in range(60):
        parameters = family.update(x, weights, parameters)
    for key, value in CASES[name][0].items():
        assert parameters[key][0] == pytest.approx(value[0], rel=0.2), key
    # a maximum: no small change of a parameter is better
    best = family.log_density(x, parameters).sum()
    for key in CASES[name][0]:
        for factor in (0.99, 1.01):
            moved = parameters | {key: parameters[key] * factor}
            assert family.log_density(x, moved).sum() < best + 1e-6


def test_zero_inflated_poisson():
    p = {"zero_weight": np.array([0.3]), "rate": np.array([2.0])}
    family = FAMILIES["zero_inflated_poisson"]
    expected = [0.3 + 0.7 * np.exp(-2), *(0.7 * stats.poisson(2).pmf([1, 2, 5]))]
    np.testing.assert_allclose(
        np.exp(family.log_density(np.array([0.0, 1, 2, 5]), p))[:, 0], expected, rtol=1e-12
    )
    x = family.draw(p, np.zeros(5000, dtype=int), np.random.default_rng(0))
    fitted = family.start(x, 1)
    for _ in range(50):
        fitted = family.update(x, np.ones((len(x), 1)), fitted)
    assert fitted["zero_weight"][0] == pytest.approx(0.3, abs=0.03)
    assert fitted["rate"][0] == pytest.approx(2.0, abs=0.1)


def test_columns_refuse_what_their_family_cannot_emit():
    X = np.array([[-1.0], [2.0], [0.5], [1.0]])
    for family in ("poisson", "negative_binomial", "zero_inflated_poisson", "categorical"):
        with pytest.raises(ValueError, match="whole numbers"):
            hmm.MixedHMM(2, families=family).fit(X)
    with pytest.raises(ValueError, match="positive"):
        hmm.MixedHMM(2, families="gamma").fit(X)
    with pytest.raises(ValueError, match="families may hold"):
        hmm.MixedHMM(2, families="weibull").fit(X)
    with pytest.raises(ValueError, match="2 families, but X has 1 columns"):
        hmm.MixedHMM(2, families=["gaussian", "poisson"]).fit(X)


# -- durations


@pytest.fixture
def semi():
    model = hmm.HSMM(2, families="gaussian", max_duration=3)
    model.startprob_, model.transmat_ = np.array([0.7, 0.3]), np.array([[0.0, 1.0], [1.0, 0.0]])
    model.durations_ = np.array([[0.2, 0.45, 0.35], [0.6, 0.1, 0.3]])
    model.emissions_ = [{"mean": np.array([0.0, 2.0]), "variance": np.array([1.0, 0.5])}]
    return model


def segmentations(model, X):
    """(states, log joint probability) of every way to cut X into segments; the last may be cut off."""
    n, K, D = len(X), model.n_components, model.max_duration
    L = model._log_densities(X)

    def grow(t, states, log_prob):
        if t >= n:
            yield tuple(states), log_prob
            return
        for k, d in itertools.product(range(K), range(1, D + 1)):
            step = model.startprob_[k] if t == 0 else model.transmat_[states[-1], k]
            p = step * model.durations_[k, d - 1]
            if p > 0:
                rows = range(t, min(t + d, n))
                yield from grow(t + d, [*states, *[k] * len(rows)], log_prob + np.log(p) + L[rows, k].sum())

    return list(grow(0, [], 0.0))


def test_durations_against_enumeration(semi):
    X = np.array([[0.1], [1.9], [2.2], [-0.3], [0.4], [np.nan]])
    found = segmentations(semi, X)
    total = logsumexp([value for _, value in found])
    log_prob, gamma = semi.score_samples(X)
    assert log_prob == pytest.approx(total, rel=1e-12)
    expected = np.zeros((len(X), 2))
    for states, value in found:
        expected[np.arange(len(X)), list(states)] += np.exp(value - total)
    np.testing.assert_allclose(gamma, expected, rtol=1e-10)
    best, path = semi.decode(X)
    states, value = max(found, key=lambda item: item[1])
    assert best == pytest.approx(value, rel=1e-12)
    assert path.tolist() == list(states)
    np.testing.assert_allclose(semi.filter(X)[-1], gamma[-1], rtol=1e-10)
    known = np.array([-1, 1, -1, -1, 0, -1])
    kept = [v for s, v in found if s[1] == 1 and s[4] == 0]
    assert semi.decode(X, constraints=known)[0] == pytest.approx(max(kept), rel=1e-12)


def joint(semi, X):
    """State path -> log joint probability of its best segmentation, the likeliest path first."""
    best = {}
    for states, value in segmentations(semi, X):
        best[states] = max(value, best.get(states, -np.inf))
    return sorted(best.items(), key=lambda item: -item[1])


def test_best_paths_of_states_with_durations(semi):
    """Paths that differ only in how long the last segment would have gone on are one."""
    X = np.array([[0.1], [1.9], [2.2], [-0.3], [0.4], [np.nan]])
    ranked = joint(semi, X)
    values, paths = semi.decode(X, n_best=8)
    np.testing.assert_allclose(values[0], [value for _, value in ranked[:8]], rtol=1e-12)
    assert [tuple(path) for path in paths] == [states for states, _ in ranked[:8]]
    values, paths = semi.decode(X, n_best=len(ranked) + 3)
    assert np.isfinite(values[0]).sum() == len(ranked)
    assert len({tuple(path) for path in paths[: len(ranked)]}) == len(ranked)
    assert (paths[len(ranked) :] == -1).all()
    _, two = semi.decode(np.r_[X, X[:4]], [6, 4], n_best=3)
    assert [tuple(path[6:]) for path in two] == [states for states, _ in joint(semi, X[:4])[:3]]
    wide = semi.n_components * semi.max_duration
    beam, path = semi.decode(X, algorithm="beam", beam_width=wide)
    assert beam == pytest.approx(ranked[0][1], rel=1e-12)
    assert tuple(path) == ranked[0][0]
    narrow, _ = semi.decode(X, algorithm="beam", beam_width=1)
    assert narrow <= beam


def test_filtering_forecasts_and_draws_with_durations(semi):
    X = np.array([[0.1], [1.9], [2.2], [-0.3], [0.4], [np.nan]])
    filtered, stream = semi.filter(X), semi.stream()
    for t in range(len(X)):
        found = segmentations(semi, X[: t + 1])
        total = logsumexp([value for _, value in found])
        share = sum(np.exp(value - total) for states, value in found if states[-1] == 1)
        assert filtered[t, 1] == pytest.approx(share, rel=1e-10)
        np.testing.assert_allclose(stream.update(X[t]), filtered[t], rtol=1e-10)
    assert stream.log_likelihood == pytest.approx(total, rel=1e-12)
    # A row without a value says nothing: what is to come is the posterior of such rows.
    ahead, expected = semi.forecast(X, steps=2)
    to_come = semi.predict_proba(np.r_[X, [[np.nan], [np.nan]]])[-2:]
    np.testing.assert_allclose(ahead[0], to_come, rtol=1e-10)
    np.testing.assert_allclose(expected[0, :, 0], ahead[0] @ [0.0, 2.0], rtol=1e-10)
    n = 20_000
    drawn = semi.sample_posterior(X[:4], n_samples=n, random_state=5)
    found = segmentations(semi, X[:4])
    total = logsumexp([value for _, value in found])
    codes, counted = drawn @ (2 ** np.arange(4)), 0.0
    for code in range(16):
        p = sum(np.exp(v - total) for s, v in found if np.array(s) @ (2 ** np.arange(4)) == code)
        share = (codes == code).mean()
        assert abs(share - p) < 5 * np.sqrt(p * (1 - p) / n) + 1e-12
        counted += share
    assert counted == pytest.approx(1.0)


def test_durations_are_recovered(semi):
    X, states = semi.sample(3000, random_state=0)
    edges = np.flatnonzero(np.diff(states)) + 1
    assert np.diff(edges).max() <= 3
    fitted = hmm.HSMM(2, max_duration=3, n_iter=60, n_init=2, random_state=0, state_order="mean").fit(X)
    np.testing.assert_allclose(fitted.durations_, semi.durations_, atol=0.08)
    np.testing.assert_allclose(fitted.transmat_, semi.transmat_, atol=1e-12)
    counted = hmm.HSMM(2, max_duration=3).fit_supervised(X, states)
    np.testing.assert_allclose(counted.durations_, semi.durations_, atol=0.05)


def test_poisson_durations():
    truth = hmm.HSMM(2, max_duration=12, duration="poisson")
    truth.startprob_, truth.transmat_ = [1.0, 0.0], [[0.0, 1.0], [1.0, 0.0]]
    truth.emissions_ = [{"mean": np.array([0.0, 4.0]), "variance": np.ones(2)}]
    shares = stats.poisson([[1.5], [5.0]]).pmf(np.arange(12))
    truth.durations_ = shares / shares.sum(axis=1, keepdims=True)
    X, _ = truth.sample(2000, random_state=1)
    fitted = hmm.HSMM(
        2, max_duration=12, duration="poisson", n_iter=30, random_state=0, state_order="mean"
    ).fit(X)
    np.testing.assert_allclose(fitted.durations_, truth.durations_, atol=0.04)
