"""The nouns of a comparison.

Row         one task on one data set, with everybody who can do it
Case        the data of a row as a contender gets it: arrays, parameters, thread budget
Contender   one library (and algorithm) that takes part in a row
Job         what is timed: a call, or the difference of two calls
Outcome     what the call produced, for the check that everybody did the same work
Work        operations and bytes that the task cannot do without; with the machine's peaks it gives the limit
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
BEST = "best peer"


class Unavailable(Exception):
    """This row's data or this contender's library is not here; the reason is the message."""


@dataclass(frozen=True)
class Case:
    """Input of one measurement."""

    arrays: Arrays
    threads: int
    known: Mapping[str, Any] = field(
        default_factory=dict
    )  # what the reference reported, e.g. its iteration count

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]


@dataclass
class Outcome:
    """Result of one call. `quality` holds numbers for the table, `labels` one integer per row of X."""

    labels: np.ndarray | None = None
    centers: np.ndarray | None = None
    n_iter: int | None = None
    quality: dict[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Job:
    """Seconds of the job are (time of `run` - time of `without`) / `parts`.

    `without` and `parts` serve tasks that no library exposes alone: one Lloyd step is (21 iterations - 1
    iteration) / 20, native seeding is (seeding + 1 iteration) - (1 iteration).
    """

    run: Callable[[], Outcome]
    without: Callable[[], object] | None = None
    parts: int = 1


@dataclass(frozen=True)
class Contender:
    name: str
    package: str  # distribution that `importlib.metadata.version` knows
    module: str  # what must be importable
    prepare: Callable[[Case], Job]

    def installed(self) -> bool:
        try:
            return importlib.util.find_spec(self.module) is not None
        except ModuleNotFoundError:  # a dotted name whose parent is absent
            return False


@dataclass(frozen=True)
class Work:
    """Least work of a task done in the plain way: floating-point operations and bytes moved from memory.

    `core_seconds`: of one core, for work that is neither, such as additions to memory; the area says how it
    is known.
    """

    flops: float
    bytes: float
    dtype: str = "float32"
    core_seconds: float = 0.0


@dataclass(frozen=True)
class Row:
    """One line of the comparison.

    make        data of the row, scaled down when the argument `shrink` is above 1; may raise Unavailable
    work        (arrays, reference outcome) -> Work
    check       (arrays, outcome) -> numbers measured outside the timed part, the same way for everybody
    warm        arrays of a small case that is run once, untimed: imports, thread pools and first-call costs
                are not part of the row. None: no warm-up call
    goals       least wanted ratios (a peer's time / our time) by package; BEST: of the best of all
    objective   key of `check` that all contenders minimise; a peer that ends more than `slack` (relative)
                above the reference is shown but is not the best peer
    objective_name  what the table calls it, where it is not what the area says
    calls       timed calls in one process; the median counts. More than 1 only where one call is short
    shown       keys of `check` that the table shows as they are
    """

    name: str
    title: str
    contenders: tuple[Contender, ...]
    make: Callable[[Any, int], Arrays]
    work: Callable[[Arrays, Mapping[str, Any]], Work]
    check: Callable[[Arrays, Outcome], dict[str, float]]
    reference: str
    ours: str = "mlcore"
    warm: Callable[[Arrays], Arrays] | None = None
    goals: Mapping[str, float] = field(default_factory=dict)
    objective: str = "inertia"
    objective_name: str = ""
    slack: float = 1e-3
    calls: int = 1
    shown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Area:
    name: str
    rows: tuple[Row, ...]
    notes: str = ""  # Markdown below the table
    objective: str = ""  # what the rows minimise, in the words of the table; empty: their keys

    def objective_of(self, row: Row) -> str:
        return row.objective_name or self.objective or row.objective.replace("_", " ")

    def row(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)
