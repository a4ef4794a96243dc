"""The stub of the native module says what the module has."""

import ast
import re
from pathlib import Path

import pytest

from mlcore import _core

STUB = ast.parse((Path(__file__).parents[2] / "src/mlcore/_core.pyi").read_text(encoding="utf-8"))


def functions(body):
    return {
        node.name: [a.arg for a in (*node.args.args, *node.args.kwonlyargs)]
        for node in body
        if isinstance(node, ast.FunctionDef)
    }


def declared():
    """(name for the reader, native function, parameters in the stub)"""
    for name, parameters in functions(STUB.body).items():
        yield pytest.param(_core, name, parameters, id=name)
    for node in STUB.body:
        if isinstance(node, ast.ClassDef) and hasattr(_core, node.name.strip("_").lower()):
            module = getattr(_core, node.name.strip("_").lower())
            for name, parameters in functions(node.body).items():
                yield pytest.param(module, name, parameters, id=f"{module.__name__}.{name}")


def native_parameters(function):
    """Parameter names from the signatures of all overloads, which pybind11 puts into the docstring."""
    found = re.findall(rf"^(?:\d+\. )?{function.__name__}\((.*)\) ->", function.__doc__, flags=re.MULTILINE)
    return {tuple(re.findall(r"(?:^|, )(\w+): ", parameters)) for parameters in found}


@pytest.mark.parametrize(("module", "name", "parameters"), list(declared()))
def test_declared_function_exists_with_these_parameters(module, name, parameters):
    assert native_parameters(getattr(module, name)) == {tuple(parameters)}
