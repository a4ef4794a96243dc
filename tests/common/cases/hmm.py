"""The hidden Markov models."""

import numpy as np

from cases import Case


def counts(X):
    return np.abs(np.round(X))


def symbols(X):
    return np.abs(np.round(X[:, :1] / 10)).astype(np.int64) % 3


def lengths(rows):
    return {"lengths": [30] * (rows // 30) + [rows % 30] * (rows % 30 > 0)}


NEIGHBOURS = {
    "answers_do_not_depend_on_the_batch": "the state of a row depends on the rows before and after it",
}
#: check_estimator calls fit(X, y); the second argument of hmmlearn's fit, kept here, is `lengths`. The same
#: checks run on subclasses without lengths in tests/hmm/test_contract.py.
LENGTHS = "passes a target as the second argument of fit, where hmmlearn's signature has the lengths"
WEIGHTS = "passes one weight for each row: the weights of these models are those of sequences"
KIND = "fits rows of real numbers, where the model wants counts or one column of symbols"
BY_LENGTHS = (
    "check_dict_unchanged",
    "check_dont_overwrite_parameters",
    "check_dtype_object",
    "check_estimators_dtypes",
    "check_estimators_fit_returns_self",
    "check_estimators_overwrite_params",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit2d_1feature",
    "check_fit2d_predict1d",
    "check_fit_check_is_fitted",
    "check_fit_idempotent",
    "check_fit_score_takes_y",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_n_features_in",
    "check_n_features_in_after_fitting",
    "check_pipeline_consistency",
    "check_positive_only_tag_during_fit",
    "check_readonly_memmap_input",
)
BY_WEIGHTS = (
    "check_all_zero_sample_weights_error",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weights_list",
    "check_sample_weights_not_an_array",
    "check_sample_weights_not_overwritten",
    "check_sample_weights_pandas_series",
    "check_sample_weights_shape",
)
BY_KIND = ("check_fit2d_1sample",)
SIGNATURE = dict.fromkeys(BY_LENGTHS, LENGTHS) | dict.fromkeys(BY_WEIGHTS, WEIGHTS)
REAL_ROWS = {"without": NEIGHBOURS, "estimator_checks_fail": SIGNATURE}
OTHER_ROWS = {"without": NEIGHBOURS, "estimator_checks_fail": SIGNATURE | dict.fromkeys(BY_KIND, KIND)}

BOTH = {"fit_arguments": lengths, "answer_arguments": lengths, "weights_of_rows": False, "big_rows": 4000}
SHORT = {"n_iter": 5, "tol": 1e-2}
REALS = Case(**BOTH, **REAL_ROWS, params=SHORT, long_rows=20_000)
COUNTS = Case(**BOTH, **OTHER_ROWS, params=SHORT, long_rows=20_000, data=counts, reals=False)
SYMBOLS = Case(
    **BOTH,
    **OTHER_ROWS,
    params=SHORT,
    long_rows=20_000,
    data=symbols,
    dtypes=(np.int64, np.int32),
    reals=False,
    any_width=False,
)

CASES = {
    "hmm.CategoricalHMM": SYMBOLS,
    "hmm.GMMHMM": REALS,
    "hmm.GaussianHMM": REALS,
    "hmm.HSMM": Case(**BOTH, **REAL_ROWS, params=SHORT | {"max_duration": 4}, long_rows=20_000),
    "hmm.MixedHMM": REALS,
    "hmm.MultinomialHMM": COUNTS,
    "hmm.PoissonHMM": COUNTS,
    "hmm.VariationalCategoricalHMM": SYMBOLS,
    "hmm.VariationalGaussianHMM": REALS,
}
