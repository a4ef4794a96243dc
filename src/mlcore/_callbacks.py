"""The callback protocol of iterative fits, and the bridge from it to the native observer.

An estimator with a ``callbacks`` parameter runs its native fit inside :func:`observe`::

    with observe(self, callbacks=self.callbacks, verbose=self.verbose, objective="inertia") as observer:
        ... = _core.cluster.kmeans_fit(..., observer)

The native code calls the observer between iterations with a dict and stops when it returns True. Without
callbacks and with ``verbose=0`` the observer is None, so that a fit nobody watches never has to take the GIL.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

__all__ = ["Callback", "IterationInfo", "NativeObserver", "check_callbacks", "observe"]

NativeObserver = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class IterationInfo:
    """State of a fit after one iteration.

    Attributes
    ----------
    estimator : str
        Class name of the estimator that is being fitted.
    iteration : int
        Number of iterations finished in this restart, 1 after the first.
    max_iterations : int
        The limit on ``iteration``.
    restart : int
        Which of the ``n_init`` runs reports, from 0.
    objective : float
        The estimator's objective (k-means: inertia); NaN when it is not known.
    change : float
        The quantity that the tolerance is compared with; NaN when it is not known.
    elapsed : float
        Seconds since the fit began.
    """

    estimator: str
    iteration: int
    max_iterations: int
    restart: int
    objective: float
    change: float
    elapsed: float


@runtime_checkable
class Callback(Protocol):
    """What an element of ``callbacks=[...]`` must have; inheriting from this class is not needed.

    A callback may also define ``on_fit_begin(estimator)`` and ``on_fit_end(estimator)``; the latter is called
    even when the fit raises. What a callback raises ends the fit and reaches the caller of ``fit``.
    """

    def on_iteration(self, info: IterationInfo) -> bool | None:
        """Called between iterations; a true result stops the fit, which keeps the state reached so far.

        Restarts that have not begun are not run.
        """


def check_callbacks(callbacks: Iterable[Callback] | None) -> list[Callback]:
    """The callbacks as a list; TypeError when they are not a list of objects with ``on_iteration``."""
    if callbacks is None:
        return []
    if not isinstance(callbacks, Iterable) or isinstance(callbacks, (str, bytes)):
        raise TypeError(f"callbacks must be a list of callbacks or None, got {callbacks!r} instead.")
    checked = list(callbacks)
    for callback in checked:
        if isinstance(callback, type):
            raise TypeError(f"callbacks must hold instances, got the class {callback.__name__} instead.")
        if not callable(getattr(callback, "on_iteration", None)):
            raise TypeError(f"A callback must have a method on_iteration(info), which {callback!r} has not.")
    return checked


class _Printer:
    """What ``verbose`` prints, in scikit-learn's words."""

    def __init__(self, objective: str) -> None:
        self.objective = objective

    def on_iteration(self, info: IterationInfo) -> bool:
        if info.iteration == 1:
            print("Initialization complete")
        print(f"Iteration {info.iteration}, {self.objective} {info.objective}.")
        return False


@contextmanager
def observe(
    estimator: object,
    *,
    callbacks: Iterable[Callback] | None = None,
    verbose: int | bool = 0,
    objective: str = "objective",
) -> Iterator[NativeObserver | None]:
    """Turn callbacks and ``verbose`` into the one observer that native code takes.

    Parameters
    ----------
    estimator : object
        The estimator being fitted; handed to ``on_fit_begin`` and ``on_fit_end``, its class name to the rest.
    callbacks : iterable of callbacks, or None
        Called in order. All of them see an iteration, also when an earlier one has asked to stop.
    verbose : int or bool, default=0
        When true, every iteration is printed.
    objective : str, default="objective"
        Name of the objective in what ``verbose`` prints.

    Yields
    ------
    observer : callable or None
        ``observer(values) -> bool``, True to stop; ``values`` has the keys ``iteration``, ``max_iterations``,
        ``restart``, ``objective`` and ``change``. None when nobody listens.

    Raises
    ------
    TypeError
        If ``callbacks`` is not an iterable of objects with ``on_iteration``.
    """
    listeners = check_callbacks(callbacks)
    if verbose:
        listeners.insert(0, _Printer(objective))
    if not listeners:
        yield None
        return
    name = type(estimator).__name__
    begun: list[Callback] = []
    try:
        for listener in listeners:
            begin = getattr(listener, "on_fit_begin", None)
            if begin is not None:
                begin(estimator)
            begun.append(listener)
        start = time.perf_counter()
        stopped = False

        def observer(values: Mapping[str, Any]) -> bool:
            nonlocal stopped
            if stopped:  # another restart, already under way when the fit was stopped
                return True
            info = IterationInfo(estimator=name, elapsed=time.perf_counter() - start, **values)
            answers = [bool(listener.on_iteration(info)) for listener in listeners]
            stopped = any(answers)
            return stopped

        yield observer
    finally:
        _end(begun, estimator)


def _end(listeners: list[Callback], estimator: object) -> None:
    """Calls on_fit_end of all, in reverse order, also when one of them raises."""
    while listeners:
        end = getattr(listeners.pop(), "on_fit_end", None)
        if end is None:
            continue
        try:
            end(estimator)
        except BaseException:
            _end(listeners, estimator)
            raise
