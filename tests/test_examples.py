"""Every program in examples/ runs, without a display and without warnings, and writes the pictures it says
it writes."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(EXAMPLES.rglob("*.py"))


def run(script, folder):
    folder.mkdir()
    # one thread each: two programs that both want all cores get in each other's way
    env = {**os.environ, "MLCORE_EXAMPLES_OUTPUT": str(folder), "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", str(script)]
    return subprocess.run(
        command, env=env, cwd=folder, capture_output=True, text=True, timeout=480, check=False
    )


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory):
    """The examples that this session tests, two under way at a time: most of each is the start of Python."""
    pytest.importorskip("matplotlib")
    parts = [getattr(item, "callspec", None) for item in request.session.items if item.path == request.path]
    wanted = [part.params["script"] for part in parts if part is not None]
    top = tmp_path_factory.mktemp("examples")
    with ThreadPoolExecutor(2) as pool:
        yield {script: (top / script.stem, pool.submit(run, script, top / script.stem)) for script in wanted}


def test_there_are_examples():
    assert SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_example(script, runs):
    folder, running = runs[script]
    done = running.result()
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip(), "an example prints what it has found"
    written = {path.name for path in folder.iterdir()}
    assert written == set(re.findall(r'"(\w+\.png)"', script.read_text(encoding="utf-8")))
    for path in folder.iterdir():
        assert path.read_bytes()[:4] == b"\x89PNG"
        assert path.stat().st_size > 5_000
