"""parallel_for, reduce_ordered and parallel_team: every block once, exceptions, ordered bits, visibility."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mlcore import _core

testing = _core._testing
THREADS = [1, 2, 3, 7]


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("blocks", [0, 1, 2, 6, 7, 8, 1000])
def test_every_block_runs_once(blocks, threads):
    assert testing.parallel_for(blocks, threads) == [1] * blocks


def test_no_blocks_and_absurd_thread_counts():
    assert testing.parallel_for(-3, 2) == []
    assert testing.parallel_for(3, 0) == [1, 1, 1]
    assert testing.parallel_for(3, -5) == [1, 1, 1]


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("failing", [[0], [41], [99], [41, 42, 43], [99, 7, 50]])
def test_the_lowest_blocks_exception_is_rethrown(failing, threads):
    for work_us in (0, 5):  # with work, several blocks are under way when the first one fails
        with pytest.raises(RuntimeError, match=rf"^block {min(failing)}$"):
            testing.parallel_for(100, threads, failing, work_us)


def test_all_blocks_failing_throws_the_first():
    for _ in range(200):
        with pytest.raises(RuntimeError, match=r"^block 0$"):
            testing.parallel_for(50, 7, list(range(50)))


def test_a_region_works_after_one_that_threw():
    with pytest.raises(RuntimeError):
        testing.parallel_for(100, 7, [3])
    assert testing.parallel_for(100, 7) == [1] * 100


@pytest.mark.parametrize("threads", THREADS)
def test_python_exceptions_cross_threads(threads):
    class Special(Exception):
        pass

    def fail(block):
        if block >= 5:
            raise Special(block)

    for _ in range(20):
        with pytest.raises(Special, match=r"^5$"):
            testing.call_in_blocks(40, threads, fail)


# -- reduce_ordered


def twin_of_reduce_ordered(values, block_rows):
    """Plain float64 additions in the documented order: at most 64 runs of blocks, added up in order."""
    blocks = -(-len(values) // block_rows)
    partials = min(max(blocks, 1), 64)
    total = 0.0
    for p in range(partials):
        part = 0.0
        for value in values[blocks * p // partials * block_rows : blocks * (p + 1) // partials * block_rows]:
            part += float(value)
        total = part if p == 0 else total + part
    return total


@pytest.mark.parametrize("rows", [0, 1, 63, 64, 65, 1000, 12345])
def test_reduce_ordered_has_the_documented_order_for_every_thread_count(rows):
    # 18 orders of magnitude: any other order of the additions rounds differently
    rng = np.random.default_rng(rows)
    values = rng.standard_normal(rows) * 10.0 ** rng.integers(-9, 9, rows)
    expected = twin_of_reduce_ordered(values, 7)
    for threads in THREADS:
        for _ in range(5):
            total, squares = testing.reduce_ordered(values, 7, threads)
            assert total == expected
            assert squares == testing.reduce_ordered(values, 7, 1)[1]


def test_the_data_of_the_order_test_can_tell_orders_apart():
    rng = np.random.default_rng(12345)
    values = rng.standard_normal(12345) * 10.0 ** rng.integers(-9, 9, 12345)
    assert testing.reduce_ordered(values, 7, 2)[0] != testing.reduce_ordered(values[::-1].copy(), 7, 2)[0]


@pytest.mark.parametrize("threads", THREADS)
def test_reduce_ordered_rethrows(threads):
    with pytest.raises(RuntimeError, match=r"^block 3$"):
        testing.reduce_ordered(np.ones(100), 1, threads, [90, 3, 50])


# -- teams


@pytest.mark.parametrize("threads", THREADS)
def test_team_phases_share_out_all_blocks(threads):
    report = testing.team(threads, 50, 13)
    assert report.error == ""
    assert report.size == threads
    assert report.entered == [13, 1] * 50
    assert report.begun == 50


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("work_us", [0, 20])
def test_a_failing_phase_ends_the_team(threads, work_us):
    # round 2 fails at block 9; round 3 would fail at block 0
    report = testing.team(threads, 6, 13, [(2, 9), (3, 0), (2, 11)], [4], work_us=work_us)
    assert report.error == "block 9"
    assert report.begun == 3
    assert report.entered[:4] == [13, 1, 13, 1]
    assert report.entered[4] >= 10  # all blocks below the failing one ran
    assert report.entered[5:] == [0] * 7


@pytest.mark.parametrize("threads", THREADS)
def test_team_rethrows_from_once(threads):
    report = testing.team(threads, 6, 13, [(4, 0)], [3])
    assert report.error == "once 3"
    assert report.entered == [13, 1] * 4 + [0] * 4


@pytest.mark.parametrize("threads", [1, 2, 3, 7, 16])
@pytest.mark.parametrize("blocks", [1, 2, 5, 40])
def test_phase_stress(threads, blocks):
    """Thousands of short phases, each reading what others wrote in the last; no two threads in one place."""
    assert testing.phases(threads, 3000, blocks) == 0


def test_no_two_threads_have_the_same_number():
    # Asleep inside their blocks they are there at the same time, also on fewer processors than threads.
    assert testing.phases(4, 50, 16, sleep_us=200) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/statm")
def test_more_threads_than_the_system_gives():
    """A limit on the number of threads: the team is smaller, the work is done."""
    code = (
        "import resource; from mlcore import _core\n"
        "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + 2**29, now + 2**29))  # room for few stacks only\n"
        "print(_core._testing.team(1000, 3, 2000).entered, _core._testing.phases(1000, 20, 1000))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{[2000, 1] * 3} 0"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/task")
def test_threads_of_the_pool_take_no_signals():
    """They are for the threads of the program: one of ours might be the only one to get the Ctrl-C."""
    code = """
import os, signal, threading
from mlcore import _core
# The thread sanitizer adds a thread of its own with the first.
first = threading.Thread(target=len, args=("",))
first.start()
first.join()
before = set(os.listdir("/proc/self/task"))
assert _core._testing.team(3, 2, 8).size == 3
ours = set(os.listdir("/proc/self/task")) - before
assert len(ours) == 2, ours
for task in ours:
    with open(f"/proc/self/task/{task}/status") as file:
        blocked = next(int(line.split()[1], 16) for line in file if line.startswith("SigBlk"))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD, signal.SIGUSR1):
        assert blocked >> (number - 1) & 1, number
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_blocks_above_one_that_failed_are_skipped():
    blocks = 20_000  # a fifth of a second of work, if nobody says stop
    for _ in range(10):  # the thread with block 0 may be off the processor for so long; not every time
        report = testing.team(3, 1, blocks, [(0, 0)], work_us=20)
        assert report.error == "block 0"
        if report.entered[0] < blocks:
            return
    raise AssertionError("all blocks ran after the first had failed")


def test_concurrent_teams_of_python_threads():
    values = np.random.default_rng(0).standard_normal(20_000)
    expected = testing.reduce_ordered(values, 7, 1)

    def work(seed):
        if seed % 3 == 0:
            assert testing.phases(3, 100, 8) == 0
        if seed % 3 == 1:
            assert testing.team(3, 10, 8, [(5, 2)]).error == "block 2"
        return testing.reduce_ordered(values, 7, 1 + seed % 4)

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(work, range(120))) == {expected}


# -- nested regions


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_nested_regions_have_one_thread(threads):
    nested = testing.nested(threads)
    assert nested.threads == [1] * threads
    assert nested.sources == ["nested"] * threads
    assert nested.inner_sizes == [1] * threads
    assert nested.inner_sums == [4950] * threads


def test_a_team_of_one_is_no_region():
    nested = testing.nested(1)
    assert nested.threads == [4]
    assert nested.inner_sizes == [4]
