"""The support of a distribution."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import OutlierMixin
from sklearn.utils._param_validation import Interval

from .._shared_docs import shared_docs
from .._validation import atomic_fit
from ._docs import SINGLE
from ._single import ONE_CLASS, SingleMachine

__all__ = ["OneClassSVM"]


@shared_docs(SINGLE)
class OneClassSVM(OutlierMixin, SingleMachine):  # type: ignore[misc]
    r"""A half-space of the feature space that holds most rows and is far from the origin.

    .. math:: \min_{w, \rho} \tfrac12 \lVert w \rVert^2 - \nu \rho \sum_i s_i
        + \sum_i s_i \max(0, \rho - w \cdot \phi(x_i))

    through its dual

    .. math:: \min_\alpha \tfrac12 \sum_{ij} \alpha_i \alpha_j K(x_i, x_j), \qquad 0 \le \alpha_i \le s_i,
        \quad \sum_i \alpha_i = \nu \sum_i s_i

    (requirement 8.18). At most the share :math:`\nu` of the rows lies outside, and at least the share
    :math:`\nu` are support vectors. :math:`s_i` is the weight of the row.

    Parameters
    ----------
    <<kernel>>
    tol : float, default=1e-3
        Largest violation of the optimality conditions at the end.
    nu : float, default=0.5
        Bound on the share of outliers and of support vectors, in (0, 1].
    shrinking : bool, default=True
        Set multipliers aside that stay at their bounds. Does not change the result beyond ``tol``.
    <<running>>

    Attributes
    ----------
    <<support vectors>>
    dual_coef_ : ndarray or CSR matrix of shape (1, n_SV)
        :math:`\alpha_i`.
    coef_ : ndarray or CSR matrix of shape (1, n_features)
        Weights of the features; for ``kernel="linear"`` only.
    intercept_ : ndarray of shape (1,)
        :math:`-\rho`.
    offset_ : ndarray of shape (1,)
        :math:`\rho`: ``decision_function = score_samples - offset_``.
    <<solution>>

    See Also
    --------
    sklearn.svm.OneClassSVM : Has the same parameters but for ``n_jobs``, and the same results.

    References
    ----------
    B. Schoelkopf, J. Platt, J. Shawe-Taylor, A. Smola, R. Williamson (2001). Estimating the support of a
    high-dimensional distribution. Neural Computation 13, 1443-1471.

    Examples
    --------
    >>> from mlcore.svm import OneClassSVM
    >>> model = OneClassSVM(gamma=0.5).fit([[0.0], [0.44], [0.45], [0.46], [1.0]])
    >>> model.predict([[0.45], [3.0]]).tolist()
    [1, -1]
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **SingleMachine._parameter_constraints,
        "nu": [Interval(Real, 0.0, 1.0, closed="right")],
    }

    offset_: npt.NDArray[np.float64]

    def __init__(
        self,
        *,
        kernel: Any = "rbf",
        degree: int = 3,
        gamma: Any = "scale",
        coef0: float = 0.0,
        tol: float = 1e-3,
        nu: float = 0.5,
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
        self.nu = nu
        self.shrinking = shrinking
        self.cache_size = cache_size
        self.verbose = verbose
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.max_time = max_time

    @atomic_fit
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Fit the machine.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples)
            Training data; for ``kernel="precomputed"`` the Gram matrix.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Largest multiplier of each row. Rows of weight zero or less are left out.

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
        self._fit_single(X, None, sample_weight, ONE_CLASS, nu=self.nu)
        self.offset_ = -self.intercept_
        return self

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        r"""Signed distance to the boundary, :math:`\sum_i \alpha_i K(x_i, x) - \rho`: positive for inliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples_train)
            New data; for ``kernel="precomputed"`` its kernel values with the training rows.

        Returns
        -------
        decisions : ndarray of shape (n_samples,)

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If ``X`` does not fit.
        """
        return self._decide(X)

    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        r"""Decision values without the offset, :math:`\sum_i \alpha_i K(x_i, x)`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples_train)
            New data.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
        """
        scores: npt.NDArray[np.float64] = self.decision_function(X) + self.offset_
        return scores

    def predict(self, X: Any) -> npt.NDArray[np.intp]:
        """+1 for rows inside the boundary (positive decision values), -1 for the others.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples_train)
            New data.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        labels: npt.NDArray[np.intp] = np.where(self.decision_function(X) > 0, 1, -1).astype(np.intp)
        return labels
