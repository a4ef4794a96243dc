"""Five-fold quality of default models: ``python -m bench.compare.boosting_quality --data DIR``.

mlcore, LightGBM and scikit-learn fit every tabular set of the folder at their default settings (100 trees,
31 leaves, learning rate 0.1 everywhere) on the same folds. Log loss of classes and root mean squared error
of numbers are kept in `boosting-quality.json`, so that a run may be stopped and taken up again, and written
as a table, `boosting-quality.inc.md`.

A peer is beaten, or wins, where the mean difference of the folds is more than two of its standard errors.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import statistics
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .case import Unavailable
from .data import Source
from .runner import ROOT

FOLDS = 5
MOST_ROWS = 20_000  # of a set; more are drawn once with seed 0
MOST_COLUMNS = 1_000  # of a sparse set, which is taken as an array
MOST_LEVELS = 255  # of a categorical column; one with more is taken as numbers
FEWEST = 2 * FOLDS  # rows of a class; smaller classes are left out
NAMES = ("mlcore", "LightGBM", "scikit-learn")


class Table:
    """One data set: numbers, which columns are categories, classes (0: regression)."""

    def __init__(self, bunch: Any) -> None:
        X, y = bunch.X, np.asarray(bunch.y, dtype=np.float64)
        self.X = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)
        categorical = bunch.get("categorical")
        self.categorical = np.zeros(self.X.shape[1], bool) if categorical is None else np.asarray(categorical)
        kept = np.flatnonzero(np.isfinite(y))
        self.total = len(kept)
        if len(kept) > MOST_ROWS:
            kept = np.sort(np.random.default_rng(0).choice(kept, MOST_ROWS, replace=False))
        self.regression = bunch.task == "regression"
        if not self.regression:
            values, codes, counts = np.unique(y[kept], return_inverse=True, return_counts=True)
            kept = kept[counts[codes] >= FEWEST]
            y = np.searchsorted(values[counts >= FEWEST], y).astype(np.float64)
        self.X, self.y = self.X[kept], y[kept]
        self.classes = 0 if self.regression else int(self.y.max()) + 1
        with np.errstate(invalid="ignore"):
            levels = np.array([np.nanmax(column, initial=0) for column in self.X.T])
        self.categorical = self.categorical & (levels < MOST_LEVELS)

    def folds(self) -> list[tuple[np.ndarray, np.ndarray]]:
        from sklearn.model_selection import KFold, StratifiedKFold

        kind = KFold if self.regression else StratifiedKFold
        return list(kind(FOLDS, shuffle=True, random_state=0).split(self.X, self.y))

    def loss(self, found: np.ndarray, y: np.ndarray) -> float:
        if self.regression:
            return math.sqrt(float(np.mean((y - found) ** 2)))
        return float(-np.mean(np.log(np.clip(found[np.arange(len(y)), y.astype(int)], 1e-15, 1.0))))


def histogram_class(module: str) -> Callable[[Table, np.ndarray, np.ndarray], Any]:
    def fit(table: Table, X: np.ndarray, y: np.ndarray) -> Any:
        ensemble = importlib.import_module(f"{module}.ensemble")
        kind = "Regressor" if table.regression else "Classifier"
        chosen = table.categorical if table.categorical.any() else None
        return getattr(ensemble, f"HistGradientBoosting{kind}")(
            categorical_features=chosen, random_state=0
        ).fit(X, y)

    return fit


def lightgbm(table: Table, X: np.ndarray, y: np.ndarray) -> Any:
    import lightgbm as lgb

    cls = lgb.LGBMRegressor if table.regression else lgb.LGBMClassifier
    chosen = [int(j) for j in np.flatnonzero(table.categorical)]
    return cls(verbosity=-1, n_jobs=1, random_state=0).fit(X, y, categorical_feature=chosen or "auto")


FITS: Mapping[str, Callable[[Table, np.ndarray, np.ndarray], Any]] = dict(
    zip(NAMES, (histogram_class("mlcore"), lightgbm, histogram_class("sklearn")))
)


def measure(table: Table) -> dict[str, list[float]]:
    """Losses of the folds of everybody."""
    losses: dict[str, list[float]] = {name: [] for name in NAMES}
    for train, test in table.folds():
        for name, fit in FITS.items():
            model = fit(table, table.X[train], table.y[train])
            predict = model.predict if table.regression else model.predict_proba
            losses[name].append(table.loss(np.asarray(predict(table.X[test])), table.y[test]))
    return losses


def verdict(ours: list[float], theirs: list[float]) -> str:
    """win, loss, or tie: within two standard errors of the mean difference of the folds."""
    gains = [b - a for a, b in zip(ours, theirs)]
    mean, error = statistics.mean(gains), statistics.stdev(gains) / math.sqrt(len(gains))
    if abs(mean) <= 2 * error or mean == 0:
        return "tie"
    return "win" if mean > 0 else "loss"


def markdown(results: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        "| set | rows × columns | loss | mlcore | LightGBM | scikit-learn | to LightGBM | to scikit-learn |",
        "|---|--:|---|--:|--:|--:|---|---|",
    ]
    counts = {peer: dict.fromkeys(("win", "tie", "loss"), 0) for peer in NAMES[1:]}
    ratios: dict[str, list[float]] = {peer: [] for peer in NAMES[1:]}
    for name, entry in sorted(results.items()):
        losses = entry["losses"]
        medians = {who: statistics.median(values) for who, values in losses.items()}
        words = []
        for peer in NAMES[1:]:
            words.append(verdict(losses["mlcore"], losses[peer]))
            counts[peer][words[-1]] += 1
            if medians["mlcore"] > 0:
                ratios[peer].append(medians[peer] / medians["mlcore"])
        cells = [f"{medians[who]:.4g}" for who in NAMES]
        loss = "RMSE" if entry["classes"] == 0 else "log loss"
        shape = f"{entry['rows']:,} × {entry['columns']}"
        lines.append("| " + " | ".join([name, shape, loss, *cells, *words]) + " |")
    told = [
        f"against {peer} {c['win']} wins, {c['tie']} ties, {c['loss']} losses, "
        f"median of their loss over ours {statistics.median(ratios[peer]):.4f}"
        for peer, c in counts.items()
    ]
    summary = f"{len(results)} sets: " + "; ".join(told) + "."
    return "\n".join([summary, "", *lines]) + "\n"


def names_of(source: Source) -> list[str]:
    """Tabular and sparse sets with classes or numbers to predict."""
    module = source.module()
    found = []
    for name in sorted(module.names()):
        assert source.folder is not None
        meta = json.loads((source.folder / name / "meta.json").read_text(encoding="utf-8"))
        narrow = meta["kind"] == "tabular" or (
            meta["kind"] == "sparse" and int(meta["n_features"]) <= MOST_COLUMNS
        )
        if narrow and meta["task"] in ("binary", "multiclass", "regression"):
            found.append(name)
    return found


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.compare.boosting_quality", description=__doc__)
    parser.add_argument("--data", metavar="DIR", help="folder with load.py (default: MLCORE_DATA)")
    parser.add_argument("--only", metavar="NAME", action="append", help="this set; may be repeated")
    parser.add_argument("--output", metavar="DIR", type=Path, default=ROOT / "bench" / "results")
    parser.add_argument("--again", action="store_true", help="measure also what the file holds already")
    options = parser.parse_args(given)
    # The versions warn of different things; a quality is no place for them.
    warnings.simplefilter("ignore")
    source = Source(options.data)
    options.output.mkdir(parents=True, exist_ok=True)
    raw = options.output / "boosting-quality.json"
    results: dict[str, Any] = json.loads(raw.read_text(encoding="utf-8")) if raw.is_file() else {}
    for name in options.only or names_of(source):
        if name in results and not options.again:
            continue
        try:
            table = Table(source.load(name))
        except Unavailable as reason:
            print(reason, file=sys.stderr)
            return 2
        results[name] = {
            "rows": len(table.y),
            "columns": table.X.shape[1],
            "classes": table.classes,
            "losses": measure(table),
        }
        medians = {who: round(statistics.median(v), 5) for who, v in results[name]["losses"].items()}
        print(name, medians, flush=True)
        raw.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    text = markdown(results)
    (options.output / "boosting-quality.inc.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
