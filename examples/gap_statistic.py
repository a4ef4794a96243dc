"""Clusters, or none? The gap statistic.

Elbow and silhouette always find clusters. The gap statistic compares the inertia with that of points spread
evenly over the same box, and chooses the least k that the next one does not beat by more than a standard
error: three for the blobs, one for the evenly spread points.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_blobs

from mlcore.cluster import gap_statistic

blobs, _ = make_blobs(300, centers=[[0, 0], [6, 0], [0, 6]], random_state=0)
even = np.random.default_rng(0).uniform(size=(300, 2))

figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
for row, X, name in zip(axes, (blobs, even), ("three blobs", "evenly spread")):
    result = gap_statistic(X, 8, n_references=20, random_state=0)
    print(f"{name}: k = {result.best}")
    row[0].scatter(*X.T, s=8)
    row[0].set(title=name, xticks=[], yticks=[])
    row[1].errorbar(result.n_clusters, result.gap, result.standard_error, fmt="o-", capsize=3)
    row[1].axvline(result.best, ls=":", color="black")
    row[1].set(xlabel="number of clusters k", ylabel="gap", title=f"chosen: k = {result.best}")

folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
figure.savefig(folder / "gap_statistic.png", dpi=110)
