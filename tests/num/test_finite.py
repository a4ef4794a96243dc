"""all_finite sees every entry of every layout, and only what is really not finite."""

import numpy as np
import pytest

from mlcore import _core

# Larger than one block (256 KiB), with a last block that is not full.
SHAPES = [(1, 1), (3, 5), (1, 90_001), (90_001, 1), (10_001, 9), (9, 10_001), (317, 301), (3, 70_001)]


def layouts(X):
    wide = np.zeros((2 * X.shape[0], 3 * X.shape[1]), dtype=X.dtype)
    wide[:] = np.nan  # what lies between the entries must not be looked at
    strided = wide[::2, ::3]
    strided[:] = X
    frame = np.full((X.shape[0] + 2, X.shape[1] + 3), np.nan, dtype=X.dtype)
    window = frame[1:-1, 1:-2]
    window[:] = X
    return {
        "C": X.copy(),
        "F": np.asfortranarray(X),
        "strided": strided,
        "window": window,
        "backwards": X.copy()[::-1, ::-1],
        "transposed": X.T.copy().T,
    }


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_position_is_seen(shape, dtype):
    rng = np.random.default_rng(0)
    for name, X in layouts(rng.normal(size=shape).astype(dtype)).items():
        places = {(0, 0), (shape[0] - 1, shape[1] - 1), (shape[0] // 2, shape[1] // 3)}
        places.add(tuple(int(rng.integers(size)) for size in shape))
        for threads in (1, 2, 7):
            assert _core.all_finite(X, threads), name
        for place in places:
            good = X[place]
            for bad in (np.nan, np.inf, -np.inf):
                X[place] = bad
                assert not _core.all_finite(X, 2), (name, place, bad)
            X[place] = good


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_and_tiny_numbers_are_finite(dtype):
    limits = np.finfo(dtype)
    row = [limits.max, -limits.max, limits.tiny, limits.smallest_subnormal, 0, -0.0]
    X = np.array([row] * 100, dtype=dtype)
    assert _core.all_finite(X)


def test_empty_is_finite():
    assert _core.all_finite(np.empty((0, 3)))
    assert _core.all_finite(np.empty((3, 0)))


def test_other_dtypes_are_refused():
    with pytest.raises(TypeError):
        _core.all_finite(np.ones((2, 2), dtype=int))
