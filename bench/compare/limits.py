"""What the machine can do, measured, and how far from it a task's time is."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .case import Work


def _best(call: Callable[[], object], seconds: float) -> float:
    """Shortest time of one call among those that fit into `seconds` (at least three)."""
    best, end, count = float("inf"), time.perf_counter() + seconds, 0
    while count < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
        count += 1
    return best


def matrix_product_flops(dtype: str, size: int = 2048, seconds: float = 0.8) -> float:
    """Operations per second of NumPy's matrix product: the highest rate that ordinary code reaches here."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((size, size)).astype(dtype)
    b = rng.standard_normal((size, size)).astype(dtype)
    out = np.empty_like(a)
    return 2.0 * size**3 / _best(lambda: np.matmul(a, b, out=out), seconds)


def copy_bandwidth(megabytes: int, threads: int, seconds: float = 0.4) -> float:
    """Bytes per second, read plus written, of NumPy copies in `threads` threads (no GIL held)."""
    share = megabytes * 2**20 // threads // 4
    source = [np.ones(share, dtype=np.float32) for _ in range(threads)]
    target = [np.empty(share, dtype=np.float32) for _ in range(threads)]

    def copy_all() -> None:
        if threads == 1:
            np.copyto(target[0], source[0])
            return
        workers = [threading.Thread(target=np.copyto, args=pair) for pair in zip(target, source)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return 2.0 * sum(s.nbytes for s in source) / _best(copy_all, seconds)


def cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def measure(threads: int, quick: bool = False) -> dict[str, Any]:
    """Peaks of the machine under the given thread budget (the caller has set the environment)."""
    seconds = 0.1 if quick else 0.8
    sizes = (64,) if quick else (32, 64, 256)
    return {
        "cpu": cpu_name(),
        "threads": threads,
        "flops": {
            dtype: matrix_product_flops(dtype, 512 if quick else 2048, seconds)
            for dtype in ("float32", "float64")
        },
        "bandwidth": max(copy_bandwidth(megabytes, threads, seconds / 2) for megabytes in sizes),
    }


def higher(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """Peak of two measurements, so that a disturbed one does not flatter anybody."""
    return {
        **a,
        "flops": {dtype: max(value, b["flops"][dtype]) for dtype, value in a["flops"].items()},
        "bandwidth": max(a["bandwidth"], b["bandwidth"]),
    }


def lower_bound(work: Work, machine: Mapping[str, Any]) -> tuple[float, str]:
    """Seconds below which the plain way of doing `work` cannot be, and why: "flops", "bytes" or "steps"."""
    bounds = (
        (work.flops / machine["flops"][work.dtype], "flops"),
        (work.bytes / machine["bandwidth"], "bytes"),
        (work.core_seconds / machine["threads"], "steps"),
    )
    return max(bounds, key=lambda bound: bound[0])
