"""Print what pyproject.toml requires, one requirement a line: `requirements.py build run test lint`.

The Makefile installs these before it builds without isolation, so that every incremental build finds the same
CMake, pybind11 and SciPy.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
# scikit-build-core fetches these two on its own when it builds in isolation and the machine has none.
BUILD_TOOLS = ["cmake>=3.26", "ninja>=1.11"]


def requirements(groups: list[str], pyproject: Path = PYPROJECT) -> list[str]:
    """Requirements of `build`, `run` and of any extra, in order, each once."""
    with pyproject.open("rb") as file:
        config = tomllib.load(file)
    project = config["project"]
    found: dict[str, None] = {}
    for group in groups:
        if group == "build":
            lines = config["build-system"]["requires"] + BUILD_TOOLS
        elif group == "run":
            lines = project["dependencies"]
        else:
            extras = project["optional-dependencies"]
            if group not in extras:
                raise SystemExit(f"requirements: no extra {group!r}; there are {sorted(extras)}")
            lines = extras[group]
        found.update(dict.fromkeys(lines))
    return list(found)


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1:])))
