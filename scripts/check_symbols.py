"""Proves on the objects that kernel code of one instruction-set level cannot replace anybody else's code.

Kernel files are compiled once per level (base, v3, v4). If such an object held a global or weak copy of a
shared function - an inline method of std::vector, a template of mlcore - the linker might keep the AVX-512
copy as the only one, and CPUs without AVX-512 would crash in code that never asked for it. So each object

- defines no global or weak symbol outside mlcore::isa_<its level>,
- needs nothing from outside but its own level and plain C functions (memory, mathematics),
- has no start-up code (.init_array and relatives), which would run on every CPU at import.

Looked at in a Release build and at -O0, because inlining can hide the leak.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from source_scan import finish

ROOT = Path(__file__).resolve().parent.parent
BUILDS = {"release": "-O3", "O0": "-O0"}
_C_FUNCTIONS = re.compile(
    r"_GLOBAL_OFFSET_TABLE_|mem(cpy|move|set|cmp|chr)|__stack_chk_fail|__(u?(div|mod)ti3|popcount[ds]i2|clz[ds]i2|ctz[ds]i2)"
    r"|__(float|fix|trunc|extend)\w*"
    r"|(sqrt|fabs|floor|ceil|trunc|round|rint|nearbyint|fma|fmin|fmax|ldexp|frexp|scalbn|copysign"
    r"|exp|exp2|expm1|log|log2|log10|log1p|pow|tanh|sin|cos)f?"
)
_START_UP = re.compile(r"\.(init_array|fini_array|preinit_array|ctors|dtors|text\.startup)\b")


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        sys.exit(f"check_symbols: needs '{name}' (binutils / CMake) on PATH")
    return found


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"check_symbols: {' '.join(command)} failed\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def level_of(path: Path) -> str:
    for part in path.parts:
        if match := re.fullmatch(r"mlcore_kernels_(\w+)\.dir", part):
            return match.group(1)
    sys.exit(f"check_symbols: {path} does not lie in a folder mlcore_kernels_<level>.dir")


def belongs_to(level: str, symbol: str) -> bool:
    """Is the mangled name one of mlcore::isa_<level>, or a table, guard or local static of such a name?"""
    space = f"isa_{level}"
    return re.match(rf"_Z(?:T[VTISC]|G[VR]|Z)*N[VKrO]*6mlcore{len(space)}{space}", symbol) is not None


def object_violations(path: Path, shown: str) -> Iterator[str]:
    level = level_of(path)
    for line in run(tool("nm"), "--format=posix", str(path)).splitlines():
        name, kind = line.split()[:2]
        if kind in ("U", "w", "v"):
            if not belongs_to(level, name) and not _C_FUNCTIONS.fullmatch(name):
                yield f"{shown}: needs {demangle(name)}, neither of isa_{level} nor a plain C function"
        elif (kind.isupper() or kind in "uvw") and not belongs_to(level, name):
            sort = "weak" if kind in "WVuvw" else "global"
            yield f"{shown}: defines the {sort} symbol {demangle(name)} outside mlcore::isa_{level}"
    for line in run(tool("objdump"), "--section-headers", str(path)).splitlines():
        fields = line.split()
        if len(fields) > 2 and _START_UP.match(fields[1]) and int(fields[2], 16) > 0:
            yield f"{shown}: start-up code in section {fields[1]}"


def demangle(name: str) -> str:
    return run(tool("c++filt"), name).strip() if shutil.which("c++filt") else name


def build(folder: Path, optimization: str) -> Path:
    """Configure and build the kernel objects alone: no Python, no drivers."""
    cmake = tool("cmake")
    if not (folder / "CMakeCache.txt").is_file():
        ninja = ["-G", "Ninja"] if shutil.which("ninja") else []
        run(
            cmake, "-S", str(ROOT), "-B", str(folder), *ninja, "-DMLCORE_BUILD_PYTHON=OFF",
            f"-DMLCORE_OPTIMIZATION={optimization}",
        )  # fmt: skip
    run(cmake, "--build", str(folder), "--target", "mlcore_kernels", "--parallel", "2")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--build", type=Path, default=ROOT / "build/check-symbols", help="folder for the builds"
    )
    parser.add_argument(
        "--objects", type=Path, help="look at the objects below this folder instead of building"
    )
    arguments = parser.parse_args()
    if arguments.objects:
        folders = {"objects": arguments.objects}
    else:
        folders = {name: build(arguments.build / name, flags) for name, flags in BUILDS.items()}
    checked, violations = 0, []
    for name, folder in folders.items():
        objects = sorted(
            p for p in folder.rglob("*.o") if any(q.startswith("mlcore_kernels_") for q in p.parts)
        )
        if not objects:
            finish("check_symbols", 0, f"kernel objects in {folder}", [])
        checked += len(objects)
        for path in objects:
            violations += object_violations(path, f"{name}: {level_of(path)}/{path.name}")
    finish("check_symbols", checked, "kernel objects", violations)


if __name__ == "__main__":
    main()
