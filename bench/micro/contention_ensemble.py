"""Tasks of gradient boosting for ``python -m bench.micro.contention``."""

from __future__ import annotations

import importlib

import numpy as np

from .contention import Run, Tasks


def boosting(package: str, rows: int, features: int, trees: int) -> Run:
    """A fit on two classes; small data are many short parallel steps."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, features)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] + X[:, 2] + rng.standard_normal(rows) > 0).astype(np.int64)
    model = importlib.import_module(f"{package}.ensemble").HistGradientBoostingClassifier(
        max_iter=trees, early_stopping=False
    )
    return lambda: model.fit(X, y)


TASKS: Tasks = {
    "boosting 200,000 x 28, 20 trees": (lambda package: boosting(package, 200_000, 28, 20), 3),
    "boosting 20,000 x 10, 50 trees": (lambda package: boosting(package, 20_000, 10, 50), 5),
    "boosting 2,000 x 10, 100 trees": (lambda package: boosting(package, 2_000, 10, 100), 7),
}
