"""Margins, single SMO steps, regimes of the multipliers."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from mlcore.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM, RBFKernel, margins, smo_step


def problem(rows, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 3))
    return X, np.where(X[:, 0] + 0.6 * rng.normal(size=rows) > 0, 1, -1)


def dual(alpha, y, K):
    beta = alpha * y
    return alpha.sum() - 0.5 * beta @ K @ beta


# --- margins ------------------------------------------------------------------------------------------------
def test_geometric_margins_do_not_depend_on_the_length_of_w():
    X, y = problem(20)
    w, b = np.array([1.0, -2.0, 0.5]), 0.3
    functional, geometric = margins(w, b, X, y)
    np.testing.assert_allclose(functional, y * (X @ w + b), rtol=1e-15)
    for scale in (7.0, 1e-200, 1e200):
        np.testing.assert_allclose(margins(scale * w, scale * b, X, y).geometric, geometric, rtol=1e-12)


@pytest.mark.parametrize(
    ("w", "y", "message"),
    [([0.0, 0], [1], "must not be zero"), ([1.0, 0], [2], "[+]1 or -1"), ([1.0], [1], "w has 1 entries")],
)
def test_margins_refuse_nonsense(w, y, message):
    with pytest.raises(ValueError, match=message):
        margins(w, 0.0, [[1.0, 2.0]], y)


def test_margins_count_the_labels():
    with pytest.raises(ValueError, match="y has shape"):
        margins([1.0, 0], 0.0, [[1.0, 2.0]], [1, 1])


# --- steps --------------------------------------------------------------------------------------------------
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), C=st.sampled_from([0.1, 1.0, 10.0, np.inf]), copies=st.booleans())
def test_a_step_is_the_best_of_its_line(seed, C, copies):
    X, y = problem(6, seed)
    if copies:
        X[1::2] = X[::2]  # curvature zero between neighbours
    K = RBFKernel(0.5)(X)
    rng = np.random.default_rng(seed)
    alpha = rng.choice([0.0, 0.3, 1.0], size=6) * min(C, 5.0)
    i, j = rng.choice(6, size=2, replace=False)
    step = smo_step(alpha, y, K, C, (i, j))
    others = np.delete(np.arange(6), [i, j])
    assert (step.alpha[others] == alpha[others]).all()
    assert ((step.alpha >= 0) & (step.alpha <= C)).all()
    assert step.alpha @ y == pytest.approx(alpha @ y, abs=1e-12)
    gained = dual(step.alpha, y, K) - dual(alpha, y, K)
    assert gained == pytest.approx(step.gain, abs=1e-9)
    assert gained >= -1e-12
    if np.isinf(C):
        return
    for end in np.linspace(step.low, step.high, 21):
        trial = alpha.copy()
        trial[j] = end
        trial[i] = alpha[i] - y[i] * y[j] * (end - alpha[j])
        assert dual(trial, y, K) <= dual(step.alpha, y, K) + 1e-9


def test_steps_lead_to_the_solution_of_svc():
    X, y = problem(30)
    K = RBFKernel(0.4)(X)
    alpha, objectives = np.zeros(30), []
    for _ in range(5000):
        try:
            step = smo_step(alpha, y, K, 2.0)
        except ValueError:
            break
        alpha = step.alpha
        objectives.append(dual(alpha, y, K))
        if step.gain < 1e-18:
            break
    assert (np.diff(objectives) >= -1e-12).all()
    model = SVC(C=2.0, gamma=0.4, tol=1e-10).fit(X, y)
    expected = np.zeros(30)
    expected[model.support_] = np.abs(model.dual_coef_[0])
    np.testing.assert_allclose(alpha, expected, atol=1e-6)


def test_the_first_pair_is_that_of_svc():
    X, y = problem(40, seed=3)
    step = smo_step(np.zeros(40), -y, RBFKernel(0.4)(X), 1.0)  # LIBSVM's positive class is the first
    with pytest.warns(Warning, match="max_iter=1"):
        model = SVC(gamma=0.4, max_iter=1).fit(X, y)
    assert set(model.support_) == {step.i, step.j}
    np.testing.assert_allclose(np.abs(model.dual_coef_), step.alpha[step.j], rtol=1e-12)


def test_opposite_duplicates_go_to_an_end_point():
    step = smo_step([0.0, 0.0], [1, -1], np.ones((2, 2)), C=3.0, pair=(0, 1))
    assert step.eta == 0
    assert step.unclipped == np.inf
    assert step.alpha.tolist() == [3.0, 3.0]
    assert step.gain == pytest.approx(6.0)


def test_no_step_at_the_solution():
    with pytest.raises(ValueError, match="no pair violates"):
        smo_step([1.0, 1.0], [1, -1], np.eye(2), C=1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": [2.0, 0.0]}, "between 0 and C"),
        ({"alpha": [0.0]}, "shapes"),
        ({"pair": (1, 1)}, "two different rows"),
        ({"pair": (0, 2)}, "two different rows"),
        ({"C": 0.0}, "C must be positive"),
    ],
)
def test_steps_refuse_nonsense(arguments, message):
    good = {"alpha": [0.0, 0.0], "y": [1, -1], "K": np.eye(2), "C": 1.0}
    with pytest.raises(ValueError, match=message):
        smo_step(**(good | arguments))


# --- regimes ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sparse", [False, True])
def test_regimes_of_svc_say_where_the_rows_lie(sparse):
    X, y = problem(80)
    weights = np.random.default_rng(1).uniform(0.2, 2.0, 80)
    model = SVC(C=0.7, gamma=0.3, tol=1e-8).fit(sp.csr_array(X) if sparse else X, y, sample_weight=weights)
    regimes = model.kkt_regimes()
    margin = y * model.decision_function(sp.csr_array(X) if sparse else X)
    assert regimes.shape == (80,)
    assert set(regimes) == {0, 1, 2}
    assert (margin[regimes == 0] >= 1 - 1e-7).all()
    np.testing.assert_allclose(margin[regimes == 1], 1, atol=1e-7)
    assert (margin[regimes == 2] <= 1 + 1e-7).all()
    alpha = np.zeros(80)
    alpha[model.support_] = np.abs(np.asarray(model.dual_coef_.toarray() if sparse else model.dual_coef_)[0])
    np.testing.assert_array_equal(regimes == 2, alpha == 0.7 * weights)


def test_regimes_of_pairs():
    X, y = load_iris(return_X_y=True)
    model = SVC(tol=1e-8).fit(X, y)
    regimes = model.kkt_regimes()
    assert regimes.shape == (3, 150)
    decisions = model.set_params(decision_function_shape="ovo").decision_function(X)
    for p, (a, b) in enumerate([(0, 1), (0, 2), (1, 2)]):
        inside = (y == a) | (y == b)
        margin = np.where(y == a, 1, -1) * decisions[:, p]
        assert (regimes[p, ~inside] == 0).all()
        assert (margin[inside & (regimes[p] == 0)] >= 1 - 1e-6).all()
        np.testing.assert_allclose(margin[regimes[p] == 1], 1, atol=1e-6)
        assert (margin[regimes[p] == 2] <= 1 + 1e-6).all()


def test_regimes_of_nu_svc():
    X, y = problem(80)
    model = NuSVC(nu=0.5, gamma=0.3, tol=1e-8).fit(X, y)
    regimes, margin = model.kkt_regimes(), y * model.decision_function(X)
    assert set(regimes) == {0, 1, 2}
    np.testing.assert_allclose(margin[regimes == 1], 1, atol=1e-6)
    assert (margin[regimes == 2] <= 1 + 1e-6).all()
    assert (margin[regimes == 0] >= 1 - 1e-6).all()


@pytest.mark.parametrize("model", [SVR(C=0.5, epsilon=0.2, tol=1e-8), NuSVR(C=0.5, nu=0.4, tol=1e-8)])
def test_regimes_of_regression(model):
    X, _ = problem(80)
    y = np.sin(X[:, 0]) + 0.3 * np.random.default_rng(2).normal(size=80)
    model.fit(X, y)
    away = np.abs(model.predict(X) - y)
    tube = model.epsilon if isinstance(model, SVR) else model.epsilon_
    regimes = model.kkt_regimes()
    assert set(regimes) == {0, 1, 2}
    assert (away[regimes == 0] <= tube + 1e-6).all()
    np.testing.assert_allclose(away[regimes == 1], tube, atol=1e-6)
    assert (away[regimes == 2] >= tube - 1e-6).all()


def test_regimes_of_the_one_class_machine():
    X, _ = problem(80)
    model = OneClassSVM(nu=0.3, gamma=0.3, tol=1e-9).fit(X)
    regimes, decisions = model.kkt_regimes(), model.decision_function(X)
    assert set(regimes) == {0, 1, 2}
    assert (decisions[regimes == 0] >= -1e-7).all()
    np.testing.assert_allclose(decisions[regimes == 1], 0, atol=1e-7)
    assert (decisions[regimes == 2] <= 1e-7).all()
