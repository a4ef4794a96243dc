"""scikit-learn's own classes on the same data: same bins, same splits, same predictions."""

import numpy as np
import pytest
import sklearn.ensemble as peer
from sklearn.datasets import load_diabetes, load_iris

from mlcore.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def table():
    """Numbers with ties, missing values, a category."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(700, 4))
    X[:, 1] = np.round(X[:, 1], 1)
    X[:, 3] = rng.integers(6, size=700)
    y = X[:, 0] + np.abs(X[:, 1]) + np.array([0.0, 2, 1, 3, -1, 0])[X[:, 3].astype(int)]
    y += 0.3 * rng.normal(size=700)
    X[rng.random(700) < 0.1, 0] = np.nan
    X[rng.random(700) < 0.1, 3] = np.nan
    return X, y


@pytest.mark.parametrize(
    ("loss", "more"),
    [
        ("squared_error", {}),
        ("poisson", {}),
        ("gamma", {}),
        ("squared_error", {"l2_regularization": 3.0, "max_depth": 4, "max_bins": 30}),
        ("squared_error", {"interaction_cst": [[0, 1], [2]]}),
        ("squared_error", {"early_stopping": True, "random_state": 3, "max_iter": 60, "n_iter_no_change": 4}),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_regressor(table, loss, more, weighted):
    X, y = table
    y = np.exp(0.3 * y)
    if "early_stopping" in more:  # held-out rows may be missing where a node's training rows are not
        X = np.nan_to_num(X)
    weights = np.random.default_rng(1).uniform(0.3, 3, size=y.size) if weighted else None
    arguments = {"loss": loss, "max_iter": 15, **more}
    ours = HistGradientBoostingRegressor(**arguments).fit(X, y, sample_weight=weights)
    theirs = peer.HistGradientBoostingRegressor(**arguments).fit(X, y, sample_weight=weights)
    assert ours.n_iter_ == theirs.n_iter_
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-4)
    np.testing.assert_allclose(ours.train_score_, theirs.train_score_, rtol=1e-4)
    np.testing.assert_allclose(ours.validation_score_, theirs.validation_score_, rtol=1e-4)


@pytest.mark.parametrize(
    ("loss", "more"),
    [
        ("absolute_error", {}),
        ("quantile", {"quantile": 0.8}),
        ("squared_error", {"categorical_features": [3]}),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_regressor_where_splits_tie(table, loss, more, weighted):
    """Gradients of one size give many splits of one gain, which rounding tells apart: the loss must agree."""
    X, y = table
    y = np.exp(0.3 * y)
    weights = np.random.default_rng(1).uniform(0.3, 3, size=y.size) if weighted else None
    arguments = {"loss": loss, "max_iter": 40, **more}
    ours = HistGradientBoostingRegressor(**arguments).fit(X, y, sample_weight=weights)
    theirs = peer.HistGradientBoostingRegressor(**arguments).fit(X, y, sample_weight=weights)

    def mean_loss(model):
        r = y - model.predict(X)
        level = more.get("quantile", 0.5)
        losses = r**2 if loss == "squared_error" else np.where(r > 0, level * r, (level - 1) * r)
        return np.average(losses, weights=weights)

    assert mean_loss(ours) == pytest.approx(mean_loss(theirs), rel=0.1)
    gain = theirs._predictors[0][0].nodes["gain"][0]
    assert 2 * ours.get_tree(0)["gain"][0] == pytest.approx(gain, rel=1e-3)


def test_monotone_regressor_is_as_good(table):
    """Not the same: under a bound the gain here is that of the bounded values, G w + (H + lambda) w^2 / 2."""
    X, y = table
    arguments = {"monotonic_cst": [1, 0, 0, 0], "max_iter": 40}
    ours = HistGradientBoostingRegressor(**arguments).fit(X, y)
    theirs = peer.HistGradientBoostingRegressor(**arguments).fit(X, y)
    assert ours.score(X, y) > theirs.score(X, y) - 0.01


@pytest.mark.parametrize("more", [{}, {"early_stopping": True, "scoring": "neg_log_loss", "random_state": 1}])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_classifier(table, n_classes, more):
    X, y = table
    X = np.nan_to_num(X)
    y = np.array(["d", "b", "a", "c"])[np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))]
    ours = HistGradientBoostingClassifier(max_iter=12, **more).fit(X, y)
    theirs = peer.HistGradientBoostingClassifier(max_iter=12, **more).fit(X, y)
    assert ours.classes_.tolist() == theirs.classes_.tolist()
    assert ours.n_iter_ == theirs.n_iter_
    assert np.abs(ours.predict_proba(X) - theirs.predict_proba(X)).mean() < 0.01
    assert (ours.predict(X) == theirs.predict(X)).mean() > 0.97
    np.testing.assert_allclose(ours.train_score_, theirs.train_score_, atol=0.01)
    np.testing.assert_allclose(ours.validation_score_, theirs.validation_score_, atol=0.03)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bins_are_the_same(dtype):
    from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper

    from mlcore import _core

    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=3000), rng.integers(9, size=3000), rng.exponential(size=3000)])
    X[::7, 0] = np.nan
    X = X.astype(dtype)
    weights = rng.uniform(0.1, 2, size=3000)
    for w in (None, weights):
        ours = _core.tree.find_bins(X, w, None, 255, None, 0)
        theirs = _BinMapper(random_state=0).fit(X.astype(np.float64), sample_weight=w).bin_thresholds_
        for a, b in zip(ours, theirs):
            np.testing.assert_allclose(a, b, rtol=1e-7)


def test_partial_dependence_by_recursion(table):
    from sklearn.inspection import partial_dependence

    X, y = table
    ours = HistGradientBoostingRegressor(max_iter=10).fit(X, y)
    theirs = peer.HistGradientBoostingRegressor(max_iter=10).fit(X, y)
    a = partial_dependence(ours, X[:, :], [1], method="recursion", grid_resolution=20)
    b = partial_dependence(theirs, X[:, :], [1], method="recursion", grid_resolution=20)
    np.testing.assert_allclose(a["average"], b["average"], rtol=1e-5, atol=1e-5)
    assert np.ptp(a["average"]) > 0.1


def test_default_models_are_as_good():
    X, y = load_diabetes(return_X_y=True)
    train, test = slice(None, 300), slice(300, None)
    ours = HistGradientBoostingRegressor().fit(X[train], y[train]).score(X[test], y[test])
    theirs = peer.HistGradientBoostingRegressor().fit(X[train], y[train]).score(X[test], y[test])
    assert ours == pytest.approx(theirs, abs=0.01)
    X, y = load_iris(return_X_y=True)
    assert HistGradientBoostingClassifier().fit(X, y).score(X, y) == 1.0
