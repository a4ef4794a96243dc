"""LambdaMART on the mean average precision."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from mlcore.ensemble import HistGradientBoostingRanker
from mlcore.ensemble._lambda_loss import AveragePrecision, LambdaLoss
from mlcore.ensemble._parts import Part


def precision(relevant, order):
    """Average precision of rows in this order."""
    hits = relevant[order] > 0
    places = np.flatnonzero(hits) + 1
    return np.mean(np.arange(1, places.size + 1) / places) if places.size else 1.0


@pytest.mark.parametrize("seed", range(5))
def test_gradients_by_swapping_every_pair(seed):
    rng = np.random.default_rng(seed)
    sizes = [1, 7, 12, 4]
    qid = np.repeat(np.arange(4), sizes)
    y = rng.integers(3, size=qid.size).astype(float)
    y[qid == 3] = 0.0  # nothing relevant: nothing to learn
    s = rng.normal(size=qid.size).round(1)  # with ties, which go to the earlier row
    g, h = np.empty((1, qid.size), np.float32), np.empty((1, qid.size), np.float32)
    LambdaLoss(AveragePrecision()).derivatives(Part(None, y, None, qid=qid), s[None], g, h, 1)
    expected_g, expected_h = np.zeros(qid.size), np.zeros(qid.size)
    for q in range(4):
        rows = np.flatnonzero(qid == q)
        order = np.argsort(-s[rows], kind="stable")
        now = precision(y[rows], order)
        for a in range(rows.size):
            for b in range(rows.size):
                upper, lower = rows[order[a]], rows[order[b]]
                if not y[upper] > 0 or y[lower] > 0:
                    continue
                swapped = order.copy()
                swapped[[a, b]] = swapped[[b, a]]
                delta = abs(precision(y[rows], swapped) - now)
                rho = 1 / (1 + np.exp(s[upper] - s[lower]))
                expected_g[upper] -= rho * delta
                expected_g[lower] += rho * delta
                expected_h[[upper, lower]] += rho * (1 - rho) * delta
    np.testing.assert_allclose(g[0], expected_g, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(h[0], expected_h, rtol=1e-5, atol=1e-7)
    assert np.abs(g).max() > 0.1


def queries(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(900, 4))
    y = (X[:, 0] + X[:, 1] ** 2 + 0.5 * rng.normal(size=900) > 1.5) * rng.integers(1, 4, size=900)
    return X, y.astype(float), rng.integers(60, size=900)


def test_score_is_the_mean_average_precision():
    X, y, qid = queries()
    model = HistGradientBoostingRanker("lambdarank_map", max_iter=30).fit(X, y, qid=qid)
    scores = model.predict(X) + 1e-12 * np.arange(900)[::-1]  # ties go to the earlier row
    expected = [
        average_precision_score(y[qid == q] > 0, scores[qid == q]) if y[qid == q].any() else 1.0
        for q in range(60)
    ]
    assert model.score(X, y, qid=qid) == pytest.approx(np.mean(expected), rel=1e-10)
    assert model.score(X, y, qid=qid) > 0.9
    untrained = HistGradientBoostingRanker("lambdarank_map", max_iter=1).fit(X, y, qid=qid)
    assert untrained.score(X, y, qid=qid) < model.score(X, y, qid=qid)


def test_grades_above_zero_are_alike():
    X, y, qid = queries()
    model = HistGradientBoostingRanker("lambdarank_map", max_iter=5)
    graded = model.fit(X, y, qid=qid).predict(X)
    np.testing.assert_array_equal(model.fit(X, np.minimum(y, 1.0), qid=qid).predict(X), graded)


def test_early_stopping_watches_map():
    X, y, qid = queries()
    model = HistGradientBoostingRanker("lambdarank_map", early_stopping=True, random_state=0, max_iter=300)
    model.fit(X, y, qid=qid)
    assert model.n_iter_ < 300
    assert -1 <= model.validation_score_.min() < model.validation_score_.max() <= 0


def test_no_cut_off():
    X, y, qid = queries()
    with pytest.raises(ValueError, match="ndcg_at has no meaning"):
        HistGradientBoostingRanker("lambdarank_map", ndcg_at=5).fit(X, y, qid=qid)
