"""Boosting from its definition, in plain NumPy: slow, without a histogram, without anything of the package.

Bins by exhaustive comparison, splits by trying every edge and both sides for the missing rows, sums over
index sets. Losses are written down with their derivatives, a renewed leaf as the quantile of its residuals.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax, xlogy


def edges(column, max_bins):
    """Midpoints of the distinct values, or quantiles (the average of both sides at a jump) of the rows."""
    present = np.sort(column[~np.isnan(column)])
    distinct = np.unique(present)
    if distinct.size <= max_bins:
        return (distinct[:-1] + distinct[1:]) / 2
    levels = np.arange(1, max_bins) / max_bins
    found = []
    for level in levels:
        place = level * present.size
        low = present[int(np.ceil(place)) - 1]
        at_jump = abs(place - round(place)) < 1e-9
        found.append((present[round(place) - 1] + present[round(place)]) / 2 if at_jump else low)
    return np.unique(found)


def bins_of(X, max_bins):
    """Bin of each value, counted from 0, -1 where it is missing; and the edges."""
    tables = [edges(X[:, j], max_bins) for j in range(X.shape[1])]
    bins = np.column_stack([(X[:, [j]] > tables[j][None, :]).sum(axis=1) for j in range(X.shape[1])])
    bins[np.isnan(X)] = -1
    return bins, tables


class Node:
    def __init__(self, rows, depth):
        self.rows, self.depth = rows, depth
        self.split = None  # (gain, feature, bin, missing goes left)
        self.left = self.right = None
        self.value = 0.0


class Tree:
    """Best-first growth of one tree on binned rows."""

    def __init__(
        self, bins, n_edges, g, h, *, max_leaf_nodes=31, max_depth=None, min_samples_leaf=20, l2=0.0, l1=0.0,
        min_child_weight=1e-3, gamma=0.0,
    ):  # fmt: skip
        self.bins, self.n_edges, self.g, self.h = bins, n_edges, g, h
        self.max_depth, self.min_rows = max_depth, min_samples_leaf
        self.l2, self.l1, self.min_hessian, self.gamma = l2, l1, min_child_weight, gamma
        self.root = Node(np.arange(bins.shape[0]), 0)
        self.missing = (bins == -1).any(axis=0)
        leaves = [self.root]
        self.search(self.root)
        while len(leaves) < (max_leaf_nodes or np.inf):
            splittable = [leaf for leaf in leaves if leaf.split is not None]
            if not splittable:
                break
            best = max(splittable, key=lambda leaf: leaf.split[0])
            leaves.remove(best)
            leaves += self.apply(best)
        self.leaves = leaves
        for leaf in leaves:
            leaf.value = self.weight(leaf.rows)
        if self.root in leaves:
            self.root.value = 0.0

    def shrunk(self, G):
        return np.sign(G) * max(abs(G) - self.l1, 0.0)

    def score(self, rows):
        H = self.h[rows].sum() + self.l2
        return 0.5 * self.shrunk(self.g[rows].sum()) ** 2 / H if H > 0 else 0.0

    def weight(self, rows):
        H = self.h[rows].sum() + self.l2
        return -self.shrunk(self.g[rows].sum()) / H if H > 0 else 0.0

    def goes_left(self, rows, feature, edge, missing_left):
        b = self.bins[rows, feature]
        return np.where(b == -1, missing_left, b <= edge)

    def search(self, node):
        if self.max_depth is not None and node.depth >= self.max_depth:
            return
        for j in range(self.bins.shape[1]):
            last = self.n_edges[j] - (0 if self.missing[j] else 1)
            for missing_left in (False, True) if self.missing[j] else (False,):
                for edge in range(last + 1 if self.missing[j] and not missing_left else self.n_edges[j]):
                    left = self.goes_left(node.rows, j, edge, missing_left)
                    sides = node.rows[left], node.rows[~left]
                    if min(side.size for side in sides) < self.min_rows:
                        continue
                    if min(self.h[side].sum() for side in sides) < self.min_hessian:
                        continue
                    gain = self.score(sides[0]) + self.score(sides[1]) - self.score(node.rows) - self.gamma
                    if gain > 1e-12 and (node.split is None or gain > node.split[0] * (1 + 1e-12)):
                        node.split = (gain, j, edge, missing_left)

    def apply(self, node):
        _, j, edge, missing_left = node.split
        left = self.goes_left(node.rows, j, edge, missing_left)
        node.left = Node(node.rows[left], node.depth + 1)
        node.right = Node(node.rows[~left], node.depth + 1)
        if not (
            self.bins[node.rows, j] == -1
        ).any():  # the side of missing rows is nobody's merit: the larger
            node.split = (*node.split[:3], node.left.rows.size > node.right.rows.size)
        children = [node.left, node.right]
        for child in children:
            self.search(child)
        return children


def pinball(r, level):
    return np.where(r >= 0, level * r, (level - 1) * r)


class Loss:
    """value(y, f), derivatives(y, f), and the interval where the baseline is sought."""

    def __init__(self, name, parameter=None):
        self.name, self.p = name, parameter

    @property
    def renews(self):
        return self.name in ("absolute_error", "quantile", "huber")

    def value(self, y, f):
        r, p = y - f, self.p
        match self.name:
            case "squared_error":
                return r**2 / 2
            case "absolute_error":
                return np.abs(r)
            case "quantile":
                return pinball(r, p)
            case "huber":
                return np.where(np.abs(r) <= p, r**2 / 2, p * (np.abs(r) - p / 2))
            case "expectile":
                return np.where(r >= 0, p, 1 - p) * r**2
            case "poisson":
                return np.exp(f) - y * f
            case "gamma":
                return f + y * np.exp(-f)
            case "tweedie":
                return np.exp((2 - p) * f) / (2 - p) - y * np.exp((1 - p) * f) / (1 - p)
            case "log_loss":
                return np.logaddexp(0, f) - y * f
        raise ValueError(self.name)

    def derivatives(self, y, f):
        r, p = y - f, self.p
        ones = np.ones_like(f)
        match self.name:
            case "squared_error":
                return -r, ones
            case "absolute_error":
                return np.where(r >= 0, -1.0, 1.0), ones
            case "quantile":
                return np.where(r >= 0, -p, 1 - p), ones
            case "huber":
                return -np.clip(r, -p, p), ones
            case "expectile":
                w = np.where(r >= 0, p, 1 - p)
                return -2 * w * r, 2 * w
            case "poisson":
                return np.exp(f) - y, np.exp(f)
            case "gamma":
                return 1 - y * np.exp(-f), y * np.exp(-f)
            case "tweedie":
                a, b = np.exp((2 - p) * f), y * np.exp((1 - p) * f)
                return a - b, (2 - p) * a - (1 - p) * b
            case "log_loss":
                q = expit(f)
                return q - y, q * (1 - q)
        raise ValueError(self.name)

    def baseline(self, y, w):
        match self.name:
            case "absolute_error":
                return np.median(y) if w is None else inverse_cdf(y, w, 0.5)
            case "quantile":
                return np.percentile(y, 100 * self.p) if w is None else inverse_cdf(y, w, self.p)
            case "huber":
                centre = np.median(y) if w is None else inverse_cdf(y, w, 0.5)
                return centre + np.average(np.clip(y - centre, -self.p, self.p), weights=w)
        weights = np.ones_like(y) if w is None else w
        span = (-30, 30) if self.name in ("poisson", "gamma", "tweedie", "log_loss") else (y.min(), y.max())
        options = {"xatol": 1e-12, "maxiter": 500}
        found = minimize_scalar(
            lambda f: (weights * self.value(y, np.full_like(y, f))).sum(), bounds=span, method="bounded",
            options=options,
        )  # fmt: skip
        return found.x

    def renewed(self, r, w):
        """The value of a leaf with these residuals."""
        if self.name == "huber":
            return self.baseline(r, w)
        level = 0.5 if self.name == "absolute_error" else self.p
        return np.percentile(r, 100 * level) if w is None else inverse_cdf(r, w, level)

    def inverse_link(self, f):
        if self.name in ("poisson", "gamma", "tweedie"):
            return np.exp(f)
        return expit(f) if self.name == "log_loss" else f


def inverse_cdf(values, weights, level):
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return values[order][np.searchsorted(total, level * total[-1])]


def single(array):
    """Derivatives are kept in float32."""
    return array.astype(np.float32).astype(np.float64)


def boost(X, y, loss, *, weights=None, max_iter=5, learning_rate=0.1, max_bins=255, **tree_options):
    """Raw predictions of the training rows, the trees, and the baseline."""
    bins, tables = bins_of(X, max_bins)
    n_edges = [table.size for table in tables]
    baseline = loss.baseline(y, weights)
    f = np.full(y.size, baseline)
    trees = []
    for _ in range(max_iter):
        g, h = loss.derivatives(y, f)
        if weights is not None:
            g, h = g * weights, h * weights
        tree = Tree(bins, n_edges, single(g), single(h), **tree_options)
        for leaf in tree.leaves:
            if loss.renews:
                w = None if weights is None else weights[leaf.rows]
                leaf.value = loss.renewed((y - f)[leaf.rows], w)
        for leaf in tree.leaves:
            f[leaf.rows] += learning_rate * leaf.value
        trees.append(tree)
    return f, trees, baseline


def boost_softmax(X, y, n_classes, *, max_iter=5, learning_rate=0.1, **tree_options):
    """The same with a tree for each class."""
    bins, tables = bins_of(X, 255)
    n_edges = [table.size for table in tables]
    logs = np.log(np.bincount(y, minlength=n_classes) / y.size)
    F = np.tile(logs - logs.mean(), (y.size, 1))
    for _ in range(max_iter):
        P = softmax(F, axis=1)
        for k in range(n_classes):
            g, h = P[:, k] - (y == k), P[:, k] * (1 - P[:, k])
            for leaf in Tree(bins, n_edges, single(g), single(h), **tree_options).leaves:
                F[leaf.rows, k] += learning_rate * leaf.value
    return F


def deviance(name, y, mu):
    """Half deviances by their definition, for tests of the loss values."""
    if name == "poisson":
        return xlogy(y, y / mu) - y + mu
    return -np.log(y / mu) + y / mu - 1
