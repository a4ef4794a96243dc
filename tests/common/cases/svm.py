"""Cases of `mlcore.svm`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlcore.svm import SVC

from . import Case

_TOLERANCE = 1e-9


def fixed_kernel(X: np.ndarray) -> Mapping[str, Any]:
    """gamma="scale" takes the variance of all rows, whatever they weigh. This C is reached by multipliers."""
    return {"gamma": 0.02, "C": 0.05}


def far_from_the_targets(X: np.ndarray) -> Mapping[str, Any]:
    """The sweep's targets are linear: with a larger C the fit is exact, and weights change nothing."""
    return {"C": 1e-3, "fit_intercept": False}


def no_arguments(X: np.ndarray) -> Mapping[str, Any]:
    return {}


def fixed_gamma(X: np.ndarray) -> Mapping[str, Any]:
    return {"gamma": 0.02}


_SAMPLE_WEIGHTS = "gamma='scale' takes the variance of all rows, whatever they weigh, as in scikit-learn"

_SVC = Case(
    params={"C": 1.0, "gamma": "scale", "tol": _TOLERANCE, "max_iter": -1},
    big={"max_iter": 2000, "tol": 1e-3},
    big_rows=6000,
    long={"max_iter": -1, "tol": 1e-12, "C": 1e6},
    long_rows=20_000,
    random=False,
    no_draws=fixed_kernel,
    about_rows=frozenset({"support_", "support_vectors_", "dual_coef_", "n_support_"}),
    residuals={"kkt_violation_": _TOLERANCE, "dual_gap_": 1e-6},
    negative_weights="left out",
    estimator_checks_fail={
        "check_sample_weight_equivalence_on_dense_data": _SAMPLE_WEIGHTS,
        "check_sample_weight_equivalence_on_sparse_data": _SAMPLE_WEIGHTS,
    },
)
_TOL = "at tol=1e-4 two fits end at different points within it; with tol=1e-10 the check passes"
_LINEAR = Case(
    params={"C": 1.0, "dual": "auto", "tol": 1e-10, "max_iter": 100_000, "random_state": 0},
    big={"max_iter": 5, "tol": 1e-4},
    long={"max_iter": 100_000_000, "tol": 1e-300, "C": 1e4, "dual": True},
    negative_weights="left out",
    estimator_checks_fail_by_default={
        "check_sample_weight_equivalence_on_dense_data": _TOL,
        "check_sample_weight_equivalence_on_sparse_data": _TOL,
    },
)

_NU = replace(
    _SVC,
    params={"gamma": "scale", "tol": _TOLERANCE, "max_iter": -1},
    long={"max_iter": -1, "tol": 1e-14, "gamma": 0.01},
    no_draws=fixed_gamma,
)

CASES: dict[str, Case] = {
    "svm.SVC": _SVC,
    "svm.NuSVC": replace(
        _NU,
        estimator_checks_fail={
            **_NU.estimator_checks_fail,
            "check_class_weight_classifiers": "class_weight has no effect with nu, as in scikit-learn",
        },
    ),
    "svm.SVR": _SVC,
    "svm.NuSVR": replace(_NU, params=_SVC.params, no_draws=fixed_kernel),
    "svm.OneClassSVM": replace(
        _NU,
        without={
            "instruction_sets_agree": "predict() is the sign of decisions, which are zero up to tol for free "
            "support vectors; tests/svm compares the decisions, and the labels where they are clear"
        },
    ),
    "svm.LinearSVC": replace(_LINEAR, random=False),  # a Newton method where rows outnumber features
    "svm.SVCSearch": replace(
        _SVC,
        params={"estimator": SVC(gamma=0.02, tol=_TOLERANCE), "param_grid": {"C": [0.05, 1.0]}, "cv": 3},
        big={"estimator": SVC(max_iter=200)},
        big_rows=1500,
        long={"estimator": SVC(tol=1e-12), "param_grid": {"C": [1e6], "gamma": [0.01]}},
        long_rows=4000,
        no_draws=no_arguments,
        estimator_checks_fail={},  # gamma is a number in the grids of the checks
        residuals={
            "best_estimator_.vars['kkt_violation_']": _TOLERANCE,
            "best_estimator_.vars['dual_gap_']": 1e-6,
        },
        without={
            "sparse_equals_dense": "best_estimator_ keeps coefficients and vectors in the format of X; "
            "tests/svm/test_search.py compares the scores",
            "feature_names": "best_estimator_ has the names of a data frame as well, as in GridSearchCV",
            "integer_weights_are_repetition": "folds are cut by row numbers: repeated rows fall into others",
            "weight_zero_is_removal": "folds are cut by row numbers, and rows of weight 0 are scored as well",
        },
    ),
    # The sweep's targets are linear functions without a constant: the intercept is zero up to tol.
    "svm.LinearSVR": replace(_LINEAR, residuals={"intercept_": 1e-7}, no_draws=far_from_the_targets),
    "svm.l1_min_c": Case(
        target="classes",
        without={"control_c": "one product of the labels with the data: milliseconds at any size"},
    ),
}
