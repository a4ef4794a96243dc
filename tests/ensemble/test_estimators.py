"""Parameters and methods of the gradient boosting classes beyond what trees compute."""

import ctypes
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, make_classification

from mlcore.callbacks import History
from mlcore.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRanker,
    HistGradientBoostingRegressor,
)

DIABETES = load_diabetes(return_X_y=True)


def small(**more):
    return HistGradientBoostingRegressor(max_iter=10, min_samples_leaf=5, **more)


@pytest.fixture
def shop():
    """A table with strings, a pandas category, numbers and holes."""
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue"], size=300)
    size = pd.Categorical(rng.choice(["S", "M", "L"], size=300), categories=["L", "M", "S", "never"])
    price = rng.normal(size=300)
    frame = pd.DataFrame({"colour": colour, "size": size, "price": price})
    y = price + 2.0 * (colour == "red") - 1.5 * (frame["size"] == "S").to_numpy()
    frame.loc[::11, "colour"] = None
    frame.loc[::13, "price"] = np.nan
    return frame, y


# -- categories


def test_categories_of_a_table(shop):
    frame, y = shop
    model = small(categorical_features=["colour", "size"], max_leaf_nodes=8).fit(frame, y)
    assert model.is_categorical_.tolist() == [True, True, False]
    assert model.feature_names_in_.tolist() == ["colour", "size", "price"]
    mixed = frame.copy()
    mixed["size"] = mixed["size"].astype(str)  # the same values in another type of column
    np.testing.assert_array_equal(model.predict(mixed), model.predict(frame))
    assert model.score(frame, y) > 0.5


def test_from_dtype_takes_the_categorical_columns(shop):
    frame, y = shop
    frame = frame.drop(columns="colour")
    model = small().fit(frame, y)
    assert model.is_categorical_.tolist() == [True, False]
    assert small().fit(frame[["price"]], y).is_categorical_ is None
    order = small().fit(frame.assign(size=frame["size"].cat.reorder_categories(["S", "never", "M", "L"])), y)
    np.testing.assert_array_equal(order.predict(frame), model.predict(frame))


def test_unknown_categories_are_missing(shop):
    frame, y = shop
    model = small(categorical_features=["colour", "size"]).fit(frame, y)
    unknown, missing = frame.copy(), frame.copy()
    unknown["colour"], missing["colour"] = "mauve", None
    np.testing.assert_array_equal(model.predict(unknown), model.predict(missing))
    assert (model.predict(unknown) != model.predict(frame)).any()


def test_codes_of_categories_do_not_matter():
    rng = np.random.default_rng(0)
    codes = rng.integers(7, size=400)
    X = np.column_stack([codes, rng.normal(size=400)])
    y = rng.normal(size=7)[codes] + 0.1 * X[:, 1]
    names = np.array([40.0, 3, 7, 1e6, 0.5, 2, 9])
    other = np.column_stack([names[codes], X[:, 1]])
    a = small(categorical_features=[0]).fit(X, y)
    b = small(categorical_features=[True, False]).fit(other, y)
    np.testing.assert_allclose(a.predict(X), b.predict(other), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_negative_numbers_are_missing_categories(dtype):
    codes = np.random.default_rng(0).integers(-1, 4, size=200).astype(dtype)
    y = np.where(codes < 0, 5.0, codes)
    model = small(categorical_features=[0]).fit(codes[:, None], y)
    holes = np.where(codes < 0, np.nan, codes)[:, None]
    np.testing.assert_array_equal(model.predict(holes), model.predict(codes[:, None]))
    np.testing.assert_array_equal(
        small(categorical_features=[0]).fit(holes, y).predict(holes), model.predict(holes)
    )


def test_too_many_categories_are_refused():
    X = np.arange(300.0)[:, None]
    with pytest.raises(ValueError, match=r"at index 0 is expected to have a cardinality <= 255 .* of 300"):
        small(categorical_features=[0]).fit(X, X[:, 0])


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ([0.5], "must be an array-like of bool, int or str, got: float64"),
        ([True], r"must have shape \(n_features,\)"),
        ([3], r"must be in \[0, n_features - 1\]"),
        (["a"], "without feature names"),
    ],
)
def test_choices_of_categories_that_make_no_sense(chosen, words):
    with pytest.raises(ValueError, match=words):
        small(categorical_features=chosen).fit(np.zeros((30, 2)), np.zeros(30))


# -- warm start, early stopping, callbacks


@pytest.mark.parametrize("more", [{}, {"max_features": 0.5, "sampling": "goss"}, {"early_stopping": True}])
def test_warm_start_continues_as_one_fit(more):
    X, y = DIABETES
    whole = small(random_state=0, **more).set_params(max_iter=12).fit(X, y)
    parts = small(random_state=0, warm_start=True, **more).set_params(max_iter=5).fit(X, y)
    first = parts.get_tree(0)
    parts.set_params(max_iter=12).fit(X, y)
    np.testing.assert_allclose(parts.predict(X), whole.predict(X), rtol=1e-6)
    np.testing.assert_array_equal(parts.get_tree(0)["value"], first["value"])
    np.testing.assert_allclose(parts.train_score_, whole.train_score_, rtol=1e-9)
    with pytest.raises(ValueError, match="max_iter=3 must be larger than or equal to n_iter_=12"):
        parts.set_params(max_iter=3).fit(X, y)


def test_given_validation_rows():
    X, y = make_classification(600, flip_y=0.3, random_state=0)
    model = HistGradientBoostingClassifier(max_iter=300, n_iter_no_change=5)
    model.fit(X[:400], y[:400], X_val=X[400:], y_val=y[400:])
    assert model.do_early_stopping_
    assert model.n_iter_ < 300
    expected = np.mean(np.log(model.predict_proba(X[400:])[np.arange(200), y[400:]]))
    assert model.validation_score_[-1] == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match="early_stopping is False"):
        model.set_params(early_stopping=False).fit(X, y, X_val=X, y_val=y)
    with pytest.raises(ValueError, match="y_val was not provided"):
        model.fit(X, y, X_val=X)


def test_scorer_sees_what_predict_says():
    X, y = DIABETES
    seen = []

    def scorer(estimator, X, y):
        seen.append((estimator.predict(X), y))
        return float(-np.abs(seen[-1][0] - y).mean())

    model = small(early_stopping=True, scoring=scorer, random_state=0).fit(X, y)
    assert len(seen) == 2 * (model.n_iter_ + 1)
    last, targets = seen[-1]
    rows = [int(np.flatnonzero(y == target)[0]) for target in targets[:5]]
    assert np.abs(last[:5] - model.predict(X[rows])).max() < 60  # equal targets may belong to other rows
    assert model.validation_score_[-1] == pytest.approx(-np.abs(last - targets).mean())
    assert not hasattr(model, "_held")


def test_callbacks_watch_and_stop():
    X, y = DIABETES
    history = History()

    class Stop:
        def on_iteration(self, info):
            return info.iteration == 4

    model = small(callbacks=[history, Stop()]).fit(X, y)
    assert model.n_iter_ == 4
    losses = [record.objective for record in history.records]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(np.mean((y - model.predict(X)) ** 2) / 2)


def test_verbose_prints(capsys):
    small(verbose=2, early_stopping=True).fit(*DIABETES)
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("[") for line in lines) == 10
    assert "val loss" in lines[-2]
    assert lines[-1].startswith("Fit 10 trees in")


# -- losses of one's own


class LogCosh:
    """log cosh(F - y)."""

    def gradient_hessian(self, y_true, raw_prediction, sample_weight):
        t = np.tanh(raw_prediction - y_true)
        g, h = t, 1 - t * t
        return (g, h) if sample_weight is None else (g * sample_weight, h * sample_weight)

    def loss(self, y_true, raw_prediction, sample_weight):
        return np.log(np.cosh(raw_prediction - y_true))


def half_squares(y_true, raw_prediction):
    return raw_prediction - y_true, np.ones_like(y_true)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_function_is_the_built_in_loss(weighted):
    X, y = DIABETES
    y = y - y.mean() if not weighted else y  # a function has no first guess but 0
    w = np.random.default_rng(0).uniform(0.5, 2, size=y.size) if weighted else None
    if weighted:
        y = y - np.average(y, weights=w)
    own = small(loss=half_squares).fit(X, y, sample_weight=w)
    built_in = small().fit(X, y, sample_weight=w)
    np.testing.assert_allclose(own.predict(X), built_in.predict(X), rtol=1e-4, atol=1e-4)


def test_an_object_with_a_loss_and_early_stopping():
    X, y = DIABETES
    y = (y - y.mean()) / y.std()
    model = small(loss=LogCosh(), early_stopping=True, random_state=0).fit(X, y)
    assert (np.diff(model.train_score_) > 0).all()
    assert model.score(X, y) > 0.3
    with pytest.raises(ValueError, match="give `scoring` or"):
        small(loss=half_squares, early_stopping=True).fit(X, y)


def test_leaves_of_a_custom_loss_are_renewed():
    class Median:
        def gradient_hessian(self, y_true, raw_prediction, sample_weight):
            return np.where(raw_prediction > y_true, 1.0, -1.0), np.ones_like(y_true)

        def fit_intercept_only(self, y_true, sample_weight):
            return np.median(y_true)

        def renew_leaf(self, y_true, raw_prediction, sample_weight):
            return np.median(y_true - raw_prediction)

    X, y = DIABETES
    own = small(loss=Median()).fit(X, y)
    built_in = small(loss="absolute_error").fit(X, y)
    np.testing.assert_allclose(own.predict(X), built_in.predict(X), rtol=1e-6)


def test_machine_code_as_loss():
    """A C function pointer; numba's cfunc offers the same in its `address`."""
    doubles, floats = ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_float)
    signature = ctypes.CFUNCTYPE(None, doubles, doubles, doubles, floats, floats, ctypes.c_int64)
    calls = []

    @signature
    def squares(y, raw, weight, gradient, hessian, n):
        calls.append(n)
        for i in range(n):
            gradient[i] = raw[i] - y[i]
            hessian[i] = 1.0

    X, y = DIABETES
    y = y - y.mean()
    own = small(loss=squares, n_jobs=1).fit(X, y)
    np.testing.assert_allclose(own.predict(X), small().fit(X, y).predict(X), rtol=1e-4, atol=1e-4)
    assert sum(calls) == 10 * y.size


@pytest.mark.parametrize(
    ("gradient", "words"),
    [
        (lambda y, f: (f[:3], f), r"gradient of the loss has shape \(3,\)"),
        (lambda y, f: (f * np.nan, f), "gradient of the loss is not finite"),
    ],
)
def test_derivatives_that_make_no_sense(gradient, words):
    with pytest.raises(ValueError, match=words):
        small(loss=gradient).fit(*DIABETES)


# -- looking inside, saving


def models(shop):
    X, y = DIABETES
    frame, target = shop
    yield small().fit(X, y), X
    yield small(loss="multi_quantile", quantile=[0.1, 0.9]).fit(X, y), X
    yield small(loss="poisson", max_leaf_nodes=None, max_depth=3).fit(X, y), X
    yield (
        small(categorical_features=["colour", "size"], interaction_cst=[[0], [1, 2]]).fit(frame, target),
        frame,
    )
    labels = np.array(["low", "mid", "high"])[np.digitize(target, [0, 1])]
    classifier = HistGradientBoostingClassifier(max_iter=5, categorical_features=["colour", "size"])
    yield classifier.fit(frame, labels), frame
    yield HistGradientBoostingRanker(max_iter=5).fit(X, (y > 150).astype(int), qid=np.arange(y.size) // 9), X


def test_json_and_pickle_give_the_same_predictions(shop, tmp_path):
    for model, X in models(shop):
        path = tmp_path / "model.json"
        model.save_json(path)
        loaded = type(model).load_json(path)
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
        if hasattr(model, "predict_proba"):
            np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
        assert loaded.get_params() == model.get_params()
        np.testing.assert_array_equal(loaded.feature_importances_, model.feature_importances_)
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_files_that_hold_no_such_model(tmp_path):
    path = tmp_path / "model.json"
    model = small().fit(*DIABETES)
    model.save_json(path)
    with pytest.raises(ValueError, match="holds a HistGradientBoostingRegressor"):
        HistGradientBoostingClassifier.load_json(path)
    saved = json.loads(path.read_text())
    path.write_text(json.dumps({**saved, "version": 99}))
    with pytest.raises(ValueError, match="format version 99"):
        HistGradientBoostingRegressor.load_json(path)
    path.write_text("[]")
    with pytest.raises(ValueError, match="not a gradient boosting model"):
        HistGradientBoostingRegressor.load_json(path)
    with pytest.raises(TypeError, match="cannot be saved"):
        small(loss=LogCosh()).fit(*DIABETES).save_json(path)


def test_frame_arrays_and_leaves_agree(shop):
    frame, y = shop
    model = small(categorical_features=["colour", "size"]).fit(frame, y)
    table = model.trees_to_frame()
    leaves = model.apply(frame)
    assert leaves.shape == (300, 10)
    total = np.full(300, model._baseline[0])
    for i in range(10):
        tree = model.get_tree(i)
        assert len(table[table["tree"] == i]) == tree["feature"].size
        assert (tree["feature"][leaves[:, i]] == -1).all()
        assert (
            np.bincount(leaves[:, i], minlength=tree["count"].size)[leaves[0, i]]
            == tree["count"][leaves[0, i]]
        )
        total += tree["value"][leaves[:, i]]
    np.testing.assert_allclose(total, model.predict(frame), rtol=1e-12)
    assert set(table["feature"].dropna()) <= {"colour", "size", "price"}
    assert table["categories_left"].notna().any()
    np.testing.assert_array_equal(model.get_tree(-1)["value"], model.get_tree(9)["value"])
    with pytest.raises(IndexError, match="10 iterations"):
        model.get_tree(10)
    with pytest.raises(ValueError, match="kind must be one of"):
        model.get_feature_importance("weight")


def test_a_tree_can_be_drawn():
    pytest.importorskip("matplotlib")
    model = small().fit(*DIABETES)
    axes = model.plot_tree(0)
    tree = model.get_tree(0)
    texts = [text.get_text() for text in axes.texts]
    assert sum("gain" in text for text in texts) == (tree["feature"] >= 0).sum()
    assert any("x8 <=" in text or "x2 <=" in text for text in texts)


# -- targets and rows that are hard


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_targets_must_be_finite(value):
    with pytest.raises(ValueError, match=r"Input y contains|infinity"):
        small().fit(np.zeros((3, 1)), [1.0, 2.0, value])


@pytest.mark.parametrize(
    ("loss", "y", "words"),
    [
        ("gamma", [0.0, 1, 2], "strictly positive y"),
        ("poisson", [-1.0, 1, 2], "non-negative y"),
        ("tweedie", [-1.0, 1, 2], "non-negative y"),
        ("poisson", [0.0, 0, 0], "sum"),
    ],
)
def test_targets_out_of_range(loss, y, words):
    with pytest.raises(ValueError, match=words):
        small(loss=loss).fit(np.zeros((3, 1)), y)


def test_quantile_levels_are_checked():
    X, y = DIABETES
    for quantile in (None, 0.5, [0.5, 1.0], []):
        with pytest.raises(ValueError, match="multi_quantile"):
            small(loss="multi_quantile", quantile=quantile).fit(X, y)
    with pytest.raises(ValueError, match="needs a number"):
        small(loss="quantile").fit(X, y)


def test_hard_tables():
    X, y = DIABETES
    constant = small().fit(X, np.full(y.size, 3.0))
    assert (constant.predict(X) == 3.0).all()
    assert (small().fit(X[:1], y[:1]).predict(X) == y[0]).all()
    empty = np.column_stack([np.full(y.size, np.nan), X])
    np.testing.assert_array_equal(small().fit(empty, y).predict(empty), small().fit(X, y).predict(X))
    infinite = X.copy()
    infinite[::5, 2], infinite[1::5, 2] = np.inf, -np.inf
    model = small().fit(infinite, y)
    assert np.isfinite(model.predict(infinite)).all()
    one_class = HistGradientBoostingClassifier(max_iter=3).fit(X, np.full(y.size, "only"))
    assert set(one_class.predict(X)) == {"only"}
    assert one_class.predict_proba(X).shape == (y.size, 1)
    with pytest.raises(ValueError, match="too large"):
        small().fit(X, y * 1e300)
    with pytest.raises(ValueError, match="Negative values"):
        small().fit(X, y, sample_weight=-np.ones(y.size))


def test_class_weights_are_sample_weights():
    X, y = make_classification(300, weights=[0.8], random_state=0)
    names = np.array(["no", "yes"])[y]
    by_class = HistGradientBoostingClassifier(max_iter=5, class_weight={"no": 1.0, "yes": 3.0}).fit(X, names)
    by_row = HistGradientBoostingClassifier(max_iter=5).fit(X, names, sample_weight=1.0 + 2.0 * y)
    np.testing.assert_array_equal(by_class.predict_proba(X), by_row.predict_proba(X))
    balanced = HistGradientBoostingClassifier(max_iter=5, class_weight="balanced").fit(X, names)
    assert balanced._baseline[0] == pytest.approx(0.0, abs=1e-12)


# -- ranking


def test_ranker_orders_queries_whatever_their_layout():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4))
    grades = np.digitize(X[:, 0] + 0.3 * X[:, 1], [-1, 0, 1])
    qid = np.repeat(np.arange(40), 10)
    model = HistGradientBoostingRanker(max_iter=20, min_samples_leaf=5).fit(X, grades, qid=qid)
    by_group = clone(model).fit(X, grades, group=np.full(40, 10))
    np.testing.assert_array_equal(by_group.predict(X), model.predict(X))
    shuffled = np.argsort(rng.random(40)[qid], kind="stable")  # within a query the order breaks ties
    other = clone(model).fit(X[shuffled], grades[shuffled], qid=qid[shuffled])
    np.testing.assert_allclose(other.predict(X), model.predict(X), rtol=1e-4, atol=1e-6)
    assert model.score(X, grades, qid=qid) > 0.97
    from sklearn.metrics import ndcg_score

    theirs = ndcg_score(np.exp2(grades.reshape(40, 10)) - 1, model.predict(X).reshape(40, 10))
    assert model.score(X, grades, qid=qid) == pytest.approx(theirs, abs=2e-3)  # they average over ties


def test_lambda_gradients_pair_by_pair():
    from mlcore.ensemble._lambda_loss import LambdaLoss, Ndcg
    from mlcore.ensemble._parts import Part

    rng = np.random.default_rng(0)
    y = rng.integers(4, size=13).astype(float)
    qid = np.array([0] * 5 + [1] * 8)
    s = rng.normal(size=13)
    g, h = np.empty((1, 13), np.float32), np.empty((1, 13), np.float32)
    LambdaLoss(Ndcg(3)).derivatives(Part(None, y, None, qid=qid), s[None], g, h, 1)
    expected_g, expected_h = np.zeros(13), np.zeros(13)
    for q in (0, 1):
        rows = np.flatnonzero(qid == q)
        place = np.argsort(np.argsort(-s[rows]))
        discount = np.where(place < 3, 1 / np.log2(place + 2), 0.0)
        ideal = np.sort(2 ** y[rows] - 1)[::-1][:3] @ (1 / np.log2([2, 3, 4]))
        for a in range(rows.size):
            for b in range(rows.size):
                i, j = rows[a], rows[b]
                if y[i] > y[j]:
                    rho = 1 / (1 + np.exp(s[i] - s[j]))
                    delta = (2 ** y[i] - 2 ** y[j]) * abs(discount[a] - discount[b]) / ideal
                    expected_g[i] -= rho * delta
                    expected_g[j] += rho * delta
                    expected_h[[i, j]] += rho * (1 - rho) * delta
    np.testing.assert_allclose(g[0], expected_g, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(h[0], expected_h, rtol=1e-5, atol=1e-7)


def test_ranker_holds_out_whole_queries():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    grades = np.digitize(X[:, 0] + rng.normal(size=600), [-1, 1])
    qid = rng.integers(50, size=600)
    model = HistGradientBoostingRanker(early_stopping=True, random_state=0, n_iter_no_change=5, max_iter=200)
    model.fit(X, grades, qid=qid)
    assert model.n_iter_ < 200
    assert -1 <= model.validation_score_.min() < model.validation_score_.max() <= 0
    with pytest.raises(ValueError, match="only one"):
        model.fit(X, grades)
    with pytest.raises(ValueError, match="either qid or group"):
        model.fit(X, grades, qid=qid, group=[600])
    with pytest.raises(ValueError, match="add up to 600"):
        model.fit(X, grades, group=[10, 20])
    with pytest.raises(ValueError, match="Grades must lie"):
        HistGradientBoostingRanker().fit(X, grades - 5.0, qid=qid)
