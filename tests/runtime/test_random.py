"""Philox4x64-10 and the draws built on it (mlcore/runtime/random.hpp).

Statistical tests use fixed seeds, so they give the same answer on every run; thresholds are p-values of 1e-6.
"""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from mlcore._core import _testing

random = _testing.random

SMALL_P = 1e-6
M64 = 2**64 - 1


def numpy_words(seed: int, purpose: int, item: int, part: int, position: int, n: int) -> NDArray[np.uint64]:
    """The same words from NumPy, which increments its 256-bit counter before it makes a block."""
    counter = (position // 4) + (item << 64) + (part << 128)
    before = (counter - 1) % 2**256
    limbs = np.array([(before >> (64 * i)) & M64 for i in range(4)], dtype=np.uint64)
    generator = np.random.Philox(key=np.array([seed, purpose], dtype=np.uint64), counter=limbs)
    return generator.random_raw(n + position % 4)[position % 4 :]


@pytest.mark.parametrize(
    ("seed", "purpose", "item", "part", "position"),
    [
        (0, 0, 0, 0, 0),
        (1, 0, 0, 0, 0),
        (12345678901234567890, 3, 0, 0, 0),
        (M64, 13, 7, 0, 0),
        (42, 1, 2**62, 5, 0),
        (42, 1, 5, 2**62, 0),
        (42, 1, 5, 9, 3),
        (42, 1, 5, 9, 2**40 + 1),
        (42, 1, 5, 9, M64 - 200),
    ],
)
def test_words_equal_numpys(seed: int, purpose: int, item: int, part: int, position: int) -> None:
    ours = random.words(101, seed=seed, purpose=purpose, item=item, part=part, position=position)
    np.testing.assert_array_equal(ours, numpy_words(seed, purpose, item, part, position, 101))


def test_random_access_equals_drawing_in_order() -> None:
    in_order = random.words(64, seed=9, item=3)
    positions = [5, 4, 4, 63, 0, 1, 2, 3, 17, 16, 62]
    np.testing.assert_array_equal(random.words_at(positions, seed=9, item=3), in_order[positions])


@pytest.mark.parametrize(
    "name", ["uniform64", "uniform32", "uniform_open64", "uniform_positive64", "normal64", "exponential64"]
)
def test_every_real_draw_takes_one_word(name: str) -> None:
    draw = getattr(random, name)
    whole = draw(40, seed=5)
    for position in (1, 2, 7, 39):
        assert draw(1, seed=5, position=position)[0] == whole[position]


def test_uniforms_are_the_documented_functions_of_the_word() -> None:
    words = random.words(5000, seed=11)
    np.testing.assert_array_equal(random.uniform64(5000, seed=11), (words >> np.uint64(11)) * 2.0**-53)
    np.testing.assert_array_equal(
        random.uniform_open64(5000, seed=11), ((words >> np.uint64(12)) + 0.5) * 2.0**-52
    )
    np.testing.assert_array_equal(
        random.uniform_positive64(5000, seed=11), ((words >> np.uint64(11)) + 1.0) * 2.0**-53
    )
    top24 = (words >> np.uint64(40)).astype(np.float64)
    np.testing.assert_array_equal(random.uniform32(5000, seed=11), (top24 * 2.0**-24).astype(np.float32))
    np.testing.assert_array_equal(
        random.uniform_positive32(5000, seed=11), ((top24 + 1) * 2.0**-24).astype(np.float32)
    )
    top23 = (words >> np.uint64(41)).astype(np.float64)
    np.testing.assert_array_equal(
        random.uniform_open32(5000, seed=11), ((top23 + 0.5) * 2.0**-23).astype(np.float32)
    )


def test_float32_uniform_intervals() -> None:
    # 2^22 draws: each of the 2^24 (2^23) grid points at the ends is likely enough to be seen with some seed.
    n = 1 << 22
    half_open = random.uniform32(n, seed=3)
    assert half_open.dtype == np.float32
    assert half_open.min() >= 0.0
    assert half_open.max() < 1.0
    opened = random.uniform_open32(n, seed=3)
    assert opened.min() >= 2.0**-24
    assert opened.max() <= 1 - 2.0**-24
    positive = random.uniform_positive32(n, seed=3)
    assert positive.min() >= 2.0**-24
    assert positive.max() <= 1.0


def test_uniform_between_stays_inside() -> None:
    narrow = random.uniform_between(1.0, math.nextafter(1.0, 2.0), 1000, seed=1)
    assert set(narrow) == {1.0}
    wide = random.uniform_between(-3.0, 5.0, 100_000, seed=2)
    assert wide.min() >= -3.0
    assert wide.max() < 5.0
    assert stats.kstest((wide + 3.0) / 8.0, "uniform").pvalue > SMALL_P


@pytest.mark.parametrize("name", ["uniform64", "uniform32", "uniform_open64", "uniform_positive64"])
def test_uniform_distribution(name: str) -> None:
    values = getattr(random, name)(200_000, seed=2024).astype(np.float64)
    assert stats.kstest(values, "uniform").pvalue > SMALL_P
    pairs = np.histogram2d(values[::2], values[1::2], bins=32, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(pairs.ravel()).pvalue > SMALL_P


@pytest.mark.parametrize("name", ["normal64", "normal32"])
def test_normal_distribution(name: str) -> None:
    n = 400_000
    z = getattr(random, name)(n, seed=77).astype(np.float64)
    assert stats.kstest(z, "norm").pvalue > SMALL_P
    # Standard errors of the first four moments: 1, sqrt 2, sqrt 15, sqrt 96 over sqrt n; five of them.
    for power, (mean, variance) in enumerate([(0, 1), (1, 2), (0, 15), (3, 96)], start=1):
        assert abs((z**power).mean() - mean) < 5 * math.sqrt(variance / n)
    tails = np.histogram(np.abs(z), bins=[0, 1, 2, 3, 4, np.inf])[0]
    expected = n * -np.diff(2 * special.ndtr(-np.array([0.0, 1, 2, 3, 4, np.inf])))
    assert stats.chisquare(tails, expected).pvalue > SMALL_P


@pytest.mark.parametrize("name", ["exponential64", "exponential32"])
def test_exponential_distribution(name: str) -> None:
    n = 400_000
    x = getattr(random, name)(n, seed=78).astype(np.float64)
    assert x.min() >= 0
    assert not np.signbit(x).any()
    assert stats.kstest(x, "expon").pvalue > SMALL_P
    assert abs(x.mean() - 1) < 5 / math.sqrt(n)
    assert abs((x**2).mean() - 2) < 5 * math.sqrt(20 / n)


def test_quantile_of_the_normal() -> None:
    rng = np.random.default_rng(0)
    p = np.concatenate(
        [
            rng.uniform(0, 1, 400),
            2.0 ** -rng.uniform(1, 54, 400),
            1 - 2.0 ** -rng.uniform(2, 52, 200),
            [2.0**-54, 0.5],
        ]
    )
    ours = random.normal_quantile(p)
    with mpmath.workdps(60):
        exact = np.array([float(mpmath.sqrt(2) * mpmath.erfinv(2 * mpmath.mpf(float(v)) - 1)) for v in p])
    # Near 1 the tail 1 - p is exact, near 1/2 the value is proportional to p - 1/2, exact too.
    np.testing.assert_allclose(ours, exact, rtol=1e-15, atol=0)
    assert random.normal_quantile(0.5) == 0.0


def test_portable_logarithm() -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate(
        [
            2.0 ** rng.uniform(-1021, 1023, 1000),
            rng.uniform(0.4, 2.5, 2000),
            1 + rng.uniform(-1e-6, 1e-6, 200),
            [1.0],
        ]
    )
    ours = random.portable_log(x)
    with mpmath.workdps(50):
        for value, got in zip(x, ours):
            exact = mpmath.log(mpmath.mpf(float(value)))
            assert abs(mpmath.mpf(float(got)) - exact) <= math.ulp(float(exact))


@pytest.mark.parametrize("bound", [1, 2, 3, 10, 255, 1000])
def test_small_bounded_integers_are_uniform(bound: int) -> None:
    values = random.below(bound, 100_000, seed=6)
    assert values.max() < bound
    if bound > 1:
        assert stats.chisquare(np.bincount(values.astype(np.int64), minlength=bound)).pvalue > SMALL_P


@pytest.mark.parametrize("bound", [2**63 + 1, 2**63, 2**64 - 1, 3 * 2**62, 2**64 // 3 * 2 + 1])
def test_large_bounded_integers_are_uniform(bound: int) -> None:
    """At these bounds plain multiplication would give some values twice the chance of others."""
    values = random.below(bound, 100_000, seed=8)
    assert int(values.max()) < bound
    # Position within the range, and its parity: a missing rejection doubles the odds of a regular subset.
    scaled = values.astype(np.float64) / float(bound)
    assert stats.kstest(scaled, "uniform").pvalue > SMALL_P
    for modulus in (2, 3, 4):
        counts = np.bincount((values % np.uint64(modulus)).astype(np.int64), minlength=modulus)
        assert stats.chisquare(counts).pvalue > SMALL_P


@pytest.mark.parametrize("bound", [5, 2**63 + 1, 3 * 2**62, 2**64 - 1])
def test_bounded_integers_follow_multiply_and_reject(bound: int) -> None:
    words = iter([int(w) for w in random.words(2000, seed=21)])
    expected = []
    while len(expected) < 500:
        product = next(words) * bound
        if (product & M64) >= 2**64 % bound:
            expected.append(product >> 64)
    assert random.below(bound, 500, seed=21).tolist() == expected


@pytest.mark.parametrize("other", [{"seed": 2}, {"purpose": 1}, {"item": 1}, {"part": 1}])
def test_streams_are_independent(other: dict[str, int]) -> None:
    n = 1 << 16
    first = random.uniform64(n, seed=1)
    second = random.uniform64(n, **({"seed": 1} | other))
    assert np.intersect1d(first, second).size <= 2
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / math.sqrt(n)
    pairs = np.histogram2d(first, second, bins=16, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(pairs.ravel()).pvalue > SMALL_P


def test_first_words_of_neighbouring_items_are_uniform() -> None:
    first = np.array([random.uniform64(1, seed=1, item=i)[0] for i in range(20_000)])
    assert stats.kstest(first, "uniform").pvalue > SMALL_P
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 5 / math.sqrt(first.size)


def test_same_arguments_same_numbers() -> None:
    np.testing.assert_array_equal(random.normal64(100, seed=4, item=2), random.normal64(100, seed=4, item=2))
    assert not np.array_equal(random.normal64(100, seed=4, item=2), random.normal64(100, seed=5, item=2))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 100])
def test_permutation_holds_every_number_once(n: int) -> None:
    np.testing.assert_array_equal(np.sort(random.permutation(n, seed=3)), np.arange(n))


def test_permutations_are_equally_likely() -> None:
    counts = dict.fromkeys(itertools.permutations(range(4)), 0)
    for item in range(12_000):
        counts[tuple(random.permutation(4, seed=13, item=item).tolist())] += 1
    assert stats.chisquare(list(counts.values())).pvalue > SMALL_P


@pytest.mark.parametrize(
    ("n", "count"), [(0, 0), (1, 1), (10, 0), (10, 10), (1000, 3), (1000, 62), (1000, 63), (10**15, 50)]
)
def test_sample_has_no_repeats(n: int, count: int) -> None:
    sample = random.sample_without_replacement(n, count, seed=17)
    assert sample.size == count
    assert np.unique(sample).size == count
    if count:
        assert sample.min() >= 0
        assert sample.max() < n


def test_sample_is_a_partial_shuffle_however_stored() -> None:
    for n, count in [(400, 20), (400, 25), (400, 26), (160_000, 10_000), (40, 30)]:
        order = list(range(n))
        draws = []
        # One stream for all: replay its bounded integers through multiply-and-reject.
        words = iter([int(w) for w in random.words(4 * count, seed=23)])
        for i in range(count):
            product = next(words) * (n - i)
            while (product & M64) < 2**64 % (n - i):
                product = next(words) * (n - i)
            j = i + (product >> 64)
            order[i], order[j] = order[j], order[i]
            draws.append(order[i])
        assert random.sample_without_replacement(n, count, seed=23).tolist() == draws


@pytest.mark.parametrize("n", [5, 100])
def test_ordered_pairs_without_replacement_are_equally_likely(n: int) -> None:
    counts = np.zeros((n, n))
    for item in range(4000 * (1 if n == 5 else 10)):
        a, b = random.sample_without_replacement(n, 2, seed=19, item=item)
        counts[a, b] += 1
    assert np.trace(counts) == 0
    assert stats.chisquare(counts[~np.eye(n, dtype=bool)]).pvalue > SMALL_P


def test_sample_larger_than_population_is_refused() -> None:
    with pytest.raises(ValueError, match="sample size"):
        random.sample_without_replacement(3, 4, seed=0)
    with pytest.raises(ValueError, match="sample size"):
        random.sample_without_replacement(3, -1, seed=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weighted_choice_frequencies(dtype: type) -> None:
    weights = np.array([0, 1, 0, 0, 2.5, 0.25, 0, 4, 0], dtype=dtype)
    chosen = random.weighted_choice(weights, 100_000, seed=29)
    counts = np.bincount(chosen, minlength=weights.size)
    assert (counts[weights == 0] == 0).all()
    kept = weights > 0
    assert (
        stats.chisquare(counts[kept], 100_000 * weights[kept] / weights.sum(dtype=np.float64)).pvalue
        > SMALL_P
    )


def test_weighted_choice_is_search_in_the_cumulative_sum() -> None:
    weights = np.random.default_rng(3).exponential(size=1000)
    cumulative = np.cumsum(weights)
    expected = np.searchsorted(cumulative, random.uniform64(2000, seed=31) * cumulative[-1], side="right")
    np.testing.assert_array_equal(random.weighted_choice(weights, 2000, seed=31), expected)


@pytest.mark.parametrize("tiny", [5e-324, 1e-310, 1e-300])
def test_weighted_choice_of_tiny_weights_never_falls_off_the_end(tiny: float) -> None:
    # With subnormal weights the product u * total rounds to the total itself now and then.
    chosen = random.weighted_choice(np.array([tiny, 0.0, tiny, 0.0]), 1000, seed=37)
    assert set(chosen.tolist()) == {0, 2}


@pytest.mark.parametrize(
    "weights", [[], [0.0, 0.0], [1.0, -1.0], [1.0, math.nan], [1.0, math.inf], [1e308, 1e308]], ids=str
)
def test_impossible_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights must"):
        random.weighted_choice(np.array(weights), 1, seed=0)
