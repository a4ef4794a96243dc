"""The areas that can be compared. A new family adds its module's name here."""

from __future__ import annotations

import importlib

from .case import Area

AREAS = ("kmeans",)


def area_of(name: str) -> Area:
    if name not in AREAS:
        raise KeyError(f"unknown area {name!r}; there are: {', '.join(AREAS)}")
    area = importlib.import_module(f"bench.compare.{name}").AREA
    assert isinstance(area, Area)
    return area
