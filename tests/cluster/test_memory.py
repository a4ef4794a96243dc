"""Peak memory beside the data: O(n + k d), never n x k. Here n k float32 would be 160 MB."""

ROWS, CLUSTERS = 100_000, 400
SETUP = f"""
import warnings
warnings.simplefilter("ignore")
import numpy as np
import scipy.sparse as sp
from mlcore.cluster import BisectingKMeans, KMeans, KernelKMeans, MiniBatchKMeans, kmeans_plusplus
X = np.random.default_rng(0).uniform(size=({ROWS}, 4)).astype(np.float32)
start = X[:{CLUSTERS}].copy()
KMeans(3, n_init=1, max_iter=2).fit(X[:2000]).predict(X[:2000])
A = sp.csr_array((X.ravel(), np.tile(np.arange(4), len(X)), np.arange(len(X) + 1) * 4))
KMeans(3, n_init=1, max_iter=2).fit(A[:2000]).predict(A[:2000])
model = KMeans({CLUSTERS}, init=start, max_iter=1, n_init=1).fit(X[:5000])
"""
#: what runs -> bytes allowed for each row of X
CALLS = {
    "KMeans({k}, init=start, algorithm='lloyd', max_iter=3).fit(X)": 40,
    "KMeans({k}, init=start, algorithm='hamerly', max_iter=3).fit(X)": 60,
    "KMeans({k}, init=start, algorithm='exponion', max_iter=3).fit(X)": 60,
    # lower bounds for at most 32 groups of centres
    "KMeans({k}, init=start, algorithm='yinyang', max_iter=3).fit(X)": 240,
    "KMeans({k}, init=start, algorithm='elkan', max_iter=3).fit(X)": 240,
    "KMeans({k}, init=start, max_iter=3).fit(A)": 60,
    "KMeans({k}, init=start, max_iter=3, n_jobs=2).fit(X, sample_weight=np.ones(len(X)))": 80,
    "KMeans({k}, init='k-means++', n_init=1, max_iter=1).fit(X)": 100,
    "KMeans({k}, init='k-means||', n_init=1, max_iter=1).fit(X)": 100,
    "kmeans_plusplus(X, {k}, random_state=0)": 100,
    "MiniBatchKMeans({k}, n_init=1, max_iter=1, random_state=0).fit(X)": 60,
    "BisectingKMeans({k}, max_iter=2, random_state=0).fit(X)": 100,
    "model.predict(X)": 40,
}


def test_never_rows_times_clusters(peak_bytes):
    used = dict(zip(CALLS, peak_bytes(SETUP, *(call.format(k=CLUSTERS) for call in CALLS)), strict=True))
    for call, allowed in CALLS.items():
        print(f"{used[call] / ROWS:.0f} bytes a row: {call}")
        assert used[call] < allowed * ROWS, call


def test_a_table_of_rows_and_clusters_would_be_seen(peak_bytes):
    (used,) = peak_bytes(SETUP, "model.transform(X)")
    assert used > 0.9 * 4 * ROWS * CLUSTERS
