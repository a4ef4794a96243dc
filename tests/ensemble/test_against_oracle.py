"""The estimators against boosting written down from its definition, for every loss."""

import boosting_oracle as oracle
import numpy as np
import pytest

from mlcore.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

LOSSES = {
    "squared_error": ({}, None),
    "absolute_error": ({}, None),
    "quantile": ({"quantile": 0.3}, 0.3),
    "huber": ({"delta": 0.6}, 0.6),
    "expectile": ({"quantile": 0.8}, 0.8),
    "poisson": ({}, None),
    "gamma": ({}, None),
    "tweedie": ({"tweedie_power": 1.3}, 1.3),
}
TREES = [
    {"min_samples_leaf": 5, "max_leaf_nodes": 6},
    # Grown to the end: leaves of equal gradients must not be split for what rounding gains.
    {"min_samples_leaf": 3, "max_leaf_nodes": None, "max_depth": 3},
    {
        "min_samples_leaf": 1,
        "max_leaf_nodes": 8,
        "l2": 2.0,
        "l1": 0.3,
        "gamma": 0.02,
        "min_child_weight": 2.0,
    },
]
OURS = {"l2": "l2_regularization", "l1": "l1_regularization", "gamma": "min_split_gain"}


def data(n=120, missing=True, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    X[:, 1] = np.round(X[:, 1], 1)
    X[:, 2] = rng.integers(4, size=n)
    y = np.exp(0.5 * X[:, 0]) + 0.4 * X[:, 2] + rng.gamma(2.0, 0.3, size=n) + 0.1
    if missing:
        X[rng.random(n) < 0.15, 0] = np.nan
    return X, y


def ours(options):
    return {OURS.get(name, name): value for name, value in options.items()}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("options", TREES, ids=["leaves", "depth", "penalties"])
@pytest.mark.parametrize("name", LOSSES)
def test_regression_losses(name, options, weighted):
    X, y = data()
    weights = np.random.default_rng(1).uniform(0.5, 2.0, size=y.size) if weighted else None
    parameters, parameter = LOSSES[name]
    loss = oracle.Loss(name, parameter)
    raw, trees, baseline = oracle.boost(X, y, loss, weights=weights, max_iter=4, learning_rate=0.3, **options)
    model = HistGradientBoostingRegressor(
        loss=name, max_iter=4, learning_rate=0.3, **parameters, **ours(options)
    ).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(model._baseline, baseline, rtol=1e-6)
    leaves = [len(tree.leaves) for tree in trees]
    assert [int((model.get_tree(i)["feature"] < 0).sum()) for i in range(4)] == leaves
    assert max(leaves) > 2
    np.testing.assert_allclose(model.predict(X), loss.inverse_link(raw), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("max_bins", [5, 20])
def test_few_bins(max_bins):
    X, y = data(n=150)
    options = {"min_samples_leaf": 4, "max_leaf_nodes": 10}
    raw, _, _ = oracle.boost(X, y, oracle.Loss("squared_error"), max_iter=3, max_bins=max_bins, **options)
    model = HistGradientBoostingRegressor(max_iter=3, max_bins=max_bins, **options).fit(X, y)
    np.testing.assert_allclose(model.predict(X), raw, rtol=1e-6)


@pytest.mark.parametrize("options", TREES, ids=["leaves", "depth", "penalties"])
def test_log_loss(options):
    X, y = data()
    y = (y > np.median(y)).astype(float)
    raw, _, _ = oracle.boost(X, y, oracle.Loss("log_loss"), max_iter=4, learning_rate=0.3, **options)
    model = HistGradientBoostingClassifier(max_iter=4, learning_rate=0.3, **ours(options)).fit(X, y)
    np.testing.assert_allclose(model.decision_function(X), raw, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], 1 / (1 + np.exp(-raw)), rtol=2e-5)


def test_softmax():
    X, y = data(n=150)
    y = np.digitize(y, np.quantile(y, [0.3, 0.7]))
    options = {"min_samples_leaf": 6, "max_leaf_nodes": 5}
    raw = oracle.boost_softmax(X, y, 3, max_iter=3, learning_rate=0.3, **options)
    model = HistGradientBoostingClassifier(max_iter=3, learning_rate=0.3, **options).fit(X, y)
    np.testing.assert_allclose(model.decision_function(X), raw, rtol=2e-5, atol=2e-5)
    np.testing.assert_array_equal(model.predict(X), raw.argmax(axis=1))


def test_splits_gains_counts_and_covers_of_one_tree():
    X, y = data()
    options = {"min_samples_leaf": 5, "max_leaf_nodes": 8}
    _, (tree,), _ = oracle.boost(X, y, oracle.Loss("squared_error"), max_iter=1, **options)
    found = HistGradientBoostingRegressor(max_iter=1, **options).fit(X, y).get_tree(0)

    def compare(node, i):
        assert found["count"][i] == node.rows.size
        assert found["cover"][i] == pytest.approx(node.rows.size)
        assert found["depth"][i] == node.depth
        if node.left is None:
            assert found["feature"][i] == -1
            assert found["value"][i] == pytest.approx(0.1 * node.value, rel=1e-5, abs=1e-7)
            return
        gain, feature, edge, missing_left = node.split
        assert found["feature"][i] == feature
        assert found["bin"][i] == edge
        assert bool(found["missing_left"][i]) == missing_left
        assert found["gain"][i] == pytest.approx(gain, rel=1e-5)
        compare(node.left, found["left"][i])
        compare(node.right, found["right"][i])

    compare(tree.root, 0)
