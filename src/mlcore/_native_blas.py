"""Hands SciPy's BLAS to the core when the package is imported.

Without SciPy's functions (a SciPy that declares them differently, or ``MLCORE_BLAS=own`` in the environment)
the core computes with kernels of its own. :func:`mlcore.show_config` says which serve, and why.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass

from . import _core

__all__ = ["BlasStatus", "install"]


@dataclass(frozen=True)
class BlasStatus:
    """Who serves: "scipy" or "own"; why it is not SciPy; bits of the integers of SciPy's BLAS."""

    serving: str
    reason: str = ""
    int_bits: int = 0


def install() -> BlasStatus:
    """Install SciPy's BLAS in the core; never raises."""
    wanted = os.environ.get("MLCORE_BLAS", "")
    if wanted == "own":
        _core.uninstall_blas()
        return BlasStatus("own", "MLCORE_BLAS=own")
    if wanted not in ("", "scipy"):
        message = f"MLCORE_BLAS={wanted} is not known and is ignored: it may be 'scipy' or 'own'."
        warnings.warn(message, RuntimeWarning, stacklevel=3)
    try:
        from scipy.linalg import cython_blas, cython_lapack

        from . import _blas

        addresses, int_bits = _blas.entry_points(cython_blas.__pyx_capi__, cython_lapack.__pyx_capi__)
        _core.install_blas(addresses, int_bits)
    except Exception as error:
        # A SciPy that we do not understand costs speed, not the import.
        _core.uninstall_blas()
        return BlasStatus("own", f"{type(error).__name__}: {error}")
    return BlasStatus("scipy", int_bits=int_bits)
