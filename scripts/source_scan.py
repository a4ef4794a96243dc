"""Reads C++ files the way the structure checks need it: preprocessor directives without comments."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

CPP_SUFFIXES = (".cpp", ".hpp", ".cc", ".h", ".cxx", ".hxx", ".ipp", ".inl")

_COMMENT_OR_STRING = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL | re.MULTILINE
)


def without_comments(text: str) -> str:
    """The text with every comment blanked; line numbers stay as they are."""

    def blank(match: re.Match[str]) -> str:
        token = match.group()
        if token.startswith(("//", "/*")):
            return "\n" * token.count("\n") if "\n" in token else " "
        return token

    return _COMMENT_OR_STRING.sub(blank, text)


def directives(path: Path) -> Iterator[tuple[int, str]]:
    """Line number and text of each preprocessor directive, and of each line that holds _Pragma."""
    lines = without_comments(path.read_text(encoding="utf-8")).split("\n")
    number = 0
    while number < len(lines):
        first, line = number, lines[number]
        while line.endswith("\\") and number + 1 < len(lines):
            number += 1
            line = line[:-1] + " " + lines[number]
        number += 1
        if line.lstrip().startswith("#") or "_Pragma" in line:
            yield first + 1, " ".join(line.split())


def includes(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Line number, name and whether it stands in angle brackets, for each #include."""
    for number, line in directives(path):
        match = re.match(r'#\s*include\s*(?:<([^>]+)>|"([^"]+)")', line)
        if match:
            yield number, match.group(1) or match.group(2), match.group(1) is not None


def cpp_files(*folders: Path) -> list[Path]:
    return sorted(f for folder in folders for f in folder.rglob("*") if f.suffix in CPP_SUFFIXES)


def finish(name: str, checked: int, what: str, violations: Iterable[str]) -> None:
    """Print the verdict and leave. Nothing to check is a failure: a moved folder is not a clean one."""
    violations = list(violations)
    for violation in violations:
        print(violation)
    if not checked:
        print(f"{name}: found no {what} to check")
        sys.exit(1)
    print(f"{name}: {checked} {what}, {len(violations)} violation{'' if len(violations) == 1 else 's'}")
    sys.exit(1 if violations else 0)
