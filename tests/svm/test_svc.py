"""SVC: the optimality conditions, an exact quadratic program, scikit-learn, and what users may do with it."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import svm as peer
from sklearn.datasets import load_digits, load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from svm_oracle import dual_optimum, kernel_matrix, violation

from mlcore import _core
from mlcore._validation import native_threads
from mlcore.svm import SVC

KERNELS = ["linear", "poly", "rbf", "sigmoid"]


def problem(rows, features=4, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, features))
    score = X[:, 0] * X[:, 1 % features] + 0.4 * rng.normal(size=rows)
    y = np.searchsorted(np.quantile(score, np.arange(1, classes) / classes), score)
    return X, y


def signed(model, rows):
    """beta of every training row of a binary model, positive for classes_[0] as LIBSVM has it."""
    beta = np.zeros(rows)
    coef = model.dual_coef_.toarray() if sp.issparse(model.dual_coef_) else model.dual_coef_
    beta[model.support_] = -coef[0]
    return beta


def optimality(model, X, y, K, C):
    """Violation, equality and bounds of a binary model from first principles."""
    sign = np.where(y == model.classes_[0], 1.0, -1.0)
    beta = signed(model, len(y))
    low, high = np.minimum(0, sign * C), np.maximum(0, sign * C)
    assert (beta >= low).all()
    assert (beta <= high).all()
    assert abs(beta.sum()) <= 1e-9 * max(1.0, np.abs(beta).sum())
    return violation(K @ beta - sign, beta, low, high)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("rows", [2, 15, 16, 17, 33, 200])
def test_the_conditions_of_optimality_hold(kernel, rows):
    X, y = problem(rows)
    model = SVC(kernel=kernel, gamma=0.3, coef0=0.5, C=2.0, tol=1e-4).fit(X, y)
    K = kernel_matrix(kernel, X, X, 0.3, 0.5)
    found = optimality(model, X, y, K, 2.0)
    assert found < 1.001e-4
    assert model.kkt_violation_[0] == pytest.approx(found, abs=1e-9)
    assert model.fit_status_ == 0


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(3, 60),
    features=st.integers(1, 6),
    log_C=st.floats(-2, 3),
    gamma=st.floats(0.05, 5),
    seed=st.integers(0, 1000),
    copies=st.booleans(),
)
def test_random_problems_are_solved(rows, features, log_C, gamma, seed, copies):
    """Also with duplicate rows of opposite labels, whose curvature is zero (8.16)."""
    X, y = problem(rows, features, seed=seed)
    if copies:
        X, y = np.concatenate([X, X[:3]]), np.concatenate([y, 1 - y[:3]])
    if len(np.unique(y)) < 2:
        return
    C = 10.0**log_C
    model = SVC(C=C, gamma=gamma).fit(X, y)
    K = kernel_matrix("rbf", X, X, gamma)
    assert optimality(model, X, y, K, C) < 1e-3 + 1e-9 * C
    # The gap of the objectives: primal at this w and b minus dual.
    beta, sign = signed(model, len(y)), np.where(y == model.classes_[0], 1.0, -1.0)
    margins = sign * (K @ beta - model.intercept_[0])  # intercept_ is for classes_[1]
    primal = 0.5 * beta @ K @ beta + C * np.maximum(0, 1 - margins).sum()
    dual = np.abs(beta).sum() - 0.5 * beta @ K @ beta
    assert model.dual_gap_[0] == pytest.approx(primal - dual, abs=1e-7 * max(1.0, primal))
    assert -1e-9 * max(1, primal) <= primal - dual <= 1e-3 * C * len(y)


@pytest.mark.parametrize("kernel", ["linear", "rbf", "poly"])
@pytest.mark.parametrize("seed", range(4))
def test_tiny_problems_against_an_exact_quadratic_program(kernel, seed):
    X, y = problem(12, 2, seed=seed)
    weights = np.random.default_rng(seed).uniform(0.5, 2, 12)
    model = SVC(kernel=kernel, gamma=0.5, coef0=1.0, C=1.5, tol=1e-8).fit(X, y, weights)
    K = kernel_matrix(kernel, X, X, 0.5, 1.0)
    sign = np.where(y == 0, 1.0, -1.0)
    bound = 1.5 * weights * sign
    low, high = np.minimum(0, bound), np.maximum(0, bound)
    _, optimum = dual_optimum(K, -sign, low, high, np.ones((1, 12)), np.zeros(1))
    beta = signed(model, 12)
    assert 0.5 * beta @ K @ beta - sign @ beta == pytest.approx(optimum, rel=1e-6)


@pytest.mark.parametrize("kernel", ["poly", "rbf", "sigmoid"])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_equal_to_scikit_learn(kernel, classes):
    X, y = problem(150, 5, classes)
    arguments = {"kernel": kernel, "C": 3.0, "tol": 1e-6, "coef0": 0.2, "class_weight": {0: 0.5}}
    ours, theirs = SVC(**arguments).fit(X, y), peer.SVC(**arguments).fit(X, y)
    np.testing.assert_array_equal(ours.support_, theirs.support_)
    np.testing.assert_array_equal(ours.n_support_, theirs.n_support_)
    np.testing.assert_array_equal(ours.support_vectors_, theirs.support_vectors_)
    # LIBSVM keeps kernel values in float32
    np.testing.assert_allclose(ours.dual_coef_, theirs.dual_coef_, atol=2e-4)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-4)
    np.testing.assert_allclose(ours.class_weight_, theirs.class_weight_)
    for shape in ("ovo", "ovr"):
        ours.decision_function_shape = theirs.decision_function_shape = shape
        np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=2e-4)
    ours.break_ties = theirs.break_ties = True
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert not hasattr(ours, "coef_")


@pytest.mark.parametrize("classes", [2, 3])
def test_linear_kernel_equal_to_scikit_learn(classes):
    """More rows than features: many multipliers give the same plane, so only the plane is compared."""
    X, y = problem(150, 5, classes)
    ours, theirs = (c(kernel="linear", tol=1e-7).fit(X, y) for c in (SVC, peer.SVC))
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-4)


def test_libsvm_iterations_are_reproduced():
    """Whole problems take LIBSVM's pairs in LIBSVM's order, ties included."""
    X = sp.random(300, 2000, 0.01, format="csr", random_state=0)
    y = np.random.default_rng(0).integers(0, 3, 300)
    ours, theirs = SVC(kernel="linear").fit(X, y), peer.SVC(kernel="linear").fit(X, y)
    np.testing.assert_array_equal(ours.n_iter_, theirs.n_iter_)


def test_decision_values_against_first_principles():
    X, y = load_iris(return_X_y=True)
    model = SVC(gamma=0.7, decision_function_shape="ovo").fit(X, y)
    K = kernel_matrix("rbf", X, model.support_vectors_, 0.7)
    ends = np.concatenate([[0], np.cumsum(model.n_support_)])
    expected = []
    for a in range(3):
        for b in range(a + 1, 3):
            of_a, of_b = slice(ends[a], ends[a + 1]), slice(ends[b], ends[b + 1])
            expected.append(
                K[:, of_a] @ model.dual_coef_[b - 1, of_a] + K[:, of_b] @ model.dual_coef_[a, of_b]
            )
    np.testing.assert_allclose(
        model.decision_function(X), np.stack(expected, 1) + model.intercept_, rtol=1e-9, atol=1e-9
    )
    votes = np.zeros((len(X), 3))
    for p, (a, b) in enumerate([(0, 1), (0, 2), (1, 2)]):
        first = model.decision_function(X)[:, p] > 0
        votes[first, a] += 1
        votes[~first, b] += 1
    np.testing.assert_array_equal(model.predict(X), votes.argmax(axis=1))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("columns", [30, 3000])  # made dense; kept sparse
@pytest.mark.parametrize("kind", [sp.csr_array, sp.csr_matrix, sp.csc_array])
def test_sparse_input(kernel, columns, kind):
    X = sp.random_array((120, columns), density=0.02, format="csr", rng=np.random.default_rng(1))
    y = np.random.default_rng(2).integers(0, 3, 120)
    ours = SVC(kernel=kernel, tol=1e-6, gamma=1.0).fit(kind(X), y)
    dense = SVC(kernel=kernel, tol=1e-6, gamma=1.0).fit(X.toarray(), y)
    assert sp.issparse(ours.support_vectors_)
    assert sp.issparse(ours.dual_coef_)
    np.testing.assert_array_equal(ours.support_, dense.support_)
    np.testing.assert_allclose(ours.dual_coef_.toarray(), dense.dual_coef_, atol=1e-5)
    np.testing.assert_allclose(ours.decision_function(X), dense.decision_function(X.toarray()), atol=1e-5)
    np.testing.assert_allclose(ours.decision_function(X.toarray()), ours.decision_function(X), atol=1e-12)
    if kernel == "linear":
        np.testing.assert_allclose(ours.coef_.toarray(), dense.coef_, atol=1e-5)
    with pytest.raises(ValueError, match="sparse input"):
        dense.predict(X)


def test_sparse_gamma_scale_equals_dense():
    X = sp.random_array((60, 40), density=0.1, format="csr", rng=np.random.default_rng(1))
    y = np.arange(60) % 2
    np.testing.assert_allclose(
        SVC().fit(X, y).decision_function(X),
        SVC().fit(X.toarray(), y).decision_function(X.toarray()),
        atol=1e-3,
    )


@pytest.mark.parametrize("rows", [700, 5000])
def test_the_same_bits_for_any_number_of_threads(rows):
    """Whole and blocked solver, problems one after the other and at a time."""
    X, y = problem(rows, 6, 3 if rows < 1000 else 2)
    models = [SVC(C=10, n_jobs=jobs).fit(X, y) for jobs in (1, 2, 3)]
    for model in models[1:]:
        for name in ("support_", "dual_coef_", "intercept_", "n_iter_", "kkt_violation_"):
            assert getattr(model, name).tobytes() == getattr(models[0], name).tobytes(), name
        assert model.decision_function(X).tobytes() == models[0].decision_function(X).tobytes()


@pytest.mark.parametrize("level", ["base", "v3"])
def test_instruction_sets_agree(level):
    code = (
        "import numpy as np, sys; from mlcore.svm import SVC; rng = np.random.default_rng(0);"
        "X = rng.normal(size=(160, 5)); y = (X[:, 0] * X[:, 1] > 0).astype(int);"
        "sys.stdout.write(' '.join(map(repr, SVC(tol=1e-9).fit(X, y).decision_function(X).tolist())))"
    )
    environment = os.environ | {"MLCORE_ISA": level}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    rng = np.random.default_rng(0)
    X = rng.normal(size=(160, 5))
    here = SVC(tol=1e-9).fit(X, (X[:, 0] * X[:, 1] > 0).astype(int)).decision_function(X)
    np.testing.assert_allclose(np.array(run.stdout.split(), dtype=float), here, atol=1e-7)


@pytest.mark.parametrize("cache_size", [1e-3, 3.0, 200.0])
@pytest.mark.parametrize("shrinking", [True, False])
def test_blocked_solver(cache_size, shrinking):
    """More than 4096 rows: float32 kernel values in working sets, shrinking, small caches."""
    X, y = make_classification(6000, 10, n_informative=6, class_sep=1.2, random_state=0)
    model = SVC(C=5.0, gamma=0.1, cache_size=cache_size, shrinking=shrinking).fit(X, y)
    K = kernel_matrix("rbf", X[:, None][:, 0], X[model.support_], 0.1)
    beta = signed(model, len(y))
    sign = np.where(y == 0, 1.0, -1.0)
    f = K @ beta[model.support_] - sign
    found = violation(f, beta, np.minimum(0, 5 * sign), np.maximum(0, 5 * sign))
    assert found < 1.05e-3
    assert model.kkt_violation_[0] == pytest.approx(found, abs=5e-5)


def test_blocked_solver_finds_the_solution_of_the_whole_one():
    X, y = make_classification(5000, 8, n_informative=5, random_state=1)
    ours, theirs = SVC(C=2.0).fit(X, y), peer.SVC(C=2.0).fit(X, y)
    alpha, expected = signed(ours, len(y)), signed(theirs, len(y))
    K = kernel_matrix("rbf", X, X, ours._gamma)
    sign = np.where(y == 0, 1.0, -1.0)

    def objective(b):
        return sign @ b - 0.5 * b @ K @ b

    assert objective(alpha) == pytest.approx(objective(expected), rel=1e-5)
    assert (ours.predict(X) == theirs.predict(X)).mean() >= 0.999


def test_large_offsets_do_not_cost_digits():
    """|x|^2 of 10^8 beside distances of about 1."""
    X, y = problem(300, 3)
    near = SVC(gamma=0.5).fit(X, y)
    far = SVC(gamma=0.5).fit(X + 1e4, y)
    np.testing.assert_allclose(far.decision_function(X + 1e4), near.decision_function(X), atol=1e-3)


def test_precomputed_and_callable_kernels():
    X, y = problem(80, 3, 3)
    K = kernel_matrix("rbf", X, X, 0.5)
    direct = SVC(gamma=0.5, tol=1e-6).fit(X, y)
    given = SVC(kernel="precomputed", tol=1e-6).fit(K, y)
    made = SVC(kernel=lambda A, B: kernel_matrix("rbf", A, B, 0.5), tol=1e-6).fit(X, y)
    Z = X[:7] + 0.1
    expected = direct.decision_function(Z)
    np.testing.assert_allclose(given.decision_function(kernel_matrix("rbf", Z, X, 0.5)), expected, atol=1e-5)
    np.testing.assert_allclose(made.decision_function(Z), expected, atol=1e-5)
    np.testing.assert_array_equal(made.predict(Z), direct.predict(Z))
    assert given.support_vectors_.shape == (0, 0)
    with pytest.raises(ValueError, match="expecting 80 features"):
        given.predict(K[:, :5])
    with pytest.raises(ValueError, match="square matrix"):
        SVC(kernel="precomputed").fit(K[:, :5], y)


def test_sample_weights_mean_repetition_and_removal():
    X, y = problem(60, 3)
    weights = np.arange(60) % 3
    weighted = SVC(tol=1e-6, gamma=0.5).fit(X, y, weights)
    repeated = SVC(tol=1e-6, gamma=0.5).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    np.testing.assert_allclose(weighted.decision_function(X), repeated.decision_function(X), atol=1e-5)
    assert not set(weighted.support_) & set(np.flatnonzero(weights == 0))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0] * 6, "all samples have zero or negative weights"),
        ([-1] * 6, "all samples have zero or negative weights"),
        ([0, 0, 0, 1, 1, 1], "belong to the same class"),
        ([1, 2], "incompatible shapes"),
        ([1, 1, 1, np.nan, 1, 1], "NaN"),
        ([1, 1, 1, np.inf, 1, 1], "infinity"),
        (np.ones((6, 2)), "must be 1D array or scalar"),
    ],
)
def test_weights_that_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        SVC().fit(np.arange(12.0).reshape(6, 2), [0, 0, 0, 1, 1, 1], weights)


def test_a_class_that_weights_take_away_never_wins():
    X, y = problem(90, 3, 3)
    model = SVC().fit(X, y, (y != 1).astype(float))
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.n_support_[1] == 0
    assert not (model.predict(X) == 1).any()


def test_hard_margin():
    X = np.array([[1.0, 2], [2, 3], [3, 3], [1, 0], [2, 1], [0, 1]])
    y = np.array([1, 1, 1, 0, 0, 0])
    for C in (1e6, np.inf):
        model = SVC(kernel="linear", C=C).fit(X, y)
        np.testing.assert_allclose(model.coef_, [[0, 2]], atol=1e-6)
        np.testing.assert_allclose(model.intercept_, [-3], atol=1e-6)


def test_max_iter_gives_a_warning_and_a_model():
    X, y = problem(300, 4)
    with pytest.warns(ConvergenceWarning, match=r"Solver terminated early \(max_iter=5\)"):
        model = SVC(max_iter=5).fit(X, y)
    assert model.fit_status_ == 1
    assert model.n_iter_.tolist() == [5]
    assert model.kkt_violation_[0] > 1e-3
    assert model.predict(X).shape == (300,)


def test_values_beyond_floating_point_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        SVC(kernel="poly", degree=200, gamma=1e3).fit(np.array([[1e3], [2e3], [-1e3]]), [0, 1, 1])


@pytest.mark.parametrize("classes", [2, 4])
def test_probabilities(classes):
    X, y = problem(240, 4, classes)
    with pytest.warns(FutureWarning, match="deprecated in 1.9"):
        ours = SVC(probability=True, random_state=0).fit(X, y)
    with pytest.warns(FutureWarning):
        theirs = peer.SVC(probability=True, random_state=0).fit(X, y)
    P = ours.predict_proba(X)
    np.testing.assert_allclose(P.sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(ours.predict_log_proba(X)), P)
    assert (P.argmax(axis=1) == ours.predict(X)).mean() > 0.85
    # The shuffles of the cross-validation differ, so the sigmoids do a little.
    assert np.abs(P - theirs.predict_proba(X)).mean() < 0.05
    with pytest.warns(FutureWarning, match="probA_"):
        assert ours.probA_.shape == (classes * (classes - 1) // 2,)
    plain = SVC().fit(X, y)
    assert not hasattr(plain, "predict_proba")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        late = SVC().fit(X, y).set_params(probability=True)
    with pytest.raises(NotFittedError):
        late.predict_proba(X)


def test_number_of_problems():
    """8.19: three classes make three problems either way; four make six pairs and four against the rest."""
    X, y = problem(120, 4, 4)
    for classes, pairs in ((3, 3), (4, 6)):
        rows = y < classes
        assert SVC(decision_function_shape="ovo").fit(X[rows], y[rows]).decision_function(X).shape[1] == pairs
        assert SVC().fit(X[rows], y[rows]).decision_function(X).shape[1] == classes
        assert len(OneVsOneClassifier(SVC()).fit(X[rows], y[rows]).estimators_) == pairs
        assert len(OneVsRestClassifier(SVC()).fit(X[rows], y[rows]).estimators_) == classes


def test_large_models_are_evaluated_in_float32_and_agree():
    X, y = load_digits(return_X_y=True)
    model = SVC(gamma=0.001).fit(X, y)
    assert len(model.support_) * (64 + 30) > 1e5 / 2
    theirs = peer.SVC(gamma=0.001).fit(X, y)
    model.decision_function_shape = theirs.decision_function_shape = "ovo"
    np.testing.assert_allclose(model.decision_function(X), theirs.decision_function(X), atol=5e-3)
    np.testing.assert_array_equal(model.predict(X), theirs.predict(X))


def test_tampering_is_noticed():
    X, y = problem(40)
    model = SVC().fit(X, y)
    model._n_support = model._n_support.copy()
    model._n_support[0] = 1000
    with pytest.raises(ValueError, match="internal representation of SVC was altered"):
        model.predict(X)


def test_coef_is_read_only():
    X, y = problem(40)
    coef = SVC(kernel="linear").fit(X, y).coef_
    with pytest.raises(ValueError, match="read-only"):
        coef[0, 0] = 1.0


def precision_of(X, y, **more):
    """Violation from first principles, and whether the solver's kernel values were float32."""
    arguments = {"tol": 1e-3, "C": 1.0, "gamma": 1.0} | more
    model = SVC(**arguments).fit(X, y)
    kernel = (0 if model.kernel == "linear" else 2, float(model._gamma), 0.0, 3)
    labels = np.searchsorted(model.classes_, y).astype(np.int32)
    bounds = np.full(len(y), arguments["C"])
    result = _core.svm.svc_fit(
        X, labels, 2, bounds, None, kernel, arguments["tol"], 2e8, True, -1, 0.0, None, native_threads(None)
    )
    K = kernel_matrix(model.kernel, X, X, model._gamma)
    return optimality(model, X, y, K, arguments["C"]), result[-1], model


def test_float64_takes_over_where_float32_is_not_enough():
    """Three roads: small enough for float64 at once, float32, and float32 that did not pass the check."""
    X, y = problem(400, 40)
    found, single, _ = precision_of(X, y, gamma=0.01)
    assert not single
    assert found < 1.001e-3
    X, y = problem(2500, 40)
    found, single, model = precision_of(X, y, gamma=0.01)
    assert single
    assert found < 1.02e-3
    assert model.kkt_violation_[0] == pytest.approx(found, abs=2e-5)
    # Products of 10^4 with multipliers of 100: gradients of 10^6, whose float32 kernel values are off by 0.1
    scale = np.linspace(1, 100, 40)
    found, single, model = precision_of(X * scale, y, kernel="linear", C=1e-4)
    assert found < 1.02e-3
    found, single, model = precision_of(X * scale + 300, y, kernel="linear", C=1e-4)
    assert not single
    assert found < 1.02e-3
    # Squared lengths that would cost the exponent its digits: not even tried
    found, single, model = precision_of(X * 100, y, gamma=1e-4 * 30)
    assert not single
    assert found < 1.001e-3


def test_a_hopeless_tolerance_ends_with_a_warning():
    """The guard against stalling: rounding keeps the violation above any tol below its own size."""
    X, y = problem(40, 2)
    with pytest.warns(
        ConvergenceWarning, match=r"Floating point ends the search at a violation of .*tol=1e-300"
    ):
        model = SVC(C=10.0, tol=1e-300).fit(X, y)
    assert model.fit_status_ == 1
    assert 0 < model.kkt_violation_[0] < 1e-12


def test_constant_data():
    """All kernel values are one: the curvature is zero everywhere, and the larger class wins."""
    X, y = np.ones((30, 3)), (np.arange(30) < 10).astype(int)
    model = SVC(C=2.0).fit(X, y)
    assert optimality(model, X, y, np.ones((30, 30)), 2.0) < 1e-3
    assert model.dual_gap_[0] == pytest.approx(0, abs=1e-9)
    assert (model.predict(X) == 0).all()


def test_verbose_reports_every_problem(capsys):
    X, y = problem(90, 3, 3)
    model = SVC(verbose=True).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"[SVC] class {a} against {b}" for a, b in ((0, 1), (0, 2), (1, 2))
    ]
    assert f"iterations = {model.n_iter_[0]}," in lines[0]
    # Bounds are reached by as many multipliers as it says, in a problem with two classes
    two = SVC(verbose=True, C=0.5).fit(X[y < 2], y[y < 2])
    line = capsys.readouterr().out
    assert f"nSV = {len(two.support_)}, nBSV = {(np.abs(two.dual_coef_) == 0.5).sum()}" in line
