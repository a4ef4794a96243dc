"""Command line: ``python -m mlcore info`` and ``python -m mlcore demo``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mlcore", description="Classical machine learning, fast.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    info = commands.add_parser("info", help="show versions, instruction set, threads, BLAS and OpenMP in use")
    info.add_argument("--json", action="store_true", help="as JSON")
    demo = commands.add_parser("demo", help="run every family on real data, side by side with a peer")
    demo.add_argument("--list", action="store_true", help="only list the demonstrations")
    demo.add_argument("--only", metavar="NAME", action="append", help="run this one (may be repeated)")
    demo.add_argument(
        "--repeat", metavar="N", type=_positive, default=3, help="timed runs of each (default: 3)"
    )
    demo.add_argument(
        "--output",
        metavar="FOLDER",
        type=Path,
        default=Path("demo-output"),
        help="folder for the pictures (default: demo-output)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 done, 1 a demonstration has failed, 2 wrong arguments."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command == "info":
        from ._config import show_config

        if arguments.json:
            print(json.dumps(show_config(mode="dict"), indent=2))
        else:
            show_config()
        return 0

    from . import _demo

    demonstrations = _demo.discover()
    if arguments.list:
        for shown in demonstrations:
            print(f"{shown.name}: {shown.task}; {shown.data}; against {shown.peer}")
        return 0
    if arguments.only:
        known = {demonstration.name: demonstration for demonstration in demonstrations}
        unknown = [name for name in arguments.only if name not in known]
        if unknown:
            parser.error(f"no demonstration {', '.join(unknown)}; there are: {', '.join(known)}")
        demonstrations = [known[name] for name in arguments.only]
    return _demo.run_all(demonstrations, repeat=arguments.repeat, folder=arguments.output)


if __name__ == "__main__":
    sys.exit(main())
