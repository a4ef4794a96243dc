"""What the README promises exists: the example runs, the names are public, the markers are in their place."""

from __future__ import annotations

import importlib
import pkgutil
import re
import tomllib
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator

import mlcore

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_runs_and_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) <= 15
    exec(compile(example, "README.md", "exec"), {})
    agreement = re.search(r"agreement with the true digits ([\d.]+)", capsys.readouterr().out)
    assert agreement is not None
    assert float(agreement.group(1)) > 0.4


def test_every_name_of_the_feature_table_is_public() -> None:
    section = README.partition("## What works today")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    modules = [info.name for info in pkgutil.iter_modules(mlcore.__path__) if not info.name.startswith("_")]
    public = {name: set(importlib.import_module(f"mlcore.{name}").__all__) for name in modules}
    assert named <= set().union(*public.values()), "in the table but not there"
    assert public["cluster"] & named
    for module, names in public.items():
        things = [getattr(importlib.import_module(f"mlcore.{module}"), name) for name in names]
        family = any(isinstance(thing, type) and issubclass(thing, BaseEstimator) for thing in things)
        if family and names & named:  # a family that is in the table is there with all its names
            assert names <= named, f"mlcore.{module}: not in the table: {sorted(names - named)}"


def test_commands_of_the_readme_are_make_targets() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = set(re.findall(r"`?make ([a-z]+)", README))
    assert {"demo", "test"} <= commands
    assert commands <= targets, f"no such targets: {sorted(commands - targets)}"


def test_the_place_of_the_measured_table_is_marked() -> None:
    assert README.index("<!-- bench:kmeans -->") < README.index("<!-- /bench:kmeans -->")


def test_one_version_number() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert "version" in tomllib.load(file)["project"]["dynamic"]
    version = importlib.import_module("mlcore").__version__
    assert f"version = {{{version}}}" in README
