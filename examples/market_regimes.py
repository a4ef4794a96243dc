"""Regimes of a stock index.

Daily returns are calm for months and wild for weeks. A three-state HMM with Student-t returns finds the
periods; the states differ in scale, hardly in location. Give the path of an .npz file with an array
`log_return` (daily log returns of an index) as the first argument; without it returns are simulated from
three regimes.
"""

import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mlcore.hmm import MixedHMM

if len(sys.argv) > 1:
    returns = np.load(sys.argv[1])["log_return"]
    returns = 100 * returns[np.isfinite(returns)]
else:
    rng = np.random.default_rng(0)
    regimes = np.repeat(rng.permutation(np.repeat([0, 0, 1, 1, 2], 8)), 50)
    returns = np.array([0.5, 1.1, 2.6])[regimes] * rng.standard_t(6, len(regimes)) / np.sqrt(1.5) + 0.04

model = MixedHMM(3, families="student_t", n_iter=80, n_init=4, random_state=0).fit(returns[:, None])
model.reorder_states(np.argsort(model.emissions_[0]["scale"]))
states = model.predict(returns[:, None])
share = np.bincount(states, minlength=3) / len(states)
for k in range(3):
    p = model.emissions_[0]
    print(
        f"state {k}: {share[k]:.0%} of the days, scale {np.sqrt(p['scale'][k]):.2f} %, "
        f"{p['dof'][k]:.1f} degrees of freedom, lasts {1 / (1 - model.transmat_[k, k]):.0f} days"
    )

figure, axes = plt.subplots(2, 1, figsize=(11, 6), layout="constrained", sharex=True)
axes[0].plot(np.cumsum(returns), "k-", lw=0.8)
axes[0].set(ylabel="cumulative return, %")
for k, colour in enumerate(["tab:green", "tab:orange", "tab:red"]):
    days = np.flatnonzero(states == k)
    axes[1].plot(days, returns[days], ".", ms=3, color=colour, label=f"state {k}")
axes[1].set(xlabel="day", ylabel="daily return, %")
axes[1].legend()
folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
figure.savefig(folder / "market_regimes.png", dpi=110)
