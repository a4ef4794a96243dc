"""Trees of the native grower against a brute-force tree, and what must hold for any data."""

import numpy as np
import pytest

from mlcore._core import tree

from .tree_oracle import Oracle


def binned_data(seed, n=180, d=4, levels=9, missing=0.0, categories=None):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, levels, (n, d)).astype(float) if levels else rng.normal(size=(n, d))
    if categories is not None:
        for j, k in enumerate(categories):
            if k:
                X[:, j] = rng.integers(0, k, n)
    X[rng.random((n, d)) < missing] = np.nan
    thresholds = tree.find_bins(X, None, None, 255, None, 1)
    codes = None if categories is None else np.array(categories, np.int32)
    binned = tree.BinnedMatrix(X, thresholds, codes, 1)
    bins = np.stack([binned.bins(j) for j in range(d)], axis=1)
    return X, binned, bins, rng


def gradients(X, rng, kind):
    n = len(X)
    clean = np.nan_to_num(X, nan=-1.0)
    f = clean[:, 0] - 2.0 * (clean[:, 1] > 4) + rng.normal(size=n)
    g = (f - f.mean()).astype(np.float32)
    h = np.ones(1, np.float32) if kind == "constant" else rng.uniform(0.05, 1.0, n).astype(np.float32)
    return g, h


def assert_same_tree(found, i, node, depth=0):
    """Node i of the native tree is the oracle's node, and so are all below. Sums are fixed-point: 1e-4."""
    assert found["count"][i] == len(node["rows"])
    assert found["depth"][i] == depth
    np.testing.assert_allclose(found["value"][i], node["value"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["cover"][i], node["cover"], rtol=1e-5)
    if "children" not in node:
        assert found["feature"][i] == -1
        return
    split = node["split"]
    assert found["feature"][i] == split["feature"]
    np.testing.assert_allclose(found["gain"][i], split["gain"], rtol=1e-4, atol=1e-4)
    if found["is_cat"][i]:
        bits = found["bitsets"][found["bitset_index"][i]]
        left = {c for c in range(256) if bits[c >> 5] >> np.uint32(c & 31) & 1}
        assert left == split["where"]
    else:
        assert found["bin"][i] == split["where"]
    assert found["left"][i] == i + 1
    for child, side in ((found["left"][i], 0), (found["right"][i], 1)):
        assert_same_tree(found, child, node["children"][side], depth + 1)


SPECS = {
    "plain": {},
    "penalties": {"l2": 1.5, "l1": 2.0, "min_split_gain": 0.5},
    "limits": {"min_samples_leaf": 9, "min_child_weight": 6.0, "max_depth": 3},
    "level": {"growth": "level", "max_leaf_nodes": 6},
    "step": {"max_delta_step": 1.5, "l2": 0.1},
    "monotone": {"monotonic": np.array([-1, 1, 0, 1])},
    "interaction": {"interaction": [{0, 2}, {1}, {2, 3}]},
}


@pytest.mark.parametrize("hessian", ["constant", "varying"])
@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("name", SPECS)
def test_equals_the_brute_force_tree(name, missing, hessian):
    for seed in range(4):
        X, binned, bins, rng = binned_data(seed, missing=missing)
        g, h = gradients(X, rng, hessian)
        spec = {"max_leaf_nodes": 12, "min_samples_leaf": 1, "min_child_weight": 0.0} | SPECS[name]
        native = dict(spec)
        if "monotonic" in native:
            native["monotonic_cst"] = native.pop("monotonic").astype(np.int8)
        if "interaction" in native:
            native["interaction_cst"] = [sorted(group) for group in native.pop("interaction")]
        found = tree.Grower(binned, **native, n_threads=1).grow(g, h)
        root = Oracle(bins, binned.n_bins(), g, h, **spec).grow()
        assert len(found["feature"]) > 3
        assert_same_tree(found, 0, root)


def test_ties_go_to_the_lower_column_then_the_lower_bin():
    x = np.repeat([0.0, 1.0, 2.0, 3.0], 10)
    g = np.where(x < 2, -1.0, 1.0).astype(np.float32)
    X = np.stack([np.zeros(40), x, x], axis=1)
    thresholds = tree.find_bins(X, None, None, 255, None, 1)
    binned = tree.BinnedMatrix(X, thresholds, None, 1)
    found = tree.Grower(binned, min_samples_leaf=1).grow(g, np.ones(1, np.float32))
    assert (found["feature"][0], found["bin"][0], len(found["feature"])) == (1, 1, 3)
    # Rows of the bins 1 and 2 have no weight in the gradients: cutting after 0, 1 or 2 gains the same.
    g = np.select([x == 0, x == 3], [-1.0, 1.0], 0.0).astype(np.float32)
    flat = np.where((x == 1) | (x == 2), 0.0, 1.0).astype(np.float32)
    found = tree.Grower(binned, min_samples_leaf=1, min_child_weight=0.0).grow(g, flat)
    assert (found["feature"][0], found["bin"][0]) == (1, 0)


@pytest.mark.parametrize("missing", [0.0, 0.25])
def test_categorical_split_is_the_best_of_all_subsets(missing):
    """Sorted by G / H without smoothing, some prefix is the best subset: Fisher (1958)."""
    for seed in range(6):
        X, binned, bins, rng = binned_data(seed, categories=[5, 0, 6, 0], missing=missing)
        g = (rng.normal(size=7)[np.nan_to_num(X[:, 2], nan=6).astype(int)] + rng.normal(size=len(X))).astype(
            np.float32
        )
        h = np.ones(1, np.float32)
        spec = {"max_leaf_nodes": 2, "min_samples_leaf": 3}
        found = tree.Grower(binned, cat_smooth=0.0, min_cat_support=1, **spec).grow(g, h)
        oracle = Oracle(bins, binned.n_bins(), g, h, categorical=(0, 2), **spec).grow()
        np.testing.assert_allclose(found["gain"][0], oracle["split"]["gain"], rtol=1e-5)
        assert found["feature"][0] == oracle["split"]["feature"]
        leaves, _, rows = tree.Grower(binned, cat_smooth=0.0, min_cat_support=1, **spec).leaf_rows()
        assert len(leaves) == 0
        assert len(rows) == 0


def test_rare_categories_stay_right():
    X = np.repeat([0.0, 1.0, 2.0], [40, 40, 4])[:, None]
    binned = tree.BinnedMatrix(X, [np.array([])], np.array([3], np.int32), 1)
    g = np.repeat([1.0, -1.0, 1.0], [40, 40, 4]).astype(np.float32)
    found = tree.Grower(binned, max_leaf_nodes=2, min_samples_leaf=1, min_cat_support=5).grow(
        g, np.ones(1, np.float32)
    )
    bits = found["bitsets"][0]
    assert bits[0] in (1, 2)  # code 0 or code 1 alone, never with code 2


def many_rows(n=60_000, d=7, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)).astype(np.float32)
    X[:, 2] = np.round(X[:, 2] * 2)
    X[rng.random((n, d)) < 0.05] = np.nan
    binned = tree.BinnedMatrix(X, tree.find_bins(X, None, None, 255, None, 2), None, 2)
    g = (np.nan_to_num(X[:, 0]) * np.nan_to_num(X[:, 1]) + rng.normal(size=n)).astype(np.float32)
    h = rng.uniform(0.05, 0.25, n).astype(np.float32)
    return X, binned, g, h


@pytest.mark.parametrize("hessian", ["constant", "varying"])
def test_same_bits_for_any_number_of_threads(hessian):
    _, binned, g, h = many_rows()
    h = h if hessian == "varying" else h[:1]
    results = []
    for threads in (1, 2, 7):
        grower = tree.Grower(binned, max_leaf_nodes=63, n_threads=threads)
        raw = np.zeros(len(g))
        found = [grower.grow(g, h, seed=s) for s in range(2)][-1]
        grower.update_raw(raw)
        results.append(list(found.values()) + list(grower.leaf_rows()) + [raw])
    assert len(results[0][0]) == 125
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("n", "precision"), [(3_000, 1e-9), (60_000, 1e-3)])
def test_leaves_partition_the_rows_and_carry_their_values(n, precision):
    """Few rows: from the gradients themselves; many: from integers of 8 bits and more."""
    X, binned, g, h = many_rows(n)
    grower = tree.Grower(binned, max_leaf_nodes=63, l2=1.0, learning_rate=0.1)
    found = grower.grow(g, h, seed=3)
    leaves, offsets, rows = grower.leaf_rows()
    np.testing.assert_array_equal(leaves, np.flatnonzero(found["feature"] < 0))
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(g)))
    forest = tree.Forest([found], None, 1)
    reached = forest.apply(X, 0, 1)[:, 0]
    raw = np.zeros(len(g))
    grower.update_raw(raw)
    for k, leaf in enumerate(leaves):
        mine = rows[offsets[k] : offsets[k + 1]]
        assert (np.diff(mine.astype(int)) > 0).all()
        assert (reached[mine] == leaf).all()
        assert found["count"][leaf] == len(mine)
        G, H = g[mine].sum(dtype=float), h[mine].sum(dtype=float)
        np.testing.assert_allclose(found["cover"][leaf], H, rtol=precision)
        atol = precision * 0.1 * abs(g[mine]).sum(dtype=float) / (H + 1.0)
        np.testing.assert_allclose(found["value"][leaf], -0.1 * G / (H + 1.0), rtol=0.0, atol=atol)
        assert (raw[mine] == found["value"][leaf]).all()
    for i in np.flatnonzero(found["feature"] >= 0):
        children = [found["left"][i], found["right"][i]]
        assert found["count"][i] == found["count"][children].sum()
        # Stochastic rounding: integer sums of inner nodes, exact sums of leaves.
        np.testing.assert_allclose(found["cover"][i], found["cover"][children].sum(), rtol=1e-3)


def test_rows_of_a_sample_are_a_smaller_problem():
    X, binned, g, h = many_rows()
    rows = np.flatnonzero(np.random.default_rng(1).random(len(g)) < 0.4).astype(np.uint32)
    found = tree.Grower(binned, max_leaf_nodes=15).grow(g, h[:1], rows)
    thresholds = tree.find_bins(X, None, None, 255, None, 2)
    small = tree.BinnedMatrix(X[rows], thresholds, None, 1)
    alone = tree.Grower(small, max_leaf_nodes=15).grow(g[rows], h[:1])
    for name in found:
        np.testing.assert_array_equal(found[name], alone[name], err_msg=name)


def test_feature_mask_and_column_sampling():
    _, binned, g, h = many_rows()
    mask = np.array([0, 1, 0, 1, 1, 0, 1], np.uint8)
    used = set(tree.Grower(binned).grow(g, h, feature_mask=mask)["feature"]) - {-1}
    assert used
    assert used <= {1, 3, 4, 6}
    by_node = [tree.Grower(binned, colsample_bynode=0.1).grow(g, h, seed=s)["feature"][0] for s in range(40)]
    assert set(by_node) == set(range(7))  # one column a node: each has its turn
    found = tree.Grower(binned, colsample_bylevel=0.15, growth="level").grow(g, h, seed=1)
    for depth in range(found["depth"].max()):
        assert len(set(found["feature"][(found["depth"] == depth)]) - {-1}) <= 1


def test_stochastic_rounding_is_unbiased():
    """The gain of a fixed split, averaged over seeds, is the one of exact sums."""
    rng = np.random.default_rng(0)
    n = 40_000
    X = (rng.random(n) < 0.3).astype(float)[:, None]
    binned = tree.BinnedMatrix(X, [np.array([0.5])], None, 1)
    g = rng.normal(size=n).astype(np.float32) + np.where(X[:, 0] > 0, 0.02, 0.0).astype(np.float32)
    g[0] = 3000.0  # a coarse grid for all the others
    h = rng.uniform(0.1, 0.2, n).astype(np.float32)
    gains = [tree.Grower(binned, n_threads=1).grow(g, h, seed=s)["gain"][0] for s in range(100)]
    G = [g[X[:, 0] == k].sum(dtype=float) for k in (0, 1)]
    H = [h[X[:, 0] == k].sum(dtype=float) for k in (0, 1)]
    exact = 0.5 * (G[0] ** 2 / H[0] + G[1] ** 2 / H[1] - sum(G) ** 2 / sum(H))
    spread = np.std(gains) / 10
    assert spread > 0
    assert abs(np.mean(gains) - exact) < 4 * spread + 1e-6 * exact


def test_invalid_input():
    _, binned, g, h = many_rows(n=100)
    grower = tree.Grower(binned)
    with pytest.raises(ValueError, match="finite"):
        grower.grow(np.full(100, np.nan, np.float32), h)
    with pytest.raises(ValueError, match="finite"):
        grower.grow(g, np.full(100, np.inf, np.float32))
    with pytest.raises(ValueError, match="one value per row"):
        grower.grow(g[:50], h)
    with pytest.raises(ValueError, match="ascend"):
        grower.grow(g, h, np.array([3, 3], np.uint32))
    with pytest.raises(ValueError, match="one value per column"):
        grower.grow(g, h, None, np.ones(3, np.uint8))
    with pytest.raises(ValueError, match="leaf"):
        grower.update_raw(np.zeros(100), np.zeros(5))
