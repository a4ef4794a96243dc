"""warm_start along C and gamma, max_time."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning

from mlcore.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM


def problem(rows=300, classes=2, seed=0):
    X, y = make_classification(
        rows, 6, n_informative=4, n_redundant=0, n_classes=classes, flip_y=0.1, random_state=seed
    )
    return X, y


def targets(X):
    return np.sin(X[:, 0]) + 0.2 * np.random.default_rng(1).normal(size=len(X))


def answers(model, X):
    method = model.decision_function if hasattr(model, "decision_function") else model.predict
    return method(X)


# Parameters a step apart, as in a path: over a factor of ten the last digits of the multipliers cost what
# they cost, and a start saves little.
CHAINS = [
    (SVC(gamma=0.3), "C", [1.0, 1.05, 1.1, 1.15, 1.2]),
    (SVC(gamma=0.3), "C", [1.2, 1.15, 1.1, 1.05, 1.0]),
    (SVC(gamma=2.0), "C", [1, 3, 10, 30, 100]),  # beyond the largest multiplier
    (SVC(C=3), "gamma", [0.1, 0.102, 0.104, 0.106]),
    (SVC(kernel="linear"), "C", [1, 1.05, 1.1]),
    (SVR(gamma=0.3), "C", [1.0, 1.05, 1.1, 1.15]),
    (SVR(), "epsilon", [0.1, 0.102, 0.104, 0.106]),
    (NuSVC(gamma=0.3), "nu", [0.5, 0.49, 0.48, 0.47]),
    (NuSVR(gamma=0.3, C=0.5), "C", [0.5, 0.52, 0.54]),
    (OneClassSVM(gamma=0.3), "nu", [0.2, 0.21, 0.22, 0.2]),
]


@pytest.mark.parametrize(
    ("model", "name", "values"), CHAINS, ids=[f"{type(m).__name__}-{n}-{v[0]}" for m, n, v in CHAINS]
)
def test_a_chain_of_warm_starts_finds_the_same_solutions_in_fewer_steps(model, name, values):
    X, y = problem()
    y = y if isinstance(model, SVC | NuSVC) else targets(X)
    warm = clone(model).set_params(warm_start=True)
    exact = clone(model).set_params(warm_start=True, tol=1e-6)
    steps, cold_steps = [], []
    for value in values:
        steps.append(np.sum(warm.set_params(**{name: value}).fit(X, y).n_iter_))
        cold_steps.append(np.sum(clone(model).set_params(**{name: value}).fit(X, y).n_iter_))
        exact.set_params(**{name: value}).fit(X, y)
        cold = clone(exact).set_params(warm_start=False).fit(X, y)
        np.testing.assert_allclose(answers(exact, X), answers(cold, X), atol=3e-5)
        assert np.max(exact.kkt_violation_) < exact.tol
        total = np.sum(cold.dual_coef_)
        assert abs(np.sum(exact.dual_coef_) - total) < 1e-6 * (1 + abs(total))
    assert steps[0] == cold_steps[0]
    assert sum(steps[1:]) < 0.7 * sum(cold_steps[1:])


def test_several_classes_dense_and_sparse():
    X, y = problem(classes=3)
    for data in (X, sp.csr_array(X)):
        model = SVC(C=1, gamma=0.3, warm_start=True).fit(data, y)
        model.set_params(C=1.05).fit(data, y)
        cold = SVC(C=1.05, gamma=0.3).fit(data, y)
        assert model.n_iter_.sum() < 0.6 * cold.n_iter_.sum()
        model.set_params(C=2.0, tol=1e-6).fit(data, y)
        cold = SVC(C=2.0, gamma=0.3, tol=1e-6).fit(data, y)
        np.testing.assert_allclose(model.decision_function(data), cold.decision_function(data), atol=1e-5)


def test_the_blocked_solver_starts_warm():
    X, y = problem(6000)
    model = SVC(C=1, gamma=0.1, warm_start=True).fit(X, y)
    assert model.set_params(C=1.1).fit(X, y).n_iter_ < 0.7 * SVC(C=1.1, gamma=0.1).fit(X, y).n_iter_
    np.testing.assert_allclose(
        model.decision_function(X), SVC(C=1.1, gamma=0.1).fit(X, y).decision_function(X), atol=5e-3
    )


def test_a_second_fit_of_the_same_has_nothing_to_do():
    X, y = problem()
    model = SVC(gamma=0.3, warm_start=True).fit(X, y)
    decisions = model.decision_function(X)
    model.fit(X, y)
    assert model.n_iter_ <= 5  # the multiple of the start moves the last digits
    np.testing.assert_allclose(model.decision_function(X), decisions, atol=2e-3)


def test_starts_that_do_not_belong_to_the_data_do_no_harm():
    X, y = problem()
    model = SVC(gamma=0.3, tol=1e-6, warm_start=True).fit(X, y)
    for data, labels in (
        (X, 1 - y),  # every multiplier has the wrong sign
        (X[:100], y[:100]),
        (X[::-1], y),
        load_iris(return_X_y=True),
        (X, y),
    ):
        model.fit(data, labels)
        cold = SVC(gamma=0.3, tol=1e-6).fit(data, labels)
        np.testing.assert_allclose(model.decision_function(data), cold.decision_function(data), atol=1e-4)


def test_weights_may_change():
    X, y = problem()
    model = SVC(gamma=0.3, tol=1e-6, warm_start=True).fit(X, y)
    weights = np.random.default_rng(0).choice([0.0, 0.5, 2.0], size=len(y))
    model.fit(X, y, sample_weight=weights)
    cold = SVC(gamma=0.3, tol=1e-6).fit(X, y, sample_weight=weights)
    assert not set(model.support_) & set(np.flatnonzero(weights == 0))
    np.testing.assert_allclose(model.decision_function(X), cold.decision_function(X), atol=1e-5)


def test_hard_margin_after_a_soft_one():
    X = np.array([[1.0, 2], [2, 3], [3, 3], [1, 0], [2, 1], [0, 1]])
    y = np.array([1, 1, 1, 0, 0, 0])
    model = SVC(kernel="linear", C=0.1, tol=1e-9, warm_start=True).fit(X, y)
    model.set_params(C=np.inf).fit(X, y)
    np.testing.assert_allclose(model.coef_, [[0, 2]], atol=1e-6)
    model.set_params(C=0.1).fit(X, y)
    np.testing.assert_allclose(model.coef_, SVC(kernel="linear", C=0.1, tol=1e-9).fit(X, y).coef_, atol=1e-6)


def test_the_same_bits_for_any_number_of_threads():
    X, y = problem(1500, classes=3)
    results = []
    for threads in (1, 2, 7):
        model = SVC(gamma=0.3, warm_start=True, n_jobs=threads).fit(X, y)
        results.append(model.set_params(C=2.0).fit(X, y).dual_coef_)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


# --- max_time -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rows", [2000, 6000])
def test_max_time_ends_a_fit_with_a_warning_and_a_model(rows):
    # About a minute without the limit; the limit has passed at the first look at the clock.
    X = np.random.default_rng(0).normal(size=(rows, 5))
    y = np.random.default_rng(1).integers(0, 2, rows)
    model = SVC(C=1e6, gamma=0.01, tol=1e-10, max_time=1e-6)
    with pytest.warns(ConvergenceWarning, match=r"max_time=1e-06\) at a violation of"):
        model.fit(X, y)
    assert model.fit_status_ == 1
    assert model.kkt_violation_[0] > 1e-10
    assert model.decision_function(X).shape == (rows,)
    regression = SVR(C=1e6, gamma=0.01, tol=1e-10, max_time=1e-6)
    with pytest.warns(ConvergenceWarning, match="max_time"):
        regression.fit(X, y)


def test_a_generous_max_time_changes_nothing():
    X, y = problem()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = SVC(gamma=0.3, max_time=1e6).fit(X, y)
    np.testing.assert_array_equal(model.dual_coef_, SVC(gamma=0.3).fit(X, y).dual_coef_)


@pytest.mark.parametrize("value", [0, -1.0, "1"])
def test_max_time_is_positive(value):
    with pytest.raises(ValueError, match="max_time"):
        SVC(max_time=value).fit(*problem(20))
