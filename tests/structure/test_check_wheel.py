"""check_wheel.py must be able to fail: toy wheels around tiny shared objects, each with one violation."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/check_wheel.py"
COMPILER = shutil.which("g++")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or COMPILER is None or shutil.which("objdump") is None,
    reason="needs Linux, g++ and binutils",
)

RUNTIME = "libgomp-0123abcd.so.1.0.0"
SUFFIX = "cpython-311-x86_64-linux-gnu.so"
PLATFORM = "manylinux_2_28_x86_64"
CORE = """
extern "C" void GOMP_parallel();
extern "C" __attribute__((visibility("default"))) void* PyInit__core() { GOMP_parallel(); return nullptr; }
"""
BLAS = 'extern "C" __attribute__((visibility("default"))) void* PyInit__blas() { return nullptr; }\n'
HIDDEN = "-fvisibility=hidden"
RUN_PATH = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../mlcore.libs"


def shared(folder: Path, name: str, source: str, *flags: str) -> Path:
    path = folder / name
    (folder / f"{name}.cpp").write_text(source, encoding="utf-8")
    assert COMPILER is not None
    subprocess.run(
        [COMPILER, "-shared", "-fPIC", "-nostdlib", "-o", str(path), str(folder / f"{name}.cpp"), *flags],
        check=True,
    )
    return path


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Contents of a wheel without fault."""
    folder = tmp_path_factory.mktemp("objects")
    runtime = shared(folder, RUNTIME, 'extern "C" void GOMP_parallel() {}\n', f"-Wl,-soname,{RUNTIME}")
    core = shared(folder, f"_core.{SUFFIX}", CORE, HIDDEN, str(runtime), RUN_PATH)
    blas = shared(folder, f"_blas.{SUFFIX}", BLAS, HIDDEN)
    return {
        "mlcore/__init__.py": b"",
        "mlcore/py.typed": b"",
        "mlcore/cluster/__init__.py": b"",
        f"mlcore/_core.{SUFFIX}": core.read_bytes(),
        f"mlcore/_blas.{SUFFIX}": blas.read_bytes(),
        f"mlcore.libs/{RUNTIME}": runtime.read_bytes(),
        "mlcore-0.1.0.dist-info/METADATA": b"",
        "mlcore-0.1.0.dist-info/licenses/LICENSE": b"",
    }


def check(folder: Path, contents: dict[str, bytes], platform: str = PLATFORM) -> tuple[int, str]:
    wheel = folder / f"mlcore-0.1.0-cp311-cp311-{platform}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(wheel)], capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def test_a_good_wheel_passes(good: dict[str, bytes], tmp_path: Path) -> None:
    status, output = check(tmp_path, good)
    assert status == 0, output
    assert "check_wheel: ok" in output
    assert f"mlcore.libs/{RUNTIME}" in output


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mlcore/cluster/kmeans.cpp", "source or build file"),
        ("mlcore/_blas.pyx", "source or build file"),
        ("mlcore/libmlcore_core.a", "source or build file"),
        ("mlcore/tests/test_kmeans.py", "does not belong into a wheel"),
        ("mlcore/test_kmeans.py", "does not belong into a wheel"),
        ("tests/common.py", "unexpected folder"),
        (f"mlcore/_core.cpython-312-{SUFFIX[12:]}", "expected exactly one mlcore/_core"),
    ],
)
def test_what_must_not_be_in_it(good: dict[str, bytes], name: str, message: str, tmp_path: Path) -> None:
    extra = good[f"mlcore/_core.{SUFFIX}"] if name.endswith(".so") else b""
    status, output = check(tmp_path, good | {name: extra})
    assert status == 1, output
    assert message in output


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"mlcore/_blas.{SUFFIX}", "expected exactly one mlcore/_blas"),
        ("mlcore/py.typed", "missing"),
        ("mlcore-0.1.0.dist-info/licenses/LICENSE", "missing"),
        (f"mlcore.libs/{RUNTIME}", "expected one vendored libgomp"),
    ],
)
def test_what_must_be_in_it(good: dict[str, bytes], name: str, message: str, tmp_path: Path) -> None:
    status, output = check(tmp_path, {n: data for n, data in good.items() if n != name})
    assert status == 1, output
    assert message in output


def test_not_repaired(good: dict[str, bytes], tmp_path: Path) -> None:
    status, output = check(tmp_path, good, platform="linux_x86_64")
    assert status == 1, output
    assert "not repaired by auditwheel" in output


def with_core(good: dict[str, bytes], folder: Path, source: str, *flags: str) -> dict[str, bytes]:
    core = shared(folder, "toy.so", source, HIDDEN, *flags)
    return good | {f"mlcore/_core.{SUFFIX}": core.read_bytes()}


def runtime_library(good: dict[str, bytes], folder: Path) -> str:
    path = folder / RUNTIME
    path.write_bytes(good[f"mlcore.libs/{RUNTIME}"])
    return str(path)


def test_libgomp_linked_statically(good: dict[str, bytes], tmp_path: Path) -> None:
    static = CORE.replace("void GOMP_parallel();", "void GOMP_parallel() {}")
    status, output = check(tmp_path, with_core(good, tmp_path, static))
    assert status == 1, output
    assert "libgomp is linked statically (defines GOMP_parallel)" in output
    assert "does not use the vendored libgomp" in output


def test_libgomp_of_the_machine(good: dict[str, bytes], tmp_path: Path) -> None:
    system = shared(
        tmp_path, "libgomp.so.1", 'extern "C" void GOMP_parallel() {}\n', "-Wl,-soname,libgomp.so.1"
    )
    status, output = check(tmp_path, with_core(good, tmp_path, CORE, str(system), RUN_PATH))
    assert status == 1, output
    assert "needs libgomp.so.1, which is not in the wheel" in output


def test_run_path_leads_elsewhere(good: dict[str, bytes], tmp_path: Path) -> None:
    status, output = check(tmp_path, with_core(good, tmp_path, CORE, runtime_library(good, tmp_path)))
    assert status == 1, output
    assert "does not lead to mlcore.libs" in output


def test_exported_symbols(good: dict[str, bytes], tmp_path: Path) -> None:
    source = CORE + '__attribute__((visibility("default"))) int leaked() { return 1; }\n'
    status, output = check(
        tmp_path, with_core(good, tmp_path, source, runtime_library(good, tmp_path), RUN_PATH)
    )
    assert status == 1, output
    assert "exports 1 symbols besides its entry point" in output


def test_newer_glibc_than_the_tag_promises(good: dict[str, bytes], tmp_path: Path) -> None:
    # pow@GLIBC_2.29 is what any program on a current system gets.
    source = CORE + 'extern "C" double pow(double, double);\ndouble f(double x) { return pow(x, x); }\n'
    source = source.replace(
        "GOMP_parallel(); return", "extern double f(double); f(2); GOMP_parallel(); return"
    )
    contents = with_core(good, tmp_path, source, runtime_library(good, tmp_path), RUN_PATH, "-lm")
    status, output = check(tmp_path, contents, platform="manylinux_2_17_x86_64")
    if "GLIBC_2.29" not in output:
        pytest.skip("this C library has no pow@GLIBC_2.29")
    assert status == 1, output
    assert "needs GLIBC_2.29, but the tag promises 2.17" in output
    assert check(tmp_path, contents, platform="manylinux_2_34_x86_64")[0] == 0
