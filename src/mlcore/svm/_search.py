"""Grid search over C and gamma that shares kernel values and solutions between its fits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import ParameterGrid, check_cv
from sklearn.utils import compute_class_weight, get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.multiclass import _ovr_decision_function
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import _core
from .._validation import atomic_fit, native_matrix, native_threads, validate_parameters, warn_user
from ._svc import SVC

__all__ = ["SVCSearch"]

_MEGABYTE = 2**20
_PRECOMPUTED = (4, 0.0, 0.0, 3)
_ROWS = 512  # of a block of squared distances
_DEFAULT_GRID = {"C": np.logspace(-2, 3, 6), "gamma": np.logspace(-3, 1, 5)}

_Floats = npt.NDArray[Any]


@dataclass
class _Fold:
    """One split: its rows, the classes of its training rows and their largest multipliers for C = 1."""

    train: npt.NDArray[np.intp]
    test: npt.NDArray[np.intp]
    classes: npt.NDArray[Any]
    labels: npt.NDArray[np.int32]
    bounds: npt.NDArray[np.float64]


@dataclass
class _Cell:
    """What the grid keeps of one fit."""

    test_score: float = np.nan
    train_score: float = np.nan
    iterations: int = 0
    status: int = 0
    violation: float = 0.0


class _FoldModel(ClassifierMixin, BaseEstimator):
    """A fitted fold in the face of a scorer: it answers for the rows that it was made for."""

    def __init__(self, answer: Callable[[bool], _Floats], classes: npt.NDArray[Any], shape: str) -> None:
        self.answer = answer
        self.classes_ = classes
        self.shape = shape

    def predict(self, X: Any) -> npt.NDArray[Any]:
        labels: npt.NDArray[Any] = self.classes_.take(np.asarray(self.answer(True), dtype=np.intp))
        return labels

    def decision_function(self, X: Any) -> _Floats:
        decisions = self.answer(False)
        if len(self.classes_) == 2:
            return -decisions.ravel()
        if self.shape == "ovo":
            return decisions
        scores: _Floats = _ovr_decision_function(decisions < 0, -decisions, len(self.classes_))
        return scores


def _ask(decide: Callable[[bool, int], _Floats], threads: int, labels: bool) -> _Floats:
    return decide(labels, threads)


@dataclass
class _SharedGram:
    """The Gram matrix of one gamma: made when it is first wanted, dropped when nobody wants it any more."""

    make: Callable[[], _Floats]
    users: int = 0
    matrix: _Floats | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> _Floats:
        with self.lock:
            if self.matrix is None:
                self.matrix = self.make()
            return self.matrix

    def give_back(self) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self.matrix = None


def _squared_distances(X: Any, threads: int) -> npt.NDArray[np.float32]:
    """Between all rows of X: computed in float64, kept in float32, which costs an RBF value 2e-8 at most."""
    rows = X.shape[0]
    if not sp.issparse(X):
        X = np.ascontiguousarray(X - X.mean(axis=0, dtype=np.float64), dtype=np.float64)
        norms = np.einsum("ij,ij->i", X, X)
    else:
        X = X.astype(np.float64)
        norms = np.asarray(X.multiply(X).sum(axis=1)).ravel()
    distances = np.empty((rows, rows), dtype=np.float32)
    for begin in range(0, rows, _ROWS):
        some = slice(begin, begin + _ROWS)
        block = _core.svm.kernel_matrix(native_matrix(X[some]), native_matrix(X), (0, 0.0, 0.0, 3), threads)
        block *= -2.0
        block += norms
        block += norms[some, None]
        np.maximum(block, 0.0, out=block)
        distances[some] = block
    np.fill_diagonal(distances, 0.0)
    return distances


class SVCSearch(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Cross-validated grid search over C and gamma of an SVC, many times faster than one fit after another.

    The scores are those of ``GridSearchCV(SVC(), {"C": ..., "gamma": ...})``: the same folds, the same
    problems, each solved to ``tol`` (requirement 8.21). The fits share their work: squared distances are
    computed once, the kernel matrix of a gamma once for all folds and values of C, and each fit starts from
    the multipliers of the next smaller C. Chains of C run side by side.

    Parameters
    ----------
    estimator : SVC, default=None
        What to search for: kernel, weights, tolerance. None means ``SVC()``.
    param_grid : dict or list of dicts, default=None
        Values for "C" and "gamma", as for ``GridSearchCV``. None means C from
        0.01 to 1000 and gamma from 0.001 to 10, in powers of ten. gamma may be "scale" or "auto"; "scale" is
        taken of the training rows of each fold.
    scoring : str or callable, default=None
        A scorer by name, or ``scorer(estimator, X, y)``; None means accuracy. What it gets has ``predict``,
        ``decision_function`` and ``classes_``.
    n_jobs : int or None, default=None
        Number of threads; None means all allowed. The result does not depend on it.
    refit : bool, default=True
        Fit the best parameters on all rows.
    cv : int, splitter, iterable or None, default=None
        The folds; None means 5, stratified.
    return_train_score : bool, default=False
        Score the training rows as well.
    cache_size : float, default=2000
        Megabytes (2**20 bytes) for shared matrices: float32, one of squared distances and one for each
        thread and one more. Data for which that is too little are searched without them.

    Attributes
    ----------
    cv_results_ : dict of ndarrays
        As in GridSearchCV: ``params``, ``param_C``, ``param_gamma``, ``split<k>_test_score``,
        ``mean_test_score``, ``std_test_score``, ``rank_test_score``, the same of ``train`` on request. No
        times: the fits share their work.
    n_iter_ : ndarray of shape (n_candidates, n_splits)
        Pair updates of each fit.
    best_index_ : int
        Place of the best parameters in ``cv_results_``; of equals the first.
    best_params_ : dict
        The best parameters.
    best_score_ : float
        Their mean test score.
    best_estimator_ : SVC
        Fitted on all rows, with ``refit``.
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels, with ``refit``.
    n_splits_ : int
        Number of folds.
    scorer_ : callable
        What scored.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when ``X`` had names that are all strings.

    See Also
    --------
    sklearn.model_selection.GridSearchCV : Searches any parameters of any estimator.

    Notes
    -----
    Kernel values are float32, as in the cache of LIBSVM, with float64 multipliers and gradients. Memory:
    ``cache_size`` and, for each thread, what a fit takes.

    References
    ----------
    D. DeCoste, K. Wagstaff (2000). Alpha seeding for support vector machines. KDD, 345-349.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mlcore.svm import SVCSearch
    >>> X, y = load_iris(return_X_y=True)
    >>> search = SVCSearch(param_grid={"C": [0.1, 1, 10], "gamma": [0.1, 1]}).fit(X, y)
    >>> search.best_params_, round(search.best_score_, 3)
    ({'C': 1, 'gamma': 0.1}, 0.98)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "param_grid": [dict, list, None],
        "scoring": [str, callable, None],
        "n_jobs": [Integral, None],
        "refit": ["boolean"],
        "cv": ["cv_object"],
        "return_train_score": ["boolean"],
        "cache_size": [Interval(Real, 0, None, closed="neither")],
    }

    cv_results_: dict[str, Any]
    best_estimator_: SVC
    best_index_: int
    n_iter_: npt.NDArray[np.int64]
    best_params_: dict[str, Any]
    best_score_: float
    scorer_: Any
    n_splits_: int

    def __init__(
        self,
        estimator: Any = None,
        param_grid: Any = None,
        *,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: bool = True,
        cv: Any = None,
        return_train_score: bool = False,
        cache_size: float = 2000,
    ) -> None:
        self.estimator = estimator
        self.param_grid = param_grid
        self.scoring = scoring
        self.n_jobs = n_jobs
        self.refit = refit
        self.cv = cv
        self.return_train_score = return_train_score
        self.cache_size = cache_size

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """Sorted class labels."""
        self._check_refitted("classes_")
        return self.best_estimator_.classes_

    def _check_query(self, X: Any, name: str) -> None:
        check_is_fitted(self)
        self._check_refitted(name)
        if callable(self.best_estimator_.kernel):
            return
        if (X if hasattr(X, "ndim") else np.asarray(X)).ndim == 2:  # else SVC has better words
            validate_data(self, X, reset=False, skip_check_array=True)

    def _check_refitted(self, name: str) -> None:
        if not self.refit:
            raise AttributeError(
                f"{name} is available with refit=True only; best_params_ and cv_results_ are there"
            )
        check_is_fitted(self, "best_estimator_")

    @atomic_fit
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Score all parameters on all folds, and fit the best.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples)
            Training data; for ``kernel="precomputed"`` the Gram matrix.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Multiplies C for each row in the fits, and weighs the scores, as in GridSearchCV.

        Returns
        -------
        self : SVCSearch
            The fitted search.

        Raises
        ------
        ValueError
            If a parameter or the data are not as described, or a fold has fewer than two classes.
        TypeError
            If ``estimator`` is not an SVC.

        Warns
        -----
        ConvergenceWarning
            When fits ended by ``max_iter`` or ``max_time`` of the estimator, or by floating point.
        """
        validate_parameters(self)
        template = self._template()
        candidates = list(ParameterGrid(_DEFAULT_GRID if self.param_grid is None else self.param_grid))
        for params in candidates:
            if set(params) - {"C", "gamma"}:
                raise ValueError(f"SVCSearch searches C and gamma only, got {sorted(params)}")
            validate_parameters(clone(template).set_params(**params))
        if y is None:
            raise ValueError("This SVCSearch estimator requires y to be passed, but the target y is None.")
        data, target = template._check_training(X, y)
        template._check_target(target)
        target = np.asarray(target).ravel()
        if not callable(template.kernel):
            validate_data(self, X, skip_check_array=True)  # sets n_features_in_ and feature_names_in_
        weights = template._check_sample_weight(sample_weight, data, data.shape[0])
        cv = check_cv(self.cv, target, classifier=True)
        folds = [self._fold(template, target, weights, *split) for split in cv.split(data, target)]
        self.n_splits_ = len(folds)
        self.scorer_ = check_scoring(template, scoring=self.scoring)
        of_scores = None if sample_weight is None else np.maximum(weights, 0.0)
        cells = _Grid(self, template, data, X, target, of_scores, folds, candidates).run()
        self._summarise(candidates, cells)
        if self.refit:
            best = clone(template).set_params(**self.best_params_, n_jobs=self.n_jobs)
            self.best_estimator_ = best.fit(X, y, sample_weight).set_params(n_jobs=template.n_jobs)
        return self

    def _template(self) -> SVC:
        if self.estimator is None:
            return SVC()
        if not isinstance(self.estimator, SVC):
            raise TypeError(f"estimator must be an SVC, got {type(self.estimator).__name__}")
        template: SVC = clone(self.estimator)
        validate_parameters(template)
        return template

    @staticmethod
    def _fold(template: SVC, target: Any, weights: Any, train: Any, test: Any) -> _Fold:
        classes, numbers = np.unique(target[train], return_inverse=True)
        if len(classes) < 2:
            raise ValueError("The number of classes has to be greater than one; a fold has fewer")
        labels = np.zeros(len(target), dtype=np.int32)
        labels[train] = numbers
        of_class = compute_class_weight(template.class_weight, classes=classes, y=target[train])
        bounds = np.zeros(len(target))
        bounds[train] = np.maximum(weights[train] * of_class[numbers], 0.0)
        if len(np.unique(labels[bounds > 0])) < 2:
            raise ValueError("Invalid input - all samples with positive weights belong to the same class.")
        return _Fold(np.asarray(train), np.asarray(test), classes, labels, bounds)

    def _summarise(self, candidates: list[dict[str, Any]], cells: list[list[_Cell]]) -> None:
        results: dict[str, Any] = {}
        self.n_iter_ = np.array([[cell.iterations for cell in row] for row in cells])
        for name in sorted({name for params in candidates for name in params}):
            values = np.ma.MaskedArray(np.empty(len(candidates), dtype=object), mask=True)
            for i, params in enumerate(candidates):
                if name in params:
                    values[i] = params[name]
            results[f"param_{name}"] = values
        results["params"] = candidates
        for kind in ("test", "train") if self.return_train_score else ("test",):
            scores = np.array([[getattr(cell, f"{kind}_score") for cell in row] for row in cells])
            for split in range(scores.shape[1]):
                results[f"split{split}_{kind}_score"] = scores[:, split]
            mean = results[f"mean_{kind}_score"] = scores.mean(axis=1)
            results[f"std_{kind}_score"] = scores.std(axis=1)
            if kind == "test":
                results["rank_test_score"] = rankdata(-mean, method="min").astype(np.int32)
        self.cv_results_ = results
        self.best_index_ = int(results["rank_test_score"].argmin())
        self.best_params_ = candidates[self.best_index_]
        self.best_score_ = float(results["mean_test_score"][self.best_index_])
        bad = [cell for row in cells for cell in row if cell.status > 0]
        if bad:
            warn_user(
                f"{len(bad)} of {sum(map(len, cells))} fits of the search ended early, the worst at a "
                f"violation of {max(cell.violation for cell in bad):.3g}."
                "  Consider pre-processing your data with StandardScaler or MinMaxScaler.",
                ConvergenceWarning,
            )

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Classes by the best estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New data.

        Returns
        -------
        labels : ndarray of shape (n_samples,)

        Raises
        ------
        NotFittedError
            Before ``fit``.
        """
        self._check_query(X, "predict")
        return self.best_estimator_.predict(X)

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Decision values by the best estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New data.

        Returns
        -------
        decisions : ndarray
            As ``decision_function`` of SVC.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        """
        self._check_query(X, "decision_function")
        return self.best_estimator_.decision_function(X)

    def score(self, X: Any, y: Any) -> float:  # type: ignore[override]
        """Score of the best estimator by the scorer of the search.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,)
            Class labels.

        Returns
        -------
        score : float

        Raises
        ------
        NotFittedError
            Before ``fit``.
        """
        self._check_query(X, "score")
        return float(self.scorer_(self.best_estimator_, X, y))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(SVC() if self.estimator is None else self.estimator).input_tags
        return tags


class _Grid:
    """All fits of a search: chains over C, one for each gamma and fold."""

    def __init__(
        self,
        search: SVCSearch,
        template: SVC,
        data: Any,
        X: Any,
        target: npt.NDArray[Any],
        weights: npt.NDArray[np.float64] | None,
        folds: list[_Fold],
        candidates: list[dict[str, Any]],
    ) -> None:
        self.search, self.template, self.data, self.X, self.target = search, template, data, X, target
        self.weights, self.folds, self.candidates = weights, folds, candidates
        self.allowed = _core.resolve_threads(native_threads(search.n_jobs))[0]
        self.stop = _core.svm.StopFlag()
        self.cells = [[_Cell() for _ in folds] for _ in candidates]
        self.chains = self._chains()
        self.workers = max(1, min(self.allowed, len(self.chains)))
        self.shared = self._share()

    def _chains(self) -> list[tuple[float, int, list[int]]]:
        """(gamma, fold, candidates by growing C); gamma="scale" is a number of its own in each fold."""
        chains: dict[tuple[float, int], list[int]] = {}
        for number, params in enumerate(self.candidates):
            model = clone(self.template).set_params(**params)
            for f, fold in enumerate(self.folds):
                by_rows = isinstance(model.gamma, str) and model.gamma == "scale"
                fixed = callable(model.kernel) or model.kernel in ("linear", "precomputed")
                rows = self.data[fold.train] if by_rows and not fixed else self.data
                gamma = 0.0 if fixed else model._resolve_gamma(rows)
                chains.setdefault((gamma, f), []).append(number)
        return [
            (
                gamma,
                f,
                sorted(numbers, key=lambda number: float(self.candidates[number].get("C", self.template.C))),
            )
            for (gamma, f), numbers in chains.items()
        ]

    def _share(self) -> dict[float, _SharedGram]:
        """A Gram matrix for each gamma, when there is room; empty otherwise."""
        if callable(self.template.kernel) or self.template.kernel == "precomputed":
            return {}
        gammas = {gamma for gamma, _, _ in self.chains}
        rows = self.data.shape[0]
        distances_too = self.template.kernel == "rbf" and len(gammas) > 1
        if 4.0 * rows**2 * (self.workers + 1 + distances_too) > self.search.cache_size * _MEGABYTE:
            return {}
        distances = _squared_distances(self.data, self.allowed) if distances_too else None
        shared = {gamma: _SharedGram(self._maker(gamma, distances)) for gamma in gammas}
        for gamma, _, _ in self.chains:
            shared[gamma].users += 1
        return shared

    def _maker(self, gamma: float, distances: _Floats | None) -> Callable[[], _Floats]:
        def from_distances() -> _Floats:
            assert distances is not None
            gram: _Floats = np.multiply(distances, np.float32(-gamma))
            return np.exp(gram, out=gram)

        def from_rows() -> _Floats:
            data = self.data.astype(np.float64, copy=False)
            kind, _, coef0, degree = self.template._kernel_tuple()
            threads = 1 if self.workers > 1 else self.allowed
            gram = _core.svm.kernel_matrix(native_matrix(data), None, (kind, gamma, coef0, degree), threads)
            return gram.astype(np.float32) if np.abs(gram).max(initial=0.0) < 1e30 else gram

        return from_rows if distances is None else from_distances

    def run(self) -> list[list[_Cell]]:
        for _ in self._each(self._run_chain, len(self.chains)):
            pass
        return self.cells

    def _each(self, function: Callable[[int], None], count: int) -> Iterator[None]:
        if self.workers == 1:
            yield from map(function, range(count))
            return
        with ThreadPoolExecutor(self.workers) as pool:
            futures = [pool.submit(function, number) for number in range(count)]
            try:
                for future in futures:
                    yield future.result()
            except BaseException:
                self.stop.set()  # Ctrl-C too: the pool waits for the fits under way, which end now
                for future in futures:
                    future.cancel()
                raise

    def _run_chain(self, number: int) -> None:
        gamma, f, candidates = self.chains[number]
        fold, template = self.folds[f], self.template
        shared = self.shared.get(gamma)
        gram = shared.take() if shared else None
        kind, _, coef0, degree = template._kernel_tuple()
        kernel = _PRECOMPUTED if shared else (kind, gamma, coef0, degree)
        data = self.data if gram is None else gram
        threads = 1 if self.workers > 1 else self.allowed
        start = None
        sets = (
            {"test": fold.test, "train": fold.train}
            if self.search.return_train_score
            else {"test": fold.test}
        )
        queries = {name: self._query(data, rows) for name, rows in sets.items()}
        for candidate in candidates:
            C = float(self.candidates[candidate].get("C", template.C))
            with np.errstate(invalid="ignore"):
                bounds = np.where(fold.bounds > 0, C * fold.bounds, 0.0)
            support, per_class, coef, rho, iterations, violation, _, _, status, _, _ = _core.svm.svc_fit(
                native_matrix(data),
                fold.labels,
                len(fold.classes),
                bounds,
                None,
                kernel,
                float(template.tol),
                float(template.cache_size) * _MEGABYTE,
                bool(template.shrinking),
                *template._limits(),
                start,
                threads,
                self.stop,
            )
            if kind != 3:  # the sigmoid kernel is no kernel: where a fit ends would depend on its start
                start = (support, coef)
            cell = self.cells[candidate][f]
            cell.iterations, cell.status = int(iterations.sum()), int(status)
            cell.violation = float(violation.max())
            vectors = np.empty((0, 0)) if kernel[0] == 4 else self._vectors(data, support)
            for name, rows in sets.items():
                answer = partial(
                    _core.svm.decide, queries[name], vectors, coef, per_class, rho, support, kernel
                )
                setattr(cell, f"{name}_score", self._score(partial(_ask, answer, threads), fold, rows))
        if shared:
            shared.give_back()

    @staticmethod
    def _query(data: Any, rows: npt.NDArray[np.intp]) -> Any:
        return native_matrix(data[rows] if sp.issparse(data) else np.ascontiguousarray(data[rows]))

    @staticmethod
    def _vectors(data: Any, support: npt.NDArray[np.int64]) -> Any:
        if not sp.issparse(data):
            return np.ascontiguousarray(data[support], dtype=np.float64)
        vectors, index = data[support].astype(np.float64), data.indices.dtype
        return vectors.data, vectors.indices.astype(index), vectors.indptr.astype(index), data.shape[1]

    def _score(self, answer: Callable[[bool], _Floats], fold: _Fold, rows: npt.NDArray[np.intp]) -> float:
        model = _FoldModel(answer, fold.classes, self.template.decision_function_shape)
        more = {} if self.weights is None else {"sample_weight": self.weights[rows]}
        if self.search.scoring is None:
            return float(
                np.average(model.predict(None) == self.target[rows], weights=more.get("sample_weight"))
            )
        return float(self.search.scorer_(model, self._rows_of_user(rows), self.target[rows], **more))

    def _rows_of_user(self, rows: npt.NDArray[np.intp]) -> Any:
        X = self.X
        if hasattr(X, "iloc"):
            return X.iloc[rows]
        if hasattr(X, "shape"):
            return X[rows]
        return [X[row] for row in rows]
