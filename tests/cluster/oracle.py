"""Slow and plain k-means in NumPy: what the native kernels must agree with.

The functions carry the names and signatures of ``mlcore._core.cluster``. Everything is computed in float64 by
explicit differences, row by row where that is clearest; random draws are NumPy's, so that only what does not
depend on them can be compared.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

CONVERGED, MAX_ITERATIONS, STOPPED, STATIONARY = 0, 1, 2, 3


def dense(X):
    """The matrix, in float64, of either form that the native side takes."""
    if isinstance(X, tuple):
        data, indices, indptr, n_features = X
        shape = len(indptr) - 1, n_features
        return sp.csr_matrix((data, indices, indptr), shape=shape).toarray().astype(float)
    return np.asarray(X, dtype=float)


def dtype_of(X):
    return X[0].dtype if isinstance(X, tuple) else X.dtype


def ones_or(sample_weight, n):
    return np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=float)


def squared_distances(X, centers):
    """(n, k) squared distances by explicit differences."""
    X, centers = dense(X), np.asarray(centers, dtype=float)
    return ((X[:, None, :] - centers[None, :, :]) ** 2).sum(axis=2)


def assign(X, centers, n_threads=0):
    return squared_distances(X, centers).argmin(axis=1).astype(np.int32)


def assign_with_distance(X, centers, n_threads=0):
    distances = squared_distances(X, centers)
    return distances.argmin(axis=1).astype(np.int32), distances.min(axis=1).astype(dtype_of(X))


def inertia(X, sample_weight, centers, labels, n_threads=0):
    X = dense(X)
    own = np.asarray(centers, dtype=float)[labels]
    return float((ones_or(sample_weight, len(X)) * ((X - own) ** 2).sum(axis=1)).sum())


def transform(X, centers, n_threads=0):
    return np.sqrt(squared_distances(X, centers)).astype(dtype_of(X))


def partial(X, sample_weight, centers, n_threads=0):
    labels = assign(X, centers)
    sums, weights = sums_by_label(dense(X), ones_or(sample_weight, len(labels)), labels, len(centers))
    return sums, weights, inertia(X, sample_weight, centers, labels)


def combine(a, b):
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def finish(statistics, centers):
    sums, weights, _ = statistics
    moved = np.array(centers)
    used = weights > 0
    moved[used] = sums[used] / weights[used, None]
    return moved


def sums_by_label(X, w, labels, k):
    sums, weights = np.zeros((k, X.shape[1])), np.zeros(k)
    for x, weight, label in zip(X, w, labels):
        sums[label] += weight * x
        weights[label] += weight
    return sums, weights


def relocate_empty(X, w, centers, labels, sums, weights):
    """scikit-learn's rule: each empty cluster takes one of the rows farthest from their own centres, farthest
    first (ties to the lower row), together with its weight; the cluster that owned the row loses both.
    Nothing moves when every row lies on its centre."""
    empty = np.flatnonzero(weights == 0)
    distances = ((X - centers[labels]) ** 2).sum(axis=1)
    if len(empty) == 0 or distances.max() == 0:
        return
    for cluster, row in zip(empty, np.argsort(-distances, kind="stable")):
        old = labels[row]
        sums[old] -= w[row] * X[row]
        weights[old] -= w[row]
        sums[cluster] = w[row] * X[row]
        weights[cluster] = w[row]


def lloyd(X, w, centers, max_iter, tolerance):
    """One run of Lloyd's iteration: (labels, inertia, centers, iterations, reason, history of (inertia,
    shift)).

    ``tolerance`` is absolute: the sum of the squared moves of the centres at which the run ends.
    """
    centers = np.array(centers, dtype=float)
    k = len(centers)
    labels_before = None
    reason, history = MAX_ITERATIONS, []
    for _ in range(max_iter):
        labels = assign(X, centers)
        before = inertia(X, w, centers, labels)
        sums, weights = sums_by_label(X, w, labels, k)
        relocate_empty(X, w, centers, labels, sums, weights)
        moved = np.where(weights[:, None] > 0, sums / np.where(weights > 0, weights, 1)[:, None], 0)
        moved[weights <= 0] = moved[weights.argmax()]
        shift = ((moved - centers) ** 2).sum()
        history.append((before, shift))
        centers = moved
        if labels_before is not None and np.array_equal(labels, labels_before):
            reason = STATIONARY
            break
        if shift <= tolerance:
            reason = CONVERGED
            break
        labels_before = labels
    if reason != STATIONARY:
        labels = assign(X, centers)
    return labels, inertia(X, w, centers, labels), centers, len(history), reason, history


def kmeans_fit(
    X, sample_weight, init, n_clusters, n_init, algorithm, max_iter, tol, seed, n_threads=0, observer=None
):
    data = dense(X)
    w = ones_or(sample_weight, len(data))
    rng = np.random.default_rng(seed)
    best = None
    for run in range(n_init):
        if isinstance(init, str):
            if init == "random":
                rows = rng.choice(len(data), n_clusters, replace=False, p=w / w.sum())
            else:
                rows = kmeans_plusplus(X, sample_weight, n_clusters, 0, int(rng.integers(2**60)))
            start = data[rows]
        else:
            start = init[run]
        labels, value, centers, n_iter, reason, history = lloyd(
            data, w, start, max_iter, tol * data.var(axis=0).mean()
        )
        if best is None or value < best[1]:
            best = labels, value, centers.astype(dtype_of(X)), n_iter, reason, run
        for iteration, (objective, change) in enumerate(history if observer is not None else (), start=1):
            values = {"iteration": iteration, "max_iterations": max_iter, "restart": run}
            observer({**values, "objective": objective, "change": change})
    return best


def kmeans_plusplus(X, sample_weight, n_clusters, n_local_trials, seed, n_threads=0):
    data = dense(X)
    w = ones_or(sample_weight, len(data))
    rng = np.random.default_rng(seed)
    trials = n_local_trials or 2 + int(np.log(n_clusters))
    rows = [rng.choice(len(data), p=w / w.sum())]
    closest = ((data - data[rows[0]]) ** 2).sum(axis=1)
    for _ in range(1, n_clusters):
        chance = w * closest
        chance = chance if chance.sum() > 0 else w
        candidates = rng.choice(len(data), trials, p=chance / chance.sum())
        reached = [np.minimum(closest, ((data - data[row]) ** 2).sum(axis=1)) for row in candidates]
        best = int(np.argmin([(w * distances).sum() for distances in reached]))
        rows.append(candidates[best])
        closest = reached[best]
    return np.array(rows, dtype=np.int64)


def kmeans_parallel_init(X, sample_weight, n_clusters, seed, n_threads=0):
    return dense(X)[kmeans_plusplus(X, sample_weight, n_clusters, 0, seed)].astype(dtype_of(X))


def minibatch_update(X, w, centers, counts):
    """Sculley's step on one batch: every centre becomes the weighted mean of all rows it was ever given."""
    labels = assign(X, centers)
    batch_inertia = inertia(X, w, centers, labels)
    sums, weights = sums_by_label(X, w, labels, len(centers))
    centers, counts = np.array(centers, dtype=float), np.array(counts, dtype=float)
    hit = weights > 0
    centers[hit] = (centers[hit] * counts[hit, None] + sums[hit]) / (counts + weights)[hit, None]
    return centers, counts + weights, batch_inertia


def to_reassign(counts, ratio, batch_size):
    """Clusters with too little weight, at most half a batch of them, the lightest first."""
    light = counts < ratio * counts.max()
    allowed = batch_size // 2
    if light.sum() > 0.5 * batch_size:
        keep = np.argsort(counts, kind="stable")[allowed:]
        light[keep] = False
    return light


def minibatch_step(X, sample_weight, centers, counts, unchecked, ratio, seed, step, n_threads=0):
    data = dense(X)
    w = ones_or(sample_weight, len(data))
    unchecked += len(data)
    due = ratio > 0 and ((np.asarray(counts) == 0).any() or unchecked >= 10 * len(centers))
    if ratio >= 0 and ((np.asarray(counts) == 0).any() or unchecked >= 10 * len(centers)):
        unchecked = 0
    moved, counts, value = minibatch_update(data, w, centers, counts)
    n_moved = 0
    if due:
        light = to_reassign(counts, ratio, len(data))
        n_moved = int(light.sum())
        if n_moved:
            rows = np.random.default_rng([seed, step]).choice(len(data), n_moved, replace=False)
            moved[light] = data[rows]
            counts[light] = counts[~light].min()
    return moved.astype(dtype_of(X)), counts, unchecked, value, n_moved


def minibatch_fit(
    X, sample_weight, centers, batch_size, steps, tol, patience, ratio, seed, n_threads=0, observer=None
):
    data = dense(X)
    n = len(data)
    w = ones_or(sample_weight, n)
    tolerance = tol * data.var(axis=0).mean()
    counts, unchecked = np.zeros(len(centers)), 0
    smoothed, lowest, stalled, reason = np.nan, np.inf, 0, MAX_ITERATIONS
    for step in range(1, steps + 1):
        rows = np.random.default_rng([seed, step, 7]).integers(0, n, batch_size)
        before = centers
        batch = data[rows].astype(dtype_of(X))
        centers, counts, unchecked, value, n_moved = minibatch_step(
            batch, w[rows], centers, counts, unchecked, ratio, seed, step
        )
        value /= batch_size
        change = ((np.asarray(centers, dtype=float) - before) ** 2).sum()
        if step > 1:
            alpha = min(1.0, 2.0 * batch_size / (n + 1))
            smoothed = value if np.isnan(smoothed) else (1 - alpha) * smoothed + alpha * value
        values = {"iteration": step, "max_iterations": steps, "restart": 0, "objective": smoothed}
        values |= {"change": change, "batch_inertia": value, "reassigned": n_moved}
        if observer is not None and observer(values):
            reason = STOPPED
            break
        if step == 1:
            continue
        if tol > 0 and change <= tolerance:
            reason = CONVERGED
            break
        if smoothed < lowest:
            lowest, stalled = smoothed, 0
        else:
            stalled += 1
        if patience >= 0 and stalled >= patience:
            reason = STATIONARY
            break
    return centers, counts, unchecked, step, smoothed, reason
