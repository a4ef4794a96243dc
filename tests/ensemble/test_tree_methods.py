"""``tree_method``: the ways to seek splits through the estimators."""

import pickle

import boosting_oracle as oracle
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from mlcore.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRanker,
    HistGradientBoostingRegressor,
)

from .test_against_oracle import LOSSES, data, ours

OTHERS = ["approx", "exact"]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize("name", LOSSES)
def test_losses_against_boosting_from_its_definition(name, method, weighted):
    """With few values all methods have the same candidates, and the training rows the same predictions."""
    X, y = data()
    options = {"min_samples_leaf": 5, "max_leaf_nodes": 6, "l2": 0.5}
    weights = np.random.default_rng(1).uniform(0.5, 2.0, size=y.size) if weighted else None
    parameters, parameter = LOSSES[name]
    loss = oracle.Loss(name, parameter)
    raw, _, _ = oracle.boost(X, y, loss, weights=weights, max_iter=4, learning_rate=0.3, **options)
    model = HistGradientBoostingRegressor(
        loss=name, max_iter=4, learning_rate=0.3, tree_method=method, **parameters, **ours(options)
    ).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(model.predict(X), loss.inverse_link(raw), rtol=2e-5, atol=2e-5)


def test_approx_weights_the_bins_with_hessians():
    """Four bins of a log loss that is sure of most rows: they lie where it is not."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 1, 4000))
    y = rng.random(4000) < 1 / (1 + np.exp(-200 * (x - 0.9)))
    options = {"max_iter": 30, "max_bins": 4, "learning_rate": 0.5}
    hist = HistGradientBoostingClassifier(tree_method="hist", **options).fit(x[:, None], y)
    approx = HistGradientBoostingClassifier(tree_method="approx", **options).fit(x[:, None], y)
    near = [np.abs(frame[frame["left"] >= 0]["threshold"] - 0.9).min()
            for frame in (hist.trees_to_frame(), approx.trees_to_frame())]  # fmt: skip
    assert near[1] < 0.02 < near[0]
    assert approx.score(x[:, None], y) > hist.score(x[:, None], y) + 0.02


def test_exact_finds_what_bins_hide():
    rng = np.random.default_rng(0)
    x = rng.permutation(np.arange(3000.0))
    y = (x >= 2998).astype(float)
    options = {"max_iter": 1, "learning_rate": 1.0, "min_samples_leaf": 1, "max_leaf_nodes": 2}
    model = HistGradientBoostingRegressor(tree_method="exact", **options).fit(x[:, None], y)
    assert model.get_tree(0)["threshold"][0] == 2997.5
    np.testing.assert_allclose(model.predict(x[:, None]), y, atol=1e-6)
    hist = HistGradientBoostingRegressor(tree_method="hist", **options).fit(x[:, None], y)
    assert np.abs(hist.predict(x[:, None]) - y).max() > 0.5


@pytest.fixture(scope="module")
def shop():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=900),
            "kind": pd.Categorical(rng.choice(list("abcdef"), 900)),
            "price": np.where(rng.random(900) < 0.2, np.nan, rng.gamma(2, 2, 900)),
        }
    )
    y = (
        frame["size"]
        + frame["kind"].cat.codes % 3
        + np.nan_to_num(frame["price"]) ** 0.5
        + rng.normal(size=900)
    )
    return frame, y.to_numpy()


@pytest.mark.parametrize("method", OTHERS)
def test_saved_staged_and_applied(method, shop, tmp_path):
    X, y = shop
    model = HistGradientBoostingRegressor(
        tree_method=method, max_iter=12, early_stopping=True, random_state=0
    )
    model.fit(X, y)
    assert model.score(X, y) > 0.5
    assert model.trees_to_frame()["categories_left"].notna().any()
    model.save_json(tmp_path / "model.json")
    again = HistGradientBoostingRegressor.load_json(tmp_path / "model.json")
    for other in (again, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
    stages = list(model.staged_predict(X))
    np.testing.assert_array_equal(stages[-1], model.predict(X))
    leaves = model.apply(X)
    values = np.stack([model.get_tree(t)["value"][leaves[:, t]] for t in range(model.n_iter_)])
    np.testing.assert_allclose(model._baseline[0] + values.sum(axis=0), model.predict(X), rtol=1e-12)


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize("sampling", ["none", "uniform", "goss"])
def test_warm_start_sampling_and_threads(method, sampling):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 4))
    y = np.digitize(X[:, 0] + X[:, 1] ** 2 + rng.normal(size=4000), [0, 1])
    options = {"tree_method": method, "sampling": sampling, "random_state": 0, "colsample_bytree": 0.8}
    long = HistGradientBoostingClassifier(max_iter=8, n_jobs=1, **options).fit(X, y)
    short = HistGradientBoostingClassifier(max_iter=3, n_jobs=7, warm_start=True, **options).fit(X, y)
    short.set_params(max_iter=8).fit(X, y)
    np.testing.assert_array_equal(short.decision_function(X), long.decision_function(X))
    assert long.score(X, y) > 0.6


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize("zero_as_missing", [False, True])
def test_sparse_data_give_the_trees_of_the_array(method, zero_as_missing):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 6)) * (rng.random((800, 6)) < 0.3)
    y = X[:, 0] + (X[:, 1] != 0) + 0.1 * rng.normal(size=800)
    options = {"tree_method": method, "max_iter": 10, "zero_as_missing": zero_as_missing}
    dense = HistGradientBoostingRegressor(**options).fit(X, y)
    for kind in (sp.csr_array, sp.csc_array):
        sparse = HistGradientBoostingRegressor(**options).fit(kind(X), y)
        np.testing.assert_array_equal(sparse.predict(kind(X)), dense.predict(X))


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize("seed", range(3))
def test_constraints_hold(method, seed):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(600, 4))
    y = np.sin(4 * X[:, 0]) - X[:, 1] + X[:, 2] * X[:, 3] + rng.normal(0, 0.3, 600)
    model = HistGradientBoostingRegressor(
        tree_method=method, monotonic_cst=[1, -1, 0, 0], interaction_cst=[{0, 1}, {2}, {3}],
        min_samples_leaf=3, max_iter=20,
    ).fit(X, y)  # fmt: skip
    grid = np.linspace(-1.2, 1.2, 60)
    for row in X[:20]:
        for j, sign in ((0, 1), (1, -1)):
            moved = np.repeat(row[None], 60, axis=0)
            moved[:, j] = grid
            assert (sign * np.diff(model.predict(moved)) >= -1e-12).all()
    for t in range(20):
        tree = model.get_tree(t)
        open_ = [(0, frozenset())]
        while open_:
            node, path = open_.pop()
            if tree["feature"][node] < 0:
                assert any(path <= group for group in ({0, 1}, {2}, {3}))
                continue
            for child in (tree["left"][node], tree["right"][node]):
                open_.append((child, path | {int(tree["feature"][node])}))


@pytest.mark.parametrize("method", OTHERS)
def test_ranker(method):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    grades = np.digitize(X[:, 0] + 0.3 * rng.normal(size=600), [-0.5, 0.5])
    qid = np.repeat(np.arange(60), 10)
    ranker = HistGradientBoostingRanker(tree_method=method, max_iter=20).fit(X, grades, qid=qid)
    assert ranker.score(X, grades, qid=qid) > 0.9


def test_names_are_checked():
    with pytest.raises(ValueError, match="tree_method"):
        HistGradientBoostingRegressor(tree_method="gpu").fit(np.zeros((10, 1)), np.zeros(10))
