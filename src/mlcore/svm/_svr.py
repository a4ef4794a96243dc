"""Support vector regression."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import Interval

from .._shared_docs import shared_docs
from .._validation import atomic_fit
from ._docs import SINGLE
from ._single import EPSILON_SVR, NU_SVR, SingleMachine

__all__ = ["SVR", "NuSVR"]


class KernelRegressor(RegressorMixin, SingleMachine):
    """Base of SVR and NuSVR."""

    C: float

    def _fit_regression(self, X: Any, y: Any, sample_weight: Any) -> None:
        raise NotImplementedError

    @atomic_fit
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit the machine.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples)
            Training data; for ``kernel="precomputed"`` the Gram matrix. float32 and float64 arrays of any
            memory order and CSR matrices are read as they are.
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
            If a parameter or the data are not as described.

        Warns
        -----
        ConvergenceWarning
            When ``max_iter`` ends the fit before its violation is below ``tol``, or floating point does.
        """
        self._fit_regression(X, y, sample_weight)
        return self

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        r"""Targets of new rows, :math:`\sum_i \beta_i K(x_i, x) + b`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples_train)
            New data; for ``kernel="precomputed"`` its kernel values with the training rows.

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
        return self._decide(X)


@shared_docs(SINGLE)
class SVR(KernelRegressor):
    r"""Support vector regression with an epsilon-insensitive loss.

    .. math:: \min_{w, b} \tfrac12 \lVert w \rVert^2
        + \sum_i C_i \max(0, |y_i - w \cdot \phi(x_i) - b| - \epsilon)

    through its dual in :math:`\beta_i = \alpha_i - \alpha_i^*`,

    .. math:: \max_\beta \sum_i y_i \beta_i - \epsilon \sum_i |\beta_i|
        - \tfrac12 \sum_{ij} \beta_i \beta_j K(x_i, x_j), \qquad |\beta_i| \le C_i, \quad \sum_i \beta_i = 0

    (requirement 8.17). Rows inside the tube :math:`|y - f(x)| < \epsilon` have :math:`\beta = 0`.
    :math:`C_i` is ``C`` times the weight of the row.

    Parameters
    ----------
    <<kernel>>
    tol : float, default=1e-3
        Largest violation of the optimality conditions at the end, in the units of ``y``.
    C : float, default=1.0
        Price of a deviation beyond ``epsilon``; ``inf`` allows none.
    epsilon : float, default=0.1
        Half the width of the tube, in the units of ``y``.
    shrinking : bool, default=True
        Set multipliers aside that stay at their bounds. Does not change the result beyond ``tol``.
    <<running>>

    Attributes
    ----------
    <<support vectors>>
    dual_coef_ : ndarray or CSR matrix of shape (1, n_SV)
        :math:`\beta_i`.
    coef_ : ndarray or CSR matrix of shape (1, n_features)
        Weights of the features; for ``kernel="linear"`` only.
    intercept_ : ndarray of shape (1,)
        b.
    <<solution>>

    See Also
    --------
    NuSVR : Takes the share of rows outside the tube in place of its width.
    sklearn.svm.SVR : Has the same parameters but for ``n_jobs``, and the same results.

    References
    ----------
    A. J. Smola, B. Schoelkopf (2004). A tutorial on support vector regression. Statistics and Computing 14,
    199-222.

    C.-C. Chang, C.-J. Lin (2011). LIBSVM: a library for support vector machines. ACM TIST 2 (3).

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.svm import SVR
    >>> X = np.arange(5.0)[:, None]
    >>> model = SVR(kernel="linear", C=100.0, epsilon=0.5).fit(X, 2 * X[:, 0])
    >>> model.coef_.round(3).tolist(), model.predict([[2.0]]).round(3).tolist()
    ([[1.75]], [4.0])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **SingleMachine._parameter_constraints,
        "C": [Interval(Real, 0.0, None, closed="right")],
        "epsilon": [Interval(Real, 0.0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        kernel: Any = "rbf",
        degree: int = 3,
        gamma: Any = "scale",
        coef0: float = 0.0,
        tol: float = 1e-3,
        C: float = 1.0,
        epsilon: float = 0.1,
        shrinking: bool = True,
        cache_size: float = 200,
        verbose: Any = False,
        max_iter: int = -1,
        n_jobs: int | None = None,
        warm_start: bool = False,
        max_time: float | None = None,
    ) -> None:
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.tol = tol
        self.C = C
        self.epsilon = epsilon
        self.shrinking = shrinking
        self.cache_size = cache_size
        self.verbose = verbose
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.max_time = max_time

    def _fit_regression(self, X: Any, y: Any, sample_weight: Any) -> None:
        self._fit_single(X, y, sample_weight, EPSILON_SVR, C=self.C, epsilon=self.epsilon)


@shared_docs(SINGLE)
class NuSVR(KernelRegressor):
    r"""Support vector regression in which nu bounds the share of rows outside the tube.

    .. math:: \min_{w, b, \epsilon} \tfrac12 \lVert w \rVert^2 + \sum_i C_i \bigl(\nu \epsilon
        + \max(0, |y_i - w \cdot \phi(x_i) - b| - \epsilon)\bigr)

    (requirement 8.18). The width of the tube is found by the problem: at most the share :math:`\nu` of the
    rows lies outside of it, and at least the share :math:`\nu` are support vectors.

    Parameters
    ----------
    nu : float, default=0.5
        Bound on the share of errors and of support vectors, in (0, 1].
    C : float, default=1.0
        Price of a deviation beyond the tube.
    <<kernel>>
    shrinking : bool, default=True
        Set multipliers aside that stay at their bounds. Does not change the result beyond ``tol``.
    tol : float, default=1e-3
        Largest violation of the optimality conditions at the end, in the units of ``y``.
    <<running>>

    Attributes
    ----------
    epsilon_ : float
        Half the width of the tube that was found.
    <<support vectors>>
    dual_coef_ : ndarray or CSR matrix of shape (1, n_SV)
        :math:`\beta_i`, in [-C, C].
    coef_ : ndarray or CSR matrix of shape (1, n_features)
        Weights of the features; for ``kernel="linear"`` only.
    intercept_ : ndarray of shape (1,)
        b.
    <<solution>>

    See Also
    --------
    SVR : Takes the width of the tube.
    sklearn.svm.NuSVR : Has the same parameters but for ``n_jobs``, and the same results.

    References
    ----------
    B. Schoelkopf, A. Smola, R. Williamson, P. Bartlett (2000). New support vector algorithms. Neural
    Computation 12, 1207-1245.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.svm import NuSVR
    >>> X = np.arange(5.0)[:, None]
    >>> model = NuSVR(kernel="linear", C=100.0).fit(X, 2 * X[:, 0])
    >>> model.predict([[2.0]]).round(2).tolist()
    [4.0]
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **SingleMachine._parameter_constraints,
        "C": [Interval(Real, 0.0, None, closed="right")],
        "nu": [Interval(Real, 0.0, 1.0, closed="right")],
    }

    epsilon_: float

    def __init__(
        self,
        *,
        nu: float = 0.5,
        C: float = 1.0,
        kernel: Any = "rbf",
        degree: int = 3,
        gamma: Any = "scale",
        coef0: float = 0.0,
        shrinking: bool = True,
        tol: float = 1e-3,
        cache_size: float = 200,
        verbose: Any = False,
        max_iter: int = -1,
        n_jobs: int | None = None,
        warm_start: bool = False,
        max_time: float | None = None,
    ) -> None:
        self.nu = nu
        self.C = C
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.shrinking = shrinking
        self.tol = tol
        self.cache_size = cache_size
        self.verbose = verbose
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.max_time = max_time

    def _fit_regression(self, X: Any, y: Any, sample_weight: Any) -> None:
        self.epsilon_ = self._fit_single(X, y, sample_weight, NU_SVR, C=self.C, nu=self.nu)
