"""Support vector machines."""

from ._svc import SVC

__all__ = ["SVC"]
