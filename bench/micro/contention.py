"""``python -m bench.micro.contention``: what busy neighbours cost.

Every task is timed on the machine as it is, and again beside as many busy processes as there are processors,
in turns. Half of the processor time is then ours: a factor of two is fair, more than three (``--limit``) is
a failure. A busy machine makes the first column too large: the load before the start is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

Run = Callable[[], object]
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


#: name -> (function of the package, "mlcore" or "sklearn", that prepares the run; runs per measurement)
Tasks = Mapping[str, tuple[Callable[[str], Run], int]]


def tasks_of_all_families() -> Tasks:
    """TASKS of every module contention_<family> beside this one."""
    found: dict[str, tuple[Callable[[str], Run], int]] = {}
    for path in sorted(Path(__file__).parent.glob("contention_*.py")):
        found.update(importlib.import_module(f"bench.micro.{path.stem}").TASKS)
    return found


@contextlib.contextmanager
def busy_neighbours(count: int) -> Iterator[None]:
    """`count` processes that do nothing but compute."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        time.sleep(0.5)  # until they run
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def seconds_of(run: Run, runs: int) -> list[float]:
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.micro.contention", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="turns of alone and beside others (default 3)")
    parser.add_argument("--neighbours", type=int, default=PROCESSORS, help="busy processes (one per core)")
    parser.add_argument("--limit", type=float, default=3.0, help="largest factor for mlcore (default 3)")
    parser.add_argument("--only", metavar="TEXT", default="", help="tasks whose name holds TEXT")
    parser.add_argument("--peer", action="store_true", help="time scikit-learn as well")
    options = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{PROCESSORS} processors, {options.neighbours} neighbours, load before the start {load:.1f}")
    print(f"{'task':34} {'package':9} {'alone':>10} {'beside':>10} {'factor':>7}")
    worst = 0.0
    for name, (prepare, runs) in tasks_of_all_families().items():
        if options.only not in name:
            continue
        for package in ("mlcore", "sklearn") if options.peer else ("mlcore",):
            try:
                run = prepare(package)
            except ModuleNotFoundError:  # this peer has no such method
                continue
            run()  # threads, caches, imports
            alone: list[float] = []
            beside: list[float] = []
            for _ in range(options.rounds):
                alone += seconds_of(run, runs)
                with busy_neighbours(options.neighbours):
                    beside += seconds_of(run, runs)
            before, after = statistics.median(alone), statistics.median(beside)
            if package == "mlcore":
                worst = max(worst, after / before)
            print(
                f"{name:34} {package:9} {before * 1e3:7.2f} ms {after * 1e3:7.2f} ms {after / before:7.2f}",
                flush=True,
            )
    print(f"largest factor of mlcore {worst:.2f}, limit {options.limit:g}")
    return int(worst > options.limit)


if __name__ == "__main__":
    sys.exit(main())
