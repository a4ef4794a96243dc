"""Lloyd's iteration, step by step.

Three blobs and three bad starting centres. An iteration assigns every point to its nearest centre and then
moves each centre to the mean of its points; both halves lower the inertia J. The panels show J after each
assignment, as a callback reports it.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_blobs

from mlcore.callbacks import History
from mlcore.cluster import KMeans

X, _ = make_blobs(300, centers=3, cluster_std=0.9, center_box=(-5, 5), random_state=11)
start = np.array([[-3.5, -3.0], [-3.0, -2.0], [3.0, -3.5]])

history = History()
final = KMeans(3, init=start, n_init=1, tol=0, callbacks=[history]).fit(X)
inertia = [record.objective for record in history.records]
print("J after each assignment:", ", ".join(f"{value:.1f}" for value in inertia))

figure, axes = plt.subplots(2, 4, figsize=(12, 6), layout="constrained", sharex=True, sharey=True)
path = [start]
for step, axis in enumerate(axes.ravel()):
    centers = path[-1]
    labels = np.square(X[:, None] - centers).sum(axis=2).argmin(axis=1)
    axis.scatter(*X.T, c=labels, s=6, cmap="tab10", vmax=9)
    for c in range(3):
        axis.plot(*np.array([step_centers[c] for step_centers in path]).T, "k.-", lw=1, ms=3)
    axis.plot(*centers.T, "kX", ms=9)
    axis.set(title=f"assignment {step + 1}: J = {inertia[step]:.1f}", xticks=[], yticks=[])
    path.append(KMeans(3, init=centers, n_init=1, max_iter=1, tol=0).fit(X).cluster_centers_)

folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
figure.savefig(folder / "lloyd_steps.png", dpi=110)
