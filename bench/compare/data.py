"""Data sets of the comparisons: seeded generators, scikit-learn's bundled sets, and real ones from a folder.

The folder (``--data`` or ``MLCORE_DATA``) is expected to hold a module ``load.py`` with ``load(name)`` that
returns a bunch with ``X`` (images, tables) or ``texts``.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .case import Arrays, Unavailable


class Source:
    """Where real data come from; without a folder every real set is `Unavailable`."""

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        folder = folder or os.environ.get("MLCORE_DATA") or None
        self.folder = Path(folder) if folder else None
        self._module: ModuleType | None = None

    def load(self, name: str) -> Any:
        return self.module().load(name)

    def module(self) -> ModuleType:
        if self.folder is None:
            raise Unavailable("needs real data: --data DIR or MLCORE_DATA")
        if self._module is None:
            path = self.folder / "load.py"
            if not path.is_file():
                raise Unavailable(f"no load.py in {self.folder}")
            spec = importlib.util.spec_from_file_location("mlcore_bench_data", path)
            assert spec is not None
            assert spec.loader is not None
            self._module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(self._module)
        return self._module


def blobs(n: int, d: int, k: int, std: float = 3.0, seed: int = 0) -> np.ndarray:
    """Gaussian balls around `k` centres that are uniform in [-10, 10]^d, in random order; float64.

    With ``std=3`` neighbouring balls overlap, so that Lloyd's algorithm needs many
    iterations, as on real data.
    """
    rng = np.random.default_rng(seed)
    centers = rng.uniform(-10.0, 10.0, (k, d))
    X = rng.standard_normal((n, d))
    X *= std
    X += centers[rng.integers(0, k, n)]
    return X


def random_rows(X: np.ndarray, k: int, seed: int = 1) -> np.ndarray:
    """`k` distinct rows: the same starting centres for everybody."""
    return np.ascontiguousarray(X[np.random.default_rng(seed).choice(X.shape[0], k, replace=False)])


def sparse_topics(n: int, d: int, topics: int, density: float = 0.01, seed: int = 0) -> Arrays:
    """Rows like word counts: each draws about ``density * d`` columns from its topic's distribution."""
    rng = np.random.default_rng(seed)
    words = max(1, round(density * d))
    popularity = 1.0 / np.arange(1, d + 1) ** 0.7
    columns = np.empty((n, words), dtype=np.int64)
    topic = rng.integers(0, topics, n)
    for t in range(topics):
        rows = np.flatnonzero(topic == t)
        weight = popularity[rng.permutation(d)]
        cumulated = np.cumsum(weight / weight.sum())
        columns[rows] = np.minimum(np.searchsorted(cumulated, rng.random((rows.size, words))), d - 1)
    columns.sort(axis=1)
    # A column drawn twice counts twice.
    first = np.ones_like(columns, dtype=bool)
    first[:, 1:] = columns[:, 1:] != columns[:, :-1]
    start = np.flatnonzero(first.ravel())
    counts = np.diff(np.append(start, columns.size))
    indptr = np.zeros(n + 1, dtype=np.int32)
    np.cumsum(first.sum(axis=1), out=indptr[1:])
    values = np.log1p(counts)
    row = np.repeat(np.arange(n), np.diff(indptr))
    values /= np.sqrt(np.bincount(row, values**2, n))[row]
    return {
        "data": values.astype(np.float32),
        "indices": columns.ravel()[start].astype(np.int32),
        "indptr": indptr,
        "shape": np.array([n, d], dtype=np.int64),
    }


def tfidf(counts: Any) -> Arrays:
    """Row-normalised tf-idf of a CSR count matrix, as arrays."""
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    weight = np.log((1.0 + counts.shape[0]) / (1.0 + frequency)) + 1.0
    values = np.log1p(counts.data) * weight[counts.indices]
    row = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    norm = np.sqrt(np.bincount(row, values**2, counts.shape[0]))
    norm[norm == 0.0] = 1.0
    return {
        "data": (values / norm[row]).astype(np.float32),
        "indices": counts.indices.astype(np.int32),
        "indptr": counts.indptr.astype(np.int32),
        "shape": np.array(counts.shape, dtype=np.int64),
    }
