"""The grower on sorted columns: equal to the exact greedy search in NumPy, bit by bit."""

import itertools

import numpy as np
import pytest

from mlcore._core import tree
from mlcore.tree import split_gain

from .exact_oracle import Tree


def data(seed, n=90, missing=0.1, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    X[:, 1] = np.round(X[:, 1], 1)
    X[:, 2] = rng.integers(3, size=n)
    X[rng.random((n, 4)) < missing] = np.nan
    g = (np.nan_to_num(X[:, 0]) - (np.nan_to_num(X[:, 1]) > 0.3) + rng.normal(size=n)).astype(np.float32)
    return X.astype(dtype), g, rng.uniform(0.05, 1.0, n).astype(np.float32)


def grow(X, g, h, rows=None, threads=1, n_categories=None, seed=0, **options):
    matrix = tree.SortedMatrix(X, n_categories, threads)
    grower = tree.ExactGrower(matrix, n_threads=threads, **options)
    found = grower.grow(g, h, None if rows is None else rows.astype(np.uint32), None, seed)
    return found, grower


def assert_bits(found, expected):
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


@pytest.mark.parametrize("hessian", ["constant", "varied"])
@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_search_in_numpy(seed, missing, hessian):
    X, g, h = data(seed, missing=missing)
    h = np.full(1, 0.7, np.float32) if hessian == "constant" else h
    found, _ = grow(X, g, h, min_samples_leaf=2, max_leaf_nodes=12)
    assert (found["feature"] >= 0).sum() == 11
    assert_bits(found, Tree(X, g, h, min_samples_leaf=2, max_leaf_nodes=12).arrays())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"growth": "level", "max_depth": 3}, {"level": True, "max_depth": 3}),
        ({"l2": 3.0, "min_split_gain": 0.05}, {"l2": 3.0, "gamma": 0.05}),
        ({"min_child_weight": 6.0}, {"min_child_weight": 6.0}),
        ({"min_samples_leaf": 1, "max_leaf_nodes": 0}, {"max_leaf_nodes": 0}),
    ],
    ids=["level", "penalties", "weight", "grown out"],
)
def test_equals_the_search_in_numpy_with_limits(ours, theirs):
    X, g, h = data(7, n=70)
    found, _ = grow(X, g, h, **{"min_samples_leaf": 1, **ours})
    assert found["feature"].size > 5
    assert_bits(found, Tree(X, g, h, **theirs).arrays())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_layouts_and_types(dtype, order):
    X, g, h = data(1, dtype=dtype)
    found, _ = grow(np.array(X, order=order), g, h, min_samples_leaf=3)
    assert_bits(found, Tree(X, g, h, min_samples_leaf=3).arrays())


def test_rows_of_a_sample():
    X, g, h = data(2, n=150)
    rows = np.flatnonzero(np.random.default_rng(0).random(150) < 0.5)
    found, grower = grow(X, g, h, rows=rows, min_samples_leaf=2)
    assert_bits(found, Tree(X, g, h, min_samples_leaf=2, rows=rows).arrays())
    np.testing.assert_array_equal(np.sort(grower.leaf_rows()[2]), rows)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_scale_of_the_gradients(scale):
    X, g, _ = data(3)
    g, h = (g * scale).astype(np.float32), np.ones(1, np.float32)
    found, _ = grow(X, g, h, min_samples_leaf=3)
    assert found["feature"].size > 5
    assert_bits(found, Tree(X, g, h, min_samples_leaf=3).arrays())


def test_neighbouring_numbers_and_infinities_are_told_apart():
    one = 1.0
    next_one = np.nextafter(one, 2)
    x = np.array([-np.inf, -np.inf, one, one, next_one, next_one, np.inf, np.inf])
    g = np.array([0, 0, 1, 1, 2, 2, 4, 4], np.float32)
    found, grower = grow(x[:, None], g - g.mean(), np.ones(1, np.float32), min_samples_leaf=1)
    _, offsets, rows = grower.leaf_rows()
    groups = [sorted(rows[a:b].tolist()) for a, b in itertools.pairwise(offsets)]
    assert groups == [[0, 1], [2, 3], [4, 5], [6, 7]]
    forest = tree.Forest([found], None, 1)
    raw = np.zeros((1, 8))
    forest.predict_raw(x[:, None], raw, 0, 1, 1)
    np.testing.assert_allclose(raw[0], -(g - g.mean()).astype(np.float64), rtol=1e-14)


def test_ties_go_to_the_lower_column_then_the_lower_value():
    x = np.array([0.0, 1.0, 2.0, 3.0])
    g = np.array([1.0, -1.0, -1.0, 1.0], np.float32)  # cuts after 0 and after 2 gain the same
    found, _ = grow(np.column_stack([x, x]), g, np.ones(1, np.float32), min_samples_leaf=1, max_leaf_nodes=2)
    assert found["feature"][0] == 0
    assert found["threshold"][0] == 0.5


def test_rows_that_are_alike_are_not_split():
    rng = np.random.default_rng(0)
    X, g = rng.normal(size=(200, 3)), np.full(200, 0.3, np.float32)
    found, _ = grow(X, g, np.ones(1, np.float32), min_samples_leaf=1)
    assert found["feature"].size == 1
    found, _ = grow(X, np.zeros(200, np.float32), np.ones(1, np.float32), min_samples_leaf=1)
    assert found["feature"].size == 1


@pytest.mark.parametrize("missing", [False, True])
def test_categories_by_trying_all_subsets(missing):
    rng = np.random.default_rng(5)
    codes = rng.integers(5, size=300).astype(float)
    if missing:
        codes[rng.random(300) < 0.1] = np.nan
    g = (rng.normal(size=6)[np.nan_to_num(codes, nan=5).astype(int)] + rng.normal(size=300)).astype(
        np.float32
    )
    X = np.column_stack([rng.normal(size=300), codes])
    found, grower = grow(
        X, g, np.ones(1, np.float32), n_categories=np.array([0, 5], np.int32), min_samples_leaf=1,
        max_leaf_nodes=2, cat_smooth=0.0, min_cat_support=1,
    )  # fmt: skip
    assert found["is_cat"][0] == 1
    number = np.nan_to_num(codes, nan=5).astype(int)
    best = 0.0
    for subset in range(1, 2**6 - 1):
        left = (subset >> number) & 1 == 1
        if 0 < left.sum() < 300:
            best = max(best, split_gain(g[left].sum(), left.sum(), g[~left].sum(), (~left).sum()))
    assert found["gain"][0] == pytest.approx(best, rel=1e-6)
    forest = tree.Forest([found], None, 1)
    leaves = forest.apply(X, 0, 1, 1)[:, 0]
    ids, offsets, rows = grower.leaf_rows()
    for k, leaf in enumerate(ids):
        np.testing.assert_array_equal(
            np.flatnonzero(leaves == leaf), np.sort(rows[offsets[k] : offsets[k + 1]])
        )


def test_same_bits_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30_000, 5))
    X[rng.random(X.shape) < 0.1] = np.nan
    codes = rng.integers(20, size=30_000)
    X = np.column_stack([X, codes])
    g = (np.nan_to_num(X[:, 0]) + codes % 3 + rng.normal(size=30_000)).astype(np.float32)
    h = rng.uniform(0.1, 1, 30_000).astype(np.float32)
    counts = np.array([0] * 5 + [20], np.int32)
    one, two, seven = (grow(X, g, h, threads=t, n_categories=counts) for t in (1, 2, 7))
    for other in (two, seven):
        for name in one[0]:
            np.testing.assert_array_equal(one[0][name], other[0][name])
        np.testing.assert_array_equal(one[1].leaf_rows()[2], other[1].leaf_rows()[2])
    raw = np.zeros((1, 30_000))
    tree.Forest([one[0]], None, 1).predict_raw(X, raw, 0, 1, 1)
    updated = np.zeros(30_000)
    two[1].update_raw(updated)
    np.testing.assert_array_equal(raw[0], updated)


def test_invalid_input():
    X, g, h = data(0)
    with pytest.raises(ValueError, match="one value per row"):
        grow(X, g[:-1], h)
    with pytest.raises(ValueError, match="finite"):
        grow(X, np.where(np.arange(g.size) == 3, np.nan, g).astype(np.float32), h)
    with pytest.raises(ValueError, match="ascend"):
        grow(X, g, h, rows=np.array([2, 1]))
    with pytest.raises(ValueError, match="at most 255 categories"):
        tree.SortedMatrix(X, np.array([256, 0, 0, 0], np.int32), 1)
