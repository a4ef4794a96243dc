"""Sphinx configuration. Builds without network; warnings are errors (``-n -W --keep-going``)."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

import api_pages  # noqa: E402

import mlcore.metrics  # noqa: E402

project = "mlcore"
author = "The mlcore developers"
copyright = "the mlcore developers"
version = release = mlcore.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "api_pages",
    "gallery",
]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
templates_path = ["_templates"]
# *.inc.md are parts of other pages, written by bench.compare.
exclude_patterns = ["_build", "_ext", "**.inc.md"]

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say types in words
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # the class template lists them
numpydoc_xref_param_type = False

# Docstrings of mixins may name scikit-learn's own pages, which are not part of this site.
nitpick_ignore_regex = [
    ("py:.*", r"(sklearn|numpy|scipy|pandas|polars)\..*"),
    ("py:.*", r"(mlcore\.metrics\.)?(" + "|".join(api_pages.own_names(mlcore.metrics)[1]) + ")"),
    ("py:.*", r"(ndarray|array-like|RandomState|Callback|optional)"),
]

html_theme = "pydata_sphinx_theme"
html_title = f"mlcore {release}"
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
}
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False

# Pages of the gallery: see _ext/gallery.py.
gallery_examples = str(HERE.parent / "examples")


def inherited_references(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Methods inherited from scikit-learn refer to its labels and glossary: only the words are kept."""
    if not str(getattr(obj, "__module__", "")).startswith("mlcore"):
        lines[:] = [re.sub(r":(?:ref|term):`([^`<]*?)\s*(?:<[^`>]*>)?`", r"\1", line) for line in lines]


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", inherited_references)
