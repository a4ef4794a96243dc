"""Entries shared by the docstrings of all machines: blocks of ``shared_docs``."""

from __future__ import annotations

__all__ = ["LINEAR", "PAIRS", "SINGLE"]

_WARM = """\
warm_start : bool, default=False
    Start from the multipliers of the last fit, when it had as many rows: faster along a path of parameters,
    the same solution within ``tol``.
max_time : float or None, default=None
    Limit in seconds, with a ``ConvergenceWarning`` that names the violation; None means none.
"""

_DATA = """\
shape_fit_ : tuple of int
    Shape of the training data.
n_features_in_ : int
    Number of columns of ``X``.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of the columns, when ``X`` had names that are all strings.
"""

# Machines with a problem for each pair of classes.
PAIRS = {
    "answers": """\
decision_function_shape : {"ovo", "ovr"}, default="ovr"
    Shape of ``decision_function`` with more than two classes.
break_ties : bool, default=False
    Let ``predict`` break ties of votes by the decision values.
random_state : int, RandomState instance or None, default=None
    Shuffles the rows of the cross-validation of ``probability=True``; has no effect otherwise.
n_jobs : int or None, default=None
    Number of threads; None means all allowed. The result does not depend on it.
"""
    + _WARM,
    "support vectors": """\
support_ : ndarray of shape (n_SV,), int32
    Row numbers of the support vectors, class after class.
support_vectors_ : ndarray or CSR matrix of shape (n_SV, n_features), float64
    Support vectors, each once; empty for precomputed and callable kernels.
n_support_ : ndarray of shape (n_classes,), int32
    Number of support vectors of each class.
""",
    "classes": """\
classes_ : ndarray of shape (n_classes,)
    Sorted class labels.
class_weight_ : ndarray of shape (n_classes,)
    What ``class_weight`` stands for.
n_iter_ : ndarray of shape (n_pairs,), int32
    Pair updates of each problem.
fit_status_ : int
    0 when all problems were solved to ``tol``, else 1.
""",
    "data": _DATA,
}

# Machines with one problem.
SINGLE = {
    "kernel": """\
kernel : {"linear", "poly", "rbf", "sigmoid", "precomputed"} or callable, default="rbf"
    As in :class:`~mlcore.svm.SVC`.
degree : int, default=3
    Degree of the polynomial kernel.
gamma : {"scale", "auto"} or float, default="scale"
    "scale" is ``1 / (n_features * X.var())``, "auto" ``1 / n_features``.
coef0 : float, default=0.0
    Constant of the polynomial and sigmoid kernels.
""",
    "running": """\
cache_size : float, default=200
    Megabytes (2**20 bytes) for kernel rows.
verbose : bool, default=False
    Print a line about the solution.
max_iter : int, default=-1
    Limit on the pair updates; -1 means none.
n_jobs : int or None, default=None
    Number of threads; None means all allowed. The result does not depend on it.
"""
    + _WARM,
    "support vectors": """\
support_ : ndarray of shape (n_SV,), int32
    Row numbers of the support vectors.
support_vectors_ : ndarray or CSR matrix of shape (n_SV, n_features), float64
    Support vectors; empty for precomputed and callable kernels.
n_support_ : ndarray of shape (1,), int32
    Number of support vectors.
""",
    "solution": """\
n_iter_ : int
    Pair updates.
fit_status_ : int
    0 when the problem was solved to ``tol``, else 1.
kkt_violation_ : float
    Violation of the optimality conditions, less than ``tol`` when the problem was solved.
dual_gap_ : float
    Primal minus dual objective. With ``C=inf`` any violation, be it rounding, makes it infinite; then
    ``kkt_violation_`` is the measure.
"""
    + _DATA,
}

# Machines without a kernel.
LINEAR = {
    "intercept": """\
fit_intercept : bool, default=True
    Append a constant feature.
intercept_scaling : float, default=1.0
    Its value: the larger, the less the intercept is penalised.
""",
    "running": """\
max_iter : int, default=1000
    Limit on the passes over the data (Newton: on the steps).
n_jobs : int or None, default=None
    Number of threads; None means all allowed. The result does not depend on it.
""",
    "data": """\
n_features_in_ : int
    Number of columns of ``X``.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of the columns, when ``X`` had names that are all strings.
""",
}
