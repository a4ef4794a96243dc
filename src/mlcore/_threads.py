"""Threads of SciPy's BLAS: the part of ``n_jobs`` that the core's own thread choice does not reach."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

from . import _core

__all__ = ["blas_threads"]


@cache
def _controller() -> Any:
    # Finding the libraries takes about 100 times as long as setting the limit. SciPy's BLAS is loaded by
    # now: the package asks for its functions when it is imported.
    return ThreadpoolController()


def blas_threads(n_jobs: int | None) -> AbstractContextManager[Any]:
    """Limit the threads of every BLAS in the process inside a ``with`` block.

    Parameters
    ----------
    n_jobs : int or None
        As in the estimators: None leaves the BLAS as it is, -1 stands for all allowed, -2 for all but one.

    Returns
    -------
    context manager
        Restores the number of threads at its end. The limit holds for the whole process, not for one thread.

    Raises
    ------
    ValueError
        If ``n_jobs`` is 0.
    """
    if n_jobs is None:
        return nullcontext()
    if n_jobs == 0:
        raise ValueError("n_jobs == 0 has no meaning; use None for all allowed threads.")
    threads, _ = _core.resolve_threads(n_jobs)
    limit: AbstractContextManager[Any] = _controller().limit(limits=threads, user_api="blas")
    return limit
