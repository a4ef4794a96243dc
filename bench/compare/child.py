"""One measurement in a fresh process: ``python -m bench.compare.child`` reads its order as JSON from stdin.

Prints one JSON line. The order holds area, row, contender, folder (arrays as .npy files), threads and, for
the labels, a file name. With ``{"machine": true}`` it measures the machine's peaks instead.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from . import limits
from .case import Case, Contender, Job, Outcome, Row


def reset_peak() -> bool:
    """Makes the kernel start its record of the peak resident size anew; False where it cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def resident(key: str) -> int:
    """VmRSS (now) or VmHWM (peak) in bytes; 0 where /proc is absent."""
    try:
        with open("/proc/self/status", encoding="ascii") as lines:
            for line in lines:
                if line.startswith(key + ":"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def busy_jiffies() -> tuple[float, float]:
    """Seconds of processor time used by everybody, and by this process."""
    own = time.process_time()
    try:
        with open("/proc/stat", encoding="ascii") as lines:
            fields = [int(value) for value in lines.readline().split()[1:]]
        hertz = os.sysconf("SC_CLK_TCK")
        return sum(fields[:3] + fields[5:7]) / hertz, own
    except (OSError, ValueError):
        return own, own


def timed(job: Job, calls: int) -> tuple[float, list[float], Outcome]:
    """Seconds of the job, those of each call, and what the last call produced."""
    seconds: list[float] = []
    outcome = Outcome()
    for _ in range(calls):
        start = time.perf_counter()
        outcome = job.run()
        elapsed = time.perf_counter() - start
        if job.without is not None:
            start = time.perf_counter()
            job.without()
            elapsed -= time.perf_counter() - start
        seconds.append(elapsed / job.parts)
    return statistics.median(seconds), seconds, outcome


def measure(row: Row, contender: Contender, case: Case, labels_file: str | None) -> dict[str, Any]:
    if row.warm is not None:
        contender.prepare(Case(row.warm(case.arrays), case.threads, case.known)).run()
    job = contender.prepare(case)
    peak_is_fresh = reset_peak()
    before = resident("VmRSS")
    everybody, own = busy_jiffies()
    start = time.perf_counter()
    seconds, calls, outcome = timed(job, row.calls)
    elapsed = time.perf_counter() - start
    everybody_after, own_after = busy_jiffies()
    if peak_is_fresh:
        peak = resident("VmHWM") - before
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    quality = {**outcome.quality, **row.check(case.arrays, outcome)}
    if labels_file is not None and outcome.labels is not None:
        np.save(labels_file, np.asarray(outcome.labels, dtype=np.int32))
    others = (everybody_after - everybody) - (own_after - own)
    return {
        "seconds": seconds,
        "calls": len(calls),
        "calls_min": min(calls),
        "calls_max": max(calls),
        "peak_bytes": max(0, peak),
        "other_cpu": max(0.0, others / elapsed) if elapsed > 0.1 else None,
        "n_iter": outcome.n_iter,
        "quality": {key: float(value) for key, value in quality.items()},
        "note": outcome.note,
    }


def load_arrays(folder: Path) -> dict[str, np.ndarray]:
    return {path.stem: np.load(path) for path in sorted(folder.glob("*.npy"))}


def main() -> None:
    order = json.load(sys.stdin)
    # Not converging within max_iter and the like are part of a comparison, not news.
    warnings.simplefilter("ignore")
    if order.get("machine"):
        result = limits.measure(order["threads"], order["quick"])
    else:
        from .areas import area_of

        row = area_of(order["area"]).row(order["row"])
        contender = next(c for c in row.contenders if c.name == order["contender"])
        case = Case(load_arrays(Path(order["folder"])), order["threads"], order["known"])
        result = measure(row, contender, case, order.get("labels"))
    print("\n" + json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
