"""Several starts of EM, of which the best is kept."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state

from .. import _core
from .._callbacks import NativeObserver
from ._monitor import ConvergenceMonitor
from ._sequences import Sequences

if TYPE_CHECKING:
    from ._base import BaseHMM

__all__ = ["best_start"]


def _seeds(random_state: Any, n_init: int) -> Iterator[Any]:
    """The random state of each start: that of the model itself for the first, as for a single start."""
    if n_init == 1:
        yield random_state
        return
    generator = check_random_state(random_state)
    rest = np.random.RandomState(generator.randint(2**32, dtype=np.uint32))
    yield random_state
    for _ in range(n_init - 1):
        yield int(rest.randint(2**31 - 1))


def _better(monitor: ConvergenceMonitor, best: ConvergenceMonitor) -> bool:
    """Is the end of one start above that of another by more than rounding?

    Starts that end in the same solution with other numbers of the states differ in the last bits only, and
    these depend on the instruction set: the earlier start is kept.
    """
    ours, theirs = (m.history[-1] if m.history else -np.inf for m in (monitor, best))
    return ours > theirs + 1e-10 * abs(theirs) if np.isfinite(theirs) else ours > theirs


def best_start(
    model: BaseHMM,
    data: Sequences,
    monitor: ConvergenceMonitor,
    observer: NativeObserver | None,
    threads: int,
) -> tuple[BaseHMM, ConvergenceMonitor]:
    """A copy of the model after the best of its ``n_init`` starts, with its monitor.

    Starts are compared by their last objective, equals go to the earlier one. Few long sequences leave
    threads idle, so then the starts run side by side, each with one thread; the numbers are the same.
    """

    def run(
        number: int, seed: Any, share: int, observer: NativeObserver | None = observer
    ) -> tuple[BaseHMM, ConvergenceMonitor, bool]:
        candidate, own = copy.copy(model), copy.deepcopy(monitor)
        candidate._initialize(data, seed)
        stopped = candidate._run(data, own, observer, number, share)
        return candidate, own, stopped

    available = _core.resolve_threads(threads)[0]
    seeds = _seeds(model.random_state, model.n_init)
    if model.n_init == 1:
        return run(0, next(seeds), threads)[:2]
    if observer is None and not model.verbose and available > 1 and data.n_sequences < available:
        return _side_by_side(run, seeds, available)
    best: tuple[BaseHMM, ConvergenceMonitor] | None = None
    for number, seed in enumerate(seeds):
        candidate, own, stopped = run(number, seed, threads)
        if best is None or _better(own, best[1]):
            best = candidate, own
        if stopped:
            break
    assert best is not None
    return best


def _side_by_side(run: Any, seeds: Iterator[Any], workers: int) -> tuple[BaseHMM, ConvergenceMonitor]:
    """The starts in threads, no more of them under way than there are workers."""
    best: tuple[BaseHMM, ConvergenceMonitor] | None = None
    pending: dict[Future[Any], int] = {}
    ended_early: dict[int, Any] = {}  # results that wait for those of earlier starts
    compared = 0
    numbered = enumerate(seeds)
    exhausted = False
    ended = threading.Event()

    def watch(values: Mapping[str, Any]) -> bool:
        return ended.is_set()

    with ThreadPoolExecutor(workers) as pool:
        try:
            while True:
                while not exhausted and len(pending) < workers:
                    try:
                        number, seed = next(numbered)
                    except StopIteration:
                        exhausted = True
                        break
                    pending[pool.submit(run, number, seed, 1, watch)] = number
                if not pending:
                    break
                done, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    ended_early[pending.pop(future)] = future.result()[:2]
                while compared in ended_early:  # in the order of the starts, whoever ends first
                    candidate, own = ended_early.pop(compared)
                    if best is None or _better(own, best[1]):
                        best = candidate, own
                    compared += 1
        except BaseException:
            ended.set()  # the pool waits for what is under way
            for future in pending:
                future.cancel()
            raise
    assert best is not None
    return best
