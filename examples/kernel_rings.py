"""Rings and moons with kernel k-means.

k-means separates clusters by straight lines. In the feature space of a kernel it does so as well, but there
a straight line may be a ring in the plane of the data.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_circles

from mlcore.cluster import KernelKMeans, KMeans
from mlcore.metrics import adjusted_rand_score, align_labels

X, ring = make_circles(500, factor=0.25, noise=0.06, random_state=0)
models = {
    "k-means": KMeans(2, n_init=10, random_state=0).fit(X),
    "kernel k-means, rbf": KernelKMeans(2, kernel="rbf", gamma=2.0, n_init=10, random_state=0).fit(X),
}

axis_values = np.linspace(-1.4, 1.4, 120)
grid = np.stack(np.meshgrid(axis_values, axis_values), axis=-1).reshape(-1, 2)
figure, axes = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained")
for axis, (name, model) in zip(axes, models.items()):
    score = adjusted_rand_score(ring, model.labels_)
    print(f"{name}: adjusted Rand index {score:.2f}")
    # Cluster numbers are arbitrary: give both pictures the colours of the rings.
    labels, renamed = align_labels(ring, model.labels_, return_mapping=True)
    regions = np.vectorize(renamed.get)(model.predict(grid)).reshape(120, 120)
    axis.contourf(axis_values, axis_values, regions, levels=[-0.5, 0.5, 1.5], cmap="coolwarm", alpha=0.3)
    axis.scatter(*X.T, c=labels, s=8, cmap="coolwarm")
    axis.set(title=f"{name}: {score:.2f}", xticks=[], yticks=[], aspect="equal")

folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
figure.savefig(folder / "kernel_rings.png", dpi=110)
