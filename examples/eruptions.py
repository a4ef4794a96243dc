"""Long and short eruptions of a geyser.

Old Faithful's eruptions are short or long, and a short one is nearly always followed by a long one: the
order of the rows matters, which a mixture of Gaussians ignores and an HMM uses. Give the path of an .npz
file with arrays `duration` and `waiting` as the first argument; without it eruptions are simulated.
"""

import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.mixture import GaussianMixture

from mlcore.hmm import GaussianHMM

if len(sys.argv) > 1:
    data = np.load(sys.argv[1])
    X = np.c_[data["duration"], data["waiting"]].astype(float)
else:
    truth = GaussianHMM(2, "full")
    truth.startprob_, truth.transmat_ = [0.4, 0.6], [[0.05, 0.95], [0.55, 0.45]]
    truth.means_ = [[2.0, 55.0], [4.3, 80.0]]
    truth.covars_ = [[[0.08, 0.5], [0.5, 36.0]], [[0.17, 0.9], [0.9, 36.0]]]
    X, _ = truth.sample(272, random_state=0)

model = GaussianHMM(2, "full", n_init=5, n_iter=100, random_state=0, state_order="mean").fit(X)
mixture = GaussianMixture(2, random_state=0).fit(X)
print("transitions (short, long):", model.transmat_.round(2).tolist())
print(f"log-likelihood {model.score(X):.1f}, of a mixture without memory {mixture.score(X) * len(X):.1f}")
print(f"expected next eruption: {model.forecast(X)[1][0, 0, 0]:.1f} minutes")

figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
states = model.predict(X)
axes[0].scatter(*X.T, c=states, cmap="coolwarm", s=14)
axes[0].set(xlabel="duration, minutes", ylabel="waiting time, minutes")
axes[1].plot(X[:60, 0], "k.-", lw=0.6)
axes[1].scatter(np.arange(60), X[:60, 0], c=states[:60], cmap="coolwarm", zorder=3, s=24)
axes[1].set(xlabel="eruption", ylabel="duration, minutes")
folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
figure.savefig(folder / "eruptions.png", dpi=110)
