"""Kernel functions as objects that add, multiply and scale: the closure rules of Mercer kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse as sp

__all__ = [
    "ConstantKernel",
    "Kernel",
    "LinearKernel",
    "PolynomialKernel",
    "RBFKernel",
    "SigmoidKernel",
    "is_psd_kernel",
]


class Kernel:
    r"""A kernel function, to be called and to be combined with others.

    ``K + L``, ``c * K``, ``K + c`` with :math:`c \ge 0`, ``K * L``, ``K ** n``, ``K.exp()`` and
    ``K.scaled_by(f)``, which is :math:`f(x) K(x, z) f(z)`, are positive semidefinite whenever their parts are
    (requirement 8.12). Give the result as ``kernel=`` to any estimator of this package.

    A call with two tables of rows gives their Gram matrix, with two single rows one number. Instances are
    equal when their parts and numbers are, and can be pickled when the functions of ``scaled_by`` can.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.svm import SVC, LinearKernel, RBFKernel, is_psd_kernel
    >>> kernel = 0.5 * LinearKernel() + RBFKernel(gamma=2.0) ** 2
    >>> X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    >>> is_psd_kernel(kernel(X))
    True
    >>> float(SVC(kernel=kernel, C=10).fit(X, [0, 1, 1, 0]).score(X, [0, 1, 1, 0]))
    1.0
    """

    def __call__(self, X: Any, Y: Any = None) -> Any:
        """Kernel values between rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_features,)
            Rows, or one row.
        Y : {array-like, sparse matrix} of shape (m_samples, n_features) or (n_features,), default=None
            Other rows; None means ``X``.

        Returns
        -------
        values : ndarray of shape (n_samples, m_samples), or float for two single rows
        """
        X = _rows(X)
        Y = X if Y is None else _rows(Y)
        if X.ndim == 1 and Y.ndim == 1:
            return float(self._gram(X[None], Y[None])[0, 0])
        return self._gram(X, Y)

    def _gram(self, X: Any, Y: Any) -> npt.NDArray[np.float64]:
        raise NotImplementedError

    def __add__(self, other: Any) -> Kernel:
        return _Sum(self, _as_kernel(other)) if _combines(other) else NotImplemented

    def __radd__(self, other: Any) -> Kernel:
        return _Sum(_as_kernel(other), self) if _combines(other) else NotImplemented

    def __mul__(self, other: Any) -> Kernel:
        return _Product(self, _as_kernel(other)) if _combines(other) else NotImplemented

    def __rmul__(self, other: Any) -> Kernel:
        return _Product(_as_kernel(other), self) if _combines(other) else NotImplemented

    def __pow__(self, exponent: int) -> Kernel:
        if isinstance(exponent, bool) or exponent != int(exponent) or exponent < 0:
            raise ValueError(f"only powers 0, 1, 2, ... of a kernel are kernels, got {exponent!r}")
        return _Power(self, int(exponent))

    def exp(self) -> Kernel:
        """The kernel ``exp(K(x, z))``: a power series with positive coefficients."""
        return _Exponential(self)

    def scaled_by(self, function: Callable[[Any], Any]) -> Kernel:
        """The kernel ``f(x) K(x, z) f(z)``.

        Parameters
        ----------
        function : callable
            Takes a table of rows, returns one number for each.

        Returns
        -------
        kernel : Kernel
        """
        return _Scaled(self, function)


def _rows(X: Any) -> Any:
    if sp.issparse(X):
        return X
    return np.asarray(X, dtype=np.float64)


def _combines(other: Any) -> bool:
    return isinstance(other, (Kernel, Real))


def _as_kernel(other: Any) -> Kernel:
    return other if isinstance(other, Kernel) else ConstantKernel(float(other))


def _products(X: Any, Y: Any) -> npt.NDArray[np.float64]:
    values = X @ Y.T
    return np.asarray(values.toarray() if sp.issparse(values) else values, dtype=np.float64)


def _squares(X: Any) -> npt.NDArray[np.float64]:
    if sp.issparse(X):
        return np.asarray(X.multiply(X).sum(axis=1), dtype=np.float64).ravel()
    squares: npt.NDArray[np.float64] = np.einsum("ij,ij->i", X, X)
    return squares


@dataclass(frozen=True)
class ConstantKernel(Kernel):
    r"""The same number for all pairs of rows, :math:`c \ge 0`.

    Parameters
    ----------
    value : float, default=1.0
        c.

    Examples
    --------
    >>> from mlcore.svm import ConstantKernel
    >>> ConstantKernel(2.0)([[0.0], [1.0]]).tolist()
    [[2.0, 2.0], [2.0, 2.0]]
    """

    value: float = 1.0

    def __post_init__(self) -> None:
        if not (self.value >= 0 and np.isfinite(self.value)):
            raise ValueError(f"a kernel may be scaled by finite numbers >= 0 only, got {self.value!r}")

    def _gram(self, X: Any, Y: Any) -> npt.NDArray[np.float64]:
        return np.full((X.shape[0], Y.shape[0]), float(self.value))


@dataclass(frozen=True)
class LinearKernel(Kernel):
    r"""Inner products :math:`x \cdot z`.

    Examples
    --------
    >>> from mlcore.svm import LinearKernel
    >>> LinearKernel()([1.0, 2.0], [3.0, 4.0])
    11.0
    """

    def _gram(self, X: Any, Y: Any) -> npt.NDArray[np.float64]:
        return _products(X, Y)


@dataclass(frozen=True)
class PolynomialKernel(Kernel):
    r""":math:`(\gamma\, x \cdot z + r)^d`; positive semidefinite for :math:`\gamma, r \ge 0`.

    Parameters
    ----------
    degree : int, default=3
        d.
    gamma : float, default=1.0
        Factor of the inner product.
    coef0 : float, default=0.0
        r.

    Examples
    --------
    >>> from mlcore.svm import PolynomialKernel
    >>> PolynomialKernel(2, coef0=1.0)([1.0, 2.0], [3.0, 4.0])
    144.0
    """

    degree: int = 3
    gamma: float = 1.0
    coef0: float = 0.0

    def _gram(self, X: Any, Y: Any) -> npt.NDArray[np.float64]:
        values = self.gamma * _products(X, Y) + self.coef0
        return np.asarray(values**self.degree, dtype=np.float64)


@dataclass(frozen=True)
class RBFKernel(Kernel):
    r""":math:`\exp(-\gamma \lVert x - z \rVert^2)`.

    Parameters
    ----------
    gamma : float, default=1.0
        One over twice the squared width.

    Examples
    --------
    >>> from mlcore.svm import RBFKernel
    >>> RBFKernel(0.5)([[0.0], [2.0]]).round(3).tolist()
    [[1.0, 0.135], [0.135, 1.0]]
    """

    gamma: float = 1.0

    def _gram(self, X: Any, Y: Any) -> npt.NDArray[np.float64]:
        if not sp.issparse(X) and not sp.issparse(Y):  # large common offsets would eat the digits
            middle = X[:1]
            X, Y = X - middle, (X - middle if Y is X else Y - middle)
        distances = _squares(X)[:, None] + _squares(Y) - 2.0 * _products(X, Y)
        return np.exp(-self.gamma * np.maximum(distances, 0.0))


@dataclass(frozen=True)
class SigmoidKernel(Kernel):
    r""":math:`\tanh(\gamma\, x \cdot z + r)`, which is not positive semidefinite in general.

    Parameters
    ----------
    gamma : float, default=1.0
        Factor of the inner product.
    coef0 : float, default=0.0
        r.

    Examples
    --------
    >>> from mlcore.svm import SigmoidKernel
    >>> round(SigmoidKernel(0.1)([1.0, 2.0], [3.0, 4.0]), 3)
    0.8
    """

    gamma: float = 1.0
    coef0: float = 0.0

    def _gram(self, X: Any, Y: Any) -> npt.NDArray[np.float64]:
        return np.tanh(self.gamma * _products(X, Y) + self.coef0)


@dataclass(frozen=True)
class _Sum(Kernel):
    left: Kernel
    right: Kernel

    def _gram(self, X: Any, Y: Any) -> npt.NDArray[np.float64]:
        return self.left._gram(X, Y) + self.right._gram(X, Y)


@dataclass(frozen=True)
class _Product(Kernel):
    left: Kernel
    right: Kernel

    def _gram(self, X: Any, Y: Any) -> npt.NDArray[np.float64]:
        return self.left._gram(X, Y) * self.right._gram(X, Y)


@dataclass(frozen=True)
class _Power(Kernel):
    base: Kernel
    exponent: int

    def _gram(self, X: Any, Y: Any) -> npt.NDArray[np.float64]:
        return np.asarray(self.base._gram(X, Y) ** self.exponent, dtype=np.float64)


@dataclass(frozen=True)
class _Exponential(Kernel):
    base: Kernel

    def _gram(self, X: Any, Y: Any) -> npt.NDArray[np.float64]:
        return np.exp(self.base._gram(X, Y))


@dataclass(frozen=True)
class _Scaled(Kernel):
    base: Kernel
    function: Callable[[Any], Any]

    def _gram(self, X: Any, Y: Any) -> npt.NDArray[np.float64]:
        left = self._factors(X)
        right = left if Y is X else self._factors(Y)
        return left[:, None] * self.base._gram(X, Y) * right

    def _factors(self, X: Any) -> npt.NDArray[np.float64]:
        factors: npt.NDArray[np.float64] = np.asarray(self.function(X), dtype=np.float64).ravel()
        if factors.shape != (X.shape[0],):
            raise ValueError(f"the function returned {factors.size} numbers for {X.shape[0]} rows")
        return factors


def is_psd_kernel(K: Any, *, tol: float = 1e-10) -> bool:
    r"""Is a Gram matrix positive semidefinite, up to rounding?

    Mercer's condition on one sample (requirement 8.12): a function whose Gram matrix fails is no kernel.
    Passing is no proof for other rows.

    Parameters
    ----------
    K : array-like of shape (n_samples, n_samples)
        The Gram matrix.
    tol : float, default=1e-10
        The smallest eigenvalue may be as low as ``-tol`` times the largest in magnitude, and entries that
        should be equal may differ by ``tol`` times the largest.

    Returns
    -------
    psd : bool
        False also for a matrix that is not symmetric.

    Raises
    ------
    ValueError
        If ``K`` is not square or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.svm import RBFKernel, is_psd_kernel
    >>> is_psd_kernel(RBFKernel()(np.random.default_rng(0).normal(size=(20, 2))))
    True
    >>> is_psd_kernel([[0.0, 1.0], [1.0, 0.0]])
    False
    """
    gram = np.asarray(K.toarray() if sp.issparse(K) else K, dtype=np.float64)
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or gram.size == 0:
        raise ValueError(f"a Gram matrix is square, got shape {gram.shape}")
    if not np.isfinite(gram).all():
        raise ValueError("the Gram matrix has entries that are not finite")
    largest = np.abs(gram).max()
    if largest == 0:
        return True
    gram = gram / largest
    if np.abs(gram - gram.T).max() > tol:
        return False
    eigenvalues = scipy.linalg.eigvalsh((gram + gram.T) / 2)
    return bool(eigenvalues[0] >= -tol * max(1.0, np.abs(eigenvalues).max()))
