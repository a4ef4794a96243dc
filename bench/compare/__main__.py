"""``python -m bench.compare AREA``: measure, then write a table (Markdown), the raw numbers (JSON), a plot"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import report
from .areas import AREAS, area_of
from .data import Source
from .runner import ROOT, allowed_cpus, merge, run_area


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("area", choices=AREAS)
    parser.add_argument(
        "--only", metavar="TEXT", action="append", help="rows whose name holds TEXT; may be repeated"
    )
    parser.add_argument("--list", action="store_true", help="names of the rows, nothing is run")
    parser.add_argument("--repeats", type=int, help="fresh processes for each contender (default 5, quick 1)")
    parser.add_argument(
        "--threads", type=int, default=len(allowed_cpus()), help="budget of everybody (default: all cores)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="data a twentieth of the size, one repeat: does it work?"
    )
    parser.add_argument(
        "--data", metavar="DIR", help="folder with load.py and real data (default: MLCORE_DATA)"
    )
    parser.add_argument("--output", metavar="DIR", type=Path, default=ROOT / "bench" / "results")
    parser.add_argument(
        "--budget", type=float, default=120.0, help="seconds after which a library is not repeated"
    )
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for one process")
    parser.add_argument(
        "--readme", action="store_true", help="write the table into README.md and table and plot into docs/"
    )
    parser.add_argument(
        "--render", action="store_true", help="write the tables again from the JSON file, measure nothing"
    )
    return parser


def publish(
    area: str, results: Mapping[str, Any], notes: str, drawing: Path | None, root: Path = ROOT
) -> None:
    """The summary into README.md, everything into docs/benchmarks, with the plot where there is one."""
    pages = root / "docs" / "benchmarks"
    pages.mkdir(parents=True, exist_ok=True)
    short = report.markdown(results, notes, full=False)
    full = report.markdown(results, notes, full=True)
    if drawing is not None:
        picture = f"{area}.svg"
        (pages / picture).write_bytes(drawing.read_bytes())
        short += f"\n![Time of each library over mlcore's](docs/benchmarks/{picture})\n"
        full += f"\n![Time of each library over mlcore's](../benchmarks/{picture})\n"
    (pages / f"{area}.inc.md").write_text(full, encoding="utf-8")
    readme = root / "README.md"
    section = report.replace_between(readme.read_text(encoding="utf-8"), f"bench:{area}", short)
    readme.write_text(section, encoding="utf-8")


def main(given: list[str] | None = None) -> int:
    options = arguments().parse_args(given)
    area = area_of(options.area)
    rows = [r for r in area.rows if not options.only or any(text in r.name for text in options.only)]
    if options.list:
        print("\n".join(f"{row.name:20} {row.title}" for row in area.rows))
        return 0
    if not rows:
        print(f"no row of {area.name} holds {options.only}; --list shows them", file=sys.stderr)
        return 2
    name = f"{area.name}-quick" if options.quick else area.name
    raw = options.output / f"{name}.json"
    if options.render:
        results = json.loads(raw.read_text(encoding="utf-8"))
    else:
        results = run_area(
            area,
            rows,
            Source(options.data),
            threads=options.threads,
            repeats=options.repeats or (1 if options.quick else 5),
            quick=options.quick,
            timeout=options.timeout,
            budget=options.budget,
            say=lambda text: print(text, file=sys.stderr, flush=True),
        )
        if options.only and raw.is_file():
            results = merge(json.loads(raw.read_text(encoding="utf-8")), results, [r.name for r in area.rows])
        options.output.mkdir(parents=True, exist_ok=True)
        raw.write_text(json.dumps(report.finite(results), indent=1) + "\n", encoding="utf-8")
    text = report.markdown(results, area.notes, full=True)
    (options.output / f"{name}.md").write_text(text, encoding="utf-8")
    drawn = report.plot(results, options.output / f"{name}.svg")
    print(report.markdown(results, area.notes, full=False))
    if options.readme:
        if results["quick"]:
            print("a quick run does not go into the README", file=sys.stderr)
            return 2
        publish(area.name, results, area.notes, options.output / f"{name}.svg" if drawn else None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
