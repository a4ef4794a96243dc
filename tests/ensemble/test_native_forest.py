"""Prediction of native trees against a walk in Python; renewal of leaves; levels of the instruction set."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from mlcore import _core
from mlcore._core import tree


def goes_left(found, i, row):
    v = float(row[found["feature"][i]])
    if found["is_cat"][i]:
        missing = not 0 <= v < 255
        code = 0 if missing else int(v)
        left = bool(found["bitsets"][found["bitset_index"][i]][code >> 5] >> np.uint32(code & 31) & 1)
    else:
        missing = np.isnan(v)
        left = v <= found["threshold"][i]
    return bool(found["missing_left"][i]) if missing else left


def walk(found, row):
    """Leaf of one row, by the meaning of the arrays."""
    i = 0
    while found["left"][i] >= 0:
        i = found["left"][i] if goes_left(found, i, row) else found["right"][i]
    return i


def grown(seed=0, n=3000, trees=6, categories=0, missing=0.1, dtype=np.float64, rng=None):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5)).astype(dtype)
    if categories:
        X[:, 2] = rng.integers(0, categories, n)
    X[rng.random(X.shape) < missing] = np.nan
    codes = np.array([0, 0, categories, 0, 0], np.int32)
    is_categorical = (codes > 0).astype(np.uint8)
    thresholds = tree.find_bins(X, None, None, 60, is_categorical, 1)
    binned = tree.BinnedMatrix(X, thresholds, codes, 1)
    grower = tree.Grower(binned, max_leaf_nodes=20, min_samples_leaf=5, learning_rate=0.3)
    effect = rng.normal(size=max(categories, 1))
    clean = np.nan_to_num(X.astype(float))
    y = clean[:, 0] * clean[:, 1] + np.isnan(X[:, 4])
    if categories:
        y += effect[clean[:, 2].astype(int)]
    raw = np.zeros(n)
    found = []
    for t in range(trees):
        found.append(grower.grow((raw - y).astype(np.float32), np.ones(1, np.float32), seed=t))
        grower.update_raw(raw)
    return X, binned, thresholds, codes, found, raw


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("categories", [0, 40])
def test_predictions_are_those_of_a_walk(categories, dtype):
    X, binned, thresholds, codes, found, raw = grown(categories=categories, dtype=dtype)
    assert any(t["is_cat"].any() for t in found) == (categories > 0)
    forest = tree.Forest(found, None, 1)
    rng = np.random.default_rng(1)
    fresh = np.concatenate([X[:100], rng.normal(size=(301, 5)).astype(dtype)])
    fresh[100:130, 2] = [-3.0, 300.0, np.inf, -np.inf, np.nan, 39.0] * 5
    leaves = np.array([[walk(t, row) for t in found] for row in fresh])
    for order in "CF":
        view = np.asarray(fresh, order=order)
        np.testing.assert_array_equal(forest.apply(view, 0, len(found)), leaves)
        predicted = np.zeros((1, len(fresh)))
        forest.predict_raw(view, predicted, 1, 4)
        expected = sum(found[t]["value"][leaves[:, t]] for t in range(1, 4))
        np.testing.assert_allclose(predicted[0], expected, rtol=1e-14, atol=1e-14)
    again = np.zeros((1, len(X)))
    forest.predict_raw(X, again, 0, len(found))
    np.testing.assert_array_equal(again[0], raw)
    again[:] = 0.0
    forest.predict_raw_binned(binned, again, 0, len(found))
    np.testing.assert_array_equal(again[0], raw)
    other = tree.BinnedMatrix(fresh, thresholds, codes)
    one = np.zeros(len(fresh))
    tree.add_tree(found[0], other, one)
    # A code beyond the categories has no bin: it counts as missing there, and is a code without rows here.
    known = ~(fresh[:, 2] == 300.0) if categories else np.ones(len(fresh), bool)
    np.testing.assert_array_equal(one[known], found[0]["value"][leaves[known, 0]])


def test_thresholds_between_float32_neighbours():
    """x <= t must mean the same for float32 x and for its float64 copy."""
    low = np.float32(1.0)
    high = np.nextafter(low, np.float32(2.0))
    middle = (float(low) + float(high)) / 2  # rounds to a float32 that is not between the two
    X = np.repeat([low, high], 30)[:, None].astype(np.float32)
    binned = tree.BinnedMatrix(X, [np.array([middle])])
    g = np.repeat([-1.0, 1.0], 30).astype(np.float32)
    found = tree.Grower(binned).grow(g, np.ones(1, np.float32))
    forest = tree.Forest([found], None, 1)
    for data in (X, X.astype(np.float64)):
        raw = np.zeros((1, 60))
        forest.predict_raw(data, raw, 0, 1)
        np.testing.assert_array_equal(raw[0], np.repeat([1.0, -1.0], 30))


def test_outputs_and_threads():
    X, _, _, _, found, _ = grown(n=20_000)
    forest = tree.Forest(found, np.array([0, 1, 2, 0, 1, 2], np.int32), 3)
    results = []
    for threads in (1, 2, 7):
        raw = np.zeros((3, len(X)))
        forest.predict_raw(X, raw, 0, 6, n_threads=threads)
        results.append(raw)
    for k in range(3):
        alone = np.zeros((1, len(X)))
        tree.Forest([found[k], found[k + 3]], None, 1).predict_raw(X, alone, 0, 2)
        np.testing.assert_array_equal(results[0][k], alone[0])
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_forest_refuses_what_is_no_tree():
    *_, found, _ = grown(trees=1)
    for name, place, value in (("left", 0, 0), ("right", 0, 10_000), ("feature", 0, -1)):
        broken = {key: array.copy() for key, array in found[0].items()}
        broken[name][place] = value
        with pytest.raises(ValueError, match=r"children|feature"):
            tree.Forest([broken], None, 1)
    with pytest.raises(ValueError, match="fewer columns"):
        tree.Forest(found, None, 1).apply(np.zeros((3, 1)), 0, 1)
    with pytest.raises(ValueError, match="out of range"):
        tree.Forest(found, None, 1).apply(np.zeros((3, 5)), 0, 2)


def test_partial_dependence_weighs_branches_by_rows():
    *_, found, _ = grown(categories=6)
    grid = np.array([[-1.0, 2.0], [0.5, 5.0], [np.nan, np.nan]])

    def expectation(t, i, values):
        if t["left"][i] < 0:
            return t["value"][i]
        children = [t["left"][i], t["right"][i]]
        if t["feature"][i] in (0, 2):
            row = [values[0], np.nan, values[1]]
            return expectation(t, children[0] if goes_left(t, i, row) else children[1], values)
        return np.average([expectation(t, c, values) for c in children], weights=t["count"][children])

    expected = [sum(expectation(t, 0, values) for t in found) for values in grid]
    result = tree.Forest(found, None, 1).partial_dependence(grid, [0, 2])
    np.testing.assert_allclose(result[0], expected, rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("kind", "alpha"), [("quantile", 0.5), ("quantile", 0.2), ("huber", 0.6), ("expectile", 0.8)]
)
def test_renewed_leaves_minimise_the_loss_of_their_rows(kind, alpha, weighted):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 3))
    binned = tree.BinnedMatrix(X, tree.find_bins(X, None, None, 255, None, 1))
    y, raw = X[:, 0] + rng.standard_t(3, 1500), rng.normal(size=1500)
    w = rng.integers(0, 3, 1500).astype(float) if weighted else None
    grower = tree.Grower(binned, max_leaf_nodes=7, learning_rate=0.5)
    grower.grow((raw - y).astype(np.float32), np.ones(1, np.float32))
    values = grower.renew_leaves(kind, y, raw, w, alpha)
    _, offsets, rows = grower.leaf_rows()
    assert len(values) == 7
    for k, value in enumerate(values / 0.5):
        mine = rows[offsets[k] : offsets[k + 1]]
        r = y[mine] - raw[mine]
        weights = np.ones(len(r)) if w is None else w[mine]
        if kind == "quantile":
            repeated = np.repeat(r, weights.astype(int))
            method = "averaged_inverted_cdf" if weighted else "linear"
            np.testing.assert_allclose(value, np.quantile(repeated, alpha, method=method), rtol=1e-12)
        elif kind == "huber":
            repeated = np.repeat(r, weights.astype(int))
            method = "averaged_inverted_cdf" if weighted else "linear"
            median = np.quantile(repeated, 0.5, method=method)
            np.testing.assert_allclose(
                value, median + np.clip(repeated - median, -alpha, alpha).mean(), rtol=1e-10
            )
        else:
            pull = weights * np.where(r >= value, alpha, 1 - alpha) * (r - value)
            np.testing.assert_allclose(pull.sum(), 0.0, atol=1e-9 * abs(pull).sum())


CHILD = """
import json, sys
import numpy as np
from mlcore import _core
from mlcore._core import ensemble, tree
rng = np.random.default_rng(0)
X = rng.normal(size=(30_000, 6)).astype(np.float32)
X[:, 2] = rng.integers(0, 9, 30_000)
X[rng.random(X.shape) < 0.05] = np.nan
y = (np.nan_to_num(X[:, 0] * X[:, 1] + (X[:, 2] > 4)) + rng.normal(size=30_000) > 0).astype(float)
codes = np.array([0, 0, 9, 0, 0, 0], np.int32)
thresholds = tree.find_bins(X, None, None, 255, (codes > 0).astype(np.uint8), 2)
binned = tree.BinnedMatrix(X, thresholds, codes, 2)
raw, g, h = np.zeros((1, 30_000)), np.empty((1, 30_000), np.float32), np.empty((1, 30_000), np.float32)
grower = tree.Grower(binned, learning_rate=0.2)
losses = []
for t in range(8):
    ensemble.gradients("log_loss", 0.0, y, raw, None, g, h)
    found = grower.grow(g[0], h[0], seed=t)
    grower.update_raw(raw[0])
    losses.append(ensemble.loss("log_loss", 0.0, y, raw, None))
bins = [int(binned.bins(j).astype(np.int64).sum()) for j in range(6)]
first = {"feature": found["feature"].tolist(), "count": found["count"].tolist()}
print(json.dumps({"level": _core.isa_level(), "bins": bins, "losses": losses, "first": first}))
"""


def test_levels_agree():
    """The same bins; the same trees up to rounding of a gradient at the edge of a grid step."""
    results = []
    for level in _core.isa_levels_compiled():
        done = subprocess.run(
            [sys.executable, "-c", CHILD],
            env={**os.environ, "MLCORE_ISA": level},
            capture_output=True,
            text=True,
            check=True,
        )
        results.append(json.loads(done.stdout))
    assert len(results) > 1 or len(_core.isa_levels_compiled()) == 1
    for other in results[1:]:
        assert other["bins"] == results[0]["bins"]
        np.testing.assert_allclose(other["losses"], results[0]["losses"], rtol=1e-3)


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1e10, 1e30])
def test_gradients_of_any_scale_give_the_same_splits(scale):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 3))
    binned = tree.BinnedMatrix(X, tree.find_bins(X, None, None, 255, None, 1))
    g = (X[:, 0] + rng.normal(size=2000)).astype(np.float32)
    plain = tree.Grower(binned).grow(g, np.ones(1, np.float32))
    scaled = tree.Grower(binned).grow((g * np.float32(scale)).astype(np.float32), np.ones(1, np.float32))
    np.testing.assert_array_equal(plain["feature"], scaled["feature"])
    np.testing.assert_array_equal(plain["bin"], scaled["bin"])
    np.testing.assert_allclose(scaled["value"], plain["value"] * scale, rtol=1e-4)


def test_nothing_to_split():
    X = np.ones((100, 2))
    binned = tree.BinnedMatrix(X, tree.find_bins(X, None, None, 255, None, 1))
    found = tree.Grower(binned).grow(np.arange(100, dtype=np.float32), np.ones(1, np.float32))
    assert len(found["feature"]) == 1
    np.testing.assert_allclose(found["value"], [-49.5])
    X = np.arange(100.0)[:, None]
    binned = tree.BinnedMatrix(X, tree.find_bins(X, None, None, 255, None, 1))
    for g in (np.zeros(100, np.float32), np.full(100, 0.1, np.float32)):
        found = tree.Grower(binned, min_samples_leaf=1).grow(g, np.ones(1, np.float32))
        assert len(found["feature"]) == 1
    nothing = np.full((50, 1), np.nan)
    binned = tree.BinnedMatrix(nothing, tree.find_bins(nothing, None, None, 255, None, 1))
    found = tree.Grower(binned).grow(np.arange(50, dtype=np.float32), np.ones(1, np.float32))
    assert len(found["feature"]) == 1


@pytest.mark.parametrize("growth", ["leaf", "level"])
def test_nodes_without_room_for_their_histogram_build_it_again(growth):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 4))
    binned = tree.BinnedMatrix(X, tree.find_bins(X, None, None, 255, None, 1))
    g = (X[:, 0] * X[:, 1] + rng.normal(size=3000)).astype(np.float32)
    spec = {"max_leaf_nodes": 0, "min_samples_leaf": 5, "growth": growth}
    roomy = tree.Grower(binned, **spec).grow(g, np.ones(1, np.float32))
    cramped = tree.Grower(binned, **spec, histogram_bytes=1).grow(g, np.ones(1, np.float32))
    assert (roomy["feature"] < 0).sum() > 200
    for name in roomy:
        np.testing.assert_array_equal(roomy[name], cramped[name], err_msg=name)
