"""SVR, NuSVR and OneClassSVM: the optimality conditions, an exact quadratic program, scikit-learn."""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import svm as peer
from sklearn.datasets import make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
    check_sample_weight_equivalence_on_sparse_data,
)
from svm_oracle import dual_optimum, kernel_matrix, violation

from mlcore import svm
from mlcore.svm import SVR, NuSVR, OneClassSVM

KERNELS = ["linear", "poly", "rbf", "sigmoid"]
#: Arguments that say how hard errors are punished.
MACHINES = {"SVR": {"C": 2.0, "epsilon": 0.2}, "NuSVR": {"C": 2.0, "nu": 0.4}, "OneClassSVM": {"nu": 0.3}}


def problem(rows, features=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, features))
    return X, X[:, 0] * X[:, 1 % features] + 0.3 * rng.normal(size=rows)


def fit(name, X, y, sample_weight=None, source=svm, **more):
    """A fitted machine of either library; OneClassSVM gets no y."""
    model = getattr(source, name)(**MACHINES[name] | more)
    return model.fit(X, None if name == "OneClassSVM" else y, sample_weight=sample_weight)


def answer(model, X):
    return model.decision_function(X) if hasattr(model, "decision_function") else model.predict(X)


def signed(model, rows):
    beta = np.zeros(rows)
    coef = model.dual_coef_.toarray() if sp.issparse(model.dual_coef_) else model.dual_coef_
    beta[model.support_] = coef[0]
    return beta


def optimality(name, model, K, y, weights):
    """Violation of the conditions, and primal minus dual objective, from K and beta alone."""
    beta = signed(model, len(K))
    C = getattr(model, "C", 1.0) * weights
    values = K @ beta
    b = model.intercept_[0]
    if name == "OneClassSVM":
        assert (beta >= 0).all()
        assert (beta <= C).all()
        total = model.nu * C.sum()
        assert beta.sum() == pytest.approx(total, rel=1e-9)
        primal = 0.5 * beta @ values + b * total + (C * np.maximum(0, -b - values)).sum()
        return violation(values, beta, np.zeros_like(C), C), primal + 0.5 * beta @ values
    assert (np.abs(beta) <= C).all()
    assert abs(beta.sum()) <= 1e-9 * max(1.0, np.abs(beta).sum())
    up, down = np.maximum(beta, 0), np.maximum(-beta, 0)
    residual = np.abs(y - values - b)
    if name == "SVR":
        e = model.epsilon
        f = np.concatenate([values - y + e, values - y - e])
        both = np.concatenate([up, -down])
        low, high = np.concatenate([0 * C, -C]), np.concatenate([C, 0 * C])
        primal = 0.5 * beta @ values + (C * np.maximum(0, residual - e)).sum()
        dual = y @ beta - e * np.abs(beta).sum() - 0.5 * beta @ values
        return violation(f, both, low, high), primal - dual
    e, total = model.epsilon_, model.nu * C.sum() / 2
    if np.abs(beta).sum() < 2 * total * (1 - 1e-9):  # both multipliers of some rows are at work: epsilon is 0
        assert e == pytest.approx(0, abs=model.tol)
    f = values - y
    primal = 0.5 * beta @ values + 2 * total * e + (C * np.maximum(0, residual - e)).sum()
    dual = y @ beta - 0.5 * beta @ values
    found = max(violation(f, up, 0 * C, C), violation(f, -down, -C, 0 * C))
    return found, primal - dual


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("rows", [2, 15, 16, 17, 33, 200])
def test_the_conditions_of_optimality_hold(name, kernel, rows):
    X, y = problem(rows)
    model = fit(name, X, y, kernel=kernel, gamma=0.3, coef0=0.5, tol=1e-4)
    found, _ = optimality(name, model, kernel_matrix(kernel, X, X, 0.3, 0.5), y, np.ones(rows))
    assert found < 1.001e-4
    assert model.kkt_violation_ < 1e-4
    assert model.fit_status_ == 0
    assert model.n_support_.tolist() == [len(model.support_)]
    assert isinstance(model.n_iter_, int)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(MACHINES)),
    rows=st.integers(2, 60),
    features=st.integers(1, 6),
    log_C=st.floats(-2, 3),
    share=st.floats(0.05, 1),
    gamma=st.floats(0.05, 5),
    seed=st.integers(0, 1000),
    copies=st.booleans(),
    weighted=st.booleans(),
)
def test_random_problems_are_solved(name, rows, features, log_C, share, gamma, seed, copies, weighted):
    """Also with duplicate rows of other targets, whose curvature is zero."""
    X, y = problem(rows, features, seed=seed)
    if copies:
        X, y = np.concatenate([X, X[:3]]), np.concatenate([y, y[:3] + 1.0])
    weights = np.random.default_rng(seed).uniform(0.2, 3, len(X)) if weighted else np.ones(len(X))
    more = {"C": 10.0**log_C} if "C" in MACHINES[name] else {}
    more |= {"nu": share} if "nu" in MACHINES[name] else {"epsilon": share}
    model = fit(name, X, y, weights, gamma=gamma, **more)
    C = more.get("C", 1.0)
    found, gap = optimality(name, model, kernel_matrix("rbf", X, X, gamma), y, weights)
    assert found < 1e-3 + 1e-9 * C
    scale = max(1.0, C * np.abs(y).sum())
    assert -1e-9 * scale <= gap <= 3e-3 * C * weights.sum()
    if name != "NuSVR" or np.isclose(np.abs(signed(model, len(X))).sum(), model.nu * C * weights.sum()):
        assert model.dual_gap_ == pytest.approx(gap, abs=1e-7 * scale)


def assert_optimal(value, optimum, model, K, y, weights):
    """Not above what the general solver finds, which is good to some 1e-5; and no gap below."""
    assert value <= optimum + 1e-7 * abs(optimum) + 1e-12
    assert value == pytest.approx(optimum, rel=1e-4, abs=1e-9)
    _, gap = optimality(type(model).__name__, model, K, y, weights)
    assert abs(gap) <= 1e-6 * abs(value) + 1e-8


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("kernel", ["linear", "rbf", "poly"])
@pytest.mark.parametrize("seed", range(3))
def test_tiny_problems_against_an_exact_quadratic_program(name, kernel, seed):
    n = 10
    X, y = problem(n, 2, seed=seed)
    weights = np.random.default_rng(seed).uniform(0.5, 2, n)
    model = fit(name, X, y, weights, kernel=kernel, gamma=0.5, coef0=1.0, tol=1e-8)
    K = kernel_matrix(kernel, X, X, 0.5, 1.0)
    C, zero = getattr(model, "C", 1.0) * weights, np.zeros(n)
    beta = signed(model, n)
    if name == "OneClassSVM":
        A, b = np.ones((1, n)), np.array([model.nu * C.sum()])
        _, optimum = dual_optimum(K, zero, zero, C, A, b)
        assert_optimal(0.5 * beta @ K @ beta, optimum, model, K, y, weights)
        return
    both = np.block([[K, -K], [-K, K]])  # alpha, alpha*
    ones = np.ones(n)
    if name == "SVR":
        q = np.concatenate([model.epsilon - y, model.epsilon + y])
        A, b = np.concatenate([ones, -ones])[None], np.zeros(1)
        value = 0.5 * beta @ K @ beta - y @ beta + model.epsilon * np.abs(beta).sum()
    else:
        q = np.concatenate([-y, y])
        A, b = np.kron(np.eye(2), ones[None]), np.full(2, model.nu * C.sum() / 2)
        value = 0.5 * beta @ K @ beta - y @ beta
    _, optimum = dual_optimum(both, q, np.zeros(2 * n), np.tile(C, 2), A, b)
    assert_optimal(value, optimum, model, K, y, weights)


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("kernel", ["poly", "rbf", "sigmoid"])
def test_equal_to_scikit_learn(name, kernel):
    X, y = problem(150, 5)
    more = {"kernel": kernel, "coef0": 0.2, "tol": 1e-6}
    weights = np.random.default_rng(0).uniform(0.5, 2, 150)
    ours, theirs = (fit(name, X, y, weights, source, **more) for source in (svm, peer))
    np.testing.assert_array_equal(ours.support_, theirs.support_)
    np.testing.assert_array_equal(ours.n_support_, theirs.n_support_)
    np.testing.assert_array_equal(ours.support_vectors_, theirs.support_vectors_)
    # LIBSVM keeps kernel values in float32
    np.testing.assert_allclose(ours.dual_coef_, theirs.dual_coef_, atol=5e-4)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=2e-4)
    np.testing.assert_allclose(answer(ours, X), answer(theirs, X), atol=2e-4)
    clear = np.abs(answer(ours, X)) > 1e-3  # of one-class decisions
    np.testing.assert_allclose(ours.predict(X)[clear], theirs.predict(X)[clear], atol=2e-4)
    # never a worse optimum at the same tolerance
    K = kernel_matrix(kernel, X, X, ours._gamma, 0.2)
    objectives = []
    for model in (ours, theirs):
        beta = signed(model, 150)
        width = getattr(model, "epsilon", 0.0) if name == "SVR" else 0.0
        target = 0.0 if name == "OneClassSVM" else y @ beta
        objectives.append(0.5 * beta @ K @ beta - target + width * np.abs(beta).sum())
    assert objectives[0] <= objectives[1] + 1e-6 * abs(objectives[1])
    assert not hasattr(ours, "coef_")


@pytest.mark.parametrize("name", MACHINES)
def test_linear_kernel(name):
    """More rows than features: many multipliers give the same plane, so only the plane is compared."""
    X, y = problem(150, 5)
    ours, theirs = (fit(name, X + 2, y, None, source, kernel="linear", tol=1e-7) for source in (svm, peer))
    assert ours.coef_.shape == (1, 5)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    if name != "OneClassSVM":  # whose threshold is anywhere between two rows when no multiplier is free
        np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-3)
    np.testing.assert_allclose(answer(ours, X), X @ ours.coef_[0] + ours.intercept_[0], atol=1e-9)
    with pytest.raises(ValueError, match="read-only"):
        ours.coef_[0, 0] = 1.0


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("columns", [30, 3000])  # made dense; kept sparse
@pytest.mark.parametrize("kind", [sp.csr_array, sp.csr_matrix, sp.csc_array])
def test_sparse_input(name, columns, kind):
    X = sp.random_array((120, columns), density=0.02, format="csr", rng=np.random.default_rng(1))
    y = np.random.default_rng(2).normal(size=120)
    more = {"tol": 1e-6, "gamma": 1.0}
    ours, dense = fit(name, kind(X), y, **more), fit(name, X.toarray(), y, **more)
    assert sp.issparse(ours.support_vectors_)
    assert sp.issparse(ours.dual_coef_)
    np.testing.assert_array_equal(ours.support_, dense.support_)
    np.testing.assert_allclose(ours.dual_coef_.toarray(), dense.dual_coef_, atol=1e-5)
    np.testing.assert_allclose(answer(ours, X), answer(dense, X.toarray()), atol=1e-5)
    with pytest.raises(ValueError, match="sparse input"):
        dense.predict(X)


@pytest.mark.parametrize("name", MACHINES)
def test_precomputed_and_callable_kernels(name):
    X, y = problem(80, 3)
    more = {"tol": 1e-6}
    K = kernel_matrix("rbf", X, X, 0.5)
    direct = fit(name, X, y, gamma=0.5, **more)
    given_matrix = fit(name, K, y, kernel="precomputed", **more)
    made = fit(name, X, y, kernel=lambda A, B: kernel_matrix("rbf", A, B, 0.5), **more)
    Z = X[:7] + 0.1
    expected = answer(direct, Z)
    np.testing.assert_allclose(answer(given_matrix, kernel_matrix("rbf", Z, X, 0.5)), expected, atol=1e-5)
    np.testing.assert_allclose(answer(made, Z), expected, atol=1e-5)
    with pytest.raises(ValueError, match="square matrix"):
        fit(name, K[:, :5], y, kernel="precomputed")
    with pytest.raises(TypeError, match="Sparse precomputed"):
        fit(name, sp.csr_array(K), y, kernel="precomputed")


@pytest.mark.parametrize("name", MACHINES)
def test_sample_weights_mean_repetition_and_removal(name):
    X, y = problem(60, 3)
    weights = np.arange(60) % 3
    weighted = fit(name, X, y, weights, tol=1e-6, gamma=0.5)
    repeated = fit(name, np.repeat(X, weights, axis=0), np.repeat(y, weights), tol=1e-6, gamma=0.5)
    np.testing.assert_allclose(answer(weighted, X), answer(repeated, X), atol=1e-5)
    assert not set(weighted.support_) & set(np.flatnonzero(weights == 0))


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize(("shrinking", "cache_size"), [(True, 200.0), (False, 200.0), (True, 1e-3)])
def test_blocked_solver(name, shrinking, cache_size):
    """More than 4096 variables: float32 kernel values in working sets, shrinking, a small cache."""
    rows = 5000 if name == "OneClassSVM" else 3000
    X, y = make_regression(rows, 8, n_informative=5, noise=5.0, random_state=0)
    y = y / y.std()
    model = fit(name, X, y, gamma=0.1, shrinking=shrinking, cache_size=cache_size)
    K = kernel_matrix("rbf", X, X, 0.1)
    found, gap = optimality(name, model, K, y, np.ones(rows))
    assert found < 1.1e-3
    assert model.kkt_violation_ == pytest.approx(found, abs=1e-4)
    assert model.dual_gap_ == pytest.approx(gap, rel=0.05, abs=1e-3)


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("rows", [700, 4500])
def test_the_same_bits_for_any_number_of_threads(name, rows):
    X, y = problem(rows, 6)
    models = [fit(name, X, y, n_jobs=jobs) for jobs in (1, 2, 3)]
    for model in models[1:]:
        for attribute in ("support_", "dual_coef_", "intercept_"):
            assert getattr(model, attribute).tobytes() == getattr(models[0], attribute).tobytes(), attribute
        assert model.n_iter_ == models[0].n_iter_
        assert answer(model, X).tobytes() == answer(models[0], X).tobytes()


def test_rows_inside_the_tube_have_no_multiplier():
    """8.17, and the other way round: those beyond it have the largest."""
    X, y = problem(120)
    model = SVR(C=1.5, epsilon=0.3, tol=1e-6).fit(X, y)
    beta, residual = signed(model, 120), y - model.predict(X)
    assert (beta[np.abs(residual) < 0.3 - 1e-5] == 0).all()
    outside = np.abs(residual) > 0.3 + 1e-5
    assert outside.any()
    np.testing.assert_array_equal(beta[outside], 1.5 * np.sign(residual[outside]))


@pytest.mark.parametrize("nu", [0.1, 0.35, 0.8])
def test_nu_bounds_errors_and_support_vectors(nu):
    """8.18."""
    X, y = problem(200)
    regression = NuSVR(nu=nu, C=5.0, tol=1e-6).fit(X, y)
    residual = np.abs(y - regression.predict(X))
    assert (residual > regression.epsilon_ + 1e-4).mean() <= nu
    assert len(regression.support_) / 200 >= nu
    outliers = OneClassSVM(nu=nu, tol=1e-6).fit(X)
    assert (outliers.decision_function(X) < -1e-5).mean() <= nu
    assert len(outliers.support_) / 200 >= nu


def test_one_class_with_all_rows_as_support_vectors():
    """nu = 1: every threshold above all scores is optimal; ours is the lowest of them, not infinity."""
    X, _ = problem(50)
    model = OneClassSVM(nu=1.0, gamma=0.5).fit(X)
    np.testing.assert_array_equal(model.dual_coef_, np.ones((1, 50)))
    assert model.offset_[0] == pytest.approx(kernel_matrix("rbf", X, X, 0.5).sum(axis=0).max())
    assert model.dual_gap_ >= 0


def test_nu_svr_is_svr_with_the_width_that_it_found():
    X, y = problem(100)
    nu = NuSVR(nu=0.3, C=3.0, tol=1e-8).fit(X, y)
    plain = SVR(epsilon=nu.epsilon_, C=3.0, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(plain.predict(X), nu.predict(X), atol=1e-6)


def test_one_class_answers_agree():
    X, _ = problem(100)
    model = OneClassSVM(nu=0.2).fit(X)
    decisions = model.decision_function(X)
    np.testing.assert_array_equal(model.predict(X), np.where(decisions > 0, 1, -1))
    np.testing.assert_array_equal(model.fit_predict(X), model.predict(X))
    np.testing.assert_allclose(model.score_samples(X) - model.offset_, decisions, atol=1e-12)
    assert model.predict(X).dtype == np.intp


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0] * 6, "all samples have zero or negative weights"),
        ([-1] * 6, "all samples have zero or negative weights"),
        ([1, 2], "incompatible shapes"),
        (np.ones((6, 2)), "must be 1D array or scalar"),
        ([1, 1, 1, np.nan, 1, 1], "NaN"),
        ([1, 1, 1, np.inf, 1, 1], "infinity"),
    ],
)
def test_weights_that_are_refused(name, weights, message):
    with pytest.raises(ValueError, match=message):
        fit(name, np.arange(12.0).reshape(6, 2), np.arange(6.0), weights)


@pytest.mark.parametrize("name", MACHINES)
def test_max_iter_gives_a_warning_and_a_model(name):
    X, y = problem(300, 4)
    with pytest.warns(ConvergenceWarning, match=r"Solver terminated early \(max_iter=5\)"):
        model = fit(name, X, y, max_iter=5)
    assert model.fit_status_ == 1
    assert model.n_iter_ == 5
    assert model.kkt_violation_ > 1e-3
    assert answer(model, X).shape == (300,)


def test_a_hopeless_tolerance_ends_with_a_warning():
    """Rounding keeps the violation above any tol below its own size: the fit must say so and end."""
    X, y = problem(40, 2)
    with pytest.warns(
        ConvergenceWarning, match=r"Floating point ends the search at a violation of .*tol=1e-300"
    ):
        model = SVR(C=10.0, epsilon=0.0, tol=1e-300).fit(X, y)
    assert model.fit_status_ == 1
    assert 0 < model.kkt_violation_ < 1e-12


def test_verbose_reports_the_solution(capsys):
    X, y = problem(50)
    SVR(verbose=True).fit(X, y)
    line = capsys.readouterr().out
    assert line.startswith("[SVR] 50 rows: iterations = ")
    assert all(f"{word} = " in line for word in ("objective", "rho", "violation", "gap", "nSV", "nBSV"))
    SVR().fit(X, y)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["SVC", "NuSVC", *MACHINES])
def test_weight_zero_is_removal_bit_for_bit(name):
    """Rows of weight zero are gone before the solver sees anything: the problem is the same, not similar."""
    X, y = problem(90)
    y = (y > np.median(y)).astype(int) if "SVC" in name else y
    left = np.random.default_rng(1).uniform(size=90) < 0.7
    weights = np.where(left, np.random.default_rng(2).uniform(0.5, 2, 90), 0.0)
    X[~left] *= 50.0
    machine = {"gamma": 0.3, **MACHINES.get(name, {})}
    fits = []
    for rows, of_rows in ((slice(None), weights), (left, weights[left])):
        model = getattr(svm, name)(**machine)
        fits.append(model.fit(X[rows], None if name == "OneClassSVM" else y[rows], of_rows))
    with_zeros, without = fits
    np.testing.assert_array_equal(with_zeros.support_, np.flatnonzero(left)[without.support_])
    for attribute in (
        "dual_coef_",
        "intercept_",
        "support_vectors_",
        "n_iter_",
        "kkt_violation_",
        "dual_gap_",
    ):
        np.testing.assert_array_equal(getattr(with_zeros, attribute), getattr(without, attribute))


@pytest.mark.parametrize("name", ["SVC", "SVR", "NuSVR"])
@pytest.mark.filterwarnings("ignore")
def test_weights_of_scikit_learns_checks_with_a_fixed_kernel(name):
    """With gamma="scale", which takes the variance of all rows whatever they weigh, these two cannot pass."""
    model = getattr(svm, name)(tol=1e-10, gamma=0.05)
    check_sample_weight_equivalence_on_dense_data(name, model)
    check_sample_weight_equivalence_on_sparse_data(name, model)


@pytest.mark.parametrize("level", ["base", "v3"])
def test_instruction_sets_agree_on_one_class_decisions(level):
    code = (
        "import numpy as np, sys; from mlcore.svm import OneClassSVM; rng = np.random.default_rng(0);"
        "X = rng.normal(size=(160, 5));"
        "sys.stdout.write(' '.join(map(repr, OneClassSVM(tol=1e-9).fit(X).decision_function(X).tolist())))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    run = subprocess.run(
        command, env=os.environ | {"MLCORE_ISA": level}, capture_output=True, text=True, check=True
    )
    X = np.random.default_rng(0).normal(size=(160, 5))
    model = OneClassSVM(tol=1e-9).fit(X)
    here, there = model.decision_function(X), np.array(run.stdout.split(), dtype=float)
    np.testing.assert_allclose(there, here, atol=1e-7)
    clear = np.abs(here) > 1e-7
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(model.predict(X)[clear], np.sign(there[clear]))


def test_targets_beyond_the_digits_of_the_tolerance():
    """Targets of 10^12 have no digits for tol=1e-9: the violation stays above it; the fit says so."""
    X, y = problem(60)
    with pytest.warns(ConvergenceWarning, match="Floating point ends the search"):
        model = SVR(C=1e13, gamma=0.5, tol=1e-9).fit(X, 1e12 * y)
    assert model.kkt_violation_ > 1e-9
    assert model.kkt_violation_ < 1.0  # of 10^12


def test_data_whose_gamma_overflows():
    X, y = problem(20)
    with pytest.raises(ValueError, match="gamma='scale' overflows"):
        SVR().fit(1e-160 * X, y)
