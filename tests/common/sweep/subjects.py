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


def noise(rows: int, features: int = 8, seed: int = 0) -> np.ndarray:
    """Rows without any structure, so that every rounding shows."""
    return np.random.default_rng(seed).uniform(size=(rows, features))


def row_count(X: Any) -> int:
    """Rows of whatever a check calls X; 0 where there are none to count."""
    shape = getattr(X, "shape", None)
    if shape is None:
        return len(X) if isinstance(X, list) else 0
    return int(shape[0]) if shape else 0


def _numbers(X: Any) -> np.ndarray:
    """X as a table of finite numbers; as many rows of zeros for an X that is none."""
    try:
        with quiet():
            table = np.asarray(X.toarray() if sp.issparse(X) else X).astype(float)
        if table.ndim == 2 and table.shape[1]:
            return np.clip(np.nan_to_num(table), -1e6, 1e6)
    except (TypeError, ValueError):
        pass
    return np.zeros((row_count(X), 1))


def targets(X: Any, kind: str) -> np.ndarray | None:
    """A target of the columns that a model can learn; None when the kind wants none.

    An X that must be refused gets a good target: the complaint has to be about X.
    """
    if kind == "none":
        return None
    X = _numbers(X)
    if kind in ("regression", "positive"):
        y = X @ np.arange(1.0, X.shape[1] + 1)
        return y if kind == "regression" else np.abs(y) + 0.5
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

    def given(self, X: np.ndarray, dtype: Any = None) -> np.ndarray:
        """Rows of real numbers as this subject takes them: its kind of values, its first dtype."""
        return np.ascontiguousarray(self.case.data(X)).astype(self.case.dtypes[0] if dtype is None else dtype)

    def blobs(self, *, dtype: Any = None, **shape: Any) -> np.ndarray:
        return self.given(blobs(**shape), dtype)

    def noise(self, *shape: int, seed: int = 0, dtype: Any = None) -> np.ndarray:
        return self.given(noise(*shape, seed=seed), dtype)

    def target_of(self, X: Any) -> np.ndarray | None:
        return targets(X, self.target)

    @property
    def target(self) -> str:
        return self.case.target or self.natural_target

    # overridden below
    takes_weights = False
    takes_sparse = False
    keeps_float32 = False
    allows_nan = False
    natural_target = "none"

    def run(self, X: Any, y: Any = None, sample_weight: Any = None, **arguments: Any) -> Results:
        raise NotImplementedError


class EstimatorSubject(Subject):
    """A class: fit, then all public attributes and the answers of all methods."""

    def make(self, **arguments: Any) -> Any:
        return self.thing(**self.arguments(arguments))

    def __init__(self, name: str, thing: type[BaseEstimator], case: cases.Case | None = None) -> None:
        super().__init__(name, thing, case)
        self.example = example = self.make()
        tags = get_tags(example)
        self.fit_parameters = [p for p in inspect.signature(example.fit).parameters if p not in ("X", "y")]
        self.takes_weights = "sample_weight" in self.fit_parameters and self.case.weights_of_rows
        self.takes_sparse = bool(tags.input_tags.sparse)
        self.allows_nan = bool(tags.input_tags.allow_nan)
        self.keeps_float32 = bool(
            tags.transformer_tags and "float32" in tags.transformer_tags.preserves_dtype
        )
        if is_classifier(example):
            self.natural_target = "classes"
        elif is_regressor(example) or tags.target_tags.required:
            self.natural_target = "regression"

    def fit(self, estimator: Any, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        if y is None:
            y = self.target_of(X)
        more = dict(self.case.fit_arguments(row_count(X)))
        if sample_weight is not None:
            more["sample_weight"] = sample_weight
        with quiet():
            return estimator.fit(X, **more) if y is None else estimator.fit(X, y, **more)

    def ask(self, estimator: Any, method: str, X: Any) -> Any:
        """estimator.method(X), with what else the method must get. Warnings are the caller's."""
        call = getattr(estimator, method)
        known = inspect.signature(call).parameters
        more = {k: v for k, v in self.case.answer_arguments(row_count(X)).items() if k in known}
        y = self.target_of(X) if method == "score" else None
        return call(X, **more) if y is None else call(X, y, **more)

    def methods(self, *more: str) -> list[str]:
        """The methods that answer questions, of those that an instance with these parameters has."""
        return [method for method in (*METHODS, *more) if hasattr(self.example, method)]

    def run(self, X: Any, y: Any = None, sample_weight: Any = None, **arguments: Any) -> Results:
        estimator = self.fit(self.make(**arguments), X, y, sample_weight)
        return self.results(estimator, X)

    def results(self, estimator: Any, X: Any) -> Results:
        return fitted_attributes(estimator) | self.answers(estimator, X)

    def answers(self, estimator: Any, X: Any) -> Results:
        """What the methods say of X, and score."""
        with quiet():
            return {
                f"{method}()": self.ask(estimator, method, X)
                for method in self.methods("score")
                if hasattr(estimator, method)
            }


class FunctionSubject(Subject):
    """A function of X: what it returns."""

    def __init__(self, name: str, thing: Callable[..., Any], case: cases.Case | None = None) -> None:
        super().__init__(name, thing, case)
        self.takes_weights = "sample_weight" in self.parameters and self.case.weights_of_rows
        self.takes_sparse = True
        self.wants_target = "y" in inspect.signature(thing).parameters

    def run(self, X: Any, y: Any = None, sample_weight: Any = None, **arguments: Any) -> Results:
        more = dict(self.case.fit_arguments(row_count(X)))
        if sample_weight is not None:
            more["sample_weight"] = sample_weight
        if self.wants_target:
            more["y"] = self.target_of(X) if y is None else y
        with quiet():
            returned = self.thing(X, **self.arguments(arguments), **more)
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
    elif isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 0:
        yield from flatten(value.item(), path)
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


def differences(
    a: Results,
    b: Results,
    *,
    rtol: float = 0.0,
    values_only: bool = False,
    residuals: Mapping[str, float] = {},
) -> list[str]:
    """Where two sets of results differ.

    rtol=0: in any bit, type or shape. Otherwise floats may differ by rtol of the largest magnitude in their
    array, and iteration counts are left out; what `residuals` names must be below its bound in both instead.
    values_only lets dtypes differ too.
    """
    left, right = dict(flatten(a)), dict(flatten(b))
    found = [f"only in one: {path}" for path in sorted(left.keys() ^ right.keys())]
    for path in sorted(left.keys() & right.keys()):
        x, y = np.asarray(left[path]), np.asarray(right[path])
        if rtol and "n_iter_" in path:
            continue
        if rtol and path in residuals:
            if not (np.abs(x) <= residuals[path]).all() or not (np.abs(y) <= residuals[path]).all():
                found.append(f"{path}: {x} and {y} are not below {residuals[path]}")
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


def assert_same(a: Results, b: Results, what: str, **how: Any) -> None:
    """Raises where differences(a, b, **how) finds some."""
    found = differences(a, b, **how)
    assert not found, f"{what}: results differ: " + "; ".join(found[:5])


def load(name: str) -> Subject:
    """The subject of this name in another process: `module:Name` for the toys, a public name otherwise."""
    if ":" in name:
        module, _, toy = name.partition(":")
        toys = importlib.import_module(module)
        return subject(name, getattr(toys, toy), toys.CASES.get(toy, toys.CASES.get("")))
    from sweep import discover

    return subject(name, (discover.public_estimators() | discover.public_functions())[name])
