"""LinearSVC, LinearSVR, l1_min_c: optimality from first principles, scikit-learn (LIBLINEAR), data types."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from sklearn import svm as peer
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from mlcore.svm import SVC, LinearSVC, LinearSVR, l1_min_c

CLASSIFIERS = [
    {"penalty": "l2", "loss": "hinge", "dual": True},
    {"penalty": "l2", "loss": "squared_hinge", "dual": True},
    {"penalty": "l2", "loss": "squared_hinge", "dual": False},
    {"penalty": "l1", "loss": "squared_hinge", "dual": False},
]
REGRESSORS = [
    {"loss": "epsilon_insensitive", "dual": True},
    {"loss": "squared_epsilon_insensitive", "dual": True},
    {"loss": "squared_epsilon_insensitive", "dual": False},
]
EXACT = {"tol": 1e-9, "max_iter": 1_000_000, "random_state": 0}  # up to 200,000 are needed


def name_of(arguments):
    return "-".join(str(value) for value in arguments.values())


def problem(rows=120, features=6, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, features))
    score = X @ np.linspace(2, -1, features) + 2.0 * rng.normal(size=rows) + 0.5
    y = np.searchsorted(np.quantile(score, np.arange(1, classes) / classes), score)
    return X, y, score


def losses(z, y, loss, epsilon=0.0):
    over = np.maximum(0, np.abs(z - y) - epsilon) if "epsilon" in loss else np.maximum(0, 1 - y * z)
    return over**2 if "squared" in loss else over


def objective(w, X, y, C, penalty, loss, epsilon=0.0):
    """w with the intercept last, X with the constant feature last."""
    length = np.abs(w).sum() if penalty == "l1" else 0.5 * w @ w
    return length + (C * losses(X @ w, y, loss, epsilon)).sum()


def optimum(X, y, C, penalty, loss, epsilon=0.0):
    """By a general solver: variables split by sign, slack variables for the losses that have a kink."""
    n, d = X.shape
    if "squared" in loss:
        sign = 1.0 if "epsilon" in loss else y

        def fun(v):
            w = v[:d] - v[d:] if penalty == "l1" else v
            z = X @ w
            over = losses(z, y, loss.replace("squared_", ""), epsilon)
            slope = np.sign(z - y) * over if "epsilon" in loss else -sign * over
            g = X.T @ (2 * C * slope)
            if penalty == "l1":
                return v.sum() + (C * over**2).sum(), np.concatenate([1 + g, 1 - g])
            return 0.5 * v @ v + (C * over**2).sum(), v + g

        size = 2 * d if penalty == "l1" else d
        bounds = [(0, None)] * size if penalty == "l1" else None
        options = {"maxiter": 100_000, "maxfun": 10**7, "ftol": 1e-16, "gtol": 1e-10}
        return minimize(fun, np.zeros(size), jac=True, method="L-BFGS-B", bounds=bounds, options=options).fun

    def dual(b):  # L1 losses: w = X'b
        if "epsilon" in loss:
            up, down = b[:n], b[n:]
            w = X.T @ (up - down)
            g = X @ w
            value = 0.5 * w @ w - y @ (up - down) + epsilon * (up + down).sum()
            return value, np.concatenate([g - y + epsilon, -(g - y) + epsilon])
        w = X.T @ (y * b)
        return 0.5 * w @ w - b.sum(), y * (X @ w) - 1

    copies = 2 if "epsilon" in loss else 1
    bounds = [(0, c) for c in np.tile(C, copies)]
    options = {"maxiter": 100_000, "maxfun": 10**7, "ftol": 1e-16, "gtol": 1e-10}
    return -minimize(
        dual, np.zeros(n * copies), jac=True, method="L-BFGS-B", bounds=bounds, options=options
    ).fun


def whole(model, k=0):
    """Weights with that of the constant feature."""
    if not model.fit_intercept:
        return np.atleast_2d(model.coef_)[k]
    return np.append(np.atleast_2d(model.coef_)[k], model.intercept_[k] / model.intercept_scaling)


def with_constant(X, model):
    if not model.fit_intercept:
        return X
    return np.column_stack([X, np.full(len(X), float(model.intercept_scaling))])


@pytest.mark.parametrize("arguments", CLASSIFIERS, ids=name_of)
@pytest.mark.parametrize("C", [0.01, 1.0, 30.0])
@pytest.mark.parametrize(
    "intercept", [{"fit_intercept": False}, {"intercept_scaling": 1}, {"intercept_scaling": 5}]
)
def test_the_objective_is_the_optimum(arguments, C, intercept):
    """Primal value against the value of an independent solver, for the kinked losses of the dual."""
    X, y, _ = problem(60, 4)
    weights = np.random.default_rng(1).uniform(0.2, 2, 60)
    model = LinearSVC(**arguments, **intercept, **EXACT, C=C, class_weight={1: 2.0}).fit(X, y, weights)
    Z, sign = with_constant(X, model), np.where(y == 1, 1.0, -1.0)
    costs = C * weights * np.where(y == 1, 2.0, 1.0)
    found = objective(whole(model), Z, sign, costs, arguments["penalty"], arguments["loss"])
    best = optimum(Z, sign, costs, arguments["penalty"], arguments["loss"])
    assert found == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("arguments", REGRESSORS, ids=name_of)
@pytest.mark.parametrize("C", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("epsilon", [0.0, 0.5])
def test_the_objective_of_regression_is_the_optimum(arguments, C, epsilon):
    X, _, y = problem(60, 4)
    weights = np.random.default_rng(1).uniform(0.2, 2, 60)
    model = LinearSVR(**arguments, **EXACT, C=C, epsilon=epsilon).fit(X, y, weights)
    Z = with_constant(X, model)
    found = objective(whole(model), Z, y, C * weights, "l2", arguments["loss"], epsilon)
    assert found == pytest.approx(optimum(Z, y, C * weights, "l2", arguments["loss"], epsilon), rel=1e-6)


@pytest.mark.parametrize("arguments", [*CLASSIFIERS, {"multi_class": "crammer_singer"}], ids=name_of)
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_equal_to_scikit_learn(arguments, classes):
    X, y, _ = problem(150, 5, classes)
    more = {**EXACT, "class_weight": {0: 1.5}}
    ours, theirs = (c(**arguments, **more).fit(X, y) for c in (LinearSVC, peer.LinearSVC))
    assert ours.coef_.shape == theirs.coef_.shape
    assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)
    decisions = ours.decision_function(X)
    np.testing.assert_allclose(decisions, theirs.decision_function(X), atol=1e-4)
    clear = (np.abs(decisions) if classes == 2 else np.diff(np.sort(decisions))[:, -1]) > 1e-3
    np.testing.assert_array_equal(ours.predict(X)[clear], theirs.predict(X)[clear])


@pytest.mark.parametrize("arguments", REGRESSORS, ids=name_of)
def test_regression_equal_to_scikit_learn(arguments):
    X, _, y = problem(150, 5)
    ours, theirs = (c(**arguments, **EXACT, epsilon=0.2).fit(X, y) for c in (LinearSVR, peer.LinearSVR))
    assert ours.coef_.shape == theirs.coef_.shape
    assert ours.intercept_.shape == theirs.intercept_.shape
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=2e-5)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=5e-5)


@pytest.mark.parametrize("arguments", [*CLASSIFIERS, {"multi_class": "crammer_singer"}], ids=name_of)
def test_at_the_default_tolerance_the_objective_is_no_worse_than_that_of_scikit_learn(arguments):
    X, y, _ = problem(600, 8, seed=3)
    more = {"random_state": 0, "max_iter": 20_000}
    ours, theirs = (c(**arguments, **more).fit(X, y) for c in (LinearSVC, peer.LinearSVC))
    if "loss" not in arguments:
        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-3)
        return
    sign = np.where(y == 1, 1.0, -1.0)
    values = [
        objective(whole(m), with_constant(X, m), sign, np.ones(600), arguments["penalty"], arguments["loss"])
        for m in (ours, theirs)
    ]
    assert values[0] <= values[1] * (1 + 1e-4)


@pytest.mark.parametrize("arguments", CLASSIFIERS, ids=name_of)
@pytest.mark.parametrize("kind", ["F", "strided", "float32", "csr", "csr64", "csc", "readonly"])
def test_every_layout_gives_the_same_model(arguments, kind):
    X, y, _ = problem(100, 21)
    X = np.where(np.abs(X) > 0.7, np.round(X * 64) / 64, 0)  # float32 holds it exactly
    expected = LinearSVC(**arguments, **EXACT).fit(X, y)
    data = {
        "F": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=1)[:, ::2],
        "float32": X.astype(np.float32),
        "csr": sp.csr_array(X),
        "csr64": sp.csr_array(X),
        "csc": sp.csc_matrix(X),
        "readonly": X.copy(),
    }[kind]
    if kind == "readonly":
        data.flags.writeable = False
    if kind == "csr64":
        data.indices, data.indptr = data.indices.astype(np.int64), data.indptr.astype(np.int64)
    model = LinearSVC(**arguments, **EXACT).fit(data, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-6)
    np.testing.assert_allclose(model.decision_function(data), expected.decision_function(X), atol=1e-5)


@pytest.mark.parametrize("arguments", CLASSIFIERS, ids=name_of)
@pytest.mark.parametrize("classes", [2, 4])
def test_the_same_bits_for_any_number_of_threads_and_for_a_seed(arguments, classes):
    X, y, _ = problem(6000, 30, classes)
    models = [LinearSVC(**arguments, n_jobs=j, random_state=5, max_iter=30) for j in (1, 2, 3, 2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for model in models:
            model.fit(X, y)
    for model in models[1:]:
        assert model.coef_.tobytes() == models[0].coef_.tobytes()
        assert model.intercept_.tobytes() == models[0].intercept_.tobytes()


def test_weights_are_repetition():
    X, y, _ = problem(60, 3)
    weights = np.arange(60) % 3
    for arguments in CLASSIFIERS:
        weighted = LinearSVC(**arguments, **EXACT).fit(X, y, weights)
        repeated = LinearSVC(**arguments, **EXACT).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
        np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-6)


def test_crammer_singer_is_optimal():
    """Value of the joint problem against scikit-learn's, and no direction that lowers it."""
    X, y = load_iris(return_X_y=True)
    model = LinearSVC(multi_class="crammer_singer", **EXACT).fit(X, y)
    Z = with_constant(X, model)

    def value(W):
        z = Z @ W.T
        margins = z - z[np.arange(len(y)), y][:, None] + (np.arange(3) != y[:, None])
        return 0.5 * (W**2).sum() + margins.max(axis=1).sum()

    W = np.array([whole(model, k) for k in range(3)])
    best = value(W)
    rng = np.random.default_rng(0)
    for size in (1e-1, 1e-2, 1e-3):
        for _ in range(50):
            assert value(W + size * rng.normal(size=W.shape)) >= best - 1e-9
    np.testing.assert_allclose(W.sum(axis=0), 0, atol=1e-9)


def test_the_dual_of_the_hinge_is_svc_without_its_intercept():
    """8.08: with a huge intercept_scaling the penalty of the intercept vanishes, and SVC's plane is left."""
    X, y, _ = problem(80, 3)
    kernel = SVC(kernel="linear", tol=1e-8).fit(X, y)
    linear = LinearSVC(loss="hinge", intercept_scaling=100, tol=1e-8, max_iter=10**6).fit(X, y)
    np.testing.assert_allclose(linear.coef_, kernel.coef_, atol=2e-3)
    np.testing.assert_allclose(linear.intercept_, kernel.intercept_, atol=2e-3)


def test_max_iter_gives_a_warning():
    X, y, score = problem(200, 5)
    for model, target in ((LinearSVC(loss="hinge", max_iter=2), y), (LinearSVR(max_iter=2), score)):
        with pytest.warns(ConvergenceWarning, match="Liblinear failed to converge"):
            model.fit(X, target)
        assert model.n_iter_ == 2


def test_combinations_that_do_not_exist():
    X, y, score = problem(20, 2)
    for arguments, message in (
        ({"penalty": "l1", "loss": "hinge"}, "penalty='l1' and loss='hinge' is not supported, Parameters"),
        ({"loss": "hinge", "dual": False}, "are not supported when dual=False"),
        ({"penalty": "l1", "dual": True}, "are not supported when dual=True"),
    ):
        with pytest.raises(ValueError, match=message):
            LinearSVC(**arguments).fit(X, y)
    with pytest.raises(ValueError, match="not supported when dual=False"):
        LinearSVR(dual=False).fit(X, score)
    with pytest.raises(ValueError, match="at least 2 classes"):
        LinearSVC().fit(X, np.ones(20))
    with pytest.raises(ValueError, match="zero"):
        LinearSVC().fit(X, y, np.zeros(20))


def test_verbose_reports(capsys):
    X, y, _ = problem(50, 3, 3)
    LinearSVC(verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"[LinearSVC] problem {k} of 3" for k in (1, 2, 3)]


@pytest.mark.parametrize("loss", ["squared_hinge", "log"])
@pytest.mark.parametrize("intercept", [{"fit_intercept": False}, {"intercept_scaling": 10}])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_l1_min_c(loss, intercept, classes, kind):
    X, y, _ = problem(80, 4, classes)
    bound = l1_min_c(kind(X), y, loss=loss, **intercept)
    assert bound == pytest.approx(peer.l1_min_c(kind(X), y, loss=loss, **intercept), rel=1e-12)
    if loss == "log":
        return
    machine = {"penalty": "l1", "dual": False, "tol": 1e-9, "max_iter": 10_000, **intercept}
    below, above = (LinearSVC(C=c * bound, **machine).fit(kind(X), y) for c in (0.99, 1.05))
    assert not below.coef_.any()
    assert not np.any(below.intercept_)
    assert above.coef_.any() or np.any(above.intercept_)


def test_l1_min_c_of_hopeless_data():
    with pytest.raises(ValueError, match="Ill-posed"):
        l1_min_c(np.zeros((4, 2)), [0, 1, 0, 1])
