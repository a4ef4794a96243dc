"""Support vector classification."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import column_or_1d, compute_class_weight, deprecated
from sklearn.utils._param_validation import Hidden, Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _ovr_decision_function, check_classification_targets
from sklearn.utils.validation import check_is_fitted

from .. import _core
from .._shared_docs import shared_docs
from .._validation import atomic_fit, draw_seed, native_matrix, native_threads, validate_parameters, warn_user
from ._docs import PAIRS
from ._machine import KernelMachine
from ._platt import couple_pairs, cross_validated_decisions, fit_sigmoid

__all__ = ["SVC", "KernelClassifier"]

_MEGABYTE = 2**20


def _has_probabilities(self: Any) -> bool:
    if self.probability == "deprecated" or not self.probability:
        raise AttributeError("predict_proba is not available when probability=False")
    return True


class KernelClassifier(ClassifierMixin, KernelMachine):
    """Base of SVC and NuSVC: one machine for each pair of classes."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **KernelMachine._parameter_constraints,
        "probability": ["boolean", Hidden(StrOptions({"deprecated"}))],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "decision_function_shape": [StrOptions({"ovr", "ovo"})],
        "break_ties": ["boolean"],
        "random_state": ["random_state"],
    }

    probability: Any
    class_weight: Any
    decision_function_shape: str
    break_ties: bool
    random_state: Any
    classes_: npt.NDArray[Any]
    class_weight_: npt.NDArray[np.float64]
    n_iter_: npt.NDArray[np.int32]
    _dual_coef_: Any
    _intercept_: npt.NDArray[np.float64]
    _probA: npt.NDArray[np.float64]
    _probB: npt.NDArray[np.float64]

    def _nu(self) -> float | None:
        """nu of nu-SVC, None for C-SVC."""
        return None

    def _bounds(
        self, labels: npt.NDArray[np.int32], weights: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Largest multiplier of each row; 0 leaves it out."""
        raise NotImplementedError

    def _check_target(self, y: Any) -> npt.NDArray[np.int32]:
        """Class numbers of the rows; sets classes_ and class_weight_."""
        checked = column_or_1d(y, warn=True)
        check_classification_targets(checked)
        classes, labels = np.unique(checked, return_inverse=True)
        self.class_weight_ = compute_class_weight(self.class_weight, classes=classes, y=checked)
        if len(classes) < 2:
            raise ValueError(f"The number of classes has to be greater than one; got {len(classes)} class")
        self.classes_ = classes
        return labels.astype(np.int32)

    def _solve(
        self, X: Any, labels: npt.NDArray[np.int32], bounds: npt.NDArray[np.float64], start: Any
    ) -> Any:
        return _core.svm.svc_fit(
            native_matrix(X),
            labels,
            len(self.classes_),
            bounds,
            self._nu(),
            self._kernel_tuple(),
            float(self.tol),
            float(self.cache_size) * _MEGABYTE,
            bool(self.shrinking),
            *self._limits(),
            start,
            native_threads(self.n_jobs),
        )

    @atomic_fit
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit the machines of all pairs of classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples)
            Training data; for ``kernel="precomputed"`` the Gram matrix. float32 and float64 arrays of any
            memory order and CSR matrices are read as they are.
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
            If a parameter or the data are not as described, or fewer than two classes are left.

        Warns
        -----
        ConvergenceWarning
            When ``max_iter`` ends a problem before its violation is below ``tol``, or floating point does.
        """
        validate_parameters(self)
        random_state = np.random.RandomState(draw_seed(self.random_state) % 2**32)
        if self.probability != "deprecated":
            name = type(self).__name__
            warn_user(
                "The `probability` parameter was deprecated in 1.9 and will be removed in version 1.11. "
                f"Use `CalibratedClassifierCV({name}(), ensemble=False)` instead of "
                f"`{name}(probability=True)`",
                FutureWarning,
            )
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y is None."
            )
        last = self._last_solution()
        X, y = self._check_training(X, y)
        labels = self._check_target(y)
        start = self._start(last, X.shape[0], len(self.classes_) - 1)
        weights = self._check_sample_weight(sample_weight, X, X.shape[0])
        bounds = self._bounds(labels, weights)
        result = self._solve(X, labels, bounds, start)
        support, self._n_support, coef, rho, self.n_iter_, violation, gap, objective, status, bound, _ = (
            result
        )
        # LIBSVM's sign: positive for the lower class of a pair. With two classes scikit-learn turns it round.
        self._intercept_ = -rho
        self.intercept_ = rho.copy() if len(self.classes_) == 2 else -rho
        self._keep_support(X, support, coef)
        self._dual_coef_ = self.dual_coef_
        if len(self.classes_) == 2:
            self.dual_coef_ = -self.dual_coef_
        self.kkt_violation_ = violation
        self.dual_gap_ = gap
        self._support_bounds, self._n_at_bound = bounds[support], bound
        self._describe(rho, objective, bound)
        self._check_solution(status, float(violation.max()))
        self._probA = self._probB = np.empty(0)
        if self.probability is True or (self.probability != "deprecated" and self.probability):
            self._fit_probabilities(X, labels, bounds, random_state)
        return self

    def _pairs(self) -> list[tuple[int, int]]:
        return [(a, b) for a in range(len(self.classes_)) for b in range(a + 1, len(self.classes_))]

    def _signed_multipliers(self) -> npt.NDArray[np.float64]:
        ends = np.concatenate([[0], np.cumsum(self._n_support)])
        coef = self._dual_coef_.toarray() if self._sparse else self._dual_coef_
        pairs = self._pairs()
        multipliers = np.zeros((len(pairs), ends[-1]))
        for p, (a, b) in enumerate(pairs):
            multipliers[p, ends[a] : ends[a + 1]] = coef[b - 1, ends[a] : ends[a + 1]]
            multipliers[p, ends[b] : ends[b + 1]] = coef[a, ends[b] : ends[b + 1]]
        return multipliers

    def _describe(self, rho: Any, objective: Any, at_bound: Any) -> None:
        if not self.verbose:
            return
        multipliers = self._signed_multipliers()
        for p, (a, b) in enumerate(self._pairs()):
            n_sv = np.count_nonzero(multipliers[p])
            self._report(
                f"class {self.classes_[a]} against {self.classes_[b]}",
                iterations=int(self.n_iter_[p]),
                objective=float(-objective[p]),
                rho=float(rho[p]),
                violation=float(self.kkt_violation_[p]),
                gap=float(self.dual_gap_[p]),
                nSV=int(n_sv),
                nBSV=int(at_bound[p]),
            )

    def _fit_probabilities(self, X: Any, labels: Any, bounds: Any, random_state: Any) -> None:
        """Platt's sigmoids from decisions on held-out fifths, pair by pair."""
        slopes, offsets = [], []
        for a in range(len(self.classes_)):
            for b in range(a + 1, len(self.classes_)):
                rows = np.flatnonzero(((labels == a) | (labels == b)) & (bounds > 0))
                first = labels[rows] == a
                decisions = cross_validated_decisions(self, X, rows, first, bounds[rows], random_state)
                slope, offset = fit_sigmoid(decisions, first)
                slopes.append(slope)
                offsets.append(offset)
        self._probA, self._probB = np.array(slopes), np.array(offsets)

    def _libsvm_coef(self) -> Any:
        return self._dual_coef_

    def _libsvm_intercept(self) -> npt.NDArray[np.float64]:
        return self._intercept_

    def _pair_decisions(self, X: Any) -> npt.NDArray[np.float64]:
        """Decision values of all pairs, positive for the lower class."""
        X, vectors, coef, per_class, rho, support, kernel, threads = self._native_query(X)
        decisions: npt.NDArray[np.float64] = _core.svm.decide(
            X, vectors, coef, per_class, rho, support, kernel, False, threads
        )
        return decisions

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        r"""Decision values of the rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples_train)
            New data; for ``kernel="precomputed"`` its kernel values with the training rows.

        Returns
        -------
        decisions : ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_pairs)
            With two classes :math:`\sum_i y_i \alpha_i K(x_i, x) + b`, positive for ``classes_[1]``. With
            more, one column for each class (votes, and within equal votes the sum of the decisions, as
            ``decision_function_shape="ovr"``) or for each pair ("ovo").
        """
        decisions = self._pair_decisions(X)
        classes = len(self.classes_)
        if classes == 2:
            negated: npt.NDArray[np.float64] = -decisions.ravel()
            return negated
        if self.decision_function_shape == "ovr":
            scores: npt.NDArray[np.float64] = _ovr_decision_function(decisions < 0, -decisions, classes)
            return scores
        return decisions

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Class of each row: the winner of most pairs, ties to the lower unless ``break_ties``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples_train)
            New data.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Elements of ``classes_``.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If ``X`` does not fit, or ``break_ties`` is combined with ``decision_function_shape="ovo"``.
        """
        check_is_fitted(self)
        if self.break_ties and self.decision_function_shape == "ovo":
            raise ValueError("break_ties must be False when decision_function_shape is 'ovo'")
        if self.break_ties and len(self.classes_) > 2:
            numbers = np.argmax(self.decision_function(X), axis=1)
        else:
            X, vectors, coef, per_class, rho, support, kernel, threads = self._native_query(X)
            numbers = _core.svm.decide(X, vectors, coef, per_class, rho, support, kernel, True, threads)
        labels: npt.NDArray[Any] = self.classes_.take(np.asarray(numbers, dtype=np.intp))
        return labels

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Probabilities of the classes: Platt's sigmoids of the pairs, coupled.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples_train)
            New data.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Rows add up to one. The sigmoids come from a cross-validation, so the largest probability need
            not belong to the class of ``predict``.

        Raises
        ------
        NotFittedError
            Before a ``fit`` with ``probability=True``.
        """
        decisions = self._pair_decisions(X)
        if self._probA.size == 0 or self._probB.size == 0:
            raise NotFittedError("predict_proba is not available when fitted with probability=False")
        return couple_pairs(decisions, self._probA, self._probB, len(self.classes_))

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Logarithms of ``predict_proba``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples_train)
            New data.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
        """
        logarithms: npt.NDArray[np.float64] = np.log(self.predict_proba(X))
        return logarithms

    @deprecated(  # type: ignore[prop-decorator, untyped-decorator]
        "Attribute `probA_` was deprecated in version 1.9 and will be removed in 1.11 as the "
        "`probability=True` option for SVC and NuSVC was deprecated and will be removed in 1.11."
    )
    @property
    def probA_(self) -> npt.NDArray[np.float64]:
        """Slopes of Platt's sigmoids, one for each pair; empty without ``probability=True``."""
        return self._probA

    @deprecated(  # type: ignore[prop-decorator, untyped-decorator]
        "Attribute `probB_` was deprecated in version 1.9 and will be removed in 1.11 as the "
        "`probability=True` option for SVC and NuSVC was deprecated and will be removed in 1.11."
    )
    @property
    def probB_(self) -> npt.NDArray[np.float64]:
        """Offsets of Platt's sigmoids, one for each pair; empty without ``probability=True``."""
        return self._probB

    def _linear_coef(self) -> Any:
        if len(self.classes_) == 2:
            return self.dual_coef_ @ self.support_vectors_
        ends = np.concatenate([[0], np.cumsum(self._n_support)])
        coef = self.dual_coef_.toarray() if self._sparse else self.dual_coef_
        rows = []
        for a in range(len(self.classes_)):
            of_a = slice(ends[a], ends[a + 1])
            for b in range(a + 1, len(self.classes_)):
                of_b = slice(ends[b], ends[b + 1])
                weights = coef[b - 1, of_a] @ self.support_vectors_[of_a]
                rows.append(weights + coef[a, of_b] @ self.support_vectors_[of_b])
        return sp.csr_array(np.vstack(rows)) if self._sparse else np.vstack(rows)


@shared_docs(PAIRS)
class SVC(KernelClassifier):
    r"""Support vector classification with kernels.

    For each pair of classes, with :math:`y_i = \pm 1`, solves

    .. math:: \min_{w, b} \tfrac12 \lVert w \rVert^2 + \sum_i C_i \max(0, 1 - y_i (w \cdot \phi(x_i) + b))

    through its dual

    .. math:: \max_\alpha \sum_i \alpha_i - \tfrac12 \sum_{ij} \alpha_i \alpha_j y_i y_j K(x_i, x_j),
        \qquad 0 \le \alpha_i \le C_i, \quad \sum_i \alpha_i y_i = 0

    (requirements 8.02 to 8.05, 8.09, 8.15, 8.19). :math:`C_i` is ``C`` times the weights of the class and of
    the row. The solution is LIBSVM's: sequential minimal optimisation with second-order choice of the pairs,
    until no pair of multipliers violates the Karush-Kuhn-Tucker conditions by ``tol``.

    Parameters
    ----------
    C : float, default=1.0
        Price of a violated margin; ``inf`` means a hard margin.
    kernel : {"linear", "poly", "rbf", "sigmoid", "precomputed"} or callable, default="rbf"
        :math:`x \cdot z`; :math:`(\gamma x \cdot z + r)^d`; :math:`\exp(-\gamma \lVert x - z \rVert^2)`;
        :math:`\tanh(\gamma x \cdot z + r)`; a Gram matrix instead of data; or a function ``kernel(X, Z)``
        that returns one.
    degree : int, default=3
        d of the polynomial kernel.
    gamma : {"scale", "auto"} or float, default="scale"
        "scale" is ``1 / (n_features * X.var())``, "auto" ``1 / n_features``.
    coef0 : float, default=0.0
        r of the polynomial and sigmoid kernels.
    shrinking : bool, default=True
        Set multipliers aside that stay at their bounds. Does not change the result beyond ``tol``.
    probability : bool, default=False
        Fit Platt's sigmoids by cross-validation and offer ``predict_proba``. Deprecated, as in
        scikit-learn 1.9: use ``CalibratedClassifierCV(SVC(), ensemble=False)``.
    tol : float, default=1e-3
        Largest violation of the optimality conditions at the end.
    cache_size : float, default=200
        Megabytes (2**20 bytes) for kernel rows.
    class_weight : dict, "balanced" or None, default=None
        Multiplies C for each class; "balanced": ``n_samples / (n_classes * np.bincount(y))``.
    verbose : bool, default=False
        Print a line for each problem: iterations, objective, rho, violation, gap, support vectors and how
        many of them are at their bound.
    max_iter : int, default=-1
        Limit on the pair updates of one problem; -1 means none.
    <<answers>>

    Attributes
    ----------
    <<support vectors>>
    dual_coef_ : ndarray or CSR matrix of shape (n_classes - 1, n_SV)
        :math:`y_i \alpha_i`. For a support vector of class c, row j belongs to the pair with class j if
        j < c, and with class j + 1 otherwise.
    coef_ : ndarray or CSR matrix of shape (n_pairs, n_features)
        Weights of the features; for ``kernel="linear"`` only.
    intercept_ : ndarray of shape (n_pairs,)
        Constants of the decision functions: of every free support vector the same, averaged.
    <<classes>>
    kkt_violation_ : ndarray of shape (n_pairs,)
        Violation of the optimality conditions of each problem, less than ``tol`` when it was solved.
    dual_gap_ : ndarray of shape (n_pairs,)
        Primal minus dual objective of each problem. With ``C=inf`` the primal charges any margin that
        is short of one, be it by rounding, with infinity, and so does the gap; then ``kkt_violation_`` is
        the measure.
    <<data>>

    See Also
    --------
    sklearn.svm.SVC : Has the same parameters but for ``n_jobs``, and the same results.

    Notes
    -----
    Problems beyond some thousand rows use float32 kernel values with float64 multipliers and gradients; small
    problems float64 throughout. Memory: ``cache_size``, a packed copy of the data, and O(n).

    References
    ----------
    C.-C. Chang, C.-J. Lin (2011). LIBSVM: a library for support vector machines. ACM TIST 2 (3).

    R.-E. Fan, P.-H. Chen, C.-J. Lin (2005). Working set selection using second order information for training
    support vector machines. JMLR 6, 1889-1918.

    J. Platt (1998). Sequential minimal optimization. Microsoft Research MSR-TR-98-14.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.svm import SVC
    >>> X = np.array([[1.0, 2.0], [2, 3], [3, 3], [1, 0], [2, 1], [0, 1]])
    >>> y = np.array([1, 1, 1, 0, 0, 0])
    >>> model = SVC(kernel="linear", C=1e6).fit(X, y)
    >>> model.support_.tolist()
    [4, 5, 0]
    >>> model.coef_.round(3).tolist(), model.intercept_.round(3).tolist()
    ([[0.0, 2.0]], [-3.0])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **KernelClassifier._parameter_constraints,
        "C": [Interval(Real, 0.0, None, closed="right")],
    }

    def __init__(
        self,
        *,
        C: float = 1.0,
        kernel: Any = "rbf",
        degree: int = 3,
        gamma: Any = "scale",
        coef0: float = 0.0,
        shrinking: bool = True,
        probability: Any = "deprecated",
        tol: float = 1e-3,
        cache_size: float = 200,
        class_weight: Any = None,
        verbose: Any = False,
        max_iter: int = -1,
        decision_function_shape: str = "ovr",
        break_ties: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        warm_start: bool = False,
        max_time: float | None = None,
    ) -> None:
        self.C = C
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.shrinking = shrinking
        self.probability = probability
        self.tol = tol
        self.cache_size = cache_size
        self.class_weight = class_weight
        self.verbose = verbose
        self.max_iter = max_iter
        self.decision_function_shape = decision_function_shape
        self.break_ties = break_ties
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.max_time = max_time

    def _bounds(
        self, labels: npt.NDArray[np.int32], weights: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        left = weights > 0
        if not left.all() and np.unique(labels[left]).size < 2:
            raise ValueError("Invalid input - all samples with positive weights belong to the same class.")
        scale = weights * self.class_weight_[labels]
        bounds = np.zeros(len(labels))
        np.multiply(scale, self.C, out=bounds, where=left & (scale > 0))
        return bounds
