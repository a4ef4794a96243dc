"""Scores of a clustering, and the agreement of two labellings.

The functions that scikit-learn has are scikit-learn's own, under the same name: its silhouette works in
chunks of rows (``sklearn.set_config(working_memory=...)``), so that the n x n distances never exist at once.
Added are :func:`align_labels` and :func:`purity_score`.
"""

from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    calinski_harabasz_score,
    completeness_score,
    davies_bouldin_score,
    fowlkes_mallows_score,
    homogeneity_completeness_v_measure,
    homogeneity_score,
    mutual_info_score,
    normalized_mutual_info_score,
    pairwise_distances,
    rand_score,
    silhouette_samples,
    silhouette_score,
    v_measure_score,
)

from ._agreement import align_labels, purity_score

__all__ = [
    "adjusted_mutual_info_score",
    "adjusted_rand_score",
    "align_labels",
    "calinski_harabasz_score",
    "completeness_score",
    "davies_bouldin_score",
    "fowlkes_mallows_score",
    "homogeneity_completeness_v_measure",
    "homogeneity_score",
    "mutual_info_score",
    "normalized_mutual_info_score",
    "pairwise_distances",
    "purity_score",
    "rand_score",
    "silhouette_samples",
    "silhouette_score",
    "v_measure_score",
]
