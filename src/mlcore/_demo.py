"""``python -m mlcore demo``: every family shows one task on real data, timed side by side with a peer.

How a family registers
----------------------
A family package takes part when it has a module ``_demo`` with a list ``DEMONSTRATIONS``::

    # src/mlcore/cluster/_demo.py
    from mlcore._demo import Demonstration

    def load():                          # data that ships with scikit-learn or mlcore; not timed
        return load_sample_image("china.jpg").reshape(-1, 3).astype(np.float32)

    def run_ours(X):                     # timed
        return KMeans(64, n_init=1, random_state=0).fit(X)

    def run_peer(X):                     # timed; import the peer in here, so that it may be absent
        from sklearn.cluster import KMeans
        return KMeans(64, n_init=1, random_state=0).fit(X)

    def measure(X, result):              # one number that says how good a result is; not timed
        return result.inertia_

    def draw(X, result, folder):         # optional; result of run_ours; import matplotlib in here
        ...
        return [folder / "colours.png"]  # the files written

    DEMONSTRATIONS = [
        Demonstration(
            name="colours",              # for --only
            task="colour quantisation, k = 64",
            data="photograph, 273,280 x 3",
            peer="sklearn.cluster.KMeans",
            quality="inertia (lower is better)",
            load=load, run_ours=run_ours, run_peer=run_peer, measure=measure, draw=draw,
        )
    ]

Both runs must do the same task with the same stopping rule, on the object that ``load`` returned, which
neither may change. The peer uses its own default number of threads.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

__all__ = ["Demonstration", "Outcome", "discover", "format_table", "run", "run_all"]


@dataclass(frozen=True)
class Demonstration:
    """One task, run by mlcore and by a peer. See the head of this module for how to write one.

    Attributes
    ----------
    name : str
        Short name for ``--only``.
    task, data, peer : str
        What is done, on what, and the peer's class: text for the table.
    quality : str
        What ``measure`` returns and which direction is better.
    load : callable
        ``load() -> data``.
    run_ours, run_peer : callable
        ``run(data) -> result``. A peer that raises ModuleNotFoundError is reported as not installed.
    measure : callable
        ``measure(data, result) -> float``, for the result of either.
    draw : callable or None
        ``draw(data, result, folder) -> list of Path``: the pictures of our result.
    """

    name: str
    task: str
    data: str
    peer: str
    quality: str
    load: Callable[[], Any]
    run_ours: Callable[[Any], Any]
    run_peer: Callable[[Any], Any]
    measure: Callable[[Any, Any], float]
    draw: Callable[[Any, Any, Path], Sequence[Path]] | None = None


@dataclass
class Outcome:
    """What came of one demonstration: seconds of every repeat, quality of the last, pictures, remarks."""

    demonstration: Demonstration
    our_seconds: list[float] = field(default_factory=list)
    peer_seconds: list[float] = field(default_factory=list)
    our_quality: float | None = None
    peer_quality: float | None = None
    pictures: list[Path] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    failed: bool = False

    @property
    def ratio(self) -> float | None:
        """The peer's median time by ours: above 1, mlcore is faster."""
        if not self.our_seconds or not self.peer_seconds:
            return None
        return statistics.median(self.peer_seconds) / statistics.median(self.our_seconds)


def discover(package: str = "mlcore") -> list[Demonstration]:
    """The demonstrations of all family packages, by name of the family."""
    found: list[Demonstration] = []
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        name = f"{package}.{module.name}._demo"
        if not module.ispkg or importlib.util.find_spec(name) is None:
            continue
        found.extend(importlib.import_module(name).DEMONSTRATIONS)
    names = [demonstration.name for demonstration in found]
    if len(set(names)) < len(names):
        raise ValueError(f"two demonstrations have the same name: {names}")
    return found


class _Progress:
    """One line that is drawn over and over on a terminal; a line a step elsewhere."""

    def __init__(self, stream: TextIO | None, steps: int) -> None:
        self.stream, self.steps, self.done = stream, steps, 0
        self.terminal = stream is not None and stream.isatty()

    def show(self, what: str) -> None:
        if self.stream is None:
            return
        text = f"[{self.done:>{len(str(self.steps))}}/{self.steps}] {what}"
        self.stream.write(f"\r\x1b[K{text[:79]}" if self.terminal else f"{text}\n")
        self.stream.flush()

    def step(self) -> None:
        self.done += 1

    def clear(self) -> None:
        if self.stream is not None and self.terminal:
            self.stream.write("\r\x1b[K")
            self.stream.flush()


def run(
    demonstration: Demonstration,
    *,
    repeat: int = 3,
    folder: Path | None = None,
    progress: _Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Outcome:
    """Run one demonstration `repeat` times, ours and the peer in turn, and draw its pictures."""
    progress = progress or _Progress(None, 0)
    outcome = Outcome(demonstration)
    progress.show(f"{demonstration.name}: loading data")
    data = demonstration.load()
    ours: Any = None

    def time_ours() -> None:
        nonlocal ours
        progress.show(f"{demonstration.name}: mlcore")
        start = clock()
        ours = demonstration.run_ours(data)
        outcome.our_seconds.append(clock() - start)
        progress.step()

    peer: Any = None
    peer_present = True

    def time_peer() -> None:
        nonlocal peer, peer_present
        progress.show(f"{demonstration.name}: {demonstration.peer}")
        if peer_present:
            try:
                start = clock()
                peer = demonstration.run_peer(data)
                outcome.peer_seconds.append(clock() - start)
            except ModuleNotFoundError as error:
                peer_present = False
                outcome.remarks.append(f"{demonstration.peer} was not run: {error}")
        progress.step()

    for i in range(repeat):
        # Who goes second may find warmer caches and a hotter processor: take turns.
        for go in (time_ours, time_peer) if i % 2 == 0 else (time_peer, time_ours):
            go()
    outcome.our_quality = float(demonstration.measure(data, ours))
    if peer_present:
        outcome.peer_quality = float(demonstration.measure(data, peer))
    if folder is not None and demonstration.draw is not None:
        progress.show(f"{demonstration.name}: pictures")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            outcome.pictures = list(demonstration.draw(data, ours, folder))
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "matplotlib":
                raise
            outcome.remarks.append("no pictures: matplotlib is not installed (pip install 'mlcore[plot]')")
    return outcome


def _seconds(values: list[float]) -> str:
    return f"{statistics.median(values):.3g}" if values else "-"


def _quality(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def format_table(outcomes: Iterable[Outcome]) -> str:
    """The outcomes as a plain text table."""
    head = ["task", "data", "peer", "mlcore [s]", "peer [s]", "ratio", "mlcore quality", "peer quality"]
    rows = []
    for outcome in outcomes:
        shown = outcome.demonstration
        ratio = outcome.ratio
        rows.append(
            [
                shown.task,
                shown.data,
                shown.peer,
                _seconds(outcome.our_seconds),
                _seconds(outcome.peer_seconds),
                "-" if ratio is None else f"{ratio:.2f}x",
                _quality(outcome.our_quality),
                _quality(outcome.peer_quality),
            ]
        )
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    first_number = 3

    def line(cells: list[str]) -> str:
        padded = [
            cell.ljust(width) if i < first_number else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths))
        ]
        return "  ".join(padded).rstrip()

    return "\n".join([line(head), line(["-" * width for width in widths]), *map(line, rows)])


def run_all(
    demonstrations: Sequence[Demonstration],
    *,
    repeat: int = 3,
    folder: Path = Path("demo-output"),
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> int:
    """Run demonstrations, print the table to `out` and the progress to `err`; 0 unless one has failed.

    A demonstration that raises does not keep the others from running.
    """
    out = out if out is not None else sys.stdout
    err = err if err is not None else sys.stderr
    progress = _Progress(err, 2 * repeat * len(demonstrations))
    outcomes = []
    for i, demonstration in enumerate(demonstrations):
        try:
            outcome = run(demonstration, repeat=repeat, folder=folder, progress=progress)
        except Exception as error:
            outcome = Outcome(demonstration, failed=True)
            outcome.remarks.append(f"failed: {type(error).__name__}: {error}")
        progress.done = 2 * repeat * (i + 1)
        outcomes.append(outcome)
    progress.clear()
    print(format_table(outcomes), file=out)
    print(f"\nSeconds: median of {repeat}. Ratio: peer / mlcore, above 1 mlcore is faster.", file=out)
    for outcome in outcomes:
        print(f"{outcome.demonstration.name}: quality is {outcome.demonstration.quality}.", file=out)
        for remark in outcome.remarks:
            print(f"{outcome.demonstration.name}: {remark}", file=out)
        for picture in outcome.pictures:
            print(f"{outcome.demonstration.name}: wrote {picture}", file=out)
    return int(any(outcome.failed for outcome in outcomes))
