"""Exact greedy growth of one tree in plain NumPy: for every node, column and side of the missing rows, every
midpoint between neighbouring distinct values of the node is tried, on sums over index sets.

Gradients are put on the grid that the engine documents (sum |g| / 2^61 and finer), so that sums are exact
integers and results can be compared bit by bit.
"""

from __future__ import annotations

import itertools

import numpy as np

MARGIN = 1e-13  # by which a later candidate must beat an earlier one, relative to the scores


def on_grid(values):
    """Integers, and the unit that they count."""
    values = values.astype(np.float64)
    total = 0.0
    for value in np.abs(values):
        total += value
    if total == 0:
        return np.zeros(values.size, dtype=np.int64), 0.0
    exponent = np.frexp(total)[1]
    return np.rint(np.ldexp(values, 61 - exponent)).astype(np.int64), np.ldexp(1.0, int(exponent) - 61)


class Tree:
    """Pre-order lists of the nodes, as the engine gives them."""

    def __init__(self, X, g, h, *, max_leaf_nodes=31, max_depth=0, min_samples_leaf=1, l2=0.0, gamma=0.0,
                 min_child_weight=1e-3, level=False, rows=None):  # fmt: skip
        self.X, self.penalty, self.gamma = X.astype(np.float64), l2, gamma
        self.l2 = l2 + 1e-15  # as the engine: 0/0 is 0
        self.least, self.weight, self.max_depth = min_samples_leaf, min_child_weight, max_depth
        rows = np.arange(X.shape[0]) if rows is None else rows
        self.g = np.zeros(X.shape[0], dtype=np.int64)
        self.h = np.ones(X.shape[0], dtype=np.int64)
        self.g[rows], self.gu = on_grid(g[rows])
        if h.size == 1:
            self.hu = float(h[0])
        else:
            self.h[rows], self.hu = on_grid(h[rows])
        nodes = [self.node(rows, 0)]
        leaves = 1
        while not max_leaf_nodes or leaves < max_leaf_nodes:
            open_ = [n for n in nodes if n["split"] and "children" not in n]
            if not open_:
                break
            best = max(open_, key=(lambda n: -n["depth"]) if level else (lambda n: n["split"]["gain"]))
            left = best["split"]["left"]
            best["children"] = [self.node(best["rows"][side], best["depth"] + 1) for side in (left, ~left)]
            nodes += best["children"]
            leaves += 1
        self.order = []
        self.walk(nodes[0])

    def walk(self, node):
        self.order.append(node)
        for child in node.get("children", ()):
            self.walk(child)

    def sums(self, rows):
        return self.g[rows].sum() * self.gu, self.h[rows].sum() * self.hu

    def node(self, rows, depth):
        G, H = self.sums(rows)
        node = {
            "rows": rows,
            "depth": depth,
            "value": -G / (H + self.penalty + 1e-15),
            "cover": H,
            "split": None,
        }
        node["score"] = 0.5 * (G * G / (H + self.l2)) + self.gamma
        if rows.size >= 2 * self.least and (not self.max_depth or depth < self.max_depth):
            node["split"] = self.search(node)
        return node

    def search(self, node):
        best = {"gain": 0.0}
        for j in range(self.X.shape[1]):
            own = {"gain": 0.0}
            for missing_left in (False, True):
                one = self.side(node, j, missing_left)
                if one["gain"] > own["gain"] + MARGIN * (one["gain"] + abs(node["score"])):
                    own = one
            if own["gain"] > best["gain"] + MARGIN * (own["gain"] + abs(node["score"])):
                best = own
        return best if best["gain"] > 0 else None

    def side(self, node, j, missing_left):
        rows = node["rows"]
        x = self.X[rows, j]
        values = np.unique(x[~np.isnan(x)])
        missing = np.isnan(x)
        found = {"gain": 0.0}
        if missing_left and not missing.any():
            return found
        thresholds = [low / 2 + high / 2 for low, high in itertools.pairwise(values)]
        for threshold in [*thresholds, np.inf]:
            left = np.where(missing, missing_left, x <= threshold)
            if min(left.sum(), (~left).sum()) < self.least:
                continue
            (gl, hl), (gr, hr) = self.sums(rows[left]), self.sums(rows[~left])
            if min(hl, hr) < self.weight:
                continue
            gain = 0.5 * (gl * gl / (hl + self.l2) + gr * gr / (hr + self.l2)) - node["score"]
            if gain > found["gain"]:
                side = missing_left if missing.any() else 2 * left.sum() > rows.size
                found = {
                    "gain": gain,
                    "feature": j,
                    "threshold": threshold,
                    "missing_left": side,
                    "left": left,
                }
        return found

    def arrays(self):
        split = [node["split"] if "children" in node else None for node in self.order]
        return {
            "feature": np.array([-1 if s is None else s["feature"] for s in split]),
            "threshold": np.array([0.0 if s is None else s["threshold"] for s in split]),
            "missing_left": np.array([0 if s is None else int(s["missing_left"]) for s in split]),
            "gain": np.array([0.0 if s is None else s["gain"] for s in split]),
            "value": np.array([node["value"] for node in self.order]),
            "cover": np.array([node["cover"] for node in self.order]),
            "count": np.array([node["rows"].size for node in self.order]),
            "depth": np.array([node["depth"] for node in self.order]),
        }
