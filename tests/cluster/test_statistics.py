"""KMeansStatistics: partial, combine, finish make the same step as one fit on all rows."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp

from mlcore.cluster import KMeans, KMeansStatistics


@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sp.csr_array, sp.csc_array, np.float32])
def test_blocks_make_one_iteration(container, blobs, oracle):
    X, centers = blobs
    X = container(X)
    weights = np.random.default_rng(0).uniform(size=400)
    together = None
    for first, last in [(0, 1), (1, 150), (150, 400)]:
        block = KMeansStatistics.partial(X[first:last], centers, weights[first:last])
        together = block if together is None else together.combine(block)
    dense = X.toarray() if sp.issparse(X) else X
    sums, totals, inertia = oracle.partial(dense, weights, centers)
    rtol = 1e-5 if dense.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(together.sums, sums, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(together.weights, totals, rtol=rtol)
    assert together.inertia == pytest.approx(inertia, rel=1e-6)
    assert together.sums.dtype == together.weights.dtype == np.float64
    one = KMeans(5, init=centers, n_init=1, max_iter=1).fit(X, sample_weight=weights)
    np.testing.assert_allclose(together.finish(centers), one.cluster_centers_, rtol=rtol, atol=rtol)


def test_iterated_steps_are_a_fit(blobs):
    X, start = blobs
    centers = start
    fitted = KMeans(5, init=start, n_init=1, tol=0).fit(X)
    for _ in range(fitted.n_iter_):
        blocks = [KMeansStatistics.partial(block, centers) for block in np.array_split(X, 7)]
        total = blocks[0]
        for block in blocks[1:]:
            total = total.combine(block)
        centers = total.finish(centers)
    np.testing.assert_allclose(centers, fitted.cluster_centers_, rtol=1e-12)


def test_cluster_without_weight_keeps_its_centre(blobs):
    X, centers = blobs
    centers[2] = 1e6
    moved = KMeansStatistics.partial(X, centers).finish(centers)
    np.testing.assert_array_equal(moved[2], centers[2])
    assert not np.shares_memory(moved, centers)


def test_arguments_are_not_changed(blobs):
    X, centers = blobs
    a, b = KMeansStatistics.partial(X[:200], centers), KMeansStatistics.partial(X[200:], centers)
    kept = a.sums.copy(), b.sums.copy(), centers.copy()
    a.combine(b).finish(centers)
    for given, before in zip((a.sums, b.sums, centers), kept):
        np.testing.assert_array_equal(given, before)


def test_travels_by_pickle(blobs):
    X, centers = blobs
    a = KMeansStatistics.partial(X, centers)
    b = pickle.loads(pickle.dumps(a))
    np.testing.assert_array_equal(a.sums, b.sums)
    assert a.inertia == b.inertia


def test_any_number_of_threads_gives_the_same_bits():
    X = np.random.default_rng(0).normal(size=(50_000, 7))
    found = [KMeansStatistics.partial(X, X[:9], n_jobs=jobs) for jobs in (1, 2, 7)]
    for other in found[1:]:
        np.testing.assert_array_equal(other.sums, found[0].sums)
        assert other.inertia == found[0].inertia


def test_what_does_not_fit_is_refused(blobs):
    X, centers = blobs
    found = KMeansStatistics.partial(X, centers)
    with pytest.raises(ValueError, match="X has 3 features, but centers has 4"):
        KMeansStatistics.partial(X[:, :3], centers)
    with pytest.raises(ValueError, match="The statistics have shapes"):
        found.combine(KMeansStatistics.partial(X, centers[:2]))
    with pytest.raises(ValueError, match="The statistics have shape"):
        found.finish(centers[:2])
    with pytest.raises(ValueError, match="NaN"):
        KMeansStatistics.partial(np.full((2, 4), np.nan), centers)
    with pytest.raises(ValueError, match="Negative values"):
        KMeansStatistics.partial(X, centers, -np.ones(400))
