"""Stable log-sum-exp (num/logsumexp.hpp) over rows, arrays and streams, at every level that this CPU runs."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from mlcore._core import _testing

num = _testing.num
LEVELS = num.levels_here()
DTYPES = [np.float32, np.float64]
INF, NAN = math.inf, math.nan

# Around the lanes of every level, the chunk of 8, the tile of 128 columns, the change of method at 8 vectors.
WIDTHS = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 63, 64, 65, 127, 128, 129, 136, 257, 1000]
HEIGHTS = [1, 2, 5, 8, 16, 17, 67]


def exact_rows(x: NDArray[Any]) -> NDArray[np.float64]:
    """In float64 with the exponentials of extended precision: good to a float64 rounding or two."""
    wide = x.astype(np.longdouble)
    top = wide.max(axis=1, keepdims=True)
    return (top[:, 0] + np.log(np.exp(wide - top).sum(axis=1))).astype(np.float64)


def tolerance(x: NDArray[Any]) -> float:
    """A few ULP of the largest number that occurs: the terms, or log n."""
    eps = float(np.finfo(x.dtype).eps)
    return 4 * eps * max(1.0, float(np.abs(x).max()), math.log(max(x.shape[-1], 1)))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [0.1, 10, 1000])
def test_rows_against_extended_precision(dtype: type, level: str, scale: float) -> None:
    rng = np.random.default_rng(0)
    for width in WIDTHS:
        for height in HEIGHTS if width < 20 else HEIGHTS[-2:]:
            x = (rng.normal(size=(height, width)) * scale).astype(dtype)
            got = num.logsumexp_rows(x, level)
            assert got.dtype == dtype
            np.testing.assert_allclose(got, exact_rows(x), rtol=0, atol=tolerance(x))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_and_vector_against_scipy_and_mpmath(dtype: type, level: str) -> None:
    x = (np.random.default_rng(1).normal(size=(20, 75)) * 30).astype(dtype)
    got = num.logsumexp_rows(x, level)
    np.testing.assert_allclose(
        got, special.logsumexp(x.astype(np.float64), axis=1), rtol=0, atol=tolerance(x)
    )
    for row, value in zip(x, got):
        with mpmath.workdps(50):
            exact = float(mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(float(v))) for v in row)))
        assert abs(float(value) - exact) <= tolerance(x)
        assert abs(num.logsumexp(row, level) - exact) <= tolerance(x)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [5, 40, 300])
def test_orders_and_strides_give_the_value_of_the_row(dtype: type, level: str, width: int) -> None:
    x = (np.random.default_rng(2).normal(size=(37, width)) * 5).astype(dtype)
    big = np.zeros((74, 2 * width), dtype=dtype)
    big[::2, ::2] = x
    for other in (np.asfortranarray(x), big[::2, ::2], x[:, ::-1][:, ::-1], np.vstack([x[::-1]])[::-1]):
        np.testing.assert_allclose(num.logsumexp_rows(other, level), exact_rows(x), rtol=0, atol=tolerance(x))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [5, 40, 300])
@pytest.mark.parametrize("order", ["C", "F"])
def test_bits_of_a_row_do_not_depend_on_the_others(dtype: type, level: str, width: int, order: Any) -> None:
    x = (np.random.default_rng(3).normal(size=(37, width)) * 5).astype(dtype)
    together = num.logsumexp_rows(np.asarray(x, order=order), level)
    part = num.logsumexp_rows(np.asarray(x, order=order)[3:20], level)
    np.testing.assert_array_equal(part, together[3:20])
    spoiled = x.copy()
    spoiled[1::2] = np.nan
    np.testing.assert_array_equal(
        num.logsumexp_rows(np.asarray(spoiled, order=order), level)[::2], together[::2]
    )


SPECIAL_ROWS: list[tuple[list[float], float]] = [
    ([-INF, -INF, -INF], -INF),
    ([-INF, 0.0, -INF], 0.0),
    ([INF, 0.0, -5.0], INF),
    ([INF, 3e4, -INF], INF),
    ([INF, INF, 1.0], INF),
    ([INF, -INF, -INF], INF),
    ([NAN, 0.0, 1.0], NAN),
    ([0.0, NAN, INF], NAN),
    ([-INF, -INF, NAN], NAN),
    ([NAN, NAN, NAN], NAN),
    ([3e4, 3e4, -3e4], 3e4 + math.log(2)),
    ([-3e4, -3e4, -INF], -3e4 + math.log(2)),
    ([1e30, -1e30, 0.0], 1e30),
]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("padding", [0, 20, 400])
def test_special_rows(dtype: type, level: str, padding: int) -> None:
    """Each special row as it is and widened with -inf, so that every method of the kernel meets it."""
    x = np.array([row + [-INF] * padding for row, _ in SPECIAL_ROWS], dtype=dtype)
    expected = np.array([value for _, value in SPECIAL_ROWS], dtype=dtype)
    for order in ("C", "F"):
        got = num.logsumexp_rows(np.asarray(x, order=order), level)
        np.testing.assert_allclose(got, expected, rtol=2 * np.finfo(dtype).eps, atol=0)
    for row, value in zip(x, expected):
        got_one = num.logsumexp(row, level)
        np.testing.assert_allclose(got_one, value, rtol=2 * np.finfo(dtype).eps, atol=0)
        halves = [[row[:2].copy()], [row[2:].copy()]]
        np.testing.assert_allclose(
            num.logsumexp_streams(halves, level), value, rtol=2 * np.finfo(dtype).eps, atol=0
        )
        singles = [[float(v)] for v in row[:3]]
        np.testing.assert_allclose(
            num.logsumexp_streams(singles, level), value, rtol=2 * np.finfo(dtype).eps, atol=0
        )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_to_add(dtype: type, level: str) -> None:
    np.testing.assert_array_equal(num.logsumexp_rows(np.zeros((3, 0), dtype=dtype), level), [-INF] * 3)
    assert num.logsumexp_rows(np.zeros((0, 3), dtype=dtype), level).shape == (0,)
    assert num.logsumexp(np.zeros(0, dtype=dtype), level) == -INF
    assert num.logsumexp_streams([], level) == -INF
    assert num.logsumexp_streams([[], [np.zeros(0)], []], level) == -INF
    assert num.logsumexp_streams([[], [-INF], [2.0], []], level) == 2.0


@pytest.mark.parametrize("level", LEVELS)
def test_streams_in_any_grouping_agree(level: str) -> None:
    x = np.random.default_rng(4).normal(size=500) * 200
    exact = float(exact_rows(x[None])[0])
    singles = [[float(v) for v in x]]
    rising = [[float(v) for v in np.sort(x)]]
    arrays = [[x[:100].copy(), float(x[100])], [x[101:].copy()]]
    for streams in (singles, rising, arrays):
        assert abs(num.logsumexp_streams(streams, level) - exact) <= tolerance(x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_long_float32_rows_keep_their_precision(dtype: type) -> None:
    """A million equal terms: log n, although a float32 sum of them would have stopped growing or drifted."""
    n = 1_000_003
    got = num.logsumexp_rows(np.full((1, n), -2.5, dtype=dtype), LEVELS[-1])[0]
    assert abs(float(got) - (math.log(n) - 2.5)) <= 16 * float(np.finfo(dtype).eps)
    uneven = np.random.default_rng(6).uniform(-3, 0, size=(1, n)).astype(dtype)
    got = num.logsumexp(uneven[0], LEVELS[-1])
    assert abs(got - float(exact_rows(uneven)[0])) <= (1e-8 if dtype is np.float32 else 1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_give_the_same_bits(dtype: type, threads: int) -> None:
    rng = np.random.default_rng(7)
    for shape in [(40_001, 5), (3000, 70), (300, 1001)]:
        x = rng.normal(size=shape).astype(dtype)
        for order in ("C", "F"):
            a = np.asarray(x, order=order)
            np.testing.assert_array_equal(
                num.logsumexp_rows(a, LEVELS[-1], threads), num.logsumexp_rows(a, LEVELS[-1])
            )
        flat = x.ravel()
        assert num.logsumexp(flat, LEVELS[-1], threads) == num.logsumexp(flat, LEVELS[-1])
