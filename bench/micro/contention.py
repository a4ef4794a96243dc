"""``python -m bench.micro.contention``: what busy neighbours cost.

Every task is timed on the machine as it is, and again beside as many busy processes as there are processors,
in turns. Half of the processor time is then ours: a factor of two is fair, more than three (``--limit``) is
a failure. A busy machine makes the first column too large: the load before the start is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Run = Callable[[], object]
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def overlapping_blobs(rows: int, features: int, centers: int) -> NDArray[np.float32]:
    """Normal clouds that overlap, so that no fit ends at once."""
    rng = np.random.default_rng(0)
    middle = rng.uniform(-4, 4, (centers, features))
    X = middle[rng.integers(centers, size=rows)] + rng.standard_normal((rows, features))
    return X.astype(np.float32)


def kmeans(package: str, rows: int, features: int, clusters: int) -> Run:
    """A fit of at most 30 iterations from given centres."""
    X = overlapping_blobs(rows, features, clusters)
    options = {"n_clusters": clusters, "init": X[:clusters].copy(), "n_init": 1, "max_iter": 30}
    if package == "mlcore":
        from mlcore.cluster import KMeans
    else:
        from sklearn.cluster import KMeans
    return lambda: KMeans(**options).fit(X)


def seeding(package: str, rows: int, features: int, clusters: int) -> Run:
    """k-means++, which is many short parallel steps."""
    X = overlapping_blobs(rows, features, clusters)
    if package == "mlcore":
        from mlcore.cluster import kmeans_plusplus
    else:
        from sklearn.cluster import kmeans_plusplus
    return lambda: kmeans_plusplus(X, clusters, random_state=0)


#: name -> (function of the package that prepares the run, runs per measurement). Later families add theirs.
TASKS: dict[str, tuple[Callable[[str], Run], int]] = {
    "k-means 500,000 x 16, k = 64": (lambda package: kmeans(package, 500_000, 16, 64), 3),
    "k-means 2,000 x 10, k = 8": (lambda package: kmeans(package, 2_000, 10, 8), 41),
    "k-means++ 100,000 x 16, k = 64": (lambda package: seeding(package, 100_000, 16, 64), 5),
}


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
    parser.add_argument("--peer", action="store_true", help="time scikit-learn as well")
    options = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{PROCESSORS} processors, {options.neighbours} neighbours, load before the start {load:.1f}")
    print(f"{'task':34} {'package':9} {'alone':>10} {'beside':>10} {'factor':>7}")
    worst = 0.0
    for name, (prepare, runs) in TASKS.items():
        for package in ("mlcore", "sklearn") if options.peer else ("mlcore",):
            run = prepare(package)
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
