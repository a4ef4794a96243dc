"""HistGradientBoostingClassifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import check_classification_targets

from .._callbacks import Callback
from .._shared_docs import shared_docs
from ._base import BaseHistGradientBoosting
from ._docs import BLOCKS
from ._losses import Loss, NativeLoss, resolve_custom

__all__ = ["HistGradientBoostingClassifier"]


@shared_docs(BLOCKS)
class HistGradientBoostingClassifier(ClassifierMixin, BaseHistGradientBoosting):
    r"""Gradient boosted classification trees on histograms.

    <<objective>>

    Parameters
    ----------
    loss : {'log_loss'} or object, default='log_loss'
        'log_loss': for two classes :math:`p = 1/(1 + e^{-f})`, with :math:`g = p - y, h = p (1 - p)`; for
        more classes one tree each and the softmax of their sums. Or derivatives of your own, see
        :class:`HistGradientBoostingRegressor`; probabilities are formed in the same way.
    <<tree parameters>>
    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes, multiplied with ``sample_weight``. 'balanced': inversely proportional to their
        numbers of rows.
    <<own parameters>>

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    <<shared attributes>>

    See Also
    --------
    HistGradientBoostingRegressor : For numbers.
    HistGradientBoostingRanker : For orders within groups.

    References
    ----------
    <<references>>

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mlcore.ensemble import HistGradientBoostingClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> HistGradientBoostingClassifier().fit(X, y).score(X, y)
    1.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseHistGradientBoosting._parameter_constraints,
        "loss": [StrOptions({"log_loss"}), *BaseHistGradientBoosting._parameter_constraints["loss"]],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    class_weight: Any
    classes_: npt.NDArray[Any]

    def __init__(
        self,
        loss: Any = "log_loss",
        *,
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
        class_weight: Any = None,
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
    ) -> HistGradientBoostingClassifier:
        """Fit the trees.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            float32 and float64 arrays of any memory order are binned without a copy. NaN is missing; infinite
            values are allowed. Tables may hold categorical columns.
        y : array-like of shape (n_samples,)
            Labels of any kind.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative; a row of weight 0 is as if it were not there.
        X_val, y_val, sample_weight_val : array-like, default=None
            Rows to watch for early stopping in place of a share of the training data.

        Returns
        -------
        self : HistGradientBoostingClassifier

        Raises
        ------
        ValueError
            If a parameter or the data are not as described; the estimator then is as it was before.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The most probable class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows, with the columns of ``fit``.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels; the first of equally probable ones.
        """
        return self._labels(self._raw_predict(X))

    def staged_predict(self, X: Any) -> Iterator[npt.NDArray[Any]]:
        """Classes after each iteration.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows.

        Yields
        ------
        y : ndarray of shape (n_samples,)
            As of ``predict``.
        """
        for raw in self._staged_raw_predict(X):
            yield self._labels(raw)

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            Rows sum to 1; columns as in ``classes_``.
        """
        return self._probabilities(self._raw_predict(X))

    def staged_predict_proba(self, X: Any) -> Iterator[npt.NDArray[np.float64]]:
        """Probabilities after each iteration.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows.

        Yields
        ------
        p : ndarray of shape (n_samples, n_classes)
            As of ``predict_proba``.
        """
        for raw in self._staged_raw_predict(X):
            yield self._probabilities(raw)

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Sums of the leaf values: log odds, or for more than two classes logarithms up to a constant.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            The first for two classes: positive means the second.
        """
        return self._decision(self._raw_predict(X))

    def staged_decision_function(self, X: Any) -> Iterator[npt.NDArray[np.float64]]:
        """Sums of the leaf values after each iteration.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows.

        Yields
        ------
        decision : ndarray
            As of ``decision_function``.
        """
        for raw in self._staged_raw_predict(X):
            yield self._decision(raw)

    def _labels(self, raw: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
        if self.classes_.size == 1:
            return np.repeat(self.classes_, raw.shape[1])
        codes = (raw[0] > 0).astype(np.intp) if raw.shape[0] == 1 else raw.argmax(axis=0)
        labels: npt.NDArray[Any] = self.classes_[codes]
        return labels

    def _probabilities(self, raw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if self.classes_.size == 1:
            return np.ones((raw.shape[1], 1))
        name = "log_loss" if raw.shape[0] == 1 else "multinomial"
        values = NativeLoss(name, n_outputs=raw.shape[0]).inverse_link(raw)
        if raw.shape[0] > 1:
            return values.T
        both = np.empty((raw.shape[1], 2))
        both[:, 1] = values[0]
        both[:, 0] = 1 - values[0]
        return both

    @staticmethod
    def _decision(raw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return raw[0] if raw.shape[0] == 1 else raw.T

    def _make_loss(self) -> Loss:
        n_outputs = self.n_trees_per_iteration_
        if not isinstance(self.loss, str):
            return resolve_custom(self.loss, n_outputs)
        return NativeLoss("log_loss" if n_outputs == 1 else "multinomial", n_outputs=n_outputs)

    def _encode_y(self, y: Any) -> npt.NDArray[np.float64]:
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        n_classes = self.classes_.size
        self.n_trees_per_iteration_ = 1 if n_classes <= 2 else n_classes
        numbers: npt.NDArray[np.float64] = codes.astype(np.float64)
        return numbers

    def _encode_y_val(self, y: Any) -> npt.NDArray[np.float64]:
        unknown = ~np.isin(y, self.classes_)
        if unknown.any():
            raise ValueError(
                f"y contains previously unseen labels: {np.unique(np.asarray(y)[unknown]).tolist()}"
            )
        numbers: npt.NDArray[np.float64] = np.searchsorted(self.classes_, y).astype(np.float64)
        return numbers

    def _decode_y(self, y: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
        labels: npt.NDArray[Any] = self.classes_[y.astype(np.intp)]
        return labels

    def _class_weights(self, y: Any) -> npt.NDArray[np.float64] | None:
        if self.class_weight is None:
            return None
        weights: npt.NDArray[np.float64] = compute_sample_weight(self.class_weight, y)
        return weights
