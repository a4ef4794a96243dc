"""Trees: the arithmetic of a split."""

from ._histogram_statistics import HistogramStatistics, Split
from ._split_gain import leaf_weight, split_gain, structure_score

__all__ = ["HistogramStatistics", "Split", "leaf_weight", "split_gain", "structure_score"]
