"""Kernel files and what they include hold no std containers or algorithms, no exceptions, no allocation.

An inline function that a kernel shares with other code may be linked in its AVX-512 copy only and then crash
older CPUs. check_symbols.py proves the absence in the objects; this check names the line that brings it in.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from source_scan import cpp_files, finish, includes, without_comments

# Types, constants and C functions: nothing that could leave an out-of-line copy of shared code behind.
ALLOWED = {
    "cstddef",
    "cstdint",
    "cfloat",
    "climits",
    "cmath",
    "cstring",
    "limits",
    "type_traits",
    "concepts",
    "utility",  # std::integer_sequence; what else it holds check_symbols.py would see
    "immintrin.h",
    "arm_neon.h",
}
FORBIDDEN_WORDS = re.compile(
    r"\b(throw|try|catch|new|delete|malloc|calloc|realloc|free|thread_local|dynamic_cast|typeid)\b|\bstd::(vector|string|"
    r"map|unordered_map|set|function|sort|unique_ptr|shared_ptr|min_element|max_element|thread|mutex|atomic)\b"
)


def resolve(root: Path, user: Path, name: str) -> Path | None:
    for folder in (user.parent, root / "cpp/include", root / "cpp/src"):
        if (folder / name).is_file():
            return (folder / name).resolve()
    return None


def violations_of(root: Path, kernel: Path) -> Iterator[str]:
    text = without_comments(kernel.read_text(encoding="utf-8"))
    for number, line in enumerate(text.split("\n"), 1):
        if (match := FORBIDDEN_WORDS.search(line)) and not re.search(r"=\s*delete\b", line):
            yield f"{kernel.relative_to(root)}:{number}: '{match.group()}' in a kernel file"
    waiting: list[tuple[Path, str]] = [(kernel, "")]
    seen = {kernel}
    while waiting:
        path, chain = waiting.pop()
        for line, name, angle in includes(path):
            where = f"{path.relative_to(root)}:{line}: "
            how = f" (reached from {kernel.relative_to(root)}{chain})" if path != kernel else ""
            if angle:
                if name not in ALLOWED:
                    yield f"{where}kernel code may not include <{name}>{how}"
            elif (found := resolve(root, path, name)) is None:
                yield f'{where}no such header: "{name}"{how}'
            elif found not in seen:
                seen.add(found)
                waiting.append((found, f"{chain} -> {name}"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root.resolve()
    kernels = [path for path in cpp_files(root / "cpp/src") if path.name.endswith(".kernel.cpp")]
    violations = dict.fromkeys(v for path in kernels for v in violations_of(root, path))
    finish("check_kernels", len(kernels), "kernel files", violations)


if __name__ == "__main__":
    main()
