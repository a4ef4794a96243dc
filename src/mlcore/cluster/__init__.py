"""Clustering."""

from ..metrics import align_labels
from ._elbow import elbow_point

__all__ = [
    "align_labels",
    "elbow_point",
]
