"""What the gradient boosting classes share around the boosting loop: data, predictions, looking inside.

Nouns: an *iteration* adds one tree for each *output* (class, quantile). A *part* is a set of rows (training
or validation). *Raw* predictions have the shape (n_outputs, n_rows).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import BaseEstimator, is_classifier
from sklearn.ensemble import HistGradientBoostingRegressor as _Peer
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, RealNotInt, StrOptions
from sklearn.utils.validation import (
    _check_monotonic_cst,
    _check_sample_weight,
    _check_y,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from .._validation import atomic_fit, native_threads, validate_parameters
from ._boosting import Boosting
from ._categories import CategoryCodes, categorical_columns
from ._category_groups import first_gradients, group_categories
from ._constraints import interaction_groups
from ._early_stopping import LossScores, ScorerScores
from ._losses import Loss
from ._parts import Part, split_rows
from ._report import Report
from ._saving import model_from_json, model_to_json
from ._sparse import SparseColumns, without_zeros
from ._tree_arrays import TreeList, draw_tree
from ._tree_methods import make_source

__all__ = ["BaseHistGradientBoosting"]

_FLOATS = [np.float64, np.float32]


class BaseHistGradientBoosting(BaseEstimator):
    """Base of the gradient boosting classes; see them for the parameters."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "loss": [callable, HasMethods(["gradient_hessian"]), HasMethods(["address"])],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_leaf_nodes": [Interval(Integral, 2, None, closed="left"), None],
        "max_depth": [Interval(Integral, 1, None, closed="left"), None],
        "min_samples_leaf": [Interval(Integral, 1, None, closed="left")],
        "l2_regularization": [Interval(Real, 0, None, closed="left")],
        "max_features": [Interval(RealNotInt, 0, 1, closed="right")],
        "max_bins": [Interval(Integral, 2, 255, closed="both")],
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "monotonic_cst": ["array-like", dict, None],
        "interaction_cst": [list, tuple, StrOptions({"pairwise", "no_interactions"}), None],
        "warm_start": ["boolean"],
        "early_stopping": [StrOptions({"auto"}), "boolean"],
        "scoring": [str, callable, None],
        "validation_fraction": [
            Interval(RealNotInt, 0, 1, closed="neither"),
            Interval(Integral, 1, None, closed="left"),
            None,
        ],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "tree_method": [StrOptions({"hist", "approx", "exact"})],
        "linear_leaves": ["boolean"],
        "linear_l2": [Interval(Real, 0, None, closed="left")],
        "growth": [StrOptions({"leaf", "level"})],
        "min_split_gain": [Interval(Real, 0, None, closed="left")],
        "l1_regularization": [Interval(Real, 0, None, closed="left")],
        "min_child_weight": [Interval(Real, 0, None, closed="left")],
        "sampling": [StrOptions({"none", "uniform", "goss"})],
        "subsample": [Interval(Real, 0, 1, closed="right")],
        "top_rate": [Interval(Real, 0, 1, closed="both")],
        "other_rate": [Interval(Real, 0, 1, closed="right")],
        "colsample_bytree": [Interval(Real, 0, 1, closed="right")],
        "colsample_bylevel": [Interval(Real, 0, 1, closed="right")],
        "zero_as_missing": ["boolean"],
        "group_categories": ["boolean"],
        "bundle_features": ["boolean"],
        "callbacks": [list, tuple, None],
    }

    # Set by the constructors of the classes.
    loss: Any
    learning_rate: float
    max_iter: int
    max_leaf_nodes: int | None
    max_depth: int | None
    min_samples_leaf: int
    l2_regularization: float
    max_features: float
    max_bins: int
    categorical_features: Any
    monotonic_cst: Any
    interaction_cst: Any
    warm_start: bool
    early_stopping: bool | str
    scoring: Any
    validation_fraction: float | int | None
    n_iter_no_change: int
    tol: float
    verbose: int
    random_state: Any
    n_jobs: int | None
    tree_method: str
    linear_leaves: bool
    linear_l2: float
    growth: str
    min_split_gain: float
    l1_regularization: float
    min_child_weight: float
    sampling: str
    subsample: float
    top_rate: float
    other_rate: float
    colsample_bytree: float
    colsample_bylevel: float
    zero_as_missing: bool
    group_categories: bool
    bundle_features: bool
    callbacks: Any

    n_trees_per_iteration_: int
    is_categorical_: npt.NDArray[np.bool_] | None
    do_early_stopping_: bool
    train_score_: Any
    validation_score_: Any
    _codes: CategoryCodes | None
    _baseline: npt.NDArray[np.float64]
    _trees: TreeList
    _loss: Loss
    _random_seed: int
    _tree_seed: int

    def _keep(self, given: Mapping[str, Any]) -> None:
        """Set the arguments of a constructor, its ``locals()``, as attributes."""
        for name, value in given.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    # -- what the classes say for themselves

    def _encode_y(self, y: Any) -> npt.NDArray[np.float64]:
        """The targets as numbers; sets ``classes_`` where there are classes."""
        raise NotImplementedError

    def _encode_y_val(self, y: Any) -> npt.NDArray[np.float64]:
        return self._encode_y(y)

    def _decode_y(self, y: npt.NDArray[np.float64]) -> Any:
        """What ``_encode_y`` was given, for scorers."""
        return y

    def _make_loss(self) -> Loss:
        raise NotImplementedError

    def _class_weights(self, y: Any) -> npt.NDArray[np.float64] | None:
        """Weights that follow from the targets."""
        return None

    def _split(self, part: Part) -> tuple[Part, Part]:
        return split_rows(part, self.validation_fraction, is_classifier(self), self._random_seed)

    # -- data

    def _matrix(self, X: Any, *, reset: bool) -> Any:
        """Checked data as floats, with codes in categorical columns; NaN and infinity are welcome."""
        sparse = sp.issparse(X)
        if reset:
            self.is_categorical_ = None if sparse else categorical_columns(X, self.categorical_features)
            self._codes = None
            if sparse and self.categorical_features not in (None, "from_dtype"):
                raise ValueError(
                    "Sparse data cannot have categorical features: pass a dense array or a table."
                )
        if sparse:
            if self.is_categorical_ is not None:
                raise ValueError("The model was fitted with categorical features: X must be dense.")
            columns = validate_data(
                self, X, reset=reset, accept_sparse="csc", dtype=_FLOATS, ensure_all_finite=False
            )
            return SparseColumns(columns, self.zero_as_missing)
        dense = self._dense(X, reset=reset)
        if not self.zero_as_missing:
            return dense
        if self.is_categorical_ is None:
            return without_zeros(dense)
        dense[:, ~self.is_categorical_] = without_zeros(dense[:, ~self.is_categorical_])
        return dense

    def _dense(self, X: Any, *, reset: bool) -> npt.NDArray[Any]:
        if self.is_categorical_ is None:
            if self._is_plain(X) and (reset or X.shape[1] == self.n_features_in_):
                self.n_features_in_ = X.shape[1]
                plain: npt.NDArray[Any] = X
                return plain
            checked: npt.NDArray[Any] = validate_data(
                self, X, reset=reset, dtype=_FLOATS, ensure_all_finite=False
            )
            return checked if checked.flags.aligned else checked.copy()
        if reset:
            validate_data(self, X, reset=True, skip_check_array=True)
            self._codes = CategoryCodes(self.is_categorical_)
            return self._codes.fit_transform(X, None if self.group_categories else int(self.max_bins))
        assert self._codes is not None
        validate_data(self, X, reset=False, skip_check_array=True)
        return self._codes.transform(X)

    def _is_plain(self, X: Any) -> bool:
        """True for arrays that the checks below would not change or refuse; they take longer than the trees
        for one row."""
        return (
            type(X) is np.ndarray
            and X.ndim == 2
            and X.dtype in _FLOATS
            and X.size > 0
            and X.flags.aligned
            and "feature_names_in_" not in vars(self)
        )

    def _weights(self, sample_weight: Any, X: Any, y: Any) -> npt.NDArray[np.float64] | None:
        """Sample weights times class weights; None when all are 1."""
        weights: npt.NDArray[np.float64] | None = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
            assert weights is not None
            if weights.min() < 0:
                raise ValueError("Negative values in data passed to `sample_weight`")
            if not weights.any():
                raise ValueError("Sample weights must contain at least one non-zero number.")
        of_classes = self._class_weights(y)
        if of_classes is not None:
            weights = of_classes if weights is None else weights * of_classes
        return None if weights is None or (weights == 1).all() else weights

    @staticmethod
    def _part(
        y: npt.NDArray[np.float64],
        weights: npt.NDArray[np.float64] | None,
        qid: npt.NDArray[np.int64] | None,
    ) -> Part:
        """The rows that count: those of weight 0 are left out."""
        if weights is None or weights.all():
            return Part(None, y, weights, qid=qid)
        rows = np.flatnonzero(weights).astype(np.int64)
        return Part(rows, y[rows], weights[rows], qid=None if qid is None else qid[rows])

    def _given_validation(
        self, X_val: Any, y_val: Any, sample_weight_val: Any, qid_val: npt.NDArray[np.int64] | None
    ) -> tuple[Any, Part] | None:
        if X_val is None and y_val is None:
            return None
        if y_val is None:
            raise ValueError("X_val is provided, but y_val was not provided.")
        if X_val is None:
            raise ValueError("y_val is provided, but X_val was not provided.")
        if self.early_stopping is False:
            raise ValueError(
                "X_val and y_val are passed to fit while at the same time early_stopping is False. When "
                "passing X_val and y_val to fit, early_stopping should be set to either 'auto' or True."
            )
        X_val = self._matrix(X_val, reset=False)
        y_val = self._encode_y_val(_check_y(y_val, estimator=self))
        check_consistent_length(X_val, y_val)
        weights = None
        if sample_weight_val is not None:
            weights = _check_sample_weight(sample_weight_val, X_val, dtype=np.float64)
        return X_val, self._part(y_val, weights, qid_val)

    # -- fit

    def _is_fitted(self) -> bool:
        return len(getattr(self, "_trees", ())) > 0

    @atomic_fit
    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_val: Any,
        y_val: Any,
        sample_weight_val: Any,
        qid: npt.NDArray[np.int64] | None = None,
        qid_val: npt.NDArray[np.int64] | None = None,
    ) -> Self:
        validate_parameters(self)
        if self.sampling == "goss" and self.top_rate + self.other_rate > 1:
            raise ValueError("top_rate + other_rate must not be greater than 1.")
        report = Report(self)
        threads = native_threads(self.n_jobs)
        resume = bool(self.warm_start) and self._is_fitted()
        former_codes = self._codes if resume else None
        X = self._matrix(X, reset=True)
        y = _check_y(y, estimator=self)
        target = self._encode_y(y)
        check_consistent_length(X, target)
        part = self._part(target, self._weights(sample_weight, X, y), qid)
        if sample_weight is not None:
            self._fitted_with_sw = True
        given = self._given_validation(X_val, y_val, sample_weight_val, qid_val)

        random = check_random_state(self.random_state)
        if not resume:
            # As scikit-learn: one draw for the split and the quantiles, one for what trees draw.
            self._random_seed = int(random.randint(np.iinfo(np.uint32).max, dtype="u8"))
            self._tree_seed = int(random.randint(np.iinfo(np.uint32).max, dtype="u8"))
        if self.monotonic_cst is not None and self.n_trees_per_iteration_ != 1 and is_classifier(self):
            raise ValueError("monotonic constraints are not supported for multiclass classification.")
        monotonic = np.asarray(_check_monotonic_cst(self, self.monotonic_cst), dtype=np.int8)
        if self.is_categorical_ is not None and monotonic[self.is_categorical_].any():
            raise ValueError("Categorical features cannot have monotonic constraints.")
        groups = interaction_groups(self.interaction_cst, X.shape[1])
        self._loss = loss = self._make_loss()
        loss.check_target(part.y)
        if self.linear_leaves and loss.renews:
            raise ValueError(
                f"linear_leaves needs a loss whose leaves are Newton steps; loss={self.loss!r} renews them."
            )
        if self.linear_leaves and monotonic.any():
            raise ValueError("Linear leaves cannot have monotonic constraints.")

        automatic = part.size > 10_000 or given is not None
        self.do_early_stopping_ = automatic if self.early_stopping == "auto" else bool(self.early_stopping)
        train, validation, X_validation = part, None, X
        if given is not None:
            X_validation, validation = given
        elif self.do_early_stopping_ and self.validation_fraction is not None:
            train, validation = self._split(part)

        if self._codes is not None and self._codes.numerous(int(self.max_bins)):
            self._group(X, train, former_codes, threads)
            if X_validation is not X:
                self._codes.put_groups(X_validation)
        with report.binning(X, "training"):
            source = make_source(self, X, train, monotonic, groups, threads)
        validation_rows = None
        if validation is not None:
            with report.binning(X_validation, "validation"):
                validation_rows = source.rows_of(validation.matrix(X_validation))
        boosting = Boosting(self, source, validation_rows, train, validation, threads)
        former = None
        if resume:
            former = train.matrix(X), None if validation is None else validation.matrix(X_validation)
        boosting.start(former)
        if self.do_early_stopping_:
            if self.scoring == "loss":
                boosting.scores = LossScores(loss, threads)
            else:
                held_out = None if validation is None else (X_validation, validation)
                boosting.scores = ScorerScores(self, self.scoring, (X, train), held_out, self._random_seed)
        boosting.run(report, resume)
        report.end()
        return self

    def _group(self, X: npt.NDArray[Any], train: Part, former: CategoryCodes | None, threads: int) -> None:
        """Groups of the categories, for columns that have too many, in place of their codes."""
        assert self._codes is not None
        if former is not None:
            same = map(np.array_equal, former.categories, self._codes.categories)
            if not all(same):
                raise ValueError("warm_start with group_categories needs the categories of the first fit.")
            self._codes.groups = former.groups
        else:
            gradients, hessians = first_gradients(self._loss, train, threads)
            for k, place in self._codes.numerous(int(self.max_bins)):
                codes = X[:, place] if train.rows is None else X[train.rows, place]
                self._codes.groups[k] = group_categories(
                    codes, self._codes.categories[k].size, gradients, hessians, int(self.max_bins)
                )
        self._codes.put_groups(X)

    # -- predictions

    def _raw_predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Sums of leaf values and the baseline, of shape (n_outputs, n_rows)."""
        held = vars(self).get("_held")
        if held is not None and held[0] is X:
            return np.asarray(held[1])
        if "_trees" not in vars(self):
            check_is_fitted(self)
        X = self._matrix(X, reset=False)
        raw = self._baseline_of(X.shape[0])
        self._trees.add_to(raw, X, 0, self._trees.n_iterations, native_threads(self.n_jobs))
        return raw

    def _baseline_of(self, n_rows: int) -> npt.NDArray[np.float64]:
        raw = np.empty((self._baseline.size, n_rows))
        raw[:] = self._baseline[:, np.newaxis]
        return raw

    def _staged_raw_predict(self, X: Any) -> Iterator[npt.NDArray[np.float64]]:
        check_is_fitted(self)
        X = self._matrix(X, reset=False)
        raw = self._baseline_of(X.shape[0])
        threads = native_threads(self.n_jobs)
        for iteration in range(self._trees.n_iterations):
            self._trees.add_to(raw, X, iteration, iteration + 1, threads)
            yield raw.copy()

    def apply(self, X: Any) -> npt.NDArray[np.int32]:
        """The leaf that each row reaches in each tree.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        leaves : ndarray of shape (`n_samples`, `n_iter_` * `n_trees_per_iteration_`), int32
            Node numbers, as in :meth:`trees_to_frame`.
        """
        check_is_fitted(self)
        return self._trees.apply(self._matrix(X, reset=False), native_threads(self.n_jobs))

    def _compute_partial_dependence_recursion(
        self, grid: Any, target_features: Any
    ) -> npt.NDArray[np.float64]:
        """What :func:`sklearn.inspection.partial_dependence` calls for ``method="recursion"``."""
        if getattr(self, "_fitted_with_sw", False):
            raise NotImplementedError(
                f"{type(self).__name__} does not support partial dependence plots with the 'recursion' "
                "method when sample weights were given during fit time."
            )
        if self._trees.is_linear:
            raise NotImplementedError(
                "Trees with linear leaves have no partial dependence by recursion: use method='brute'."
            )
        points = np.ascontiguousarray(grid, dtype=np.float64)
        features = np.ascontiguousarray(target_features, dtype=np.int64)
        averages: npt.NDArray[np.float64] = self._trees.forest.partial_dependence(
            points, features, native_threads(self.n_jobs)
        )
        return averages

    # -- what the model looks like

    @property
    def n_iter_(self) -> int:
        """Number of iterations."""
        check_is_fitted(self)
        return self._trees.n_iterations

    @property
    def feature_importances_(self) -> npt.NDArray[np.float64]:
        """Shares of the features in the total gain; all 0 when no tree has a split."""
        gain = self.get_feature_importance("gain")
        total = gain.sum()
        return gain / total if total > 0 else gain

    def get_feature_importance(self, kind: str = "gain") -> npt.NDArray[np.float64]:
        r"""How much the splits of each feature do.

        Parameters
        ----------
        kind : {'gain', 'split', 'cover'}, default='gain'
            'gain': by how much the splits lower the objective; 'split': how many there are; 'cover': the sum
            of the Hessians (for squared error, the rows) that they divide.

        Returns
        -------
        importance : ndarray of shape (`n_features_in_`,), float64
            Totals over all trees, not normalised.
        """
        check_is_fitted(self)
        return self._trees.importance(kind, self.n_features_in_)

    def get_tree(self, iteration: int, output: int = 0) -> dict[str, npt.NDArray[Any]]:
        """One tree as arrays, copies of the model's.

        Parameters
        ----------
        iteration : int
            From 0 to ``n_iter_ - 1``; negative numbers count from the end.
        output : int, default=0
            Which of the trees of the iteration (class, quantile).

        Returns
        -------
        tree : dict of ndarray
            One element a node, in pre-order: ``feature`` (-1 at leaves), ``threshold`` (``x <= threshold``
            goes left), ``bin``, ``missing_left``, ``left`` and ``right`` (-1 at leaves), ``value`` (with the
            learning rate), ``gain``, ``count`` (rows), ``cover`` (sum of Hessians), ``depth``, ``is_cat`` and
            ``bitset_index`` (-1, or the row of ``bitsets`` where bit c says that category code c goes left).
            ``bin`` is -1 for ``tree_method`` other than 'hist'. Linear leaves: node i has the ``intercept``
            and the elements ``linear_start[i]`` to ``linear_start[i + 1] - 1`` of ``linear_feature`` and
            ``linear_coefficient``, all with the learning rate.
        """
        check_is_fitted(self)
        n = self._trees.n_iterations
        if not (-n <= iteration < n and 0 <= output < self._trees.n_outputs):
            raise IndexError(
                f"There is no tree {output} of iteration {iteration}: {n} iterations were fitted."
            )
        tree = self._trees.trees[(iteration % n) * self._trees.n_outputs + output]
        return {name: values.copy() for name, values in tree.items()}

    def trees_to_frame(self) -> Any:
        """All nodes of all trees in a pandas DataFrame.

        Returns
        -------
        frame : DataFrame
            One row a node, with the columns of :meth:`get_tree` and where the node belongs: ``tree``,
            ``iteration``, ``output``, ``node``. ``categories_left`` lists category codes. With linear leaves
            also ``intercept`` and ``coefficients``, a dict by feature name (None where a leaf is constant).
        """
        check_is_fitted(self)
        return self._trees.frame(self._names())

    def _names(self) -> list[str]:
        names = getattr(self, "feature_names_in_", None)
        return [f"x{j}" for j in range(self.n_features_in_)] if names is None else list(names)

    def plot_tree(self, iteration: int, output: int = 0, *, ax: Any = None, precision: int = 3) -> Any:
        """Draw one tree.

        Parameters
        ----------
        iteration : int
            As in :meth:`get_tree`.
        output : int, default=0
            As in :meth:`get_tree`.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.
        precision : int, default=3
            Significant digits.

        Returns
        -------
        ax : matplotlib axes
        """
        tree = self.get_tree(iteration, output)
        if ax is None:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure

            leaves = int((tree["feature"] < 0).sum())
            figure = Figure(figsize=(max(4, 1.3 * leaves), 1.3 * (tree["depth"].max() + 1)))
            FigureCanvasAgg(figure)
            ax = figure.subplots()
        draw_tree(tree, self._names(), ax, precision)
        return ax

    # -- saving

    def save_json(self, path: Any) -> None:
        """Write the fitted model to a JSON file, which holds no code.

        Parameters
        ----------
        path : str or path
            File to write.

        Raises
        ------
        TypeError
            If labels or categories are of a type that JSON has no word for, or the loss is an object.
        """
        check_is_fitted(self)
        text = json.dumps(model_to_json(self), allow_nan=False)
        Path(path).write_text(text, encoding="utf-8")

    @classmethod
    def load_json(cls, path: Any) -> Self:
        """Read a model that :meth:`save_json` wrote; it predicts exactly what the saved one did.

        Parameters
        ----------
        path : str or path
            File to read.

        Returns
        -------
        model : estimator
            Of this class.

        Raises
        ------
        ValueError
            If the file holds no model of this class, or one of a newer format.
        """
        return model_from_json(cls, json.loads(Path(path).read_text(encoding="utf-8")))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags


# sklearn.inspection offers partial dependence by recursion to the classes that it knows to have the method.
for _base in _Peer.__mro__:
    if _base.__name__ == "BaseHistGradientBoosting" and hasattr(_base, "register"):
        _base.register(BaseHistGradientBoosting)
