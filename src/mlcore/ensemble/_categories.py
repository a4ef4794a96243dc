"""Categorical columns: which they are, and the numbers that stand for their values.

A *code* is the place of a value among the sorted values that the column had in ``fit``, 0 ... K - 1; a
missing or unknown value has the code NaN. The tables of values are kept in the model as arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import OrdinalEncoder
from sklearn.utils import _safe_indexing, check_array

__all__ = ["CategoryCodes", "categorical_columns"]

_CATEGORY_TYPES = frozenset({"CategoricalDtype", "Categorical", "Enum", "DictionaryType"})
_FLOATS = [np.float64, np.float32]


def _column_types(X: Any) -> list[Any] | None:
    """The types of a table's columns (pandas, polars, pyarrow); None when X is no table."""
    if not hasattr(X, "columns") or not hasattr(X, "shape"):
        return None
    types = getattr(X, "dtypes", None)
    if types is None:
        types = getattr(getattr(X, "schema", None), "types", None)
    return None if types is None else list(types)


def _is_category(dtype: Any) -> bool:
    return type(dtype).__name__ in _CATEGORY_TYPES or getattr(dtype, "__name__", "") in _CATEGORY_TYPES


def _column_names(X: Any) -> list[Any] | None:
    columns = getattr(X, "columns", None)
    if columns is None:
        return None
    return list(getattr(X, "column_names", columns))


def categorical_columns(X: Any, chosen: Any) -> npt.NDArray[np.bool_] | None:
    """Mask of the categorical columns, or None when there are none.

    Parameters
    ----------
    X : array-like or table
        As given to ``fit``, before any conversion.
    chosen : None, 'from_dtype', or array-like of bool, int or str
        The parameter ``categorical_features``.

    Raises
    ------
    ValueError
        With scikit-learn's words when the choice makes no sense for X.
    """
    if chosen is None:
        return None
    if isinstance(chosen, str) and chosen == "from_dtype":
        types = _column_types(X)
        mask = None if types is None else np.array([_is_category(dtype) for dtype in types], dtype=bool)
        return mask if mask is not None and mask.any() else None
    names = np.asarray(chosen)
    if names.size == 0:
        return None
    if names.dtype.kind not in "ibUO":
        raise ValueError(
            f"categorical_features must be an array-like of bool, int or str, got: {names.dtype.name}."
        )
    if names.dtype.kind == "O":
        types_found = {type(name) for name in names}
        if types_found != {str}:
            raise ValueError(
                "categorical_features must be an array-like of bool, int or str, got: "
                f"{', '.join(sorted(found.__name__ for found in types_found))}."
            )
    n_features = np.shape(X)[1] if not hasattr(X, "shape") else X.shape[1]
    mask = _mask_of(names, int(n_features), _column_names(X))
    return mask if mask.any() else None


def _mask_of(names: npt.NDArray[Any], n_features: int, columns: list[Any] | None) -> npt.NDArray[np.bool_]:
    if names.dtype.kind == "b":
        if names.shape != (n_features,):
            raise ValueError(
                "categorical_features set as a boolean mask must have shape (n_features,), got: "
                f"{names.shape}"
            )
        return names.astype(bool)
    mask = np.zeros(n_features, dtype=bool)
    if names.dtype.kind == "i":
        if names.max() >= n_features or names.min() < 0:
            raise ValueError("categorical_features set as integer indices must be in [0, n_features - 1]")
        mask[names] = True
        return mask
    if columns is None:
        raise ValueError(
            "categorical_features should be passed as an array of integers or as a boolean mask when the "
            "model is fitted on data without feature names."
        )
    for name in names:
        if name not in columns:
            raise ValueError(
                f"categorical_features has an item value '{name}' which is not a valid feature name of the "
                f"training data. Observed feature names: {columns}"
            )
        mask[columns.index(name)] = True
    return mask


class CategoryCodes:
    """The values of the categorical columns, and the codes that stand for them.

    Parameters
    ----------
    is_categorical : ndarray of shape (n_features,), bool
        Which columns are categorical; at least one.
    """

    def __init__(self, is_categorical: npt.NDArray[np.bool_]) -> None:
        self.is_categorical = is_categorical
        self.categories: list[npt.NDArray[Any]] = []
        #: Of each categorical column: the group of each code, or None where codes are as they are.
        self.groups: list[npt.NDArray[np.int32] | None] = []
        self._encoder: OrdinalEncoder | None = None

    def fit_transform(self, X: Any, max_categories: int | None) -> npt.NDArray[Any]:
        """Learn the values; the matrix with codes in the categorical columns, in column-major order.

        Columns of more than ``max_categories`` values raise a ValueError; None for no limit.
        """
        X = _as_table(X)
        self._encoder = self._new_encoder("auto")
        codes = self._encoder.fit_transform(self._values(X))
        self.categories = [_without_missing(found) for found in self._encoder.categories_]
        self.groups = [None] * len(self.categories)
        for place, found in zip(self._places(True), self.categories):
            if max_categories is not None and found.size > max_categories:
                names = _column_names(X)
                name = f"at index {place}" if names is None else repr(names[place])
                raise ValueError(
                    f"Categorical feature {name} is expected to have a cardinality <= {max_categories} but "
                    f"actually has a cardinality of {found.size}."
                )
        return self._assemble(X, codes)

    def transform(self, X: Any) -> npt.NDArray[Any]:
        """The matrix with codes in the categorical columns; values not seen in ``fit`` become NaN."""
        X = _as_table(X)
        assert self._encoder is not None
        codes = self._encoder.transform(self._values(X))
        matrix = self._assemble(X, codes)
        self.put_groups(matrix)
        return matrix

    def put_groups(self, matrix: npt.NDArray[Any]) -> None:
        """Put groups in the place of codes, where there are any."""
        for place, groups in zip(self._places(True), self.groups):
            if groups is not None:
                codes = matrix[:, place]
                known = ~np.isnan(codes)
                codes[known] = groups[codes[known].astype(np.intp)]

    def numerous(self, most: int) -> list[tuple[int, int]]:
        """Number among the categorical columns, and column of X, of those with more values than ``most``."""
        return [
            (k, int(place)) for k, place in enumerate(self._places(True)) if self.categories[k].size > most
        ]

    @classmethod
    def from_categories(
        cls,
        is_categorical: npt.NDArray[np.bool_],
        categories: list[npt.NDArray[Any]],
        names: npt.NDArray[Any] | None,
        groups: list[npt.NDArray[np.int32] | None] | None = None,
    ) -> CategoryCodes:
        """The same tables again, from a saved model; ``names`` are those of all columns."""
        codes = cls(is_categorical)
        codes.categories = categories
        codes.groups = [None] * len(categories) if groups is None else groups
        codes._encoder = cls._new_encoder([found if found.size else np.array([0.0]) for found in categories])
        example = np.empty((1, len(categories)), dtype=object)
        for j, found in enumerate(categories):
            example[0, j] = found[0] if found.size else 0.0
        codes._encoder.fit(example)
        # The example has made objects of numbers.
        codes._encoder.categories_ = [found if found.size else np.array([0.0]) for found in categories]
        if names is not None:
            codes._encoder.feature_names_in_ = names[is_categorical]
        return codes

    def counts(self) -> npt.NDArray[np.int32]:
        """Number of values (or groups of them) of each column of X; 0 for numeric ones."""
        counts = np.zeros(self.is_categorical.size, dtype=np.int32)
        # A column whose values are all missing still is categorical.
        counts[self.is_categorical] = [
            max(found.size, 1) if groups is None else int(groups.max()) + 1
            for found, groups in zip(self.categories, self.groups)
        ]
        return counts

    @staticmethod
    def _new_encoder(categories: Any) -> OrdinalEncoder:
        return OrdinalEncoder(
            categories=categories,
            handle_unknown="use_encoded_value",
            unknown_value=np.nan,
            encoded_missing_value=np.nan,
            dtype=np.float64,
        )

    def _places(self, categorical: bool) -> npt.NDArray[np.intp]:
        return np.flatnonzero(self.is_categorical == categorical)

    def _values(self, X: Any) -> Any:
        """The categorical columns; negative numbers in an array of numbers are missing values."""
        values = _safe_indexing(X, self._places(True), axis=1)
        if isinstance(values, np.ndarray) and values.dtype.kind in "if" and (values < 0).any():
            values = values.astype(np.float64)
            values[values < 0] = np.nan
        return values

    def _assemble(self, X: Any, codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
        numeric = self._places(False)
        if numeric.size == 0:
            return np.asfortranarray(codes)
        floats = check_array(_safe_indexing(X, numeric, axis=1), dtype=_FLOATS, ensure_all_finite=False)
        matrix = np.empty((codes.shape[0], self.is_categorical.size), dtype=floats.dtype, order="F")
        matrix[:, numeric] = floats
        matrix[:, self._places(True)] = codes
        return matrix


def _as_table(X: Any) -> Any:
    """Tables as they are, everything else as an array of whatever type it has."""
    if _column_types(X) is not None:
        return X
    return check_array(X, dtype=None, ensure_all_finite=False)


def _without_missing(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The encoder puts None and NaN last."""
    while values.size and (values[-1] is None or values[-1] != values[-1]):
        values = values[:-1]
    return values
