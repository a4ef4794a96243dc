"""Random Fourier features."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._validation import atomic_fit, check_data, validate_parameters
from ._products import finite, map_rows

__all__ = ["RBFSampler"]


class RBFSampler(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Random Fourier features of the RBF kernel.

    .. math:: \phi(x) = \sqrt{2 / m} \, \bigl(\cos(w_1 \cdot x + b_1), \dots, \cos(w_m \cdot x + b_m)\bigr),
        \qquad w \sim N(0, 2 \gamma I), \; b \sim U(0, 2 \pi)

    has :math:`E\, \phi(x) \cdot \phi(z) = \exp(-\gamma \lVert x - z \rVert^2)`, with a standard deviation of
    about :math:`\sqrt{1 / m}`. The fit draws; it does not look at the rows.

    Parameters
    ----------
    gamma : "scale" or float, default=1.0
        Of the kernel; "scale" is ``1 / (n_features * X.var())``.
    n_components : int, default=100
        m.
    random_state : int, RandomState instance or None, default=None
        Draws the weights: those that scikit-learn draws with the same seed.
    n_jobs : int or None, default=None
        Number of threads of the matrix product; None means all allowed. The result does not depend on it.

    Attributes
    ----------
    random_weights_ : ndarray of shape (n_features, n_components)
        w.
    random_offset_ : ndarray of shape (n_components,)
        b, in [0, 2 pi).
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when ``X`` had names that are all strings.

    See Also
    --------
    Nystroem : Takes rows of the data; more accurate for the same number of features.
    sklearn.kernel_approximation.RBFSampler : Has the same parameters and, up to rounding, the same results.

    References
    ----------
    A. Rahimi, B. Recht (2007). Random features for large-scale kernel machines. NIPS 20.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.kernel_approximation import RBFSampler
    >>> from mlcore.svm import RBFKernel
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> features = RBFSampler(gamma=0.5, n_components=4000, random_state=0).fit_transform(X)
    >>> bool(np.abs(features @ features.T - RBFKernel(0.5)(X)).max() < 0.1)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "gamma": [StrOptions({"scale"}), Interval(Real, 0.0, None, closed="left")],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    random_weights_: npt.NDArray[Any]
    random_offset_: npt.NDArray[Any]

    def __init__(
        self,
        *,
        gamma: Any = 1.0,
        n_components: int = 100,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.gamma = gamma
        self.n_components = n_components
        self.random_state = random_state
        self.n_jobs = n_jobs

    @atomic_fit
    def fit(self, X: Any, y: Any = None) -> Any:
        """Draw weights and offsets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data: the number of columns counts, and the variance for ``gamma="scale"``.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : RBFSampler
            The fitted map.

        Raises
        ------
        ValueError
            If a parameter or the data are not as described.
        """
        validate_parameters(self)
        X = check_data(self, X, reset=True)
        random = check_random_state(self.random_state)
        gamma = self.gamma
        if gamma == "scale":
            # in one order, whatever the layout, and for sparse data the very bits of dense data
            dense = X.toarray() if hasattr(X, "toarray") else np.ascontiguousarray(X)
            variance = float(dense.var(dtype=np.float64))
            gamma = 1.0 / (X.shape[1] * variance) if variance != 0 else 1.0
        self._gamma = float(gamma)
        weights = np.sqrt(2.0 * gamma) * random.normal(size=(X.shape[1], self.n_components))
        offset = random.uniform(0, 2 * np.pi, size=self.n_components)
        self.random_weights_ = weights.astype(X.dtype, copy=False)
        self.random_offset_ = offset.astype(X.dtype, copy=False)
        return self

    def transform(self, X: Any) -> npt.NDArray[Any]:
        """Map rows to features.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

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
        features = finite(map_rows(X, self.random_weights_, self.n_jobs), self.n_jobs)
        features += self.random_offset_.astype(X.dtype, copy=False)
        np.cos(features, out=features)
        features *= np.sqrt(2.0 / self.n_components).astype(X.dtype)
        return features

    @property
    def _n_features_out(self) -> int:
        return int(self.random_offset_.size)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
