"""The formulas of a split against numeric minimisation of the objective they come from."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from mlcore.tree import leaf_weight, split_gain, structure_score


def objective(w, G, H, l2, l1):
    return G * w + 0.5 * (H + l2) * w**2 + l1 * abs(w)


@pytest.mark.parametrize(("l2", "l1"), [(0.0, 0.0), (1.5, 0.0), (0.0, 0.7), (2.0, 0.4)])
@pytest.mark.parametrize(("G", "H"), [(-3.0, 2.0), (0.3, 1.0), (5.0, 0.1)])
def test_weight_and_score_minimise_the_objective(G, H, l2, l1):
    found = minimize_scalar(objective, bracket=(-1, 1), args=(G, H, l2, l1), tol=1e-12)
    penalties = {"l2_regularization": l2, "l1_regularization": l1}
    assert leaf_weight(G, H, **penalties) == pytest.approx(found.x, abs=1e-6)
    assert structure_score(G, H, **penalties) == pytest.approx(-found.fun, abs=1e-9)


def test_gain_is_the_fall_of_the_objective():
    rng = np.random.default_rng(0)
    g, h = rng.normal(size=20), rng.uniform(0.1, 1, 20)
    left = np.cumsum(g)[:-1], np.cumsum(h)[:-1]
    gains = split_gain(*left, g.sum() - left[0], h.sum() - left[1], l2_regularization=0.5, min_split_gain=0.1)
    assert gains.shape == (19,)
    for i in (0, 7, 18):
        parts = [(g[: i + 1], h[: i + 1]), (g[i + 1 :], h[i + 1 :]), (g, h)]
        lowest = [minimize_scalar(objective, args=(a.sum(), b.sum(), 0.5, 0.0)).fun for a, b in parts]
        assert gains[i] == pytest.approx(lowest[2] - lowest[0] - lowest[1] - 0.1, abs=1e-8)


def test_nothing_at_all_is_zero():
    assert leaf_weight(0.0, 0.0) == 0.0
    assert split_gain(0.0, 0.0, 0.0, 0.0) == 0.0


@pytest.mark.parametrize("name", ["l2_regularization", "l1_regularization", "min_split_gain"])
@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_negative_penalties_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must not be negative"):
        split_gain(1.0, 1.0, 1.0, 1.0, **{name: value})
