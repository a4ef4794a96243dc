"""DBSCAN against scikit-learn, scikit-learn-intelex and the `dbscan` package.

All contenders get the same rows, `eps` and `min_samples`. The labels of the exact ones are the same; the
`dbscan` package may miss core rows, which the share of rows with another label shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .case import Area, Arrays, Case, Contender, Job, Outcome, Row, Work

#: name: rows, columns, blobs, share of noise, side of the box, eps, least ratio to scikit-learn's time
TASKS = {
    "200k-3": (200_000, 3, 50, 0.2, 100.0, 1.0, 8.0),
    "100k-8": (100_000, 8, 40, 0.1, 100.0, 5.5, 8.0),
    "1M-2": (1_000_000, 2, 50, 0.2, 100.0, 0.15, 8.0),
    "50k-50": (50_000, 50, 30, 0.1, 20.0, 18.0, 3.0),
}
MIN_SAMPLES = 10


def rows_in_noise(n: int, d: int, blobs: int, noise: float, side: float) -> np.ndarray:
    """Gaussian balls of standard deviation 2 and uniform rows in a box, in random order."""
    rng = np.random.default_rng(0)
    inside = int(n * (1 - noise))
    centers = rng.uniform(0, side, size=(blobs, d))
    balls = centers[rng.integers(0, blobs, inside)] + 2.0 * rng.standard_normal((inside, d))
    X = np.vstack([balls, rng.uniform(0, side, size=(n - inside, d))])
    return np.ascontiguousarray(X[rng.permutation(n)])


def fit_with(load: Callable[[], Any], jobs: bool = False) -> Callable[[Case], Job]:
    """A whole fit; with `jobs` the number of threads is an argument."""

    def prepare(case: Case) -> Job:
        X, eps, DBSCAN = case["X"], float(case["eps"]), load()
        given = {"n_jobs": case.threads} if jobs else {}
        return Job(lambda: Outcome(DBSCAN(eps=eps, min_samples=MIN_SAMPLES, **given).fit(X).labels_))

    return prepare


def ours() -> Any:
    from mlcore.cluster import DBSCAN

    return DBSCAN


def scikit_learn() -> Any:
    from sklearn.cluster import DBSCAN

    return DBSCAN


def intel() -> Any:
    from sklearnex.cluster import DBSCAN

    return DBSCAN


def package(case: Case) -> Job:
    from dbscan import DBSCAN

    X, eps = case["X"], float(case["eps"])
    return Job(lambda: Outcome(DBSCAN(X, eps, MIN_SAMPLES)[0]))


CONTENDERS = (
    Contender("mlcore", "mlcore", "mlcore", fit_with(ours)),
    Contender("scikit-learn", "scikit-learn", "sklearn", fit_with(scikit_learn, jobs=True)),
    Contender("scikit-learn-intelex", "scikit-learn-intelex", "sklearnex", fit_with(intel)),
    Contender("dbscan", "dbscan", "dbscan", package),
)


def check(arrays: Arrays, outcome: Outcome) -> dict[str, float]:
    assert outcome.labels is not None
    labels = np.asarray(outcome.labels)
    return {"clusters": float(labels.max() + 1), "noise": float((labels < 0).sum())}


def least_work(arrays: Arrays, known: Mapping[str, Any]) -> Work:
    """Each row is compared with min_samples others, and read once."""
    n, d = arrays["X"].shape
    return Work(3.0 * n * d * MIN_SAMPLES, 8.0 * n * d, "float64")


def few_rows(arrays: Arrays) -> Arrays:
    return arrays | {"X": arrays["X"][:500]}


def rows() -> tuple[Row, ...]:
    found = []
    for name, (n, d, blobs, noise, side, eps, goal) in TASKS.items():

        def make(
            source: Any, shrink: int, task: Any = (n, d, blobs, noise, side), eps: float = eps
        ) -> Arrays:
            return {"X": rows_in_noise(max(1000, task[0] // shrink), *task[1:]), "eps": np.array(eps)}

        found.append(
            Row(
                f"dbscan-{name}",
                f"DBSCAN, {n:,} × {d}, eps = {eps:g}",
                CONTENDERS,
                make,
                least_work,
                check,
                "scikit-learn",
                warm=few_rows,
                goals={"scikit-learn": goal},
                objective="noise",
                slack=0.01,
            )
        )
    return tuple(found)


NOTES = """\
- float64, `min_samples = 10`; Gaussian blobs of standard deviation 2 in a box with 10-20 % of uniform noise.
- **Differs** is the share of rows whose label is not scikit-learn's.
- **Limit** is 10 comparisons a row, or reading the rows once.
"""

AREA = Area("density", rows(), NOTES)
