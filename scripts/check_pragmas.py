"""OpenMP lives in one header, runtime/parallel.hpp, so that replacing it stays a local change.

Allowed elsewhere: `omp simd` in kernel files (*.kernel.cpp, *.kernel.hpp), which starts no threads.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from source_scan import cpp_files, directives, finish, without_comments

HOME = Path("cpp/include/mlcore/runtime/parallel.hpp")
_PRAGMA = re.compile(r"""(?:#\s*pragma|_Pragma\s*\(\s*"(?:[^"]*?))\s*omp\s+([a-z ]+)""")


def violations_of(root: Path, path: Path) -> Iterator[str]:
    relative = path.relative_to(root)
    if relative == HOME:
        return
    kernel = ".kernel." in path.name
    for line, text in directives(path):
        if re.match(r'#\s*include\s*[<"]omp\.h', text):
            yield f"{relative}:{line}: only {HOME.name} includes omp.h"
        for match in _PRAGMA.finditer(text):
            words = match.group(1).split()
            if kernel and words[:1] == ["simd"]:
                continue
            yield f"{relative}:{line}: OpenMP pragma outside {HOME.name}: omp {' '.join(words)}"


def cython_violations(root: Path, path: Path) -> Iterator[str]:
    for line, text in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if re.search(r"\bprange\b|cython\.parallel|cimport\s+openmp", text.split("#")[0]):
            yield f"{path.relative_to(root)}:{line}: OpenMP in Cython"


def home_is_alive(root: Path) -> Iterator[str]:
    """The header that may use OpenMP must exist and use it, else this check looks at the wrong place."""
    home = root / HOME
    if not home.is_file() or not re.search(
        r"#\s*pragma\s+omp", without_comments(home.read_text(encoding="utf-8"))
    ):
        yield f"{HOME}: no OpenMP pragma found where all of them belong"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root.resolve()
    files = cpp_files(root / "cpp", root / "python")
    cython = sorted((root / "python").rglob("*.pyx"))
    violations = list(home_is_alive(root))
    violations += [v for path in files for v in violations_of(root, path)]
    violations += [v for path in cython for v in cython_violations(root, path)]
    finish("check_pragmas", len(files + cython), "files", violations)


if __name__ == "__main__":
    main()
