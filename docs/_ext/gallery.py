"""Runs the programs in examples/ and makes a page of each: text, program, output, pictures.

An example is a plain script. The first line of its docstring is the title, the rest the text. It writes its
pictures into the folder that the environment variable MLCORE_EXAMPLES_OUTPUT names. An example that fails is
a warning, hence an error under -W.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

PICTURES = {".png", ".svg", ".jpg"}
FOLDER = "gallery"
log = logging.getLogger(__name__)


def page(name: str, script: Path, output: str, pictures: list[str]) -> tuple[str, str]:
    """Title and Markdown text of an example's page."""
    title, _, text = (ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or name).partition(
        "\n"
    )
    parts = [f"# {title.rstrip('.')}", text.strip()]
    parts += [f"![{title.rstrip('.')}]({picture})" for picture in pictures]
    program = os.path.relpath(script, Path(script.parent.parent, "docs", FOLDER))
    parts.append(f"```{{literalinclude}} {program}\n:language: python\n```")
    if output.strip():
        parts.append(f"It prints\n\n```text\n{output.rstrip()}\n```")
    return title.rstrip("."), "\n\n".join(part for part in parts if part) + "\n"


def write_if_new(path: Path, text: str) -> None:
    """Unchanged files keep their time stamp, so that Sphinx reads only what changed."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def run(app: Sphinx) -> None:
    folder = Path(app.srcdir, FOLDER)
    folder.mkdir(exist_ok=True)
    cards = []
    for script in sorted(Path(app.config.gallery_examples).glob("*.py")):
        name = script.stem
        pictures = Path(folder, name)
        pictures.mkdir(exist_ok=True)
        stamp = pictures / "output.txt"
        if not stamp.is_file() or stamp.stat().st_mtime < script.stat().st_mtime:
            env = {**os.environ, "MLCORE_EXAMPLES_OUTPUT": str(pictures), "MPLBACKEND": "agg"}
            done = subprocess.run(
                [sys.executable, str(script)], env=env, capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                log.warning("example %s failed:\n%s", script.name, done.stderr)
                continue
            stamp.write_text(done.stdout, encoding="utf-8")
        shown = sorted(f"{name}/{file.name}" for file in pictures.iterdir() if file.suffix in PICTURES)
        title, text = page(name, script, stamp.read_text(encoding="utf-8"), shown)
        write_if_new(folder / f"{name}.md", text)
        picture = f"\n\n![{title}]({shown[0]}){{width=360px}}" if shown else ""
        cards.append((name, f"## [{title}]({name}.md)" + picture))
    toc = "\n".join(name for name, _ in cards)
    body = "\n\n".join(card for _, card in cards)
    index = f"# Examples\n\nRun by the test suite and at each build of this site.\n\n{body}\n\n"
    index += f"```{{toctree}}\n:hidden:\n\n{toc}\n```\n"
    write_if_new(folder / "index.md", index)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("gallery_examples", "examples", "env")
    app.connect("builder-inited", run)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
