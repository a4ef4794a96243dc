"""Run the tests with the address + undefined sanitizers, and the parallel ones with the thread sanitizer.

Each sanitizer has its own build below build/sanitize, installed beside a copy of the package; an
environment of its own borrows the packages of this one, but not its editable install. First
cpp/tests/faults.cpp shows that the sanitizer in force reports a fault, then pytest runs with the
sanitizer's library preloaded.

Address + undefined: leak detection is off under Python, which frees little at its end; the pure C++ program
runs with it.

Thread: the parallel regions are those that users run, made of threads of our own pool, which the sanitizer
follows (not so OpenMP's regions: libgomp is not instrumented). What NumPy, SciPy's BLAS and Python do among
themselves is not judged. Fork with threads under way is left out: the sanitizer does not support it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build/sanitize"


@dataclass(frozen=True)
class Sanitizer:
    name: str
    flags: str
    libraries: tuple[str, ...]
    faults: tuple[str, ...]
    options: dict[str, str]
    python_options: dict[str, str]
    tests: tuple[str, ...]
    short: tuple[str, ...]
    pytest: tuple[str, ...] = field(default=())


#: Tests that drive the kernels of the families: folders, files (patterns) or, after ::, single tests.
FAMILIES = ("tests/cluster", "tests/neighbors", "tests/svm", "tests/tree", "tests/*/test_native*.py")
#: A few seconds of every family that the short address run does not go through as a whole.
FAMILIES_SHORT = (
    "tests/neighbors/test_nearest.py",
    "tests/cluster/test_dbscan.py::test_a_double_loop_gives_the_same",
    "tests/cluster/test_dbscan.py::test_threads_do_not_matter",
    "tests/svm/test_svc.py::test_tiny_problems_against_an_exact_quadratic_program",
    "tests/svm/test_svc.py::test_the_same_bits_for_any_number_of_threads",
    "tests/hmm/test_native_enumeration.py",
    "tests/ensemble/test_native_tree.py",
    "tests/ensemble/test_native_forest.py",
)

ADDRESS = Sanitizer(
    name="address",
    flags="address;undefined",
    # libstdc++ as well: the sanitizer looks for __cxa_throw when it starts, and Python itself does not
    # bring it.
    libraries=("libasan.so", "libstdc++.so"),
    faults=("heap", "undefined"),
    options={
        "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    },
    # Python's own allocator would hide overruns inside its pools. Tests ask for absurd sizes on purpose.
    python_options={
        "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1:allocator_may_return_null=1",
        "PYTHONMALLOC": "malloc",
    },
    tests=("tests/runtime", "tests/num", *FAMILIES),
    short=("tests/runtime/test_parallel.py", "tests/num", "tests/cluster/test_native.py", *FAMILIES_SHORT),
    # One test limits the address space, of which the sanitizer itself needs terabytes; another asks for fused
    # operations, which the compiler leaves out at the low optimisation of a sanitizer build; peaks of memory
    # are those of the sanitizer, which keeps what was freed.
    pytest=(
        "-k",
        "not more_threads_than_the_system_gives and not fuse_multiply_and_add and not rows_times_clusters",
    ),
)
THREAD = Sanitizer(
    name="thread",
    flags="thread",
    libraries=("libtsan.so",),
    faults=("race", "barrier"),
    options={"TSAN_OPTIONS": "exitcode=66"},
    # NumPy and Python itself are not instrumented: what they do through libc is not ours to judge.
    python_options={"TSAN_OPTIONS": "exitcode=66:halt_on_error=1:ignore_noninstrumented_modules=1"},
    tests=("tests/runtime/test_parallel.py", *FAMILIES),
    short=("tests/runtime/test_parallel.py", "tests/cluster/test_native.py"),
    # The first takes away threads or address space, which the sanitizer itself needs; peaks of memory are
    # those of the sanitizer's shadow.
    pytest=("-k", "not more_threads_than_the_system_gives and not rows_times_clusters"),
)


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        env=os.environ | environment,
        text=True,
        check=False,
        cwd=ROOT,
        capture_output=True,
    )


def must(*command: str | Path) -> str:
    done = run(*command)
    if done.returncode:
        sys.exit(
            f"sanitize: {' '.join(map(str, command))} failed\n{done.stdout[-6000:]}{done.stderr[-6000:]}"
        )
    return done.stdout


def environment_python() -> Path:
    """An interpreter that sees the installed packages, but not the editable install's import hook."""
    folder = WORK / "env"
    python = folder / "bin/python"
    if not python.exists():
        must(sys.executable, "-m", "venv", "--without-pip", folder)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    borrowed = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (packages / "borrowed.pth").write_text("\n".join(borrowed) + "\n", encoding="utf-8")
    return python


def build(sanitizer: Sanitizer) -> Path:
    """Configure, build, install below <build>/site with the Python files beside the modules."""
    folder = WORK / sanitizer.name
    cmake = shutil.which("cmake")
    if cmake is None:
        sys.exit("sanitize: needs CMake on PATH")
    ninja = ["-G", "Ninja"] if shutil.which("ninja") else []
    pybind11 = must(sys.executable, "-m", "pybind11", "--cmakedir").strip()
    must(
        *(cmake, "-S", ROOT, "-B", folder, *ninja),
        f"-DMLCORE_SANITIZE={sanitizer.flags}",
        "-DMLCORE_OPTIMIZATION=-O1",
        "-DCMAKE_BUILD_TYPE=None",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-Dpybind11_DIR={pybind11}",
    )
    must(cmake, "--build", folder, "--parallel", str(os.cpu_count() or 2))
    site = folder / "site"
    shutil.rmtree(site, ignore_errors=True)
    must(cmake, "--install", folder, "--prefix", site)
    shutil.copytree(
        ROOT / "src/mlcore", site / "mlcore", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    return folder


def prove(sanitizer: Sanitizer, folder: Path) -> None:
    program = folder / "mlcore_faults"
    done = run(program, "clean", **sanitizer.options)
    if done.returncode:
        sys.exit(f"sanitize: {sanitizer.name}: a fault in faultless code\n{done.stdout}{done.stderr}")
    for fault in sanitizer.faults:
        done = run(program, fault, **sanitizer.options)
        if done.returncode == 0:
            sys.exit(f"sanitize: {sanitizer.name}: the deliberate fault '{fault}' was not reported")
        lines = [
            line
            for line in done.stderr.splitlines()
            if "ERROR" in line or "WARNING" in line or "runtime" in line
        ]
        print(f"  reported, as it must be: {fault}: {lines[0].strip() if lines else done.returncode}")


def preload(sanitizer: Sanitizer) -> str:
    compiler = os.environ.get("CXX") or shutil.which("c++") or "g++"
    return " ".join(must(compiler, f"-print-file-name={name}").strip() for name in sanitizer.libraries)


def found(wanted: tuple[str, ...]) -> list[str]:
    """The tests that there are; a file inside a folder of the list is not named twice."""
    tests: list[str] = []
    for pattern in wanted:
        files, separator, name = pattern.partition("::")
        for path in sorted(ROOT.glob(files)):
            place = path.relative_to(ROOT)
            if not any(str(parent) in tests for parent in place.parents):
                tests.append(f"{place}{separator}{name}")
    return tests


def test(sanitizer: Sanitizer, folder: Path, python: Path, short: bool) -> int:
    wanted = sanitizer.short if short else sanitizer.tests
    tests = found(wanted)
    environment = {
        **sanitizer.python_options,
        "LD_PRELOAD": preload(sanitizer),
        "PYTHONPATH": str(folder / "site"),
        "OPENBLAS_NUM_THREADS": "1",
    }
    where = subprocess.run(
        [str(python), "-c", "import mlcore._core as c; print(c.__file__)"],
        env=os.environ | environment,
        text=True,
        capture_output=True,
        check=False,
    )
    if str(folder) not in where.stdout:
        sys.exit(f"sanitize: imported the wrong build: {where.stdout}{where.stderr}")
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", "-q", "-o", "timeout=1200", *tests]
    command += ["-m", "not slow and not peer", *sanitizer.pytest]
    return subprocess.run(command, env=os.environ | environment, check=False, cwd=ROOT).returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--short", action="store_true", help="the part that CI runs")
    parser.add_argument("--only", choices=[ADDRESS.name, THREAD.name])
    arguments = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("sanitize: needs Linux (the sanitizer's library is preloaded into Python)")
    python = environment_python()
    failed = []
    for sanitizer in (ADDRESS, THREAD):
        if arguments.only not in (None, sanitizer.name):
            continue
        start = time.perf_counter()
        print(f"--- {sanitizer.flags}: building", flush=True)
        folder = build(sanitizer)
        print(f"--- {sanitizer.flags}: built in {time.perf_counter() - start:.0f} s", flush=True)
        prove(sanitizer, folder)
        sys.stdout.flush()
        if test(sanitizer, folder, python, arguments.short):
            failed.append(sanitizer.flags)
        print(f"--- {sanitizer.flags}: {time.perf_counter() - start:.0f} s", flush=True)
    sys.exit(f"sanitize: failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
