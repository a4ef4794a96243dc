"""Threads and the interpreter's lock live in three files, so that how they work stays a local matter.

runtime/parallel.cpp makes them (no OpenMP regions, see parallel.hpp for why), runtime/threads.cpp asks
OpenMP how many there may be. Allowed elsewhere: `omp simd` in kernel files (*.kernel.cpp, *.kernel.hpp),
which starts no threads; threads in the bindings of the test suite (testing_*.cpp). python/gil.hpp gives the
interpreter's lock away and takes it: pybind11's own guards abort the process of a daemon thread at the end.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from source_scan import cpp_files, directives, finish, without_comments

MAKES_THREADS = Path("cpp/src/runtime/parallel.cpp")
ASKS_OPENMP = Path("cpp/src/runtime/threads.cpp")
TAKES_GIL = Path("python/gil.hpp")
_PRAGMA = re.compile(r"""(?:#\s*pragma|_Pragma\s*\(\s*"(?:[^"]*?))\s*omp\s+([a-z ]+)""")
_OMP_H = re.compile(r'#\s*include\s*[<"]omp\.h')
_THREAD = re.compile(r"\bstd::j?thread\b(?!::)|\bstd::async\b|\bpthread_create\b|\bthrd_create\b")
_GIL = re.compile(r"\bgil_scoped_(?:acquire|release)\b|\bPyGILState_\w+|\bPyEval_\w+Thread\b")


def violations_of(root: Path, path: Path) -> Iterator[str]:
    relative = path.relative_to(root)
    kernel = ".kernel." in path.name
    for line, text in directives(path):
        if relative != ASKS_OPENMP and _OMP_H.match(text):
            yield f"{relative}:{line}: only {ASKS_OPENMP.name} includes omp.h"
        for match in _PRAGMA.finditer(text):
            words = match.group(1).split()
            if kernel and words[:1] == ["simd"]:
                continue
            yield f"{relative}:{line}: OpenMP pragma, use runtime/parallel.hpp: omp {' '.join(words)}"
    may_make_threads = relative == MAKES_THREADS or path.name.startswith("testing_")
    for line, text in enumerate(without_comments(path.read_text(encoding="utf-8")).split("\n"), 1):
        if relative != TAKES_GIL and (match := _GIL.search(text)):
            yield f"{relative}:{line}: only {TAKES_GIL.name} handles the interpreter's lock: {match.group()}"
        if not may_make_threads and (match := _THREAD.search(text)):
            yield f"{relative}:{line}: only {MAKES_THREADS.name} starts threads: {match.group()}"


def cython_violations(root: Path, path: Path) -> Iterator[str]:
    for line, text in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if re.search(r"\bprange\b|cython\.parallel|cimport\s+openmp", text.split("#")[0]):
            yield f"{path.relative_to(root)}:{line}: OpenMP in Cython"


def homes_are_alive(root: Path) -> Iterator[str]:
    """The files with special rights must exist and use them, else this check looks at the wrong place."""
    for home, pattern, what in (
        (MAKES_THREADS, _THREAD, "no thread is started"),
        (ASKS_OPENMP, _OMP_H, "omp.h is not included"),
    ):
        path = root / home
        if not path.is_file() or not pattern.search(without_comments(path.read_text(encoding="utf-8"))):
            yield f"{home}: {what} where that belongs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root.resolve()
    files = cpp_files(root / "cpp", root / "python")
    cython = sorted((root / "python").rglob("*.pyx"))
    violations = list(homes_are_alive(root))
    violations += [v for path in files for v in violations_of(root, path)]
    violations += [v for path in cython for v in cython_violations(root, path)]
    finish("check_pragmas", len(files + cython), "files", violations)


if __name__ == "__main__":
    main()
