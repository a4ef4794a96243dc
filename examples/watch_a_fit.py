"""Watch a fit, and stop it early.

A callback sees the state after every iteration. `History` keeps it, `EarlyStop` ends a fit whose objective
hardly moves any more: often the last ten-thousandth of the inertia costs more than half of the iterations.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mlcore.callbacks import EarlyStop, History
from mlcore.cluster import KMeans

rng = np.random.default_rng(0)
centers = rng.uniform(-10, 10, (40, 16))
X = (centers[rng.integers(0, 40, 30_000)] + 3 * rng.standard_normal((30_000, 16))).astype(np.float32)
start = X[:40]

full, early = History(), History()
to_the_end = KMeans(40, init=start, n_init=1, callbacks=[full]).fit(X)
stopped = KMeans(40, init=start, n_init=1, callbacks=[early, EarlyStop(1e-4, patience=2)]).fit(X)
loss = stopped.inertia_ / to_the_end.inertia_ - 1
print(f"{stopped.n_iter_} of {to_the_end.n_iter_} iterations, inertia {100 * loss:.2f} % higher")

figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
least = to_the_end.inertia_
for history, name in ((full, "to the tolerance"), (early, "with EarlyStop")):
    steps = [info.iteration for info in history.records]
    axis.semilogy(
        steps, [info.objective / least - 1 + 1e-9 for info in history.records], "o-", ms=3, label=name
    )
axis.set(xlabel="iteration", ylabel="inertia above the final one (relative)", ylim=(1e-6, None))
axis.legend()

folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
figure.savefig(folder / "watch_a_fit.png", dpi=110)
