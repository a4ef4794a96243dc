"""Leaf-wise and level-wise growth, and what the trees found important.

Two trees with eight leaves on the same data. Leaf-wise growth always splits the leaf with the greatest gain
and may go deep where it pays; level-wise growth completes a level first. Below, three measures of
importance of a longer fit.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

from mlcore.ensemble import HistGradientBoostingRegressor

data = load_diabetes(as_frame=True)
X, y = data.data, data.target

figure = plt.figure(figsize=(14, 9), layout="constrained")
rows = figure.subfigures(2, 1, height_ratios=[3, 2])
for axis, growth in zip(rows[0].subplots(1, 2), ("leaf", "level")):
    model = HistGradientBoostingRegressor(max_iter=1, learning_rate=1.0, growth=growth, max_leaf_nodes=8)
    error = np.mean((model.fit(X, y).predict(X) - y) ** 2)
    model.plot_tree(0, ax=axis)
    axis.set_title(
        f'growth="{growth}": depth {model.get_tree(0)["depth"].max()}, mean squared error {error:.0f}'
    )
    print(f"{growth}: mean squared error {error:.1f}")

model = HistGradientBoostingRegressor(max_iter=60).fit(X, y)
for axis, kind in zip(rows[1].subplots(1, 3), ("gain", "split", "cover")):
    importance = model.get_feature_importance(kind)
    order = np.argsort(importance)
    axis.barh(X.columns[order], importance[order] / importance.sum())
    axis.set_title(f"importance by {kind}")

folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
figure.savefig(folder / "tree_shapes.png", dpi=110)
