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


def _objective(monitor: ConvergenceMonitor) -> float:
    return monitor.history[-1] if monitor.history else -np.inf


def best_start(
    model: BaseHMM,
    data: Sequences,
    monitor: ConvergenceMonitor,
    observer: NativeObserver | None,
    threads: int,
) -> tuple[BaseHMM, ConvergenceMonitor]:
    """A copy of the model after the best of its ``n_init`` starts, with its monitor.

    Starts are compared by their last objective, ties go to the earlier one. Few long sequences leave threads
    idle, so then the starts run side by side, each with one thread; the numbers are the same.
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
        if best is None or _objective(own) > _objective(best[1]):
            best = candidate, own
        if stopped:
            break
    assert best is not None
    return best


def _side_by_side(run: Any, seeds: Iterator[Any], workers: int) -> tuple[BaseHMM, ConvergenceMonitor]:
    """The starts in threads, no more of them under way than there are workers."""
    best: tuple[float, int, Any, Any] | None = None
    pending: dict[Future[Any], int] = {}
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
                for future in sorted(done, key=pending.__getitem__):
                    number = pending.pop(future)
                    candidate, own, _ = future.result()
                    key = (_objective(own), -number)
                    if best is None or key > best[:2]:
                        best = (*key, candidate, own)
        except BaseException:
            ended.set()  # the pool waits for what is under way
            for future in pending:
                future.cancel()
            raise
    assert best is not None
    return best[2], best[3]
