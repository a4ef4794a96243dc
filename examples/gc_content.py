"""Segments of a genome by GC content.

The two halves of the phage lambda genome differ in the share of the bases G and C. A categorical HMM with
sticky transitions marks the segments, with no window to choose. Give the path of an .npz file with an
array `codes` (0 A, 1 C, 2 G, 3 T) as the first argument; without it a sequence is simulated.
"""

import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mlcore.hmm import CategoricalHMM

if len(sys.argv) > 1:
    codes = np.load(sys.argv[1])["codes"].astype(np.int64)
else:
    rng = np.random.default_rng(1)
    rich = np.repeat([1, 0, 1, 0], [9000, 4000, 3000, 8000])
    codes = np.array(
        [rng.choice(4, p=[0.21, 0.27, 0.31, 0.21] if r else [0.31, 0.2, 0.2, 0.29]) for r in rich]
    )

model = CategoricalHMM(2, n_iter=60, tol=1e-3, init_params="", transmat_prior=1 + 200 * np.eye(2))
model.startprob_, model.transmat_ = [0.5, 0.5], [[0.999, 0.001], [0.001, 0.999]]
model.emissionprob_ = [[0.3, 0.2, 0.2, 0.3], [0.2, 0.3, 0.3, 0.2]]
model.fit(codes[:, None])
posterior = model.predict_proba(codes[:, None])[:, 1]
states = model.predict(codes[:, None])
edges = np.flatnonzero(np.diff(states)) + 1
print(f"GC content {model.emissionprob_[0, 1:3].sum():.2f} and {model.emissionprob_[1, 1:3].sum():.2f}")
print(f"{len(edges) + 1} segments, edges at {edges[:12].tolist()}")

window = np.convolve(np.isin(codes, [1, 2]), np.full(500, 1 / 500), mode="valid")
figure, axes = plt.subplots(2, 1, figsize=(11, 5), layout="constrained", sharex=True)
axes[0].plot(250 + np.arange(len(window)), window, "k-", lw=0.6)
axes[0].set(ylabel="GC share of 500 bases")
axes[1].fill_between(np.arange(len(codes)), posterior, color="tab:blue", lw=0)
axes[1].set(xlabel="position", ylabel="P(rich in GC)")
folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
figure.savefig(folder / "gc_content.png", dpi=110)
