"""Screening in bfloat16 of the rows that seeding looks at: its slow twin, and exact seeding."""

import numpy as np
import pytest

from mlcore import _core

testing = _core._testing

LEVELS = _core.isa_levels_compiled()
LEVELS = LEVELS[: LEVELS.index(_core.isa_level_of_cpu()) + 1]
needs_amx = pytest.mark.skipif(not _core.amx_bf16(), reason="no matrix unit, or MLCORE_ISA turns it off")
UNITS = [(level, False) for level in LEVELS]
UNITS += [pytest.param(_core.isa_level_of_cpu(), True, marks=needs_amx)]
HOW = ["portable", pytest.param("matrix unit", marks=needs_amx)]
# around half a chunk and a chunk of 32 coordinates, a pair of tiles of 16 rows, a block of 512
SHAPES = [
    (1, 1, 1),
    (15, 15, 3),
    (33, 16, 6),
    (31, 17, 16),
    (513, 31, 7),
    (600, 32, 8),
    (70, 33, 5),
    (544, 97, 9),
]


def bfloat16(values):
    """Nearest bfloat16 of float32 values, as float64."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    return ((bits + np.uint32(0x8000)) & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)


def squared_distances(X, C):
    X, C = X.astype(np.float64), C.astype(np.float64)
    return ((X[:, None] - C[None]) ** 2).sum(axis=2)


def example(n, d, k, scale=1.0, seed=0):
    """Rows, candidates and the rows' squared distances to a centre, near the border of a change."""
    rng = np.random.default_rng(seed)
    X = (scale * rng.normal(size=(n, d))).astype(np.float32)
    C = (scale * rng.normal(size=(k, d))).astype(np.float32)
    nearest = squared_distances(X, C).min(axis=1)
    D = (nearest * rng.choice([0.5, 0.97, 0.9999, 1.0001, 1.03, 2.0], size=n)).astype(np.float32)
    return X, C, D


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize(("level", "amx"), UNITS)
@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_near_rows_equal_the_slow_twin(n, d, k, level, amx, listed):
    X, C, D = example(n, d, k, seed=n)
    near = testing.kmeans_near_rows(X, C, D, level, amx, listed).astype(bool)
    looked_at = np.ones(n, dtype=bool)
    if listed:
        looked_at[1::2] = n > 512  # every other row of a block; the blocks here are even but for the last
        looked_at[np.concatenate([np.arange(1, min(512, n), 2), np.arange(513, n, 2)])] = False
    assert not near[~looked_at].any()
    x, c = X.astype(np.float64), C.astype(np.float64)
    lost, longest = np.linalg.norm(x - bfloat16(X), axis=1), np.linalg.norm(c, axis=1).max()
    error = lost * longest + np.linalg.norm(x, axis=1) * np.linalg.norm(c - bfloat16(C), axis=1).max()
    score = (bfloat16(X) @ bfloat16(C).T - 0.5 * (c**2).sum(axis=1)).max(axis=1)
    gap = score - (0.5 * ((x**2).sum(axis=1) - D) - error)
    noise = (d + 16) * 2.0**-18 * ((x**2).sum(axis=1) + longest**2 + D) + 0.02 * error
    sure = looked_at & (np.abs(gap) > noise)
    np.testing.assert_array_equal(near[sure], (gap >= 0)[sure])
    assert n < 30 or (near[sure].any() and not near[sure].all())


@pytest.mark.parametrize(("level", "amx"), UNITS)
@pytest.mark.parametrize(
    "scale", [1.0, 1e-6, 1e-18, 1e-20, 1e-23, 1e-30, 1e-38, 1e-42, 1e6, 1e15, 1e17, 1e19, 1e30, 3e37]
)
def test_no_row_that_a_candidate_takes_is_missed(scale, level, amx):
    X, C, _ = example(400, 40, 8)
    X, C = np.float32(scale) * X / 4, np.float32(scale) * C / 4
    difference = X[:, None] - C[None]
    with np.errstate(over="ignore", under="ignore"):
        exact = (difference * difference).sum(axis=2).min(axis=1)  # as seeding does, in float32
        D = (exact * np.random.default_rng(0).uniform(0.5, 2, 400)).astype(np.float32)
        D[::2] = np.maximum(D, np.nextafter(exact, np.float32(np.inf)))[::2]
    near = testing.kmeans_near_rows(X, C, D, level, amx, False).astype(bool)
    assert near[exact < D].all()
    if 1e-15 < scale < 1e15:
        assert near.sum() < 1.2 * (exact < D).sum()


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("n", "d", "k"), [(40, 1, 5), (700, 8, 20), (1500, 16, 64), (1030, 33, 40), (2000, 130, 16)]
)
@pytest.mark.parametrize("trials", [0, 1, 16, 17])
def test_seeding_chooses_the_same_rows(n, d, k, trials, how):
    """17 candidates are more than are screened; they take the exact path."""
    rng = np.random.default_rng(n)
    X = (rng.uniform(-10, 10, (k, d))[rng.integers(k, size=n)] + 2 * rng.normal(size=(n, d))).astype(
        np.float32
    )
    for rows in (X, X + np.float32(1000), np.asfortranarray(X), np.repeat(X[: n // 4], 4, axis=0)):
        for threads in (1, 3):
            exact = testing.kmeans_plusplus_screened(rows, k, trials, 7, threads, "never")
            screened = testing.kmeans_plusplus_screened(rows, k, trials, 7, threads, how)
            np.testing.assert_array_equal(screened, exact)
