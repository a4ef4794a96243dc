"""Each structure check must be able to fail: tiny trees and objects that hold one violation each."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
COMPILER = shutil.which("g++")

CLEAN_TREE = {
    "cpp/include/mlcore/base/types.hpp": "#include <cstddef>\n",
    "cpp/include/mlcore/runtime/parallel.hpp": "#include <atomic>\n",
    "cpp/src/runtime/parallel.cpp": "#include <thread>\nvoid start() { std::thread([] {}).detach(); }\n",
    "cpp/src/runtime/threads.cpp": "#include <omp.h>\n",
    "cpp/include/mlcore/num/distance.hpp": '#include "mlcore/runtime/parallel.hpp"\n',
    "cpp/include/mlcore/tree/grow.hpp": '#include <vector>\n#include "mlcore/base/types.hpp"\n',
    "cpp/include/mlcore/ensemble/forest.hpp": '#include "mlcore/tree/grow.hpp"\n',
    "cpp/src/tree/grow.kernels.hpp": "#pragma once\n",
    "cpp/src/tree/grow.cpp": '#include "tree/grow.kernels.hpp"\n#include "mlcore/tree/grow.hpp"\n',
    "cpp/src/tree/grow.kernel.cpp": (
        '#include "grow.kernels.hpp"\n#include <cmath>\n#include "mlcore/base/types.hpp"\n'
        "// new ground: throw nothing\n#pragma omp simd\n"
    ),
    "python/arrays.hpp": "#include <pybind11/numpy.h>\n",
    "python/tree.cpp": '#include "arrays.hpp"\n#include "mlcore/tree/grow.hpp"\n',
    "python/blas.pyx": 'cdef extern from "mlcore/base/types.hpp":\n    pass\n',
    "src/mlcore/__init__.py": "from . import _core\nfrom .tree import Tree\n",
    "src/mlcore/_seeds.py": "import numpy\nfrom . import _core\n\n\ndef f():\n    from .tree import Tree\n",
    "src/mlcore/tree/__init__.py": "from ._tree import Tree\n",
    "src/mlcore/tree/_tree.py": "from .. import _core\nfrom .._seeds import f\n",
    "src/mlcore/ensemble/__init__.py": (
        "from mlcore.tree import Tree\nfrom ..tree import Tree as T\n\n\ndef plot():\n    import matplotlib\n"
    ),
}


def write_tree(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def run(script: str, *arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


SOURCE_CHECKS = ["check_layers.py", "check_pragmas.py", "check_kernels.py"]


@pytest.mark.parametrize("script", SOURCE_CHECKS)
def test_a_clean_tree_passes(script: str, tmp_path: Path) -> None:
    write_tree(tmp_path, CLEAN_TREE)
    status, output = run(script, "--root", tmp_path)
    assert status == 0, output
    assert "0 violations" in output


@pytest.mark.parametrize("script", SOURCE_CHECKS)
def test_nothing_to_check_is_a_failure(script: str, tmp_path: Path) -> None:
    status, output = run(script, "--root", tmp_path)
    assert status == 1
    assert "found no" in output


# script, file, text that takes its place, expected message
VIOLATIONS = [
    # C++ floors
    (
        "check_layers.py",
        "cpp/include/mlcore/base/types.hpp",
        '#include "mlcore/num/distance.hpp"',
        "base lies below num",
    ),
    (
        "check_layers.py",
        "cpp/include/mlcore/base/types.hpp",
        "#include <sched.h>",
        "base may not include <sched.h>",
    ),
    (
        "check_layers.py",
        "cpp/include/mlcore/num/distance.hpp",
        '#include "mlcore/tree/grow.hpp"',
        "num lies below tree",
    ),
    (
        "check_layers.py",
        "cpp/include/mlcore/tree/grow.hpp",
        '#include "mlcore/ensemble/forest.hpp"',
        "not a listed edge",
    ),
    (
        "check_layers.py",
        "cpp/include/mlcore/svm/smo.hpp",
        '#include "mlcore/tree/grow.hpp"',
        "svm -> tree is not a",
    ),
    (
        "check_layers.py",
        "cpp/include/mlcore/svm/smo.hpp",
        "# include /* x */ <pybind11/numpy.h>",
        "may not include <pyb",
    ),
    ("check_layers.py", "cpp/src/svm/smo.cpp", "#include <Python.h>", "svm may not include <Python.h>"),
    ("check_layers.py", "cpp/src/svm/smo.cpp", '#include "tree/grow.kernels.hpp"', "private to cpp/src/tree"),
    ("check_layers.py", "cpp/src/svm/smo.cpp", '#include "../tree/grow.kernels.hpp"', "no way up"),
    ("check_layers.py", "cpp/src/svm/smo.cpp", '#include "mlcore/svm/nothing.hpp"', "no such public header"),
    ("check_layers.py", "cpp/src/util/misc.cpp", "", "'util' is neither a floor nor a family"),
    ("check_layers.py", "cpp/src/stray.cpp", "", "belongs to a floor or a family folder"),
    # bindings
    (
        "check_layers.py",
        "python/tree.cpp",
        '#include "tree/grow.kernels.hpp"',
        "public headers and its own files",
    ),
    (
        "check_layers.py",
        "python/tree.cpp",
        '#include "../cpp/src/tree/grow.kernels.hpp"',
        "public headers and its own",
    ),
    (
        "check_layers.py",
        "python/blas.pyx",
        'cdef extern from "mlcore/tree/hidden.hpp":\n    pass',
        "cpp/include only",
    ),
    # Python
    (
        "check_layers.py",
        "src/mlcore/ensemble/_f.py",
        "from ..tree._tree import Tree",
        "public names of tree only",
    ),
    ("check_layers.py", "src/mlcore/ensemble/_f.py", "import mlcore.tree._tree", "public names of tree only"),
    (
        "check_layers.py",
        "src/mlcore/ensemble/_f.py",
        "from mlcore.tree import _tree",
        "public names of tree only",
    ),
    ("check_layers.py", "src/mlcore/ensemble/_f.py", "import pandas", "'pandas' is no run-time dependency"),
    ("check_layers.py", "src/mlcore/ensemble/_f.py", "from .._core import _testing", "for the test suite"),
    (
        "check_layers.py",
        "src/mlcore/ensemble/_f.py",
        "from .. import _core\n_core._testing.x()",
        "for the test suite",
    ),
    ("check_layers.py", "src/mlcore/_seeds.py", "from .tree import Tree", "may not import the family 'tree'"),
    ("check_layers.py", "src/mlcore/utils/__init__.py", "", "'utils' is not a family"),
    # OpenMP
    (
        "check_pragmas.py",
        "cpp/src/tree/grow.cpp",
        "#pragma omp parallel for",
        "use runtime/parallel.hpp: omp parallel for",
    ),
    (
        "check_pragmas.py",
        "cpp/src/tree/grow.cpp",
        "#  pragma \\\n  omp atomic",
        "use runtime/parallel.hpp: omp atomic",
    ),
    (
        "check_pragmas.py",
        "cpp/src/tree/grow.cpp",
        '_Pragma("omp critical")',
        "use runtime/parallel.hpp: omp critical",
    ),
    ("check_pragmas.py", "cpp/src/tree/grow.cpp", "#pragma omp simd", "use runtime/parallel.hpp: omp simd"),
    (
        "check_pragmas.py",
        "cpp/src/tree/grow.kernel.cpp",
        "#pragma omp parallel for simd",
        "omp parallel for simd",
    ),
    ("check_pragmas.py", "python/tree.cpp", "#include <omp.h>", "only threads.cpp includes omp.h"),
    (
        "check_pragmas.py",
        "python/tree.cpp",
        "void f() { py::gil_scoped_release nogil; }",
        "only gil.hpp handles the interpreter's lock: gil_scoped_release",
    ),
    ("check_pragmas.py", "python/blas.pyx", "from cython.parallel import prange", "OpenMP in Cython"),
    ("check_pragmas.py", "cpp/src/runtime/parallel.cpp", "#pragma omp parallel", "use runtime/parallel.hpp"),
    ("check_pragmas.py", "cpp/src/runtime/parallel.cpp", "// std::thread(f)", "no thread is started"),
    ("check_pragmas.py", "cpp/src/runtime/threads.cpp", "// #include <omp.h>", "omp.h is not included"),
    (
        "check_pragmas.py",
        "cpp/src/tree/grow.cpp",
        "int n = std::thread::id();\nstd::thread t(f);",
        "grow.cpp:2",
    ),
    ("check_pragmas.py", "cpp/src/tree/grow.cpp", "auto r = std::async(f);", "starts threads: std::async"),
    # kernel files
    ("check_kernels.py", "cpp/src/tree/grow.kernel.cpp", "#include <vector>", "may not include <vector>"),
    (
        "check_kernels.py",
        "cpp/src/tree/grow.kernel.cpp",
        '#include "mlcore/tree/grow.hpp"',
        "may not include <vector> (reached",
    ),
    ("check_kernels.py", "cpp/src/tree/grow.kernel.cpp", "void f() { throw 1; }", "'throw' in a kernel file"),
    ("check_kernels.py", "cpp/src/tree/grow.kernel.cpp", "int* p = new int[3];", "'new' in a kernel file"),
    (
        "check_kernels.py",
        "cpp/src/tree/grow.kernel.cpp",
        "void f(int* a) { std::sort(a, a + 1); }",
        "'std::sort' in a",
    ),
    (
        "check_kernels.py",
        "cpp/src/tree/grow.kernels.hpp",
        "#include <string>",
        "may not include <string> (reached",
    ),
]


@pytest.mark.parametrize(("script", "file", "text", "message"), VIOLATIONS)
def test_each_violation_is_found(script: str, file: str, text: str, message: str, tmp_path: Path) -> None:
    write_tree(tmp_path, CLEAN_TREE | {file: text + "\n"})
    status, output = run(script, "--root", tmp_path)
    assert status == 1, output
    assert message in output
    assert file in output


# --- objects ---

KERNEL = """
namespace mlcore::{space} {{
struct Table {{ float (*sum)(const float*, long) noexcept; }};
static float sum(const float* x, long n) noexcept {{
  float s = 0;
  for (long i = 0; i < n; ++i) s += x[i];
  return s;
}}
const Table& table() noexcept {{ static const Table t{{sum}}; return t; }}
template <class T> T twice(T x) noexcept {{ return x + x; }}
template float twice<float>(float) noexcept;
}}
{extra}
"""

# The first is a method of a shared class: the case that crashed real programs.
OBJECT_VIOLATIONS = [
    (
        "#include <vector>\nnamespace mlcore::isa_v3 { void f(std::vector<int>& v) { v.resize(9); } }",
        "-O0",
        "defines the weak symbol std::vector",
    ),
    (
        "namespace mlcore { template <class T> T shared(T x) { return x * x; } }\n"
        "namespace mlcore::isa_v3 { float f(float x) { return mlcore::shared(x); } }",
        "-O0",
        "defines the weak symbol float mlcore::shared<float>(float) outside mlcore::isa_v3",
    ),
    ("namespace mlcore { int counter = 1; }", "-O2", "defines the global symbol mlcore::counter"),
    ("namespace mlcore::isa_v4 { int wrong_level() { return 1; } }", "-O2", "outside mlcore::isa_v3"),
    ('extern "C" int plain_c() { return 1; }', "-O2", "defines the global symbol plain_c"),
    (
        "namespace mlcore { int driver(); namespace isa_v3 { int f() { return driver(); } } }",
        "-O2",
        "needs mlcore::driver()",
    ),
    (
        "#include <cstdlib>\nnamespace mlcore::isa_v3 { void* f(long n) { return std::malloc(n); } }",
        "-O2",
        "needs malloc",
    ),
    ("namespace mlcore::isa_v3 { int* f(long n) { return new int[n]; } }", "-O2", "needs operator new"),
    (
        "namespace mlcore::isa_v3 { double g(double); double start = g(1.0);"
        " double g(double x) { volatile double y = x; return y; } }",
        "-O2",
        "start-up code in section .init_array",
    ),
]


def compile_object(folder: Path, source: str, flag: str, level: str = "v3") -> None:
    objects = folder / f"CMakeFiles/mlcore_kernels_{level}.dir"
    objects.mkdir(parents=True)
    file = objects / "toy.kernel.cpp"
    file.write_text(source, encoding="utf-8")
    assert COMPILER is not None
    subprocess.run(
        [COMPILER, "-std=c++20", flag, "-fPIC", "-c", str(file), "-o", str(objects / "toy.kernel.cpp.o")],
        check=True,
    )


needs_compiler = pytest.mark.skipif(
    COMPILER is None or shutil.which("nm") is None, reason="needs g++ and binutils"
)


@needs_compiler
@pytest.mark.parametrize("flag", ["-O0", "-O3"])
def test_a_clean_object_passes(flag: str, tmp_path: Path) -> None:
    # <cmath> functions are plain C functions and allowed.
    extra = """
    extern "C" double exp(double) noexcept;
    namespace mlcore::isa_v3 { double e(double x) { return exp(x); } }
    """
    compile_object(tmp_path, KERNEL.format(space="isa_v3", extra=extra), flag)
    status, output = run("check_symbols.py", "--objects", tmp_path)
    assert status == 0, output
    assert "1 kernel objects, 0 violations" in output


@needs_compiler
@pytest.mark.parametrize(("extra", "flag", "message"), OBJECT_VIOLATIONS)
def test_each_kind_of_leak_is_found(extra: str, flag: str, message: str, tmp_path: Path) -> None:
    compile_object(tmp_path, KERNEL.format(space="isa_v3", extra=extra), flag)
    status, output = run("check_symbols.py", "--objects", tmp_path)
    assert status == 1, output
    assert message in output


@needs_compiler
def test_no_object_is_a_failure(tmp_path: Path) -> None:
    status, output = run("check_symbols.py", "--objects", tmp_path)
    assert status == 1
    assert re.search(r"found no kernel objects", output)
