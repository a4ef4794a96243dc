"""Gradient boosting against LightGBM, XGBoost and scikit-learn.

All contenders of a row grow the same number of trees with the same learning rate, leaves, bins and least
rows of a leaf, without early stopping. Everything from the array to the fitted model is timed, binning
included; the loss on held-out rows is measured outside.

Bin updates: one addition of a row's derivatives to the bin of one column. A tree needs them for its root and
for the smaller child of every split; the larger one is a difference.
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
TOP, OTHER = 0.2, 0.1  # shares of rows that GOSS keeps and draws

#: An addition to memory is one store, and a core finishes one store a clock: 0.34 ns measured on contiguous
#: rows by an unrolled loop that does nothing else (Xeon with AMX, packed 32-bit pairs).
UPDATE_SECONDS = 0.34e-9


@dataclass
class Fitted(Outcome):
    """`predict(X)`: probabilities of the classes (n, K), or values (n,). `rows()`: summed up in all trees."""

    predict: Callable[[np.ndarray], np.ndarray] | None = None
    rows: Callable[[], int] | None = None


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
    quality = {} if outcome.rows is None else {"rows": float(outcome.rows())}
    if found.ndim == 1:
        return {**quality, "test_loss": float(np.mean((y - found) ** 2))}
    p = np.clip(found[np.arange(len(y)), y.astype(int)], 1e-15, 1.0)
    quality["test_loss"] = float(-np.mean(np.log(p)))
    if found.shape[1] == 2:
        return {**quality, "AUC": area_under_curve(y, found[:, 1])}
    return {**quality, "accuracy": float(np.mean(found.argmax(axis=1) == y))}


def rows_of_lightgbm(model: Any) -> int:
    """Rows that the trees of a booster had to sum up."""

    def count(node: Mapping[str, Any]) -> int:
        return int(node.get("internal_count", node.get("leaf_count", 0)))

    total = 0
    for tree in model.dump_model()["tree_info"]:
        open_nodes = [tree["tree_structure"]]
        total += count(open_nodes[0])
        while open_nodes:
            node = open_nodes.pop()
            if "left_child" in node:
                sides = [node["left_child"], node["right_child"]]
                total += min(map(count, sides))
                open_nodes += sides
    return total


def rows_of_mlcore(model: Any) -> int:
    total = 0
    for iteration in range(model.n_iter_):
        for output in range(model.n_trees_per_iteration_):
            tree = model.get_tree(iteration, output)
            inner = tree["left"] >= 0
            sides = tree["count"][np.stack([tree["left"][inner], tree["right"][inner]])]
            total += int(tree["count"][0]) + int(sides.min(axis=0).sum())
    return total


# --- contenders ---------------------------------------------------------------------------------------------
def is_regression(case: Case) -> bool:
    return int(case["classes"][0]) == 0


def leaves_of(case: Case) -> int:
    return int(case["leaves"][0])


def histogram_class(module: str, **extra: Any) -> Callable[[Case], Job]:
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
                **extra,
            ).fit(X, case["y"])
            rows = (lambda: rows_of_mlcore(model)) if module == "mlcore" else None
            return Fitted(predict=model.predict if regression else model.predict_proba, rows=rows)

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

            return Fitted(predict=predict, rows=lambda: rows_of_lightgbm(model))

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
ALONE = (
    Contender("mlcore", "mlcore", "mlcore", histogram_class("mlcore")),
    Contender("mlcore, one thread", "mlcore", "mlcore", histogram_class("mlcore", n_jobs=1)),
)
GOSS = "mlcore, GOSS"
SAMPLED = (
    Contender(
        GOSS,
        "mlcore",
        "mlcore",
        histogram_class("mlcore", sampling="goss", top_rate=TOP, other_rate=OTHER),
    ),
    Contender("mlcore", "mlcore", "mlcore", histogram_class("mlcore")),
    Contender(
        "lightgbm, GOSS",
        "lightgbm",
        "lightgbm",
        lightgbm(data_sample_strategy="goss", top_rate=TOP, other_rate=OTHER),
    ),
)


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
    """Bin updates of the reference's trees; bytes of the bins (one each) and of pairs of derivatives (8)."""
    n, d = matrix(arrays, "X").shape
    if "X" not in arrays:
        d = int(arrays["X_indptr"][-1]) // n  # what is stored of a row
    rows = result["quality"].get("rows", 0.0)
    return Work(2.0 * rows * d, rows * (d + 8), "float32", core_seconds=rows * d * UPDATE_SECONDS)


def row(
    name: str,
    title: str,
    make: Any,
    goals: Mapping[str, float],
    slack: float,
    calls: int = 1,
    contenders: Any = EVERYBODY,
    ours: str = "mlcore",
    reference: str = REFERENCE,
    shown: tuple[str, ...] = (),
) -> Row:
    return Row(
        name,
        title,
        contenders,
        make,
        work,
        check,
        reference,
        ours=ours,
        warm=few_rows,
        goals=goals,
        objective="test_loss",
        slack=slack,
        calls=calls,
        shown=shown,
    )


def dense(leaves: int) -> Row:
    title = f"1,000,000 × 28, two classes, {leaves} leaves"
    return row(f"dense-{leaves}", title, collisions(1_000_000, leaves), {BEST: 2.0}, 0.02, shown=("AUC",))


AREA = Area(
    "boosting",
    (
        dense(63),
        dense(255),
        row(
            "goss",
            f"the same, 63 leaves, GOSS({TOP}, {OTHER})",
            collisions(1_000_000, 63),
            {"mlcore": 1.8},
            0.02,
            contenders=SAMPLED,
            ours=GOSS,
            reference="mlcore",
            shown=("AUC",),
        ),
        row(
            "small",
            "1,000 × 10, two classes, 31 leaves",
            collisions(1_000, 31, 10),
            {BEST: 1.0, "scikit-learn": 3.0},
            0.2,
            calls=7,
        ),
        row(
            "small-threads",
            "the same, all threads against one",
            collisions(1_000, 31, 10),
            {"mlcore": 0.95},
            0.2,
            calls=21,
            contenders=ALONE,
            reference="mlcore, one thread",
        ),
        row(
            "covertype",
            "covertype, 7 classes, 31 leaves",
            real("covertype", 7),
            {BEST: 1.5},
            0.05,
            shown=("accuracy",),
        ),
        row("nycflights", "nycflights, regression, 31 leaves", real("nycflights", 0), {BEST: 1.5}, 0.02),
        row(
            "california",
            "California housing, regression, 31 leaves",
            real("california_housing", 0),
            {BEST: 1.5},
            0.03,
        ),
        row("adult", "adult, two classes, 31 leaves", real("adult", 2), {BEST: 1.5}, 0.02, shown=("AUC",)),
        row(
            "one-hot",
            "200,000 × 2,000 one-hot CSR",
            one_hot(200_000),
            {BEST: 1.5},
            0.02,
            contenders=TAKE_SPARSE,
            shown=("AUC",),
        ),
        row("ijcnn1", "ijcnn1, two classes, 31 leaves", real("ijcnn1", 2), {BEST: 1.5}, 0.1, shown=("AUC",)),
    ),
    notes="100 trees, learning rate 0.1, 255 bins, at least 20 rows in a leaf (XGBoost has no such limit). "
    "The limit is that of the bin updates of the reference's trees at 0.34 ns each and core (one store a "
    "clock); binning, partitions, split search and predictions come on top. Memory is the growth of the "
    "resident set during the fit, in a process of its own.",
    objective="test loss",
)
