"""Nystroem and RBFSampler: against first principles and scikit-learn."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import kernel_approximation as peer
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.pipeline import make_pipeline

from mlcore import _core
from mlcore.kernel_approximation import Nystroem, RBFSampler
from mlcore.svm import SVC, LinearSVC, PolynomialKernel, RBFKernel

RNG = np.random.default_rng(0)
X = RNG.normal(size=(130, 5))
KERNELS = ["linear", "poly", "rbf", "sigmoid", "polynomial", "laplacian", "cosine"]


# --- kernel values ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rows", [1, 31, 32, 33, 95, 96, 97, 200])
@pytest.mark.parametrize("columns", [1, 32, 33, 511, 513])
@pytest.mark.parametrize("kind", [0, 1, 2, 3])
def test_native_kernel_values(rows, columns, kind):
    A, B = RNG.normal(size=(rows, 3)), RNG.normal(size=(columns, 3))
    name = ("linear", "poly", "rbf", "sigmoid")[kind]
    params = {} if kind == 0 else {"gamma": 0.4} | ({} if kind == 2 else {"coef0": 0.3})
    expected = pairwise_kernels(A, B, metric=name, **params)
    for threads in (1, 2, 7):
        found = _core.svm.kernel_matrix(A, B, (kind, 0.4, 0.3, 3), threads)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    single = _core.svm.kernel_matrix(A.astype(np.float32), B.astype(np.float32), (kind, 0.4, 0.3, 3), 1)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("rows", [1, 32, 65, 97, 200, 1100])
@pytest.mark.parametrize("kind", [0, 2])
def test_native_kernel_values_of_one_table(rows, kind):
    A = RNG.normal(size=(rows, 3))
    one = _core.svm.kernel_matrix(A, None, (kind, 0.4, 0.0, 3), 2)
    np.testing.assert_array_equal(one, _core.svm.kernel_matrix(A, A, (kind, 0.4, 0.0, 3), 1))
    np.testing.assert_array_equal(one, one.T)


def test_native_kernel_values_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match="same number of columns"):
        _core.svm.kernel_matrix(X, X[:, :2], (0, 1.0, 0.0, 3), 1)
    with pytest.raises(ValueError, match="nothing to compute"):
        _core.svm.kernel_matrix(X, X, (4, 1.0, 0.0, 3), 1)


# --- Nystroem -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("sparse", [False, True])
def test_nystroem_equals_scikit_learn(kernel, sparse):
    if sparse and kernel == "laplacian":
        pytest.skip("scikit-learn's Laplacian kernel is for dense data")
    data = sp.csr_array(np.where(np.abs(X) > 0.7, X, 0.0)) if sparse else X
    params = {"kernel": kernel, "n_components": 4 if kernel == "linear" else 12, "random_state": 3}
    if kernel in ("poly", "polynomial", "sigmoid"):
        params |= {"gamma": 0.2, "coef0": 0.5}
    if kernel == "poly":
        params |= {"degree": 2}
    ours, theirs = Nystroem(**params).fit(data), peer.Nystroem(**params).fit(data)
    np.testing.assert_array_equal(ours.component_indices_, theirs.component_indices_)
    np.testing.assert_allclose(ours.normalization_, theirs.normalization_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ours.transform(data), theirs.transform(data), rtol=1e-6, atol=1e-8)


def test_nystroem_is_exact_on_the_drawn_rows():
    model = Nystroem(gamma=0.4, n_components=60, random_state=0).fit(X)
    features = model.transform(X[model.component_indices_])
    np.testing.assert_allclose(features @ features.T, RBFKernel(0.4)(model.components_), atol=1e-9)


def test_nystroem_error_falls_with_more_components():
    exact = RBFKernel(0.2)(X)
    errors = []
    for count in (5, 20, 60, 130):
        features = Nystroem(gamma=0.2, n_components=count, random_state=0).fit_transform(X)
        errors.append(np.linalg.norm(features @ features.T - exact))
    assert errors[0] > errors[1] > errors[2] > errors[3]
    assert errors[3] < 1e-6


def test_nystroem_with_kernel_objects_callables_and_gram_matrices():
    named = Nystroem(gamma=0.3, n_components=20, random_state=0).fit_transform(X)
    kernel = RBFKernel(0.3)
    for model, data in (
        (Nystroem(kernel, n_components=20, random_state=0), X),
        (Nystroem(lambda a, b: kernel(a, b), n_components=20, random_state=0), X),
        (Nystroem("precomputed", n_components=20, random_state=0), kernel(X)),
    ):
        np.testing.assert_allclose(model.fit_transform(data), named, rtol=1e-6, atol=1e-9)
    with pytest.raises(ValueError, match="Don't pass gamma"):
        Nystroem(kernel, gamma=1.0, n_components=5).fit(X)
    with pytest.raises(ValueError, match="Don't pass gamma"):
        Nystroem("precomputed", degree=2, n_components=5).fit(kernel(X))


def test_nystroem_with_fewer_rows_than_components():
    with pytest.warns(UserWarning, match="n_components > n_samples"):
        model = Nystroem(n_components=10).fit(X[:4])
    assert model.components_.shape == (4, 5)
    assert model.get_feature_names_out().tolist() == [f"nystroem{i}" for i in range(4)]


# --- RBFSampler ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("gamma", [0.3, "scale"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sparse", [False, True])
def test_rbf_sampler_equals_scikit_learn(gamma, dtype, sparse):
    data = X.astype(dtype)
    data = sp.csr_array(np.where(np.abs(data) > 0.7, data, 0)) if sparse else data
    ours = RBFSampler(gamma=gamma, n_components=37, random_state=1).fit(data)
    theirs = peer.RBFSampler(gamma=gamma, n_components=37, random_state=1).fit(data)
    rtol, atol = (1e-12, 1e-12) if dtype == np.float64 else (1e-4, 1e-5)
    np.testing.assert_allclose(ours.random_weights_, theirs.random_weights_, rtol=max(rtol, 1e-6))
    np.testing.assert_array_equal(ours.random_offset_, theirs.random_offset_)
    found = ours.transform(data)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, theirs.transform(data), rtol=rtol * 100, atol=atol * 10)


def test_rbf_sampler_converges_to_the_kernel():
    exact = RBFKernel(0.2)(X)
    for count in (100, 10_000):
        features = RBFSampler(gamma=0.2, n_components=count, random_state=0).fit_transform(X)
        deviation = np.sqrt(np.mean((features @ features.T - exact) ** 2))
        assert deviation < 1.2 / np.sqrt(count)  # the same draws cost all pairs alike
        assert deviation > 0.2 / np.sqrt(count)


@pytest.mark.parametrize("model", [Nystroem(n_components=30, random_state=0), RBFSampler(random_state=0)])
def test_the_same_bits_for_any_number_of_threads(model):
    data = RNG.normal(size=(5000, 7))
    results = [model.set_params(n_jobs=threads).fit_transform(data) for threads in (1, 2, 7)]
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_a_linear_machine_on_features_does_what_a_kernel_machine_does():
    labels = np.where(X[:, 0] * X[:, 1] > 0, 1, -1)
    exact = SVC(kernel=PolynomialKernel(2, 1.0, 1.0), C=1.0).fit(X, labels)
    approximate = make_pipeline(
        Nystroem("poly", degree=2, gamma=1.0, coef0=1.0, n_components=60, random_state=0),
        LinearSVC(C=1.0),
    ).fit(X, labels)
    assert np.mean(exact.predict(X) == approximate.predict(X)) > 0.95
