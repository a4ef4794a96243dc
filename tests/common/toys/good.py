"""A small estimator that passes the whole sweep."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real

import cases
import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

CASE = cases.Case(
    no_draws=lambda X: {"init": X[:3].copy()},
    big={"max_iter": 2},
    big_rows=10_000,
    long_rows=500,
)

#: for processes that know a toy by its name only
CASES = {"": CASE}


class Toy(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """Means of the nearest rows, a few times over: k-means in NumPy.

    Parameters
    ----------
    n_clusters : int, default=3
        Number of means.
    init : array of shape (n_clusters, n_features) or None, default=None
        First means; None for random rows.
    max_iter : int, default=20
        Number of rounds.
    tol : float, default=0.0
        Has no effect.
    random_state : int, RandomState instance or None, default=None
        Seed.
    n_jobs : int or None, default=None
        Has no effect.
    callbacks : list or None, default=None
        Called after each round.

    Attributes
    ----------
    centers_ : ndarray of shape (n_clusters, n_features)
        Means.
    labels_ : ndarray of shape (n_samples,)
        Nearest mean of each row.
    cost_ : float
        Mean squared distance.
    n_iter_ : int
        Number of rounds.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns.
    """

    _parameter_constraints = {  # noqa: RUF012
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": ["array-like", None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "callbacks": [list, None],
    }

    def __init__(
        self, n_clusters=3, *, init=None, max_iter=20, tol=0.0, random_state=None, n_jobs=None, callbacks=None
    ):
        self.n_clusters = n_clusters
        self.init = init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.callbacks = callbacks

    # Each step is a method, so that the broken toys can replace it.

    def fit(self, X, y=None, sample_weight=None):
        """Fit."""
        before = vars(self).copy()
        try:
            return self._fit(X, sample_weight)
        except BaseException:
            self._undo(before)
            raise

    def _undo(self, before):
        vars(self).clear()
        vars(self).update(before)

    def _fit(self, X, sample_weight):
        self._check_parameters()
        X = self._check(X, reset=True)
        weights = self._check_weights(sample_weight, X)
        if len(X) < self.n_clusters:
            raise ValueError(f"n_samples={len(X)} should be >= n_clusters={self.n_clusters}.")
        Z = self._values(X)
        centers = self._first_centers(Z)
        for _ in range(self.max_iter):
            labels = self._nearest(Z, centers)
            means = [self._mean(Z[labels == k], weights[labels == k]) for k in range(len(centers))]
            centers = np.array([c if m is None else m for c, m in zip(centers, means)])
            for callback in self.callbacks or []:
                callback.on_iteration(None)
        self.centers_ = centers.astype(X.dtype)
        self.labels_ = self._nearest(Z, centers)
        distances = np.square(Z - centers[self.labels_]).sum(axis=1)
        self.cost_ = float((distances * weights).sum() / weights.sum())
        self.n_iter_ = self.max_iter
        self._check_result()
        return self

    def _check_parameters(self):
        self._validate_params()
        if self.n_jobs == 0:
            raise ValueError("n_jobs == 0 has no meaning")

    def _check(self, X, reset):
        X = validate_data(self, X, reset=reset, accept_sparse=True, dtype=[np.float64, np.float32])
        return self._dense(X)

    def _dense(self, X):
        return X.toarray() if sp.issparse(X) else X

    def _values(self, X):
        return np.array(X, dtype=np.float64, order="C")

    def _check_weights(self, sample_weight, X):
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
        if weights.min() < 0:
            raise ValueError("Negative values in data passed to `sample_weight`")
        return weights

    def _first_centers(self, Z):
        if self.init is not None:
            return check_array(self.init, dtype=np.float64)
        rows = self._generator().choice(len(Z), self.n_clusters, replace=False)
        return Z[rows]

    def _generator(self):
        return check_random_state(self.random_state)

    def _mean(self, Z, weights):
        total = weights.sum()
        return weights @ Z / total if total > 0 else None

    def _nearest(self, Z, centers):
        return self._distances(Z, centers).argmin(axis=1)

    def _distances(self, Z, centers):
        return np.stack([np.sqrt(np.square(Z - c).sum(axis=1)) for c in centers], axis=1)

    def _check_result(self):
        if not (np.isfinite(self.centers_).all() and np.isfinite(self.cost_)):
            raise ValueError("The values of X are too large: a sum has overflowed.")
        with np.errstate(all="ignore"):
            if not np.isfinite(np.abs(self.centers_).sum().astype(np.float64) ** 2):
                raise ValueError("The values of X are too large: a sum has overflowed.")

    def predict(self, X):
        """Nearest mean."""
        check_is_fitted(self)
        X = self._check(X, reset=False)
        return self._nearest(self._values(X), self.centers_)

    def transform(self, X):
        """Distances."""
        check_is_fitted(self)
        X = self._check(X, reset=False)
        return self._distances(self._values(X), self.centers_).astype(X.dtype)

    def fit_transform(self, X, y=None, sample_weight=None):
        """Fit, then transform."""
        return self.fit(X, sample_weight=sample_weight).transform(X)

    def fit_predict(self, X, y=None, sample_weight=None):
        """Fit, then the labels."""
        return self.fit(X, sample_weight=sample_weight).labels_

    def score(self, X, y=None):
        """Minus the mean distance."""
        return -float(np.float64(self.transform(X)).min(axis=1).mean())

    @property
    def _n_features_out(self):
        return len(self.centers_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


#: check name -> classes that it must refuse, and how
BROKEN: dict[str, list[tuple[type[Toy], type[Exception]]]] = {}


def breaks(*checks: str, error: type[Exception] = AssertionError) -> Callable[[type[Toy]], type[Toy]]:
    """`error`: what the check ends with; not AssertionError where the toy's own exception is let through."""

    def register(cls: type[Toy]) -> type[Toy]:
        for name in checks:
            BROKEN.setdefault(name, []).append((cls, error))
        cls.__doc__ = cls.__doc__ or Toy.__doc__
        return cls

    return register
