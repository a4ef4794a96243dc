"""Shrinking of problems that are solved whole: the same solution, from first principles."""

import numpy as np
import pytest
from svm_oracle import kernel_matrix, violation

from mlcore.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM


def problem(rows=1400, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 4))
    return X, X[:, 0] * X[:, 1] + 0.4 * rng.normal(size=rows)


MACHINES = [
    SVC(C=30.0, gamma=0.2),
    SVR(C=10.0, gamma=0.2, epsilon=0.5),
    NuSVC(nu=0.4, gamma=0.2),
    NuSVR(nu=0.3, C=10.0, gamma=0.2),
    OneClassSVM(nu=0.1, gamma=0.5),
]


def fitted(model, X, score):
    classifier = isinstance(model, SVC | NuSVC)
    return (
        model.fit(X) if isinstance(model, OneClassSVM) else model.fit(X, score > 0 if classifier else score)
    )


@pytest.mark.parametrize("model", MACHINES, ids=lambda model: type(model).__name__)
def test_shrinking_finds_the_same_solution(model):
    X, score = problem()
    answers = []
    for shrinking in (True, False):
        fitted(model.set_params(shrinking=shrinking, tol=1e-9), X, score)
        assert np.max(model.kkt_violation_) < 1e-9
        method = model.decision_function if hasattr(model, "decision_function") else model.predict
        answers.append(method(X))
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-5)  # nu machines divide by a small margin


@pytest.mark.parametrize(("C", "tol"), [(1.0, 1e-8), (1000.0, 1e-3), (1000.0, 1e-8)])
def test_the_violation_that_is_reported_is_that_of_all_rows(C, tol):
    X, score = problem()
    sign = np.where(score > 0, -1.0, 1.0)
    model = SVC(C=C, gamma=0.2, tol=tol).fit(X, score > 0)
    assert model.n_iter_[0] > 1400  # it had occasion to shrink
    beta = np.zeros(len(X))
    beta[model.support_] = -model.dual_coef_[0]
    f = kernel_matrix("rbf", X, X, 0.2) @ beta - sign
    found = violation(f, beta, np.minimum(0, sign * C), np.maximum(0, sign * C))
    assert found < 1.001 * tol
    assert found == pytest.approx(model.kkt_violation_[0], rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("limit", [1, 999, 1000, 1001, 2500, 4000])
def test_max_iter_counts_the_iterations_of_the_part(limit):
    X, score = problem()
    with pytest.warns(Warning, match="max_iter"):
        model = SVC(C=1e4, gamma=0.2, tol=1e-8, max_iter=limit).fit(X, score > 0)
    assert model.n_iter_[0] == limit
