"""The areas that can be compared: every module of this package that defines AREA, found by existing.

``python -m bench.compare.areas`` prints their names.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from .case import Area

#: Read, not imported: an area may import peers, and `--help` should not.
AREAS = tuple(
    sorted(
        path.stem
        for path in Path(__file__).parent.glob("*.py")
        if re.search(r"^AREA\b.*=", path.read_text(encoding="utf-8"), re.MULTILINE)
    )
)


def area_of(name: str) -> Area:
    if name not in AREAS:
        raise KeyError(f"unknown area {name!r}; there are: {', '.join(AREAS)}")
    area = importlib.import_module(f"bench.compare.{name}").AREA
    assert isinstance(area, Area)
    return area


if __name__ == "__main__":
    print(*AREAS)
