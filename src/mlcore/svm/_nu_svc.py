"""Support vector classification with nu in place of C."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.utils._param_validation import Interval

from .._shared_docs import shared_docs
from ._docs import PAIRS
from ._svc import KernelClassifier

__all__ = ["NuSVC"]


@shared_docs(PAIRS)
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
    <<answers>>

    Attributes
    ----------
    <<support vectors>>
    dual_coef_ : ndarray or CSR matrix of shape (n_classes - 1, n_SV)
        :math:`y_i \alpha_i / \rho`, laid out as in :class:`~mlcore.svm.SVC`.
    coef_ : ndarray or CSR matrix of shape (n_pairs, n_features)
        Weights of the features; for ``kernel="linear"`` only.
    intercept_ : ndarray of shape (n_pairs,)
        Constants of the decision functions.
    <<classes>>
    kkt_violation_ : ndarray of shape (n_pairs,)
        Violation of the optimality conditions of each problem, less than ``tol`` when it was solved.
    dual_gap_ : ndarray of shape (n_pairs,)
        Primal minus dual objective of each problem, divided by :math:`\rho^2`.
    <<data>>

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
        warm_start: bool = False,
        max_time: float | None = None,
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
        self.warm_start = warm_start
        self.max_time = max_time

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
