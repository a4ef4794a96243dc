"""k-means over blocks of rows.

Data that lie in several files, or on several machines, never need to come together. An iteration is a sum
over rows: `partial` computes it for a block, `combine` adds two of them, `finish` gives the new centres. Only
k (d + 1) + 1 numbers travel, and the result is that of a fit of everything at once, but for rounding.
"""

import functools

import numpy as np

from mlcore.cluster import KMeans, KMeansStatistics

rng = np.random.default_rng(0)
X = rng.standard_normal((20_000, 8)) + 4 * rng.integers(0, 3, (20_000, 1))
blocks = np.array_split(X, 7)

centers = X[:5]
for _ in range(20):
    parts = [KMeansStatistics.partial(block, centers) for block in blocks]  # on any machine
    total = functools.reduce(KMeansStatistics.combine, parts)
    centers = total.finish(centers)

whole = KMeans(5, init=X[:5], n_init=1, max_iter=20, tol=0).fit(X)
print("largest difference of the centres", f"{np.abs(centers - whole.cluster_centers_).max():.0e}")
