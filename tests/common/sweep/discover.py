"""Finds what is public: BaseEstimator subclasses and functions of data in `__all__` of public modules."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from sklearn.base import BaseEstimator

import mlcore


def public_modules() -> Iterator[ModuleType]:
    """mlcore and all modules below it without an underscore in their path."""
    yield mlcore
    for info in pkgutil.walk_packages(mlcore.__path__, "mlcore."):
        if not any(part.startswith("_") for part in info.name.split(".")):
            yield importlib.import_module(info.name)


def _public_objects() -> dict[str, Any]:
    found: dict[int, tuple[str, Any]] = {}
    for module in public_modules():
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            short = f"{module.__name__}.{name}".removeprefix("mlcore.")
            # The same class in a package and in one of its modules counts once, under the shorter name.
            if id(thing) not in found or len(short) < len(found[id(thing)][0]):
                found[id(thing)] = (short, thing)
    return dict(sorted(found.values(), key=lambda item: item[0]))


def public_estimators() -> dict[str, type[BaseEstimator]]:
    """Public name (`cluster.KMeans`) to class; abstract bases are left out."""
    return {
        name: thing
        for name, thing in _public_objects().items()
        if inspect.isclass(thing) and issubclass(thing, BaseEstimator) and not inspect.isabstract(thing)
    }


def public_functions() -> dict[str, Callable[..., Any]]:
    """Public name to function, for mlcore's own functions whose first parameter is the data matrix `X`."""
    functions = {}
    for name, thing in _public_objects().items():
        if inspect.isfunction(thing) and thing.__module__.startswith("mlcore."):
            parameters = list(inspect.signature(thing).parameters)
            if parameters[:1] == ["X"]:
                functions[name] = thing
    return functions
