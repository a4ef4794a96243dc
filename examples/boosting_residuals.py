"""What the trees of a boosting fit have left to explain.

Noisy points of sin 1.5 x + 0.35 x, trees of depth 3, learning rate 0.1. The upper panels show the sum of the
first 1, 5, 25 and 100 trees, the lower ones the residuals that the next tree would be fitted to.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mlcore.ensemble import HistGradientBoostingRegressor

rng = np.random.default_rng(7)
x = np.linspace(-3, 3, 160)
y = np.sin(1.5 * x) + 0.35 * x + rng.normal(0, 0.25, 160)
X = x[:, None]

model = HistGradientBoostingRegressor(max_depth=3, max_leaf_nodes=None, min_samples_leaf=1).fit(X, y)
stages = list(model.staged_predict(X))

figure, axes = plt.subplots(2, 4, figsize=(12, 5), layout="constrained", sharex=True, sharey="row")
for column, trees in enumerate((1, 5, 25, 100)):
    fitted = stages[trees - 1]
    rms = np.sqrt(np.mean((y - fitted) ** 2))
    print(f"{trees:3d} trees: residual RMS {rms:.4f}")
    axes[0, column].plot(x, y, ".", color="0.6")
    axes[0, column].plot(x, fitted, "C0")
    axes[0, column].set_title(f"{trees} tree{'s' if trees > 1 else ''}")
    axes[1, column].axhline(0, color="0.6", lw=1)
    axes[1, column].vlines(x, 0, y - fitted, color="C3", lw=1)
    axes[1, column].set_title(f"residuals, RMS {rms:.3f}")

folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
figure.savefig(folder / "boosting_residuals.png", dpi=110)
