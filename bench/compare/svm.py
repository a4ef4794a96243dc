"""Support vector machines against scikit-learn (LIBSVM, LIBLINEAR) and scikit-learn-intelex.

All contenders of a row have the same data, the same C, gamma and tol = 1e-3 (linear machines: 1e-4, their
default). The objective is computed outside the timed part, for everybody by the same float64 code: of kernel
machines the dual one, over the support vectors of all pairs of classes, of linear machines the primal one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .case import Area, Arrays, Case, Contender, Job, Outcome, Row, Work
from .data import Source, tfidf


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


#: What a class is given besides gamma and cache_size.
PARAMETERS: dict[str, dict[str, float]] = {"SVR": {"C": 1.0, "epsilon": 0.1}, "OneClassSVM": {"nu": 0.1}}


def parameters(case: Case, name: str) -> dict[str, Any]:
    more = PARAMETERS.get(name) or {"C": float(case["C"])}
    return {"gamma": float(case["gamma"]), "cache_size": float(case["cache"]), **more}


def rows_of(case: Case | Arrays, which: str = "") -> Any:
    """The data of a case, which are dense (X) or the parts of a CSR matrix."""
    from scipy.sparse import csr_matrix

    arrays = case.arrays if isinstance(case, Case) else case
    if "X" in arrays:
        return arrays["Z" if which else "X"]
    parts = [arrays[f"{which}{part}"] for part in ("data", "indices", "indptr")]
    return csr_matrix(tuple(parts), shape=tuple(arrays[f"{which}shape"]))


def fit_of(load: Callable[[str], Any], name: str = "SVC") -> Callable[[Case], Job]:
    def prepare(case: Case) -> Job:
        estimator = load(name)

        def run() -> Outcome:
            model = estimator(**parameters(case, name)).fit(case["X"], case["y"])
            return Fitted(n_iter=int(np.sum(model.n_iter_)), model=model)

        return Job(run)

    return prepare


def predict_of(load: Callable[[str], Any], name: str = "SVC") -> Callable[[Case], Job]:
    def prepare(case: Case) -> Job:
        model = load(name)(**parameters(case, name)).fit(case["X"], case["y"])
        return Job(lambda: Fitted(labels=model.predict(case["Z"]).astype(np.int32), model=model))

    return prepare


def linear_fit_of(load: Callable[[str], Any], name: str = "LinearSVC") -> Callable[[Case], Job]:
    def prepare(case: Case) -> Job:
        estimator, X = load(name), rows_of(case)

        def run() -> Outcome:
            model = estimator(random_state=0).fit(X, case["y"])
            return Fitted(n_iter=int(np.max(model.n_iter_)), model=model)

        return Job(run)

    return prepare


def grid_of(case: Case) -> dict[str, Any]:
    return {"C": case["Cs"].tolist(), "gamma": case["gammas"].tolist()}


def search_of(load: Callable[[str], Any], name: str = "SVC") -> Callable[[Case], Job]:
    def prepare(case: Case) -> Job:
        if load is mlcore_class:
            search = load("SVCSearch")(load("SVC")(), grid_of(case), refit=False)
        else:
            from sklearn.model_selection import GridSearchCV

            model = load("SVC")(cache_size=float(case["cache"]))
            search = GridSearchCV(model, grid_of(case), refit=False, n_jobs=case.threads)
        return Job(lambda: Fitted(model=search.fit(case["X"], case["y"])))

    return prepare


def contenders(
    job: Callable[..., Callable[[Case], Job]], name: str = "SVC", intel: bool = True
) -> tuple[Contender, ...]:
    ours_and_theirs = (
        Contender("mlcore", "mlcore", "mlcore", job(mlcore_class, name)),
        Contender("scikit-learn", "scikit-learn", "sklearn", job(sklearn_class, name)),
    )
    if not intel:  # it has no class of its own for this
        return ours_and_theirs
    third = Contender("scikit-learn-intelex", "scikit-learn-intelex", "sklearnex", job(intel_class, name))
    return (*ours_and_theirs, third)


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


def single_objective(arrays: Arrays, outcome: Outcome, name: str) -> dict[str, float]:
    """1/2 b'K b, for regression - t'b + epsilon sum |b| as well."""
    assert isinstance(outcome, Fitted)
    model, gamma = outcome.model, float(arrays["gamma"])
    vectors, beta = np.asarray(model.support_vectors_, dtype=np.float64), np.ravel(model.dual_coef_)
    norms, total = np.einsum("ij,ij->i", vectors, vectors), 0.0
    for start in range(0, len(beta), 2048):
        some = slice(start, start + 2048)
        squares = norms[some, None] + norms - 2.0 * vectors[some] @ vectors.T
        total += 0.5 * float(beta[some] @ (np.exp(-gamma * squares) @ beta))
    if name == "SVR":
        total += PARAMETERS["SVR"]["epsilon"] * np.abs(beta).sum() - float(arrays["y"][model.support_] @ beta)
    return {"objective": total, "n_sv": float(len(beta))}


def linear_objective(arrays: Arrays, outcome: Outcome) -> dict[str, float]:
    """LinearSVC's, C = 1 and squared hinge, summed over the classes."""
    assert isinstance(outcome, Fitted)
    model, X = outcome.model, rows_of(arrays)
    coef, constant = np.atleast_2d(model.coef_), np.ravel(model.intercept_)
    decisions = np.asarray(X @ coef.T.astype(np.float64)) + constant
    classes = model.classes_[1:] if len(model.classes_) == 2 else model.classes_
    signs = np.where(arrays["y"][:, None] == classes, 1.0, -1.0)
    losses = np.square(np.maximum(0.0, 1.0 - signs * decisions)).sum()
    total = 0.5 * (np.square(coef).sum() + np.square(constant).sum()) + losses
    right = model.predict(rows_of(arrays, "Z")) == arrays["t"]
    return {"objective": float(total), "accuracy": float(np.mean(right))}


def grid_scores(arrays: Arrays, outcome: Outcome) -> dict[str, float]:
    """The error of the best cell; the mean of all cells shows that they are the same."""
    assert isinstance(outcome, Fitted)
    scores = outcome.model.cv_results_["mean_test_score"]
    return {"objective": 1.0 - float(scores.max()), "mean score": float(scores.mean())}


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


def regression(source: Source, shrink: int) -> Arrays:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(11_000, 20))
    y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + 0.5 * X[:, 3] + 0.3 * rng.normal(size=len(X))
    n = 10_000 // shrink
    return {**case_of(X[:n], np.zeros(n), X[10_000:], np.zeros(1000)), "y": y[:n], "t": y[10_000:]}


def unlabelled(source: Source, shrink: int) -> Arrays:
    return classification(1_000)(source, shrink)


def wide_table(source: Source, shrink: int) -> Arrays:
    from sklearn.datasets import make_classification

    X, y = make_classification(
        205_000, 50, n_informative=20, n_redundant=10, flip_y=0.05, class_sep=0.7, random_state=0
    )
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return split(X, y, 200_000, 5_000, shrink)


def texts(source: Source, shrink: int) -> Arrays:
    """20 newsgroups as tf-idf, float64; the last 2,000 texts are not learned from."""
    from scipy.sparse import csr_matrix

    table = source.load("newsgroups20")
    counts, _ = source.module().count_matrix(table.texts, min_df=3)
    parts, labels = tfidf(counts), np.unique(np.asarray(table.y), return_inverse=True)[1]
    order = np.random.default_rng(0).permutation(counts.shape[0])
    matrix = csr_matrix(
        (parts["data"].astype(np.float64), parts["indices"], parts["indptr"]), shape=counts.shape
    )
    arrays: Arrays = {}
    for which, rows in (("", order[: (len(order) - 2_000) // shrink]), ("Z", order[-2_000:])):
        some = matrix[rows]
        arrays |= {f"{which}{part}": getattr(some, part) for part in ("data", "indices", "indptr")}
        arrays |= {f"{which}shape": np.array(some.shape), "t" if which else "y": labels[rows]}
    return arrays


def grid(source: Source, shrink: int) -> Arrays:
    """Chapter 8's ranges (8.21): C from 0.01 to 1000, gamma from 0.001 to 10."""
    arrays = classification(1_000)(source, 4 * shrink)
    return {**arrays, "Cs": np.logspace(-2, 3, 6), "gammas": np.logspace(-3, 1, 6)}


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


def kernel_values_of_one(arrays: Arrays, result: Mapping[str, Any]) -> Work:
    rows, features = arrays["X"].shape
    values = float(result["quality"]["n_sv"]) * rows
    return Work(values * (2.0 * features + 20.0), 4.0 * values)


def one_pass(arrays: Arrays, result: Mapping[str, Any]) -> Work:
    """A product with the data and one with their transpose for every class: a gradient, the least that tells
    whether the weights are right."""
    classes = len(np.unique(arrays["y"]))
    problems = classes if classes > 2 else 1
    entries = arrays["X"].size if "X" in arrays else arrays["data"].size
    return Work(4.0 * entries * problems, 8.0 * entries, "float64")


def one_kernel_matrix_a_gamma(arrays: Arrays, result: Mapping[str, Any]) -> Work:
    rows, features = arrays["X"].shape
    values = 0.5 * rows**2
    return Work(
        values * (2.0 * features + 20.0 * len(arrays["gammas"])), 4.0 * rows**2 * len(arrays["gammas"])
    )


def decisions(arrays: Arrays, result: Mapping[str, Any]) -> Work:
    rows, features = arrays["Z"].shape
    values = float(result["quality"]["objective"]) * rows
    return Work(values * (2.0 * features + 22.0), 4.0 * arrays["Z"].size)


FIT_GOALS = {"scikit-learn": 6.0, "scikit-learn-intelex": 2.0}
SINGLE_GOALS = {"scikit-learn": 5.0, "scikit-learn-intelex": 3.0}


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
            "svr",
            "SVR rbf, 10,000 × 20",
            contenders(fit_of, "SVR"),
            regression,
            kernel_values_of_one,
            partial(single_objective, name="SVR"),
            "scikit-learn",
            warm=few_rows,
            goals=SINGLE_GOALS,
            objective="objective",
        ),
        Row(
            "one-class",
            "OneClassSVM rbf, 20,000 × 20",
            contenders(fit_of, "OneClassSVM", intel=False),
            unlabelled,
            kernel_values_of_one,
            partial(single_objective, name="OneClassSVM"),
            "scikit-learn",
            warm=few_rows,
            goals={"scikit-learn": 5.0},
            objective="objective",
        ),
        Row(
            "linear",
            "LinearSVC, 200,000 × 50",
            contenders(linear_fit_of, "LinearSVC", intel=False),
            wide_table,
            one_pass,
            linear_objective,
            "scikit-learn",
            warm=few_rows,
            goals={"scikit-learn": 2.0},
            objective="objective",
            objective_name="primal objective",
        ),
        Row(
            "linear-text",
            "LinearSVC, 20 newsgroups tf-idf",
            contenders(linear_fit_of, "LinearSVC", intel=False),
            texts,
            one_pass,
            linear_objective,
            "scikit-learn",
            goals={"scikit-learn": 2.0},
            objective="objective",
            objective_name="primal objective",
        ),
        Row(
            "grid",
            "SVC rbf, 5 folds × 6 C × 6 gamma, 5,000 × 20",
            contenders(search_of, intel=False),
            grid,
            one_kernel_matrix_a_gamma,
            grid_scores,
            "scikit-learn",
            goals={"scikit-learn": 10.0},
            objective="objective",
            objective_name="error of the best cell",
        ),
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
    notes="Dual objective: with its sign changed, in float64, summed over the pairs of classes. Least work: "
    "kernel machines the kernel rows of the support vectors, each once; linear machines one gradient; the "
    "grid the kernel matrix of each gamma.",
)
