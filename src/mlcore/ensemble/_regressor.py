"""HistGradientBoostingRegressor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import Interval, StrOptions

from .._callbacks import Callback
from .._shared_docs import shared_docs
from ._base import BaseHistGradientBoosting
from ._docs import BLOCKS
from ._losses import Loss, MultiQuantileLoss, NativeLoss, resolve_custom

__all__ = ["HistGradientBoostingRegressor"]

LOSSES = (
    "squared_error",
    "absolute_error",
    "gamma",
    "poisson",
    "quantile",
    "huber",
    "tweedie",
    "expectile",
    "multi_quantile",
)


@shared_docs(BLOCKS)
class HistGradientBoostingRegressor(RegressorMixin, BaseHistGradientBoosting):
    r"""Gradient boosted regression trees on histograms.

    <<objective>>

    Parameters
    ----------
    loss : str, callable or object, default='squared_error'
        With the prediction f, and r = y - f:

        - 'squared_error': :math:`\frac12 r^2`.
        - 'absolute_error': :math:`|r|`; leaves are medians.
        - 'quantile': the pinball loss at level ``quantile``; leaves are quantiles.
        - 'multi_quantile': the pinball losses at all levels in ``quantile``, one output each; the predictions
          of a row never cross.
        - 'expectile': :math:`|\tau - 1_{r<0}| r^2` with :math:`\tau` = ``quantile``.
        - 'huber': squared up to ``delta``, linear beyond.
        - 'poisson', 'gamma', 'tweedie': half deviances with a log link; ``y >= 0``, for gamma ``y > 0``.
        - a function ``f(y_true, raw_prediction) -> (gradient, hessian)``, an object with a method
          ``gradient_hessian(y_true, raw_prediction, sample_weight)`` (scikit-learn's loss objects do), or
          machine code: a numba ``cfunc`` or ctypes function ``void f(const double *y, const double *raw,
          const double *weight, float *gradient, float *hessian, int64_t n)``, where ``weight`` may be null.
    quantile : float, list of float or None, default=None
        Level of 'quantile' and 'expectile'; list of levels of 'multi_quantile'. Between 0 and 1.
    <<tree parameters>>
    delta : float, default=1.0
        Where Huber's loss turns linear, in units of y.
    tweedie_power : float, default=1.5
        Power of the variance function, between 1 (Poisson) and 2 (gamma).
    <<own parameters>>

    Attributes
    ----------
    <<shared attributes>>

    See Also
    --------
    HistGradientBoostingClassifier : For classes.
    HistGradientBoostingRanker : For orders within groups.

    References
    ----------
    <<references>>

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.ensemble import HistGradientBoostingRegressor
    >>> X = np.linspace(-3, 3, 200).reshape(-1, 1)
    >>> y = np.sin(1.5 * X[:, 0])
    >>> model = HistGradientBoostingRegressor(max_iter=200).fit(X, y)
    >>> model.score(X, y) > 0.98
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseHistGradientBoosting._parameter_constraints,
        "loss": [StrOptions(set(LOSSES)), *BaseHistGradientBoosting._parameter_constraints["loss"]],
        "quantile": [Interval(Real, 0, 1, closed="both"), "array-like", None],
        "delta": [Interval(Real, 0, None, closed="neither")],
        "tweedie_power": [Interval(Real, 1, 2, closed="neither")],
    }

    quantile: Any
    delta: float
    tweedie_power: float

    def __init__(
        self,
        loss: Any = "squared_error",
        *,
        quantile: Any = None,
        learning_rate: float = 0.1,
        max_iter: int = 100,
        max_leaf_nodes: int | None = 31,
        max_depth: int | None = None,
        min_samples_leaf: int = 20,
        l2_regularization: float = 0.0,
        max_features: float = 1.0,
        max_bins: int = 255,
        categorical_features: Any = "from_dtype",
        monotonic_cst: Any = None,
        interaction_cst: Any = None,
        warm_start: bool = False,
        early_stopping: bool | str = "auto",
        scoring: Any = "loss",
        validation_fraction: float | int | None = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-7,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
        delta: float = 1.0,
        tweedie_power: float = 1.5,
        n_jobs: int | None = None,
        tree_method: str = "hist",
        linear_leaves: bool = False,
        linear_l2: float = 0.1,
        growth: str = "leaf",
        min_split_gain: float = 0.0,
        l1_regularization: float = 0.0,
        min_child_weight: float = 1e-3,
        sampling: str = "none",
        subsample: float = 0.8,
        top_rate: float = 0.2,
        other_rate: float = 0.1,
        colsample_bytree: float = 1.0,
        colsample_bylevel: float = 1.0,
        zero_as_missing: bool = False,
        group_categories: bool = False,
        bundle_features: bool = True,
        callbacks: Sequence[Callback] | None = None,
    ) -> None:
        self._keep(locals())

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> HistGradientBoostingRegressor:
        """Fit the trees.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            float32 and float64 arrays of any memory order are binned without a copy. NaN is missing; infinite
            values are allowed. Tables may hold categorical columns.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative; a row of weight 0 is as if it were not there.
        X_val, y_val, sample_weight_val : array-like, default=None
            Rows to watch for early stopping in place of a share of the training data.

        Returns
        -------
        self : HistGradientBoostingRegressor

        Raises
        ------
        ValueError
            If a parameter or the data are not as described; the estimator then is as it was before.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Predictions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows, with the columns of ``fit``.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_quantiles), float64
            The second shape for ``loss='multi_quantile'``, never falling from a lower to a higher level.
        """
        raw = self._raw_predict(X)
        return self._answer(raw)

    def staged_predict(self, X: Any) -> Iterator[npt.NDArray[np.float64]]:
        """Predictions after each iteration.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows.

        Yields
        ------
        y : ndarray
            As of ``predict``.
        """
        for raw in self._staged_raw_predict(X):
            yield self._answer(raw)

    def _answer(self, raw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        values = self._loss.inverse_link(raw)
        return values[0] if self.loss != "multi_quantile" else np.ascontiguousarray(values.T)

    def _levels(self) -> list[float]:
        levels = np.asarray(self.quantile, dtype=np.float64)
        if levels.ndim != 1 or levels.size == 0 or not ((levels > 0) & (levels < 1)).all():
            raise ValueError(
                "loss='multi_quantile' needs a list of levels between 0 and 1 in `quantile`, got "
                f"{self.quantile!r}."
            )
        return [float(level) for level in levels]

    def _make_loss(self) -> Loss:
        if not isinstance(self.loss, str):
            return resolve_custom(self.loss, 1)
        if self.loss == "multi_quantile":
            return MultiQuantileLoss(self._levels())
        if self.loss in ("quantile", "expectile"):
            if not isinstance(self.quantile, Real):
                raise ValueError(
                    f"loss='{self.loss}' needs a number between 0 and 1 in `quantile`, got {self.quantile!r}."
                )
            if self.loss == "expectile" and not 0 < float(self.quantile) < 1:
                raise ValueError(f"An expectile has a level between 0 and 1, got {self.quantile!r}.")
            return NativeLoss(self.loss, float(self.quantile))
        parameter = {"huber": self.delta, "tweedie": self.tweedie_power}.get(self.loss, 0.0)
        return NativeLoss(self.loss, parameter)

    def _encode_y(self, y: Any) -> npt.NDArray[np.float64]:
        self.n_trees_per_iteration_ = len(self._levels()) if self.loss == "multi_quantile" else 1
        values: npt.NDArray[np.float64] = np.ascontiguousarray(y, dtype=np.float64)
        return values
