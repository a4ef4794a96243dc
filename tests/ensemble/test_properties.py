"""What must hold for any data: constraints, order of quantiles, weights, sampling, threads."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import _core
from mlcore.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

SOME = settings(max_examples=12, deadline=None)


def rows(seed, n=200, d=3):
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(size=(n, d)), 1)
    X[rng.random((n, d)) < 0.05] = np.nan
    return X, rng.normal(size=n) + np.where(np.isnan(X[:, 0]), 1.0, np.sin(3 * X[:, 0]))


@SOME
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, -1]),
    st.sampled_from(["squared_error", "absolute_error", "quantile", "huber", "poisson"]),
)
def test_monotone_constraints_are_never_violated(seed, sign, loss):
    X, y = rows(seed)
    y = np.exp(y) if loss == "poisson" else y
    model = HistGradientBoostingRegressor(
        loss=loss, quantile=0.7, monotonic_cst=[sign, 0, 0], min_samples_leaf=3, max_iter=15
    ).fit(X, y)
    grid = np.linspace(-4, 4, 60)
    for i in range(0, 200, 20):
        line = np.repeat(X[[i]], 60, axis=0)
        line[:, 0] = grid
        assert (sign * np.diff(model.predict(line)) >= -1e-12).all()


@SOME
@given(st.integers(0, 2**32 - 1))
def test_monotone_classifier(seed):
    X, y = rows(seed)
    model = HistGradientBoostingClassifier(monotonic_cst=[0, -1, 0], min_samples_leaf=3, max_iter=15)
    model.fit(X, y > np.median(y))
    line = np.repeat(X[[0]], 60, axis=0)
    line[:, 1] = np.linspace(-4, 4, 60)
    assert (np.diff(model.predict_proba(line)[:, 1]) <= 1e-12).all()


@SOME
@given(
    st.integers(0, 2**32 - 1), st.sampled_from([[[0, 1]], [[0, 1], [1, 2]], "no_interactions", "pairwise"])
)
def test_features_meet_only_within_a_group(seed, groups):
    X, y = rows(seed, d=4)
    model = HistGradientBoostingRegressor(interaction_cst=groups, min_samples_leaf=3, max_iter=10).fit(X, y)
    if isinstance(groups, str):
        size = 1 if groups == "no_interactions" else 2
        allowed = [set(group) for group in itertools.combinations(range(4), size)]
    else:
        allowed = [set(group) for group in groups]
        allowed.append(set(range(4)).difference(*allowed))
    for iteration in range(10):
        tree = model.get_tree(iteration)
        paths = [(0, frozenset())]
        while paths:
            node, used = paths.pop()
            if tree["feature"][node] < 0:
                assert not used or any(used <= group for group in allowed), used
                continue
            used |= {int(tree["feature"][node])}
            paths += [(tree["left"][node], used), (tree["right"][node], used)]


@SOME
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_quantiles_never_cross(seed, weighted):
    X, y = rows(seed)
    levels = [0.9, 0.1, 0.5, 0.25]
    weights = np.random.default_rng(seed).uniform(0.1, 2, size=200) if weighted else None
    model = HistGradientBoostingRegressor(
        loss="multi_quantile", quantile=levels, min_samples_leaf=2, max_iter=25
    ).fit(X, y, sample_weight=weights)
    new, _ = rows(seed + 1, n=500)
    for answer in (model.predict(new), *list(model.staged_predict(new))[::8]):
        assert answer.shape == (500, 4)
        assert (np.diff(answer[:, np.argsort(levels)], axis=1) >= 0).all()
    share = [(y <= column).mean() for column in model.predict(X).T]
    np.testing.assert_allclose(share, levels, atol=0.12)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
def test_weight_zero_is_absence(loss):
    X, y = rows(3)
    y = np.exp(y)
    weights = np.random.default_rng(0).integers(0, 3, size=200).astype(float)
    kept = weights > 0
    with_zeros = HistGradientBoostingRegressor(loss=loss, max_iter=10).fit(X, y, sample_weight=weights)
    without = HistGradientBoostingRegressor(loss=loss, max_iter=10).fit(
        X[kept], y[kept], sample_weight=weights[kept]
    )
    np.testing.assert_array_equal(with_zeros.predict(X), without.predict(X))


def test_weights_scale_like_copies():
    X, y = rows(4)
    copies = np.random.default_rng(0).integers(1, 3, size=200)
    options = {"max_iter": 10, "min_samples_leaf": 1, "min_child_weight": 5.0}
    weighted = HistGradientBoostingRegressor(**options).fit(X, y, sample_weight=copies)
    repeated = HistGradientBoostingRegressor(**options).fit(
        np.repeat(X, copies, axis=0), np.repeat(y, copies)
    )
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"sampling": "goss"},
        {"sampling": "uniform", "subsample": 0.5},
        {"max_features": 0.5, "colsample_bytree": 0.7},
        {"loss": "absolute_error"},
        {"growth": "level", "max_depth": 4},
    ],
    ids=["plain", "goss", "uniform", "columns", "renewed", "level"],
)
def test_threads_do_not_change_a_bit(more):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30_000, 6)).astype(np.float32)
    y = X[:, 0] * X[:, 1] + rng.normal(size=30_000)
    options = {"max_iter": 4, "random_state": 0, "early_stopping": True, **more}
    one, two, seven = (HistGradientBoostingRegressor(n_jobs=n, **options).fit(X, y) for n in (1, 2, 7))
    expected = one.predict(X)
    np.testing.assert_array_equal(two.predict(X), expected)
    np.testing.assert_array_equal(seven.predict(X), expected)
    np.testing.assert_array_equal(seven.validation_score_, one.validation_score_)


def test_goss_keeps_sums_unbiased():
    """12.13: the weighted sum of the sample estimates the sum of all gradients."""
    rng = np.random.default_rng(0)
    values = rng.exponential(0.5, size=1500).astype(np.float32)
    total = float(values.sum(dtype=np.float64))
    estimates = []
    for seed in range(400):
        g, h = values[None].copy(), np.ones((1, 1500), dtype=np.float32)
        chosen = _core.ensemble.goss(g, h, 0.2, 0.1, seed, 0)
        assert chosen.size == pytest.approx(450, abs=1)
        estimates.append(float(g[0, chosen].sum(dtype=np.float64)))
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - total) < 4 * error


@pytest.mark.parametrize("sampling", ["uniform", "goss"])
def test_sampled_rows_are_fewer_and_the_model_still_learns(sampling):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 4))
    y = X[:, 0] + np.sin(2 * X[:, 1])
    model = HistGradientBoostingRegressor(
        sampling=sampling, subsample=0.3, max_iter=60, random_state=0, early_stopping=False
    ).fit(X, y)
    assert model.get_tree(0)["count"][0] == pytest.approx(900, abs=1)
    assert model.score(X, y) > 0.95
    other = HistGradientBoostingRegressor(
        sampling=sampling, subsample=0.3, max_iter=60, random_state=1, early_stopping=False
    ).fit(X, y)
    assert (other.predict(X) != model.predict(X)).any()


def test_column_samples_are_kept():
    X, y = rows(0, n=400, d=6)
    y = y + np.nan_to_num(X) @ np.arange(6)
    model = HistGradientBoostingRegressor(colsample_bytree=0.5, max_iter=20, random_state=0).fit(X, y)
    used = [frozenset(tree["feature"][tree["feature"] >= 0]) for tree in map(model.get_tree, range(20))]
    assert max(len(one) for one in used) == 3
    assert len(set().union(*used)) == 6


def test_level_growth_fills_a_level_before_the_next():
    X, y = rows(0, n=2000)
    tree = HistGradientBoostingRegressor(max_iter=1, growth="level", max_leaf_nodes=8, min_samples_leaf=1)
    depths = (t := tree.fit(X, y).get_tree(0))["depth"][t["feature"] < 0]
    assert depths.tolist() == [3] * 8


def test_leaf_growth_has_the_lower_loss():
    """12.11: with the same number of leaves the greedy choice of leaves lowers the training loss more."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 2))
    y = np.where(X[:, 0] > 1, np.sin(8 * X[:, 1]) * 5, 0.1 * X[:, 1]) + 0.1 * rng.normal(size=3000)
    errors = {}
    for growth in ("leaf", "level"):
        model = HistGradientBoostingRegressor(max_iter=1, learning_rate=1.0, growth=growth, max_leaf_nodes=8)
        errors[growth] = np.square(model.fit(X, y).predict(X) - y).mean()
    assert errors["leaf"] < errors["level"]


def test_penalties_hold():
    X, y = rows(0, n=400)
    free = HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=1).fit(X, y)
    dear = HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=1, min_split_gain=3.0).fit(X, y)
    heavy = HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=1, min_child_weight=30.0).fit(X, y)
    assert len(dear.trees_to_frame()) < len(free.trees_to_frame())
    for i in range(3):
        assert (heavy.get_tree(i)["cover"] >= 30).all()
    sparse = HistGradientBoostingRegressor(max_iter=1, min_samples_leaf=1, l1_regularization=1e6).fit(X, y)
    np.testing.assert_allclose(sparse.predict(X), y.mean())


def test_medians_that_would_break_the_order_are_bounded():
    """The gradients ask for a rise, the medians of the leaves for a fall: the constraint wins."""
    left = np.r_[np.full(45, 100.0), np.full(55, -1.0)]
    middle = np.r_[np.full(48, 100.0), np.full(52, -2.0)]
    x = np.repeat([0.0, 1.0, 2.0], 100)[:, None]
    y = np.r_[left, middle, np.full(100, 100.0)]
    options = {"loss": "absolute_error", "max_iter": 1, "learning_rate": 1.0, "max_leaf_nodes": 3}
    free = HistGradientBoostingRegressor(**options).fit(x, y).predict([[0.0], [1.0], [2.0]])
    assert free.tolist() == [-1.0, -2.0, 100.0]
    bound = HistGradientBoostingRegressor(monotonic_cst=[1], **options).fit(x, y)
    assert bound.predict([[0.0], [1.0], [2.0]]).tolist() == [-1.5, -1.5, 100.0]


def test_features_in_no_group_are_a_group():
    X, _ = rows(0, d=4)
    X = np.nan_to_num(X)
    y = X[:, 2] * X[:, 3] + X[:, 0] * X[:, 2]
    model = HistGradientBoostingRegressor(interaction_cst=[[0, 1]], min_samples_leaf=3, max_iter=20).fit(X, y)
    used = model.get_feature_importance("split")
    assert (used[2:] > 0).all()
    pairs = set()
    for i in range(20):
        tree = model.get_tree(i)
        pairs.add(frozenset(tree["feature"][tree["feature"] >= 0].tolist()))
    assert frozenset({2, 3}) in pairs
    assert not any(pair & {0, 1} and pair & {2, 3} for pair in pairs)


def test_trees_without_a_split_change_nothing():
    y = np.array([0, 0, 1, 0, 1, 1, 1, 0, 1, 1])
    model = HistGradientBoostingClassifier(max_iter=3).fit(np.arange(10.0)[:, None], y)
    assert [model.get_tree(i)["value"].tolist() for i in range(3)] == [[0.0]] * 3
    assert model.decision_function([[0.0]])[0] == model._baseline[0] == pytest.approx(np.log(0.6 / 0.4))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_sample_for_the_bins_is_that_of_the_drawn_order(monkeypatch, weighted):
    """scikit-learn samples rows of the training part in the order in which the split drew them."""
    from mlcore.ensemble import _parts

    monkeypatch.setattr(_parts, "BINNED_ROWS", 50)
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.1, 3, size=100) if weighted else None
    drawn = rng.permutation(100)[:80]
    part = _parts.Part(None, np.zeros(100), weights).select(drawn)
    found, left = part.quantile_rows(3)
    share = None if weights is None else weights[drawn] / weights[drawn].sum()
    assert left is None
    np.testing.assert_array_equal(found, drawn[np.random.RandomState(3).choice(80, 50, p=share)])
