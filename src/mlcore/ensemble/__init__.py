"""Ensembles of trees."""

from ._classifier import HistGradientBoostingClassifier
from ._ranker import HistGradientBoostingRanker
from ._regressor import HistGradientBoostingRegressor

__all__ = ["HistGradientBoostingClassifier", "HistGradientBoostingRanker", "HistGradientBoostingRegressor"]
