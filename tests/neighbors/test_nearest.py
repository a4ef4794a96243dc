"""The native search for the nearest rows against sorting all distances by (r, row number)."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore import _core


def reduced(X, Y, metric, p):
    """r of all pairs, added in the order of the columns."""
    total = np.zeros((len(X), len(Y)))
    for x, y in zip(X.T.astype(float), Y.T.astype(float), strict=True):
        difference = np.abs(x[:, None] - y[None])
        if metric == "chebyshev":
            total = np.maximum(total, difference)
        elif metric == "manhattan":
            total = total + difference
        elif metric == "minkowski":
            total = total + difference**p
        else:
            total = total + difference * difference
    return total


def oracle(X, Y, k, metric="euclidean", p=3.0):
    r = reduced(X, Y, metric, p)
    rows = np.argsort(r, axis=1, kind="stable")[:, :k]  # stable: the lower row first
    return np.take_along_axis(r, rows, axis=1), rows


def distance(r, metric, p=3.0):
    return {"euclidean": np.sqrt(r), "minkowski": r ** (1 / p)}.get(metric, r)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev", "minkowski"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sorting_all_distances_gives_the_same(metric, dtype):
    rng = np.random.default_rng(len(metric))
    for trial in range(30):
        n, m = (int(v) for v in rng.choice([1, 2, 31, 32, 33, 65, 200], size=2))
        d = int(rng.choice([1, 2, 3, 8, 17, 40]))
        if trial % 3:  # many ties
            X, Y = (rng.integers(0, 4, size=(rows, d)).astype(dtype) for rows in (n, m))
        else:
            X, Y = (rng.normal(size=(rows, d)).astype(dtype) for rows in (n, m))
        k = int(rng.integers(1, m + 1))
        distances, rows = _core.neighbors.nearest(Y, X, k, metric, 3.0, True, False, 2)
        r, expected = oracle(X, Y, k, metric)
        assert np.array_equal(rows, expected), (trial, n, m, d, k)
        np.testing.assert_allclose(distances, distance(r, metric), rtol=1e-14)


def test_rows_about_the_others():
    X = np.random.default_rng(0).integers(0, 5, size=(150, 2)).astype(float)  # every row has equals
    distances, rows = _core.neighbors.nearest(X, None, 7, "euclidean", 2.0, True, False, 0)
    r = reduced(X, X, "euclidean", 2.0)
    np.fill_diagonal(r, np.inf)
    assert np.array_equal(rows, np.argsort(r, axis=1, kind="stable")[:, :7])
    assert np.array_equal(distances, np.sqrt(np.take_along_axis(r, rows, axis=1)))
    alone, none = _core.neighbors.nearest(X, None, 7, "euclidean", 2.0, False, False, 0)
    assert none is None
    assert np.array_equal(alone, distances)


def test_equal_rows_and_overflow_end_soon():
    X = np.ones((30_000, 3))
    distances, rows = _core.neighbors.nearest(X, None, 5, "euclidean", 2.0, True, False, 0)
    assert not distances.any()
    assert rows[:5].tolist() == [
        [1, 2, 3, 4, 5],
        [0, 2, 3, 4, 5],
        [0, 1, 3, 4, 5],
        [0, 1, 2, 4, 5],
        [0, 1, 2, 3, 5],
    ]
    assert (rows[5:] == np.arange(5)).all()
    far = np.arange(100.0)[:, None] * 1e300
    distances, rows = _core.neighbors.nearest(far, None, 3, "euclidean", 2.0, True, False, 0)
    assert np.isinf(distances).all()
    assert rows[50].tolist() == [0, 1, 2]  # all are infinitely far: the lowest


@pytest.mark.parametrize("n_jobs", [2, 3, 7])
def test_threads_do_not_matter(n_jobs):
    X = np.random.default_rng(0).uniform(size=(20_000, 4))
    one = _core.neighbors.nearest(X, None, 6, "euclidean", 2.0, True, False, 1)
    many = _core.neighbors.nearest(X, None, 6, "euclidean", 2.0, True, False, n_jobs)
    assert np.array_equal(one[0], many[0])
    assert np.array_equal(one[1], many[1])


def test_what_does_not_fit_is_refused():
    X = np.zeros((4, 2))
    for fitted, queries, k, words in (
        (X, X[:, :1], 1, "columns"),
        (X, X, 0, "number of rows"),
        (X, X, 5, "number of rows"),
        (X, None, 4, "number of rows"),
        (X[:0], X, 1, "at least one row"),
    ):
        with pytest.raises(ValueError, match=words):
            _core.neighbors.nearest(fitted, queries, k, "euclidean", 2.0, True, False, 1)
