"""Gradients, Hessians and values of the native losses; gradient-based sampling; bins."""

import numpy as np
import pytest

from mlcore._core import ensemble, tree


def log1pexp(x):
    return np.logaddexp(0.0, x)


# name, parameter, loss of (y, f), smooth second derivative?
LOSSES = {
    "squared_error": (0.0, lambda y, f, p: (y - f) ** 2 / 2),
    "absolute_error": (0.0, lambda y, f, p: abs(y - f)),
    "huber": (0.7, lambda y, f, p: np.where(abs(y - f) <= p, (y - f) ** 2 / 2, p * (abs(y - f) - p / 2))),
    "quantile": (0.3, lambda y, f, p: np.where(y >= f, p * (y - f), (1 - p) * (f - y))),
    "expectile": (0.8, lambda y, f, p: np.where(y >= f, p, 1 - p) * (y - f) ** 2),
    "poisson": (0.0, lambda y, f, p: np.exp(f) - y * f),
    "gamma": (0.0, lambda y, f, p: f + y * np.exp(-f)),
    "tweedie": (1.5, lambda y, f, p: np.exp((2 - p) * f) / (2 - p) - y * np.exp((1 - p) * f) / (1 - p)),
    "log_loss": (0.0, lambda y, f, p: log1pexp(f) - y * f),
}
UNIT_HESSIAN = {"absolute_error", "huber", "quantile"}


def targets(name, rng, n):
    if name == "log_loss":
        return rng.integers(0, 2, n).astype(float)
    return rng.gamma(2.0, size=n)


@pytest.mark.parametrize("n", [1, 15, 256, 257, 3000])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_derivatives_and_values(name, weighted, n):
    parameter, loss = LOSSES[name]
    rng = np.random.default_rng(n)
    y, f = targets(name, rng, n), rng.normal(size=n)
    w = rng.uniform(0.1, 2.0, n) if weighted else None
    weights = np.ones(n) if w is None else w
    g, h = np.empty((1, n), np.float32), np.empty((1, n), np.float32)
    ensemble.gradients(name, parameter, y, f[None], w, g, h)
    step = 1e-5
    up, down, here = (loss(y, f + e, parameter) for e in (step, -step, 0.0))
    np.testing.assert_allclose(g[0], weights * (up - down) / (2 * step), rtol=2e-5, atol=2e-5)
    step = 1e-3
    up, down = (loss(y, f + e, parameter) for e in (step, -step))
    second = 1.0 if name in UNIT_HESSIAN else (up - 2 * here + down) / step**2
    close = np.isclose(h[0], weights * second, rtol=1e-3, atol=1e-4)
    assert close.mean() > 0.99 if n > 100 else close.all()  # a row may sit at a kink
    value = ensemble.loss(name, parameter, y, f[None], w)
    np.testing.assert_allclose(value, np.average(here, weights=weights), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "K"), [(1, 3), (255, 2), (700, 7)])
def test_multinomial(n, K, weighted):
    rng = np.random.default_rng(n)
    y = rng.integers(0, K, n).astype(float)
    raw = rng.normal(scale=3.0, size=(K, n))
    raw[0, 0] = 800.0  # e^800 overflows
    w = rng.uniform(0.1, 2.0, n) if weighted else np.ones(n)
    p = np.exp(raw - raw.max(axis=0))
    p /= p.sum(axis=0)
    onehot = np.arange(K)[:, None] == y
    g, h = np.empty((K, n), np.float32), np.empty((K, n), np.float32)
    ensemble.gradients("multinomial", 0.0, y, raw, w if weighted else None, g, h)
    np.testing.assert_allclose(g, (p - onehot) * w, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(h, p * (1 - p) * w, rtol=1e-5, atol=1e-6)
    value = ensemble.loss("multinomial", 0.0, y, raw, w if weighted else None)
    shifted = raw - raw.max(axis=0)
    expected = np.log(np.exp(shifted).sum(axis=0)) - shifted[y.astype(int), np.arange(n)]
    np.testing.assert_allclose(value, np.average(expected, weights=w), rtol=1e-12)


def test_log_loss_far_out_keeps_relative_precision():
    f = np.array([-800.0, -40.0, 0.0, 40.0, 800.0])
    g, h = np.empty((1, 5), np.float32), np.empty((1, 5), np.float32)
    ensemble.gradients("log_loss", 0.0, np.zeros(5), f[None], None, g, h)
    np.testing.assert_allclose(g[0], [0.0, np.exp(-40.0), 0.5, 1.0, 1.0], rtol=1e-6)
    np.testing.assert_allclose(h[0], [0.0, np.exp(-40.0), 0.25, np.exp(-40.0), 0.0], rtol=1e-6)
    assert ensemble.loss("log_loss", 0.0, np.zeros(5), f[None], None) == pytest.approx((840 + np.log(2)) / 5)


def test_constant_hessians_are_left_alone():
    y, raw, g = np.arange(4.0), np.zeros((1, 4)), np.empty((1, 4), np.float32)
    h = np.full((1, 1), 7.0, np.float32)
    ensemble.gradients("squared_error", 0.0, y, raw, None, g, h)
    assert h[0, 0] == 7.0
    np.testing.assert_array_equal(g[0], -y)
    with pytest.raises(ValueError, match="not constant"):
        ensemble.gradients("poisson", 0.0, y, raw, None, g, h)
    with pytest.raises(ValueError, match="unknown loss"):
        ensemble.gradients("hinge", 0.0, y, raw, None, g, h)


def test_loss_is_the_same_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    y, raw, w = rng.random(300_001), rng.normal(size=(1, 300_001)), rng.random(300_001)
    values = {ensemble.loss("log_loss", 0.0, y, raw, w, n_threads=k) for k in (1, 2, 7)}
    assert len(values) == 1


def test_compiled_objective():
    import ctypes

    signature = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5, ctypes.c_int64)

    def half_square(y, raw, weights, g, h, n):
        view = lambda p, t: np.ctypeslib.as_array(ctypes.cast(p, ctypes.POINTER(t)), (n,))  # noqa: E731
        w = view(weights, ctypes.c_double) if weights else 1.0
        view(g, ctypes.c_float)[:] = w * (view(raw, ctypes.c_double) - view(y, ctypes.c_double))
        view(h, ctypes.c_float)[:] = w

    callback = signature(half_square)
    address = ctypes.cast(callback, ctypes.c_void_p).value
    rng = np.random.default_rng(0)
    y, raw, w = rng.normal(size=(3, 5000))
    g, h = np.empty(5000, np.float32), np.empty(5000, np.float32)
    for weights in (None, w):
        ensemble.call_objective(address, y, raw, weights, g, h)
        scale = 1.0 if weights is None else w
        np.testing.assert_allclose(g, scale * (raw - y), rtol=1e-6)
        np.testing.assert_allclose(h, np.broadcast_to(scale, 5000), rtol=1e-6)


def test_goss_keeps_the_top_and_scales_the_rest():
    rng = np.random.default_rng(0)
    g = rng.normal(size=(1, 1000)).astype(np.float32)
    h = np.ones((1, 1000), np.float32)
    before = g.copy()
    rows = ensemble.goss(g, h, 0.2, 0.1, seed=3)
    assert len(rows) == 300
    assert (np.diff(rows.astype(int)) > 0).all()
    top = np.argsort(-abs(before[0]))[:200]
    assert set(top) <= set(rows.tolist())
    rest = np.setdiff1d(rows, top)
    np.testing.assert_allclose(g[0, rest], before[0, rest] * 8.0, rtol=1e-6)
    np.testing.assert_array_equal(h[0, rest], 8.0)
    untouched = np.setdiff1d(np.arange(1000), rest)
    np.testing.assert_array_equal(g[0, untouched], before[0, untouched])


def test_goss_is_unbiased():
    rng = np.random.default_rng(11)
    values = rng.exponential(size=1500).astype(np.float32)
    sums = []
    for seed in range(400):
        g, h = values[None].copy(), np.ones((1, 1500), np.float32)
        rows = ensemble.goss(g, h, 0.2, 0.1, seed=seed)
        sums.append((g[0, rows].sum(dtype=float), h[0, rows].sum(dtype=float)))
    mean, spread = np.mean(sums, axis=0), np.std(sums, axis=0) / 20
    assert abs(mean[0] - values.sum(dtype=float)) < 4 * spread[0]
    np.testing.assert_allclose(mean[1], 1500.0, rtol=1e-6)  # the counts are exact


def test_goss_with_equal_gradients_takes_the_lower_rows_to_the_top():
    g, h = np.ones((1, 100), np.float32), np.ones((1, 1), np.float32)
    rows = ensemble.goss(g, h, 0.3, 0.1, seed=0)
    assert len(rows) == 40
    np.testing.assert_array_equal(rows[:30], np.arange(30))


@pytest.mark.parametrize("distinct", [3, 200, 10**9])
def test_goss_of_many_blocks(distinct):
    """Ties across blocks of rows go to the lower ones; any number of threads takes the same rows."""
    n = 60_001
    values = np.random.default_rng(2).integers(1, distinct, size=n).astype(np.float32)
    found = []
    for threads in (1, 2, 7):
        g, h = values[None].copy(), np.ones((1, n), np.float32)
        rows = ensemble.goss(g, h, 0.2, 0.1, seed=5, n_threads=threads)
        found.append((rows, g, h))
        for one, other in zip(found[0], found[-1]):
            np.testing.assert_array_equal(one, other)
    rows, _, h = found[0]
    assert (np.diff(rows.astype(int)) > 0).all()
    top = np.argsort(-values, kind="stable")[:12_001]
    np.testing.assert_array_equal(rows[h[0, rows] == 1.0], np.sort(top))
    drawn = rows[h[0, rows] != 1.0]
    assert len(drawn) == 6_001
    # spread over the rows, as far as the rest is: thirds hold thirds
    rest = np.setdiff1d(np.arange(n), top)
    share, expected = np.histogram(drawn, 3)[0] / 6_001, np.histogram(rest, 3, (drawn[0], drawn[-1]))[0]
    np.testing.assert_allclose(share, expected / expected.sum(), atol=0.03)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_bins_by_search(dtype, order):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 70)).astype(dtype)
    X[:, 1] = np.round(X[:, 1])
    X[rng.random(X.shape) < 0.02] = np.nan
    X[0, :3], X[1, :3] = np.inf, -np.inf
    thresholds = tree.find_bins(X, None, None, 64, None, 2)
    binned = tree.BinnedMatrix(np.asarray(X, order=order), thresholds, None, 2)
    assert len(thresholds[0]) == 63
    assert len(thresholds[1]) < 12
    for j in range(70):
        expected = np.searchsorted(thresholds[j], X[:, j].astype(float), side="left")
        expected[np.isnan(X[:, j])] = len(thresholds[j]) + 1
        np.testing.assert_array_equal(binned.bins(j), expected, err_msg=str(j))
    assert binned.has_missing().all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 3, 255, 1000, 5000])
def test_thresholds_are_scikit_learns(n, dtype, weighted):
    binning = pytest.importorskip("sklearn.ensemble._hist_gradient_boosting.binning")
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 5)).astype(dtype)
    X[:, 1] = np.round(X[:, 1] * 3)
    X[:, 2] = 4.0
    X[rng.random(X.shape) < 0.1] = np.nan
    w = rng.integers(0, 3, n).astype(float) if weighted else None
    found = tree.find_bins(X, w, None, 40, None, 2)
    for j, thresholds in enumerate(found):
        kept = ~np.isnan(X[:, j]) if w is None else ~np.isnan(X[:, j]) & (w > 0)
        if not kept.any():
            assert len(thresholds) == 0
            continue
        expected = binning._find_binning_thresholds(X[:, j].astype(float), 40, w)
        np.testing.assert_array_equal(thresholds, expected)


def test_thresholds_of_a_subsample_with_repeats():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 40))
    rows = rng.integers(0, 500, 700)
    categorical = np.zeros(40, np.uint8)
    categorical[3] = 1
    found = tree.find_bins(X, None, rows, 100, categorical, 2)
    alone = tree.find_bins(X[rows], None, None, 100, None, 1)
    for j in range(40):
        np.testing.assert_array_equal(found[j], alone[j][:0] if j == 3 else alone[j])


def test_codes_beyond_the_categories_are_missing():
    X = np.array([[0.0], [2.0], [3.0], [-1.0], [np.nan]])
    binned = tree.BinnedMatrix(X, [np.array([])], np.array([3], np.int32))
    np.testing.assert_array_equal(binned.bins(0), [0, 2, 3, 3, 3])
    assert binned.n_bins()[0] == 3


def test_binning_refuses_bad_thresholds():
    X = np.zeros((2, 1))
    with pytest.raises(ValueError, match="increase"):
        tree.BinnedMatrix(X, [np.array([1.0, 1.0])])
    with pytest.raises(ValueError, match="one list per column"):
        tree.BinnedMatrix(X, [])
    with pytest.raises(ValueError, match="254"):
        tree.BinnedMatrix(X, [np.arange(300.0)])
