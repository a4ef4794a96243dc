"""Clustering."""

from ..metrics import align_labels
from ._bisecting import BisectingKMeans
from ._dbscan import DBSCAN, dbscan
from ._elbow import elbow_point
from ._gap import GapStatistic, gap_statistic
from ._k_distance import k_distance
from ._kernel_kmeans import KernelKMeans
from ._kmeans import KMeans, k_means, kmeans_plusplus
from ._minibatch import MiniBatchKMeans
from ._spherical import SphericalKMeans
from ._statistics import KMeansStatistics

__all__ = [
    "DBSCAN",
    "BisectingKMeans",
    "GapStatistic",
    "KMeans",
    "KMeansStatistics",
    "KernelKMeans",
    "MiniBatchKMeans",
    "SphericalKMeans",
    "align_labels",
    "dbscan",
    "elbow_point",
    "gap_statistic",
    "k_distance",
    "k_means",
    "kmeans_plusplus",
]
