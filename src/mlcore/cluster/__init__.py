"""Clustering."""

from ..metrics import align_labels
from ._bisecting import BisectingKMeans
from ._elbow import elbow_point
from ._kmeans import KMeans, k_means, kmeans_plusplus
from ._minibatch import MiniBatchKMeans
from ._statistics import KMeansStatistics

__all__ = [
    "BisectingKMeans",
    "KMeans",
    "KMeansStatistics",
    "MiniBatchKMeans",
    "align_labels",
    "elbow_point",
    "k_means",
    "kmeans_plusplus",
]
