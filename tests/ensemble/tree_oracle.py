"""A gradient tree in plain NumPy: every threshold of every column tried, nothing clever."""

from __future__ import annotations

import itertools

import numpy as np


def thresholded(G, l1):
    return np.sign(G) * max(abs(G) - l1, 0.0)


def leaf_value(G, H, spec, bounds):
    value = -thresholded(G, spec["l1"]) / (H + spec["l2"] + 1e-15)
    if spec["max_delta_step"] > 0:
        value = np.clip(value, -spec["max_delta_step"], spec["max_delta_step"])
    return float(np.clip(value, *bounds))


def score(G, H, value, spec):
    return -(G * value + 0.5 * (H + spec["l2"]) * value**2 + spec["l1"] * abs(value))


DEFAULTS = {
    "l1": 0.0,
    "l2": 0.0,
    "min_split_gain": 0.0,
    "max_delta_step": 0.0,
    "min_samples_leaf": 1,
    "min_child_weight": 0.0,
    "max_leaf_nodes": 31,
    "max_depth": 0,
    "growth": "leaf",
}


class Oracle:
    """`bins` (n, d) with the missing bin of column j at n_bins[j]; categories by exhaustive subsets."""

    def __init__(self, bins, n_bins, g, h, monotonic=None, categorical=(), interaction=None, **spec):
        self.bins, self.n_bins = bins.astype(int), n_bins
        self.g, self.h = g.astype(float), np.broadcast_to(h.astype(float), g.shape)
        self.monotonic = np.zeros(len(n_bins), int) if monotonic is None else monotonic
        self.categorical = set(categorical)
        self.interaction = interaction
        self.spec = DEFAULTS | spec
        self.nodes = []

    def candidates(self, rows, j):
        """(rows that go left, bin or set of codes, missing goes left) in the order of preference."""
        b, last = self.bins[rows, j], self.n_bins[j]
        missing = b == last
        for missing_left in (False, True) if missing.any() else (False,):
            if j in self.categorical:
                present = sorted(set(b[~missing]))
                for size in range(1, len(present) + 1):
                    for codes in itertools.combinations(present, size):
                        yield np.isin(b, codes) | (missing & missing_left), frozenset(codes), missing_left
            else:
                for cut in range(last):
                    yield (b <= cut) | (missing & missing_left), cut, missing_left

    def best_split(self, node):
        spec, rows = self.spec, node["rows"]
        if spec["max_depth"] and node["depth"] >= spec["max_depth"]:
            return None
        best = None
        parent = node["score"] + spec["min_split_gain"]
        for j in sorted(node["allowed"]):
            for left, where, missing_left in self.candidates(rows, j):
                sides = []
                for mask in (left, ~left):
                    G, H = self.g[rows[mask]].sum(), self.h[rows[mask]].sum()
                    if mask.sum() < max(spec["min_samples_leaf"], 1) or spec["min_child_weight"] > H:
                        break
                    sides.append((G, H, leaf_value(G, H, spec, node["bounds"])))
                if len(sides) < 2 or self.monotonic[j] * (sides[1][2] - sides[0][2]) < 0:
                    continue
                gain = sum(score(G, H, v, spec) for G, H, v in sides) - parent
                if gain > 1e-10 and (best is None or gain > best["gain"] * (1 + 1e-9)):
                    best = {
                        "gain": gain,
                        "feature": j,
                        "where": where,
                        "missing_left": missing_left,
                        "left": left,
                        "values": (sides[0][2], sides[1][2]),
                    }
        return best

    def node(self, rows, depth, bounds, groups):
        G, H = self.g[rows].sum(), self.h[rows].sum()
        value = leaf_value(G, H, self.spec, bounds)
        allowed = set(range(len(self.n_bins))) if groups is None else set().union(*groups)
        node = {
            "rows": rows,
            "depth": depth,
            "bounds": bounds,
            "value": value,
            "score": score(G, H, value, self.spec),
            "groups": groups,
            "allowed": allowed,
            "cover": H,
        }
        node["split"] = self.best_split(node)
        self.nodes.append(node)
        return node

    def grow(self):
        """Returns the root; nodes hold `children` once they are split."""
        root = self.node(np.arange(len(self.g)), 0, (-np.inf, np.inf), self.interaction)
        leaves = 1
        while leaves < (self.spec["max_leaf_nodes"] or np.inf):
            open_ = [n for n in self.nodes if n["split"] and "children" not in n]
            if not open_:
                break
            key = (
                (lambda n: -n["depth"]) if self.spec["growth"] == "level" else (lambda n: n["split"]["gain"])
            )
            node = max(open_, key=key)  # the first of equals: the oldest
            split = node["split"]
            bounds = [node["bounds"], node["bounds"]]
            if m := self.monotonic[split["feature"]]:
                middle = sum(split["values"]) / 2
                bounds[int(m < 0)] = (node["bounds"][0], middle)
                bounds[int(m > 0)] = (middle, node["bounds"][1])
            groups = node["groups"]
            if groups is not None:
                groups = [group for group in groups if split["feature"] in group]
            node["children"] = [
                self.node(node["rows"][mask], node["depth"] + 1, bound, groups)
                for mask, bound in zip((split["left"], ~split["left"]), bounds, strict=True)
            ]
            leaves += 1
        return root
