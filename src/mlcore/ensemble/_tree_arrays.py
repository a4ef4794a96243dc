"""Fitted trees as arrays: prediction, importances, tables, JSON and pictures.

A tree is a dict of arrays with one element a node, in pre-order: the left child of node i is node i + 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from .. import _core
from ._sparse import SparseColumns

__all__ = ["NODE_FIELDS", "Tree", "TreeList", "draw_tree"]

Tree = dict[str, npt.NDArray[Any]]

#: Arrays of a tree and their types; ``bitsets`` has a row for each categorical split, not one for each node.
NODE_FIELDS: dict[str, str] = {
    "feature": "i4",
    "threshold": "f8",
    "bin": "i4",
    "missing_left": "u1",
    "left": "i4",
    "right": "i4",
    "value": "f8",
    "gain": "f8",
    "count": "i8",
    "cover": "f8",
    "depth": "i4",
    "is_cat": "u1",
    "bitset_index": "i4",
}
#: More arrays of a tree with linear leaves.
LINEAR_FIELDS: dict[str, str] = {
    "linear_start": "i4",
    "linear_feature": "i4",
    "linear_coefficient": "f8",
    "intercept": "f8",
}
# The native forms, with the number of trees they hold. They are no part of a model: a prediction must not
# change it, and pickles hold arrays only.
_forests: WeakKeyDictionary[TreeList, tuple[int, Any]] = WeakKeyDictionary()
_compact_forests: WeakKeyDictionary[TreeList, tuple[int, npt.NDArray[np.intp], Any]] = WeakKeyDictionary()
_IMPORTANCES = ("gain", "split", "cover")


class TreeList:
    """The trees of a model: iteration after iteration, and within one output after output.

    Parameters
    ----------
    n_outputs : int
        Trees of an iteration.
    trees : list of dict
        Used as it is, not copied.
    """

    def __init__(self, n_outputs: int, trees: list[Tree] | None = None) -> None:
        self.n_outputs = n_outputs
        self.trees: list[Tree] = [] if trees is None else trees

    def __len__(self) -> int:
        return len(self.trees)

    @property
    def n_iterations(self) -> int:
        return len(self.trees) // self.n_outputs

    @property
    def is_linear(self) -> bool:
        """Whether any leaf is a linear function."""
        return any("linear_start" in tree for tree in self.trees)

    def outputs(self) -> npt.NDArray[np.int32]:
        """The output of each tree."""
        return np.tile(np.arange(self.n_outputs, dtype=np.int32), self.n_iterations)

    @property
    def forest(self) -> Any:
        """The native form of all trees, made at first use."""
        made = _forests.get(self)
        if made is None or made[0] != len(self.trees):
            made = (len(self.trees), _core.tree.Forest(self.trees, self.outputs(), self.n_outputs))
            _forests[self] = made
        return made[1]

    def add_to(self, raw: npt.NDArray[np.float64], X: Any, first: int, last: int, threads: int) -> None:
        """Add the values of the iterations first ... last - 1 to raw, of shape (n_outputs, n_rows)."""
        if last <= first:
            return
        first, last = first * self.n_outputs, last * self.n_outputs
        if not isinstance(X, SparseColumns):
            self.forest.predict_raw(X, raw, first, last, threads)
            return
        used, forest = self._compact()
        for row, block in X.dense_blocks(used):
            part = np.ascontiguousarray(raw[:, row : row + len(block)])
            forest.predict_raw(block, part, first, last, threads)
            raw[:, row : row + len(block)] = part

    def apply(self, X: Any, threads: int) -> npt.NDArray[np.int32]:
        """Node numbers of the leaves, of shape (n_rows, n_trees)."""
        if not isinstance(X, SparseColumns):
            leaves: npt.NDArray[np.int32] = self.forest.apply(X, 0, len(self.trees), threads)
            return leaves
        used, forest = self._compact()
        blocks = [forest.apply(block, 0, len(self.trees), threads) for _, block in X.dense_blocks(used)]
        return np.concatenate(blocks)

    def _compact(self) -> tuple[npt.NDArray[np.intp], Any]:
        """The features that any tree uses (at least one), and a forest that counts only them."""
        made = _compact_forests.get(self)
        if made is None or made[0] != len(self.trees):
            features = np.concatenate([tree["feature"] for tree in self.trees] or [np.zeros(1, np.int32)])
            used = np.unique(np.maximum(features, 0)).astype(np.intp)
            trees = [_renumbered(tree, used) for tree in self.trees]
            made = (len(trees), used, _core.tree.Forest(trees, self.outputs(), self.n_outputs))
            _compact_forests[self] = made
        return made[1], made[2]

    def importance(self, kind: str, n_features: int) -> npt.NDArray[np.float64]:
        """Sums over all splits of a feature: of their gains, of ones, or of the Hessians they divide."""
        if kind not in _IMPORTANCES:
            raise ValueError(f"kind must be one of {', '.join(map(repr, _IMPORTANCES))}; got {kind!r}.")
        total = np.zeros(n_features)
        for tree in self.trees:
            inner = tree["feature"] >= 0
            amount = None if kind == "split" else tree[kind][inner]
            total += np.bincount(tree["feature"][inner], weights=amount, minlength=n_features)
        return total

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All trees in one struct of arrays; ``tree`` and ``node`` say where an element belongs."""
        sizes = [tree["feature"].size for tree in self.trees]
        joined = {
            name: np.concatenate([tree[name] for tree in self.trees] or [np.empty(0, dtype)]).astype(dtype)
            for name, dtype in NODE_FIELDS.items()
        }
        joined["tree"] = np.repeat(np.arange(len(sizes)), sizes)
        joined["node"] = np.concatenate([np.arange(size) for size in sizes] or [np.empty(0, np.int64)])
        joined["output"] = np.repeat(self.outputs(), sizes)
        return joined

    def frame(self, names: Sequence[str]) -> Any:
        """The same as a pandas DataFrame, one row a node."""
        import pandas as pd

        arrays = self.arrays()
        inner = arrays["feature"] >= 0
        places = np.where(inner, arrays["feature"], 0)
        frame = pd.DataFrame(
            {
                "tree": arrays["tree"],
                "iteration": arrays["tree"] // self.n_outputs,
                "output": arrays["output"],
                "node": arrays["node"],
                "depth": arrays["depth"],
                "feature": _where(inner, np.asarray(names, dtype=object)[places]),
                "threshold": np.where(inner & (arrays["is_cat"] == 0), arrays["threshold"], np.nan),
                "categories_left": self._left_categories(),
                "missing_left": np.where(inner, arrays["missing_left"] != 0, False),
                "left": arrays["left"],
                "right": arrays["right"],
                "gain": arrays["gain"],
                "cover": arrays["cover"],
                "count": arrays["count"],
                "value": arrays["value"],
            }
        )
        if self.is_linear:
            lines = [line for tree in self.trees for line in _lines(tree, names)]
            frame["intercept"] = [line[0] for line in lines]
            frame["coefficients"] = [line[1] for line in lines]
        return frame

    def _left_categories(self) -> list[tuple[int, ...] | None]:
        found: list[tuple[int, ...] | None] = []
        for tree in self.trees:
            for node in range(tree["feature"].size):
                if not tree["is_cat"][node]:
                    found.append(None)
                    continue
                words = tree["bitsets"][tree["bitset_index"][node]]
                bits = np.unpackbits(words.view(np.uint8), bitorder="little")
                found.append(tuple(int(code) for code in np.flatnonzero(bits)))
        return found

    def to_json(self) -> list[dict[str, Any]]:
        """Plain lists; infinite thresholds as text, which JSON has no number for."""
        return [
            {
                name: [_number(value) for value in tree[name].tolist()]
                for name in (*NODE_FIELDS, "bitsets", *LINEAR_FIELDS)
                if name in tree
            }
            for tree in self.trees
        ]

    @classmethod
    def from_json(cls, n_outputs: int, saved: list[dict[str, Any]]) -> TreeList:
        trees: list[Tree] = []
        for one in saved:
            tree: Tree = {name: np.array(one[name], dtype=dtype) for name, dtype in NODE_FIELDS.items()}
            tree["bitsets"] = np.array(one["bitsets"], dtype=np.uint32).reshape(-1, 8)
            if "linear_start" in one:
                tree |= {name: np.array(one[name], dtype=dtype) for name, dtype in LINEAR_FIELDS.items()}
            trees.append(tree)
        return cls(n_outputs, trees)


def _lines(tree: Tree, names: Sequence[str]) -> list[tuple[float, dict[str, float] | None]]:
    """Intercept and coefficients of each node; NaN and None where there is no linear function."""
    found: list[tuple[float, dict[str, float] | None]] = []
    start = tree.get("linear_start", np.zeros(tree["feature"].size + 1, np.int32))
    for node, (first, last) in enumerate(pairwise(start)):
        if first == last:
            found.append((np.nan, None))
            continue
        terms = zip(tree["linear_feature"][first:last], tree["linear_coefficient"][first:last])
        found.append((float(tree["intercept"][node]), {names[j]: float(c) for j, c in terms}))
    return found


def _renumbered(tree: Tree, used: npt.NDArray[np.intp]) -> Tree:
    """The tree with features counted among the ones in use."""
    inner = tree["feature"] >= 0
    changed = {"feature": np.where(inner, np.searchsorted(used, tree["feature"]), -1).astype(np.int32)}
    if "linear_feature" in tree:
        changed["linear_feature"] = np.searchsorted(used, tree["linear_feature"]).astype(np.int32)
    return {**tree, **changed}


def _number(value: Any) -> Any:
    return repr(value) if isinstance(value, float) and not np.isfinite(value) else value


def _where(mask: npt.NDArray[np.bool_], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    chosen = values.copy()
    chosen[~mask] = None
    return chosen


def _places(tree: Tree) -> npt.NDArray[np.float64]:
    """Where the nodes are drawn: leaves at 0, 1, 2, ... from the left, the others between their children."""
    n = tree["feature"].size
    x = np.zeros(n)
    leaf = 0
    for node in range(n):
        if tree["feature"][node] < 0:
            x[node], leaf = leaf, leaf + 1
    for node in range(n - 1, -1, -1):
        if tree["feature"][node] >= 0:
            x[node] = (x[tree["left"][node]] + x[tree["right"][node]]) / 2
    return x


def draw_tree(tree: Tree, names: Sequence[str], axes: Any, precision: int) -> None:
    """Boxes and lines of one tree on matplotlib axes."""
    lines = _lines(tree, names)
    x, y = _places(tree), -tree["depth"].astype(float)
    for node in range(x.size):
        inner = tree["feature"][node] >= 0
        if inner:
            for child, word in ((tree["left"][node], "yes"), (tree["right"][node], "no")):
                axes.plot([x[node], x[child]], [y[node], y[child]], color="0.6", lw=1, zorder=1)
                middle = (x[node] + x[child]) / 2, (y[node] + y[child]) / 2
                axes.text(*middle, word, fontsize=7, color="0.4", ha="center")
            name = names[tree["feature"][node]]
            if tree["is_cat"][node]:
                rule = f"{name} in set {tree['bitset_index'][node]}"
            else:
                rule = f"{name} <= {tree['threshold'][node]:.{precision}g}"
            text = f"{rule}\ngain {tree['gain'][node]:.{precision}g}\nrows {tree['count'][node]}"
        else:
            intercept, coefficients = lines[node]
            text = f"{tree['value'][node]:.{precision}g}"
            if coefficients is not None:
                terms = "".join(f"\n{c:+.{precision}g} {name}" for name, c in coefficients.items())
                text = f"{intercept:.{precision}g}{terms}"
            text += f"\nrows {tree['count'][node]}"
        colour = "#dbe9f6" if inner else "#e5f5e0"
        box = {"boxstyle": "round", "fc": colour, "ec": "0.5"}
        axes.text(x[node], y[node], text, ha="center", va="center", fontsize=7, bbox=box, zorder=2)
    axes.set_xlim(x.min() - 0.7, x.max() + 0.7)
    axes.set_ylim(y.min() - 0.5, 0.5)
    axes.set_axis_off()
