"""Runs rows: fresh process per measurement, contenders in alternating order, one budget for all."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import limits
from .case import Area, Arrays, Row, Unavailable
from .data import Source

ROOT = Path(__file__).resolve().parents[2]
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def allowed_cpus() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def environment(threads: int, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment of a measurement: one thread budget for every runtime that reads one."""
    env = dict(os.environ if base is None else base)
    env.update({name: str(threads) for name in THREAD_VARIABLES})
    return env


def turn(names: Sequence[str], number: int, first: str | None = None) -> list[str]:
    """Order of the contenders in round `number`. In round 0 `first` begins.

    Reversed every other round and rotated every two, so that nobody always runs after the same neighbour or
    at the same point of a clock's or a cache's drift.
    """
    if not names:
        return []
    if number == 0 and first in names:
        return [first, *(name for name in names if name != first)]
    shift = number // 2 % len(names)
    order = [*names[shift:], *names[:shift]]
    return order[::-1] if number % 2 else order


class ChildFailed(Exception):
    pass


def run_child(order: Mapping[str, Any], threads: int, timeout: float) -> dict[str, Any]:
    """One child process with the given order; its JSON answer."""
    cpus = allowed_cpus()

    def confine() -> None:  # runtimes that ignore the environment (TBB) obey the affinity mask
        if threads < len(cpus) and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, cpus[:threads])

    try:
        done = subprocess.run(
            [sys.executable, "-m", "bench.compare.child"],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment(threads),
            timeout=timeout,
            preexec_fn=confine,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"more than {timeout:g} s") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise ChildFailed(lines[-1] if lines else f"exit code {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def mismatch(labels: Path, reference: Path) -> float | None:
    """Share of rows whose label differs; None when one of the two has no labels."""
    if not labels.is_file() or not reference.is_file():
        return None
    a, b = np.load(labels), np.load(reference)
    return float(np.mean(a != b)) if a.shape == b.shape else 1.0


def summarise(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Median, minimum and maximum of the repeats, the largest memory; quality of the first run."""
    seconds = [run["seconds"] for run in runs]
    others = [run["other_cpu"] for run in runs if run["other_cpu"] is not None]
    if len(runs) == 1 and runs[0]["calls"] > 1:
        low, high = runs[0]["calls_min"], runs[0]["calls_max"]
    else:
        low, high = min(seconds), max(seconds)
    return {
        "seconds": statistics.median(seconds),
        "min": low,
        "max": high,
        "peak_bytes": max(run["peak_bytes"] for run in runs),
        "other_cpu": statistics.median(others) if others else None,
        "n_iter": runs[0]["n_iter"],
        "quality": dict(runs[0]["quality"]),
        "note": runs[0]["note"],
        "runs": [dict(run) for run in runs],
    }


def run_row(
    area: Area,
    row: Row,
    arrays: Arrays,
    *,
    threads: int,
    repeats: int,
    timeout: float,
    budget: float,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """All contenders of a row; the entry of the results file.

    A contender that has used up its `budget` of seconds is not repeated any more.
    """
    absent = {c.name: "not installed" for c in row.contenders if not c.installed()}
    names = [c.name for c in row.contenders if c.name not in absent]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    spent = dict.fromkeys(names, 0.0)
    failed: dict[str, str] = {}
    known: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="mlcore-bench-") as scratch:
        folder = Path(scratch) / "arrays"
        folder.mkdir()
        for key, value in arrays.items():
            np.save(folder / f"{key}.npy", value)
        labels = {name: Path(scratch) / f"labels-{i}.npy" for i, name in enumerate(names)}
        for number in range(repeats):
            for name in turn(names, number, row.reference):
                if name in failed or spent[name] > budget:
                    continue
                order = {
                    "area": area.name,
                    "row": row.name,
                    "contender": name,
                    "folder": str(folder),
                    "threads": threads,
                    "known": known,
                    "labels": str(labels[name]) if number == 0 else None,
                }
                start = time.monotonic()
                try:
                    answer = run_child(order, threads, timeout)
                except ChildFailed as problem:
                    failed[name] = str(problem)
                    say(f"  {name}: {problem}")
                    continue
                runs[name].append(answer)
                spent[name] += time.monotonic() - start
                if name == row.reference and not known:
                    known = {"n_iter": answer["n_iter"]}
                say(f"  {number + 1}/{repeats} {name}: {answer['seconds']:.4g} s")
        entry: dict[str, Any] = {
            "name": row.name,
            "title": row.title,
            "goals": dict(row.goals),
            "reference": row.reference,
            "ours": row.ours,
            "objective": row.objective,
            "objective_name": area.objective_of(row),
            "slack": row.slack,
            "shown": list(row.shown),
            "threads": threads,
            "when": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
            "absent": {**absent, **failed},
            "packages": {c.name: c.package for c in row.contenders},
            "contenders": {
                name: summarise(runs[name]) for name in names if runs[name] and name not in failed
            },
        }
        for name, result in entry["contenders"].items():
            result["mismatch"] = mismatch(labels[name], labels.get(row.reference, Path("absent")))
    reference = entry["contenders"].get(row.reference) or entry["contenders"].get(row.ours)
    if reference is not None:
        work = row.work(arrays, reference)
        entry["work"] = dataclasses.asdict(work)
    return entry


def versions(area: Area) -> dict[str, str]:
    """Versions of everybody who takes part, and of the interpreter and NumPy."""
    found = {"python": sys.version.split()[0]}
    for package in ["numpy", *dict.fromkeys(c.package for row in area.rows for c in row.contenders)]:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def run_area(
    area: Area,
    rows: Sequence[Row],
    source: Source,
    *,
    threads: int,
    repeats: int,
    quick: bool,
    timeout: float,
    budget: float,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """The whole comparison; the contents of the results file."""
    peak_order = {"machine": True, "threads": threads, "quick": quick}
    machine = run_child(peak_order, threads, timeout)
    entries = []
    for row in rows:
        say(row.title)
        try:
            arrays = row.make(source, 20 if quick else 1)
        except Unavailable as reason:
            say(f"  left out: {reason}")
            entries.append({"name": row.name, "title": row.title, "left_out": str(reason)})
            continue
        entries.append(
            run_row(
                area, row, arrays, threads=threads, repeats=repeats, timeout=timeout, budget=budget, say=say
            )
        )
    machine = limits.higher(machine, run_child(peak_order, threads, timeout))
    return {
        "area": area.name,
        "quick": quick,
        "repeats": repeats,
        "machine": machine,
        "versions": versions(area),
        "rows": entries,
    }


def merge(old: Mapping[str, Any], new: dict[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """Rows of `new` replace those of `old`; the rest stays (each row tells when it was measured)."""
    rows = {entry["name"]: entry for entry in [*old["rows"], *new["rows"]]}
    known = [name for name in order if name in rows]
    return {
        **new,
        "machine": limits.higher(new["machine"], old["machine"]),
        "rows": [rows[name] for name in known],
    }
