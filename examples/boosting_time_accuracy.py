"""Time against accuracy, beside scikit-learn's class.

The digits, training for 5 to 80 iterations: seconds of the fit and accuracy on held-out rows.
"""

import os
import time
from pathlib import Path

import matplotlib.pyplot as plt
import sklearn.ensemble
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from mlcore.ensemble import HistGradientBoostingClassifier

X, X_test, y, y_test = train_test_split(*load_digits(return_X_y=True), test_size=0.3, random_state=0)

figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
for name, cls in (
    ("mlcore", HistGradientBoostingClassifier),
    ("scikit-learn", sklearn.ensemble.HistGradientBoostingClassifier),
):
    seconds, accuracy = [], []
    for iterations in (5, 15, 40):
        model = cls(max_iter=iterations, max_leaf_nodes=15)
        start = time.perf_counter()
        model.fit(X, y)
        seconds.append(time.perf_counter() - start)
        accuracy.append(model.score(X_test, y_test))
        print(f"{name}, {iterations} iterations: {seconds[-1]:.2f} s, accuracy {accuracy[-1]:.3f}")
    axis.plot(seconds, accuracy, "o-", label=name)
axis.set(xlabel="seconds of fit", ylabel="accuracy on held-out digits", xscale="log")
axis.legend()

folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
figure.savefig(folder / "boosting_time_accuracy.png", dpi=110)
