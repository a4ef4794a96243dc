"""Who may use whom: `std <- base <- runtime <- num <- families <- python/ <- src/mlcore/<family>`.

C++: an include may skip floors and never turns back; a family uses another one only along FAMILY_EDGES;
headers below cpp/src are private to their folder; python/ sees cpp/include only and alone includes
pybind11.

Python: a family imports `_core`, modules of the package itself and public names of other families; modules
of the package itself import no family; the test-only `_core._testing` is for tests; what an optional extra
brings is imported inside functions only.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from source_scan import cpp_files, finish, includes

FLOORS = {"base": 0, "runtime": 1, "num": 2}
FAMILY_FLOOR = 3
FAMILIES = frozenset(
    [
        "cluster",
        "ensemble",
        "tree",
        "svm",
        "kernel_approximation",
        "linear_model",
        "naive_bayes",
        "bayes_net",
        "mixture",
        "hmm",
        "crf",
        "decomposition",
        "discriminant_analysis",
        "manifold",
        "neighbors",
        "neural_network",
        "optimize",
        "information",
        "theory",
        "model_selection",
        "metrics",
        "preprocessing",
    ]
)
FAMILY_EDGES = {
    ("ensemble", "tree"),
    ("hmm", "mixture"),
    ("manifold", "neighbors"),
    ("cluster", "neighbors"),
    ("naive_bayes", "bayes_net"),
}
# Headers of the operating system and the compiler, and the floors that may know them.
SYSTEM_HEADERS = {
    "runtime": {
        "cpuid.h",
        "sched.h",
        "signal.h",
        "pthread.h",
        "omp.h",
        "unistd.h",
        "windows.h",
        "immintrin.h",
        "sys/syscall.h",
        "sys/mman.h",
        "sys/sysctl.h",
    },
    "num": {"immintrin.h", "arm_neon.h"},
}
KERNEL_HEADERS = {"immintrin.h", "arm_neon.h"}
# Run-time dependencies of pyproject.toml (joblib comes with scikit-learn).
RUN_TIME = {"numpy", "scipy", "sklearn", "threadpoolctl", "joblib"}


def floor_of(layer: str) -> int:
    return FLOORS.get(layer, FAMILY_FLOOR)


def is_std(header: str) -> bool:
    return re.fullmatch(r"[a-z_]+", header) is not None


def check_core_file(root: Path, path: Path) -> Iterator[str]:
    """One file below cpp/include/mlcore or cpp/src."""
    relative = path.relative_to(root)
    private = relative.parts[1] == "src"
    below = relative.parts[2:] if private else relative.parts[3:]
    if not private and relative.parts[2] != "mlcore":
        yield f"{relative}: public headers live below cpp/include/mlcore"
        return
    if len(below) < 2:
        yield f"{relative}: a file belongs to a floor or a family folder"
        return
    layer = below[0]
    if layer not in FLOORS and layer not in FAMILIES:
        yield f"{relative}: '{layer}' is neither a floor nor a family of the design"
        return
    kernel = ".kernel." in path.name
    for line, name, angle in includes(path):
        where = f"{relative}:{line}"
        if angle:
            if is_std(name):
                continue
            if name in SYSTEM_HEADERS.get(layer, ()) or (kernel and name in KERNEL_HEADERS):
                continue
            yield f"{where}: {layer} may not include <{name}>"
            continue
        parts = name.split("/")
        if ".." in parts:
            yield f'{where}: no way up in includes: "{name}"'
        elif parts[0] == "mlcore":
            if not (root / "cpp/include" / name).is_file():
                yield f'{where}: no such public header: "{name}"'
            else:
                yield from check_edge(where, layer, parts[1], name)
        elif (path.parent / name).is_file():
            continue  # own folder
        elif private and (root / "cpp/src" / name).is_file():
            if parts[0] != layer:
                yield f'{where}: "{name}" is private to cpp/src/{parts[0]}'
        else:
            yield f'{where}: "{name}" is neither a public header nor in this folder'


def check_edge(where: str, user: str, used: str, name: str) -> Iterator[str]:
    if user == used:
        return
    if used not in FLOORS and used not in FAMILIES:
        yield f"{where}: '{used}' is neither a floor nor a family of the design"
    elif floor_of(used) > floor_of(user):
        yield f'{where}: {user} lies below {used} and may not include "{name}"'
    elif floor_of(used) == floor_of(user) and (user, used) not in FAMILY_EDGES:
        yield f'{where}: {user} -> {used} is not a listed edge ("{name}")'


def check_binding_file(root: Path, path: Path) -> Iterator[str]:
    relative = path.relative_to(root)
    if path.suffix == ".pyx":
        found = [
            (number, match.group(1), False)
            for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
            if (match := re.match(r'\s*cdef\s+extern\s+from\s+"([^"]+)"', line))
        ]
    else:
        found = list(includes(path))
    for line, name, angle in found:
        if angle:
            continue
        if name.startswith("mlcore/"):
            if not (root / "cpp/include" / name).is_file():
                yield f'{relative}:{line}: python/ sees cpp/include only, "{name}" is not there'
        elif ".." in name.split("/") or not (path.parent / name).is_file():
            yield f'{relative}:{line}: python/ includes public headers and its own files, not "{name}"'


# --- Python ---


def imported(path: Path, package: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...], bool]]:
    """Line, absolute dotted path (with the imported name as last part) and whether it runs at import time."""

    def visit(node: ast.AST, at_import: bool) -> Iterator[tuple[int, tuple[str, ...], bool]]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, tuple(alias.name.split(".")), at_import
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = start + tuple(node.module.split(".") if node.module else ())
            for alias in node.names:
                yield node.lineno, (*module, alias.name), at_import
        elif isinstance(node, ast.Attribute) and node.attr == "_testing":
            yield node.lineno, ("mlcore", "_core", "_testing"), at_import
        inside = at_import and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            inside = False
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    yield from visit(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)), True)


def check_python_file(root: Path, path: Path) -> Iterator[str]:
    source = root / "src"
    relative = path.relative_to(root)
    package = path.relative_to(source).parts[:-1]
    family = package[1] if len(package) > 1 else None
    families = {f.name for f in (source / "mlcore").iterdir() if f.is_dir() and (f / "__init__.py").is_file()}
    if family is not None and not family.startswith("_") and family not in FAMILIES:
        yield f"{relative}: '{family}' is not a family of the design"
        return
    for line, name, at_import in imported(path, package):
        where = f"{relative}:{line}"
        if name[:3] == ("mlcore", "_core", "_testing"):
            yield f"{where}: _core._testing is for the test suite"
        elif name[0] != "mlcore":
            if at_import and name[0] not in RUN_TIME and name[0] not in sys.stdlib_module_names:
                yield f"{where}: '{name[0]}' is no run-time dependency: import it where it is used"
        elif len(name) < 2 or name[1] not in families or name[1] == family:
            continue
        elif family is None:
            # The package's front door may list families; its helpers lie below them.
            if at_import and path.name not in ("__init__.py", "__main__.py"):
                yield f"{where}: a module of the package itself may not import the family '{name[1]}'"
        elif any(part.startswith("_") for part in name[2:]):
            yield f"{where}: {family} may import public names of {name[1]} only, not {'.'.join(name[2:])}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root.resolve()
    core = cpp_files(root / "cpp/include", root / "cpp/src")
    bindings = cpp_files(root / "python") + sorted((root / "python").rglob("*.pyx"))
    modules = sorted((root / "src/mlcore").rglob("*.py"))
    violations = [v for path in core for v in check_core_file(root, path)]
    violations += [v for path in bindings for v in check_binding_file(root, path)]
    violations += [v for path in modules for v in check_python_file(root, path)]
    finish(
        "check_layers",
        min(len(core), len(bindings), len(modules)) and len(core + bindings + modules),
        "files",
        violations,
    )


if __name__ == "__main__":
    main()
