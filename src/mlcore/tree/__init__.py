"""Trees: the arithmetic of a split."""

from ._split_gain import leaf_weight, split_gain, structure_score

__all__ = ["leaf_weight", "split_gain", "structure_score"]
