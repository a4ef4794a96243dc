"""Cost of a fit against rows, columns, leaves and threads: ``python -m bench.compare.boosting_cost [DIR]``.

Times fits of `TREES` trees, binning included, on an otherwise idle machine and writes tables and a plot into
DIR: `boosting-cost.inc.md`, `boosting-scaling.inc.md`, `boosting-cost.svg`. The time is to grow linearly with
rows and columns. A model of more threads than the machine has follows from the times on one and on two.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .boosting import BINS, MIN_LEAF, RATE, collisions, rows_of_mlcore
from .data import Source

TREES = 20
ROWS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
COLUMNS = (8, 16, 32, 64, 128, 256)
LEAVES = (15, 31, 63, 127, 255, 511)
SOME_ROWS, SOME_LEAVES, SOME_COLUMNS = 200_000, 63, 28
CORES = (1, 2, 4, 8, 16, 32, 64)

# Of the model. A split takes four rounds of the team: two of the partition, one of sums, one of the search.
ROUNDS = 4
ROUND_SECONDS = 1.5e-6  # for each doubling of the threads: a line of a cache that travels to all of them
BYTES_A_ROW = 64 + 64 + 4  # lines of the record and of its derivatives, and the row number
BANDWIDTH = {
    1: 12e9,
    2: 24e9,
    4: 48e9,
    8: 96e9,
    16: 160e9,
    32: 200e9,
    64: 250e9,
}  # of a server's socket, reading


def data(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    arrays = collisions(rows, 0, columns)(Source(), 1)
    return arrays["X"], arrays["y"]


def fit(X: np.ndarray, y: np.ndarray, leaves: int, threads: int | None = None, trees: int = TREES) -> Any:
    from mlcore.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        learning_rate=RATE,
        max_iter=trees,
        max_leaf_nodes=leaves,
        min_samples_leaf=MIN_LEAF,
        max_bins=BINS,
        early_stopping=False,
        n_jobs=threads,
        random_state=0,
    ).fit(X, y)


def seconds(
    X: np.ndarray, y: np.ndarray, leaves: int, threads: int | None = None, trees: int = TREES
) -> float:
    """Best of up to three fits, of one if it is long."""
    best, spent, calls = float("inf"), 0.0, 0
    while calls < 3 and spent < 1.5:
        begin = time.perf_counter()
        fit(X, y, leaves, threads, trees)
        elapsed = time.perf_counter() - begin
        best, spent, calls = min(best, elapsed), spent + elapsed, calls + 1
    return best


def slope(x: Sequence[int], y: Sequence[float]) -> float:
    """Exponent of the power law through the points."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def grid(header: str, x: Sequence[int], y: Sequence[float]) -> list[str]:
    return [
        "| " + " | ".join([header, *(f"{value:,}" for value in x)]) + " |",
        "| --- |" + " --: |" * len(x),
        "| seconds | " + " | ".join(f"{value:.3g}" for value in y) + " |",
        "",
    ]


class Scaling:
    """The times of fits on one thread and on two, and what they say of more."""

    def __init__(self, rows: int = 1_000_000) -> None:
        X, y = data(rows, SOME_COLUMNS)
        self.one = seconds(X, y, SOME_LEAVES, 1)
        self.two = seconds(X, y, SOME_LEAVES, 2)
        self.binning = [seconds(X, y, 2, threads, trees=1) for threads in (1, 2)]
        self.rows = rows_of_mlcore(fit(X, y, SOME_LEAVES, 2))
        self.serial = max(0.0, 2 * self.two - self.one - self.rounds(2))

    def rounds(self, cores: int) -> float:
        return TREES * (SOME_LEAVES - 1) * ROUNDS * ROUND_SECONDS * math.log2(cores) if cores > 1 else 0.0

    def memory(self, cores: int) -> float:
        return self.rows * BYTES_A_ROW / BANDWIDTH[cores]

    def model(self, cores: int) -> float:
        shared = (self.one - self.serial) / cores
        return self.serial + max(shared, self.memory(cores)) + self.rounds(cores)

    def lines(self) -> list[str]:
        out = [
            f"1,000,000 × {SOME_COLUMNS}, {SOME_LEAVES} leaves, {TREES} trees: {self.one:.2f} s on one "
            f"thread, {self.two:.2f} s on two; {self.rows / 1e6:.1f} million rows summed up. Binning and a "
            f"first split: {self.binning[0]:.3f} s and {self.binning[1]:.3f} s. The part that does not gain "
            f"from the second thread is {self.serial:.3f} s.",
            "",
            "| cores | serial | shared | bytes | rounds | model | speed-up |",
            "| --: | --: | --: | --: | --: | --: | --: |",
        ]
        for cores in CORES:
            parts = [self.serial, (self.one - self.serial) / cores, self.memory(cores), self.rounds(cores)]
            total = self.model(cores)
            cells = [f"{value:.3f} s" for value in [*parts, total]]
            out.append(f"| {cores} | " + " | ".join(cells) + f" | {self.model(1) / total:.1f} |")
        return [*out, ""]


def plot(sweeps: Sequence[tuple[str, Sequence[int], Sequence[float]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams["svg.hashsalt"] = "mlcore"
    plt.rcParams["svg.fonttype"] = "none"
    figure, panels = plt.subplots(1, len(sweeps), figsize=(10, 3.2), layout="constrained")
    for axes, (title, x, y) in zip(panels, sweeps):
        axes.loglog(x, y, "o-", label="fit")
        axes.loglog(x, [y[-1] * value / x[-1] for value in x], ":", label="linear")
        axes.set(xlabel=title)
        axes.grid(alpha=0.3)
        axes.legend()
    panels[0].set(ylabel=f"seconds, {TREES} trees")
    figure.savefig(path, metadata={"Date": None})


def main(folder: Path) -> None:
    X, y = data(SOME_ROWS, SOME_COLUMNS)
    fit(X, y, SOME_LEAVES)  # threads, imports
    by_leaves = [seconds(X, y, leaves) for leaves in LEAVES]
    X, y = data(SOME_ROWS, COLUMNS[-1])
    by_columns = [seconds(np.ascontiguousarray(X[:, :d]), y, SOME_LEAVES) for d in COLUMNS]
    by_rows = [seconds(*data(n, SOME_COLUMNS), SOME_LEAVES) for n in ROWS]
    scaling = Scaling()
    large = [n for n in ROWS if n >= 100_000]
    text = [
        f"{SOME_COLUMNS} columns, {SOME_LEAVES} leaves:",
        "",
        *grid("rows", ROWS, by_rows),
        f"From {large[0]:,} rows on the time grows as n^{slope(large, by_rows[-len(large) :]):.2f}.",
        "",
        f"{SOME_ROWS:,} rows, {SOME_LEAVES} leaves:",
        "",
        *grid("columns", COLUMNS, by_columns),
        f"From {COLUMNS[2]} columns on the time grows as d^{slope(COLUMNS[2:], by_columns[2:]):.2f}.",
        "",
        f"{SOME_ROWS:,} rows, {SOME_COLUMNS} columns:",
        "",
        *grid("leaves", LEAVES, by_leaves),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "boosting-cost.inc.md").write_text("\n".join(text), encoding="utf-8")
    (folder / "boosting-scaling.inc.md").write_text("\n".join(scaling.lines()), encoding="utf-8")
    sweeps = [("rows", ROWS, by_rows), ("columns", COLUMNS, by_columns), ("leaves", LEAVES, by_leaves)]
    plot(sweeps, folder / "boosting-cost.svg")
    print("\n".join([*text, *scaling.lines()]))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "bench/results"))
