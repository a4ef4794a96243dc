"""HistGradientBoostingRanker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, column_or_1d

from .._callbacks import Callback
from .._shared_docs import shared_docs
from ._base import BaseHistGradientBoosting
from ._docs import BLOCKS
from ._lambda_loss import AveragePrecision, LambdaLoss, Measure, Ndcg, mean_measure
from ._losses import Loss, resolve_custom
from ._parts import Part

__all__ = ["HistGradientBoostingRanker"]


@shared_docs(BLOCKS)
class HistGradientBoostingRanker(BaseHistGradientBoosting):
    r"""Gradient boosted trees that put the rows of a query into order: LambdaMART.

    The gradients are those of pairs of rows with different grades, each weighted with the change of NDCG,
    or of the average precision, if the two swapped places [4]_.

    <<objective>>

    Parameters
    ----------
    loss : {'lambdarank', 'lambdarank_map'}, callable or object, default='lambdarank'
        'lambdarank' aims at NDCG, 'lambdarank_map' at the mean average precision (MAP), for which all grades
        above 0 are alike. Or derivatives of your own, see :class:`HistGradientBoostingRegressor`.
    ndcg_at : int or None, default=None
        Positions that count in NDCG; None for all. MAP takes all.
    <<tree parameters>>
    <<own parameters>>

    Attributes
    ----------
    <<shared attributes>>

    See Also
    --------
    HistGradientBoostingRegressor : For numbers.

    Notes
    -----
    Early stopping holds out whole queries; the scores are NDCG - 1 or MAP - 1 for
    ``scoring='loss'``.

    References
    ----------
    <<references>>
    .. [4] C. Burges, "From RankNet to LambdaRank to LambdaMART: an overview", MSR-TR-2010-82.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.ensemble import HistGradientBoostingRanker
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 3))
    >>> grades = np.digitize(X[:, 0], [-0.5, 0.5])
    >>> qid = np.repeat(np.arange(30), 10)
    >>> ranker = HistGradientBoostingRanker(max_iter=30).fit(X, grades, qid=qid)
    >>> ranker.score(X, grades, qid=qid) > 0.95
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseHistGradientBoosting._parameter_constraints,
        "loss": [
            StrOptions({"lambdarank", "lambdarank_map"}),
            *BaseHistGradientBoosting._parameter_constraints["loss"],
        ],
        "ndcg_at": [Interval(Integral, 1, None, closed="left"), None],
    }

    ndcg_at: int | None

    def __init__(
        self,
        loss: Any = "lambdarank",
        *,
        ndcg_at: int | None = None,
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
        qid: Any = None,
        group: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        qid_val: Any = None,
    ) -> HistGradientBoostingRanker:
        """Fit the trees.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in :meth:`HistGradientBoostingRegressor.fit`.
        y : array-like of shape (n_samples,)
            Grades from 0 to 31, larger is more relevant; their gain is ``2**y - 1``.
        sample_weight : array-like of shape (n_samples,), default=None
            Factors on the gradients of the rows; a row of weight 0 is as if it were not there.
        qid : array-like of shape (n_samples,), default=None
            The query of each row: whole numbers in any order. Without ``qid`` and ``group`` all rows are one
            query.
        group : array-like of int, default=None
            Instead of ``qid``: numbers of rows of the queries, which follow each other.
        X_val, y_val, sample_weight_val, qid_val : array-like, default=None
            Rows to watch for early stopping.

        Returns
        -------
        self : HistGradientBoostingRanker

        Raises
        ------
        ValueError
            If a parameter or the data are not as described; the estimator then is as it was before.
        """
        queries = _queries(qid, group, y)
        of_validation = None if y_val is None else _queries(qid_val, None, y_val)
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val, queries, of_validation)

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Scores: within a query, rows with larger ones come first.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows, with the columns of ``fit``.

        Returns
        -------
        scores : ndarray of shape (n_samples,), float64
        """
        raw = self._raw_predict(X)
        scores: npt.NDArray[np.float64] = self._loss.inverse_link(raw)[0]
        return scores

    def staged_predict(self, X: Any) -> Iterator[npt.NDArray[np.float64]]:
        """Scores after each iteration.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows.

        Yields
        ------
        scores : ndarray of shape (n_samples,)
        """
        for raw in self._staged_raw_predict(X):
            yield self._loss.inverse_link(raw)[0]

    def score(self, X: Any, y: Any, *, qid: Any = None, group: Any = None) -> float:
        """Mean NDCG at ``ndcg_at`` over the queries; mean average precision for ``loss='lambdarank_map'``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Grades.
        qid : array-like of shape (n_samples,), default=None
            As in ``fit``.
        group : array-like of int, default=None
            As in ``fit``.

        Returns
        -------
        score : float
            1 for a perfect order; a query without relevant rows counts as 1.
        """
        scores = self.predict(X)
        grades = np.asarray(column_or_1d(y), dtype=np.float64)
        check_consistent_length(scores, grades)
        measure = self._measure()
        LambdaLoss(measure).check_target(grades)
        queries = _queries(qid, group, y)
        if queries is None:
            queries = np.zeros(grades.size, dtype=np.int64)
        return mean_measure(grades, scores, queries, measure)

    def _make_loss(self) -> Loss:
        return LambdaLoss(self._measure()) if isinstance(self.loss, str) else resolve_custom(self.loss, 1)

    def _measure(self) -> Measure:
        if not isinstance(self.loss, str) or self.loss == "lambdarank":
            return Ndcg(self.ndcg_at)
        if self.ndcg_at is not None:
            raise ValueError("ndcg_at has no meaning for loss='lambdarank_map'.")
        return AveragePrecision()

    def _encode_y(self, y: Any) -> npt.NDArray[np.float64]:
        self.n_trees_per_iteration_ = 1
        grades: npt.NDArray[np.float64] = np.ascontiguousarray(y, dtype=np.float64)
        return grades

    def _split(self, part: Part) -> tuple[Part, Part]:
        if part.qid is None or (part.qid == part.qid[0]).all():
            raise ValueError(
                "Early stopping holds out whole queries, and there is only one: give X_val and y_val."
            )
        splitter = GroupShuffleSplit(1, test_size=self.validation_fraction, random_state=self._random_seed)
        train, validation = next(splitter.split(part.y, groups=part.qid))
        return part.select(train), part.select(validation)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.positive_only = True
        return tags


def _queries(qid: Any, group: Any, y: Any) -> npt.NDArray[np.int64] | None:
    """Query of each row."""
    if qid is not None and group is not None:
        raise ValueError("Give either qid or group, not both.")
    if qid is not None:
        numbers = column_or_1d(qid)
        check_consistent_length(numbers, y)
        codes: npt.NDArray[np.int64] = np.unique(numbers, return_inverse=True)[1].astype(np.int64)
        return codes
    if group is None:
        return None
    sizes = check_array(group, ensure_2d=False, dtype=np.int64)
    if sizes.ndim != 1 or (sizes < 1).any() or sizes.sum() != len(y):
        raise ValueError(f"group must hold positive numbers of rows that add up to {len(y)}, got {group!r}.")
    return np.repeat(np.arange(sizes.size), sizes)
