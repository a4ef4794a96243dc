"""SphericalKMeans against a plain NumPy version of itself, and what must hold for any data."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.estimator_checks import check_estimator

from mlcore.callbacks import History
from mlcore.cluster import SphericalKMeans

DTYPES = [np.float32, np.float64]


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def plain_fit(X, centers, weights, n_iterations):
    """Lloyd's iteration on the sphere in float64, row by row."""
    U, centers = unit(X.astype(np.float64)), centers.astype(np.float64)
    for _ in range(n_iterations):
        labels = (U @ centers.T).argmax(axis=1)
        for c in range(len(centers)):
            total = (weights[labels == c, None] * U[labels == c]).sum(axis=0)
            if (labels == c).any():
                centers[c] = total / np.linalg.norm(total)
    cosines = U @ centers.T
    return cosines.argmax(axis=1), centers, (weights * (1 - cosines.max(axis=1))).sum()


def directions(n, d, dtype=np.float64, seed=0):
    """Rows in random directions and of very different lengths."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) * rng.exponential(size=(n, 1)) ** 3).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("storage", [np.ascontiguousarray, np.asfortranarray, sp.csr_array, "strided"])
@pytest.mark.parametrize(
    ("n", "d", "k"), [(7, 2, 2), (33, 2, 5), (64, 3, 8), (65, 16, 9), (511, 17, 17), (1030, 5, 3)]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_each_iteration_is_that_of_the_plain_version(dtype, storage, n, d, k, weighted):
    X = directions(n, d, dtype, seed=n)
    start = unit(X[:k])  # nobody is without rows
    weights = np.random.default_rng(5).integers(1, 4, n).astype(dtype) if weighted else None
    stored = np.repeat(X, 2, axis=1)[:, ::2] if storage == "strided" else storage(X)
    for n_iterations in (1, 2, 5):
        model = SphericalKMeans(k, init=start, max_iter=n_iterations, tol=0).fit(
            stored, sample_weight=weights
        )
        labels, centers, inertia = plain_fit(
            X,
            start,
            np.ones(n) if weights is None else weights.astype(float),
            min(n_iterations, model.n_iter_),
        )
        # With float32 a row may lie on the border within rounding.
        assert (model.labels_ == labels).mean() >= (1.0 if dtype is np.float64 else 0.995)
        np.testing.assert_allclose(
            model.cluster_centers_, centers, atol=1e-12 if dtype is np.float64 else 2e-3
        )
        assert model.inertia_ == pytest.approx(inertia, rel=1e-10 if dtype is np.float64 else 1e-4)
        assert model.cluster_centers_.dtype == dtype


def test_one_column_has_two_directions():
    X = np.array([[3.0], [-0.1], [2.0], [-9.0], [0.0]])
    model = SphericalKMeans(2, init=[[1.0], [-2.0]]).fit(X)
    assert model.labels_.tolist() == [0, 1, 0, 1, 0]
    assert model.cluster_centers_.tolist() == [[1.0], [-1.0]]
    assert model.inertia_ == 1.0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_the_end_is_a_fixed_point(dtype, init):
    X = directions(700, 6, dtype)
    model = SphericalKMeans(7, init=init, tol=0, random_state=0).fit(X)
    tolerance = 1e-12 if dtype is np.float64 else 1e-5
    U = unit(X.astype(np.float64))
    np.testing.assert_allclose(np.linalg.norm(model.cluster_centers_, axis=1), 1, rtol=tolerance)
    cosines = U @ model.cluster_centers_.T.astype(np.float64)
    chosen = cosines[np.arange(700), model.labels_]
    np.testing.assert_allclose(chosen, cosines.max(axis=1), atol=tolerance)
    for c in range(7):
        total = U[model.labels_ == c].sum(axis=0)
        np.testing.assert_allclose(model.cluster_centers_[c], total / np.linalg.norm(total), atol=tolerance)
    assert model.inertia_ == pytest.approx((1 - chosen).sum(), rel=1e-5)
    # Half of the k-means objective on the sphere.
    squared = ((U - model.cluster_centers_[model.labels_]) ** 2).sum()
    assert model.inertia_ == pytest.approx(0.5 * squared, rel=1e-5)


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_the_inertia_never_rises(storage):
    history = History()
    SphericalKMeans(20, tol=0, init="random", random_state=1, n_init=1, callbacks=[history]).fit(
        storage(directions(2000, 8))
    )
    values = np.array([record.objective for record in history.records])
    assert len(values) > 5
    assert np.all(np.diff(values) <= 1e-9 * values[0])
    assert values[0] > values[-1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_lengths_of_the_rows_do_not_matter(dtype):
    X = directions(400, 5, dtype)
    powers = 2.0 ** np.random.default_rng(0).integers(-20, 20, (400, 1))
    one = SphericalKMeans(6, random_state=3).fit(X)
    other = SphericalKMeans(6, random_state=3).fit((X * powers).astype(dtype))
    np.testing.assert_array_equal(one.labels_, other.labels_)
    np.testing.assert_array_equal(one.cluster_centers_, other.cluster_centers_)
    np.testing.assert_allclose(one.transform(X), other.transform((X * powers).astype(dtype)), atol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "scale"), [(np.float32, 1e25), (np.float32, 1e-25), (np.float64, 1e200), (np.float64, 1e-200)]
)
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_squares_may_leave_the_range_of_floats(dtype, scale, storage):
    X = unit(directions(200, 4)).astype(dtype)
    plain = SphericalKMeans(4, random_state=0).fit(X)
    scaled = storage(X * dtype(scale))
    model = SphericalKMeans(4, random_state=0).fit(scaled)
    assert (model.labels_ == plain.labels_).mean() > 0.99
    assert model.inertia_ == pytest.approx(plain.inertia_, rel=1e-4)
    np.testing.assert_allclose(model.transform(scaled), model.transform(X), atol=1e-5)
    start = SphericalKMeans(4, init=X[:4] * dtype(scale)).fit(X)
    assert np.isfinite(start.cluster_centers_).all()


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_zero_rows_get_label_zero_and_move_nothing(storage):
    X = directions(60, 4)
    start = unit(X[:3])
    without = SphericalKMeans(3, init=start).fit(X)
    padded = np.vstack([np.zeros((2, 4)), X, np.zeros((1, 4))])
    model = SphericalKMeans(3, init=start).fit(storage(padded))
    np.testing.assert_allclose(model.cluster_centers_, without.cluster_centers_, rtol=1e-12)
    np.testing.assert_array_equal(model.labels_[2:-1], without.labels_)
    assert model.labels_[[0, 1, -1]].tolist() == [0, 0, 0]
    assert model.inertia_ == pytest.approx(without.inertia_ + 3)
    assert model.predict(storage(np.zeros((1, 4)))).tolist() == [0]
    np.testing.assert_array_equal(model.transform(storage(np.zeros((1, 4)))), np.ones((1, 3)))
    seeded = SphericalKMeans(3, random_state=0).fit(storage(padded))
    assert np.isfinite(seeded.cluster_centers_).all()


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_without_any_direction_there_is_nothing_to_cluster(init):
    with pytest.raises(ValueError, match="every row is zero or has no weight"):
        SphericalKMeans(2, init=init).fit(np.zeros((5, 3)))
    X = np.eye(5)
    X[2:] = 0
    with pytest.raises(ValueError, match="every row is zero or has no weight"):
        SphericalKMeans(2, init=init).fit(X, sample_weight=[0, 0, 1, 1, 1])


@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_weight_is_a_repetition_and_the_order_of_rows_is_no_matter(init, dtype):
    rng = np.random.default_rng(7)
    X, weights = directions(150, 5, dtype), rng.integers(0, 4, 150)
    model = SphericalKMeans(6, init=init, random_state=2, n_init=2)
    weighted = model.fit(X, sample_weight=weights).cluster_centers_
    order = rng.permutation(weights.sum())
    repeated = model.fit(np.repeat(X, weights, axis=0)[order]).cluster_centers_
    np.testing.assert_allclose(weighted, repeated, atol=1e-12 if dtype is np.float64 else 1e-5)


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_do_not_change_a_bit(storage, dtype):
    X = storage(directions(40_000, 12, dtype))
    fits = [SphericalKMeans(30, random_state=0, max_iter=15, n_jobs=n).fit(X) for n in (1, 2, 3, 7)]
    for fit in fits[1:]:
        np.testing.assert_array_equal(fit.labels_, fits[0].labels_)
        np.testing.assert_array_equal(fit.cluster_centers_, fits[0].cluster_centers_)
        assert fit.inertia_ == fits[0].inertia_
        np.testing.assert_array_equal(fit.predict(X), fits[0].predict(X))
        assert fit.score(X) == fits[0].score(X)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_centre_without_rows_gets_the_farthest_row(dtype):
    # Three directions near the x axis, one far off; both centres sit near the x axis.
    X = np.array([[1, 0], [1, 0.1], [1, -0.1], [0.5, 1]], dtype=dtype)
    model = SphericalKMeans(2, init=np.array([[1, 0], [-1, -0.5]], dtype=dtype)).fit(X)
    assert model.labels_.tolist() == [0, 0, 0, 1]
    np.testing.assert_allclose(model.cluster_centers_[1], unit(X[3:].astype(float))[0], rtol=1e-6)


def test_a_centre_without_rows_does_not_take_the_only_row_of_another():
    # The last row is the farthest from its centre, but alone with it.
    X = np.array([[1.0, 0.0], [1.0, 0.01], [0.6, 0.8]])
    model = SphericalKMeans(3, init=[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]).fit(X)
    assert model.labels_.tolist() == [0, 2, 1]


def test_several_centres_without_rows():
    X = directions(50, 3)
    far = np.tile(-unit(X.mean(axis=0)[None]), (9, 1)) + 1e-9
    model = SphericalKMeans(10, init=np.vstack([unit(X[:1]), far]), tol=0).fit(X)
    assert np.unique(model.labels_).size == 10


def test_rows_that_cancel_leave_their_centre_in_place():
    X = np.array([[0.0, 1.0], [0.0, -1.0]])
    model = SphericalKMeans(1, init=np.array([[1.0, 0.0]])).fit(X)
    assert model.cluster_centers_.tolist() == [[1.0, 0.0]]
    assert model.inertia_ == 2.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_fewer_directions_than_clusters(dtype):
    X = np.array([[1, 2], [2, 4], [3, 6], [1, 0], [7, 0]], dtype=dtype)
    with pytest.warns(
        ConvergenceWarning, match=r"distinct clusters \(2\) found smaller than n_clusters \(4\)"
    ):
        model = SphericalKMeans(4, random_state=0).fit(X)
    assert model.inertia_ == pytest.approx(0, abs=1e-6)
    assert model.labels_[0] == model.labels_[1] == model.labels_[2] != model.labels_[3] == model.labels_[4]


def test_kmeans_plusplus_finds_separated_directions():
    rng = np.random.default_rng(0)
    axes = np.eye(12)
    X = np.repeat(axes, 40, axis=0) + 0.02 * rng.normal(size=(480, 12))
    for seed in range(5):
        model = SphericalKMeans(12, random_state=seed).fit(X)
        assert [np.unique(model.labels_[i : i + 40]).size for i in range(0, 480, 40)] == [1] * 12
        assert np.unique(model.labels_).size == 12


def test_the_best_start_is_kept():
    X = directions(300, 4)
    history = History()
    model = SphericalKMeans(12, init="random", n_init=8, random_state=0, tol=0, callbacks=[history]).fit(X)
    last = {record.restart: record.objective for record in history.records}
    assert len(last) == 8
    assert model.inertia_ == pytest.approx(min(last.values()), rel=1e-12)
    assert max(last.values()) > model.inertia_


def test_a_callback_stops_the_fit():
    class Stop:
        def on_iteration(self, info):
            return info.iteration == 2

    model = SphericalKMeans(10, init="random", n_init=4, random_state=0, tol=0, callbacks=[Stop()])
    X = directions(1000, 5)
    assert model.fit(X).n_iter_ == 2
    np.testing.assert_array_equal(model.labels_, model.predict(X))


@pytest.mark.parametrize("tol", [0, 1e-4, 0.5])
def test_labels_are_those_of_predict(tol):
    X = directions(900, 7)
    model = SphericalKMeans(9, random_state=0, tol=tol, max_iter=4 if tol == 0 else 300).fit(X)
    np.testing.assert_array_equal(model.labels_, model.predict(X))
    assert model.score(X) == -model.inertia_
    weights = np.random.default_rng(0).random(900)
    assert model.score(X, sample_weight=weights) == pytest.approx(
        -(weights * model.transform(X)[np.arange(900), model.labels_]).sum(), rel=1e-10
    )


def test_a_function_as_init():
    X = directions(100, 3)
    calls = []

    def init(data, n_clusters, random_state):
        calls.append((data is X, n_clusters, random_state))
        return data[:n_clusters]

    model = SphericalKMeans(5, init=init, n_init=3, random_state=np.random.RandomState(0)).fit(X)
    assert [call[:2] for call in calls] == [(True, 5)] * 3
    assert model.inertia_ == SphericalKMeans(5, init=X[:5]).fit(X).inertia_


def test_bad_arguments():
    X = directions(20, 3)
    with pytest.raises(ValueError, match="n_samples=20 should be >= n_clusters=21"):
        SphericalKMeans(21).fit(X)
    with pytest.raises(ValueError, match="does not match the number of clusters 4"):
        SphericalKMeans(4, init=X[:3]).fit(X)
    with pytest.raises(ValueError, match="does not match the number of features of the data 3"):
        SphericalKMeans(4, init=X[:4, :2]).fit(X)
    with pytest.raises(ValueError, match="must not be zero"):
        SphericalKMeans(2, init=np.zeros((2, 3))).fit(X)
    with pytest.raises(ValueError, match="NaN"):
        SphericalKMeans(2, init=np.full((2, 3), np.nan)).fit(X)
    with pytest.raises(ValueError, match="'init' parameter of SphericalKMeans"):
        SphericalKMeans(2, init="k-means||").fit(X)
    with pytest.raises(ValueError, match="'n_clusters' parameter of SphericalKMeans"):
        SphericalKMeans(0).fit(X)
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        SphericalKMeans(2).fit(X, sample_weight=-np.ones(20))
    with pytest.raises(NotFittedError):
        SphericalKMeans(2).transform(X)


def test_a_fit_that_fails_leaves_the_estimator_as_it_was():
    X = directions(20, 3)
    model = SphericalKMeans(3, random_state=0).fit(X)
    centers = model.cluster_centers_
    with pytest.raises(ValueError, match="every row is zero"):
        model.fit(np.zeros((5, 4)))
    assert model.cluster_centers_ is centers
    assert model.n_features_in_ == 3


def test_the_initial_centres_and_the_data_are_not_changed():
    X = directions(50, 3)
    start, data = 5 * X[:4], X.copy()
    kept = start.copy()
    SphericalKMeans(4, init=start).fit(X)
    np.testing.assert_array_equal(start, kept)
    np.testing.assert_array_equal(X, data)


@pytest.mark.parametrize("estimator", [SphericalKMeans(), SphericalKMeans(init="random")], ids=str)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_contract(estimator):
    check_estimator(estimator)


def test_memory_does_not_grow_with_rows_times_clusters(peak_bytes):
    # n k float32 would be 800 MB.
    setup = """
import numpy as np
from mlcore.cluster import SphericalKMeans
X = np.random.default_rng(0).normal(size=(500_000, 4)).astype(np.float32)
SphericalKMeans(4, init=X[:4], max_iter=2).fit(X[:1000]).predict(X[:1000])
"""
    call = "SphericalKMeans(400, init=X[:400], max_iter=2).fit(X).predict(X)"
    assert peak_bytes(setup, call)[0] < 60e6
