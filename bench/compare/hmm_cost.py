"""Cost of an E-step against the number of states and the length: ``python -m bench.compare.hmm_cost [DIR]``.

Times `mlcore._core.hmm.estep` on given log-densities, so that recursions and the posteriors handed out are
all there is, and writes `hmm-cost.inc.md` (table) and `hmm-cost.svg` (plot) into DIR. Cost per row is to grow
as K^2 once K is large, and independent of the length once the sequence is long enough to share out.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

STATES = (2, 4, 8, 16, 32, 64, 128, 200)
LENGTHS = (100, 1_000, 10_000, 100_000, 1_000_000)
ROWS_OF_STATES = 20_000  # length where the states vary
STATES_OF_LENGTHS = 8


def seconds(K: int, T: int, threads: int = 0, least: float = 0.15) -> float:
    """Best of several E-steps of one sequence."""
    from mlcore import _core

    rng = np.random.default_rng(0)
    L = rng.normal(size=(T, K))
    A = rng.dirichlet(np.ones(K), K)
    start = np.full(K, 1 / K)
    offsets = np.array([0, T], dtype=np.int64)
    best, spent, calls = float("inf"), 0.0, 0
    while calls < 3 or spent < least:
        begin = time.perf_counter()
        _core.hmm.estep(("log_density", L), None, offsets, start, A, None, None, threads)
        elapsed = time.perf_counter() - begin
        best, spent, calls = min(best, elapsed), spent + elapsed, calls + 1
    return best


def slope(x: list[int], y: list[float]) -> float:
    """Exponent of the power law through the points."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def table(by_states: list[float], by_length: list[float]) -> str:
    lines = [
        f"E-step of one sequence of {ROWS_OF_STATES:,} rows:",
        "",
        "| K | time | a row | a row and K² |",
        "| --: | --: | --: | --: |",
    ]
    for K, t in zip(STATES, by_states):
        row = t / ROWS_OF_STATES * 1e9
        lines.append(f"| {K} | {t * 1e3:.2f} ms | {row:,.0f} ns | {row / K**2:.2f} ns |")
    power = slope([K for K in STATES if K >= 32], by_states[STATES.index(32) :])
    lines += [
        "",
        f"From K = 32 on the time grows as K^{power:.2f}.",
        "",
        f"E-step of one sequence, K = {STATES_OF_LENGTHS}:",
        "",
        "| T | time | a row |",
        "| --: | --: | --: |",
    ]
    for T, t in zip(LENGTHS, by_length):
        lines.append(f"| {T:,} | {t * 1e3:.3f} ms | {t / T * 1e9:,.0f} ns |")
    power = slope([T for T in LENGTHS if T >= 10_000], by_length[LENGTHS.index(10_000) :])
    lines += ["", f"From T = 10,000 on the time grows as T^{power:.2f}.", ""]
    return "\n".join(lines)


def plot(by_states: list[float], by_length: list[float], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams["svg.hashsalt"] = "mlcore"
    plt.rcParams["svg.fonttype"] = "none"  # letters as letters: a tenth of the size
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    left.loglog(STATES, by_states, "o-", label="E-step")
    left.loglog(STATES, [by_states[-1] * (K / STATES[-1]) ** 2 for K in STATES], ":", label="K²")
    left.set(xlabel="states K", ylabel="seconds", title=f"T = {ROWS_OF_STATES:,}")
    right.loglog(LENGTHS, by_length, "o-", label="E-step")
    right.loglog(LENGTHS, [by_length[-1] * T / LENGTHS[-1] for T in LENGTHS], ":", label="T")
    right.set(xlabel="rows T", title=f"K = {STATES_OF_LENGTHS}")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main(folder: Path) -> None:
    by_states = [seconds(K, ROWS_OF_STATES) for K in STATES]
    by_length = [seconds(STATES_OF_LENGTHS, T) for T in LENGTHS]
    folder.mkdir(parents=True, exist_ok=True)
    text = table(by_states, by_length)
    (folder / "hmm-cost.inc.md").write_text(text, encoding="utf-8")
    plot(by_states, by_length, folder / "hmm-cost.svg")
    print(text)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "bench/results"))
