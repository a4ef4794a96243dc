"""NuSVC: the optimality conditions, scikit-learn, infeasible nu."""

import numpy as np
import pytest
from sklearn import svm as peer
from svm_oracle import kernel_matrix, violation

from mlcore.svm import SVC, NuSVC


def problem(rows, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 4))
    score = X[:, 0] * X[:, 1] + 0.4 * rng.normal(size=rows)
    return X, np.searchsorted(np.quantile(score, np.arange(1, classes) / classes), score)


@pytest.mark.parametrize("rows", [16, 33, 200, 4500])
@pytest.mark.parametrize("nu", [0.15, 0.5])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_conditions_of_optimality_hold(rows, nu, weighted):
    X, y = problem(rows)
    weights = np.random.default_rng(1).uniform(0.5, 1.5, rows) if weighted else np.ones(rows)
    model = NuSVC(nu=nu, gamma=0.3, tol=1e-4).fit(X, y, weights)
    beta = np.zeros(rows)
    beta[model.support_] = model.dual_coef_[0]
    # The multipliers were divided by rho; their sum is given before, so rho is known.
    rho = nu * weights.sum() / np.abs(beta).sum()
    beta *= rho
    assert beta.sum() == pytest.approx(0, abs=1e-9 * rows)
    assert (np.abs(beta) <= weights * (1 + 1e-12)).all()
    f = kernel_matrix("rbf", X, X, 0.3) @ beta
    zero = np.zeros(rows)
    positive = y == 1
    for of_class, low, high in ((positive, zero, weights), (~positive, -weights, zero)):
        at_high = np.where(beta >= high * (1 - 1e-12), high, beta)  # rounding of the division
        at_low = np.where(beta <= low * (1 - 1e-12), low, at_high)
        assert violation(f[of_class], at_low[of_class], low[of_class], high[of_class]) < 1.2e-4
    # The margin of free support vectors is one, and nu bounds errors and support vectors.
    free = (np.abs(beta) > 1e-9) & (np.abs(beta) < weights * (1 - 1e-9))
    sign = np.where(positive, 1.0, -1.0)
    margins = sign * model.decision_function(X)
    np.testing.assert_allclose(margins[free], 1, atol=2e-4 / rho)
    assert weights[margins < 1 - 2e-4 / rho].sum() <= nu * weights.sum()
    assert weights[model.support_].sum() >= nu * weights.sum() * (1 - 1e-12)


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("kernel", ["rbf", "poly"])
def test_equal_to_scikit_learn(classes, kernel):
    X, y = problem(150, classes)
    arguments = {"nu": 0.4, "kernel": kernel, "gamma": 0.3, "coef0": 1.0, "tol": 1e-6}
    ours, theirs = (c(**arguments).fit(X, y) for c in (NuSVC, peer.NuSVC))
    np.testing.assert_array_equal(ours.support_, theirs.support_)
    np.testing.assert_array_equal(ours.n_support_, theirs.n_support_)
    np.testing.assert_allclose(ours.dual_coef_, theirs.dual_coef_, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-3)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


def test_svc_with_the_same_price_is_the_same_machine():
    """nu-SVC with margin rho is C-SVC with C = 1 / rho."""
    X, y = problem(120)
    nu = NuSVC(nu=0.4, gamma=0.3, tol=1e-9).fit(X, y)
    rho = 0.4 * 120 / np.abs(nu.dual_coef_).sum()
    c = SVC(C=1 / rho, gamma=0.3, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(nu.decision_function(X), c.decision_function(X), atol=1e-6)


def test_class_weight_has_no_effect():
    X, y = problem(80)
    plain, weighted = (NuSVC(class_weight=w).fit(X, y) for w in (None, {0: 7.0}))
    np.testing.assert_array_equal(plain.decision_function(X), weighted.decision_function(X))
    assert weighted.class_weight_.tolist() == [7.0, 1.0]


def test_infeasible_nu():
    X, y = problem(40)
    few = np.where(np.arange(40) < 37, 0, 1)
    with pytest.raises(ValueError, match="specified nu is infeasible"):
        NuSVC(nu=0.5).fit(X, few)
    NuSVC(nu=0.15).fit(X, few)
    weights = np.where(few == 1, 10.0, 1.0)  # 30 of 67
    NuSVC(nu=0.5).fit(X, few, weights)
    with pytest.raises(ValueError, match="specified nu is infeasible"):
        NuSVC().fit(X, y, np.zeros(40))
