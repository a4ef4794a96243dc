"""Ordered reductions (num/reductions.hpp): sums, dot products, column moments, at every level of this CPU."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mlcore._core import _testing

num = _testing.num
LEVELS = num.levels_here()
DTYPES = [np.float32, np.float64]
# Around the vectors of every level, four of them, and the blocks of 8192.
SIZES = [0, 1, 2, 3, 7, 8, 9, 31, 32, 33, 100, 8191, 8192, 8193, 100_003]
EPS = float(np.finfo(np.float64).eps)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_sum_and_dot(dtype: type, level: str, n: int) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=n).astype(dtype), rng.normal(size=n).astype(dtype)
    wide_x, wide_y = x.astype(np.float64), y.astype(np.float64)
    atol = 50 * EPS * float(np.abs(wide_x).sum())
    assert num.sum(x, level) == pytest.approx(math.fsum(wide_x), rel=0, abs=atol)
    products = wide_x.astype(np.longdouble) * wide_y
    atol = 50 * EPS * float(np.abs(products).sum())
    assert num.dot(x, y, level) == pytest.approx(float(products.sum()), rel=0, abs=atol)


@pytest.mark.parametrize("level", LEVELS)
def test_sums_of_float32_do_not_stop_growing(level: str) -> None:
    """2^25 ones: a float32 accumulator of one lane would stand still long before."""
    ones = np.ones(1 << 25, dtype=np.float32)
    assert num.sum(ones, level) == 2.0**25
    assert num.dot(ones, ones, level) == 2.0**25


def oracle(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Mean and population variance in exact rational arithmetic, rounded at the end."""
    means, variances = [], []
    for column in x.T.tolist():
        values = [Fraction(v) for v in column]
        mean = sum(values, Fraction(0)) / len(values)
        means.append(float(mean))
        variances.append(float(sum((v - mean) ** 2 for v in values) / len(values)))
    return np.array(means), np.array(variances)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [1, 2, 3, 7, 8, 9, 31, 32, 33, 41])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_column_moments(dtype: type, level: str, d: int, offset: float) -> None:
    rng = np.random.default_rng(d)
    # 41 columns: blocks of 199 rows, so that several are joined.
    for n in (1, 2, 5, 450 if d > 8 else 60):
        x = (rng.normal(size=(n, d)) + offset).astype(dtype)
        mean, variance = oracle(x)
        big = np.zeros((2 * n, 2 * d), dtype=dtype)
        big[::2, ::2] = x
        for a in (x, np.asfortranarray(x), big[::2, ::2]):
            got_mean, got_variance = num.column_moments(a, level)
            assert got_mean.dtype == got_variance.dtype == np.float64
            np.testing.assert_allclose(got_mean, mean, rtol=1e-14, atol=1e-14)
            np.testing.assert_allclose(got_variance, variance, rtol=1e-11, atol=1e-22)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_variance_with_an_offset_far_above_the_spread(dtype: type, level: str) -> None:
    """Spread of 0..3 on an offset of 2^23 (float64: 2^50): E[x^2] - E[x]^2 would give noise."""
    offset = 2.0**23 if dtype is np.float32 else 2.0**50
    bits = np.random.default_rng(0).integers(0, 4, size=(50_000, 3))
    x = (offset + bits).astype(dtype)
    np.testing.assert_array_equal(x.astype(np.float64) - offset, bits)
    mean, variance = num.column_moments(x, level)
    np.testing.assert_allclose(mean, offset + bits.mean(axis=0), rtol=4 * EPS)
    np.testing.assert_allclose(variance, bits.var(axis=0), rtol=1e-12)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_first_row_is_an_outlier(level: str, order: Any) -> None:
    """Values are measured from the first row, so a wild one there is the worst case."""
    x = np.random.default_rng(3).normal(size=(1000, 9))
    x[0] = 1e15
    mean, variance = oracle(x)
    got_mean, got_variance = num.column_moments(np.asarray(x, order=order), level)
    np.testing.assert_allclose(got_mean, mean, rtol=0, atol=4 * EPS * 1e15)
    np.testing.assert_allclose(got_variance, variance, rtol=1e-12)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0.1, 1e30, 3e-38])
def test_constant_columns_have_variance_zero(dtype: type, level: str, value: float) -> None:
    for order in ("C", "F"):
        x = np.full((20_001, 3), value, dtype=dtype, order=order)  # type: ignore[call-overload]
        mean, variance = num.column_moments(x, level)
        np.testing.assert_array_equal(mean, float(dtype(value)))
        np.testing.assert_array_equal(variance, 0.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_give_the_same_bits(dtype: type, threads: int) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=1_000_003).astype(dtype), rng.normal(size=1_000_003).astype(dtype)
    level = LEVELS[-1]
    assert num.sum(x, level, threads) == num.sum(x, level)
    assert num.dot(x, y, level, threads) == num.dot(x, y, level)
    for order in ("C", "F"):
        matrix = np.asarray(x[:1_000_000].reshape(-1, 25), order=order)  # type: ignore[call-overload]
        for one, many in zip(num.column_moments(matrix, level), num.column_moments(matrix, level, threads)):
            np.testing.assert_array_equal(one, many)


def test_bad_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="same size"):
        num.dot(np.zeros(3), np.zeros(4), "base")
    with pytest.raises(ValueError, match="at least one row"):
        num.column_moments(np.zeros((0, 3)), "base")
    mean, variance = num.column_moments(np.zeros((3, 0)), "base")
    assert mean.shape == variance.shape == (0,)


@pytest.mark.parametrize("level", LEVELS)
def test_nan_and_infinity_come_through(level: str) -> None:
    x = np.array([[1.0, math.inf, 2.0], [2.0, 1.0, math.nan], [3.0, 1.0, 1.0]])
    mean, variance = num.column_moments(x, level)
    np.testing.assert_array_equal(mean, [2.0, math.inf, math.nan])
    assert variance[0] == pytest.approx(2 / 3)
    assert np.isnan(variance[1:]).all()
    assert math.isnan(num.sum(np.array([1.0, math.nan] * 40), level))
