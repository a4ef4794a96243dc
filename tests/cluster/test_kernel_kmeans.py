"""KernelKMeans against distances written out from the kernel matrix, and against k-means."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import make_blobs, make_circles
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.utils.estimator_checks import check_estimator

from mlcore.callbacks import History
from mlcore.cluster import KernelKMeans, _kernel_kmeans


def feature_space_distances(K, members, weights, k):
    """|phi(x_i) - m_c|^2 for all i and c, by the definition."""
    out = np.empty((len(K), k))
    for c in range(k):
        w = np.where(members == c, weights, 0.0)
        w = w / w.sum()
        out[:, c] = np.diag(K) - 2 * K @ w + w @ K @ w
    return out


def plain_fit(K, labels, weights, k):
    """Lloyd's iteration until nothing moves."""
    iterations = 0
    while True:
        iterations += 1
        distances = feature_space_distances(K, labels, weights, k)
        new = distances.argmin(axis=1)
        if (new == labels).all():
            return labels, (weights * distances.min(axis=1)).sum(), iterations
        labels = new


def lloyd(X, labels, k):
    """Ordinary k-means from labels."""
    while True:
        centers = np.array([X[labels == c].mean(axis=0) for c in range(k)])
        distances = ((X[:, None] - centers) ** 2).sum(axis=2)
        new = distances.argmin(axis=1)
        if (new == labels).all():
            return labels, distances.min(axis=1).sum(), centers
        labels = new


KERNELS = [("linear", {}), ("rbf", {"gamma": 0.3}), ("poly", {"gamma": 0.5, "degree": 2}), ("cosine", {})]


def start_labels(n, k, seed=0):
    labels = np.random.default_rng(seed).integers(0, k, n)
    labels[:k] = np.arange(k)
    return labels


@pytest.mark.parametrize(("kernel", "params"), [*KERNELS, ("laplacian", {"gamma": 0.2})])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d", "k"), [(20, 2, 2), (61, 3, 4), (150, 5, 7)])
def test_every_step_is_that_of_the_definition(kernel, params, weighted, n, d, k):
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, d))
    weights = rng.integers(1, 5, n).astype(float) if weighted else np.ones(n)
    K = pairwise_kernels(X, metric=kernel, filter_params=True, **params)
    start = start_labels(n, k)
    labels, inertia, iterations = plain_fit(K, start, weights, k)
    model = KernelKMeans(k, kernel=kernel, init=start, **params)
    model.fit(X, sample_weight=weights if weighted else None)
    np.testing.assert_array_equal(model.labels_, labels)
    assert model.inertia_ == pytest.approx(inertia, rel=1e-9)
    assert model.n_iter_ == iterations
    np.testing.assert_array_equal(model.predict(X), labels)
    new = rng.normal(size=(40, d))
    cross = pairwise_kernels(new, X, metric=kernel, filter_params=True, **params)
    spread = feature_space_distances(K, labels, weights, k)
    expected = np.empty((40, k))
    for c in range(k):
        w = np.where(labels == c, weights, 0.0) / weights[labels == c].sum()
        expected[:, c] = w @ K @ w - 2 * cross @ w
    np.testing.assert_array_equal(model.predict(new), expected.argmin(axis=1))
    assert spread.shape == (n, k)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("storage", [np.asarray, np.asfortranarray, sp.csr_array])
def test_the_linear_kernel_gives_kmeans(seed, storage):
    # Requirement 18.08.
    X, _ = make_blobs(200, centers=5, cluster_std=2.0, random_state=seed)
    X -= X.mean(axis=0)
    start = ((X[:, None] - X[:5]) ** 2).sum(axis=2).argmin(axis=1)
    labels, inertia, centers = lloyd(X, start, 5)
    model = KernelKMeans(5, kernel="linear", init=start).fit(storage(X))
    np.testing.assert_array_equal(model.labels_, labels)
    assert model.inertia_ == pytest.approx(inertia, rel=1e-10)
    new = np.random.default_rng(seed).normal(scale=8, size=(100, 2))
    nearest = ((new[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(model.predict(storage(new)), nearest)


def test_rings_that_no_line_separates():
    X, ring = make_circles(200, factor=0.2, noise=0.03, random_state=0)
    model = KernelKMeans(2, gamma=2.0, n_init=5, random_state=0).fit(X)
    assert adjusted_rand_score(ring, model.labels_) == 1.0
    linear = KernelKMeans(2, kernel="linear", n_init=5, random_state=0).fit(X)
    assert adjusted_rand_score(ring, linear.labels_) < 0.1


@pytest.mark.parametrize(("kernel", "params"), KERNELS)
def test_a_precomputed_kernel_is_the_same(kernel, params):
    rng = np.random.default_rng(1)
    X, new = rng.normal(size=(90, 3)), rng.normal(size=(30, 3))
    start = start_labels(90, 4)
    by_name = KernelKMeans(4, kernel=kernel, init=start, **params).fit(X)
    K = pairwise_kernels(X, metric=kernel, filter_params=True, **params)
    given = KernelKMeans(4, kernel="precomputed", init=start).fit(K)
    np.testing.assert_array_equal(given.labels_, by_name.labels_)
    assert given.inertia_ == pytest.approx(by_name.inertia_, rel=1e-12)
    cross = pairwise_kernels(new, X, metric=kernel, filter_params=True, **params)
    np.testing.assert_array_equal(given.predict(cross), by_name.predict(new))
    assert not hasattr(given, "X_fit_")
    seeded = KernelKMeans(4, kernel="precomputed", random_state=0).fit(K)
    assert np.unique(seeded.labels_).size == 4


def test_a_function_as_kernel():
    def kernel(x, y, *, width):
        return np.exp(-((x - y) ** 2).sum() / width)

    X = np.random.default_rng(0).normal(size=(40, 2))
    start = start_labels(40, 3)
    function = KernelKMeans(3, kernel=kernel, kernel_params={"width": 2.0}, init=start).fit(X)
    named = KernelKMeans(3, kernel="rbf", gamma=0.5, init=start).fit(X)
    np.testing.assert_array_equal(function.labels_, named.labels_)
    assert function.inertia_ == pytest.approx(named.inertia_, rel=1e-12)
    np.testing.assert_array_equal(function.predict(X[::-1]), named.labels_[::-1])


def test_blocks_are_only_a_matter_of_memory(monkeypatch):
    X = np.random.default_rng(0).normal(size=(300, 4))
    whole = KernelKMeans(6, random_state=0, gamma=0.3).fit(X)
    rows = []
    evaluate = _kernel_kmeans._KernelRows.between
    monkeypatch.setattr(_kernel_kmeans, "_BLOCK_VALUES", 300 * 7)
    monkeypatch.setattr(
        _kernel_kmeans._KernelRows,
        "between",
        lambda self, A, B: rows.append(A.shape[0] * B.shape[0]) or evaluate(self, A, B),
    )
    blocks = KernelKMeans(6, random_state=0, gamma=0.3).fit(X)
    np.testing.assert_array_equal(blocks.labels_, whole.labels_)
    assert blocks.inertia_ == pytest.approx(whole.inertia_, rel=1e-12)
    np.testing.assert_array_equal(blocks.predict(X), whole.labels_)
    assert max(rows) <= 300 * 7  # never more of the kernel matrix at a time


def test_later_iterations_evaluate_only_the_rows_that_moved(monkeypatch):
    X, _ = make_blobs(400, centers=6, cluster_std=3.0, random_state=0)
    evaluated = []
    rows = _kernel_kmeans._KernelRows.rows
    monkeypatch.setattr(
        _kernel_kmeans._KernelRows, "rows", lambda self, n: evaluated.append(len(n)) or rows(self, n)
    )
    history = History()
    start = KernelKMeans(6, gamma=0.02, random_state=0, max_iter=1, callbacks=[history])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        start.fit(X)
    evaluated.clear()
    model = KernelKMeans(6, gamma=0.02, init=start.labels_).fit(X)
    assert model.n_iter_ > 3
    assert evaluated[0] == 400
    assert max(evaluated[1:]) < 100


@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_a_weight_is_a_repetition_and_the_order_of_rows_is_no_matter(init, storage):
    rng = np.random.default_rng(3)
    X, weights = rng.normal(size=(80, 4)), rng.integers(0, 4, 80)
    model = KernelKMeans(5, gamma=0.2, init=init, random_state=1, n_init=2)
    weighted = model.fit(storage(X), sample_weight=weights).predict(storage(X))
    inertia = model.inertia_
    order = rng.permutation(weights.sum())
    model.fit(storage(np.repeat(X, weights, axis=0)[order]))
    np.testing.assert_array_equal(model.predict(storage(X)), weighted)
    assert model.inertia_ == pytest.approx(inertia, rel=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_inertia_never_rises(dtype):
    X = np.random.default_rng(0).normal(size=(500, 5)).astype(dtype)
    history = History()
    KernelKMeans(12, gamma=0.1, init="random", random_state=0, callbacks=[history]).fit(X)
    values = np.array([record.objective for record in history.records])
    assert len(values) > 4
    assert np.all(np.diff(values) <= 1e-9 * values[0])
    assert values[-1] < values[0]


def test_float32_agrees_with_float64():
    X, _ = make_blobs(300, centers=4, random_state=0)
    start = start_labels(300, 4)
    double = KernelKMeans(4, gamma=0.1, init=start).fit(X)
    single = KernelKMeans(4, gamma=0.1, init=start).fit(X.astype(np.float32))
    assert (single.labels_ == double.labels_).mean() > 0.99
    assert single.inertia_ == pytest.approx(double.inertia_, rel=1e-4)
    assert single.X_fit_.dtype == np.float32


def test_an_empty_cluster_gets_the_farthest_point():
    X = np.array([[0.0], [0.1], [0.2], [9.0]])
    model = KernelKMeans(3, kernel="linear", init=[0, 0, 0, 0]).fit(X)
    assert model.labels_[3] not in model.labels_[:3]
    assert np.unique(model.labels_).size == 3


def test_fewer_distinct_points_than_clusters():
    X = np.repeat([[0.0, 1.0], [5.0, 5.0]], 4, axis=0)
    with pytest.warns(
        ConvergenceWarning, match=r"distinct clusters \(2\) found smaller than n_clusters \(3\)"
    ):
        model = KernelKMeans(3, gamma=1.0, random_state=0).fit(X)
    assert model.inertia_ == pytest.approx(0, abs=1e-12)
    np.testing.assert_array_equal(model.labels_, model.predict(X))


@pytest.mark.parametrize("method", ["k-means++", "random"])
def test_a_seed_is_not_chosen_twice(method):
    # Far from the origin scikit-learn's rbf kernel of a point with itself may come out below 1.
    X = 1e7 + np.random.default_rng(0).normal(size=(30, 3))
    kernel = _kernel_kmeans._KernelRows(X, "rbf", {"gamma": 1.0})
    assert kernel.rows(np.arange(30)).diagonal().min() < 0.9
    for seed in range(5):
        labels = _kernel_kmeans._seed(kernel, np.ones(30), 30, method, np.random.RandomState(seed))
        assert np.unique(labels).size == 30


def test_max_iter_is_reported_and_labels_are_those_of_predict():
    X = np.random.default_rng(0).normal(size=(400, 3))
    with pytest.warns(ConvergenceWarning, match="did not converge in max_iter=2"):
        model = KernelKMeans(10, gamma=0.3, init="random", random_state=0, max_iter=2).fit(X)
    assert model.n_iter_ == 2
    np.testing.assert_array_equal(model.labels_, model.predict(X))


def test_tolerance_ends_a_fit_early():
    X = np.random.default_rng(0).normal(size=(600, 3))
    exact = KernelKMeans(10, gamma=0.3, init="random", random_state=0).fit(X)
    loose = KernelKMeans(10, gamma=0.3, init="random", random_state=0, tol=0.01).fit(X)
    assert loose.n_iter_ < exact.n_iter_
    assert loose.inertia_ >= exact.inertia_


def test_a_callback_stops_the_fit():
    class Stop:
        def on_iteration(self, info):
            return info.iteration == 2

    X = np.random.default_rng(0).normal(size=(400, 3))
    model = KernelKMeans(10, gamma=0.3, init="random", n_init=4, random_state=0, callbacks=[Stop()]).fit(X)
    assert model.n_iter_ == 2


def test_the_best_start_is_kept():
    X = np.random.default_rng(0).normal(size=(200, 2))
    history = History()
    model = KernelKMeans(9, gamma=0.5, init="random", n_init=6, random_state=0, callbacks=[history]).fit(X)
    last = {record.restart: record.objective for record in history.records}
    assert len(last) == 6
    assert model.inertia_ == pytest.approx(min(last.values()), rel=1e-12)
    assert max(last.values()) > model.inertia_


@pytest.mark.parametrize("kernel", ["chi2", "additive_chi2"])
def test_kernels_of_non_negative_data(kernel):
    X = np.random.default_rng(0).random((50, 4))
    X.flags.writeable = False
    model = KernelKMeans(3, kernel=kernel, random_state=0).fit(X)
    K = pairwise_kernels(X.copy(), metric=kernel)
    with_gamma = plain_fit(K, model.labels_, np.ones(50), 3)
    np.testing.assert_array_equal(with_gamma[0], model.labels_)  # a fixed point
    with pytest.raises(ValueError, match="Negative values in data"):
        model.fit(X - 0.5)
    with pytest.raises(TypeError, match="Sparse data was passed"):
        model.fit(sp.csr_array(X))


def test_bad_arguments():
    X = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(ValueError, match="n_samples=20 should be >= n_clusters=21"):
        KernelKMeans(21).fit(X)
    with pytest.raises(ValueError, match="'kernel' parameter of KernelKMeans"):
        KernelKMeans(kernel="gaussian").fit(X)
    with pytest.raises(ValueError, match="must be a square matrix"):
        KernelKMeans(kernel="precomputed").fit(X)
    with pytest.raises(TypeError, match="must be dense"):
        KernelKMeans(kernel="precomputed").fit(sp.eye_array(20, format="csr"))
    with pytest.raises(ValueError, match="vector of n_samples=20 labels"):
        KernelKMeans(3, init=[0, 1, 2]).fit(X)
    with pytest.raises(ValueError, match="integers from 0 to n_clusters - 1 = 2"):
        KernelKMeans(3, init=np.full(20, 3)).fit(X)
    with pytest.raises(ValueError, match="integers from 0 to n_clusters - 1 = 2"):
        KernelKMeans(3, init=np.full(20, 0.5)).fit(X)
    with pytest.raises(ValueError, match="at least one non-zero"):
        KernelKMeans(3).fit(X, sample_weight=np.zeros(20))
    with pytest.raises(NotFittedError):
        KernelKMeans(3).predict(X)


@pytest.mark.parametrize(
    "estimator", [KernelKMeans(), KernelKMeans(kernel="linear"), KernelKMeans(init="random")], ids=str
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_contract(estimator):
    check_estimator(estimator)
