"""kmeans_plusplus and the starts of small data."""

import numpy as np
import pytest
import scipy.sparse as sp

from mlcore import _core
from mlcore.cluster import KMeans, kmeans_plusplus


def potential(X, centers):
    return ((X[:, None] - centers[None]) ** 2).sum(axis=2).min(axis=1).sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sp.csr_array])
def test_centres_are_the_rows_at_the_indices(container, dtype, blobs):
    X = blobs[0].astype(dtype)
    centers, indices = kmeans_plusplus(container(X), 6, random_state=0)
    np.testing.assert_array_equal(centers, X[indices])
    assert centers.dtype == dtype
    assert indices.dtype == np.int64
    assert len(set(indices)) == 6


def test_layout_and_threads_do_not_matter():
    X = np.random.default_rng(0).normal(size=(30_000, 6))
    reference = kmeans_plusplus(X, 20, random_state=1)[1]
    for other, jobs in [(X, 1), (X, 2), (X, 7), (np.asfortranarray(X), None), (sp.csr_array(X), 2)]:
        np.testing.assert_array_equal(kmeans_plusplus(other, 20, random_state=1, n_jobs=jobs)[1], reference)


def test_rows_without_weight_are_not_drawn(blobs):
    X, _ = blobs
    weights = np.ones(len(X))
    weights[::2] = 0
    for seed in range(20):
        assert (kmeans_plusplus(X, 8, sample_weight=weights, random_state=seed)[1] % 2 == 1).all()
    for init in ("k-means++", "k-means||", "random"):
        km = KMeans(8, init=init, n_init=1, max_iter=1, random_state=0)
        one, other = km.fit(X, sample_weight=weights).cluster_centers_, km.fit(X[1::2]).cluster_centers_
        np.testing.assert_allclose(one, other)


@pytest.mark.parametrize("weight", [1.0, 3.0, 0.37, 1e-6])
def test_equal_weights_draw_what_no_weights_draw(weight, blobs):
    X, _ = blobs
    weights = np.full(len(X), weight)
    for seed in range(10):
        plain = kmeans_plusplus(X, 6, random_state=seed)[1]
        weighted = kmeans_plusplus(X, 6, sample_weight=weights, random_state=seed)[1]
        np.testing.assert_array_equal(weighted, plain)
    for init in ("k-means||", "random"):
        km = KMeans(6, init=init, n_init=1, random_state=0)
        plain = km.fit(X).labels_
        np.testing.assert_array_equal(km.fit(X, sample_weight=weights).labels_, plain)


def test_draws_follow_the_weights_and_the_squared_distance():
    # After row 0, a single trial takes the far row with probability 900 / 902.
    X = np.array([[0.0], [1.0], [30.0]])
    seconds, firsts = [], []
    for seed in range(400):
        rows = kmeans_plusplus(X, 2, sample_weight=[1, 2, 1], random_state=seed, n_local_trials=1)[1]
        firsts.append(rows[0])
        seconds.append(rows[1] if rows[0] == 0 else -1)
    counts = np.bincount(firsts, minlength=3) / 400
    np.testing.assert_allclose(counts, [0.25, 0.5, 0.25], atol=0.08)
    seconds = np.array(seconds)
    assert (seconds[seconds >= 0] == 2).mean() > 0.97


def test_more_trials_lower_the_potential():
    X = np.random.default_rng(0).normal(size=(2000, 3)) * [1, 5, 1]
    mean = [
        np.mean(
            [
                potential(X, kmeans_plusplus(X, 10, random_state=seed, n_local_trials=t)[0])
                for seed in range(30)
            ]
        )
        for t in (1, 4, 16)
    ]
    assert mean[0] > mean[1] > mean[2]


@pytest.mark.peer
def test_as_good_as_the_peer(blobs):
    from sklearn.cluster import kmeans_plusplus as peer

    X, _ = blobs
    ours, theirs = (
        np.mean([potential(X, draw(X, 10, random_state=seed)[0]) for seed in range(60)])
        for draw in (kmeans_plusplus, peer)
    )
    assert ours == pytest.approx(theirs, rel=0.05)


def test_bad_arguments(blobs):
    X, _ = blobs
    for arguments, words in [
        ({"n_clusters": 0}, "The 'n_clusters' parameter of kmeans_plusplus must be an int"),
        ({"n_clusters": 401}, "n_samples=400 should be >= n_clusters=401"),
        ({"n_clusters": 3, "n_local_trials": 0}, "The 'n_local_trials' parameter of kmeans_plusplus must be"),
        (
            {"n_clusters": 3, "x_squared_norms": np.ones(3)},
            "The length of x_squared_norms 3 should be equal to",
        ),
        ({"n_clusters": 3, "sample_weight": np.ones(3)}, "sample_weight.shape"),
        ({"n_clusters": 3, "sample_weight": -np.ones(400)}, "Negative values in data passed to"),
        ({"n_clusters": 3, "n_jobs": 0}, "n_jobs == 0"),
    ]:
        with pytest.raises(ValueError, match=words):
            kmeans_plusplus(X, **arguments)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_distinct_rows(dtype, index):
    rng = np.random.default_rng(0)
    X = rng.integers(-3, 3, size=(120, 3)).astype(dtype)
    X[rng.random(X.shape) < 0.3] = -0.0
    weights = rng.integers(0, 3, size=120).astype(dtype)
    csr = sp.csr_array(X)
    csr.indices, csr.indptr = csr.indices.astype(index), csr.indptr.astype(index)
    kept = np.flatnonzero(weights)
    values, first, inverse = np.unique(X[kept] + 0.0, axis=0, return_index=True, return_inverse=True)
    totals = np.bincount(inverse.ravel(), weights=weights[kept])
    for given in (X, np.asfortranarray(X), (csr.data, csr.indices, csr.indptr, 3)):
        rows, merged = _core.cluster.distinct_rows(given, weights)
        np.testing.assert_array_equal(X[rows], values)
        np.testing.assert_array_equal(rows, kept[first])
        np.testing.assert_array_equal(merged, totals)
    rows, merged = _core.cluster.distinct_rows(X, None)
    assert merged.sum() == 120


def test_distinct_rows_survives_what_cannot_be_ordered():
    X = np.array([[np.nan], [1.0], [np.nan], [np.inf], [-np.nan]] * 20)
    rows, merged = _core.cluster.distinct_rows(X, None)
    assert merged.sum() == 100
    unsorted = (np.ones(4), np.array([1, 0, 0, 1], dtype=np.int32), np.array([0, 2, 4], dtype=np.int32), 2)
    rows, _ = _core.cluster.distinct_rows(unsorted, None)
    np.testing.assert_array_equal(rows, [0, 1])
    # the same entries twice, each column stored in two parts: nothing is merged where nothing can be ordered
    halves = (np.ones(4), np.zeros(4, dtype=np.int32), np.array([0, 2, 4], dtype=np.int32), 2)
    rows, merged = _core.cluster.distinct_rows(halves, None)
    np.testing.assert_array_equal(rows, [0, 1])
    np.testing.assert_array_equal(merged, [1, 1])
