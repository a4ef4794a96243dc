"""Every program in examples/ runs, without a display and without warnings, and writes the pictures it says
it writes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(EXAMPLES.rglob("*.py"))


def test_there_are_examples():
    assert SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_example(script, tmp_path):
    pytest.importorskip("matplotlib")
    env = {**os.environ, "MLCORE_EXAMPLES_OUTPUT": str(tmp_path), "MPLBACKEND": "agg"}
    command = [sys.executable, "-W", "error", str(script)]
    run = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip(), "an example prints what it has found"
    written = {path.name for path in tmp_path.iterdir()}
    assert written == set(re.findall(r'"(\w+\.png)"', script.read_text(encoding="utf-8")))
    for path in tmp_path.iterdir():
        assert path.read_bytes()[:4] == b"\x89PNG"
        assert path.stat().st_size > 5_000
