"""The k-distance curve."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestNeighbors

from mlcore.cluster import DBSCAN, elbow_point, k_distance


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev"])
@pytest.mark.parametrize("k", [1, 4, 40])
def test_scikit_learn_gives_the_same_curve(metric, k):
    X = np.random.default_rng(0).normal(size=(500, 3))
    distances, knee = k_distance(X, k, metric=metric)
    peer = NearestNeighbors(n_neighbors=k, metric=metric).fit(X).kneighbors()[0]  # the row itself left out
    np.testing.assert_allclose(distances, np.sort(peer[:, -1]), rtol=1e-14)
    assert knee == distances[elbow_point(np.arange(500), distances)]


def test_the_knee_is_an_eps_that_separates_noise():
    rng = np.random.default_rng(1)
    groups = [rng.normal(c, 0.3, size=(300, 2)) for c in ((0, 0), (8, 0), (0, 8))]
    X = np.vstack([*groups, rng.uniform(-20, 20, size=(40, 2))])
    truth = np.repeat([0, 1, 2, -1], [300, 300, 300, 40])
    _, eps = k_distance(X, 4)
    labels = DBSCAN(eps, min_samples=5).fit_predict(X)
    assert adjusted_rand_score(truth, labels) > 0.95


def test_equal_rows():
    distances, knee = k_distance(np.ones((10, 2)), 3)
    assert not distances.any()
    assert knee == 0.0


def test_what_does_not_fit_is_refused():
    X = np.zeros((4, 2))
    for arguments, words in (
        ({"k": 4}, "n_samples=4 should be > k=4"),
        ({"k": 0}, "at least 1"),
        ({"k": 1.5}, "at least 1"),
        ({"metric": "cosine"}, "must be one of"),
        ({"n_jobs": 0}, "n_jobs == 0"),
    ):
        with pytest.raises(ValueError, match=words):
            k_distance(X, **arguments)
    with pytest.raises(ValueError, match="overflow"):
        k_distance(np.array([[0.0], [1e200], [-1e200]]), 1)
