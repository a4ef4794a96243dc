"""New values of leaves under monotone constraints: kept in order with the least change."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from mlcore import _core


def grown(seed, n=400, signs=(1, -1, 0), learning_rate=0.5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    y = X[:, 0] - X[:, 1] + np.abs(X[:, 2]) + rng.normal(size=n)
    thresholds = _core.tree.find_bins(X, None, None, 255, None, 1)
    binned = _core.tree.BinnedMatrix(X, thresholds, None, 1)
    grower = _core.tree.Grower(
        binned, learning_rate=learning_rate, max_leaf_nodes=12, min_samples_leaf=5,
        monotonic_cst=np.array(signs, dtype=np.int8), n_threads=1,
    )  # fmt: skip
    return grower, grower.grow(-y.astype(np.float32), np.ones(1, np.float32)), y, rng


def leaves_below(tree, node):
    if tree["feature"][node] < 0:
        return [node]
    return leaves_below(tree, tree["left"][node]) + leaves_below(tree, tree["right"][node])


def ordered(tree, signs, values):
    """From the definition: at each monotone split out of order, the bound that costs least."""
    new = dict(zip(np.flatnonzero(tree["feature"] < 0), values))
    for node in range(tree["feature"].size):
        feature = tree["feature"][node]
        if feature < 0 or signs[feature] == 0:
            continue
        low, high = (leaves_below(tree, tree[side][node]) for side in ("left", "right"))
        if signs[feature] < 0:
            low, high = high, low
        if max(new[i] for i in low) <= min(new[i] for i in high):
            continue

        def cost(m, low=low, high=high):
            down = sum(tree["count"][i] * max(new[i] - m, 0) ** 2 for i in low)
            return down + sum(tree["count"][i] * max(m - new[i], 0) ** 2 for i in high)

        within = min(values), max(values)
        bound = minimize_scalar(cost, bounds=within, method="bounded", options={"xatol": 1e-13}).x
        for i in low:
            new[i] = min(new[i], bound)
        for i in high:
            new[i] = max(new[i], bound)
    return np.array([new[i] for i in sorted(new)])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("signs", [(1, -1, 0), (1, 0, 0), (-1, 1, 1)])
def test_order_leaves(seed, signs):
    grower, tree, _, rng = grown(seed, signs=signs)
    values = rng.normal(size=int((tree["feature"] < 0).sum()))
    found = grower.order_leaves(values)
    np.testing.assert_allclose(found, ordered(tree, signs, values), atol=1e-6)
    np.testing.assert_array_equal(grower.order_leaves(found), found)


def test_values_in_order_stay():
    grower, tree, _, _ = grown(0)
    own = tree["value"][tree["feature"] < 0]
    assert own.size > 4
    np.testing.assert_array_equal(grower.order_leaves(own), own)


def test_without_constraints_nothing_moves():
    grower, tree, _, rng = grown(0, signs=(0, 0, 0))
    values = rng.normal(size=int((tree["feature"] < 0).sum()))
    np.testing.assert_array_equal(grower.order_leaves(values), values)


def test_one_value_a_leaf():
    grower = grown(0)[0]
    with pytest.raises(ValueError, match="one value per leaf"):
        grower.order_leaves(np.zeros(1))


@pytest.mark.parametrize("seed", range(4))
def test_renewed_leaves_are_in_order(seed):
    """Medians of leaves, bounded only by each other: not by the steps that the tree was grown with."""
    signs = (1, -1, 0)
    grower, tree, y, _ = grown(seed, signs=signs)
    y = 100 * y  # residuals far from the values of the tree
    raw = np.zeros(y.size)
    _, offsets, rows = grower.leaf_rows()
    medians = np.array([np.median(y[rows[a:b]]) for a, b in itertools.pairwise(offsets)])
    found = grower.renew_leaves("quantile", y, raw, None, 0.5)
    np.testing.assert_allclose(found, ordered(tree, signs, 0.5 * medians), atol=1e-4)
