"""BisectingKMeans: the tree, its labels, and that every split is a k-means fit."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from mlcore.callbacks import History
from mlcore.cluster import BisectingKMeans, KMeans

THREE = np.array([[1, 1], [10, 1], [3, 1], [10, 0], [2, 1], [10, 2], [10, 8], [10, 9], [10, 10]], dtype=float)


def rows(n, d=3, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) + 4 * rng.integers(0, 4, size=(n, 1))).astype(dtype)


@pytest.mark.parametrize("strategy", ["biggest_inertia", "largest_cluster"])
@pytest.mark.parametrize("init", ["k-means++", "k-means||", "random"])
def test_three_clusters(init, strategy):
    fitted = BisectingKMeans(3, init=init, bisecting_strategy=strategy, random_state=0).fit(THREE)
    assert sorted(fitted.cluster_centers_.tolist()) == [[2, 1], [10, 1], [10, 9]]
    for group in ([0, 2, 4], [1, 3, 5], [6, 7, 8]):
        assert len(set(fitted.labels_[group])) == 1
    assert len(set(fitted.labels_)) == 3
    assert fitted.inertia_ == pytest.approx(6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [300, 3000])
@pytest.mark.parametrize("strategy", ["biggest_inertia", "largest_cluster"])
def test_labels_centres_and_inertia_fit_together(strategy, n, dtype):
    X = rows(n, dtype=dtype)
    fitted = BisectingKMeans(9, bisecting_strategy=strategy, tol=0, random_state=0).fit(X)
    assert set(fitted.labels_) == set(range(9))
    np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
    means = np.stack([X[fitted.labels_ == j].mean(axis=0, dtype=float) for j in range(9)])
    np.testing.assert_allclose(fitted.cluster_centers_, means, rtol=1e-5, atol=1e-5)
    inertia = ((X - means[fitted.labels_]) ** 2).sum()
    assert fitted.inertia_ == pytest.approx(inertia, rel=1e-5)
    assert fitted.cluster_centers_.dtype == dtype
    assert fitted.labels_.dtype == np.int32


def test_first_split_is_kmeans_with_two_centres():
    X = rows(500)
    start = X[[3, 7]]
    halves = KMeans(2, init=start, n_init=1).fit(X)
    fitted = BisectingKMeans(2, init=lambda X, n_clusters, random_state: start).fit(X)
    np.testing.assert_array_equal(fitted.labels_, halves.labels_)
    np.testing.assert_array_equal(fitted.cluster_centers_, halves.cluster_centers_)
    assert fitted.inertia_ == pytest.approx(halves.inertia_)


def test_strategies_split_what_they_say():
    # Many rows close together, and few rows far apart.
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(200, 1)), [[1000.0], [1400.0]]])
    common = {"n_clusters": 3, "init": "k-means++", "n_init": 5, "random_state": 0}
    by_inertia = BisectingKMeans(bisecting_strategy="biggest_inertia", **common).fit(X)
    assert sorted(np.bincount(by_inertia.labels_)) == [1, 1, 200]
    by_size = BisectingKMeans(bisecting_strategy="largest_cluster", **common).fit(X)
    assert max(np.bincount(by_size.labels_)) < 200
    assert by_size.labels_[-1] == by_size.labels_[-2]


def test_splits_are_nested():
    X = rows(400)
    coarse, fine = (BisectingKMeans(k, random_state=0).fit(X).labels_ for k in (4, 7))
    for cluster in range(7):
        assert len(set(coarse[fine == cluster])) == 1


def test_more_clusters_never_raise_the_inertia():
    X = rows(400)
    inertias = [BisectingKMeans(k, random_state=0).fit(X).inertia_ for k in range(1, 12)]
    assert all(b <= a for a, b in zip(inertias, inertias[1:]))  # noqa: RUF007 - as the formula reads


def test_one_cluster():
    fitted = BisectingKMeans(1).fit(THREE)
    assert not fitted.labels_.any()
    assert not fitted.predict(THREE).any()
    np.testing.assert_allclose(fitted.cluster_centers_, THREE.mean(axis=0, keepdims=True))


def test_as_many_clusters_as_rows():
    fitted = BisectingKMeans(9, random_state=0).fit(THREE)
    assert sorted(fitted.labels_) == list(range(9))
    assert fitted.inertia_ == 0


def test_rows_that_cannot_be_told_apart():
    X = np.repeat([[0.0, 1.0], [5.0, 5.0]], 4, axis=0)
    with pytest.warns(
        ConvergenceWarning, match=r"Number of distinct clusters \(2\) found smaller than n_clus"
    ) as w:
        fitted = BisectingKMeans(4, random_state=0).fit(X)
    assert w[0].filename == __file__
    assert fitted.cluster_centers_.shape == (4, 2)
    assert fitted.inertia_ == 0
    np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sparse_equals_dense(index, half_empty):
    dense, csr = half_empty
    csr.indices, csr.indptr = csr.indices.astype(index), csr.indptr.astype(index)
    a, b = (BisectingKMeans(6, random_state=0).fit(X) for X in (dense, csr))
    np.testing.assert_array_equal(a.labels_, b.labels_)
    np.testing.assert_allclose(a.cluster_centers_, b.cluster_centers_, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(a.predict(csr), b.predict(dense))
    np.testing.assert_allclose(a.transform(csr), b.transform(dense), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("algorithm", ["auto", "elkan", "hamerly", "exponion", "yinyang"])
def test_every_algorithm_gives_the_same_tree(algorithm):
    X = rows(2000)
    a, b = (BisectingKMeans(6, algorithm=name, random_state=0).fit(X) for name in ("lloyd", algorithm))
    np.testing.assert_array_equal(a.labels_, b.labels_)


def test_any_number_of_threads_gives_the_same_bits():
    X = rows(20_000, 8, dtype=np.float32)
    weights = np.random.default_rng(0).uniform(size=len(X))
    fits = [
        BisectingKMeans(6, random_state=0, n_jobs=jobs).fit(X, sample_weight=weights) for jobs in (1, 2, 7)
    ]
    for other in fits[1:]:
        np.testing.assert_array_equal(other.labels_, fits[0].labels_)
        np.testing.assert_array_equal(other.cluster_centers_, fits[0].cluster_centers_)
        assert other.inertia_ == fits[0].inertia_


def test_weights_equal_repetitions():
    X = rows(200)
    weights = np.random.default_rng(0).integers(0, 3, size=len(X))
    weighted = BisectingKMeans(5, random_state=0).fit(X, sample_weight=weights)
    repeated = BisectingKMeans(5, random_state=0).fit(np.repeat(X, weights, axis=0))
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))
    assert weighted.inertia_ == pytest.approx(repeated.inertia_, rel=1e-12)


def test_a_part_without_any_weight_can_be_split():
    X = np.array([[0.0], [1.0], [100.0], [101.0]])
    fitted = BisectingKMeans(
        4, init="k-means++", bisecting_strategy="largest_cluster", random_state=0
    ).fit(X, sample_weight=[1, 1, 0, 0])  # fmt: skip
    assert sorted(fitted.labels_) == [0, 1, 2, 3]


def test_predict_with_empty_branches():
    rng = np.random.default_rng(0)
    fitted = BisectingKMeans(10, random_state=0).fit(rng.random((1000, 4)))
    labels = fitted.predict(50 * rng.random((30, 4)))
    assert set(labels) < set(range(10))
    assert labels.shape == (30,)


def test_bad_parameters():
    X = rows(20)
    for parameters, words in [
        (
            {"bisecting_strategy": "no"},
            "The 'bisecting_strategy' parameter of BisectingKMeans must be a str among",
        ),
        ({"init": np.zeros((2, 3))}, "The 'init' parameter of BisectingKMeans must be"),
        ({"n_clusters": 21}, "n_samples=20 should be >= n_clusters=21"),
        ({"init": lambda X, k, random_state: X[:3]}, "does not match the number of clusters 2"),
    ]:
        estimator = BisectingKMeans(**{"n_clusters": 3, **parameters})
        before = vars(estimator).copy()
        with pytest.raises(ValueError, match=words):
            estimator.fit(X)
        assert vars(estimator) == before


def test_callbacks_see_splits_and_stop():
    history = History()
    BisectingKMeans(6, random_state=0, callbacks=[history]).fit(rows(100))
    assert [info.iteration for info in history.records] == [1, 2, 3, 4, 5]

    class Stop:
        def on_iteration(self, info):
            return info.iteration == 2

    stopped = BisectingKMeans(6, random_state=0, callbacks=[Stop()]).fit(rows(100))
    assert stopped.cluster_centers_.shape == (3, 3)
    assert set(stopped.labels_) == {0, 1, 2}


def test_verbose_and_pickle(capsys):
    X = rows(100)
    fitted = BisectingKMeans(3, random_state=0, verbose=1).fit(X)
    assert capsys.readouterr().out.count("Initialization complete") == 2
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.predict(X), fitted.labels_)


def test_a_tree_that_is_a_chain():
    # Distances double, so that each split cuts off one row: deep recursion must not be needed anywhere.
    X = (2.0 ** np.arange(300))[:, None] / 2.0**150
    fitted = BisectingKMeans(200, init="k-means++", random_state=0).fit(X)
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.predict(X), fitted.labels_)


@pytest.mark.peer
def test_same_parameters_and_attributes_as_scikit_learn():
    from sklearn.cluster import BisectingKMeans as Peer

    ours = {**BisectingKMeans().get_params(), "algorithm": "lloyd"}
    assert ours == {**Peer().get_params(), "n_jobs": None, "callbacks": None}
    X = rows(100)
    fitted, peer = (C(3, random_state=0).fit(X) for C in (BisectingKMeans, Peer))
    public = {name for name in vars(peer) if name.endswith("_") and not name.startswith("_")}
    assert public <= set(vars(fitted))


def test_other_sparse_formats():
    X = rows(50)
    a, b = (BisectingKMeans(3, random_state=0).fit(x) for x in (X, sp.csc_array(X)))
    np.testing.assert_array_equal(a.labels_, b.labels_)


def test_score_of_a_part_counts_weights():
    # Two groups of the same width, the right one of much more weight: it is split first.
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(60, 2)), rng.normal(size=(60, 2)) + 1000])
    for heavy in (slice(0, 60), slice(60, 120)):
        weights = np.ones(120)
        weights[heavy] = 100
        fitted = BisectingKMeans(3, init="k-means++", random_state=0).fit(X, sample_weight=weights)
        assert len(set(fitted.labels_[heavy])) == 2


@pytest.mark.parametrize("n", [4, 1400])
def test_a_single_row_is_never_split(n):
    X = np.full((n, 1), 5.0)
    for single in (0.0, 9.0):
        X[0] = single
        with pytest.warns(ConvergenceWarning, match="Number of distinct clusters"):
            fitted = BisectingKMeans(4, random_state=0).fit(X)
        assert fitted.inertia_ == 0
        np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
