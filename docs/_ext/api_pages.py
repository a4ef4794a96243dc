"""Writes api/index.md: every public name of every public module. A new name is documented by existing."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

PACKAGE = "mlcore"


def public_modules() -> list[ModuleType]:
    """The package and its modules without a leading underscore, in alphabetical order."""
    package = importlib.import_module(PACKAGE)
    names = sorted(
        info.name for info in pkgutil.iter_modules(package.__path__) if not info.name.startswith("_")
    )
    return [package, *(importlib.import_module(f"{PACKAGE}.{name}") for name in names)]


def own_names(module: ModuleType) -> tuple[list[str], list[str]]:
    """Classes and functions in `__all__` that are ours, and the names that others made."""
    ours, others = [], []
    for name in module.__all__:
        thing = getattr(module, name)
        if isinstance(thing, (ModuleType, str)):
            continue
        (ours if thing.__module__.split(".")[0] == PACKAGE else others).append(name)
    return ours, others


def page() -> str:
    parts = ["# API"]
    for module in public_modules():
        ours, others = own_names(module)
        lines = [f".. automodule:: {module.__name__}", "   :no-members:", ""]
        lines += [
            f".. currentmodule:: {module.__name__}",
            "",
            ".. autosummary::",
            "   :toctree: generated",
            "",
        ]
        lines += [f"   {name}" for name in ours]
        parts += [f"## {module.__name__}", "```{eval-rst}\n" + "\n".join(lines) + "\n```"]
        if others:
            parts.append(
                "From scikit-learn, under the same name: " + ", ".join(f"`{name}`" for name in others) + "."
            )
    return "\n\n".join(parts) + "\n"


def write(app: Sphinx, config: Config) -> None:
    path = Path(app.srcdir, "api", "index.md")
    path.parent.mkdir(exist_ok=True)
    text = page()
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
