"""Exclusive feature bundling: sparse columns that share one column.

Two one-hot blocks and a few rare indicators. The matrix, the graph of conflicts (pairs of columns that are
present in the same row), and the bundles: within a conflict budget of 2 % of the rows 13 columns become few.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mlcore.preprocessing import ExclusiveFeatureBundler

rng = np.random.default_rng(0)
rows = 400
blocks = [np.eye(levels)[rng.integers(levels, size=rows)] for levels in (5, 4)]
X = np.hstack([*blocks, (rng.random((rows, 4)) < 0.05).astype(float)])

bundler = ExclusiveFeatureBundler(max_conflict_rate=0.02).fit(X)
bundled = bundler.transform(X)
for bundle, offsets, dropped in zip(bundler.bundles_, bundler.offsets_, bundler.n_conflicts_):
    print(f"columns {bundle.tolist()} with offsets {offsets.tolist()}: {dropped} conflicts")

figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
axes[0].imshow(X[:40], aspect="auto", cmap="Greys", interpolation="nearest")
axes[0].set(title="columns", xlabel="column", ylabel="row")

angle = np.linspace(0, 2 * np.pi, X.shape[1], endpoint=False)
place = np.column_stack([np.cos(angle), np.sin(angle)])
colour = np.empty(X.shape[1], dtype=int)
for number, bundle in enumerate(bundler.bundles_):
    colour[bundle] = number
counts = bundler.conflict_counts_
for i in range(X.shape[1]):
    for j in range(i):
        if counts[i, j]:
            axes[1].plot(
                *place[[i, j]].T, color="0.8", lw=4 * counts[i, j] / counts[~np.eye(13, dtype=bool)].max()
            )
axes[1].scatter(*place.T, c=colour, cmap="tab10", vmax=9, s=160, zorder=2)
for j, (a, b) in enumerate(place):
    axes[1].text(a, b, str(j), ha="center", va="center", color="white", fontsize=8, zorder=3)
axes[1].set(title="conflicts; colours are bundles", aspect="equal")
axes[1].set_axis_off()

axes[2].imshow(bundled[:40], aspect="auto", cmap="viridis", interpolation="nearest")
axes[2].set(title=f"{len(bundler.bundles_)} bundles", xlabel="bundle", ylabel="row")

folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
figure.savefig(folder / "feature_bundles.png", dpi=110)
