"""Cases of `mlcore.svm`."""

from __future__ import annotations

from . import Case

_WEIGHTS = "at tol=1e-3 two runs end at different points within tol; tests/svm compares them at tol=1e-6"
_RESIDUALS = (
    "kkt_violation_ and dual_gap_ are what rounding left of zero, support_ are row numbers: see tests/svm"
)

CASES: dict[str, Case] = {
    "svm.SVC": Case(
        params={"C": 1.0, "tol": 1e-9, "max_iter": -1},
        big={"max_iter": 2000, "tol": 1e-3},
        big_rows=6000,
        long={"max_iter": -1, "tol": 1e-12, "C": 1e6},
        long_rows=20_000,
        random=False,
        without={
            "integer_weights_are_repetition": _RESIDUALS,
            "weight_zero_is_removal": _RESIDUALS,
            "instruction_sets_agree": _RESIDUALS,
            "bad_weights": "weights of zero or less leave rows out, as in scikit-learn: see tests/svm",
        },
        estimator_checks_fail={
            "check_sample_weight_equivalence_on_dense_data": _WEIGHTS,
            "check_sample_weight_equivalence_on_sparse_data": _WEIGHTS,
        },
    ),
}
