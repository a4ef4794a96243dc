"""Linear leaves against weighted ridge regression in NumPy, and everywhere else a model goes."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.inspection import partial_dependence

from mlcore.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRanker,
    HistGradientBoostingRegressor,
)


def data(seed=0, n=400, missing=0.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    X[rng.random((n, 4)) < missing] = np.nan
    clean = np.nan_to_num(X)
    y = np.where(clean[:, 0] > 0, 2 * clean[:, 1], -clean[:, 2]) + 0.1 * rng.normal(size=n)
    return X, y


def paths(tree, is_categorical=()):
    """Numeric features above each leaf."""
    found, open_ = {}, [(0, frozenset())]
    while open_:
        node, path = open_.pop()
        if tree["feature"][node] < 0:
            found[node] = sorted(path)
            continue
        own = set() if tree["is_cat"][node] else {int(tree["feature"][node])}
        open_ += [(int(tree[side][node]), path | own) for side in ("left", "right")]
    return found


def line(tree, node):
    first, last = tree["linear_start"][node : node + 2]
    return dict(
        zip(tree["linear_feature"][first:last].tolist(), tree["linear_coefficient"][first:last], strict=True)
    )


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("method", ["hist", "approx", "exact"])
@pytest.mark.parametrize("weighted", [False, True])
def test_ridge_regression_of_the_newton_target(method, missing, weighted):
    """Penalised least squares of -g/h with weights h, solved with an intercept of its own."""
    X, y = data(missing=missing)
    w = np.random.default_rng(1).uniform(0.5, 2, y.size) if weighted else np.ones(y.size)
    ridge, l2, rate = 0.7, 1.5, 0.3
    model = HistGradientBoostingRegressor(
        tree_method=method, linear_leaves=True, linear_l2=ridge, l2_regularization=l2, learning_rate=rate,
        max_iter=2, max_leaf_nodes=6,
    ).fit(X, y, sample_weight=w if weighted else None)  # fmt: skip
    raw = np.full(y.size, model._baseline[0])
    for t in range(2):
        tree = model.get_tree(t)
        leaves = model.apply(X)[:, t]
        g = (raw - y) * w
        new = raw.copy()
        seen = 0
        for leaf, columns in paths(tree).items():
            rows = np.flatnonzero(leaves == leaf)
            new[rows] += tree["value"][leaf]
            full = rows[np.isfinite(X[np.ix_(rows, columns)]).all(axis=1)]
            h = w[full]
            A = X[np.ix_(full, columns)]
            mean = np.average(A, axis=0, weights=h)
            S = (A - mean).T @ ((A - mean) * h[:, None]) + ridge * np.eye(len(columns))
            c = -g[full].sum() / (h.sum() + l2)
            beta = np.linalg.solve(S, -(A - mean).T @ g[full])
            found = line(tree, leaf)
            assert sorted(found) == columns
            np.testing.assert_allclose([found[j] for j in columns], rate * beta, rtol=1e-5, atol=1e-7)
            np.testing.assert_allclose(
                tree["intercept"][leaf], rate * (c - mean @ beta), rtol=1e-5, atol=1e-7
            )
            new[full] = raw[full] + rate * (c + (A - mean) @ beta)
            seen += full.size
        assert seen > 200
        np.testing.assert_allclose(list(model.staged_predict(X))[t], new, rtol=1e-6, atol=1e-7)
        raw = new


def test_least_squares_finds_a_piecewise_linear_function():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(500, 2))
    y = np.where(X[:, 0] > 0, 3 * X[:, 0] + 20, -2 * X[:, 0])  # the step is where constants cut, too
    model = HistGradientBoostingRegressor(
        linear_leaves=True,
        linear_l2=0.0,
        max_iter=1,
        learning_rate=1.0,
        max_leaf_nodes=2,
        tree_method="exact",
    ).fit(X, y)
    np.testing.assert_allclose(model.predict(X), y, atol=1e-5)
    assert model.score(X, y) > HistGradientBoostingRegressor(max_iter=1, learning_rate=1.0).fit(X, y).score(
        X, y
    )


def test_rows_without_a_value_get_the_constant():
    X, y = data()
    model = HistGradientBoostingRegressor(linear_leaves=True, max_iter=1, max_leaf_nodes=4).fit(X, y)
    tree = model.get_tree(0)
    for hole in (np.nan, np.inf, -np.inf):
        holes = np.full((1, 4), hole)
        leaf = model.apply(holes)[0, 0]
        assert line(tree, leaf)
        assert model.predict(holes)[0] == model._baseline[0] + tree["value"][leaf]


def test_constant_and_repeated_columns_get_no_weight():
    rng = np.random.default_rng(0)
    x = rng.uniform(size=300)
    flag = (rng.random(300) < 0.5).astype(float)
    X = np.column_stack([flag, x, 2 * x + 1])  # flag is constant on both sides of its split
    y = 5 * flag + np.where(x > 0.5, x, 0) + np.where(2 * x + 1 > 1.6, 0.3, 0)
    model = HistGradientBoostingRegressor(linear_leaves=True, linear_l2=0.0, max_iter=8, min_samples_leaf=5)
    model.fit(X, y)
    for t in range(8):
        tree = model.get_tree(t)
        for node, columns in paths(tree).items():
            found = line(tree, node)
            assert 0 not in found
            assert not {1, 2} <= set(found)
            if {1, 2} & set(columns):
                assert np.isfinite(list(found.values())).all()
    assert np.abs(model.predict(X)).max() < 20


def test_few_rows_stay_constant():
    """A leaf needs more rows than features."""
    X, y = data(n=40)
    model = HistGradientBoostingRegressor(
        linear_leaves=True, max_iter=1, min_samples_leaf=1, max_leaf_nodes=None
    )
    tree = model.fit(X, y).get_tree(0)
    for node, columns in paths(tree).items():
        assert bool(line(tree, node)) == (tree["count"][node] > len(columns))


@pytest.fixture(scope="module")
def shop():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=600),
            "kind": pd.Categorical(rng.choice(list("abcd"), 600)),
            "price": np.where(rng.random(600) < 0.2, np.nan, rng.gamma(2, 2, 600)),
        }
    )
    y = frame["size"] * (frame["kind"].cat.codes + 1) + np.nan_to_num(frame["price"]) + rng.normal(size=600)
    return frame, y.to_numpy()


def test_saved_staged_pickled_and_tabulated(shop, tmp_path):
    X, y = shop
    model = HistGradientBoostingRegressor(
        linear_leaves=True, max_iter=10, early_stopping=True, random_state=0
    )
    model.fit(X, y)
    path = tmp_path / "model.json"
    model.save_json(path)
    assert json.loads(path.read_text())["version"] == 3
    for other in (HistGradientBoostingRegressor.load_json(path), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
    np.testing.assert_array_equal(list(model.staged_predict(X))[-1], model.predict(X))
    frame = model.trees_to_frame()
    linear = frame[frame["coefficients"].notna()]
    assert len(linear) > 10
    assert (linear["left"] == -1).all()
    for _, row in linear.head(20).iterrows():
        assert set(row["coefficients"]) <= {"size", "price"}
        tree = model.get_tree(int(row["iteration"]))
        assert row["coefficients"] == {X.columns[j]: c for j, c in line(tree, int(row["node"])).items()}
    assert "size" in "".join(text.get_text() for text in model.plot_tree(0).texts if "+" in text.get_text())


@pytest.mark.parametrize("sampling", ["none", "goss"])
def test_warm_start_threads_and_classes(sampling):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 4))
    y = np.digitize(X[:, 0] * X[:, 1] + 0.3 * rng.normal(size=3000), [-0.4, 0.4])
    options = {"linear_leaves": True, "sampling": sampling, "random_state": 0}
    long = HistGradientBoostingClassifier(max_iter=8, n_jobs=1, **options).fit(X, y)
    short = HistGradientBoostingClassifier(max_iter=3, n_jobs=7, warm_start=True, **options).fit(X, y)
    short.set_params(max_iter=8).fit(X, y)
    np.testing.assert_array_equal(short.decision_function(X), long.decision_function(X))
    # Trees of either kind may follow the other.
    short.set_params(max_iter=10, linear_leaves=False).fit(X, y)
    stages = list(short.staged_decision_function(X))
    np.testing.assert_array_equal(stages[7], long.decision_function(X))
    assert "intercept" not in short.get_tree(9)
    assert short.score(X, y) > 0.7


def test_sparse_data_and_a_ranker():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 5)) * (rng.random((600, 5)) < 0.5)
    grades = np.digitize(X[:, 3] + X[:, 1], [-0.5, 0.5])
    qid = np.repeat(np.arange(60), 10)
    dense = HistGradientBoostingRanker(linear_leaves=True, max_iter=8).fit(X, grades, qid=qid)
    sparse = HistGradientBoostingRanker(linear_leaves=True, max_iter=8).fit(sp.csr_array(X), grades, qid=qid)
    np.testing.assert_array_equal(sparse.predict(sp.csc_array(X[:, :])), dense.predict(X))
    assert dense.trees_to_frame()["coefficients"].notna().any()


def test_what_does_not_go_together():
    X, y = data(n=100)
    for options, words in (
        ({"loss": "absolute_error"}, "Newton steps"),
        ({"loss": "multi_quantile", "quantile": [0.1, 0.9]}, "Newton steps"),
        ({"monotonic_cst": [1, 0, 0, 0]}, "monotonic"),
    ):
        with pytest.raises(ValueError, match=words):
            HistGradientBoostingRegressor(linear_leaves=True, **options).fit(X, y)
    model = HistGradientBoostingRegressor(linear_leaves=True, max_iter=2).fit(X, y)
    with pytest.raises(NotImplementedError, match="linear leaves"):
        partial_dependence(model, X, [0], method="recursion")
    assert np.isfinite(partial_dependence(model, X, [0], method="brute")["average"]).all()
