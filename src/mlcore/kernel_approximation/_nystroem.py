"""Nystroem's feature map."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.metrics.pairwise import KERNEL_PARAMS, PAIRWISE_KERNEL_FUNCTIONS
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._validation import atomic_fit, check_data, validate_parameters, warn_user
from ..svm import Kernel
from ._products import finite, kernel_values, map_rows

__all__ = ["Nystroem"]

_SMALLEST = 1e-12  # eigenvalue, as in scikit-learn


class Nystroem(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Features whose inner products approximate a kernel, from its values with a sample of the rows.

    With m rows :math:`c_1, \dots, c_m` drawn from the data and their Gram matrix :math:`K_{cc}`,

    .. math:: \phi(x) = K_{cc}^{-1/2} \bigl(K(c_1, x), \dots, K(c_m, x)\bigr)^\top, \qquad
        \phi(x) \cdot \phi(z) \approx K(x, z),

    exact for the rows that were drawn. With a linear machine behind it the cost grows with n m, where a
    kernel machine's grows with up to :math:`n^2`: the way above 10^5 rows.

    Parameters
    ----------
    kernel : str or callable, default="rbf"
        "linear", "poly", "rbf" and "sigmoid" are computed by the core; other names of
        scikit-learn's ``pairwise_kernels``, callables of two rows and "precomputed" work as
        there.
        A :class:`~mlcore.svm.Kernel` is evaluated on whole tables.
    gamma : float, default=None
        Parameter of the rbf, poly, sigmoid, laplacian and chi2 kernels; None means the kernel's own default,
        ``1 / n_features`` for those of the core.
    coef0 : float, default=None
        Constant of the poly and sigmoid kernels; None means 1.
    degree : float, default=None
        Degree of the polynomial kernel; None means 3.
    kernel_params : dict, default=None
        Keyword arguments of a callable kernel.
    n_components : int, default=100
        m. With fewer rows, all of them and a warning.
    random_state : int, RandomState instance or None, default=None
        Draws the rows: those that scikit-learn draws with the same seed.
    n_jobs : int or None, default=None
        Number of threads; None means all allowed. The result does not depend on it.

    Attributes
    ----------
    components_ : ndarray or CSR matrix of shape (n_components, n_features)
        The rows that were drawn.
    component_indices_ : ndarray of shape (n_components,)
        Their numbers.
    normalization_ : ndarray of shape (n_components, n_components)
        :math:`K_{cc}^{-1/2}`, with eigenvalues of at least 1e-12.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when ``X`` had names that are all strings.

    See Also
    --------
    RBFSampler : Random Fourier features; cheaper, and coarser for the same number.
    sklearn.kernel_approximation.Nystroem : Has the same parameters and, up to rounding, the same results.

    Notes
    -----
    Cost: m^3 for the fit, :math:`m (d + m)` per row for the transformation. float32 data are mapped in
    float32 with ``normalization_`` from float64.

    References
    ----------
    C. K. I. Williams, M. Seeger (2001). Using the Nystroem method to speed up kernel machines. NIPS 13.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.kernel_approximation import Nystroem
    >>> from mlcore.svm import RBFKernel
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> features = Nystroem(gamma=0.1, n_components=40, random_state=0).fit_transform(X)
    >>> features.shape, bool(np.abs(features @ features.T - RBFKernel(0.1)(X)).max() < 1e-2)
    ((200, 40), True)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "kernel": [StrOptions(set(PAIRWISE_KERNEL_FUNCTIONS.keys()) | {"precomputed"}), callable],
        "gamma": [Interval(Real, 0, None, closed="left"), None],
        "coef0": [Interval(Real, None, None, closed="neither"), None],
        "degree": [Interval(Real, 1, None, closed="left"), None],
        "kernel_params": [dict, None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    components_: Any
    component_indices_: npt.NDArray[np.int64]
    normalization_: npt.NDArray[Any]

    def __init__(
        self,
        kernel: Any = "rbf",
        *,
        gamma: float | None = None,
        coef0: float | None = None,
        degree: float | None = None,
        kernel_params: dict[str, Any] | None = None,
        n_components: int = 100,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.kernel = kernel
        self.gamma = gamma
        self.coef0 = coef0
        self.degree = degree
        self.kernel_params = kernel_params
        self.n_components = n_components
        self.random_state = random_state
        self.n_jobs = n_jobs

    @atomic_fit
    def fit(self, X: Any, y: Any = None) -> Any:
        """Draw the rows and invert their Gram matrix.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data; for ``kernel="precomputed"`` the Gram matrix.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : Nystroem
            The fitted map.

        Raises
        ------
        ValueError
            If a parameter or the data are not as described.

        Warns
        -----
        UserWarning
            When there are fewer rows than ``n_components``.
        """
        validate_parameters(self)
        others = (self.gamma, self.coef0, self.degree)
        if (callable(self.kernel) or self.kernel == "precomputed") and others != (None, None, None):
            raise ValueError(
                "Don't pass gamma, coef0 or degree to Nystroem if using a callable or precomputed kernel"
            )
        X = check_data(self, X, reset=True)
        rows = X.shape[0]
        if self.n_components > rows:
            warn_user(
                "n_components > n_samples. This is not possible.\nn_components was set to n_samples, which "
                "results in inefficient evaluation of the full kernel.",
                UserWarning,
            )
        order = check_random_state(self.random_state).permutation(rows)
        drawn = order[: min(self.n_components, rows)]
        basis = X[drawn]
        if not sp.issparse(X):
            basis = np.ascontiguousarray(basis)
        precise = basis.astype(np.float64)
        if isinstance(self.kernel, str) and self.kernel == "precomputed":
            gram = precise[:, drawn]
        else:
            gram = self._values(precise, precise)
        U, S, V = scipy.linalg.svd(gram, full_matrices=False, check_finite=False)
        normalization = (U / np.sqrt(np.maximum(S, _SMALLEST))) @ V
        if not np.isfinite(normalization).all():
            raise ValueError("The kernel values of the components are not finite; scale X.")
        self.normalization_ = normalization.astype(X.dtype, copy=False)
        self.components_ = basis
        self.component_indices_ = drawn
        return self

    def _values(self, X: Any, Y: Any) -> npt.NDArray[Any]:
        if callable(self.kernel):
            if isinstance(self.kernel, Kernel) and not self.kernel_params:
                return np.asarray(self.kernel(X, Y), dtype=X.dtype)
            return kernel_values(X, Y, self.kernel, self.kernel_params or {}, self.n_jobs)
        known = KERNEL_PARAMS[self.kernel]
        wanted = {name: getattr(self, name) for name in ("gamma", "coef0", "degree")}
        params = {k: v for k, v in wanted.items() if v is not None and k in known}
        return kernel_values(X, Y, self.kernel, params, self.n_jobs)

    def transform(self, X: Any) -> npt.NDArray[Any]:
        """Map rows to features.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data; for ``kernel="precomputed"`` their kernel values with all training rows.

        Returns
        -------
        features : ndarray of shape (n_samples, n_components)
            In the float type of ``X``.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If ``X`` does not fit.
        """
        check_is_fitted(self)
        X = check_data(self, X, reset=False)
        if isinstance(self.kernel, str) and self.kernel == "precomputed":
            values = np.ascontiguousarray(X[:, self.component_indices_])
        else:
            components = self.components_.astype(X.dtype, copy=False)
            if sp.issparse(X) != sp.issparse(components):
                components = sp.csr_array(components) if sp.issparse(X) else components.toarray()
            values = np.ascontiguousarray(self._values(X, components), dtype=X.dtype)
        return finite(map_rows(values, self.normalization_.T, self.n_jobs), self.n_jobs)

    @property
    def _n_features_out(self) -> int:
        return int(self.normalization_.shape[0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        precomputed = isinstance(self.kernel, str) and self.kernel == "precomputed"
        tags.input_tags.sparse = not precomputed
        tags.input_tags.pairwise = precomputed
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
