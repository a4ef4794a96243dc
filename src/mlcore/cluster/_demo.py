"""The family's demonstration: the colours of a photograph, reduced to 64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_sample_image

from .._demo import Demonstration
from ._kmeans import KMeans, kmeans_plusplus

__all__ = ["DEMONSTRATIONS"]

_COLOURS = 64


def load() -> dict[str, Any]:
    """The bundled photograph as (273280, 3) float32 pixels in [0, 1], and one set of starting centres for
    both."""
    photograph: npt.NDArray[np.uint8] = load_sample_image("china.jpg")
    pixels = (photograph.reshape(-1, 3) / np.float32(255)).astype(np.float32)
    # Seeded on a sample: both sides start from the same centres, so the seeding is no part of the comparison.
    sample = np.random.default_rng(0).choice(pixels.shape[0], 10_000, replace=False)
    start, _ = kmeans_plusplus(pixels[sample], _COLOURS, random_state=0)
    return {"shape": photograph.shape, "pixels": pixels, "start": start}


def run_ours(data: dict[str, Any]) -> Any:
    """mlcore's fit."""
    return KMeans(_COLOURS, init=data["start"], n_init=1).fit(data["pixels"])


def run_peer(data: dict[str, Any]) -> Any:
    """scikit-learn's fit, same start, same stopping rule."""
    from sklearn.cluster import KMeans as Peer

    return Peer(_COLOURS, init=data["start"], n_init=1).fit(data["pixels"])


def reduced(data: dict[str, Any], model: Any) -> npt.NDArray[np.float32]:
    """Each pixel replaced by its centre."""
    colours: npt.NDArray[np.float32] = np.clip(model.cluster_centers_, 0, 1)[model.labels_]
    return colours


def signal_to_noise(data: dict[str, Any], model: Any) -> float:
    """Peak signal-to-noise ratio of the reduced picture, in decibels: -10 log10(mean squared error)."""
    error = np.square(data["pixels"] - reduced(data, model), dtype=np.float64).mean()
    return float(-10.0 * np.log10(error))


def draw(data: dict[str, Any], model: Any, folder: Path) -> list[Path]:
    """Before and after, with the palette."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    before = data["pixels"].reshape(data["shape"])
    after = reduced(data, model).reshape(data["shape"])
    n_colours = np.unique(data["pixels"], axis=0).shape[0]
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2, height_ratios=[8, 1])
    for column, (picture, title) in enumerate(
        [
            (before, f"before: {n_colours:,} colours"),
            (after, f"after: {_COLOURS} colours, PSNR {signal_to_noise(data, model):.1f} dB"),
        ]
    ):
        axes[0, column].imshow(picture)
        axes[0, column].set_title(title)
    # Palette by brightness; the width of a colour is its share of the pixels.
    colours = np.clip(model.cluster_centers_, 0, 1)
    order = np.argsort(colours.sum(axis=1))
    share = np.bincount(model.labels_, minlength=_COLOURS)[order] / model.labels_.size
    left = np.concatenate([[0.0], np.cumsum(share)[:-1]])
    axes[1, 1].bar(left, 1.0, share, align="edge", color=colours[order])
    axes[1, 1].set_xlim(0, 1)
    for axis in axes.ravel():
        axis.set_axis_off()
    path = folder / "colours.png"
    figure.savefig(path, dpi=110)
    return [path]


DEMONSTRATIONS = [
    Demonstration(
        name="colours",
        task=f"colour quantisation, k = {_COLOURS}",
        data="photograph, 273,280 x 3, float32",
        peer="sklearn.cluster.KMeans",
        quality="PSNR of the reduced picture in dB (higher is better)",
        load=load,
        run_ours=run_ours,
        run_peer=run_peer,
        measure=signal_to_noise,
        draw=draw,
    )
]
