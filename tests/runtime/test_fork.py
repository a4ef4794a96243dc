"""fork() in a process that has used threads: the child works alone, does not hang, and gets the same bits."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from mlcore import _core

testing = _core._testing
pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork"),
    # Python 3.12 and later warn of fork in a process with threads: that is the case under test
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]
VALUES = np.random.default_rng(0).standard_normal(50_000)


def in_forked_child(function):
    """Result of function() in a forked child; the child is killed after 60 seconds."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # not the handler of the test runner's time limit
        signal.alarm(60)
        try:
            with os.fdopen(write, "wb") as pipe:
                pickle.dump(function(), pipe)
            os._exit(0)
        except BaseException:
            os._exit(1)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    assert os.waitpid(child, 0)[1] == 0, "the child hung or failed"
    return pickle.loads(data)


def work():
    return (
        _core.resolve_threads(),
        _core.resolve_threads(4),
        testing.reduce_ordered(VALUES, 7, 4),
        testing.team(4, 10, 8).size,
        testing.parallel_for(100, 4),
        testing.phases(4, 10, 8),
    )


def test_child_of_a_parent_that_used_threads():
    expected = testing.reduce_ordered(VALUES, 7, 4)
    assert testing.team(4, 3, 8).size == 4
    child = in_forked_child(work)
    assert child == ((1, "forked"), (1, "forked"), expected, 1, [1] * 100, 0)
    assert in_forked_child(lambda: in_forked_child(work)) == child
    # the parent goes on with its threads
    assert testing.team(4, 3, 8).size == 4
    assert _core.resolve_threads()[1] != "forked"


def test_child_forked_while_another_thread_is_inside_a_region():
    expected = testing.reduce_ordered(VALUES, 7, 1)
    done = threading.Event()
    running = threading.Event()

    def keep_busy():
        while not done.is_set():
            running.set()
            testing.team(3, 50, 8, work_us=20)

    thread = threading.Thread(target=keep_busy)
    thread.start()
    running.wait()
    try:
        for _ in range(10):
            assert in_forked_child(work)[2] == expected
    finally:
        done.set()
        thread.join()


def reduce_in_pool(threads):
    return _core.resolve_threads(threads), testing.reduce_ordered(VALUES, 7, threads)


def test_multiprocessing_fork_pool():
    expected = testing.reduce_ordered(VALUES, 7, 4)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        results = pool.map_async(reduce_in_pool, [1, 2, 3, 4] * 4).get(timeout=60)
    assert results == [((1, "forked"), expected)] * 16


def test_a_child_that_executes_a_new_program_has_its_threads():
    testing.parallel_for(10, 2)
    done = subprocess.run(
        [sys.executable, "-c", "from mlcore import _core; print(_core.resolve_threads(3))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "(3, 'n_jobs')"
