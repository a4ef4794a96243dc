"""The demonstration of the cluster family: same task for both sides, equal quality, a picture."""

import numpy as np
import pytest

from mlcore._demo import discover
from mlcore.cluster import _demo


@pytest.fixture(scope="module")
def small():
    """Every 40th pixel of the photograph."""
    pytest.importorskip("PIL")
    data = _demo.load()
    assert data["pixels"].shape == (273_280, 3)
    assert data["pixels"].dtype == np.float32
    assert 0 <= data["pixels"].min() < data["pixels"].max() <= 1
    rows = data["pixels"].reshape(data["shape"])[::8, ::5]
    return {"shape": rows.shape, "pixels": np.ascontiguousarray(rows.reshape(-1, 3)), "start": data["start"]}


def test_it_is_found():
    assert "colours" in [demonstration.name for demonstration in discover()]


def test_both_sides_reach_the_same_quality(small):
    ours, peer = _demo.run_ours(small), _demo.run_peer(small)
    assert ours.inertia_ == pytest.approx(peer.inertia_, rel=1e-3)
    assert _demo.signal_to_noise(small, ours) == pytest.approx(_demo.signal_to_noise(small, peer), abs=0.01)
    # The decibels are those of the inertia: centres are colours, none of which needed clipping.
    mean_square = ours.inertia_ / small["pixels"].size
    assert _demo.signal_to_noise(small, ours) == pytest.approx(-10 * np.log10(mean_square), abs=1e-3)
    assert _demo.signal_to_noise(small, ours) > 25


def test_the_picture(small, tmp_path):
    pytest.importorskip("matplotlib")
    (path,) = _demo.draw(small, _demo.run_ours(small), tmp_path)
    assert path.parent == tmp_path
    assert path.read_bytes()[:4] == b"\x89PNG"
