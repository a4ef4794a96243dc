"""Kernel objects: their values, the closure rules, their use in every kernel class."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import svm as peer
from sklearn.base import clone
from svm_oracle import kernel_matrix

from mlcore.cluster import KernelKMeans
from mlcore.svm import (
    SVC,
    SVR,
    ConstantKernel,
    LinearKernel,
    NuSVC,
    NuSVR,
    OneClassSVM,
    PolynomialKernel,
    RBFKernel,
    SigmoidKernel,
    is_psd_kernel,
)

RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(25, 3)), RNG.normal(size=(7, 3))
SIGNS = np.where(X[:, 0] * X[:, 1] > 0, 1, -1)


def length(rows):
    return 1.0 + np.abs(rows[:, 0])


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        (LinearKernel(), "linear"),
        (PolynomialKernel(3, 0.4, 0.5), "poly"),
        (RBFKernel(0.4), "rbf"),
        (SigmoidKernel(0.4, 0.5), "sigmoid"),
    ],
)
def test_values(kernel, kind):
    expected = kernel_matrix(kind, X, Z, 0.4, 0.5, 3)
    np.testing.assert_allclose(kernel(X, Z), expected, rtol=1e-12)
    np.testing.assert_allclose(kernel(sp.csr_array(X), sp.csr_array(Z)), expected, rtol=1e-12)
    np.testing.assert_allclose(kernel(X), kernel_matrix(kind, X, X, 0.4, 0.5, 3), rtol=1e-12, atol=1e-15)
    one = kernel(X[3], Z[2])
    assert isinstance(one, float)
    assert one == pytest.approx(expected[3, 2], rel=1e-12)


def test_a_far_offset_costs_the_rbf_kernel_no_digits():
    np.testing.assert_allclose(RBFKernel(0.4)(X + 1e6, Z + 1e6), RBFKernel(0.4)(X, Z), rtol=1e-8)


def test_algebra():
    a, b = RBFKernel(0.3), PolynomialKernel(2, 1.0, 1.0)
    A, B = a(X, Z), b(X, Z)
    np.testing.assert_allclose((a + b)(X, Z), A + B, rtol=1e-14)
    np.testing.assert_allclose((a * b)(X, Z), A * B, rtol=1e-14)
    np.testing.assert_allclose((3 * a + 0.5)(X, Z), 3 * A + 0.5, rtol=1e-14)
    np.testing.assert_allclose((0.5 + a * 3)(X, Z), 3 * A + 0.5, rtol=1e-14)
    np.testing.assert_allclose((b**3)(X, Z), B**3, rtol=1e-14)
    np.testing.assert_allclose(a.exp()(X, Z), np.exp(A), rtol=1e-14)
    np.testing.assert_allclose(b.scaled_by(length)(X, Z), length(X)[:, None] * B * length(Z), rtol=1e-14)
    np.testing.assert_array_equal((a**0)(X, Z), 1.0)


def test_equal_by_their_parts():
    assert RBFKernel(0.3) + 2 * LinearKernel() == RBFKernel(0.3) + 2 * LinearKernel()
    assert RBFKernel(0.3) + LinearKernel() != RBFKernel(0.4) + LinearKernel()
    assert len({RBFKernel(0.3), RBFKernel(0.3), RBFKernel(0.4)}) == 2


@pytest.mark.parametrize("factor", [-1.0, np.inf, np.nan])
def test_factors_that_would_leave_the_kernels_are_refused(factor):
    with pytest.raises(ValueError, match="scaled by finite numbers"):
        factor * RBFKernel()
    with pytest.raises(ValueError, match="scaled by finite numbers"):
        RBFKernel() + factor


@pytest.mark.parametrize("exponent", [-1, 0.5, True])
def test_powers_that_would_leave_the_kernels_are_refused(exponent):
    with pytest.raises(ValueError, match="powers"):
        RBFKernel() ** exponent


def test_other_things_do_not_combine():
    with pytest.raises(TypeError):
        RBFKernel() + "linear"
    with pytest.raises(TypeError):
        [1.0] * RBFKernel()
    with pytest.raises(ValueError, match="5 numbers for 25 rows"):
        RBFKernel().scaled_by(lambda rows: np.ones(5))(X)


SUM = RBFKernel(0.3) * 2 + PolynomialKernel(2, 0.5, 1.0) * LinearKernel()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (SVC(kernel=SUM, tol=1e-8), peer.SVC),
        (NuSVC(kernel=SUM, nu=0.3, tol=1e-8), peer.NuSVC),
        (SVR(kernel=SUM, tol=1e-8), peer.SVR),
        (NuSVR(kernel=SUM, tol=1e-8), peer.NuSVR),
        (OneClassSVM(kernel=SUM, nu=0.3, tol=1e-8), peer.OneClassSVM),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_in_every_kernel_machine(ours, theirs):
    y = None if isinstance(ours, OneClassSVM) else SIGNS
    ours = clone(ours).fit(X, y)
    arguments = {k: v for k, v in ours.get_params().items() if k in theirs().get_params()}
    expected = theirs(**(arguments | {"kernel": "precomputed"})).fit(SUM(X), y)
    method = "decision_function" if hasattr(ours, "decision_function") else "predict"
    np.testing.assert_allclose(getattr(ours, method)(Z), getattr(expected, method)(SUM(Z, X)), atol=1e-6)
    again = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(getattr(again, method)(Z), getattr(ours, method)(Z))


def test_in_kernel_k_means():
    named = KernelKMeans(2, kernel="rbf", gamma=0.3, random_state=0).fit(X)
    combined = KernelKMeans(2, kernel=RBFKernel(0.3), random_state=0).fit(X)
    np.testing.assert_array_equal(combined.labels_, named.labels_)


@pytest.mark.parametrize(
    ("gram", "psd"),
    [
        (np.zeros((3, 3)), True),
        (np.eye(3), True),
        (1e-200 * np.ones((2, 2)), True),
        (1e200 * np.ones((2, 2)), True),
        ([[1.0, 2.0], [2.0, 1.0]], False),
        ([[1.0, 0.5], [0.4, 1.0]], False),
        (sp.csr_array(np.diag([1.0, -1e-3])), False),
    ],
)
def test_is_psd_kernel(gram, psd):
    assert is_psd_kernel(gram) is psd


@pytest.mark.parametrize(("gram", "message"), [(np.ones((2, 3)), "square"), ([[np.nan]], "not finite")])
def test_is_psd_kernel_refuses_nonsense(gram, message):
    with pytest.raises(ValueError, match=message):
        is_psd_kernel(gram)


def test_constants():
    np.testing.assert_array_equal(ConstantKernel(2.0)(X, Z), np.full((25, 7), 2.0))
