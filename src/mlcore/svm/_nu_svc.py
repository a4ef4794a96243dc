"""Support vector classification with nu in place of C."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.utils._param_validation import Interval

from ._svc import KernelClassifier

__all__ = ["NuSVC"]


class NuSVC(KernelClassifier):
    r"""Support vector classification in which nu bounds the share of errors and of support vectors.

    For each pair of classes, with :math:`y_i = \pm 1` and weights :math:`s_i`,

    .. math:: \min_{w, b, \rho} \tfrac12 \lVert w \rVert^2 - \nu \rho \sum_i s_i
        + \sum_i s_i \max(0, \rho - y_i (w \cdot \phi(x_i) + b)), \qquad \rho \ge 0

    (requirement 8.18). At most the share :math:`\nu` of the rows of a pair lies inside the margin, and at
    least the share :math:`\nu` are support vectors. The decision function is divided by :math:`\rho`, so that
    the margin is at one, as for :class:`~mlcore.svm.SVC`.

    Parameters
    ----------
    nu : float, default=0.5
        Bound on the share of margin errors and of support vectors, in (0, 1]. Infeasible where one class of a
        pair has less than ``nu / 2`` of its rows.
    kernel : {"linear", "poly", "rbf", "sigmoid", "precomputed"} or callable, default="rbf"
        As in :class:`~mlcore.svm.SVC`.
    degree : int, default=3
        Degree of the polynomial kernel.
    gamma : {"scale", "auto"} or float, default="scale"
        "scale" is ``1 / (n_features * X.var())``, "auto" ``1 / n_features``.
    coef0 : float, default=0.0
        Constant of the polynomial and sigmoid kernels.
    shrinking : bool, default=True
        Set multipliers aside that stay at their bounds. Does not change the result beyond ``tol``.
    probability : bool, default=False
        Fit Platt's sigmoids and offer ``predict_proba``. Deprecated, as in scikit-learn 1.9.
    tol : float, default=1e-3
        Largest violation of the optimality conditions at the end, before the division by :math:`\rho`.
    cache_size : float, default=200
        Megabytes (2**20 bytes) for kernel rows.
    class_weight : dict, "balanced" or None, default=None
        Sets ``class_weight_`` and nothing else, as in scikit-learn: nu already says how many rows of each
        class are support vectors. Use ``sample_weight`` to weigh rows.
    verbose : bool, default=False
        Print a line for each problem.
    max_iter : int, default=-1
        Limit on the pair updates of one problem; -1 means none.
    decision_function_shape : {"ovo", "ovr"}, default="ovr"
        Shape of ``decision_function`` with more than two classes.
    break_ties : bool, default=False
        Let ``predict`` break ties of votes by the decision values.
    random_state : int, RandomState instance or None, default=None
        Shuffles the rows of the cross-validation of ``probability=True``; has no effect otherwise.
    n_jobs : int or None, default=None
        Number of threads; None means all allowed. The result does not depend on it.

    Attributes
    ----------
    support_ : ndarray of shape (n_SV,), int32
        Row numbers of the support vectors, class after class.
    support_vectors_ : ndarray or CSR matrix of shape (n_SV, n_features), float64
        Support vectors, each once; empty for precomputed and callable kernels.
    n_support_ : ndarray of shape (n_classes,), int32
        Number of support vectors of each class.
    dual_coef_ : ndarray or CSR matrix of shape (n_classes - 1, n_SV)
        :math:`y_i \alpha_i / \rho`, laid out as in :class:`~mlcore.svm.SVC`.
    coef_ : ndarray or CSR matrix of shape (n_pairs, n_features)
        Weights of the features; for ``kernel="linear"`` only.
    intercept_ : ndarray of shape (n_pairs,)
        Constants of the decision functions.
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels.
    class_weight_ : ndarray of shape (n_classes,)
        What ``class_weight`` stands for.
    n_iter_ : ndarray of shape (n_pairs,), int32
        Pair updates of each problem.
    fit_status_ : int
        0 when all problems were solved to ``tol``, else 1.
    kkt_violation_ : ndarray of shape (n_pairs,)
        Violation of the optimality conditions of each problem, less than ``tol`` when it was solved.
    dual_gap_ : ndarray of shape (n_pairs,)
        Primal minus dual objective of each problem, divided by :math:`\rho^2`.
    shape_fit_ : tuple of int
        Shape of the training data.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when ``X`` had names that are all strings.

    See Also
    --------
    SVC : Takes a price of errors in place of their share.
    sklearn.svm.NuSVC : Has the same parameters but for ``n_jobs``, and the same results.

    References
    ----------
    B. Schoelkopf, A. Smola, R. Williamson, P. Bartlett (2000). New support vector algorithms. Neural
    Computation 12, 1207-1245.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.svm import NuSVC
    >>> X = np.array([[-1.0, -1], [-2, -1], [1, 1], [2, 1]])
    >>> NuSVC().fit(X, [1, 1, 2, 2]).predict([[-0.8, -1]]).tolist()
    [1]
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **KernelClassifier._parameter_constraints,
        "nu": [Interval(Real, 0.0, 1.0, closed="right")],
    }
    _nothing_left: ClassVar[str] = "specified nu is infeasible"

    def __init__(
        self,
        *,
        nu: float = 0.5,
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
    ) -> None:
        self.nu = nu
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

    def _nu(self) -> float | None:
        return float(self.nu)

    def _bounds(
        self, labels: npt.NDArray[np.int32], weights: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        left = weights > 0
        if not left.all() and np.unique(labels[left]).size < 2:
            raise ValueError(
                "specified nu is infeasible - all samples with positive weights belong to the same class."
            )
        return np.maximum(weights, 0.0)
