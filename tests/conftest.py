"""What tests of every family may use."""

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
{setup}
import ctypes as _ctypes, gc as _gc, json as _json

def _status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name + ":"))

_grown = []
for _call in {calls!r}:
    _gc.collect()
    getattr(_ctypes.CDLL(None), "malloc_trim", int)(0)  # what the last call has freed must not serve this one
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak begins anew
    _before = _status("VmRSS")
    exec(_call)
    _grown.append(_status("VmHWM") - _before)
print(_json.dumps(_grown))
"""


@pytest.fixture(scope="session")
def peak_bytes():
    """peak_bytes(setup, *calls): bytes by which the peak of a fresh process grows while each of `calls` runs.

    All are programs; `setup` should do everything once on small data, for libraries that are loaded late.
    (Not by getrusage: its peak is handed down to a new program, so that one below the parent's never shows.)
    """
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("needs /proc/self/clear_refs, which forgets the peak so far")

    def measure(setup, *calls):
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(setup=setup, calls=calls)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ,
        )
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout.splitlines()[-1])

    return measure
