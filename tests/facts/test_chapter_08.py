"""Worked numbers of chapter 8 (support vector machines), by requirement id."""

import numpy as np
import pytest
from sklearn.datasets import make_moons

from mlcore.svm import (
    SVC,
    LinearKernel,
    PolynomialKernel,
    RBFKernel,
    SigmoidKernel,
    is_psd_kernel,
    margins,
    smo_step,
)

SIX = np.array([[1.0, 2], [2, 3], [3, 3], [1, 0], [2, 1], [0, 1]])
SIGNS = np.array([1, 1, 1, -1, -1, -1])
XOR = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
XOR_LABELS = np.array([1, -1, -1, 1])


def test_8_01_margins():
    functional, geometric = margins([3, 4], -1, [1, 1], 1)
    assert (functional.tolist(), geometric.tolist()) == ([6.0], [1.2])
    assert margins([30, 40], -10, [1, 1], 1).geometric.tolist() == [1.2]


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


def overlapping():
    """Two clouds of 40 that overlap."""
    rng = np.random.default_rng(3)
    X = np.concatenate([rng.normal(1.0, 1.0, (40, 2)), rng.normal(-1.0, 1.0, (40, 2))])
    return X, np.repeat([1, -1], 40)


def test_8_04_three_regimes():
    X, y = overlapping()
    model = SVC(kernel="linear", C=1.0, tol=1e-9).fit(X, y)
    regimes, margin = model.kkt_regimes(), y * model.decision_function(X)
    assert [np.count_nonzero(regimes == code) for code in (0, 1, 2)] == [
        80 - len(model.support_),
        np.count_nonzero(np.abs(model.dual_coef_) < 1),
        np.count_nonzero(np.abs(model.dual_coef_) == 1),
    ]
    assert (margin[regimes == 0] > 1 - 1e-8).all()
    np.testing.assert_allclose(margin[regimes == 1], 1, atol=1e-8)
    assert (margin[regimes == 2] < 1 + 1e-8).all()


def test_8_05_the_bias_is_the_same_from_every_free_support_vector():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(-1, 1, (30, 2)), rng.normal(1, 1, (30, 2))])
    y = np.repeat([-1, 1], 30)
    model = SVC(kernel="linear", C=1.0, tol=1e-9).fit(X, y)
    free = model.support_[np.abs(model.dual_coef_[0]) < 1 - 1e-9]
    assert len(free) >= 2
    np.testing.assert_allclose(y[free] - X[free] @ model.coef_[0], model.intercept_[0], atol=1e-6)


def test_8_07_three_points_hold_the_widest_margin():
    rng = np.random.default_rng(7)
    holding = np.array([[0.6, 1.4], [1.6, 0.4], [-0.4, -0.6]])
    X = np.concatenate([rng.normal(2.4, 0.3, (18, 2)), rng.normal(-1.6, 0.3, (18, 2)), holding])
    y = np.concatenate([np.ones(18), -np.ones(18), [1, 1, -1]])
    model = SVC(kernel="linear", C=1e3, tol=1e-9).fit(X, y)
    assert sorted(model.support_) == [36, 37, 38]
    np.testing.assert_allclose(model.coef_, [[2 / 3, 2 / 3]], atol=1e-7)
    np.testing.assert_allclose(model.intercept_, [-1 / 3], atol=1e-7)
    geometric = margins(model.coef_, model.intercept_[0], X, y).geometric
    assert geometric.min() == pytest.approx(1.060660, abs=1e-6)


def rings():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 40)
    outer = 2.2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.concatenate([0.1 * rng.normal(size=(40, 2)), outer]), np.repeat([-1, 1], 40)


def test_8_10_lifted_rings_are_separated_by_a_plane():
    X, y = rings()
    assert SVC(kernel="linear", C=10).fit(X, y).score(X, y) < 0.9
    lifted = np.column_stack([X, np.square(X).sum(axis=1)])
    plane = margins([0, 0, 1], -2.5, lifted, y)
    assert (plane.geometric > 0).all()
    model = SVC(kernel="linear", C=1e6, tol=1e-6).fit(lifted, y)
    assert model.score(lifted, y) == 1.0
    assert abs(model.coef_[0, 2]) > 10 * np.abs(model.coef_[0, :2]).max()


def test_8_11_the_polynomial_kernel_is_an_inner_product():
    X = np.random.default_rng(0).normal(size=(12, 2))
    a, b = X.T
    lifted = np.column_stack([np.ones(12), 2**0.5 * a, 2**0.5 * b, a**2, b**2, 2**0.5 * a * b])
    np.testing.assert_allclose(PolynomialKernel(2, 1.0, 1.0)(X), lifted @ lifted.T, rtol=1e-12, atol=1e-14)
    y = np.where(a * b > 0, 1, -1)
    kernel = SVC(kernel="poly", degree=2, gamma=1, coef0=1, C=3, tol=1e-9).fit(X, y)
    explicit = SVC(kernel="linear", C=3, tol=1e-9).fit(lifted, y)
    np.testing.assert_allclose(kernel.decision_function(X), explicit.decision_function(lifted), atol=1e-7)


def test_8_12_sums_products_and_scalings_of_kernels_are_kernels():
    X = np.random.default_rng(1).normal(size=(40, 3))
    linear, rbf, poly = LinearKernel(), RBFKernel(0.7), PolynomialKernel(2, 1.0, 1.0)
    closed = [linear + rbf, linear * rbf, 2.5 * poly, rbf**3, (0.1 * linear).exp(), rbf + 3.0]
    closed.append(poly.scaled_by(lambda rows: np.sin(rows[:, 0])))
    for kernel in closed:
        gram = kernel(X)
        assert np.linalg.eigvalsh(gram)[0] >= -1e-10 * np.abs(gram).max()
        assert is_psd_kernel(gram)
    assert not is_psd_kernel(SigmoidKernel(1.0, -1.0)(X))


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


def test_8_15_smo_step_in_the_box():
    step = smo_step([0.5, 1.5], [1, -1], 0.25 * np.eye(2), C=4, pair=(0, 1))
    assert step.unclipped == pytest.approx(4.5)
    assert (step.low, step.high) == (1, 4)
    np.testing.assert_allclose(step.alpha, [3, 4])
    assert step.gain > 0


def test_8_16_duplicates_with_opposite_labels_terminate():
    X = np.repeat(np.random.default_rng(0).normal(size=(10, 2)), 2, axis=0)
    y = np.tile([0, 1], 10)
    for kernel in ("linear", "rbf", "sigmoid"):
        model = SVC(kernel=kernel, C=10).fit(X, y)
        assert model.kkt_violation_[0] < 1e-3


def test_8_22_fewer_support_vectors_with_larger_C():
    X, y = overlapping()
    counts, widths = [], []
    for C in (0.05, 1, 50):
        model = SVC(kernel="linear", C=C, tol=1e-6).fit(X, y)
        counts.append(len(model.support_))
        widths.append(2 / np.linalg.norm(model.coef_))
    assert counts[0] > counts[1] > counts[2]
    assert widths[0] > widths[1] > widths[2]
