"""Sums by bin over shards: exact, in any grouping, with the splits of the whole."""

import numpy as np
import pytest

from mlcore.ensemble import HistGradientBoostingRegressor
from mlcore.tree import HistogramStatistics, split_gain


def data(n=500, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    X[:, 1] = rng.integers(3, size=n)
    X[rng.random(n) < 0.2, 2] = np.nan
    g = (X[:, 0] > 0.3) - 0.5 * np.isnan(X[:, 2]) + 0.3 * rng.normal(size=n)
    return X, g.astype(np.float32), rng.uniform(0.2, 1, size=n).astype(np.float32)


def assert_same(a, b):
    for name in ("gradients", "hessians", "counts", "bins"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("n", [1, 2, 500])
def test_sums_from_their_definition(n, constant):
    X, g, h = data(n)
    edges = HistogramStatistics.thresholds(X, max_bins=7)
    found = HistogramStatistics.partial(X, edges, g, None if constant else h, resolution=1000.0)
    h = np.ones(n) if constant else h.astype(float)
    begin = 0
    for j in range(4):
        for b in range(len(edges[j]) + 2):
            inside = np.isnan(X[:, j]) if b > len(edges[j]) else np.searchsorted(edges[j], X[:, j]) == b
            inside &= np.isnan(X[:, j]) == (b > len(edges[j]))
            assert found.gradients[begin + b] == np.rint(1000.0 * g[inside].astype(float)).sum()
            assert found.hessians[begin + b] == np.rint(1000.0 * h[inside]).sum()
            assert found.counts[begin + b] == inside.sum()
        begin += len(edges[j]) + 2
    assert begin == found.counts.size == found.bins.sum()


def test_shards_in_any_grouping():
    X, g, h = data()
    edges = HistogramStatistics.thresholds(X)
    whole = HistogramStatistics.partial(X, edges, g, h)
    cuts = [slice(0, 100), slice(100, 101), slice(101, 500)]
    a, b, c = (HistogramStatistics.partial(X[s], edges, g[s], h[s], n_jobs=1) for s in cuts)
    assert_same(a.combine(b).combine(c), whole)
    assert_same(c.combine(a.combine(b)), whole)
    assert_same(whole.without(c), a.combine(b))
    assert a.combine(b).combine(c).finish(edges) == whole.finish(edges)


@pytest.mark.parametrize(
    "limits", [{}, {"l2_regularization": 3.0}, {"l1_regularization": 2.0, "min_split_gain": 0.1}]
)
def test_best_split_by_trying_all(limits):
    X, g, h = data(seed=3)
    edges = HistogramStatistics.thresholds(X, max_bins=12)
    split = HistogramStatistics.partial(X, edges, g, h).finish(edges, min_samples_leaf=30, **limits)
    best = (0.0,)
    for j in range(4):
        for b in range(len(edges[j]) + 1):
            for missing_left in (False, True) if np.isnan(X[:, j]).any() else (False,):
                edge = edges[j][b] if b < len(edges[j]) else np.inf
                left = np.where(np.isnan(X[:, j]), missing_left, X[:, j] <= edge)
                if min(left.sum(), (~left).sum()) < 30:
                    continue
                sums = [v[side].sum(dtype=float) for side in (left, ~left) for v in (g, h)]
                gain = split_gain(
                    *sums,
                    l2_regularization=limits.get("l2_regularization", 0.0),
                    l1_regularization=limits.get("l1_regularization", 0.0),
                    min_split_gain=limits.get("min_split_gain", 0.0),
                )
                if gain > best[0] + 1e-9:
                    best = (float(gain), j, b, edge, missing_left, left.sum())
    assert split.gain == pytest.approx(best[0], rel=1e-4)
    assert (split.feature, split.bin, split.threshold) == best[1:4]
    assert split.left_count == best[5]


def test_tree_over_shards_is_the_tree_of_the_whole():
    X, y, _ = data(400)
    model = HistGradientBoostingRegressor(max_iter=1, max_depth=2, max_leaf_nodes=None).fit(X, y)
    tree = model.get_tree(0)
    edges = HistogramStatistics.thresholds(X)
    shards = [(X[i::3], (y.mean() - y[i::3])) for i in range(3)]

    def compare(node, members):
        parts = [
            HistogramStatistics.partial(A[m], edges, g[m]) for (A, g), m in zip(shards, members) if m.any()
        ]
        total = parts[0]
        for part in parts[1:]:
            total = total.combine(part)
        if tree["feature"][node] < 0:
            return
        split = total.finish(edges)
        assert (split.feature, split.bin) == (tree["feature"][node], tree["bin"][node])
        assert split.threshold == tree["threshold"][node]
        assert split.missing_left == bool(tree["missing_left"][node])
        assert split.gain == pytest.approx(tree["gain"][node], rel=1e-4)
        sides = []
        for (A, _), m in zip(shards, members):
            x = A[:, split.feature]
            sides.append(m & np.where(np.isnan(x), split.missing_left, x <= split.threshold))
        compare(tree["left"][node], sides)
        compare(tree["right"][node], [m & ~s for m, s in zip(members, sides)])

    assert tree["feature"].size == 7
    compare(0, [np.ones(len(A), dtype=bool) for A, _ in shards])


def test_no_split():
    X = np.zeros((50, 2))
    edges = HistogramStatistics.thresholds(X)
    assert HistogramStatistics.partial(X, edges, np.ones(50)).finish(edges) is None


def test_what_does_not_fit_is_refused():
    X, g, h = data()
    edges = HistogramStatistics.thresholds(X)
    whole = HistogramStatistics.partial(X, edges, g, h)
    with pytest.raises(ValueError, match="other thresholds"):
        whole.combine(HistogramStatistics.partial(X, HistogramStatistics.thresholds(X, max_bins=5), g))
    with pytest.raises(ValueError, match="another resolution"):
        whole.combine(HistogramStatistics.partial(X, edges, g, h, resolution=8.0))
    with pytest.raises(ValueError, match="other thresholds"):
        whole.finish(edges[:2])
    with pytest.raises(ValueError, match="rows that these have not"):
        HistogramStatistics.partial(X[:5], edges, g[:5]).without(whole)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        HistogramStatistics.partial(X, edges, g[:5])
    with pytest.raises(ValueError, match="finite"):
        HistogramStatistics.partial(X, edges, np.full(500, np.inf))
    with pytest.raises(ValueError, match="too fine"):
        HistogramStatistics.partial(X, edges, g, resolution=1e300)
