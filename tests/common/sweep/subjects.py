"""One face for estimators and functions: run(X, y, weights, **arguments) -> named results."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cases
import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.utils import get_tags

Results = dict[str, Any]
METHODS = ("predict", "transform", "predict_proba", "predict_log_proba", "decision_function", "score_samples")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings: that a cheap fit did not converge is not what the sweep is about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def blobs(rows: int = 90, features: int = 4, seed: int = 0, spread: float = 1.0) -> np.ndarray:
    """Three well separated groups: rounding cannot change which row belongs where."""
    rng = np.random.default_rng(seed)
    # 10 units between centres. Multiples of 1/64, so that sums of a few of them are exact.
    centers = 10.0 * np.array([[(i >> (j % 3)) & 1 for j in range(features)] for i in (1, 2, 4)], dtype=float)
    X = centers[np.arange(rows) % 3] + spread * np.clip(rng.standard_normal((rows, features)), -2.5, 2.5)
    return np.round(X * 64) / 64


def targets(X: Any, kind: str) -> np.ndarray | None:
    """A target of the first columns that a model can learn; None when the kind wants none."""
    if kind == "none":
        return None
    X = np.nan_to_num(np.asarray(X.toarray() if sp.issparse(X) else X, dtype=float))
    if kind == "regression":
        return X @ np.arange(1, X.shape[1] + 1)
    order = np.argsort(np.argsort(X[:, 0], kind="stable"), kind="stable")
    return order * 2 // max(len(order), 1)


class Subject:
    """What is swept. `case` is its entry in cases.CASES."""

    def __init__(self, name: str, thing: Any, case: cases.Case | None = None) -> None:
        self.name = name
        self.thing = thing
        self.case = case if case is not None else cases.CASES.get(name, cases.Case())
        callee = thing.__init__ if inspect.isclass(thing) else thing
        self.parameters = [p for p in inspect.signature(callee).parameters if p not in ("self", "X", "y")]

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        return type(self), (self.name, self.thing, self.case)

    def arguments(self, more: Mapping[str, Any] = {}) -> dict[str, Any]:
        known = {name: value for name, value in cases.DEFAULTS.items() if name in self.parameters}
        return known | dict(self.case.params) | dict(more)

    def big(self) -> dict[str, Any]:
        known = {name: value for name, value in cases.BIG.items() if name in self.parameters}
        return self.arguments(known | dict(self.case.big))

    def long(self) -> dict[str, Any]:
        known = {name: value for name, value in cases.LONG.items() if name in self.parameters}
        return self.arguments(known | dict(self.case.long))

    @property
    def is_estimator(self) -> bool:
        return inspect.isclass(self.thing)

    # overridden below
    takes_weights = False
    takes_sparse = False
    keeps_float32 = False
    allows_nan = False
    target = "none"

    def run(self, X: Any, y: Any = None, sample_weight: Any = None, **arguments: Any) -> Results:
        raise NotImplementedError


class EstimatorSubject(Subject):
    """A class: fit, then all public attributes and the answers of all methods."""

    def make(self, **arguments: Any) -> Any:
        return self.thing(**self.arguments(arguments))

    def __init__(self, name: str, thing: type[BaseEstimator], case: cases.Case | None = None) -> None:
        super().__init__(name, thing, case)
        example = self.make()
        tags = get_tags(example)
        self.takes_weights = "sample_weight" in inspect.signature(example.fit).parameters
        self.takes_sparse = bool(tags.input_tags.sparse)
        self.allows_nan = bool(tags.input_tags.allow_nan)
        self.keeps_float32 = bool(
            tags.transformer_tags and "float32" in tags.transformer_tags.preserves_dtype
        )
        if is_classifier(example):
            self.target = "classes"
        elif is_regressor(example) or tags.target_tags.required:
            self.target = "regression"

    def fit(self, estimator: Any, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        if y is None:
            y = targets(X, self.target)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        with quiet():
            return estimator.fit(X, **weights) if y is None else estimator.fit(X, y, **weights)

    def run(self, X: Any, y: Any = None, sample_weight: Any = None, **arguments: Any) -> Results:
        estimator = self.fit(self.make(**arguments), X, y, sample_weight)
        return self.results(estimator, X)

    def results(self, estimator: Any, X: Any) -> Results:
        return fitted_attributes(estimator) | self.answers(estimator, X)

    def answers(self, estimator: Any, X: Any) -> Results:
        """What the methods say of X, and score."""
        answers = {}
        with quiet():
            for method in METHODS:
                if hasattr(estimator, method):
                    answers[f"{method}()"] = getattr(estimator, method)(X)
            if hasattr(estimator, "score"):
                y = targets(X, self.target)
                answers["score()"] = estimator.score(X) if y is None else estimator.score(X, y)
        return answers


class FunctionSubject(Subject):
    """A function of X: what it returns."""

    def __init__(self, name: str, thing: Callable[..., Any], case: cases.Case | None = None) -> None:
        super().__init__(name, thing, case)
        self.takes_weights = "sample_weight" in self.parameters
        self.takes_sparse = True

    def run(self, X: Any, y: Any = None, sample_weight: Any = None, **arguments: Any) -> Results:
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        with quiet():
            returned = self.thing(X, **self.arguments(arguments), **weights)
        if not isinstance(returned, tuple):
            returned = (returned,)
        return {f"result[{i}]": value for i, value in enumerate(returned)}


def subject(name: str, thing: Any, case: cases.Case | None = None) -> Subject:
    return (EstimatorSubject if inspect.isclass(thing) else FunctionSubject)(name, thing, case)


def fitted_attributes(estimator: Any) -> Results:
    """Public attributes that fit has set."""
    return {name: value for name, value in vars(estimator).items() if name.endswith("_") and name[0] != "_"}


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Arrays, numbers and strings inside any nest of containers, sparse matrices, data frames and objects."""
    if isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield from flatten(value[key], f"{path}[{key!r}]" if path else str(key))
    elif sp.issparse(value):
        value = value.tocsr().copy()
        value.sum_duplicates()
        yield from flatten({"data": value.data, "indices": value.indices, "indptr": value.indptr}, path)
    elif (isinstance(value, np.ndarray) and value.dtype == object) or isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from flatten(item, f"{path}[{i}]")
    elif hasattr(value, "to_numpy"):
        yield path, value.to_numpy()
    elif isinstance(
        value, np.ndarray | np.generic | int | float | complex | str | bytes | bool | None.__class__
    ):
        yield path, value
    elif callable(value) or isinstance(value, np.random.RandomState | np.random.Generator):
        yield path, type(value).__name__
    elif hasattr(value, "__dict__"):
        yield f"{path}.class", type(value).__name__
        yield from flatten(vars(value), f"{path}.vars")
    elif hasattr(value, "__slots__"):
        yield f"{path}.class", type(value).__name__
        yield from flatten({name: getattr(value, name, None) for name in value.__slots__}, f"{path}.vars")
    else:
        yield path, repr(value)


def differences(a: Results, b: Results, *, rtol: float = 0.0, values_only: bool = False) -> list[str]:
    """Where two sets of results differ.

    rtol=0: in any bit, type or shape. Otherwise floats may differ by rtol of the largest magnitude in their
    array, and iteration counts are left out. values_only lets dtypes differ too.
    """
    left, right = dict(flatten(a)), dict(flatten(b))
    found = [f"only in one: {path}" for path in sorted(left.keys() ^ right.keys())]
    for path in sorted(left.keys() & right.keys()):
        x, y = np.asarray(left[path]), np.asarray(right[path])
        if rtol and "n_iter_" in path:
            continue
        if x.shape != y.shape or (x.dtype != y.dtype and not values_only):
            found.append(f"{path}: {x.dtype}{x.shape} against {y.dtype}{y.shape}")
        elif rtol == 0.0 or x.dtype.kind not in "fc":
            same = np.array_equal(x, y) if values_only else x.tobytes() == y.tobytes()
            if not same and not (
                x.dtype.kind == "f" and values_only and np.array_equal(x, y, equal_nan=True)
            ):
                found.append(f"{path}: {x.ravel()[:4]} against {y.ravel()[:4]}")
        else:
            size = np.max(np.abs(y[np.isfinite(y)]), initial=0.0)
            if not np.allclose(x, y, rtol=rtol, atol=rtol * float(size), equal_nan=True):
                found.append(f"{path}: off by {np.max(np.abs(x - y))} of {size}")
    return found


def assert_same(a: Results, b: Results, what: str, *, rtol: float = 0.0, values_only: bool = False) -> None:
    found = differences(a, b, rtol=rtol, values_only=values_only)
    assert not found, f"{what}: results differ: " + "; ".join(found[:5])


def load(name: str) -> Subject:
    """The subject of this name in another process: `toys:Name` for the toys, a public name otherwise."""
    if name.startswith("toys:"):
        toys = importlib.import_module("toys")
        return subject(name, getattr(toys, name.removeprefix("toys:")), toys.CASE)
    from sweep import discover

    return subject(name, (discover.public_estimators() | discover.public_functions())[name])
