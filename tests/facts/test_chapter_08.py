"""Worked numbers of chapter 8 (support vector machines), by requirement id."""

import numpy as np
import pytest
from sklearn.datasets import make_moons

from mlcore.svm import SVC

SIX = np.array([[1.0, 2], [2, 3], [3, 3], [1, 0], [2, 1], [0, 1]])
SIGNS = np.array([1, 1, 1, -1, -1, -1])
XOR = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
XOR_LABELS = np.array([1, -1, -1, 1])


def test_8_02_hard_margin():
    model = SVC(kernel="linear", C=1e6, tol=1e-9).fit(SIX, SIGNS)
    np.testing.assert_allclose(model.coef_, [[0, 2]], atol=1e-6)
    np.testing.assert_allclose(model.intercept_, [-3], atol=1e-6)
    assert 1 / np.linalg.norm(model.coef_) == pytest.approx(0.5, rel=1e-6)
    assert sorted(model.support_) == [0, 4, 5]
    alpha = dict(zip(model.support_.tolist(), np.abs(model.dual_coef_[0])))
    assert [alpha[i] for i in (0, 4, 5)] == pytest.approx([2, 1, 1], abs=1e-5)
    np.testing.assert_allclose(SIGNS * model.decision_function(SIX), [1, 3, 3, 3, 1, 1], atol=1e-5)


def test_8_03_stationarity_equality_and_gap():
    model = SVC(kernel="linear", C=1e6, tol=1e-9).fit(SIX, SIGNS)
    np.testing.assert_allclose(model.dual_coef_ @ SIX[model.support_], model.coef_, atol=1e-12)
    assert model.dual_coef_.sum() == pytest.approx(0, abs=1e-12)
    assert model.kkt_violation_[0] < 1e-9
    assert 0 <= model.dual_gap_[0] < 1e-5


def test_8_05_the_bias_is_the_same_from_every_free_support_vector():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(-1, 1, (30, 2)), rng.normal(1, 1, (30, 2))])
    y = np.repeat([-1, 1], 30)
    model = SVC(kernel="linear", C=1.0, tol=1e-9).fit(X, y)
    free = model.support_[np.abs(model.dual_coef_[0]) < 1 - 1e-9]
    assert len(free) >= 2
    np.testing.assert_allclose(y[free] - X[free] @ model.coef_[0], model.intercept_[0], atol=1e-6)


def test_8_13_xor():
    linear = SVC(kernel="linear", C=1.0).fit(XOR, XOR_LABELS)
    assert linear.score(XOR, XOR_LABELS) <= 0.75  # no line gets more than three of four
    model = SVC(kernel="rbf", gamma=5, C=1.0).fit(XOR, XOR_LABELS)
    assert model.score(XOR, XOR_LABELS) == 1.0
    np.testing.assert_allclose(np.abs(model.dual_coef_), 1.0)
    gram = np.exp(-5 * np.square(XOR[:, None] - XOR[None]).sum(axis=2))
    np.testing.assert_allclose(np.linalg.eigvalsh(gram), [0.986570, 0.999955, 0.999955, 1.013521], atol=1e-6)


def test_8_14_bandwidth():
    X, y = make_moons(200, noise=0.22, random_state=4)
    for gamma, vectors, accuracy in ((0.3, 43, 0.965), (2, 26, 0.985), (20, 96, 0.995)):
        model = SVC(C=10, gamma=gamma, tol=1e-6).fit(X, y)
        assert len(model.support_) == vectors
        assert model.score(X, y) == pytest.approx(accuracy)


def test_8_16_duplicates_with_opposite_labels_terminate():
    X = np.repeat(np.random.default_rng(0).normal(size=(10, 2)), 2, axis=0)
    y = np.tile([0, 1], 10)
    for kernel in ("linear", "rbf", "sigmoid"):
        model = SVC(kernel=kernel, C=10).fit(X, y)
        assert model.kkt_violation_[0] < 1e-3
