"""GOSS: which rows an iteration reads, and what it costs.

Gradients of a fit in progress, sorted by size: all of the top 20 % are kept, 10 % are drawn from the rest and
count eight times. The right panel compares the test loss of models that read all rows, 30 % by GOSS, and
30 % at random.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from mlcore.ensemble import HistGradientBoostingClassifier

X, y = make_classification(12_000, n_features=12, n_informative=8, class_sep=0.8, flip_y=0.05, random_state=0)
X, X_test, y, y_test = train_test_split(X, y, test_size=4000, random_state=0)

start = HistGradientBoostingClassifier(max_iter=20, early_stopping=False).fit(X, y)
gradient = start.predict_proba(X)[:, 1] - y
size = np.sort(np.abs(gradient))[::-1]
top = int(0.2 * size.size)
drawn = np.sort(
    np.random.default_rng(0).choice(np.arange(top, size.size), int(0.1 * size.size), replace=False)
)
estimate = size[:top].sum() + 8 * size[drawn].sum()
print(f"sum of |g|: {size.sum():.1f}; from 30 % of the rows: {estimate:.1f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
left.fill_between(np.arange(top), size[:top], color="C0", label="kept: top 20 %")
left.plot(np.arange(top, size.size), size[top:], color="0.7")
left.vlines(
    drawn[::10], 0, size[drawn[::10]], color="C1", lw=0.7, label="drawn: 10 %, weight 8 (every tenth)"
)
left.set(xlabel="rows by |gradient|", ylabel="|gradient|")
left.legend()

for label, more in (
    ("all rows", {}),
    ("GOSS 0.2 + 0.1", {"sampling": "goss"}),
    ("uniform 0.3", {"sampling": "uniform", "subsample": 0.3}),
):
    model = HistGradientBoostingClassifier(max_iter=60, early_stopping=False, random_state=0, **more).fit(
        X, y
    )
    losses = [log_loss(y_test, p) for p in model.staged_predict_proba(X_test)]
    print(f"{label}: test log loss {losses[-1]:.4f}")
    right.plot(losses, label=f"{label}: {losses[-1]:.3f}")
right.set(xlabel="iteration", ylabel="test log loss")
right.legend()

folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
figure.savefig(folder / "boosting_goss.png", dpi=110)
