"""Target statistics of the rows before (requirement 12.17)."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.preprocessing import OrdinalEncoder
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from .._validation import atomic_fit, validate_parameters

__all__ = ["OrderedTargetEncoder"]


class OrderedTargetEncoder(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    r"""Replace categories by target means without showing a row its own target.

    The rows are put into a random order :math:`\sigma`. In ``fit_transform`` row i sees only rows before it:

    .. math:: \hat x_i = \frac{\sum_{j : \sigma_j < \sigma_i,\, x_j = x_i} y_j + a p}
                              {\#\{j : \sigma_j < \sigma_i,\, x_j = x_i\} + a}

    where p is the mean of y, and a is ``smooth`` [1]_. A mean over all rows would contain :math:`y_i`: a
    model trained on it takes a column of random categories for a perfect predictor. ``transform``, for new
    rows, uses all training rows.

    Parameters
    ----------
    smooth : float, default=1.0
        a, the weight of the prior p in rows; positive.
    n_permutations : int, default=1
        Number of random orders; the encodings are averaged, which lowers the noise of the first rows.
    target_type : {'auto', 'continuous', 'binary'}, default='auto'
        'binary' encodes the share of the greater of two classes. 'auto' takes two distinct labels for binary
        and numbers for continuous.
    random_state : int, RandomState instance or None, default=None
        Source of the orders.

    Attributes
    ----------
    categories_ : list of ndarray
        The categories of each column, sorted; a missing value is one of them.
    encodings_ : list of ndarray of float64
        What ``transform`` gives for each.
    target_mean_ : float
        p.
    target_type_ : str
        'continuous' or 'binary'.
    classes_ : ndarray of shape (2,)
        The labels; only for a binary target.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when ``X`` has names that are all strings.

    Notes
    -----
    ``fit(X, y).transform(X)`` is not ``fit_transform(X, y)``: the first is for looking at the means, the
    second for training. A ``Pipeline`` calls the right one by itself.

    References
    ----------
    .. [1] L. Prokhorenkova et al., "CatBoost: unbiased boosting with categorical features", NeurIPS 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.preprocessing import OrderedTargetEncoder
    >>> X = np.array([["a"], ["b"], ["a"], ["a"]], dtype=object)
    >>> y = np.array([1.0, 0.0, 0.0, 1.0])
    >>> encoder = OrderedTargetEncoder(smooth=1.0, random_state=0).fit(X, y)
    >>> encoder.transform([["a"], ["b"], ["unseen"]])
    array([[0.625],
           [0.25 ],
           [0.5  ]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "smooth": [Interval(Real, 0, None, closed="neither")],
        "n_permutations": [Interval(Integral, 1, None, closed="left")],
        "target_type": [StrOptions({"auto", "continuous", "binary"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        smooth: float = 1.0,
        n_permutations: int = 1,
        target_type: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.smooth = smooth
        self.n_permutations = n_permutations
        self.target_type = target_type
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> OrderedTargetEncoder:
        """Learn the means over all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Categories: strings or numbers.
        y : array-like of shape (n_samples,)
            Numbers, or labels of two classes.

        Returns
        -------
        self : OrderedTargetEncoder
        """
        self._learn(X, y)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> npt.NDArray[np.float64]:
        """Learn, and encode each row from the rows before it in a random order.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Categories: strings or numbers.
        y : array-like of shape (n_samples,)
            Numbers, or labels of two classes.

        Returns
        -------
        encoded : ndarray of shape (n_samples, n_features), float64
        """
        codes, target = self._learn(X, y)
        generator = check_random_state(self.random_state)
        encoded = np.zeros(codes.shape)
        for _ in range(self.n_permutations):
            order = generator.permutation(target.size)
            for j in range(codes.shape[1]):
                encoded[order, j] += self._before(codes[order, j], target[order])
        encoded /= self.n_permutations
        return encoded

    def _before(
        self, codes: npt.NDArray[np.int64], target: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """The formula for rows that are in order already."""
        by_code = np.argsort(codes, kind="stable")
        grouped, y = codes[by_code], target[by_code]
        begins = np.flatnonzero(np.append(True, grouped[1:] != grouped[:-1]))
        lengths = np.diff(np.append(begins, grouped.size))
        rank = np.arange(grouped.size) - np.repeat(begins, lengths)
        sums = np.cumsum(y) - y
        sums -= np.repeat(sums[begins], lengths)
        result = np.empty(grouped.size)
        result[by_code] = (sums + self.smooth * self.target_mean_) / (rank + self.smooth)
        return result

    @atomic_fit
    def _learn(self, X: Any, y: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        validate_parameters(self)
        X = self._categories_of(X, reset=True)
        target = self._numbers_of(y)
        check_consistent_length(X, target)
        self._codes = OrdinalEncoder(
            dtype=np.int64, handle_unknown="use_encoded_value", unknown_value=-2, encoded_missing_value=-1
        )
        codes: npt.NDArray[np.int64] = self._codes.fit_transform(X)
        self.categories_ = list(self._codes.categories_)
        self.target_mean_ = float(target.mean())
        self.encodings_ = []
        for j, categories in enumerate(self.categories_):
            missing = codes[:, j] == -1
            codes[missing, j] = len(categories) - 1  # the encoder puts it last among the categories
            counts = np.bincount(codes[:, j], minlength=len(categories))
            sums = np.bincount(codes[:, j], weights=target, minlength=len(categories))
            self.encodings_.append((sums + self.smooth * self.target_mean_) / (counts + self.smooth))
        return codes, target

    def _categories_of(self, X: Any, *, reset: bool) -> Any:
        return validate_data(self, X, reset=reset, dtype=None, ensure_all_finite="allow-nan")

    def _numbers_of(self, y: Any) -> npt.NDArray[np.float64]:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        y = column_or_1d(y, warn=True)
        if y.dtype.kind == "f" and not np.isfinite(y).all():
            raise ValueError("Input y contains NaN or infinity.")
        kind = self.target_type
        if kind == "auto":
            found = type_of_target(y, input_name="y")
            numbers = np.asarray(y).dtype.kind in "iufb"
            if found == "binary":
                kind = "binary"
            elif found in ("continuous", "multiclass") and numbers:
                kind = "continuous"
            else:
                raise ValueError(f"Unknown label type: the target is {found}, not numbers or two classes.")
        self.target_type_ = kind
        vars(self).pop("classes_", None)
        if kind == "binary":
            classes, coded = np.unique(y, return_inverse=True)
            if classes.size > 2:
                raise ValueError(f"A binary target has at most 2 classes, got {classes.size}.")
            self.classes_ = classes
            greater: npt.NDArray[np.float64] = (coded == classes.size - 1).astype(np.float64)
            return greater
        values: npt.NDArray[np.float64] = np.asarray(y, dtype=np.float64)
        return values

    def transform(self, X: Any) -> npt.NDArray[np.float64]:
        """Encode by the means over all training rows; a category that was not seen gets their mean.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Categories.

        Returns
        -------
        encoded : ndarray of shape (n_samples, n_features), float64
        """
        check_is_fitted(self)
        codes = self._codes.transform(self._categories_of(X, reset=False))
        encoded = np.full(codes.shape, self.target_mean_)
        for j, encodings in enumerate(self.encodings_):
            known = codes[:, j] >= 0
            encoded[known, j] = encodings[codes[known, j]]
            missing = codes[:, j] == -1
            encoded[missing, j] = encodings[-1] if missing.any() else 0.0
        return encoded

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        # fit_transform is meant to differ from transform, and this is the tag that says so.
        tags.non_deterministic = True
        return tags
