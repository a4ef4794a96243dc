"""Preprocessing that belongs to tree ensembles."""

from ._feature_bundler import ExclusiveFeatureBundler
from ._ordered_target_encoder import OrderedTargetEncoder

__all__ = ["ExclusiveFeatureBundler", "OrderedTargetEncoder"]
