"""Bins by weighted sketches: every edge within the stated distance of its rank."""

import numpy as np
import pytest

from mlcore._core import tree


def sketch(X, weights, max_bins, rows=None, mask=None, threads=1):
    X = X[:, None] if X.ndim == 1 else X
    return tree.sketch_bins(X, weights.astype(np.float32), rows, max_bins, mask, threads)


def rank_errors(x, weights, edges, max_bins):
    """For each wanted rank the distance of the nearest edge's ranks, as a share of the total weight."""
    order = np.argsort(x, kind="stable")
    x, weights = x[order], weights[order].astype(np.float64)
    cumulative = np.concatenate([[0.0], np.cumsum(weights)])
    below = cumulative[np.searchsorted(x, edges, "left")]
    upto = cumulative[np.searchsorted(x, edges, "right")]
    # The largest value is no edge: nothing lies beyond it.
    below, upto = np.append(below, cumulative[np.searchsorted(x, x[-1])]), np.append(upto, cumulative[-1])
    wanted = np.arange(1, max_bins)[:, None] / max_bins * cumulative[-1]
    distance = np.maximum(np.maximum(below - wanted, wanted - upto), 0)
    return distance.min(axis=1) / cumulative[-1]


@pytest.mark.parametrize("n", [300, 8191, 8192, 8193, 60_000])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("max_bins", [8, 64, 255])
def test_rank_error(n, weighted, max_bins):
    rng = np.random.default_rng(n)
    x = rng.normal(size=n) ** 3
    w = rng.pareto(1.5, size=n).astype(np.float32) if weighted else np.ones(1, np.float32)
    (edges,) = sketch(x, w, max_bins)
    w = np.broadcast_to(w, n)
    errors = rank_errors(x, w, edges, max_bins)
    bound = 1 / (4 * max_bins)
    assert errors.max() <= bound * (1 + 1e-9)
    if n <= 8192:  # one block is exact
        assert errors.max() <= 1e-9
    # No bin of several values holds more than its share and the errors on both sides.
    bins = np.searchsorted(edges, x, "left")
    shares = np.bincount(bins, weights=w.astype(np.float64)) / w.sum(dtype=np.float64)
    for b in np.flatnonzero(shares > 1.5 / max_bins * (1 + 1e-9)):
        inside = x[bins == b]
        heaviest = max(w[x == value].sum() for value in np.unique(inside))
        assert heaviest / w.sum() > shares[b] - 1.5 / max_bins * (1 + 1e-9)


def test_sorted_blocks_and_repeated_values():
    """Blocks that do not overlap, and values with more weight than a bin."""
    n = 50_000
    for x in (
        np.arange(n, dtype=float),
        np.arange(n, dtype=float)[::-1].copy(),
        np.floor(np.arange(n) ** 0.5),
    ):
        w = np.where(x > np.median(x), 5.0, 0.1).astype(np.float32)
        w[x == x[n // 3]] *= 300
        (edges,) = sketch(x, w, 32)
        assert rank_errors(x, w, edges, 32).max() <= 1 / 128 * (1 + 1e-9)


def test_few_values_give_their_midpoints():
    rng = np.random.default_rng(0)
    x = rng.integers(20, size=30_000) ** 2.0
    x[rng.random(x.size) < 0.1] = np.nan
    (edges,) = sketch(x, np.ones(1), 20)
    values = np.arange(20) ** 2.0
    np.testing.assert_array_equal(edges, (values[1:] + values[:-1]) / 2)


def test_rows_missing_values_and_categories():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(20_000, 3))
    X[rng.random(20_000) < 0.3, 0] = np.nan
    X[:, 2] = np.nan
    w = rng.uniform(size=20_000).astype(np.float32)
    rows = np.flatnonzero(rng.random(20_000) < 0.5).astype(np.uint32)
    of_rows = sketch(X, w, 50, rows=rows)
    copied = sketch(X[rows], w[rows], 50)
    for a, b in zip(of_rows, copied, strict=True):
        np.testing.assert_array_equal(a, b)
    present = rows[~np.isnan(X[rows, 0])]
    assert rank_errors(X[present, 0], w[present], of_rows[0], 50).max() <= 1 / 200 * (1 + 1e-9)
    assert of_rows[2].size == 0
    masked = sketch(X, w, 50, mask=np.array([1, 0, 0], np.uint8))
    assert [edges.size for edges in masked] == [0, 49, 0]


def test_same_edges_for_any_number_of_threads_and_layout():
    rng = np.random.default_rng(2)
    X, w = rng.normal(size=(30_000, 4)), rng.uniform(size=30_000)
    one = sketch(X, w, 100)
    for other in (sketch(X, w, 100, threads=2), sketch(np.asfortranarray(X), w, 100, threads=7)):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_infinite_values_and_weights_of_zero():
    x = np.concatenate([np.full(500, -np.inf), np.linspace(0, 1, 1000), np.full(500, np.inf)])
    (edges,) = sketch(x, np.ones(1), 10)
    assert (np.diff(edges) > 0).all()
    assert np.isneginf(edges[0])
    assert np.isfinite(edges[1:]).all()
    w = np.where(np.arange(2000) < 1900, 0.0, 1.0).astype(np.float32)
    (edges,) = sketch(np.arange(2000.0), w, 10)
    assert (edges >= 1899).all()
    assert edges.size == 9


def test_invalid_input():
    X = np.zeros((5, 2))
    for call in (
        lambda: sketch(X, np.ones(4), 10),
        lambda: sketch(X, np.ones(5), 256),
        lambda: sketch(X, np.ones(5), 10, rows=np.array([5], np.uint32)),
        lambda: sketch(X, np.ones(5), 10, mask=np.zeros(3, np.uint8)),
    ):
        with pytest.raises(ValueError, match=r"one value per|max_bins|out of range"):
            call()
