"""Toys of other signatures: sequences of symbols with lengths, and a classifier."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from cases import Case
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data


def three_symbols(X):
    return np.abs(np.round(X[:, :1] / 10)).astype(np.int64) % 3


def sequences_of_ten(rows):
    return {"lengths": [10] * (rows // 10) + [rows % 10] * (rows % 10 > 0)}


class _Toy(BaseEstimator):
    def fit(self, X, y=None, **more):
        before = vars(self).copy()
        try:
            self._validate_params()
            return self._fit(X, y, **more)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise


class MarkovChain(_Toy):
    """Frequencies of pairs of neighbours in sequences of symbols.

    Parameters
    ----------
    prior : float, default=1.0
        Added to every count.

    Attributes
    ----------
    transmat_ : ndarray of shape (n_symbols, n_symbols)
        Probability of each pair.
    n_features_in_ : int
        Number of columns, 1.
    feature_names_in_ : ndarray of shape (1,)
        Names of the columns.
    """

    _parameter_constraints = {"prior": [Interval(Real, 0, None, closed="neither")]}  # noqa: RUF012

    def __init__(self, prior=1.0):
        self.prior = prior

    def fit(self, X, y=None, lengths=None, sample_weight=None):
        """Fit; weights are one for each sequence."""
        return super().fit(X, lengths=lengths, weights=sample_weight)

    def _fit(self, X, y, lengths, weights):
        symbols = self._symbols(X, reset=True)
        starts = self._starts(symbols, lengths)
        weights = np.ones(len(starts)) if weights is None else np.asarray(weights)
        if weights.shape != (len(starts),):
            raise ValueError("one weight for each sequence, please")
        size = int(symbols.max()) + 1
        counts = np.full((size, size), float(self.prior))
        for start, stop, weight in zip(starts, [*starts[1:], len(symbols)], weights):
            np.add.at(counts, (symbols[start : stop - 1], symbols[start + 1 : stop]), weight)
        self.transmat_ = counts / counts.sum(axis=1, keepdims=True)
        return self

    def _symbols(self, X, reset):
        X = validate_data(self, X, reset=reset, dtype="numeric")
        if X.dtype.kind == "f":
            raise ValueError("Symbols should be integers: could not convert string to float")
        if X.shape[1] != 1 or X.min() < 0:
            raise ValueError("Symbols should be one column of integers >= 0")
        return X[:, 0].astype(np.int64)

    def _starts(self, symbols, lengths):
        if lengths is None:
            raise ValueError("this toy insists on lengths")
        if sum(lengths) != len(symbols):
            raise ValueError(f"lengths add up to {sum(lengths)}, X has {len(symbols)} rows")
        return np.cumsum([0, *lengths[:-1]])

    def predict(self, X, lengths=None):
        """The likeliest next symbol after each."""
        check_is_fitted(self)
        symbols = self._symbols(X, reset=False)
        self._starts(symbols, lengths)
        return self.transmat_.argmax(axis=1)[symbols]

    def score(self, X, y=None, lengths=None):
        """Log-probability of all neighbours."""
        check_is_fitted(self)
        symbols = self._symbols(X, reset=False)
        logs = np.log(self.transmat_[symbols[:-1], symbols[1:]])
        logs[self._starts(symbols, lengths)[1:] - 1] = 0.0
        return float(logs.sum())


class NearestMean(ClassifierMixin, _Toy):
    """Class of the nearest mean.

    Parameters
    ----------
    max_iter : int, default=1
        Has no effect.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes.
    means_ : ndarray of shape (n_classes, n_features)
        Means.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns.
    """

    _parameter_constraints = {"max_iter": [Interval(Integral, 1, None, closed="left")]}  # noqa: RUF012

    def __init__(self, max_iter=1):
        self.max_iter = max_iter

    def fit(self, X, y, sample_weight=None):
        """Fit."""
        return super().fit(X, y, sample_weight=sample_weight)

    def _fit(self, X, y, sample_weight):
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
        if weights.min() < 0:
            raise ValueError("Negative values in data passed to `sample_weight`")
        if not weights.any():
            raise ValueError("all weights are zero")
        self.classes_ = np.unique(y[weights > 0])
        groups = [(weights > 0) & (y == c) for c in self.classes_]
        with np.errstate(all="ignore"):
            means = [np.average(X[rows], axis=0, weights=weights[rows]) for rows in groups]
            self.means_ = np.array(means, dtype=np.float64)
            if not np.isfinite(np.square(self.means_)).all():
                raise ValueError("The values of X are too large: a sum has overflowed.")
        return self

    def predict(self, X):
        """Nearest mean."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        distances = [np.square(X - mean).sum(axis=1) for mean in self.means_]
        return self.classes_[np.argmin(distances, axis=0)]


NOTHING_LONG = {"control_c": "one pass over the rows: no arguments make it last a minute"}

CHAIN = Case(
    data=three_symbols,
    dtypes=(np.int64, np.int32),
    reals=False,
    any_width=False,
    fit_arguments=sequences_of_ten,
    answer_arguments=sequences_of_ten,
    weights_of_rows=False,
    without=NOTHING_LONG | {"answers_do_not_depend_on_the_batch": "rows of a sequence belong together"},
)
SUPERVISED = Case(without=NOTHING_LONG)
#: for processes that know a toy by its name only
CASES = {"MarkovChain": CHAIN, "NearestMean": SUPERVISED}
