"""What mlcore runs on: versions, instruction set, threads, BLAS and OpenMP."""

from __future__ import annotations

import platform
from typing import Any, Literal

from . import _core
from ._version import __version__

__all__ = ["show_config"]


def show_config(mode: Literal["stdout", "dict"] = "stdout") -> dict[str, Any] | None:
    """Show versions, instruction-set level and threads.

    Parameters
    ----------
    mode : {"stdout", "dict"}, default="stdout"
        Print, or return a dict.

    Returns
    -------
    dict or None
        The facts, with ``mode="dict"``.
    """
    threads, source = _core.resolve_threads()
    config: dict[str, Any] = {
        "versions": {"mlcore": __version__, "python": platform.python_version()},
        "instruction set": {"chosen": _core.isa_level(), "compiled": _core.isa_levels_compiled()},
        "threads": {"default": threads, "from": source},
    }
    if mode == "dict":
        return config
    for section, facts in config.items():
        print(f"{section}:")
        for name, fact in facts.items():
            print(f"  {name}: {fact}")
    return None
