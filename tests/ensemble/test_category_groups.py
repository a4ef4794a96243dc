"""Columns with more categories than a histogram has bins."""

import pickle

import numpy as np
import pytest

from mlcore.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from mlcore.ensemble._category_groups import group_categories

OPTIONS = {"categorical_features": [0], "group_categories": True, "max_iter": 30, "random_state": 0}


def data(n=6000, categories=1200, seed=0):
    rng = np.random.default_rng(seed)
    effect = rng.normal(size=categories)
    c = rng.integers(categories, size=n)
    X = np.column_stack([c * 3 + 1, rng.normal(size=n)]).astype(float)
    return X, effect[c] + 0.3 * X[:, 1] + 0.05 * rng.normal(size=n)


def test_groups_from_their_definition():
    rng = np.random.default_rng(0)
    codes = rng.integers(40, size=500).astype(float)
    codes[codes == 7] = 8.0  # a code that no row has
    codes[:20] = np.nan
    g, h = rng.normal(size=(1, 500)), rng.uniform(0.1, 1, size=(1, 500))
    found = group_categories(codes, 40, g, h, 6)
    score, rows = np.zeros(40), np.zeros(40)
    for k in range(40):
        own = codes == k
        score[k], rows[k] = g[0, own].sum() / (h[0, own].sum() + 10), own.sum()
    expected, seen = np.zeros(40, int), 0.0
    for k in sorted(range(40), key=lambda k: score[k]):
        expected[k] = int(6 * (seen + rows[k] / 2) / rows.sum())
        seen += rows[k]
    np.testing.assert_array_equal(found, expected)


def test_a_group_for_each_when_there_are_enough():
    codes = np.repeat(np.arange(5.0), 20)
    g = np.repeat([[3.0, 1.0, 2.0, 5.0, 4.0]], 20, axis=0).T.reshape(1, -1)
    np.testing.assert_array_equal(group_categories(codes, 5, g, np.ones((1, 100)), 5), [2, 0, 1, 4, 3])


def test_several_outputs_use_the_axis_that_tells_most():
    """Two outputs where only the second one, and opposite in the first, differs between categories."""
    codes = np.repeat(np.arange(6.0), 30)
    wave = np.repeat([0.0, 5.0, 1.0, 4.0, 2.0, 3.0], 30)
    found = group_categories(codes, 6, np.stack([-0.5 * wave, wave]), np.ones((2, 180)), 6)
    np.testing.assert_array_equal(found, [0, 5, 1, 4, 2, 3])


def test_refused_unless_asked_for():
    X, y = data()
    with pytest.raises(ValueError, match="cardinality <= 255 but actually has a cardinality of"):
        HistGradientBoostingRegressor(categorical_features=[0]).fit(X, y)


def test_effects_are_found():
    X, y = data()
    numbers = HistGradientBoostingRegressor(max_iter=30).fit(X, y)
    grouped = HistGradientBoostingRegressor(**OPTIONS).fit(X, y)
    assert grouped.score(X, y) > 0.9
    assert numbers.score(X, y) < 0.6
    assert int(grouped._codes.counts()[0]) <= 255


def test_unknown_and_missing_categories_agree():
    X, y = data()
    X[::9, 0] = np.nan
    model = HistGradientBoostingRegressor(**OPTIONS).fit(X, y)
    strange = X[:50].copy()
    strange[:, 0] = 0.5
    missing = X[:50].copy()
    missing[:, 0] = np.nan
    np.testing.assert_array_equal(model.predict(strange), model.predict(missing))


def test_held_out_targets_are_not_looked_at():
    X, y = data()
    options = {**OPTIONS, "early_stopping": True, "n_iter_no_change": 100, "max_iter": 5}
    model = HistGradientBoostingRegressor(**options).fit(X, y)
    generator = np.random.RandomState(0)
    from sklearn.model_selection import train_test_split

    seed = int(generator.randint(np.iinfo(np.uint32).max, dtype="u8"))
    held_out = train_test_split(np.arange(y.size), test_size=0.1, random_state=seed)[1]
    changed = y.copy()
    changed[held_out] = -changed[held_out]
    other = HistGradientBoostingRegressor(**options).fit(X, changed)
    assert other.validation_score_[-1] != model.validation_score_[-1]
    np.testing.assert_array_equal(other.predict(X), model.predict(X))


def test_validation_data_are_grouped_too():
    X, y = data()
    model = HistGradientBoostingRegressor(**OPTIONS).fit(X[:5000], y[:5000], X_val=X[5000:], y_val=y[5000:])
    error = np.mean((model.predict(X[5000:]) - y[5000:]) ** 2) / 2
    assert model.validation_score_[-1] == pytest.approx(-error, rel=1e-12)


@pytest.mark.parametrize("strings", [False, True])
def test_saved_models_keep_the_groups(tmp_path, strings):
    X, y = data(n=2000, categories=400)
    labels = np.digitize(y, [-0.5, 0.5])
    if strings:
        X = X.astype(object)
        X[:, 0] = [f"c{v:.0f}" for v in X[:, 0]]
    model = HistGradientBoostingClassifier(**OPTIONS).fit(X, labels)
    expected = model.predict_proba(X)
    model.save_json(tmp_path / "m.json")
    loaded = HistGradientBoostingClassifier.load_json(tmp_path / "m.json")
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), expected)


def test_warm_start_keeps_the_groups():
    X, y = data()
    whole = HistGradientBoostingRegressor(**{**OPTIONS, "max_iter": 6}).fit(X, y)
    parts = HistGradientBoostingRegressor(**{**OPTIONS, "max_iter": 3}, warm_start=True).fit(X, y)
    parts.set_params(max_iter=6).fit(X, y)
    np.testing.assert_array_equal(parts.predict(X), whole.predict(X))
    with pytest.raises(ValueError, match="categories of the first fit"):
        parts.set_params(max_iter=7).fit(X + 1, y)


def test_few_categories_are_not_grouped():
    X, y = data(categories=200)
    plain = HistGradientBoostingRegressor(**{**OPTIONS, "group_categories": False}).fit(X, y)
    np.testing.assert_array_equal(
        HistGradientBoostingRegressor(**OPTIONS).fit(X, y).predict(X), plain.predict(X)
    )


def test_a_million_categories():
    """Refused with the number, or grouped: categories that are seen once share groups by their gradients."""
    n = 10**6
    X = np.random.default_rng(0).permutation(n).astype(np.float64)[:, None] * 7.0
    y = np.where(X[:, 0] < 2e6, -1.0, 1.0)
    with pytest.raises(ValueError, match="has a cardinality of 1000000"):
        HistGradientBoostingRegressor(categorical_features=[0]).fit(X, y)
    model = HistGradientBoostingRegressor(
        categorical_features=[0], group_categories=True, max_iter=2, early_stopping=False, learning_rate=1.0
    ).fit(X, y)
    some = slice(0, n, 97)
    assert np.mean(np.sign(model.predict(X[some])) == y[some]) > 0.99
    unknown = model.predict(np.array([[3.0], [np.nan], [-5.0]]))
    assert np.isfinite(unknown).all()
    assert unknown[0] == unknown[1] == unknown[2]
