"""Entries that the docstrings of a family's classes share, written once.

A docstring names a block on a line of its own, ``<<engine>>``; :func:`shared_docs` puts the entries there
when the class is made, so that ``help``, Sphinx and doctest see the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

__all__ = ["shared_docs"]

_T = TypeVar("_T", bound=Callable[..., Any])


def shared_docs(blocks: Mapping[str, str]) -> Callable[[_T], _T]:
    """A decorator that fills ``<<name>>`` in the docstring of a function, or of a class and its methods."""

    def fill(match: re.Match[str]) -> str:
        indentation = match[1]
        return "\n".join(indentation + line for line in blocks[match[2]].splitlines())

    def decorate(thing: _T) -> _T:
        members = list(vars(thing).values()) if isinstance(thing, type) else []
        # a class method and its function have a docstring each
        members += [member.__func__ for member in members if isinstance(member, classmethod)]
        for described in (thing, *members):
            if isinstance(described.__doc__, str):
                text = re.sub(r"^( *)<<([\w ]+)>>$", fill, described.__doc__, flags=re.M)
                if text != described.__doc__:
                    described.__doc__ = text
        return thing

    return decorate
