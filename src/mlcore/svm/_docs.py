"""Entries shared by the docstrings of machines with one problem: blocks of ``shared_docs``."""

from __future__ import annotations

__all__ = ["SINGLE"]

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
""",
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
    Primal minus dual objective.
shape_fit_ : tuple of int
    Shape of the training data.
n_features_in_ : int
    Number of columns of ``X``.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of the columns, when ``X`` had names that are all strings.
""",
}
