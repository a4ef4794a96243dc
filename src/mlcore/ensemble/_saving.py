"""A model as JSON: plain numbers, strings and lists with a version, readable without running code."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .._version import __version__
from ._categories import CategoryCodes
from ._tree_arrays import TreeList

__all__ = ["model_from_json", "model_to_json"]

FORMAT = "mlcore.hist_gradient_boosting"
#: Raised when a reader of the old version would misread the new files.
VERSION = 3
#: What a reader of version 1 does not understand: groups of categories.
_WITH_GROUPS = 2
#: What a reader of version 2 does not understand: linear leaves.
_WITH_LINES = 3

_M = TypeVar("_M")


def _values(array: npt.NDArray[Any]) -> dict[str, Any]:
    """An array of labels or categories with its type."""
    if array.dtype.kind not in "biufUO":
        raise TypeError(f"Values of type {array.dtype} cannot be saved as JSON.")
    values = array.tolist()
    if array.dtype.kind == "O" and not all(isinstance(v, (str, int, float, bool)) for v in values):
        raise TypeError("Labels and categories of a model saved as JSON must be strings or numbers.")
    return {"dtype": array.dtype.str, "values": values}


def _array(saved: dict[str, Any]) -> npt.NDArray[Any]:
    return np.array(saved["values"], dtype=np.dtype(saved["dtype"]))


def _parameter(name: str, value: Any) -> Any:
    if isinstance(value, (np.bool_, np.integer, np.floating)):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_parameter(name, one) for one in value]
    if isinstance(value, dict):
        return {str(key): _parameter(name, one) for key, one in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"The parameter {name}={value!r} cannot be saved as JSON.")


def model_to_json(model: Any) -> dict[str, Any]:
    """Everything that predictions need, and the parameters; not the seeds (a generator has no JSON)."""
    parameters = model.get_params(deep=False)
    for not_data in ("callbacks", "random_state", "scoring"):
        if not isinstance(parameters.get(not_data), (int, str)):
            parameters.pop(not_data, None)
    saved: dict[str, Any] = {
        "format": FORMAT,
        "version": _WITH_LINES if model._trees.is_linear else 1,
        "written_by": f"mlcore {__version__}",
        "class": type(model).__name__,
        "parameters": {name: _parameter(name, value) for name, value in parameters.items()},
        "n_features": model.n_features_in_,
        "n_outputs": model.n_trees_per_iteration_,
        "baseline": model._baseline.tolist(),
        "train_score": model.train_score_.tolist(),
        "validation_score": model.validation_score_.tolist(),
        "do_early_stopping": model.do_early_stopping_,
        "trees": model._trees.to_json(),
    }
    if hasattr(model, "feature_names_in_"):
        saved["feature_names"] = list(model.feature_names_in_)
    if hasattr(model, "classes_"):
        saved["classes"] = _values(model.classes_)
    if model._codes is not None:
        saved["is_categorical"] = model.is_categorical_.tolist()
        saved["categories"] = [_values(found) for found in model._codes.categories]
        if any(groups is not None for groups in model._codes.groups):
            saved["version"] = max(saved["version"], _WITH_GROUPS)
            saved["groups"] = [None if g is None else g.tolist() for g in model._codes.groups]
    return saved


def model_from_json(cls: type[_M], saved: Any) -> _M:
    """The inverse of :func:`model_to_json`."""
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise ValueError("The file is not a gradient boosting model of mlcore.")
    if saved["version"] > VERSION:
        raise ValueError(
            f"The file has format version {saved['version']}, written by {saved['written_by']}; this "
            f"version of mlcore reads up to {VERSION}."
        )
    if saved["class"] != cls.__name__:
        raise ValueError(f"The file holds a {saved['class']}, not a {cls.__name__}.")
    model: Any = cls(**saved["parameters"])
    model.n_features_in_ = saved["n_features"]
    model.n_trees_per_iteration_ = saved["n_outputs"]
    model._baseline = np.array(saved["baseline"], dtype=np.float64)
    model.train_score_ = np.array(saved["train_score"], dtype=np.float64)
    model.validation_score_ = np.array(saved["validation_score"], dtype=np.float64)
    model.do_early_stopping_ = saved["do_early_stopping"]
    model._trees = TreeList.from_json(saved["n_outputs"], saved["trees"])
    if "feature_names" in saved:
        model.feature_names_in_ = np.array(saved["feature_names"], dtype=object)
    if "classes" in saved:
        model.classes_ = _array(saved["classes"])
    model.is_categorical_, model._codes = None, None
    if "categories" in saved:
        model.is_categorical_ = np.array(saved["is_categorical"], dtype=bool)
        categories = [_array(found) for found in saved["categories"]]
        groups = [
            None if found is None else np.array(found, dtype=np.int32)
            for found in saved.get("groups", [None] * len(categories))
        ]
        model._codes = CategoryCodes.from_categories(
            model.is_categorical_, categories, getattr(model, "feature_names_in_", None), groups
        )
    model._loss = model._make_loss()
    restored: _M = model
    return restored
