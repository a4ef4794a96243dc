"""How many clusters?

Four blobs, of which two overlap. The inertia falls with every further cluster, so its minimum says nothing;
three rules of thumb look at the curve. The elbow is the point farthest from the chord between the ends of the
curve, the silhouette compares each row's distance to its own cluster with that to the next one.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import make_blobs

from mlcore.cluster import KMeans, elbow_point
from mlcore.metrics import silhouette_score

X, _ = make_blobs(600, centers=4, cluster_std=0.85, center_box=(-6, 6), random_state=42)

sizes = list(range(1, 11))
models = [KMeans(k, n_init=10, random_state=0).fit(X) for k in sizes]
inertia = [model.inertia_ for model in models]
silhouette = [silhouette_score(X, model.labels_) for model in models[1:]]

elbow = elbow_point(sizes, inertia)
on_log_scale = elbow_point(sizes, inertia, scale="log")
widest = sizes[1:][max(range(len(silhouette)), key=silhouette.__getitem__)]
print(f"elbow at k = {elbow}, on a log scale at k = {on_log_scale}, highest silhouette at k = {widest}")

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
left.plot(sizes, inertia, "o-")
left.axvline(elbow, ls=":", color="black")
left.set(xlabel="number of clusters k", ylabel="inertia J", title=f"elbow at k = {elbow}")
middle.plot(sizes[1:], silhouette, "o-", color="C1")
middle.axvline(widest, ls=":", color="black")
middle.set(xlabel="number of clusters k", ylabel="mean silhouette", title=f"highest at k = {widest}")
right.scatter(*X.T, c=models[3].labels_, s=8, cmap="tab10")
right.plot(*models[3].cluster_centers_.T, "k+", ms=12)
right.set(title="four clusters", xticks=[], yticks=[])

folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
figure.savefig(folder / "choose_k.png", dpi=110)
