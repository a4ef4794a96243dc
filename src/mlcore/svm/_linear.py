"""Linear machines: classification and regression without kernels."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model._base import LinearClassifierMixin, LinearModel, SparseCoefMixin
from sklearn.utils import compute_class_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .. import _core
from .._shared_docs import shared_docs
from .._validation import (
    atomic_fit,
    check_data,
    draw_seed,
    native_matrix,
    native_threads,
    tidy,
    validate_parameters,
    warn_user,
)
from ._docs import LINEAR

__all__ = ["LinearSVC", "LinearSVR"]

_LOSSES = {"hinge": 0, "squared_hinge": 1, "epsilon_insensitive": 2, "squared_epsilon_insensitive": 3}
_DUAL, _PRIMAL, _PRIMAL_L1, _CRAMMER_SINGER = range(4)
#: (penalty, loss) -> method by `dual`
_METHODS: dict[tuple[str, str], dict[bool, int]] = {
    ("l2", "hinge"): {True: _DUAL},
    ("l2", "squared_hinge"): {True: _DUAL, False: _PRIMAL},
    ("l1", "squared_hinge"): {False: _PRIMAL_L1},
    ("l2", "epsilon_insensitive"): {True: _DUAL},
    ("l2", "squared_epsilon_insensitive"): {True: _DUAL, False: _PRIMAL},
}


def _method(penalty: str, loss: str, dual: Any, shape: tuple[int, int]) -> int:
    """The solver; dual="auto": the dual for more features than rows, where there is a choice."""
    known = _METHODS.get((penalty, loss))
    if known is None:
        problem = f"The combination of penalty='{penalty}' and loss='{loss}' is not supported"
    else:
        if isinstance(dual, str):
            wanted = shape[0] < shape[1]
            return known[wanted] if wanted in known else next(iter(known.values()))
        if bool(dual) in known:
            return known[bool(dual)]
        problem = (
            f"The combination of penalty='{penalty}' and loss='{loss}' are not supported when dual={dual}"
        )
    raise ValueError(
        f"Unsupported set of arguments: {problem}, Parameters: penalty={penalty!r}, loss={loss!r}, "
        f"dual={dual!r}"
    )


class LinearMachine(BaseEstimator):
    """Base of LinearSVC and LinearSVR."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "C": [Interval(Real, 0.0, None, closed="neither")],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "dual": ["boolean", StrOptions({"auto"})],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    loss: str
    dual: Any
    tol: float
    C: float
    fit_intercept: bool
    intercept_scaling: float
    verbose: Any
    random_state: Any
    max_iter: int
    n_jobs: int | None
    coef_: Any
    intercept_: Any
    n_iter_: int

    def _check_training(self, X: Any, y: Any) -> tuple[Any, Any]:
        X, y = validate_data(
            self, X, y, accept_sparse="csr", accept_large_sparse=True, dtype=[np.float64, np.float32]
        )
        return tidy(X), y

    def _check_costs(self, sample_weight: Any, X: Any) -> npt.NDArray[np.float64]:
        """C of every row; zero leaves a row out."""
        weights: npt.NDArray[np.float64] = _check_sample_weight(sample_weight, X, dtype=np.float64)
        if not (weights > 0).any():
            raise ValueError("Invalid input - all samples have zero or negative weights.")
        return np.maximum(weights, 0.0) * float(self.C)

    def _solve(
        self,
        X: Any,
        targets: npt.NDArray[np.float64],
        costs: npt.NDArray[np.float64],
        positive: npt.NDArray[np.float64],
        negative: npt.NDArray[np.float64],
        method: int,
        epsilon: float,
    ) -> npt.NDArray[np.float64]:
        """Weights of the features of every problem; sets intercept_ and n_iter_."""
        bias = float(self.intercept_scaling) if self.fit_intercept else 0.0
        weights: npt.NDArray[np.float64]
        weights, iterations, objectives = _core.svm.linear_fit(
            native_matrix(X),
            _LOSSES[self.loss],
            method,
            targets,
            costs,
            positive,
            negative,
            bias,
            epsilon,
            float(self.tol),
            int(self.max_iter),
            draw_seed(self.random_state),
            native_threads(self.n_jobs),
        )
        self.n_iter_ = int(iterations.max())
        if self.verbose:
            for k, (count, value) in enumerate(zip(iterations.tolist(), objectives.tolist())):
                print(
                    f"[{type(self).__name__}] problem {k + 1} of {len(iterations)}: "
                    f"iterations = {count}, objective = {value:.6g}"
                )
        if not np.isfinite(weights).all():
            raise ValueError("The weights are not finite: the data may contain large values; scale them.")
        if self.n_iter_ >= self.max_iter:
            warn_user("Liblinear failed to converge, increase the number of iterations.", ConvergenceWarning)
        if not self.fit_intercept:
            self.intercept_ = 0.0
            return weights
        self.intercept_ = float(self.intercept_scaling) * weights[:, -1]
        return np.ascontiguousarray(weights[:, :-1])

    def _scores(self, X: Any) -> npt.NDArray[np.float64]:
        """X coef' + intercept; the same bits for any memory layout of X."""
        check_is_fitted(self)
        X = check_data(self, X, reset=False)
        if not sp.issparse(X):
            X = np.ascontiguousarray(X)
        scores: npt.NDArray[np.float64] = (
            safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        )
        return scores

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@shared_docs(LINEAR)
class LinearSVC(LinearClassifierMixin, SparseCoefMixin, LinearMachine):  # type: ignore[misc]
    r"""Linear support vector classification, one class against the rest.

    For each class (for two classes, once), with :math:`y_i = \pm 1`,

    .. math:: \min_{w, b} R(w, b) + \sum_i C_i \max(0, 1 - y_i (w \cdot x_i + b))^p

    with p = 1 ("hinge") or 2 ("squared_hinge") and :math:`R=\tfrac12 (\lVert w \rVert^2 + b^2 / s^2)` or the
    sum of absolute values, s being ``intercept_scaling`` (requirement 8.08). Unlike in
    :class:`~mlcore.svm.SVC` the intercept is penalised, as in LIBLINEAR.

    Parameters
    ----------
    penalty : {"l1", "l2"}, default="l2"
        R. "l1" gives sparse weights; it goes with the squared hinge and ``dual=False``.
    loss : {"hinge", "squared_hinge"}, default="squared_hinge"
        The power of the hinge; "hinge" goes with ``dual=True``.
    dual : "auto" or bool, default="auto"
        Coordinate descent in the dual, or a trust-region Newton method in w ("l1": coordinate descent in w).
        "auto": the dual for more features than rows, where there is a choice.
    tol : float, default=1e-4
        Dual: largest difference of projected gradients; primal: norm of the gradient relative to the first
        one, and to the share of the smaller class.
    C : float, default=1.0
        Price of a violated margin.
    multi_class : {"ovr", "crammer_singer"}, default="ovr"
        One class against the rest, or all classes in one problem
        :math:`\tfrac12 \sum_k \lVert w_k \rVert^2 + \sum_i C_i \max_k (w_k x_i - w_{y_i} x_i + [k \ne y_i])`,
        which ignores loss, penalty and dual.
    <<intercept>>
    class_weight : dict, "balanced" or None, default=None
        Multiplies C for the rows of each class, in the problem of that class.
    verbose : int, default=0
        Print a line for each problem.
    random_state : int, RandomState instance or None, default=None
        Order of the coordinates in coordinate descent.
    <<running>>

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights of the features.
    intercept_ : ndarray of shape (1,) or (n_classes,), or 0.0
        Constants of the decision functions.
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels.
    n_iter_ : int
        Most iterations of a problem.
    <<data>>

    See Also
    --------
    sklearn.svm.LinearSVC : Has the same parameters but for ``n_jobs``, and the same results within ``tol``.

    References
    ----------
    R.-E. Fan, K.-W. Chang, C.-J. Hsieh, X.-R. Wang, C.-J. Lin (2008). LIBLINEAR: a library for large linear
    classification. JMLR 9, 1871-1874.

    Examples
    --------
    >>> from mlcore.svm import LinearSVC
    >>> model = LinearSVC(tol=1e-8, max_iter=10_000).fit([[-2.0], [-1.0], [1.0], [2.0]], [0, 0, 1, 1])
    >>> model.coef_.round(3).tolist(), model.predict([[0.4]]).tolist()
    ([[0.8]], [1])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **LinearMachine._parameter_constraints,
        "penalty": [StrOptions({"l1", "l2"})],
        "loss": [StrOptions({"hinge", "squared_hinge"})],
        "multi_class": [StrOptions({"ovr", "crammer_singer"})],
        "class_weight": [None, dict, StrOptions({"balanced"})],
    }

    classes_: npt.NDArray[Any]

    def __init__(
        self,
        penalty: str = "l2",
        loss: str = "squared_hinge",
        *,
        dual: Any = "auto",
        tol: float = 1e-4,
        C: float = 1.0,
        multi_class: str = "ovr",
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Any = None,
        verbose: Any = 0,
        random_state: Any = None,
        max_iter: int = 1000,
        n_jobs: int | None = None,
    ) -> None:
        self.penalty = penalty
        self.loss = loss
        self.dual = dual
        self.tol = tol
        self.C = C
        self.multi_class = multi_class
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.verbose = verbose
        self.random_state = random_state
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    @atomic_fit
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit the machines.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. float32 and float64 arrays in C order and CSR matrices are read as they are.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Multiplies C for each row. Rows of weight zero or less are left out.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not as described, or penalty, loss and dual do not go together.

        Warns
        -----
        ConvergenceWarning
            When ``max_iter`` ends a problem.
        """
        validate_parameters(self)
        X, y = self._check_training(X, y)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        one_problem = self.multi_class == "crammer_singer"
        method = _CRAMMER_SINGER if one_problem else _method(self.penalty, self.loss, self.dual, X.shape)
        classes = len(self.classes_)
        if classes < 2:
            raise ValueError(
                "This solver needs samples of at least 2 classes in the data, but the data contains only one"
                f" class: {self.classes_[0]!r}"
            )
        factors = compute_class_weight(
            self.class_weight, classes=self.classes_, y=y, sample_weight=sample_weight
        )
        costs = self._check_costs(sample_weight, X)
        positive = np.ascontiguousarray(factors, dtype=np.float64)
        negative = np.ones(classes)
        if classes == 2 and not one_problem:
            positive, negative = positive[1:], positive[:1]
        self.coef_ = self._solve(X, labels.astype(np.float64), costs, positive, negative, method, 0.0)
        if classes == 2 and one_problem:
            self.coef_ = self.coef_[1:] - self.coef_[:1]
            if self.fit_intercept:
                self.intercept_ = self.intercept_[1:] - self.intercept_[:1]
        return self

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        r"""Decision values :math:`w_k \cdot x + b_k` of the rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New data.

        Returns
        -------
        decisions : ndarray of shape (n_samples,) or (n_samples, n_classes)
            With two classes positive for ``classes_[1]``.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If ``X`` does not fit.
        """
        scores = self._scores(X)
        return scores.ravel() if scores.ndim == 2 and scores.shape[1] == 1 else scores


@shared_docs(LINEAR)
class LinearSVR(RegressorMixin, LinearModel, LinearMachine):  # type: ignore[misc]
    r"""Linear support vector regression.

    .. math:: \min_{w, b} \tfrac12 (\lVert w \rVert^2 + b^2 / s^2)
        + \sum_i C_i \max(0, |y_i - w \cdot x_i - b| - \epsilon)^p

    with p = 1 ("epsilon_insensitive") or 2 ("squared_epsilon_insensitive"), s being ``intercept_scaling``
    (requirement 8.17).

    Parameters
    ----------
    epsilon : float, default=0.0
        Half the width of the tube, in the units of ``y``.
    tol : float, default=1e-4
        Dual: sum of violations relative to the first pass; primal: norm of the gradient relative to the
        first.
    C : float, default=1.0
        Price of a deviation beyond ``epsilon``.
    loss : {"epsilon_insensitive", "squared_epsilon_insensitive"}, default="epsilon_insensitive"
        The power of the deviation.
    <<intercept>>
    dual : "auto" or bool, default="auto"
        Coordinate descent in the dual, or (squared loss) a trust-region Newton method. "auto": the dual for
        more features than rows, where there is a choice.
    verbose : int, default=0
        Print a line about the solution.
    random_state : int, RandomState instance or None, default=None
        Order of the rows in coordinate descent.
    <<running>>

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Weights of the features.
    intercept_ : ndarray of shape (1,), or 0.0
        Constant.
    n_iter_ : int
        Iterations.
    <<data>>

    See Also
    --------
    sklearn.svm.LinearSVR : Has the same parameters but for ``n_jobs``, and the same results within ``tol``.

    References
    ----------
    C.-H. Ho, C.-J. Lin (2012). Large-scale linear support vector regression. JMLR 13, 3323-3348.

    Examples
    --------
    >>> from mlcore.svm import LinearSVR
    >>> model = LinearSVR(C=100.0, tol=1e-8, max_iter=100_000).fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> model.coef_.round(2).tolist(), model.predict([[3.0]]).round(2).tolist()
    ([2.0], [7.0])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **LinearMachine._parameter_constraints,
        "epsilon": [Real],
        "loss": [StrOptions({"epsilon_insensitive", "squared_epsilon_insensitive"})],
    }

    def __init__(
        self,
        *,
        epsilon: float = 0.0,
        tol: float = 1e-4,
        C: float = 1.0,
        loss: str = "epsilon_insensitive",
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        dual: Any = "auto",
        verbose: Any = 0,
        random_state: Any = None,
        max_iter: int = 1000,
        n_jobs: int | None = None,
    ) -> None:
        self.epsilon = epsilon
        self.tol = tol
        self.C = C
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.dual = dual
        self.verbose = verbose
        self.random_state = random_state
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    @atomic_fit
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit the machine.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. float32 and float64 arrays in C order and CSR matrices are read as they are.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Multiplies C for each row. Rows of weight zero or less are left out.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not as described, or loss and dual do not go together.

        Warns
        -----
        ConvergenceWarning
            When ``max_iter`` ends the fit.
        """
        validate_parameters(self)
        X, y = self._check_training(X, y)
        method = _method("l2", self.loss, self.dual, X.shape)
        costs = self._check_costs(sample_weight, X)
        ones = np.ones(1)
        targets = np.ascontiguousarray(y, dtype=np.float64)
        self.coef_ = self._solve(X, targets, costs, ones, ones, method, float(self.epsilon)).ravel()
        return self

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        r"""Targets of new rows, :math:`w \cdot x + b`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New data.

        Returns
        -------
        targets : ndarray of shape (n_samples,)

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If ``X`` does not fit.
        """
        return self._scores(X)
