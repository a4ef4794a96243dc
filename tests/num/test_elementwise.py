"""exp, expm1, log, log1p, tanh, sigmoid of num/vector_math.hpp, at every level that this CPU runs."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

from mlcore._core import _testing

num = _testing.num
LEVELS = num.levels_here()
DTYPES = [np.float32, np.float64]
FUNCTIONS = ["exp", "expm1", "log", "log1p", "tanh", "sigmoid"]

# The bounds that vector_math.hpp states, in ULP.
BOUNDS = {"exp": 1.1, "expm1": 1.5, "log": 1.0, "log1p": 1.6, "tanh": 1.5, "sigmoid": 1.6}

EXACT = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
}
EXTENDED = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}
# Interval in which the result is finite and not yet constant, for float32 and float64.
RANGE = {
    "exp": {np.float32: (-103.9, 88.72), np.float64: (-745.1, 709.78)},
    "expm1": {np.float32: (-18, 88.72), np.float64: (-38, 709.78)},
    "log": {np.float32: (1e-45, 3.4e38), np.float64: (5e-324, 1.79e308)},
    "log1p": {np.float32: (-0.9999999, 3.4e38), np.float64: (-0.9999999999999999, 1.79e308)},
    "tanh": {np.float32: (-9.1, 9.1), np.float64: (-19.1, 19.1)},
    "sigmoid": {np.float32: (-103.9, 17), np.float64: (-745.1, 37)},
}

needs_extended = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="long double is no wider than double here"
)


def call(name: str, x: NDArray[Any], level: str, threads: int = 1) -> NDArray[Any]:
    result: NDArray[Any] = getattr(num, name)(x, level, threads)
    assert result.dtype == x.dtype
    return result


def neighbours(points: NDArray[Any], dtype: type, steps: int) -> NDArray[Any]:
    """Each point, and the `steps` floats on either side of it."""
    centre = np.asarray(points).astype(dtype)
    result = [centre]
    up = down = centre
    for _ in range(steps):
        up, down = np.nextafter(up, dtype(np.inf)), np.nextafter(down, dtype(-np.inf))
        result += [up, down]
    return np.concatenate(result)


def seams(name: str, dtype: type) -> NDArray[Any]:
    """Where a reduction changes its integer, a branch its side, or a result its kind."""
    if name in ("exp", "expm1", "sigmoid", "tanh"):
        halves = np.arange(-2160, 2160) * (math.log(2) / 2 if name != "tanh" else math.log(2) / 4)
        constants = [0.625, -0.625, 0.0, 10, 20, -20, -40, 2.0**-60, -(2.0**-60), 2.0**-30, -(2.0**-30)]
        points = np.concatenate([halves, constants])
    else:
        exponents = np.arange(-1074, 1024) if dtype is np.float64 else np.arange(-149, 128)
        powers = np.ldexp(1.0, exponents)
        points = np.concatenate([powers, powers * math.sqrt(0.5)])
        if name == "log1p":
            small = np.ldexp(1.0, np.arange(-60, 1))
            points = np.concatenate([points, points - 1, -small, math.sqrt(0.5) * small - 1])
    with np.errstate(all="ignore"):
        return neighbours(points, dtype, 3)


def random_points(name: str, dtype: type, n: int, seed: int) -> NDArray[Any]:
    """Random bit patterns, an interval where the functions bend, and the whole range."""
    rng = np.random.default_rng(seed)
    low, high = RANGE[name][dtype]
    words = rng.integers(0, 2**64, n, dtype=np.uint64)
    patterns = words.view(np.float64) if dtype is np.float64 else words.astype(np.uint32).view(np.float32)
    near = rng.uniform(-2, 2, n) if name not in ("log", "log1p") else rng.uniform(-0.6, 3, n)
    wide = rng.uniform(max(low, -1e30), min(high, 1e30), n)
    return np.concatenate([patterns, near.astype(dtype), wide.astype(dtype)])


def inside(name: str, x: NDArray[Any]) -> NDArray[Any]:
    low, high = RANGE[name][x.dtype.type]
    return x[(x >= low) & (x <= high)]


def ulp_errors(result: NDArray[Any], exact: NDArray[Any]) -> NDArray[Any]:
    """|result - exact| in units in the last place of `exact` (subnormal: of the smallest number)."""
    info = np.finfo(result.dtype)
    size = np.maximum(np.abs(exact), exact.dtype.type(info.tiny))
    unit = np.ldexp(exact.dtype.type(1), np.frexp(size)[1] - 1 - info.nmant)
    return np.abs(result.astype(exact.dtype) - exact) / unit


@needs_extended
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_in_extended_precision(name: str, dtype: type, level: str) -> None:
    x = inside(name, np.concatenate([random_points(name, dtype, 100_000, 1), seams(name, dtype)]))
    assert x.size > 100_000
    wide = np.longdouble if dtype is np.float64 else np.float64
    with np.errstate(under="ignore"):
        exact = EXTENDED[name](x.astype(wide))
    errors = ulp_errors(call(name, x, level), exact)
    worst = np.argmax(errors)
    assert errors[worst] <= BOUNDS[name], (x[worst], errors[worst])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_against_mpmath(name: str, dtype: type, level: str) -> None:
    x = inside(name, np.concatenate([random_points(name, dtype, 200, 2), seams(name, dtype)[::97]]))
    assert x.size > 200
    got = call(name, x, level)
    info = np.finfo(dtype)
    smallest = mpmath.ldexp(1, int(info.minexp) - int(info.nmant))
    with mpmath.workprec(200):
        for value, result in zip(x.tolist(), got.tolist()):
            exact = EXACT[name](mpmath.mpf(value))
            exponent = int(mpmath.frexp(exact)[1]) if exact else -10_000
            unit = max(smallest, mpmath.ldexp(1, exponent - 1 - int(info.nmant)))
            error = abs(mpmath.mpf(result) - exact) / unit
            assert error <= BOUNDS[name], (value, float(error))


INF, NAN = math.inf, math.nan
SPECIAL = {
    "exp": [(0.0, 1), (-0.0, 1), (INF, INF), (-INF, 0), (NAN, NAN), (1e30, INF), (-1e30, 0)],
    "expm1": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1), (NAN, NAN), (1e30, INF), (-1e30, -1)],
    "log": [
        (1, 0.0),
        (0.0, -INF),
        (-0.0, -INF),
        (INF, INF),
        (-INF, NAN),
        (-1, NAN),
        (-1e-40, NAN),
        (NAN, NAN),
    ],
    "log1p": [
        (0.0, 0.0),
        (-0.0, -0.0),
        (-1, -INF),
        (INF, INF),
        (-INF, NAN),
        (-1.5, NAN),
        (-1e30, NAN),
        (NAN, NAN),
    ],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, 1), (-INF, -1), (NAN, NAN), (1e30, 1), (-1e30, -1)],
    "sigmoid": [(0.0, 0.5), (-0.0, 0.5), (INF, 1), (-INF, 0.0), (NAN, NAN), (1e30, 1), (-1e30, 0.0)],
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_values(name: str, dtype: type, level: str) -> None:
    x = np.array([pair[0] for pair in SPECIAL[name]], dtype=dtype)
    expected = np.array([pair[1] for pair in SPECIAL[name]], dtype=dtype)
    got = call(name, x, level)
    np.testing.assert_array_equal(got, expected)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got[known]), np.signbit(expected[known]))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_limits_of_exp(dtype: type, level: str) -> None:
    """inf begins where the exact value passes the largest number, 0 below half the smallest."""
    info = np.finfo(dtype)
    with mpmath.workprec(200):
        top = dtype(float(mpmath.log(mpmath.mpf(float(info.max)))))
        bottom = dtype(float(mpmath.log(mpmath.mpf(float(info.smallest_subnormal)) / 2)))
        around_top = neighbours(np.array([top]), dtype, 4)
        around_bottom = neighbours(np.array([bottom]), dtype, 4)
        overflows = [mpmath.exp(mpmath.mpf(float(v))) > float(info.max) for v in around_top]
        vanishes = [
            mpmath.exp(mpmath.mpf(float(v))) < float(info.smallest_subnormal) / mpmath.mpf(2)
            for v in around_bottom
        ]
    assert 0 < sum(overflows) < len(overflows)
    assert 0 < sum(vanishes) < len(vanishes)
    np.testing.assert_array_equal(np.isinf(call("exp", around_top, level)), overflows)
    np.testing.assert_array_equal(call("exp", around_bottom, level) == 0, vanishes)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["expm1", "log1p", "tanh"])
def test_tiny_arguments_come_back(name: str, dtype: type, level: str) -> None:
    info = np.finfo(dtype)
    x = np.array([info.smallest_subnormal, info.tiny, info.tiny * 3.3, 3e-40, 2.0**-70], dtype=dtype)
    x = np.concatenate([x, -x])
    np.testing.assert_array_equal(call(name, x, level), x)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_depends_on_nothing_but_the_argument(name: str, dtype: type, level: str) -> None:
    """Lengths around the vector width; unaligned starts; bad neighbours."""
    x = np.linspace(0.05, 3, 70).astype(dtype)
    expected = call(name, x, level)
    for length in (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33):
        for start in (0, 1, 3):
            part = slice(start, start + length)
            np.testing.assert_array_equal(call(name, x[part], level), expected[part])
    spoiled = x.copy()
    spoiled[1::2] = np.resize(np.array([np.nan, np.inf, -np.inf, 0, -1e30, 1e-45], dtype=dtype), 35)
    np.testing.assert_array_equal(call(name, spoiled, level)[::2], expected[::2])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_give_the_same_bits(dtype: type, threads: int) -> None:
    x = np.abs(np.random.default_rng(0).normal(size=300_001)).astype(dtype)
    for name in FUNCTIONS:
        one = call(name, x, LEVELS[-1])
        np.testing.assert_array_equal(call(name, x, LEVELS[-1], threads), one)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_in_place(name: str, dtype: type) -> None:
    x = np.linspace(0.05, 3, 5001).astype(dtype)
    expected = call(name, x, LEVELS[-1])
    num.apply_in_place(name, x, LEVELS[-1])
    np.testing.assert_array_equal(x, expected)


@pytest.mark.skipif("v3" not in LEVELS, reason="the CPU has no level with fused multiply-add")
def test_upper_levels_fuse_multiply_and_add() -> None:
    """One misplaced compiler flag takes it from every kernel file; the rounding shows whether it is there."""
    x = np.random.default_rng(0).normal(size=10_000)
    base = call("exp", x, "base")
    assert not np.array_equal(base, call("exp", x, "v3"))
    np.testing.assert_allclose(base, call("exp", x, "v3"), rtol=5e-16)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_flushed_exp(dtype: type, level: str) -> None:
    """The form for sums: as exp down to the smallest normal result, 0 below, 0 and NaN for -inf and NaN."""
    info = np.finfo(dtype)
    low, high = math.log(info.tiny) + 0.01, 709.0 if dtype is np.float64 else 88.0
    x = np.random.default_rng(5).uniform(low, high, 50_000).astype(dtype)
    np.testing.assert_array_equal(call("exp_flushed", x, level), call("exp", x, level))
    below = np.array([low - 0.02, low - 1, -1e4, -1e30, -np.inf], dtype=dtype)
    np.testing.assert_array_equal(call("exp_flushed", below, level), 0)
    assert np.isnan(call("exp_flushed", np.array([np.nan], dtype=dtype), level)).all()
    np.testing.assert_array_equal(call("exp_flushed", np.array([0.0, -0.0], dtype=dtype), level), 1)


def test_unknown_level_and_strided_input_are_refused() -> None:
    with pytest.raises(ValueError, match="level"):
        num.exp(np.zeros(3), "v9")
    with pytest.raises(ValueError, match="contiguous"):
        num.exp(np.zeros(6)[::2], "base")
    with pytest.raises(TypeError):
        num.exp(np.zeros(3, dtype=np.int64), "base")


@needs_extended
@pytest.mark.parametrize("level", LEVELS)
def test_expm1_adds_what_the_reduction_rounds_off(level: str) -> None:
    """Around log 2 (k = 1, r of either sign) the term c is worth 0.4 ULP: with it 1.2, without it 1.5."""
    x = np.random.default_rng(0).uniform(0.36, 1.03, 60_000)
    errors = ulp_errors(call("expm1", x, level), np.expm1(x.astype(np.longdouble)))
    assert errors.max() <= 1.3
