"""What a repaired wheel must and must not hold. Prints the facts that decide where it runs.

- one extension module _core and one _blas, no sources, headers, objects or tests; licence and type marker
  present;
- repaired: platform tag manylinux/musllinux, libgomp vendored under its hashed name and found through the
  run path;
- libgomp is linked dynamically: a static copy would be invisible to threadpoolctl;
- no symbol newer than the platform tag promises, nothing exported but the module's entry point.

Printed: which libgomp was vendored (its compiler's version and newest GOMP symbols), the newest GLIBC,
GLIBCXX and CXXABI symbols needed, sizes.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

EXTENSION_MODULES = ("_core", "_blas")
SOURCES = {".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".pyx", ".pxd", ".o", ".a", ".cmake", ".toml", ".map"}
NOT_IN_A_WHEEL = {"tests", "test", "bench", "docs", "examples", "cpp", "python", "scripts", "__pycache__"}


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        sys.exit(f"check_wheel: needs '{name}' (binutils) on PATH")
    return found


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"check_wheel: {' '.join(command)} failed\n{done.stderr[-2000:]}")
    return done.stdout


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


class SharedObject:
    """The dynamic section of one .so, as objdump shows it."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        headers = run(tool("objdump"), "--private-headers", str(path))
        self.needed = re.findall(r"^\s*NEEDED\s+(\S+)", headers, re.MULTILINE)
        self.run_path = re.findall(r"^\s*(?:RUNPATH|RPATH)\s+(\S+)", headers, re.MULTILINE)
        references = headers.partition("Version References:")[2]
        definitions = headers.partition("Version definitions:")[2].partition("Version References:")[0]
        self.needs_versions = set(re.findall(r"\b((?:GLIBC|GLIBCXX|CXXABI|GOMP|OMP)_\d[\d.]*)", references))
        self.has_versions = set(re.findall(r"\b((?:GOMP|OMP)_\d[\d.]*)", definitions))
        dynamic = run(tool("nm"), "--dynamic", "--defined-only", "--format=posix", str(path))
        self.exports = {line.split()[0].split("@")[0] for line in dynamic.splitlines() if line}
        listing = subprocess.run(
            [tool("nm"), "--defined-only", "--format=posix", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        self.defines = self.exports | {line.split()[0] for line in listing.stdout.splitlines() if line}

    def newest(self, family: str) -> str | None:
        versions = [v[len(family) + 1 :] for v in self.needs_versions if v.startswith(family + "_")]
        return max(versions, key=number, default=None)

    def compilers(self) -> list[str]:
        found = re.findall(rb"GCC: \([^)\0]*\) [\w.]+|(?:clang|LLD) [\d.]+", self.path.read_bytes())
        return sorted({match.decode() for match in found})


def check_names(names: list[str]) -> Iterator[str]:
    for name in names:
        path = PurePosixPath(name)
        top = path.parts[0]
        if top not in ("mlcore", "mlcore.libs") and not re.fullmatch(r"mlcore-[^/]+\.dist-info", top):
            yield f"unexpected folder: {name}"
        elif NOT_IN_A_WHEEL.intersection(path.parts[1:-1]) or path.name.startswith("test_"):
            yield f"does not belong into a wheel: {name}"
        elif path.suffix in SOURCES:
            yield f"source or build file: {name}"
    for module in EXTENSION_MODULES:
        found = [n for n in names if re.fullmatch(rf"mlcore/{module}\.[^/]*\.?so", n)]
        if len(found) != 1:
            yield f"expected exactly one mlcore/{module} extension module, found {found}"
    for wanted in (
        r"mlcore/__init__\.py",
        r"mlcore/py\.typed",
        r"mlcore-[^/]+\.dist-info/(licenses/)?LICENSE",
    ):
        if not any(re.fullmatch(wanted, n) for n in names):
            yield f"missing: {wanted}"


def promised_glibc(platform: str) -> tuple[int, ...] | None:
    """Oldest glibc that the platform tag names (2.17 for the old name manylinux2014)."""
    found = [number(f"{a}.{b}") for a, b in re.findall(r"manylinux_(\d+)_(\d+)_", platform)]
    if "manylinux2014" in platform:
        found.append((2, 17))
    return min(found, default=None)


def check_objects(platform: str, modules: list[SharedObject], vendored: list[SharedObject]) -> Iterator[str]:
    if not re.search(r"manylinux|musllinux", platform):
        yield f"not repaired by auditwheel: platform tag {platform}"
    names = {library.path.name for library in vendored}
    runtimes = [library for library in vendored if re.match(r"lib(gomp|omp|iomp)", library.path.name)]
    if len(runtimes) != 1 or not re.fullmatch(r"libgomp-[0-9a-f]{6,}\.so[.\d]*", runtimes[0].path.name):
        found = sorted(runtime.path.name for runtime in runtimes)
        yield f"expected one vendored libgomp with a hashed name, found {found}"
    for module in modules:
        static = sorted(s for s in module.defines if re.match(r"GOMP_|gomp_|omp_get_", s))
        if static:
            yield f"{module.name}: libgomp is linked statically (defines {static[0]})"
        extra = sorted(s for s in module.exports if not s.startswith("PyInit_"))
        if extra:
            yield f"{module.name}: exports {len(extra)} symbols besides its entry point, e.g. {extra[0]}"
        if any(n.startswith("libpython") for n in module.needed):
            yield f"{module.name}: links libpython"
        for needed in module.needed:
            if re.match(r"lib(gomp|omp|iomp)", needed) and needed not in names:
                yield f"{module.name}: needs {needed}, which is not in the wheel"
        if names.intersection(module.needed) and not any(
            "$ORIGIN/../mlcore.libs" in p for p in module.run_path
        ):
            yield f"{module.name}: its run path {module.run_path} does not lead to mlcore.libs"
        if module.path.name.startswith("_core.") and not any(r.path.name in module.needed for r in runtimes):
            yield f"{module.name}: does not use the vendored libgomp (needs {module.needed})"
    limit = promised_glibc(platform)
    for thing in [*modules, *vendored]:
        newest = thing.newest("GLIBC")
        if limit and newest and number(newest) > limit:
            yield f"{thing.name}: needs GLIBC_{newest}, but the tag promises {'.'.join(map(str, limit))}"


def describe(thing: SharedObject) -> None:
    newest = [f"{family}_{v}" for family in ("GLIBC", "GLIBCXX", "CXXABI") if (v := thing.newest(family))]
    size = thing.path.stat().st_size / 1e6
    print(f"  {thing.name}: {size:.2f} MB; needs up to {', '.join(newest) or '-'}")
    if "libgomp" in thing.name:
        compilers = ", ".join(thing.compilers()) or "stripped of its compiler's name"
        gomp = [v for v in thing.has_versions if v.startswith("GOMP_")]
        newest_gomp = max(gomp, key=lambda v: number(v[5:]), default="?")
        print(f"    OpenMP runtime: {compilers}; newest symbols {newest_gomp}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("wheel", type=Path, nargs="+")
    status = 0
    for wheel in parser.parse_args().wheel:
        violations: list[str] = []
        match = re.fullmatch(
            r"mlcore-[^-]+-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl", wheel.name
        )
        if match is None:
            sys.exit(f"check_wheel: {wheel.name} is not a wheel of mlcore")
        platform = match["platform"]
        with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
            names = [n for n in archive.namelist() if not n.endswith("/")]
            violations += check_names(names)
            objects = [
                SharedObject(Path(archive.extract(n, folder)), n)
                for n in names
                if re.search(r"\.so(\.[\d.]+)?$", n)
            ]
            modules = [o for o in objects if o.name.startswith("mlcore/")]
            vendored = [o for o in objects if o.name.startswith("mlcore.libs/")]
            violations += check_objects(platform, modules, vendored)
            print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.2f} MB, {len(names)} files")
            for thing in objects:
                describe(thing)
        for violation in violations:
            print(f"  VIOLATION {violation}")
        status = 1 if violations else status
    print(f"check_wheel: {'violations found' if status else 'ok'}")
    sys.exit(status)


if __name__ == "__main__":
    main()
