"""The native functions of the family, under one name."""

from __future__ import annotations

from typing import Any

from .. import _core

__all__ = ["engine"]

engine: Any = _core.hmm
