"""Worked numbers of chapter 12 (XGBoost and LightGBM) and boosting items of chapter 11, by requirement id.

Item 12.19 (SHAP) has no public name yet. Timings (12.23) are measured by the benchmarks, not tested.
"""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_diabetes, make_classification
from sklearn.tree import DecisionTreeRegressor

from mlcore.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from mlcore.preprocessing import ExclusiveFeatureBundler, OrderedTargetEncoder
from mlcore.tree import leaf_weight, split_gain, structure_score


def wave():
    """12.22: 160 points of sin 1.5 x + 0.35 x on [-3, 3] with noise 0.25."""
    rng = np.random.default_rng(7)
    x = np.linspace(-3, 3, 160)
    return x[:, None], np.sin(1.5 * x) + 0.35 * x + rng.normal(0, 0.25, 160)


def test_11_17_squared_loss_is_residual_fitting():
    """Each tree of the boosting is a tree fitted to the residuals of the ones before."""
    X, y = wave()
    model = HistGradientBoostingRegressor(max_iter=6, max_depth=3, max_leaf_nodes=None, min_samples_leaf=1)
    F = np.full(160, y.mean())
    for stage in model.fit(X, y).staged_predict(X):
        F += 0.1 * DecisionTreeRegressor(max_depth=3).fit(X, y - F).predict(X)
        np.testing.assert_allclose(stage, F, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "pointwise", "residual"),
    [
        ("squared_error", lambda y, f: (y - f) ** 2 / 2, lambda y, f: y - f),
        ("absolute_error", lambda y, f: abs(y - f), lambda y, f: np.sign(y - f)),
        ("huber", lambda y, f: np.where(abs(y - f) < 1, (y - f) ** 2 / 2, abs(y - f) - 0.5),
         lambda y, f: np.clip(y - f, -1, 1)),
        ("quantile", lambda y, f: np.where(y > f, 0.2 * (y - f), 0.8 * (f - y)),
         lambda y, f: np.where(y > f, 0.2, -0.8)),
    ],
)  # fmt: skip
def test_11_18_pseudo_residuals_are_minus_the_gradient(name, pointwise, residual):
    """By finite differences, and as the native losses compute them."""
    from mlcore import _core

    rng = np.random.default_rng(0)
    y, f = rng.normal(size=50), rng.normal(size=50)
    slope = (pointwise(y, f + 1e-6) - pointwise(y, f - 1e-6)) / 2e-6
    np.testing.assert_allclose(-slope, residual(y, f), atol=1e-5)
    g, h = np.empty((1, 50), np.float32), np.empty((1, 50), np.float32)
    parameter = {"huber": 1.0, "quantile": 0.2}.get(name, 0.0)
    _core.ensemble.gradients(name, parameter, y, f[None].copy(), None, g, h, 1)
    np.testing.assert_allclose(-g[0], residual(y, f), atol=1e-6)


def test_11_18_logistic_residual_in_both_codings():
    """y / (1 + exp(y F)) for labels -1, +1 is y - sigma(F) for labels 0, 1."""
    F = np.linspace(-4, 4, 9)
    for label in (0, 1):
        sign = 2 * label - 1
        np.testing.assert_allclose(sign / (1 + np.exp(sign * F)), label - 1 / (1 + np.exp(-F)))


def test_11_19_stochastic_boosting_learns_from_half_of_the_rows():
    X, y = wave()
    model = HistGradientBoostingRegressor(
        sampling="uniform", subsample=0.5, min_samples_leaf=5, random_state=0
    ).fit(X, y)
    assert model.get_tree(0)["count"][0] == 80
    assert np.sqrt(np.mean((y - model.predict(X)) ** 2)) < 0.3


def test_11_24_the_same_model_for_one_and_many_threads():
    X, y = make_classification(5000, random_state=0)
    one, many = (HistGradientBoostingClassifier(max_iter=10, n_jobs=n).fit(X, y) for n in (1, 7))
    np.testing.assert_array_equal(one.decision_function(X), many.decision_function(X))


def test_12_01_gains_add_up_to_the_fall_of_the_regularised_objective():
    """sum (g f + h f^2 / 2) + gamma T + lambda/2 sum w^2 + alpha sum |w|, of one leaf and of the tree."""
    X, y = wave()
    y = (y > 0.2).astype(float)
    l2, l1, gamma = 0.7, 0.3, 0.05
    model = HistGradientBoostingClassifier(
        tree_method="exact", max_iter=1, learning_rate=1.0, min_samples_leaf=2, max_leaf_nodes=9,
        l2_regularization=l2, l1_regularization=l1, min_split_gain=gamma,
    ).fit(X, y)  # fmt: skip
    tree = model.get_tree(0)
    p = y.mean()
    g, h = p - y, np.full(y.size, p * (1 - p))

    def objective(f, w):
        return (g * f + h * f**2 / 2).sum() + gamma * w.size + l2 / 2 * (w**2).sum() + l1 * abs(w).sum()

    leaves = tree["feature"] < 0
    root = np.array([leaf_weight(g.sum(), h.sum(), l2_regularization=l2, l1_regularization=l1)])
    of_tree = objective(model.decision_function(X) - np.log(p / (1 - p)), tree["value"][leaves])
    assert leaves.sum() > 3
    assert tree["gain"].sum() == pytest.approx(objective(root, root) - of_tree, rel=1e-5)


def test_12_02_second_order_step():
    g, h = 3.0 - 5.0, 1.0
    assert leaf_weight(g, h) == 2.0
    assert structure_score(g, h) == 2.0


def test_12_03_split_gain():
    G, H = (-1.5, -0.5), (6.0, 4.0)
    bracket = split_gain(G[0], H[0], G[1], H[1], l2_regularization=1.0)
    assert 2 * bracket == pytest.approx(0.007792, abs=5e-7)
    gain = split_gain(G[0], H[0], G[1], H[1], l2_regularization=1.0, min_split_gain=0.5)
    assert gain == pytest.approx(-0.496104, abs=5e-7)
    assert split_gain(1, 1, 1, 1, l2_regularization=1.0) == pytest.approx(0.5 * (-1 / 3))
    assert split_gain(1, 1, 1, 1) == 0.0


def test_12_03_splits_without_gain_are_rejected():
    X, y = wave()
    gains = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=1).fit(X, y).trees_to_frame()
    best = gains["gain"].max()
    none = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=1, min_split_gain=best + 1).fit(X, y)
    assert len(none.trees_to_frame()) == 5
    assert (gains.loc[gains["left"] >= 0, "gain"] > 0).all()


def test_12_04_derivatives_of_the_classification_losses():
    from mlcore import _core

    rng = np.random.default_rng(0)
    y, F = rng.integers(2, size=30).astype(float), rng.normal(size=(1, 30))
    g, h = np.empty((1, 30), np.float32), np.empty((1, 30), np.float32)
    _core.ensemble.gradients("log_loss", 0.0, y, F, None, g, h, 1)
    p = 1 / (1 + np.exp(-F))
    np.testing.assert_allclose(g, p - y, atol=1e-6)
    np.testing.assert_allclose(h, p * (1 - p), atol=1e-6)
    y, F = rng.integers(3, size=30).astype(float), rng.normal(size=(3, 30))
    g, h = np.empty((3, 30), np.float32), np.empty((3, 30), np.float32)
    _core.ensemble.gradients("multinomial", 0.0, y, F, None, g, h, 1)
    p = np.exp(F) / np.exp(F).sum(axis=0)
    np.testing.assert_allclose(g, p - (y == np.arange(3)[:, None]), atol=1e-6)
    np.testing.assert_allclose(h, p * (1 - p), atol=1e-6)


def test_12_05_parameters_of_the_chapter():
    """max_depth 6, min_child_weight 1, gamma 0, lambda 1: the root's split and leaves by the formulas."""
    X, y = wave()
    model = HistGradientBoostingRegressor(
        max_depth=6, max_leaf_nodes=None, min_samples_leaf=1, min_child_weight=1.0, l2_regularization=1.0
    ).fit(X, y)
    tree = model.get_tree(0)
    g = y.mean() - y
    order = np.argsort(X[:, 0])
    G = np.cumsum(g[order])[:-1]
    H = np.arange(1.0, 160)
    gains = split_gain(G, H, g.sum() - G, 160 - H, l2_regularization=1.0)
    assert tree["gain"][0] == pytest.approx(gains.max(), rel=1e-5)
    best = int(gains.argmax())
    assert tree["threshold"][0] == pytest.approx(X[order[best : best + 2], 0].mean())
    leaves = model.apply(X)[:, 0]
    for leaf in np.unique(leaves):
        weight = leaf_weight(g[leaves == leaf].sum(), (leaves == leaf).sum(), l2_regularization=1.0)
        assert tree["value"][leaf] == pytest.approx(0.1 * weight, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("better", ["left", "right"])
def test_12_08_missing_rows_go_to_the_better_side(better):
    x = np.r_[np.zeros(40), np.ones(40), np.full(20, np.nan)]
    y = np.r_[np.zeros(40), np.ones(40), np.full(20, 0.0 if better == "left" else 1.0)]
    model = HistGradientBoostingRegressor(max_iter=1, learning_rate=1.0, min_samples_leaf=5).fit(
        x[:, None], y
    )
    assert bool(model.get_tree(0)["missing_left"][0]) == (better == "left")
    np.testing.assert_allclose(model.predict(x[:, None]), y, atol=1e-6)


def test_12_06_exact_split_by_the_sorted_scan():
    """Sorted scan over the gradients, skipping ties, thresholds at midpoints."""
    rng = np.random.default_rng(6)
    x = np.round(rng.normal(size=400), 2)
    y = np.where(x > 0.3, 1.0, -1.0) + rng.normal(size=400)
    model = HistGradientBoostingRegressor(
        tree_method="exact", max_iter=1, max_leaf_nodes=2, min_samples_leaf=1, l2_regularization=1.0
    )
    tree = model.fit(x[:, None], y).get_tree(0)
    order = np.argsort(x, kind="stable")
    g, values = (y.mean() - y)[order], x[order]
    G, H = np.cumsum(g)[:-1], np.arange(1.0, 400)
    gains = split_gain(G, H, g.sum() - G, 400 - H, l2_regularization=1.0)
    gains[values[:-1] == values[1:]] = -np.inf
    k = gains.argmax()
    assert tree["threshold"][0] == pytest.approx((values[k] + values[k + 1]) / 2, rel=1e-15)
    assert tree["gain"][0] == pytest.approx(gains[k], rel=1e-6)


def test_12_07_weighted_quantile_sketch():
    """Edges of the bins miss their rank by at most epsilon = 1 / (4 max_bins) of the sum of the Hessians."""
    from mlcore import _core

    rng = np.random.default_rng(7)
    x, h = rng.normal(size=40_000), rng.uniform(0, 0.25, 40_000).astype(np.float32)
    (edges,) = _core.tree.sketch_bins(x[:, None], h, None, 32, None, 1)
    ranks = np.array([h[x <= edge].sum(dtype=np.float64) for edge in edges]) / h.sum(dtype=np.float64)
    assert np.abs(ranks - np.arange(1, 32) / 32).max() <= 1 / 128 + 0.25 / h.sum()


def test_12_09_few_bins_lose_little_gain():
    rng = np.random.default_rng(3)
    x = rng.normal(size=600)
    y = np.where(x > 0.36, 1.0, -1.0) + 0.5 * rng.normal(size=600)
    gains = {}
    for bins in (32, 255):
        model = HistGradientBoostingRegressor(max_iter=1, max_bins=bins, l2_regularization=1.0)
        gains[bins] = model.fit(x[:, None], y).get_tree(0)["gain"][0]
    order = np.argsort(x)
    g = (y.mean() - y)[order]
    G, H = np.cumsum(g)[19:-20], np.arange(20.0, 581)
    exact = split_gain(G, H, g.sum() - G, 600 - H, l2_regularization=1.0).max()
    assert 0.9 * exact < gains[32] <= gains[255] * (1 + 1e-6) <= exact * (1 + 1e-5)


def test_12_10_parents_are_the_sums_of_their_children():
    X, y = load_diabetes(return_X_y=True)
    weights = np.random.default_rng(0).uniform(0.5, 2, size=y.size)
    model = HistGradientBoostingRegressor(max_iter=5).fit(X, y, sample_weight=weights)
    for i in range(5):
        tree = model.get_tree(i)
        inner = tree["feature"] >= 0
        for name, tolerance in (("count", 0), ("cover", 1e-4)):
            values = tree[name]
            children = values[tree["left"][inner]] + values[tree["right"][inner]]
            np.testing.assert_allclose(values[inner], children, rtol=tolerance)
    assert model.get_tree(0)["cover"][0] == pytest.approx(weights.sum(), rel=1e-5)


def test_12_11_leaf_wise_growth_has_the_lower_loss_with_equal_leaves():
    X, y = load_diabetes(return_X_y=True)
    losses, depths = {}, {}
    for growth in ("leaf", "level"):
        model = HistGradientBoostingRegressor(
            growth=growth, max_iter=1, max_leaf_nodes=12, min_samples_leaf=5
        )
        losses[growth] = ((model.fit(X, y).predict(X) - y) ** 2).mean()
        tree = model.get_tree(0)
        assert (tree["feature"] < 0).sum() == 12
        depths[growth] = tree["depth"].max()
    assert losses["leaf"] <= losses["level"]
    assert depths["leaf"] >= depths["level"] == 4


def test_12_12_level_wise_growth_is_balanced():
    X, y = load_diabetes(return_X_y=True)
    model = HistGradientBoostingRegressor(growth="level", max_iter=1, max_leaf_nodes=8, min_samples_leaf=5)
    tree = model.fit(X, y).get_tree(0)
    np.testing.assert_array_equal(tree["depth"][tree["feature"] < 0], np.full(8, 3))


def test_12_13_goss_touches_thirty_percent():
    X, y = make_classification(1000, random_state=0)
    model = HistGradientBoostingClassifier(sampling="goss", max_iter=3, random_state=0).fit(X, y)
    for i in range(3):
        assert model.get_tree(i)["count"][0] == 300


def test_12_13_goss_keeps_the_sum_unbiased():
    """Weights (1 - a) / b on a share b of all rows: the mean over many draws is the sum itself."""
    from mlcore import _core

    values = np.random.default_rng(11).normal(0.5, 1.0, 1500).astype(np.float32)
    sums = []
    for seed in range(600):
        g, h = values[None].copy(), np.ones((1, 1500), np.float32)
        rows = _core.ensemble.goss(g, h, 0.2, 0.1, seed, 1)
        assert rows.size == 450
        sums.append(g[0, rows].sum(dtype=np.float64))
    # Five standard errors of the mean.
    assert abs(np.mean(sums) - values.sum(dtype=np.float64)) < 5 * np.std(sums) / np.sqrt(600)


def test_12_14_shares_of_rows_and_columns():
    X, y = make_classification(1000, n_features=20, random_state=0)
    model = HistGradientBoostingClassifier(
        sampling="uniform", subsample=0.3, colsample_bytree=0.2, max_iter=5, random_state=0
    ).fit(X, y)
    for i in range(5):
        tree = model.get_tree(i)
        assert tree["count"][0] == 300
        assert len(set(tree["feature"][tree["feature"] >= 0])) <= 4
    by_level = HistGradientBoostingClassifier(colsample_bylevel=0.05, max_iter=5, random_state=0).fit(X, y)
    for i in range(5):
        tree = by_level.get_tree(i)
        for depth in range(tree["depth"].max()):
            here = (tree["depth"] == depth) & (tree["feature"] >= 0)
            assert len(set(tree["feature"][here])) <= 1


def test_12_15_a_one_hot_block_is_one_bundle_with_the_same_tree():
    rng = np.random.default_rng(0)
    codes = rng.integers(8, size=400)
    y = np.sin(codes) + 0.1 * rng.normal(size=400)
    X = np.eye(8)[codes]
    bundled = ExclusiveFeatureBundler().fit_transform(X)
    assert bundled.shape == (400, 1)
    options = {"max_leaf_nodes": None, "min_samples_leaf": 1, "max_iter": 40, "learning_rate": 0.5}
    apart = HistGradientBoostingRegressor(**options).fit(X, y).predict(X)
    together = HistGradientBoostingRegressor(**options).fit(bundled, y).predict(bundled)
    np.testing.assert_allclose(together, apart, atol=1e-4)


def test_12_15_trees_with_and_without_bundles_are_identical():
    rng = np.random.default_rng(1)
    X = sp.csr_array(np.eye(12)[rng.integers(12, size=1000)])
    y = X @ rng.normal(size=12) + rng.normal(size=1000)
    together, apart = (
        HistGradientBoostingRegressor(max_iter=10, bundle_features=bundle).fit(X, y).trees_to_frame()
        for bundle in (True, False)
    )
    assert len(together) > 100
    assert together.drop(columns="categories_left").equals(apart.drop(columns="categories_left"))


def test_12_16_categorical_split_equals_the_best_subset():
    """One split of a category with few values: as good as the best of all subsets."""
    rng = np.random.default_rng(0)
    codes = rng.integers(6, size=600)
    y = rng.normal(size=6)[codes] + 0.3 * rng.normal(size=600)
    model = HistGradientBoostingRegressor(max_iter=1, max_leaf_nodes=2, categorical_features=[0])
    tree = model.fit(codes[:, None], y).get_tree(0)
    g = y.mean() - y
    best = 0.0
    for subset in range(1, 2**6 - 1):
        left = (subset >> codes) & 1 == 1
        best = max(best, split_gain(g[left].sum(), left.sum(), g[~left].sum(), (~left).sum()))
    assert tree["is_cat"][0] == 1
    assert tree["gain"][0] == pytest.approx(best, rel=1e-5)


def test_12_17_ordered_statistics_do_not_leak():
    rng = np.random.default_rng(0)
    X, y = rng.integers(300, size=(900, 1)), rng.normal(size=900)
    encoder = OrderedTargetEncoder(random_state=0)
    ordered = encoder.fit_transform(X, y)
    assert abs(np.corrcoef(ordered[:, 0], y)[0, 1]) < 0.1
    assert np.corrcoef(encoder.transform(X)[:, 0], y)[0, 1] > 0.4


def test_12_18_importances_are_sums_over_the_recorded_splits():
    X, y = load_diabetes(return_X_y=True)
    model = HistGradientBoostingRegressor(max_iter=20).fit(X, y)
    frame = model.trees_to_frame()
    splits = frame[frame["left"] >= 0]
    for j in range(X.shape[1]):
        mine = splits[splits["feature"] == f"x{j}"]
        assert model.get_feature_importance("gain")[j] == pytest.approx(mine["gain"].sum())
        assert model.get_feature_importance("split")[j] == len(mine)
        assert model.get_feature_importance("cover")[j] == pytest.approx(mine["cover"].sum())
    assert model.feature_importances_.sum() == pytest.approx(1.0)


def test_12_20_early_stopping():
    X, y = make_classification(2000, flip_y=0.3, random_state=0)
    model = HistGradientBoostingClassifier(
        max_iter=500, early_stopping=True, n_iter_no_change=5, random_state=0
    ).fit(X, y)
    assert model.n_iter_ < 100
    assert model.validation_score_.size == model.n_iter_ + 1
    assert model.validation_score_[-6:].argmax() == 0


def test_12_21_constraints():
    X, y = load_diabetes(return_X_y=True)
    pairs = [{0, 1, 2}, {3, 4, 5, 6, 7, 8, 9}]
    model = HistGradientBoostingRegressor(
        monotonic_cst=[0, 0, 1] + [0] * 7, interaction_cst=pairs, max_iter=30
    ).fit(X, y)
    rising = np.repeat(X[:50], 30, axis=0)
    rising[:, 2] = np.tile(np.linspace(X[:, 2].min(), X[:, 2].max(), 30), 50)
    assert (np.diff(model.predict(rising).reshape(50, 30), axis=1) >= 0).all()
    for i in range(30):
        used = model.get_tree(i)["feature"]
        root_group = next(group for group in pairs if used[0] in group)
        assert set(used[used >= 0].tolist()) <= root_group


def test_12_22_residuals_of_the_boosting_iterations():
    X, y = wave()
    model = HistGradientBoostingRegressor(max_depth=3, max_leaf_nodes=None, min_samples_leaf=1).fit(X, y)
    stages = list(model.staged_predict(X))
    found = [np.sqrt(np.mean((y - stages[t - 1]) ** 2)) for t in (1, 5, 25, 100)]
    np.testing.assert_allclose(found, [0.8506, 0.5886, 0.1942, 0.1248], atol=5e-5)
