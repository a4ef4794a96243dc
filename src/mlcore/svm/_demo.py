"""The family's demonstration: handwritten digits by a support vector machine with Gaussian kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from .._demo import Demonstration
from ._svc import SVC

__all__ = ["DEMONSTRATIONS"]

_ARGUMENTS: dict[str, Any] = {"C": 10.0, "gamma": "scale"}


def load() -> dict[str, Any]:
    """The bundled images of 1,797 digits, 8 x 8 pixels, a third held out."""
    data = load_digits()
    parts = train_test_split(data.data, data.target, test_size=1 / 3, stratify=data.target, random_state=0)
    X, X_test, y, y_test = parts
    return {"X": X, "y": y, "X_test": X_test, "y_test": y_test}


def run_ours(data: dict[str, Any]) -> Any:
    """mlcore's fit."""
    return SVC(**_ARGUMENTS).fit(data["X"], data["y"])


def run_peer(data: dict[str, Any]) -> Any:
    """scikit-learn's fit with the same arguments."""
    from sklearn.svm import SVC as Peer

    return Peer(**_ARGUMENTS).fit(data["X"], data["y"])


def accuracy(data: dict[str, Any], model: Any) -> float:
    """Share of the held-out digits that are recognised."""
    return float(np.mean(model.predict(data["X_test"]) == data["y_test"]))


def draw(data: dict[str, Any], model: Any, folder: Path) -> list[Path]:
    """The digits that hold the boundaries: support vectors with the largest sums of dual coefficients."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    hardest = np.argsort(np.abs(model.dual_coef_).sum(axis=0))[::-1]
    for row, panel in zip(model.support_[hardest[:18]], figure.subplots(3, 6).ravel(), strict=True):
        panel.imshow(data["X"][row].reshape(8, 8), cmap="gray_r")
        panel.set_title(f"a {data['y'][row]}", fontsize=9)
        panel.set_axis_off()
    path = folder / "digits.png"
    figure.savefig(path, dpi=110)
    return [path]


DEMONSTRATIONS = [
    Demonstration(
        name="digits",
        task="support vector classification, Gaussian kernel",
        data="digits, 1,198 x 64",
        peer="sklearn.svm.SVC",
        quality="accuracy on 599 held-out digits (higher is better)",
        load=load,
        run_ours=run_ours,
        run_peer=run_peer,
        measure=accuracy,
        draw=draw,
    )
]
