"""The family's demonstration: states of the rows of a photograph."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_sample_image

from .._demo import Demonstration
from ._gaussian import GaussianHMM

__all__ = ["DEMONSTRATIONS"]

_STATES, _ITERATIONS = 8, 10


def load() -> dict[str, Any]:
    """Rows of the bundled photograph as sequences of colours, and one starting model for both sides."""
    photograph = load_sample_image("china.jpg")[::8].astype(np.float64) / 255
    n_sequences, length, d = photograph.shape
    X = np.ascontiguousarray(photograph.reshape(-1, d))
    start = GaussianHMM(_STATES, "full", n_iter=0, random_state=0).fit(X)
    start.startprob_ = np.full(_STATES, 1.0 / _STATES)
    start.transmat_ = np.full((_STATES, _STATES), 0.1 / _STATES) + 0.9 * np.eye(_STATES)
    return {"X": X, "lengths": [length] * n_sequences, "shape": photograph.shape, "start": start}


def _fit(cls: Any, data: dict[str, Any], **more: Any) -> Any:
    start = data["start"]
    model = cls(_STATES, "full", n_iter=_ITERATIONS, tol=-np.inf, init_params="", **more)
    model.startprob_, model.transmat_ = start.startprob_, start.transmat_
    model.means_, model.covars_ = start.means_, start.covars_
    return model.fit(data["X"], data["lengths"])


def run_ours(data: dict[str, Any]) -> Any:
    """mlcore's fit."""
    return _fit(GaussianHMM, data)


def run_peer(data: dict[str, Any]) -> Any:
    """hmmlearn's fit, its faster implementation, same start and number of iterations."""
    peer = importlib.import_module("hmmlearn.hmm")
    return _fit(peer.GaussianHMM, data, implementation="scaling")


def log_likelihood(data: dict[str, Any], model: Any) -> float:
    """Of the fitted model, per pixel."""
    return float(model.score(data["X"], data["lengths"])) / len(data["X"])


def draw(data: dict[str, Any], model: Any, folder: Path) -> list[Path]:
    """The photograph and the states of its pixels, in the colours of their means."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    states = model.predict(data["X"], data["lengths"])
    figure = Figure(figsize=(11, 3), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2)
    for axis, picture, title in (
        (axes[0], data["X"], "rows of the photograph"),
        (axes[1], np.clip(model.means_, 0, 1)[states], f"Viterbi states of an HMM, K = {_STATES}"),
    ):
        axis.imshow(picture.reshape(data["shape"]), aspect="auto")
        axis.set_title(title)
        axis.set_axis_off()
    path = folder / "states.png"
    figure.savefig(path, dpi=110)
    return [path]


DEMONSTRATIONS = [
    Demonstration(
        name="states",
        task=f"GaussianHMM full, K = {_STATES}, {_ITERATIONS} iterations",
        data="54 rows of a photograph, 640 pixels x 3",
        peer="hmmlearn.hmm.GaussianHMM (scaling)",
        quality="log-likelihood per pixel (higher is better)",
        load=load,
        run_ours=run_ours,
        run_peer=run_peer,
        measure=log_likelihood,
        draw=draw,
    )
]
