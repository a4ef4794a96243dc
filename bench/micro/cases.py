"""Data and axes of the micro benchmarks."""

from __future__ import annotations

import functools
import os
import subprocess
import sys

import numpy as np

from bench.compare.data import blobs, random_rows
from bench.compare.runner import ROOT

DTYPES = ("float32", "float64")
# From a call's overhead through each cache to data larger than all of them: bytes of X in float32 behind.
SHAPES = {
    "tiny": (150, 4, 3),  # 2.4 kB
    "L1": (500, 16, 8),  # 32 kB
    "L2": (10_000, 16, 32),  # 640 kB
    "L3": (100_000, 32, 64),  # 13 MB
    "memory": (1_000_000, 64, 64),  # 256 MB
}


@functools.lru_cache(maxsize=4)
def dense_case(n: int, d: int, k: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping blobs and starting centres."""
    X = blobs(n, d, k).astype(dtype)
    return X, random_rows(X, k)


def thread_counts() -> list[int]:
    """1, 2, 4, ... up to the processors of this process, which come last in any case."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return sorted({*(2**i for i in range(available.bit_length()) if 2**i < available), available})


class Worker:
    """A process that runs one call a request: for what is chosen before the import, as MLCORE_ISA is.

    `program` defines ``call()``. A request runs it `repeat` times, so that the pipe (50 us) does not count.
    """

    def __init__(self, program: str, repeat: int, **environment: str) -> None:
        loop = f"""
import sys
{program}
call()
print("ready", flush=True)
for _ in sys.stdin:
    for _ in range({repeat}):
        call()
    print("done", flush=True)
"""
        self.process = subprocess.Popen(
            [sys.executable, "-c", loop],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._expect("ready")

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *problem: object) -> None:
        self.process.communicate()

    def __call__(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self._expect("done")

    def _expect(self, word: str) -> None:
        assert self.process.stdout is not None
        answer = self.process.stdout.readline().strip()
        if answer != word:
            raise RuntimeError(f"the worker said {answer!r} instead of {word!r}")
