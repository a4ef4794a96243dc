"""Checks of threads, instruction sets, processes, interrupts and memory."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import gc
import os
import pickle
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import psutil
from threadpoolctl import threadpool_limits

from mlcore import _core
from sweep.child import child
from sweep.registry import check
from sweep.state_checks import same_state
from sweep.subjects import EstimatorSubject, Subject, assert_same, noise, quiet

#: Seconds that a fit may go on after Ctrl-C. The promise is one; a loaded machine may be slow to wake us.
LATENCY = 10.0


# -- threads


@check()
def check_thread_counts_give_the_same_bits(subject: Subject) -> None:
    """Enough rows that threads pay, without any structure, so that every rounding shows."""
    for dtype in subject.case.dtypes:
        X = subject.noise(subject.case.big_rows, dtype=dtype)
        weights = {"sample_weight": noise(len(X), 1)[:, 0]} if subject.takes_weights else {}
        for more in ({}, weights) if weights else ({},):
            with threadpool_limits(1, user_api="openmp"):
                expected = subject.run(X, **subject.big(), **more)
            assert_same(subject.run(X, **subject.big(), **more), expected, "all threads against one")
            if "n_jobs" in subject.parameters:
                for n_jobs in (1, 2, 7):
                    results = subject.run(X, **subject.big() | {"n_jobs": n_jobs}, **more)
                    assert_same(results, expected, f"n_jobs={n_jobs} against one thread, {np.dtype(dtype)}")


@check()
def check_many_python_threads_at_once(subject: Subject) -> None:
    data = [subject.blobs(seed=seed) for seed in range(4)]
    data += [subject.noise(min(4000, subject.case.big_rows), seed=seed) for seed in range(2)]
    expected = [subject.run(X) for X in data]

    def work(i: int) -> None:
        assert_same(subject.run(data[i % 6]), expected[i % 6], "a fit beside others in threads")

    with warnings.catch_warnings(), ThreadPoolExecutor(8) as pool:
        warnings.simplefilter(
            "ignore"
        )  # here: the filters belong to the process, and the threads' come and go
        list(pool.map(work, range(48)))


@check("estimator", "methods")
def check_one_model_used_by_many_threads(subject: EstimatorSubject) -> None:
    X = subject.blobs()
    estimator = subject.fit(subject.make(), X)
    expected = subject.answers(estimator, X)

    def work(_: int) -> None:
        assert_same(subject.answers(estimator, X), expected, "answers of a shared model")

    with warnings.catch_warnings(), ThreadPoolExecutor(8) as pool:
        warnings.simplefilter("ignore")
        list(pool.map(work, range(64)))


# -- instruction sets and processes


def isa_levels() -> list[str]:
    """Levels that were compiled and that this CPU runs."""
    compiled = list(_core.isa_levels_compiled())
    return compiled[: compiled.index(_core.isa_level_of_cpu()) + 1]


@check()
def check_instruction_sets_agree(subject: Subject) -> None:
    """Every level that the CPU has, to the case's tolerance: the levels add in different orders."""
    for dtype in subject.case.dtypes:
        X = subject.blobs(rows=97, features=5, dtype=dtype)
        expected = subject.run(X)
        for level in isa_levels():
            assert child(level).ask("isa_level") == level
            results = child(level).ask("run", subject.name, X, {})
            rtol = max(subject.case.rtol, 1e-5 if X.dtype == np.float32 else 0)
            what = f"level {level}, {X.dtype}"
            assert_same(results, expected, what, rtol=rtol, residuals=subject.case.residuals)


@check("estimator")
def check_a_pickle_travels_to_another_process(subject: EstimatorSubject) -> None:
    X = subject.blobs()
    estimator = subject.fit(subject.make(), X)
    answers = child().ask("answer_of_pickle", subject.name, pickle.dumps(estimator), X)
    assert_same(answers, subject.results(estimator, X), "in another process")


def in_forked_child(function: Callable[[], Any], seconds: int = 60) -> Any:
    """function() in a child of fork(), which is killed after `seconds`."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads: the case under test
        pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        try:
            with os.fdopen(write, "wb") as pipe:
                pickle.dump(function(), pipe)
            os._exit(0)
        except BaseException:
            os._exit(1)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    status = os.waitpid(pid, 0)[1]
    assert status == 0, f"the forked child hung or failed (status {status})"
    return pickle.loads(data)


@check()
def check_fork_after_threads(subject: Subject) -> None:
    X = subject.noise(subject.case.big_rows)
    expected = subject.run(X, **subject.big())  # has started threads
    assert_same(in_forked_child(lambda: subject.run(X, **subject.big())), expected, "in a forked child")
    assert_same(subject.run(X, **subject.big()), expected, "in the parent after the fork")


# -- interrupts


@contextlib.contextmanager
def control_c_after(seconds: float, sent: list[float]) -> Iterator[None]:
    """Ctrl-C in `seconds`; `sent` gets the time."""

    def send() -> None:
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(seconds, send)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGINT, old)


def interrupt(function: Callable[[], Any]) -> None:
    sent: list[float] = []
    try:
        with quiet(), control_c_after(0.3, sent):
            function()
    except KeyboardInterrupt:
        late = time.monotonic() - sent[0]
        print(f"stopped {late:.3f} s after Ctrl-C")
        assert late < LATENCY, f"stopped {late:.1f} s after Ctrl-C"
    else:
        assert sent, "the fit was over before it could be interrupted: give `long` arguments in cases.py"
        raise AssertionError("Ctrl-C was swallowed")


@check()
def check_control_c(subject: Subject) -> None:
    X = subject.noise(subject.case.long_rows, 16)
    if not isinstance(subject, EstimatorSubject):
        interrupt(lambda: subject.run(X, **subject.long()))
        return
    unfitted = subject.make(**subject.long())
    before = copy.copy(vars(unfitted))
    interrupt(lambda: subject.fit(unfitted, X))
    same_state(before, unfitted, "an unfitted estimator after Ctrl-C")
    small = subject.blobs()
    fitted = subject.fit(subject.make(), small)
    answers = subject.answers(fitted, small)
    fitted.set_params(**subject.long())
    before = copy.deepcopy(vars(fitted))
    interrupt(lambda: subject.fit(fitted, X))
    same_state(before, fitted, "a fitted estimator after Ctrl-C")
    fitted.set_params(**subject.arguments())
    assert_same(subject.answers(fitted, small), answers, "answers after Ctrl-C")
    # and nothing is left pending: the next fit is as good as any
    assert_same(subject.results(subject.fit(fitted, small), small), subject.run(small), "a fit after Ctrl-C")


# -- memory


def resident() -> int:
    """Resident bytes in use: garbage collected, and the free pages of the allocator given back to the system.

    Without the second step a leak hides in the holes that earlier tests left. Pages of files are left out
    where the system tells them apart: it takes them away from us when others need memory.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform != "win32" else None
    if trim is not None:
        trim(ctypes.c_size_t(0))
    with contextlib.suppress(OSError, StopIteration), open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("RssAnon:"))
    return int(psutil.Process().memory_info().rss)


@check()
def check_memory_does_not_grow(subject: Subject) -> None:
    """30 fits keep nothing: a leaked result (160 KB of labels) would show as 5 MB. Failing fits as well."""
    X = subject.blobs(rows=2 * subject.case.big_rows)
    refuses_nan = subject.case.reals and not subject.allows_nan
    bad = X.copy()
    if refuses_nan:
        bad[-1, -1] = np.nan
    short = {
        name: value
        for name, value in (("n_init", 1), ("max_iter", 2), ("n_iter", 2))
        if name in subject.parameters
    }

    def work(times: int) -> float:
        """Megabytes by which the process has grown."""
        before = resident()
        for i in range(times):
            if isinstance(subject, EstimatorSubject) and i % 10:
                subject.fit(subject.make(**short), X)
            else:
                subject.run(X, **short)
            if refuses_nan:
                with contextlib.suppress(ValueError):
                    subject.run(bad)
        return (resident() - before) / 2**20

    work(6)
    # One arena more of the allocator is not a leak: what leaks grows every time.
    grown = work(30)
    if grown >= 2:
        grown = min(grown, work(30))
    assert grown < 2, f"30 fits have taken {grown:.1f} MB"
