"""What all kernel machines share: the kernel, checks of data, attributes made of dual coefficients."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _num_samples, check_is_fitted, validate_data

from .._validation import check_data, native_matrix, native_threads, tidy, warn_user

__all__ = ["KernelMachine"]

_KERNELS = {"linear": 0, "poly": 1, "rbf": 2, "sigmoid": 3, "precomputed": 4}
_FLOATS = [np.float64, np.float32]
_STALLED = 2
_LATE = 3
_SMALL = 1_000_000


def _variance(X: Any) -> float:
    """Variance of all entries of X, in float64."""
    if sp.issparse(X):
        size = X.shape[0] * X.shape[1]
        if size <= _SMALL:  # the very bits of dense data
            return float(X.toarray().var(dtype=np.float64))
        mean = X.data.sum(dtype=np.float64) / size
        return float(np.square(X.data, dtype=np.float64).sum() / size - mean**2)
    return float(np.ascontiguousarray(X).var(dtype=np.float64))  # in one order, whatever the layout


class KernelMachine(BaseEstimator):
    """Base of SVC, NuSVC, SVR, NuSVR and OneClassSVM."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "kernel": [StrOptions(set(_KERNELS)), callable],
        "degree": [Interval(Integral, 0, None, closed="left")],
        "gamma": [StrOptions({"scale", "auto"}), Interval(Real, 0.0, None, closed="left")],
        "coef0": [Interval(Real, None, None, closed="neither")],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "shrinking": ["boolean"],
        "cache_size": [Interval(Real, 0, None, closed="neither")],
        "verbose": ["verbose"],
        "max_iter": [Interval(Integral, -1, None, closed="left")],
        "n_jobs": [Integral, None],
        "warm_start": ["boolean"],
        "max_time": [Interval(Real, 0.0, None, closed="neither"), None],
    }

    # parameters that every subclass has
    kernel: Any
    degree: int
    gamma: Any
    coef0: float
    tol: float
    shrinking: bool
    cache_size: float
    verbose: Any
    max_iter: int
    n_jobs: int | None
    warm_start: bool
    max_time: float | None
    # what fit sets
    support_: npt.NDArray[np.int32]
    support_vectors_: Any
    dual_coef_: Any
    intercept_: npt.NDArray[np.float64]
    fit_status_: int
    shape_fit_: tuple[int, ...]
    _n_support: npt.NDArray[np.int32]
    _sparse: bool
    _gamma: float
    _support_bounds: npt.NDArray[np.float64]
    _n_at_bound: npt.NDArray[np.int32]
    _nothing_left: ClassVar[str] = "Invalid input"

    def _check_training(self, X: Any, y: Any) -> tuple[Any, Any]:
        """X and y as the core takes them; a callable kernel makes X its Gram matrix."""
        sparse = sp.issparse(X)
        if sparse and isinstance(self.kernel, str) and self.kernel == "precomputed":
            raise TypeError("Sparse precomputed kernels are not supported.")
        self._sparse = sparse and not callable(self.kernel)
        if callable(self.kernel):
            if y is not None and _num_samples(X) != _num_samples(y):
                raise ValueError(
                    "Found input variables with inconsistent numbers of samples: "
                    f"{[_num_samples(X), _num_samples(y)]}"
                )
            self._X_fit = X
            self.shape_fit_ = X.shape if hasattr(X, "shape") else (_num_samples(X),)
            gram = self._gram(X)
            if gram.shape[0] != gram.shape[1]:
                raise ValueError("X.shape[0] should be equal to X.shape[1]")
            self._gamma = 0.0
            return gram, y
        if y is None:
            X = check_data(self, X, reset=True)
        else:
            X, y = validate_data(self, X, y, dtype=_FLOATS, accept_sparse="csr", accept_large_sparse=True)
            X = tidy(X)
        if self.kernel == "precomputed" and X.shape[0] != X.shape[1]:
            raise ValueError(
                f"Precomputed matrix must be a square matrix. Input is a {X.shape[0]}x{X.shape[1]} matrix."
            )
        self.shape_fit_ = X.shape
        self._gamma = self._resolve_gamma(X)
        return X, y

    def _resolve_gamma(self, X: Any) -> float:
        if self.kernel == "precomputed":
            return 0.0
        if self.gamma == "scale":
            variance = _variance(X)
            with np.errstate(over="ignore"):
                gamma = float(np.float64(1.0) / (X.shape[1] * variance)) if variance != 0 else 1.0
            if not np.isfinite(gamma):
                raise ValueError("gamma='scale' overflows: the values of X are too small; scale it.")
            return gamma
        if self.gamma == "auto":
            return float(1.0 / X.shape[1])
        return float(self.gamma)

    def _gram(self, X: Any) -> npt.NDArray[np.float64]:
        """Values of a callable kernel between X and the training data."""
        gram = self.kernel(X, self._X_fit)
        if sp.issparse(gram):
            gram = gram.toarray()
        return np.asarray(gram, dtype=np.float64, order="C")

    def _kernel_tuple(self) -> tuple[int, float, float, int]:
        kind = _KERNELS["precomputed" if callable(self.kernel) else self.kernel]
        return kind, float(self._gamma), float(self.coef0), int(min(self.degree, 2**31 - 1))

    def _check_sample_weight(self, sample_weight: Any, X: Any, rows: int) -> npt.NDArray[np.float64]:
        """Weights of the rows; those of zero or less mean that a row is left out."""
        if sample_weight is None:
            return np.ones(rows)
        weights: npt.NDArray[np.float64] = np.asarray(sample_weight, dtype=np.float64)
        if weights.ndim > 1:
            raise ValueError("Sample weights must be 1D array or scalar")
        if weights.shape != (rows,):
            raise ValueError(
                f"sample_weight.shape == {weights.shape!r}, expected {(rows,)!r}: "
                f"sample_weight and X have incompatible shapes: {weights.shape!r} vs {X.shape!r}\n"
                "Note: Sparse matrices cannot be indexed w/boolean masks (use `indices=True` in CV)."
            )
        if np.isnan(weights).any():
            raise ValueError("Input sample_weight contains NaN.")
        if np.isinf(weights).any():
            raise ValueError("Input sample_weight contains infinity.")
        if not (weights > 0).any():
            raise ValueError(f"{self._nothing_left} - all samples have zero or negative weights.")
        return weights

    def _last_solution(self) -> tuple[Any, Any, int] | None:
        """Support vectors, coefficients and rows of the last fit, when ``warm_start`` asks for them."""
        support = vars(self).get("support_")
        if not self.warm_start or support is None:
            return None
        coef = self._libsvm_coef()
        coef = np.ascontiguousarray(coef.toarray() if sp.issparse(coef) else coef, dtype=np.float64)
        return support.astype(np.int64), coef, self.shape_fit_[0]

    @staticmethod
    def _start(last: tuple[Any, Any, int] | None, rows: int, height: int) -> tuple[Any, Any] | None:
        """The last solution as the core takes it, if it can belong to the problem at hand."""
        if last is None or last[2] != rows or len(last[1]) != height:
            return None
        return last[:2]

    def _limits(self) -> tuple[int, float]:
        """max_iter, and max_time in seconds with 0 for no limit, as the core takes them."""
        return int(self.max_iter), 0.0 if self.max_time is None else float(self.max_time)

    def _keep_support(self, X: Any, support: npt.NDArray[np.int64], coef: npt.NDArray[np.float64]) -> None:
        """Set support_, support_vectors_ and dual_coef_ (as LIBSVM signs it)."""
        self.support_ = support.astype(np.int32)
        if callable(self.kernel) or self.kernel == "precomputed":
            self.support_vectors_ = np.empty((0, 0))
        elif self._sparse:
            self.support_vectors_ = X[support].astype(np.float64)
        else:
            self.support_vectors_ = np.ascontiguousarray(X[support], dtype=np.float64)
        if self._sparse:
            rows, columns = coef.shape
            indices = np.tile(np.arange(columns, dtype=np.int32), rows)
            indptr = np.arange(rows + 1, dtype=np.int32) * columns
            kind = sp.csr_array if isinstance(X, sp.sparray) else sp.csr_matrix
            self.dual_coef_ = kind((coef.ravel(), indices, indptr), shape=(rows, columns))
        else:
            self.dual_coef_ = coef

    def _report(self, problem: str, **numbers: Any) -> None:
        """A line of ``verbose`` for each problem that was solved."""
        if self.verbose:
            found = ", ".join(
                f"{name} = {value:.6g}" if isinstance(value, float) else f"{name} = {value}"
                for name, value in numbers.items()
            )
            print(f"[{type(self).__name__}] {problem}: {found}")

    def _check_solution(self, status: int, gap: float) -> None:
        """Complain of a solution that is no number, or not there yet."""
        coef = self.dual_coef_.data if self._sparse else self.dual_coef_
        if not (np.isfinite(self.intercept_).all() and np.isfinite(coef).all()):
            raise ValueError(
                "The dual coefficients or intercepts are not finite."
                " The input data may contain large values and need to be"
                " preprocessed."
            )
        self.fit_status_ = int(status > 0)
        if status == _STALLED:
            warn_user(
                f"Floating point ends the search at a violation of {gap:.3g} (tol={self.tol:g})."
                "  Consider pre-processing your data with StandardScaler or MinMaxScaler.",
                ConvergenceWarning,
            )
        elif status == _LATE:
            warn_user(
                f"Solver terminated early (max_time={self.max_time:g}) at a violation of {gap:.3g} "
                f"(tol={self.tol:g})."
                "  Consider pre-processing your data with StandardScaler or MinMaxScaler.",
                ConvergenceWarning,
            )
        elif status:
            warn_user(
                f"Solver terminated early (max_iter={self.max_iter})."
                "  Consider pre-processing your data with StandardScaler or MinMaxScaler.",
                ConvergenceWarning,
            )

    def _check_query(self, X: Any) -> Any:
        """X of a later call as the core takes it."""
        check_is_fitted(self)
        if callable(self.kernel):
            X = self._gram(X)
            if X.ndim == 1:
                X = check_array(X)
            if X.shape[1] != self.shape_fit_[0]:
                raise ValueError(
                    f"X.shape[1] = {X.shape[1]} should be equal to {self.shape_fit_[0]}, "
                    "the number of samples at training time"
                )
            return X
        X = check_data(self, X, reset=False)
        if self._sparse and not sp.issparse(X):
            X = sp.csr_array(X)
        if sp.issparse(X) and not self._sparse:
            raise ValueError(f"cannot use sparse input in {type(self).__name__!r} trained on dense data")
        if self.kernel == "precomputed" and X.shape[1] != self.shape_fit_[0]:
            raise ValueError(
                f"X.shape[1] = {X.shape[1]} should be equal to {self.shape_fit_[0]}, "
                "the number of samples at training time"
            )
        vectors = self.support_vectors_
        if not self._sparse and vectors.size > 0 and self.n_support_.sum() != vectors.shape[0]:
            raise ValueError(f"The internal representation of {type(self).__name__} was altered")
        return X

    def _native_query(self, X: Any) -> tuple[Any, ...]:
        """Arguments of the core's decision: data, support vectors, coefficients, ..."""
        X = self._check_query(X)
        coef = self._libsvm_coef()
        vectors = self.support_vectors_
        if self._sparse:
            coef = np.asarray(coef.toarray())
            index = X.indices.dtype
            vectors = (
                vectors.data.astype(np.float64, copy=False),
                vectors.indices.astype(index, copy=False),
                vectors.indptr.astype(index, copy=False),
                X.shape[1],
            )
        per_class = np.ascontiguousarray(self.n_support_, dtype=np.int32)
        rho = -np.asarray(self._libsvm_intercept(), dtype=np.float64)
        support = self.support_.astype(np.int64)
        threads = native_threads(self.n_jobs)
        coef = np.ascontiguousarray(coef, dtype=np.float64)
        return native_matrix(X), vectors, coef, per_class, rho, support, self._kernel_tuple(), threads

    def _libsvm_coef(self) -> Any:
        return self.dual_coef_

    def _libsvm_intercept(self) -> npt.NDArray[np.float64]:
        return self.intercept_

    @property
    def coef_(self) -> Any:
        """Weights of the features, for ``kernel="linear"`` only; read-only.

        Returns
        -------
        ndarray or sparse matrix of shape (n_problems, n_features)
        """
        if not (isinstance(self.kernel, str) and self.kernel == "linear"):
            raise AttributeError("coef_ is only available when using a linear kernel")
        coef = self._linear_coef()
        (coef.data if sp.issparse(coef) else coef).flags.writeable = False
        return coef

    def _linear_coef(self) -> Any:
        return self.dual_coef_ @ self.support_vectors_

    def _signed_multipliers(self) -> npt.NDArray[np.float64]:
        """Multipliers of the support vectors, shape (n_problems, n_SV), zero where a row has no part."""
        coef = self.dual_coef_
        return np.asarray(coef.toarray() if self._sparse else coef)

    def kkt_regimes(self) -> npt.NDArray[np.int8]:
        r"""In which of the three regimes of the optimality conditions each training row lies.

        - 0, :math:`\alpha = 0`: beyond the margin, :math:`y f \ge 1`; without influence;
        - 1, :math:`0 < \alpha < C_i`: on the margin, :math:`y f = 1`; gives the offset;
        - 2, :math:`\alpha = C_i`: inside the margin or on the wrong side, :math:`y f \le 1`

        (requirement 8.04). In regression the tube takes the place of the margin, in the one-class machine the
        boundary.

        Returns
        -------
        regimes : ndarray of shape (n_samples,) or (n_pairs, n_samples), int8
            One row for each pair of classes where there are more than two; rows of other classes have 0.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        """
        check_is_fitted(self)
        multipliers = np.abs(self._signed_multipliers())
        regimes = np.zeros((len(multipliers), self.shape_fit_[0]), dtype=np.int8)
        for problem, alpha in enumerate(multipliers):
            regimes[problem, self.support_[alpha > 0]] = 1
            # With nu multipliers were divided by the margin, so "at the bound" is told by their number.
            share = alpha / self._support_bounds
            largest = np.argsort(-share, kind="stable")[: self._n_at_bound[problem]]
            regimes[problem, self.support_[largest]] = 2
        return regimes[0] if len(regimes) == 1 else regimes

    @property
    def n_support_(self) -> npt.NDArray[np.int32]:
        """Number of support vectors, of each class in classification."""
        try:
            check_is_fitted(self)
        except NotFittedError as error:
            raise AttributeError(*error.args) from error
        return self._n_support

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        precomputed = isinstance(self.kernel, str) and self.kernel == "precomputed"
        tags.input_tags.pairwise = precomputed
        tags.input_tags.sparse = not precomputed
        return tags
