"""Ctrl-C during native work: within a second, from the right thread, with the handler's own exception."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from mlcore import _core

testing = _core._testing
pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timer")
LONG = 60.0  # seconds of work: far longer than the test may take, so that only the interrupt can end it


@contextlib.contextmanager
def signal_after(seconds, number=signal.SIGINT):
    """One signal to this process in `seconds`; tests wait inside native code meanwhile."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), number))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


@contextlib.contextmanager
def handler(function, number=signal.SIGINT):
    old = signal.signal(number, function)
    try:
        yield
    finally:
        signal.signal(number, old)


@pytest.mark.parametrize("inside_blocks", [False, True])
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_control_c(threads, inside_blocks):
    with handler(signal.default_int_handler):
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt), signal_after(0.2):
            testing.polling(LONG, threads, inside_blocks)
        assert time.monotonic() - start < LONG / 2
        # nothing is left over: the next call works
        assert testing.polling(0.1, threads, inside_blocks) is True


@pytest.mark.parametrize("threads", [1, 3])
def test_a_handler_of_the_users_own(threads):
    class Stop(Exception):
        pass

    def stop(number, frame):
        raise Stop(number)

    with handler(stop), pytest.raises(Stop, match=str(int(signal.SIGINT))), signal_after(0.2):
        testing.polling(LONG, threads)
    # other signals count as well
    with handler(stop, signal.SIGUSR1), pytest.raises(Stop), signal_after(0.2, signal.SIGUSR1):
        testing.polling(LONG, threads)


@pytest.mark.parametrize("ignored", [False, True])
def test_a_signal_without_an_exception_lets_the_work_go_on(ignored):
    seen = []
    sent = threading.Event()

    def send():
        os.kill(os.getpid(), signal.SIGINT)
        sent.set()

    with handler(signal.SIG_IGN if ignored else lambda number, frame: seen.append(number)):
        for seconds in (0.4, 4.0, 40.0):  # a busy machine may send too late, when the work is over
            timer = threading.Timer(0.1, send)
            timer.start()
            finished = testing.polling(seconds, 2)
            in_time = sent.is_set()
            timer.join()
            assert finished is True
            if in_time:
                break
            seen.clear()
        assert in_time
    assert seen == ([] if ignored else [signal.SIGINT])


def test_work_in_another_python_thread_is_not_interrupted():
    results = []
    with handler(signal.default_int_handler):
        worker = threading.Thread(target=lambda: results.append(testing.polling(1.0, 2)))
        worker.start()
        with pytest.raises(KeyboardInterrupt), signal_after(0.2):
            time.sleep(LONG)  # the main thread gets it
        worker.join()
    assert results == [True]


def test_a_poll_from_a_foreign_thread_does_not_ask():
    code = "from mlcore import _core; assert _core._testing.foreign_poll(300) == 300"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_pending_signal_of_a_short_call_is_raised_by_python_itself():
    def short_calls():
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            testing.parallel_for(10, 2)

    with handler(signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        short_calls()


def test_from_the_terminal():
    """SIGINT from outside, default handler: the traceback and the exit status of any Python program."""
    code = """
import signal
from mlcore import _core
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in background jobs
print("ready", flush=True)
_core._testing.polling(60.0, 2)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.parametrize("task", ["polling(60.0, 2)", "polling(0.2, 2)", "call_in_blocks(10**6, 1, count)"])
def test_a_daemon_thread_at_the_interpreters_end(task):
    """The main thread ends while others poll, return or call Python: no crash, whatever the moment."""
    code = textwrap.dedent(f"""
        import itertools, threading, time
        from mlcore import _core
        rounds = itertools.count()

        def count(block):
            next(rounds)

        def work():
            while True:
                _core._testing.{task}
                next(rounds)

        for _ in range(3):
            threading.Thread(target=work, daemon=True).start()

        class Slow:
            def __del__(self, sleep=time.sleep):
                sleep(0.5)  # the interpreter is ending while the others go on

        time.sleep(0.1)
        keep = Slow()
    """)
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
