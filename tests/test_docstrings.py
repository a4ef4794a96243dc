"""Docstrings of the public names: examples run, sections are there, parameters are the signature's."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import mlcore

ROOT = Path(__file__).resolve().parents[1]


def modules():
    """All modules of the package, private ones too; `__main__` runs when imported."""
    found = pkgutil.walk_packages(mlcore.__path__, "mlcore.")
    return sorted(
        info.name for info in found if info.name.rpartition(".")[2] not in ("__main__", "_blas", "_core")
    )


def public_objects():
    """Classes and functions of ours that a user can reach without an underscore."""
    found = {}
    for name in ["mlcore", *modules()]:
        if any(part.startswith("_") for part in name.split(".")):
            continue
        module = importlib.import_module(name)
        for key in module.__all__:
            thing = getattr(module, key)
            is_code = inspect.isclass(thing) or inspect.isfunction(thing)
            if is_code and thing.__module__.startswith("mlcore"):
                found[f"{name}.{key}"] = thing
    return found


PUBLIC = public_objects()


def section(thing, title):
    """Lines of a numpydoc section, without indentation of the whole; None when it is not there."""
    text = inspect.getdoc(thing) or ""
    match = re.search(rf"^{title}\n-+\n(.*?)(?=^\S[^\n]*\n-+\n|\Z)", text, re.S | re.M)
    return match[1] if match else None


def described(text):
    """Names in a section "name : type" or "a, b : type"."""
    return [
        name.strip(" *") for line in re.findall(r"^(\S[^:\n]*) :", text, re.M) for name in line.split(",")
    ]


@pytest.mark.parametrize("name", modules())
def test_examples_run(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_there_are_examples():
    """Guards the test above: a finder that finds nothing passes."""
    finder = doctest.DocTestFinder()
    kmeans = importlib.import_module("mlcore.cluster._kmeans")
    assert sum(len(test.examples) for test in finder.find(kmeans)) > 5


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_has_a_summary_and_an_example(name):
    text = inspect.getdoc(PUBLIC[name])
    assert text
    assert text.split("\n")[0].endswith((".", "?"))
    is_record = inspect.isclass(PUBLIC[name]) and section(PUBLIC[name], "Parameters") is None
    if not is_record:  # records and protocols are seen in the examples of those who make or take them
        module = importlib.import_module(name.rpartition(".")[0])
        assert ">>> " in text or ">>> " in (module.__doc__ or "")


@pytest.mark.parametrize("name", PUBLIC)
def test_parameters_are_those_of_the_signature(name):
    thing = PUBLIC[name]
    if getattr(thing, "_is_protocol", False):
        pytest.skip("a protocol has no constructor of its own")
    signature = list(inspect.signature(thing).parameters)
    text = section(thing, "Parameters")
    if text is None and inspect.isclass(thing):
        text = section(thing, "Attributes")  # a record: its attributes are its parameters
        assert signature == [] or described(text or "") == signature
    else:
        assert described(text or "") == signature


@pytest.mark.parametrize("name", [name for name, thing in PUBLIC.items() if inspect.isclass(thing)])
def test_public_methods_are_described(name):
    for key, method in vars(PUBLIC[name]).items():
        function = getattr(method, "__func__", method)
        if key.startswith("_") or not inspect.isfunction(function):
            continue
        assert inspect.getdoc(method), f"{name}.{key} has no docstring"
        text = section(method, "Parameters")
        if text is not None:
            given = [p for p in inspect.signature(function).parameters if p not in ("self", "cls")]
            assert described(text) == given, f"{name}.{key}"


#: Pages that people wrote; the gallery and the pages of the API are made when the site is built.
PAGES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("docs", "docs/user-guide", "docs/dev", "docs/benchmarks")
    for path in (ROOT / folder).glob("*.md")
)


def test_there_are_pages():
    """Guards the test below; a copy without any documentation has nothing to check."""
    if (ROOT / "docs").is_dir():
        assert {"docs/index.md", "docs/user-guide/clustering.md", "docs/user-guide/density.md"} <= set(PAGES)


def anchors(text):
    """What a link may name after #: headings as MyST writes them, and explicit labels."""
    prose = re.sub(r"```.*?```", "", text, flags=re.S)
    headings = re.findall(r"^#+ (.+)$", prose, re.M)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r"^\(([\w-]+)\)=$", prose, re.M))


@pytest.mark.parametrize("page", PAGES)
def test_links_of_the_guide_lead_somewhere(page):
    """Files that pages link to or show, headings, and the names in {class}`...`; the gallery is generated."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for target, _, anchor in re.findall(r"\]\(([^)\s#:]*)(#([^)\s]+))?\)", text):
        path = (ROOT / page).parent / target if target else ROOT / page
        if path.parent.name == "gallery":
            path = ROOT / "examples" / ("" if path.stem == "index" else f"{path.stem}.py")
        assert path.exists(), target
        assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), f"{target}#{anchor}"
    for name in re.findall(r"\{(?:class|func)\}`~?([\w.]+)`", text):
        module, _, key = name.rpartition(".")
        assert hasattr(importlib.import_module(module), key), name
    for name in re.findall(r"\{mod\}`([\w.]+)`", text):
        importlib.import_module(name)
