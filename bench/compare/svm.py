"""Support vector machines against scikit-learn (LIBSVM) and scikit-learn-intelex.

All contenders of a row have the same data, the same C, gamma and tol = 1e-3 (the rule is the same for
everybody: the violation of the optimality conditions). The dual objective is computed outside the timed part,
for everybody by the same float64 code, over the support vectors of all pairs of classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .case import Area, Arrays, Case, Contender, Job, Outcome, Row, Work
from .data import Source


@dataclass
class Fitted(Outcome):
    """The outcome of a fit, with the model for the check."""

    model: Any = None


# --- contenders ---------------------------------------------------------------------------------------------
def mlcore_class(name: str) -> Any:
    import mlcore.svm

    return getattr(mlcore.svm, name)


def sklearn_class(name: str) -> Any:
    import sklearn.svm

    return getattr(sklearn.svm, name)


def intel_class(name: str) -> Any:
    import sklearnex.svm

    return getattr(sklearnex.svm, name)


def parameters(case: Case) -> dict[str, Any]:
    return {"C": float(case["C"]), "gamma": float(case["gamma"]), "cache_size": float(case["cache"])}


def fit_of(load: Callable[[str], Any], name: str = "SVC") -> Callable[[Case], Job]:
    def prepare(case: Case) -> Job:
        estimator = load(name)

        def run() -> Outcome:
            model = estimator(**parameters(case)).fit(case["X"], case["y"])
            return Fitted(n_iter=int(np.sum(model.n_iter_)), model=model)

        return Job(run)

    return prepare


def predict_of(load: Callable[[str], Any], name: str = "SVC") -> Callable[[Case], Job]:
    def prepare(case: Case) -> Job:
        model = load(name)(**parameters(case)).fit(case["X"], case["y"])
        return Job(lambda: Fitted(labels=model.predict(case["Z"]).astype(np.int32), model=model))

    return prepare


def contenders(job: Callable[..., Callable[[Case], Job]], name: str = "SVC") -> tuple[Contender, ...]:
    return (
        Contender("mlcore", "mlcore", "mlcore", job(mlcore_class, name)),
        Contender("scikit-learn", "scikit-learn", "sklearn", job(sklearn_class, name)),
        Contender("scikit-learn-intelex", "scikit-learn-intelex", "sklearnex", job(intel_class, name)),
    )


# --- checks -------------------------------------------------------------------------------------------------
def dual_objective(model: Any, gamma: float) -> float:
    """Minus the sum over the pairs of classes of sum alpha - 1/2 beta' K beta, in float64."""
    vectors = np.asarray(model.support_vectors_, dtype=np.float64)
    norms = np.einsum("ij,ij->i", vectors, vectors)
    coef, ends = np.asarray(model.dual_coef_), np.concatenate([[0], np.cumsum(model.n_support_)])
    total, classes = 0.0, len(model.n_support_)
    for a in range(classes):
        for b in range(a + 1, classes):
            rows = np.r_[ends[a] : ends[a + 1], ends[b] : ends[b + 1]]
            beta = np.r_[coef[b - 1, ends[a] : ends[a + 1]], coef[a, ends[b] : ends[b + 1]]]
            rows, beta = rows[beta != 0], beta[beta != 0]
            total += np.abs(beta).sum()
            for start in range(0, len(rows), 2048):
                some = rows[start : start + 2048]
                squares = norms[some][:, None] + norms[rows] - 2.0 * vectors[some] @ vectors[rows].T
                total -= 0.5 * float(beta[start : start + 2048] @ (np.exp(-gamma * squares) @ beta))
    return -total


def check_fit(arrays: Arrays, outcome: Outcome) -> dict[str, float]:
    assert isinstance(outcome, Fitted)
    return {
        "objective": dual_objective(outcome.model, float(arrays["gamma"])),
        "n_sv": float(len(outcome.model.support_)),
        "accuracy": float(outcome.model.score(arrays["Z"], arrays["t"])),
    }


def check_predict(arrays: Arrays, outcome: Outcome) -> dict[str, float]:
    assert isinstance(outcome, Fitted)
    return {"objective": float(len(outcome.model.support_))}


# --- data ---------------------------------------------------------------------------------------------------
def case_of(
    X: np.ndarray,
    y: np.ndarray,
    Z: np.ndarray,
    t: np.ndarray,
    C: float = 1.0,
    gamma: float | None = None,
    cache: float = 1000.0,
) -> Arrays:
    scale = 1.0 / (X.shape[1] * X.var()) if gamma is None else gamma
    return {
        "X": np.ascontiguousarray(X, dtype=np.float64),
        "y": np.asarray(y, dtype=np.int64),
        "Z": np.ascontiguousarray(Z, dtype=np.float64),
        "t": np.asarray(t, dtype=np.int64),
        "C": np.array(C),
        "gamma": np.array(scale),
        "cache": np.array(cache),
    }


def split(X: np.ndarray, y: np.ndarray, train: int, test: int, shrink: int, **more: float) -> Arrays:
    order = np.random.default_rng(0).permutation(len(X))
    rows, others = order[: train // shrink], order[train : train + test]
    return case_of(X[rows], y[rows], X[others], y[others], **more)


def classification(test: int) -> Callable[[Source, int], Arrays]:
    def make(source: Source, shrink: int) -> Arrays:
        from sklearn.datasets import make_classification

        X, y = make_classification(
            20_000 + test, 20, n_informative=10, n_redundant=4, flip_y=0.05, random_state=0
        )
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        return split(X, y, 20_000, test, shrink)

    return make


def handwritten(source: Source, shrink: int) -> Arrays:
    images = source.load("mnist")
    X = np.asarray(images.X, dtype=np.float64) / 255.0
    return split(X, np.asarray(images.y), 10_000, 5_000, shrink)


def letters(source: Source, shrink: int) -> Arrays:
    table = source.load("letter")
    return split(np.asarray(table.X), np.asarray(table.y), 15_000, 5_000, shrink, C=10.0)


def one_hot(source: Source, shrink: int) -> Arrays:
    """Adult: level codes to indicator columns, numbers standardised."""
    table = source.load("adult")
    parts = []
    for column, is_level in enumerate(table.categorical):
        values = np.asarray(table.X[:, column], dtype=np.float64)
        if is_level:
            codes = np.nan_to_num(values, nan=-1.0)
            parts.append(codes[:, None] == np.unique(codes)[None])
        else:
            values = np.nan_to_num(values, nan=float(np.nanmean(values)))
            parts.append(((values - values.mean()) / values.std())[:, None])
    return split(np.hstack(parts).astype(np.float64), np.asarray(table.y), 20_000, 5_000, shrink)


def ijcnn(source: Source, shrink: int) -> Arrays:
    data = source.load("ijcnn1")
    X, y = np.asarray(data.X.toarray()), np.unique(np.asarray(data.y), return_inverse=True)[1]
    return split(X, y, 40_000, 5_000, shrink, C=10.0, gamma=1.0)


def irises(source: Source, shrink: int) -> Arrays:
    from sklearn.datasets import load_iris

    X, y = load_iris(return_X_y=True)
    return case_of(X, y, X, y)


def few_rows(arrays: Arrays) -> Arrays:
    return {
        **arrays,
        "X": arrays["X"][:400],
        "y": arrays["y"][:400],
        "Z": arrays["Z"][:50],
        "t": arrays["t"][:50],
    }


# --- limits -------------------------------------------------------------------------------------------------
def kernel_values(arrays: Arrays, result: Mapping[str, Any]) -> Work:
    """The kernel rows of the support vectors, each once: no decomposition gets by with less."""
    rows, features = arrays["X"].shape
    classes = len(np.unique(arrays["y"]))
    values = float(result["quality"]["n_sv"]) * rows * (2.0 / classes if classes > 2 else 1.0)
    return Work(values * (2.0 * features + 20.0), 4.0 * values)


def decisions(arrays: Arrays, result: Mapping[str, Any]) -> Work:
    rows, features = arrays["Z"].shape
    values = float(result["quality"]["objective"]) * rows
    return Work(values * (2.0 * features + 22.0), 4.0 * arrays["Z"].size)


FIT_GOALS = {"scikit-learn": 6.0, "scikit-learn-intelex": 2.0}


def fit_row(name: str, title: str, make: Any, goals: Mapping[str, float], calls: int = 1) -> Row:
    return Row(
        name,
        title,
        contenders(fit_of),
        make,
        kernel_values,
        check_fit,
        "scikit-learn",
        warm=few_rows,
        goals=goals,
        objective="objective",
        calls=calls,
    )


AREA = Area(
    "svm",
    (
        fit_row("rbf", "SVC rbf, 20,000 × 20", classification(5_000), FIT_GOALS),
        fit_row("mnist", "SVC rbf, MNIST 10,000 × 784, 10 classes", handwritten, FIT_GOALS),
        fit_row("adult", "SVC rbf, adult 20,000 one-hot", one_hot, FIT_GOALS),
        fit_row("letter", "SVC rbf, letter 15,000 × 16, 26 classes", letters, FIT_GOALS),
        fit_row("ijcnn1", "SVC rbf, ijcnn1 40,000 × 22", ijcnn, FIT_GOALS),
        fit_row("iris", "SVC rbf, iris 150 × 4", irises, {"scikit-learn": 2.0}, calls=20),
        Row(
            "predict",
            "SVC rbf predict, 100,000 rows",
            contenders(predict_of),
            classification(100_000),
            decisions,
            check_predict,
            "scikit-learn",
            goals={"scikit-learn": 15.0, "scikit-learn-intelex": 1.5},
            objective="objective",
            objective_name="support vectors",
        ),
    ),
    objective="dual objective",
    notes="Dual objective: with its sign changed, in float64, summed over the pairs of classes.",
)
