"""Gradient boosting against LightGBM, XGBoost and scikit-learn.

All contenders of a row grow the same number of trees with the same learning rate, leaves, bins and least
rows of a leaf, without early stopping. Everything from the array to the fitted model is timed, binning
included; the loss on held-out rows is measured outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .case import BEST, Area, Arrays, Case, Contender, Job, Outcome, Row, Unavailable, Work
from .data import Source

TREES = 100
RATE = 0.1
BINS = 255
MIN_LEAF = 20
MIN_HESSIAN = 1e-3


@dataclass
class Fitted(Outcome):
    """`predict(X)`: probabilities of the classes (n, K), or values (n,)."""

    predict: Callable[[np.ndarray], np.ndarray] | None = None


# --- checks -------------------------------------------------------------------------------------------------
def area_under_curve(y: np.ndarray, score: np.ndarray) -> float:
    from scipy.stats import rankdata

    positive = y > 0
    ones, zeros = int(positive.sum()), int((~positive).sum())
    return float((rankdata(score)[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def matrix(arrays: Arrays, name: str) -> Any:
    """The array of this name, or the sparse matrix whose parts the arrays hold."""
    if name in arrays:
        return arrays[name]
    from scipy.sparse import csr_matrix

    parts = tuple(arrays[f"{name}_{part}"] for part in ("data", "indices", "indptr"))
    return csr_matrix(parts, shape=tuple(arrays[f"{name}_shape"]))


def check(arrays: Arrays, outcome: Outcome) -> dict[str, float]:
    """Loss on the held-out rows: mean squared error, or log loss with the AUC or the accuracy."""
    assert isinstance(outcome, Fitted)
    assert outcome.predict is not None
    y, found = arrays["y_test"], np.asarray(outcome.predict(matrix(arrays, "X_test")), dtype=np.float64)
    if found.ndim == 1:
        return {"test_loss": float(np.mean((y - found) ** 2))}
    p = np.clip(found[np.arange(len(y)), y.astype(int)], 1e-15, 1.0)
    quality = {"test_loss": float(-np.mean(np.log(p)))}
    if found.shape[1] == 2:
        return {**quality, "auc": area_under_curve(y, found[:, 1])}
    return {**quality, "accuracy": float(np.mean(found.argmax(axis=1) == y))}


# --- contenders ---------------------------------------------------------------------------------------------
def is_regression(case: Case) -> bool:
    return int(case["classes"][0]) == 0


def leaves_of(case: Case) -> int:
    return int(case["leaves"][0])


def histogram_class(module: str) -> Callable[[Case], Job]:
    """mlcore's or scikit-learn's class."""

    def prepare(case: Case) -> Job:
        import importlib

        ensemble = importlib.import_module(f"{module}.ensemble")
        regression = is_regression(case)
        X = matrix(case.arrays, "X")
        cls = getattr(ensemble, f"HistGradientBoosting{'Regressor' if regression else 'Classifier'}")

        def run() -> Outcome:
            model = cls(
                learning_rate=RATE,
                max_iter=TREES,
                max_leaf_nodes=leaves_of(case),
                min_samples_leaf=MIN_LEAF,
                max_bins=BINS,
                early_stopping=False,
                random_state=0,
            ).fit(X, case["y"])
            return Fitted(predict=model.predict if regression else model.predict_proba)

        return Job(run)

    return prepare


def lightgbm(**extra: Any) -> Callable[[Case], Job]:
    def prepare(case: Case) -> Job:
        import lightgbm as lgb

        classes = int(case["classes"][0])
        objective = {0: "regression", 2: "binary"}.get(classes, "multiclass")
        parameters = {
            "objective": objective,
            "num_leaves": leaves_of(case),
            "learning_rate": RATE,
            "max_bin": BINS,
            "min_data_in_leaf": MIN_LEAF,
            "min_sum_hessian_in_leaf": MIN_HESSIAN,
            "num_threads": case.threads,
            "verbosity": -1,
            **({"num_class": classes} if classes > 2 else {}),
            **extra,
        }

        X = matrix(case.arrays, "X")

        def run() -> Outcome:
            data = lgb.Dataset(X, case["y"], params=parameters)
            model = lgb.train(parameters, data, TREES)

            def predict(X: np.ndarray) -> np.ndarray:
                found = np.asarray(model.predict(X))
                return np.stack([1.0 - found, found], axis=1) if classes == 2 else found

            return Fitted(predict=predict)

        return Job(run)

    return prepare


def xgboost(case: Case) -> Job:
    import xgboost as xgb

    classes = int(case["classes"][0])
    objective = {0: "reg:squarederror", 2: "binary:logistic"}.get(classes, "multi:softprob")
    parameters = {
        "objective": objective,
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_leaves": leaves_of(case),
        "max_depth": 0,
        "eta": RATE,
        "max_bin": BINS + 1,
        "reg_lambda": 0.0,
        "min_child_weight": MIN_HESSIAN,
        "nthread": case.threads,
        **({"num_class": classes} if classes > 2 else {}),
    }

    X = matrix(case.arrays, "X")

    def run() -> Outcome:
        data = xgb.QuantileDMatrix(X, case["y"], max_bin=BINS + 1, nthread=case.threads)
        model = xgb.train(parameters, data, TREES)

        def predict(X: np.ndarray) -> np.ndarray:
            found = np.asarray(model.predict(xgb.DMatrix(X)))
            return np.stack([1.0 - found, found], axis=1) if classes == 2 else found

        return Fitted(predict=predict, note="no least number of rows in a leaf")

    return Job(run)


REFERENCE = "lightgbm"
EVERYBODY = (
    Contender("mlcore", "mlcore", "mlcore", histogram_class("mlcore")),
    Contender(REFERENCE, "lightgbm", "lightgbm", lightgbm()),
    Contender("lightgbm row-wise", "lightgbm", "lightgbm", lightgbm(force_row_wise=True)),
    Contender("lightgbm col-wise", "lightgbm", "lightgbm", lightgbm(force_col_wise=True)),
    Contender("lightgbm quantised", "lightgbm", "lightgbm", lightgbm(use_quantized_grad=True)),
    Contender("xgboost lossguide", "xgboost", "xgboost", xgboost),
    Contender("scikit-learn", "scikit-learn", "sklearn", histogram_class("sklearn")),
)


TAKE_SPARSE = tuple(contender for contender in EVERYBODY if contender.name != "scikit-learn")


# --- data ---------------------------------------------------------------------------------------------------
def case_of(
    X: np.ndarray, y: np.ndarray, train: np.ndarray, classes: int, leaves: int, dtype: str = "float32"
) -> Arrays:
    rest = np.setdiff1d(np.arange(len(y)), train)
    return {
        "X": np.ascontiguousarray(X[train], dtype=dtype),
        "y": np.ascontiguousarray(y[train], dtype=np.float64),
        "X_test": np.ascontiguousarray(X[rest], dtype=dtype),
        "y_test": np.ascontiguousarray(y[rest], dtype=np.float64),
        "classes": np.array([classes]),
        "leaves": np.array([leaves]),
    }


def collisions(n: int, leaves: int, d: int = 28) -> Callable[[Source, int], Arrays]:
    """Two classes from products and waves of a few columns, with noise; a fifth more rows to test on."""

    def make(source: Source, shrink: int) -> Arrays:
        rows = n // shrink
        rng = np.random.default_rng(0)
        X = rng.standard_normal((rows + rows // 5, d), dtype=np.float32)
        X[:, d - d // 4 :] = np.exp(0.5 * X[:, d - d // 4 :])
        z = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + 0.5 * X[:, 3] ** 2 + abs(X[:, 4]) * X[:, 5]
        z += 0.3 * X[:, d - 1] * X[:, 6] + (X[:, 7] > 0) * X[:, 8]
        y = (z + rng.standard_normal(len(X)) > 0.8).astype(np.float64)
        return case_of(X, y, np.arange(rows), 2, leaves)

    return make


def one_hot(n: int, columns: int = 20, levels: int = 100) -> Callable[[Source, int], Arrays]:
    """Indicators of categories with geometric shares, CSR; classes from their effects and one interaction."""

    def make(source: Source, shrink: int) -> Arrays:
        rows = n // shrink
        total = rows + rows // 5
        rng = np.random.default_rng(0)
        codes = np.minimum(rng.geometric(5 / levels, size=(total, columns)) - 1, levels - 1)
        effects = rng.standard_normal((columns, levels))
        z = (
            effects[np.arange(columns), codes].sum(axis=1)
            + 2 * effects[0, codes[:, 1]] * effects[1, codes[:, 2]]
        )
        y = (z + rng.standard_normal(total) > 0).astype(np.float64)
        places = (codes + np.arange(columns) * levels).astype(np.int32)
        arrays: dict[str, np.ndarray] = {"classes": np.array([2]), "leaves": np.array([31])}
        for name, part in (("", slice(0, rows)), ("_test", slice(rows, total))):
            own = places[part]
            arrays[f"X{name}_data"] = np.ones(own.size, dtype=np.float32)
            arrays[f"X{name}_indices"] = own.ravel()
            arrays[f"X{name}_indptr"] = np.arange(len(own) + 1, dtype=np.int32) * columns
            arrays[f"X{name}_shape"] = np.array([len(own), columns * levels])
            arrays[f"y{name}"] = y[part]
        return arrays

    return make


def real(name: str, classes: int, leaves: int = 31) -> Callable[[Source, int], Arrays]:
    def make(source: Source, shrink: int) -> Arrays:
        bunch = source.load(name)
        X, y = bunch.X, np.asarray(bunch.y)
        if hasattr(X, "toarray"):
            X = X.toarray()
        kept = np.flatnonzero(np.isfinite(y.astype(np.float64)))[::shrink]
        X, y = np.asarray(X)[kept], y[kept].astype(np.float64)
        if classes:
            y = np.unique(y, return_inverse=True)[1].astype(np.float64)
            if len(np.unique(y)) != classes:
                raise Unavailable(f"{name} has other classes than expected")
        train = np.flatnonzero(np.random.default_rng(0).random(len(y)) < 0.8)
        return case_of(X, y, train, classes, leaves)

    return make


def few_rows(arrays: Arrays) -> Arrays:
    """Small case of the same kind for the warm-up call; all classes stay."""
    if "X" not in arrays:
        kept = min(1000, len(arrays["y"]))
        entries = int(arrays["X_indptr"][kept])
        parts = {"X_data": arrays["X_data"][:entries], "X_indices": arrays["X_indices"][:entries]}
        shape = np.array([kept, arrays["X_shape"][1]])
        return {
            **arrays,
            **parts,
            "X_indptr": arrays["X_indptr"][: kept + 1],
            "X_shape": shape,
            "y": arrays["y"][:kept],
        }
    chosen = np.unique(
        np.concatenate(
            [np.arange(min(1000, len(arrays["y"])))]
            + [np.flatnonzero(arrays["y"] == k)[:50] for k in range(int(arrays["classes"][0]))]
        )
    )
    return {**arrays, "X": np.ascontiguousarray(arrays["X"][chosen]), "y": arrays["y"][chosen]}


# --- limits -------------------------------------------------------------------------------------------------
def work(arrays: Arrays, result: Mapping[str, Any]) -> Work:
    """Least of one-level trees: each row of each tree is read once, one addition a value.

    The bins are bytes; a pair of gradients has eight. Deeper levels add to this by half the rows at most.
    """
    n, d = matrix(arrays, "X").shape
    if "X" not in arrays:
        d = int(arrays["X_indptr"][-1]) // n  # what is stored of a row
    outputs = max(1, int(arrays["classes"][0]) if int(arrays["classes"][0]) > 2 else 1)
    return Work(2.0 * n * d * TREES * outputs, float(n) * (d + 8) * TREES * outputs, "float32")


def row(
    name: str, title: str, make: Any, goal: float, slack: float, calls: int = 1, contenders: Any = EVERYBODY
) -> Row:
    return Row(
        name,
        title,
        contenders,
        make,
        work,
        check,
        REFERENCE,
        warm=few_rows,
        goals={BEST: goal},
        objective="test_loss",
        slack=slack,
        calls=calls,
    )


AREA = Area(
    "boosting",
    (
        row("dense-63", "1,000,000 × 28, two classes, 63 leaves", collisions(1_000_000, 63), 2.0, 0.02),
        row("dense-255", "1,000,000 × 28, two classes, 255 leaves", collisions(1_000_000, 255), 2.0, 0.02),
        row("small", "1,000 × 10, two classes, 31 leaves", collisions(1_000, 31, 10), 1.0, 0.2, calls=7),
        row("covertype", "covertype, 7 classes, 31 leaves", real("covertype", 7), 1.5, 0.05),
        row("nycflights", "nycflights, regression, 31 leaves", real("nycflights", 0), 1.5, 0.02),
        row(
            "california",
            "California housing, regression, 31 leaves",
            real("california_housing", 0),
            1.5,
            0.03,
        ),
        row("adult", "adult, two classes, 31 leaves", real("adult", 2), 1.5, 0.02),
        row("one-hot", "200,000 × 2,000 one-hot CSR", one_hot(200_000), 1.5, 0.02, contenders=TAKE_SPARSE),
        row("ijcnn1", "ijcnn1, two classes, 31 leaves", real("ijcnn1", 2), 1.5, 0.1),
    ),
    notes="100 trees, learning rate 0.1, 255 bins, at least 20 rows in a leaf (XGBoost has no such limit).",
)
