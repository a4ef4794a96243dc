"""Worked numbers of chapter 15 (hidden Markov models), by requirement id."""

import itertools

import numpy as np
import pytest

from mlcore import hmm
from mlcore.metrics import align_labels

# 15.08, the toy of figures 3 to 5
START = np.array([0.5, 0.3, 0.2])
TRANS = np.array([[0.7, 0.2, 0.1], [0.15, 0.65, 0.2], [0.2, 0.25, 0.55]])
EMIT = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.3, 0.6]])
SEEN = np.array([0, 1, 2, 1, 0])
FRAMES = EMIT[:, SEEN].T


def toy(**more):
    model = hmm.CategoricalHMM(3, **more)
    model.startprob_, model.transmat_, model.emissionprob_ = START, TRANS, EMIT
    return model


def test_15_01_rows_add_up_to_one_with_many_sequences():
    X = toy().sample(300, random_state=0)[0]
    model = hmm.CategoricalHMM(3, random_state=0).fit(X, lengths=[100, 150, 50])
    np.testing.assert_allclose(model.transmat_.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(model.emissionprob_.sum(axis=1), 1, rtol=1e-12)
    assert model.startprob_.sum() == pytest.approx(1, rel=1e-12)


def test_15_02_15_08_forward():
    result = hmm.forward(START, TRANS, FRAMES, scaled=False)
    expected = [
        (0.3, 0.06, 0.02),
        (0.0669, 0.052, 0.0159),
        (0.005781, 0.0153465, 0.015501),
        (0.00283466, 0.00750334, 0.00365188),
        (0.00230408, 0.00127141, 0.00037927),
    ]
    np.testing.assert_allclose(result.alpha, expected, atol=5e-9, rtol=0)
    assert np.exp(result.log_likelihood) == pytest.approx(0.0039547665, abs=5e-11)
    assert result.log_likelihood == pytest.approx(-5.5328337, abs=5e-8)
    assert toy().score(SEEN[:, None]) == pytest.approx(-5.5328337, abs=5e-8)
    scaled = hmm.forward(START, TRANS, FRAMES)
    assert scaled.log_likelihood == pytest.approx(result.log_likelihood, rel=1e-13)
    np.testing.assert_allclose(scaled.alpha * np.cumprod(scaled.scale)[:, None], result.alpha, rtol=1e-12)


def test_15_03_15_08_backward():
    result = hmm.backward(START, TRANS, FRAMES, scaled=False)
    np.testing.assert_allclose(result.beta[0], (0.009333, 0.01500694, 0.01272251), atol=5e-7, rtol=0)
    np.testing.assert_allclose(result.beta[3], (0.47, 0.24, 0.225), rtol=1e-12)
    assert (result.beta[4] == 1).all()
    total = (START * FRAMES[0] * result.beta[0]).sum()
    forward = hmm.forward(START, TRANS, FRAMES, scaled=False).alpha[-1].sum()
    assert total == pytest.approx(forward, rel=1e-13)
    assert result.log_likelihood == pytest.approx(np.log(forward), rel=1e-13)
    scaled = hmm.backward(START, TRANS, FRAMES)
    later = np.cumprod(scaled.scale[::-1])[::-1]
    np.testing.assert_allclose(scaled.beta[:-1] * later[1:, None], result.beta[:-1], rtol=1e-12)


def test_15_04_15_08_smoothing():
    gamma = toy().predict_proba(SEEN[:, None])
    np.testing.assert_allclose(gamma[0], (0.70798, 0.22768, 0.06434), atol=5e-6, rtol=0)
    np.testing.assert_allclose(gamma[2], (0.18923, 0.43714, 0.37363), atol=5e-6, rtol=0)
    result = hmm.posteriors(START, TRANS, FRAMES)
    np.testing.assert_allclose(result.gamma, gamma, rtol=1e-12)
    np.testing.assert_allclose(result.gamma.sum(axis=1), 1, rtol=1e-13)
    np.testing.assert_allclose(result.xi.sum(axis=2), gamma[:-1], rtol=1e-12)
    np.testing.assert_allclose(result.xi.sum(axis=1), gamma[1:], rtol=1e-12)


def test_15_05_filtering_and_prediction():
    alpha = hmm.forward(START, TRANS, FRAMES).alpha
    np.testing.assert_allclose(toy().filter(SEEN[:, None]), alpha, rtol=1e-12)
    stream = toy().stream()
    for t, symbol in enumerate(SEEN):
        np.testing.assert_allclose(stream.update([symbol]), alpha[t], rtol=1e-12)
    np.testing.assert_allclose(stream.forecast(), alpha[-1] @ TRANS, rtol=1e-12)


def test_15_06_15_08_viterbi():
    log_prob, path = toy().decode(SEEN[:, None])
    assert path.tolist() == [0, 0, 0, 0, 0]
    assert np.exp(log_prob) == pytest.approx(3.88962e-4, abs=5e-10)
    assert log_prob == pytest.approx(-7.852029, abs=5e-7)
    assert toy().decode(SEEN[:, None], algorithm="map")[1].tolist() == [0, 1, 1, 1, 0]
    result = hmm.viterbi(START, TRANS, FRAMES)
    assert result.path.tolist() == path.tolist()
    assert result.log_prob == pytest.approx(log_prob, rel=1e-13)
    assert result.delta.shape == result.backpointers.shape == (5, 3)
    every = max(
        START[p[0]] * np.prod(TRANS[list(p[:-1]), list(p[1:])]) * np.prod(FRAMES[np.arange(5), list(p)])
        for p in itertools.product(range(3), repeat=5)
    )
    assert np.exp(log_prob) == pytest.approx(every, rel=1e-12)


def test_15_07_baum_welch_is_monotone_with_restarts_and_smoothing():
    X = toy().sample(400, random_state=1)[0]
    one = hmm.CategoricalHMM(3, n_iter=40, tol=0, random_state=0).fit(X)
    assert np.diff(one.monitor_.history).min() > -1e-9
    many = hmm.CategoricalHMM(3, n_iter=40, tol=0, random_state=0, n_init=5).fit(X)
    assert many.lower_bound_ >= one.lower_bound_
    smoothed = hmm.CategoricalHMM(3, random_state=0, n_features=4, emissionprob_prior=1.5).fit(X)
    assert (smoothed.emissionprob_[:, 3] > 0).all()


def test_15_09_one_baum_welch_step():
    model = toy(n_iter=2, tol=-1.0, init_params="")
    first = hmm.CategoricalHMM(3, n_iter=1, init_params="")
    first.startprob_, first.transmat_, first.emissionprob_ = START, TRANS, EMIT
    first.fit(SEEN[:, None])
    np.testing.assert_allclose(first.startprob_, hmm.posteriors(START, TRANS, FRAMES).gamma[0], rtol=1e-12)
    np.testing.assert_allclose(
        first.transmat_,
        [(0.58915, 0.27916, 0.13169), (0.18491, 0.63879, 0.17630), (0.29181, 0.26950, 0.43869)],
        atol=5e-6,
        rtol=0,
    )
    np.testing.assert_allclose(
        first.emissionprob_,
        [(0.59172, 0.32152, 0.08676), (0.28806, 0.48264, 0.22930), (0.17561, 0.41493, 0.40946)],
        atol=5e-6,
        rtol=0,
    )
    model.fit(SEEN[:, None])
    np.testing.assert_allclose(model.monitor_.history, (-5.532834, -5.118173), atol=5e-7, rtol=0)


def test_15_10_stationary_distribution_of_the_weather():
    weather = [[0.7, 0.1, 0.2], [0.3, 0.5, 0.2], [0.3, 0.3, 0.4]]
    np.testing.assert_allclose(hmm.stationary_distribution(weather), (0.5, 0.25, 0.25), rtol=1e-12)


def test_15_11_parts_of_speech():
    model = hmm.CategoricalHMM(4)
    model.startprob_ = [0.55, 0.05, 0.10, 0.30]
    model.transmat_ = [
        [0.05, 0.7, 0.05, 0.2],
        [0.1, 0.05, 0.3, 0.55],
        [0.02, 0.05, 0.13, 0.8],
        [0.05, 0.4, 0.05, 0.5],
    ]
    model.emissionprob_ = [
        [0.95, 0.01, 0.01, 0.02, 0.01],
        [0.01, 0.85, 0.02, 0.05, 0.07],
        [0.01, 0.02, 0.85, 0.07, 0.05],
        [0.01, 0.05, 0.10, 0.42, 0.42],
    ]
    words = np.arange(5)[:, None]
    log_prob, path = model.decode(words)
    assert path.tolist() == [0, 1, 2, 3, 3]
    assert np.exp(log_prob) == pytest.approx(0.00559374, abs=5e-9)
    assert log_prob == pytest.approx(-5.186108, abs=5e-7)
    assert np.exp(model.score(words)) == pytest.approx(0.00779978, abs=5e-9)


def test_15_12_figure_of_baum_welch():
    def rows(*shape):
        drawn = rng.random(shape) + 0.1
        return drawn / drawn.sum(axis=-1, keepdims=True)

    rng = np.random.default_rng(2026)
    truth = hmm.CategoricalHMM(3)
    truth.startprob_ = np.array([0.5, 0.3, 0.2])
    truth.transmat_ = np.array([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2], [0.2, 0.2, 0.6]])
    truth.emissionprob_ = np.array([[0.5, 0.2, 0.2, 0.1], [0.1, 0.5, 0.3, 0.1], [0.1, 0.2, 0.3, 0.4]])
    state = rng.choice(3, p=truth.startprob_)
    symbols = [rng.choice(4, p=truth.emissionprob_[state])]
    for _ in range(399):
        state = rng.choice(3, p=truth.transmat_[state])
        symbols.append(rng.choice(4, p=truth.emissionprob_[state]))
    assert symbols[:10] == [1, 0, 2, 1, 1, 3, 3, 3, 2, 1]
    X = np.array(symbols)[:, None]
    assert truth.score(X) == pytest.approx(-544.6141, abs=5e-5)
    model = hmm.CategoricalHMM(3, n_iter=40, tol=-np.inf, init_params="")
    model.startprob_, model.transmat_, model.emissionprob_ = rows(3), rows(3, 3), rows(3, 4)
    history = np.array(model.fit(X).monitor_.history)
    expected = {1: -616.1663, 2: -546.7502, 10: -546.3815, 40: -539.2147}
    for iteration, value in expected.items():
        assert history[iteration - 1] == pytest.approx(value, abs=5e-5), iteration


def test_15_13_exercise():
    alpha = hmm.forward([0.6, 0.4], [[0.5, 0.5], [0.5, 0.5]], [[0.5, 0.4]], scaled=False).alpha
    np.testing.assert_allclose(alpha[0], (0.30, 0.16), rtol=1e-14)


def test_15_15_no_underflow():
    T = 100_000
    model = hmm.CategoricalHMM(2)
    model.startprob_, model.transmat_ = [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]
    model.emissionprob_ = np.full((2, 10), 0.1)
    X = np.arange(T)[:, None] % 10
    assert model.score(X) == pytest.approx(T * np.log(0.1), rel=1e-11)
    frames = np.full((200, 2), 0.1)
    assert hmm.forward([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], frames).log_likelihood == pytest.approx(
        200 * np.log(0.1), rel=1e-12
    )
    # 0.1^400 is below the least positive double
    with pytest.raises(ValueError, match="underflows"):
        hmm.forward([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], np.full((400, 2), 0.1), scaled=False)


@pytest.mark.parametrize("kind", ["full", "diag", "spherical", "tied"])
def test_15_16_one_state_is_the_gaussian_mle(kind):
    X = np.random.default_rng(0).normal(size=(50, 3)) @ np.diag([1.0, 2.0, 0.5]) + [1, 2, 3]
    model = hmm.GaussianHMM(1, kind, covars_prior=0.0, covars_weight=0.0, random_state=0).fit(X)
    np.testing.assert_allclose(model.means_[0], X.mean(axis=0), rtol=1e-12)
    S = np.cov(X.T, ddof=0)
    expected = {
        "full": S,
        "tied": S,
        "diag": np.diag(np.diag(S)),
        "spherical": np.trace(S) / 3 * np.eye(3),
    }[kind]
    np.testing.assert_allclose(model.covars_[0], expected, rtol=1e-10, atol=1e-12)


def test_15_17_beam():
    X = toy().sample(60, random_state=2)[0]
    exact, path = toy().decode(X)
    full, same = toy().decode(X, algorithm="beam", beam_width=3)
    assert full == pytest.approx(exact, rel=1e-14)
    np.testing.assert_array_equal(path, same)
    assert toy().decode(X, algorithm="beam", beam_width=1)[0] <= exact


def test_15_18_supervised_is_counting():
    X, states = toy().sample(500, random_state=3)
    model = hmm.CategoricalHMM(3).fit_supervised(X, states, lengths=[200, 300])
    counts = np.zeros((3, 3))
    for t in [*range(199), *range(200, 499)]:
        counts[states[t], states[t + 1]] += 1
    np.testing.assert_allclose(model.transmat_, counts / counts.sum(axis=1, keepdims=True), rtol=1e-12)
    start = np.bincount(states[[0, 200]], minlength=3) / 2
    np.testing.assert_allclose(model.startprob_, start, rtol=1e-12)
    emitted = np.zeros((3, 3))
    np.add.at(emitted, (states, X[:, 0]), 1)
    np.testing.assert_allclose(model.emissionprob_, emitted / emitted.sum(axis=1, keepdims=True), rtol=1e-12)
    smoothed = hmm.CategoricalHMM(3, transmat_prior=2.0).fit_supervised(X, states, lengths=[200, 300])
    np.testing.assert_allclose(
        smoothed.transmat_, (counts + 1) / (counts + 1).sum(axis=1, keepdims=True), rtol=1e-12
    )


def test_15_19_number_of_states_by_aic_and_bic():
    truth = hmm.GaussianHMM(3)
    truth.startprob_, truth.transmat_ = START, TRANS
    truth.means_, truth.covars_ = [[0.0], [4.0], [9.0]], [[1.0], [1.0], [1.0]]
    X, _ = truth.sample(1500, random_state=4)
    models = [hmm.GaussianHMM(k, n_iter=100, n_init=3, random_state=0).fit(X) for k in (1, 2, 3, 4)]
    assert int(np.argmin([model.bic(X) for model in models])) == 2
    # -2 log L + p log n with p = 2 + 6 + 3 + 3 for K = 3
    assert models[2].bic(X) == pytest.approx(-2 * models[2].score(X) + 14 * np.log(1500), rel=1e-12)
    assert models[2].aic(X) == pytest.approx(-2 * models[2].score(X) + 28, rel=1e-12)
    assert models[2].aic(X) < min(models[0].aic(X), models[1].aic(X))


def test_15_20_label_switching_and_alignment():
    truth = hmm.GaussianHMM(3)
    truth.startprob_, truth.transmat_ = START, TRANS
    truth.means_, truth.covars_ = [[0.0], [6.0], [12.0]], [[1.0], [1.0], [1.0]]
    X, states = truth.sample(600, random_state=5)
    model = hmm.GaussianHMM(3, random_state=1, n_iter=50, n_init=5).fit(X)
    aligned = align_labels(states, model.predict(X))
    assert (aligned == states).mean() > 0.97
    ordered = hmm.GaussianHMM(3, random_state=1, n_iter=50, n_init=5, state_order="mean").fit(X)
    assert (ordered.predict(X) == states).mean() > 0.97


def test_15_21_left_right_topology():
    mask = np.triu(np.ones((4, 4), dtype=bool)) & ~np.triu(np.ones((4, 4), dtype=bool), 2)
    rng = np.random.default_rng(6)
    one = np.repeat([0.0, 4.0, 8.0, 12.0], 15)
    X = np.concatenate([one + 0.5 * rng.normal(size=60) for _ in range(5)])[:, None]
    model = hmm.GaussianHMM(4, transmat_mask=mask, n_iter=30, random_state=0).fit(X, [60] * 5)
    assert (model.transmat_[~mask] == 0).all()
    np.testing.assert_allclose(model.transmat_.sum(axis=1), 1, rtol=1e-12)


def test_15_22_sum_product_against_max_product():
    """The best path is part of the sum, and with one state both are the same."""
    assert hmm.viterbi(START, TRANS, FRAMES).log_prob <= hmm.forward(START, TRANS, FRAMES).log_likelihood
    single = FRAMES[:, :1]
    assert hmm.viterbi([1.0], [[1.0]], single).log_prob == pytest.approx(
        hmm.forward([1.0], [[1.0]], single).log_likelihood, rel=1e-13
    )


def test_15_24_trellis_for_the_figures():
    forward, backward = hmm.forward(START, TRANS, FRAMES), hmm.backward(START, TRANS, FRAMES)
    np.testing.assert_allclose(
        forward.alpha * backward.beta, hmm.posteriors(START, TRANS, FRAMES).gamma, rtol=1e-12
    )
    best = hmm.viterbi(START, TRANS, FRAMES)
    path = [int(best.delta[-1].argmax())]
    for t in range(4, 0, -1):
        path.append(int(best.backpointers[t, path[-1]]))
    assert path[::-1] == best.path.tolist()
