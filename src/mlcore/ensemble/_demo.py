"""The family's demonstration: which tumours are malignant, by boosted trees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from .._demo import Demonstration
from ._classifier import HistGradientBoostingClassifier

__all__ = ["DEMONSTRATIONS"]

_ARGUMENTS: dict[str, Any] = {"max_iter": 100, "max_leaf_nodes": 15, "early_stopping": False}


def load() -> dict[str, Any]:
    """The bundled measurements of 569 cell nuclei, a third held out."""
    data = load_breast_cancer()
    parts = train_test_split(data.data, data.target, test_size=1 / 3, stratify=data.target, random_state=0)
    X, X_test, y, y_test = parts
    return {"X": X, "y": y, "X_test": X_test, "y_test": y_test, "names": data.feature_names}


def run_ours(data: dict[str, Any]) -> Any:
    """mlcore's fit."""
    return HistGradientBoostingClassifier(**_ARGUMENTS).fit(data["X"], data["y"])


def run_peer(data: dict[str, Any]) -> Any:
    """scikit-learn's fit with the same arguments."""
    from sklearn.ensemble import HistGradientBoostingClassifier as Peer

    return Peer(**_ARGUMENTS).fit(data["X"], data["y"])


def held_out_loss(data: dict[str, Any], model: Any) -> float:
    """Log loss on the held-out third."""
    return float(log_loss(data["y_test"], model.predict_proba(data["X_test"])))


def draw(data: dict[str, Any], model: Any, folder: Path) -> list[Path]:
    """The loss on the held-out rows over the iterations, and the features with the largest gain."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    losses = [log_loss(data["y_test"], p) for p in model.staged_predict_proba(data["X_test"])]
    left.plot(losses)
    left.set(xlabel="iteration", ylabel="log loss on held-out rows", yscale="log")
    shares = model.feature_importances_
    order = np.argsort(shares)[-10:]
    right.barh([data["names"][j] for j in order], shares[order])
    right.set_title("share in the gain")
    path = folder / "tumours.png"
    figure.savefig(path, dpi=110)
    return [path]


DEMONSTRATIONS = [
    Demonstration(
        name="tumours",
        task="gradient boosting, 100 trees of 15 leaves",
        data="breast cancer, 379 x 30",
        peer="sklearn.ensemble.HistGradientBoostingClassifier",
        quality="log loss on 190 held-out rows (lower is better)",
        load=load,
        run_ours=run_ours,
        run_peer=run_peer,
        measure=held_out_loss,
        draw=draw,
    )
]
