"""What mlcore runs on: versions, instruction set, threads, BLAS and OpenMP.

Two environment variables are read, once, when the package is imported. ``MLCORE_ISA`` (``base``, ``v3``,
``v4``) lowers the instruction-set level; every level that it names is without the matrix unit (AMX).
``MLCORE_BLAS`` (``scipy``, ``own``) chooses who computes large matrix products. A value that cannot be obeyed
gives a RuntimeWarning and is ignored.
"""

from __future__ import annotations

import os
import platform
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, overload

from . import _core, _native_blas
from ._version import __version__

__all__ = ["blas_status", "show_config"]

_LEVELS = ("base", "v3", "v4")


def _check_isa() -> None:
    """Warn when the core has ignored MLCORE_ISA."""
    wanted = os.environ.get("MLCORE_ISA", "")
    if not wanted:
        return
    chosen = _core.isa_level()
    if wanted not in _LEVELS:
        message = f"MLCORE_ISA={wanted} is not known and is ignored: it may be 'base', 'v3' or 'v4'."
    elif wanted != chosen:
        message = f"MLCORE_ISA={wanted} is more than this processor or this build has: {chosen} is used."
    else:
        return
    warnings.warn(message, RuntimeWarning, stacklevel=2)


_check_isa()
blas_status = _native_blas.install()


def _versions() -> dict[str, Any]:
    import numpy
    import scipy
    import sklearn
    import threadpoolctl

    return {
        "mlcore": __version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "threadpoolctl": threadpoolctl.__version__,
        "platform": platform.platform(),
    }


def _instruction_set() -> dict[str, Any]:
    return {
        "chosen": _core.isa_level(),
        "compiled": _core.isa_levels_compiled(),
        "available": _core.isa_level_of_cpu(),
        "matrix unit": _core.amx_bf16(),
        "MLCORE_ISA": os.environ.get("MLCORE_ISA"),
    }


def _threads() -> dict[str, Any]:
    default, source = _core.resolve_threads()
    return {
        "default": default,
        "from": source,
        "processors": os.cpu_count(),
        "affinity": _core.affinity_count(),
        "cgroup quota": _core.cgroup_quota() or None,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
    }


def _built_with() -> dict[str, Any]:
    """The BLAS that SciPy says it was built with."""
    import scipy

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: dict[str, Any] = scipy.show_config(mode="dicts")["Build Dependencies"]["blas"]
    except Exception:  # reports differ between versions and ways to build; there may be none
        return {}
    return found


def _library_of_scipy(libraries: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Which of the loaded BLAS libraries is SciPy's: the one that its wheel brought, or else the only one."""
    import scipy

    package = Path(scipy.__file__).parent
    homes = (package.with_name("scipy.libs"), package / ".dylibs")
    bundled = [library for library in libraries if Path(library["filepath"]).parent in homes]
    if len(bundled) == 1:
        return bundled[0]
    return libraries[0] if len(libraries) == 1 else None


def _blas(pools: list[dict[str, Any]]) -> dict[str, Any]:
    libraries = [pool for pool in pools if pool["user_api"] == "blas"]
    built_with = _built_with()
    installed, bits = _core.blas_info()
    facts: dict[str, Any] = {
        "serving": "SciPy's" if installed else "mlcore's own kernels",
        "reason": blas_status.reason or None,
        "integers": f"{bits} bits ({'I' if bits == 64 else ''}LP64)" if installed else None,
        "SciPy built with": " ".join(
            str(built_with[key]) for key in ("name", "version") if key in built_with
        ),
        "library": None,
        "MLCORE_BLAS": os.environ.get("MLCORE_BLAS"),
    }
    if installed and (library := _library_of_scipy(libraries)) is not None:
        facts["library"] = {
            "name": library["internal_api"],
            "version": library["version"],
            "threading layer": library.get("threading_layer"),
            "architecture": library.get("architecture"),
            "threads": library["num_threads"],
            "path": library["filepath"],
        }
    return facts


def _openmp(pools: list[dict[str, Any]], library: str, date: int) -> dict[str, Any]:
    loaded = [pool["filepath"] for pool in pools if pool["user_api"] == "openmp"]
    path = os.path.realpath(library) if library else None
    others = [other for other in loaded if os.path.realpath(other) != path]
    return {
        "library": path,
        "API date": date or None,
        "other runtimes in the process": others,
    }


@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_config(mode: Literal["dict"]) -> dict[str, dict[str, Any]]: ...
def show_config(mode: Literal["stdout", "dict"] = "stdout") -> dict[str, dict[str, Any]] | None:
    """Show versions, build, instruction-set level, threads, BLAS and OpenMP runtime.

    The same as ``python -m mlcore info``. The environment variables ``MLCORE_ISA`` (``base``, ``v3`` or
    ``v4``: lowers the instruction-set level) and ``MLCORE_BLAS`` (``own``: do without SciPy's BLAS) are
    obeyed when they are set before the import; a value that cannot be obeyed gives a RuntimeWarning then.

    Parameters
    ----------
    mode : {"stdout", "dict"}, default="stdout"
        Print the facts, or return them.

    Returns
    -------
    dict of dict, or None
        With ``mode="dict"``, the facts by section: ``versions``, ``build``, ``instruction set``,
        ``threads``, ``BLAS`` and ``OpenMP``. All values can be written as JSON.

    Raises
    ------
    ValueError
        If ``mode`` is neither.

    Examples
    --------
    >>> import mlcore
    >>> config = mlcore.show_config(mode="dict")
    >>> config["instruction set"]["chosen"] in ("base", "v3", "v4")
    True
    """
    if mode not in ("stdout", "dict"):
        raise ValueError(f"mode must be 'stdout' or 'dict', got {mode!r} instead.")
    from threadpoolctl import threadpool_info

    pools: list[dict[str, Any]] = threadpool_info()
    build = _core.build_info()
    config = {
        "versions": _versions(),
        "build": {"compiler": build["compiler"], "type": build["build_type"], "flags": build["flags"]},
        "instruction set": _instruction_set(),
        "threads": _threads(),
        "BLAS": _blas(pools),
        "OpenMP": _openmp(pools, build["openmp_library"], build["openmp_date"]),
    }
    if mode == "dict":
        return config
    print("\n".join(_lines(config)))
    return None


def _lines(facts: dict[str, Any], indent: str = "") -> Iterator[str]:
    width = max(map(len, facts))
    for name, fact in facts.items():
        if isinstance(fact, dict):
            yield f"{indent}{name}:"
            yield from _lines(fact, indent + "  ")
            continue
        if isinstance(fact, list):
            fact = ", ".join(map(str, fact))
        shown = "-" if fact is None or fact == "" else fact
        yield f"{indent}{name:<{width}}  {shown}"
