"""Sparse data give what the same data give as an array, to the last bit."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from mlcore import _core
from mlcore.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRanker,
    HistGradientBoostingRegressor,
)

TYPES = list(itertools.product((np.float32, np.float64), (np.int32, np.int64)))


def table(n=700, d=9, seed=0, dtype=np.float64):
    """Columns from empty to full, counts, numbers of both signs, a few missing and infinite values."""
    rng = np.random.default_rng(seed)
    X = np.where(rng.random((n, d)) < np.linspace(0, 1, d), rng.normal(size=(n, d)), 0.0)
    X[:, 1] = (rng.random(n) < 0.3) * rng.integers(1, 4, size=n)
    X[rng.random((n, d)) < 0.02] = np.nan
    X[:4, 5] = np.inf, -np.inf, 0, -0.0
    y = np.nansum(np.where(np.isfinite(X), X, 1), axis=1) + (X[:, 1] > 1) + rng.normal(size=n)
    return X.astype(dtype), y


def columns(X, index=np.int32):
    A = sp.csc_array(X)
    return A.data, A.indices.astype(index), A.indptr.astype(index), X.shape[0]


@pytest.mark.parametrize(("dtype", "index"), TYPES)
@pytest.mark.parametrize("n", [1, 511, 512, 513, 3000])
def test_bins(n, dtype, index):
    X, _ = table(n=max(n, 4), dtype=dtype)
    X = X[:n]
    weights = np.random.default_rng(1).uniform(0.5, 2, size=n)
    for w, max_bins in itertools.product((None, weights), (4, 255)):
        thresholds = _core.tree.find_bins(X, w, None, max_bins, None, 2)
        found = _core.tree.find_bins_of_columns(columns(X, index), w, max_bins, False, 2)
        for expected, own in zip(thresholds, found):
            np.testing.assert_array_equal(own, expected)
        dense = _core.tree.BinnedMatrix(X, thresholds, None, 2)
        sparse = _core.tree.BinnedMatrix.of_columns(columns(X, index), thresholds, False, n_threads=2)
        for j in range(X.shape[1]):
            np.testing.assert_array_equal(sparse.bins(j), dense.bins(j))
        np.testing.assert_array_equal(sparse.has_missing(), dense.has_missing())


def test_bins_where_absent_is_missing():
    X, _ = table()
    holes = np.where(X == 0, np.nan, X)
    thresholds = _core.tree.find_bins(holes, None, None, 20, None, 1)
    for expected, own in zip(thresholds, _core.tree.find_bins_of_columns(columns(X), None, 20, True, 1)):
        np.testing.assert_array_equal(own, expected)
    dense = _core.tree.BinnedMatrix(holes, thresholds, None, 1)
    sparse = _core.tree.BinnedMatrix.of_columns(columns(X), thresholds, True, n_threads=1)
    for j in range(X.shape[1]):
        np.testing.assert_array_equal(sparse.bins(j), dense.bins(j))
    np.testing.assert_array_equal(sparse.has_missing(), dense.has_missing())


@pytest.mark.parametrize("broken", ["row", "indptr", "short"])
def test_broken_columns_are_refused(broken):
    data, rows, indptr, n = columns(table()[0])
    if broken == "row":
        rows = rows.copy()
        rows[-1] = n
    elif broken == "indptr":
        indptr = indptr[::-1].copy()
    else:
        data = data[:-1]
    with pytest.raises(ValueError, match=r"out of range|indptr"):
        _core.tree.find_bins_of_columns((data, rows, indptr, n), None, 255, False, 1)


def assert_same_trees(a, b):
    assert a.n_iter_ == b.n_iter_
    for first, second in zip(a._trees.trees, b._trees.trees):
        for name in first:
            np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.mark.parametrize("kind", ["csr_array", "csc_array", "csr_matrix", "coo_array"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("zero_as_missing", [False, True])
def test_fit_and_predict(kind, dtype, zero_as_missing):
    X, y = table(dtype=dtype)
    model = HistGradientBoostingRegressor(
        max_iter=8, max_leaf_nodes=8, zero_as_missing=zero_as_missing, early_stopping=True, random_state=0
    )
    dense = model.fit(X, y)
    expected, leaves = dense.predict(X), dense.apply(X)
    A = getattr(sp, kind)(X)
    sparse = HistGradientBoostingRegressor(**model.get_params()).fit(A, y)
    assert_same_trees(sparse, dense)
    np.testing.assert_array_equal(sparse.predict(A), expected)
    np.testing.assert_array_equal(sparse.predict(X), expected)
    np.testing.assert_array_equal(sparse.apply(A), leaves)
    np.testing.assert_array_equal(list(sparse.staged_predict(A))[-1], expected)
    if zero_as_missing:
        holes = np.where(X == 0, dtype(np.nan), X)
        model.set_params(zero_as_missing=False).fit(holes, y)
        np.testing.assert_array_equal(model.predict(holes), expected)


def test_weights_scorer_and_validation_data():
    X, y = table(n=900)
    labels = (y > np.median(y)).astype(int)
    weights = np.random.default_rng(2).integers(0, 3, size=y.size).astype(float)
    options = {"max_iter": 6, "early_stopping": True, "scoring": "accuracy", "random_state": 3}

    def fit(convert):
        given = {"X_val": convert(X[600:]), "y_val": labels[600:]}
        model = HistGradientBoostingClassifier(**options)
        return model.fit(convert(X[:600]), labels[:600], sample_weight=weights[:600], **given)

    dense, sparse = fit(np.asarray), fit(sp.csr_array)
    assert_same_trees(sparse, dense)
    np.testing.assert_array_equal(sparse.validation_score_, dense.validation_score_)
    np.testing.assert_array_equal(sparse.train_score_, dense.train_score_)
    np.testing.assert_array_equal(sparse.predict_proba(sp.csr_array(X)), dense.predict_proba(X))


def test_many_rows_are_sampled_alike():
    X, y = table(n=2000)
    X, y = np.tile(X, (110, 1)), np.tile(y, 110)
    X[:, 8] = np.random.default_rng(0).normal(size=y.size)
    options = {"max_iter": 2, "max_bins": 30, "random_state": 0, "early_stopping": False}
    dense = HistGradientBoostingRegressor(**options).fit(X, y)
    assert_same_trees(HistGradientBoostingRegressor(**options).fit(sp.csr_array(X), y), dense)


def test_three_classes_and_warm_start():
    X, y = table()
    y = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    A = sp.csr_array(X)
    whole = HistGradientBoostingClassifier(max_iter=4, random_state=0).fit(X, y)
    parts = HistGradientBoostingClassifier(max_iter=2, warm_start=True, random_state=0).fit(A, y)
    parts.predict(A)  # makes a forest that must not outlive the two iterations
    parts.set_params(max_iter=4).fit(A, y)
    np.testing.assert_array_equal(parts.predict_proba(A), whole.predict_proba(X))


def test_ranker():
    X, y = table(n=300)
    grades, qid = np.clip(np.round(y), 0, 3), np.arange(300) // 20
    dense = HistGradientBoostingRanker(max_iter=3).fit(X, grades, qid=qid)
    sparse = HistGradientBoostingRanker(max_iter=3).fit(sp.csr_array(X), grades, qid=qid)
    assert sparse.score(sp.csr_array(X), grades, qid=qid) == dense.score(X, grades, qid=qid)


def test_no_split_at_all():
    A = sp.csr_array((50, 3))
    model = HistGradientBoostingRegressor(max_iter=2).fit(A, np.arange(50.0))
    np.testing.assert_array_equal(model.predict(A), np.full(50, 24.5))


def test_many_columns_few_used():
    """Prediction unpacks the columns that trees use, not a million of them."""
    rng = np.random.default_rng(0)
    A = sp.random_array((200, 3000), density=0.01, rng=rng, format="csr")
    y = np.asarray(A[:, [5]].todense()).ravel()
    model = HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=1).fit(A, y)
    np.testing.assert_array_equal(model.predict(A), model.predict(A.toarray()))


def test_categories_need_dense_data():
    A = sp.csr_array(table()[0])
    with pytest.raises(ValueError, match="Sparse data cannot have categorical features"):
        HistGradientBoostingRegressor(categorical_features=[1]).fit(A, np.arange(700.0))
    X = np.random.default_rng(0).integers(4, size=(100, 2)).astype(float)
    model = HistGradientBoostingRegressor(categorical_features=[1], max_iter=1).fit(X, X[:, 1])
    with pytest.raises(ValueError, match="must be dense"):
        model.predict(sp.csr_array(X))


def test_zero_category_is_no_missing_value():
    X = np.random.default_rng(0).integers(3, size=(300, 2)).astype(float)
    y = (X[:, 1] == 0) * 4.0 + X[:, 0]
    options = {"categorical_features": [1], "max_iter": 3, "zero_as_missing": True}
    model = HistGradientBoostingRegressor(**options).fit(X, y)
    holes = X.copy()
    holes[holes[:, 0] == 0, 0] = np.nan
    expected = HistGradientBoostingRegressor(**{**options, "zero_as_missing": False}).fit(holes, y)
    np.testing.assert_array_equal(model.predict(X), expected.predict(holes))


def one_hot(n=3000, seed=0):
    """Three blocks of indicators, one with numbers in place of ones, and two full columns."""
    rng = np.random.default_rng(seed)
    blocks, effect = [], np.zeros(n)
    for size in (40, 300, 25):
        c = np.minimum(rng.geometric(3 / size, size=n) - 1, size - 1)
        block = np.zeros((n, size))
        block[np.arange(n), c] = 1
        effect += rng.normal(size=size)[c]
        blocks.append(block)
    values = rng.normal(size=n)
    values[::17] = np.nan
    blocks[2] *= np.where(rng.random(n) < 0.5, values, rng.integers(-2, 3, size=n))[:, np.newaxis]
    blocks[2][np.isnan(blocks[2]) & (blocks[0][:, :25] == 0)] = 0
    X = np.column_stack([rng.normal(size=n), *blocks, rng.random(n)])
    return X, effect + X[:, 0] + np.nansum(blocks[2], axis=1)


@pytest.mark.parametrize("absent_is_missing", [False, True])
def test_bundles_keep_the_bins(absent_is_missing):
    X, _ = one_hot()
    thresholds = _core.tree.find_bins_of_columns(columns(X), None, 255, absent_is_missing, 1)
    alone = _core.tree.BinnedMatrix.of_columns(columns(X), thresholds, absent_is_missing)
    bundled = _core.tree.BinnedMatrix.of_columns(columns(X), thresholds, absent_is_missing, True)
    assert alone.n_groups == X.shape[1]
    assert bundled.n_groups < 30
    assert bundled.nbytes < alone.nbytes / 5
    for j in range(X.shape[1]):
        np.testing.assert_array_equal(bundled.bins(j), alone.bins(j))
    np.testing.assert_array_equal(bundled.has_missing(), alone.has_missing())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"zero_as_missing": True},
        {"max_depth": 4, "growth": "level", "l1_regularization": 0.5, "l2_regularization": 1.0},
        {"max_features": 0.5, "colsample_bytree": 0.7, "sampling": "uniform", "subsample": 0.5},
        {"sampling": "goss"},
        {"monotonic_cst": [1] * 200 + [-1] * 100 + [0] * 67},
        {"loss": "absolute_error", "min_samples_leaf": 3},
        {"early_stopping": True, "max_bins": 10},
    ],
)
def test_bundles_do_not_change_trees(options):
    X, y = one_hot()
    models = []
    for bundle in (False, True):
        model = HistGradientBoostingRegressor(
            max_iter=12, random_state=0, bundle_features=bundle, **{"min_samples_leaf": 8, **options}
        )
        models.append(model.fit(sp.csr_array(X), y))
    assert any((tree["feature"] > 0).any() for tree in models[0]._trees.trees)
    assert_same_trees(*models)
    np.testing.assert_array_equal(models[0].predict(sp.csr_array(X)), models[1].predict(X))


def test_bundles_on_any_number_of_threads():
    X, y = one_hot(n=20_000)
    fits = [
        HistGradientBoostingRegressor(max_iter=3, n_jobs=jobs, early_stopping=False).fit(sp.csr_array(X), y)
        for jobs in (1, 2, 7)
    ]
    assert_same_trees(fits[0], fits[1])
    assert_same_trees(fits[0], fits[2])


def test_warm_start_on_bundles():
    """The raw predictions of the first trees come from the bundles."""
    X, y = one_hot()
    A = sp.csr_array(X)
    for extra in ({}, {"sampling": "uniform"}):
        whole = HistGradientBoostingRegressor(max_iter=6, random_state=0, **extra).fit(X, y)
        parts = HistGradientBoostingRegressor(max_iter=3, random_state=0, warm_start=True, **extra).fit(A, y)
        assert_same_trees(parts.set_params(max_iter=6).fit(A, y), whole)


@pytest.mark.parametrize("isa", ["base", "v3", "v4"])
def test_bundles_at_each_level(isa, tmp_path):
    script = tmp_path / "fit.py"
    script.write_text(
        "import sys, numpy as np, scipy.sparse as sp\n"
        "from mlcore.ensemble import HistGradientBoostingRegressor as R\n"
        "c = np.random.default_rng(0).integers(60, size=2000)\n"
        "A = sp.csr_array(np.eye(60)[c])\n"
        "y = np.sin(c)\n"
        "a, b = (R(max_iter=4, bundle_features=k).fit(A, y).predict(A) for k in (False, True))\n"
        "assert (a == b).all() and a.std() > 0.1\n"
    )
    environment = {**os.environ, "MLCORE_ISA": isa}
    subprocess.run([sys.executable, str(script)], check=True, env=environment)


@pytest.mark.parametrize("isa", ["base", "v3", "v4"])
def test_bundles_of_two_bins_on_two_threads_at_each_level(isa, tmp_path):
    """Indicators of both signs, so that "absent" is the lower bin of some and the upper one of others."""
    script = tmp_path / "fit.py"
    script.write_text(
        "import numpy as np, scipy.sparse as sp\n"
        "from mlcore.ensemble import HistGradientBoostingRegressor as R\n"
        "rng = np.random.default_rng(0)\n"
        "n, k, levels = 40_000, 5, 30\n"
        "codes = rng.integers(levels, size=(n, k)) + np.arange(k) * levels\n"
        "sign = np.where(np.arange(k * levels) % 3 == 0, -1.0, 1.0)\n"
        "parts = (sign[codes.ravel()], codes.ravel(), np.arange(n + 1) * k)\n"
        "A = sp.csr_array(parts, shape=(n, k * levels))\n"
        "effects = rng.standard_normal(k * levels)\n"
        "y = effects[codes].sum(axis=1) + effects[codes[:, 0]] * effects[codes[:, 1]]\n"
        "fits = [R(max_iter=4, early_stopping=False, bundle_features=b, n_jobs=j).fit(A, y)\n"
        "        for b, j in ((False, 1), (True, 1), (True, 2))]\n"
        "trees = [[m.get_tree(i) for i in range(4)] for m in fits]\n"
        "for other in trees[1:]:\n"
        "    for a, b in zip(trees[0], other):\n"
        "        for name in a:\n"
        "            np.testing.assert_array_equal(a[name], b[name], err_msg=name)\n"
        "assert set(sign[np.concatenate([t['feature'][t['left'] >= 0] for t in trees[0]])]) == {-1.0, 1.0}\n"
    )
    environment = {**os.environ, "MLCORE_ISA": isa}
    subprocess.run([sys.executable, str(script)], check=True, env=environment)
