"""Screening of centres in bfloat16 against its slow twin, and the labels it leads to against exact ones."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from mlcore import _core

native = _core.cluster
testing = _core._testing

LEVELS = _core.isa_levels_compiled()
LEVELS = LEVELS[: LEVELS.index(_core.isa_level_of_cpu()) + 1]
UNITS = [(level, False) for level in LEVELS] + [(_core.isa_level_of_cpu(), True)]
needs_amx = pytest.mark.skipif(not _core.amx_bf16(), reason="no matrix unit, or MLCORE_ISA turns it off")
UNITS = [pytest.param(*unit, marks=needs_amx) if unit[1] else unit for unit in UNITS]
# around a chunk of 32 coordinates, a group of 16 centres, a tile of 32 points
SHAPES = [
    (1, 1, 1),
    (7, 2, 3),
    (31, 31, 15),
    (32, 32, 16),
    (33, 33, 17),
    (70, 64, 33),
    (129, 97, 64),
    (40, 200, 90),
]


def bfloat16(values):
    """Nearest bfloat16, halves away from zero, as float32."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + np.uint32(0x8000)) & np.uint32(0xFFFF0000)).view(np.float32)


def scores(X, centers):
    X, centers = X.astype(np.float64), centers.astype(np.float64)
    return X @ centers.T - 0.5 * (centers**2).sum(axis=1)


def rounded_scores(X, centers):
    """The scores of the rounded factors, and the bound of what the rounding does to each row's scores."""
    rows, columns = bfloat16(X).astype(np.float64), bfloat16(centers).astype(np.float64)
    half = 0.5 * (centers.astype(np.float64) ** 2).sum(axis=1)
    lost_rows = np.linalg.norm(X.astype(np.float64) - rows, axis=1)
    lost_centers = np.linalg.norm(centers.astype(np.float64) - columns, axis=1).max()
    longest = np.linalg.norm(centers.astype(np.float64), axis=1).max()
    bound = lost_rows * longest + np.linalg.norm(rows, axis=1) * lost_centers
    # the same in float32 arithmetic: (d + 16) roundings of terms as large as these
    terms = longest**2 + np.linalg.norm(X.astype(np.float64), axis=1) * longest
    noise = 1.5 * (X.shape[1] + 16) * 2.0**-22 * terms
    return rows @ columns.T - half, bound, noise


def blobs(n, d, k, seed=0):
    rng = np.random.default_rng(seed)
    means = rng.uniform(-10, 10, (k, d))
    X = means[rng.integers(k, size=n)] + 2 * rng.normal(size=(n, d))
    return X.astype(np.float32), (means + rng.normal(size=(k, d))).astype(np.float32)


@pytest.mark.parametrize(("level", "amx"), UNITS)
@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_screening_equals_the_slow_twin(n, d, k, level, amx):
    X, centers = blobs(n, d, k)
    shift = np.random.default_rng(2).normal(size=(k - k // 2, d)) * 0.3  # about what bfloat16 can tell apart
    centers[k // 2 :] = centers[: k - k // 2] + shift
    hits, best, second = testing.kmeans_screen(X, centers, level, amx)
    expected, bound, noise = rounded_scores(X, centers)
    ranked = np.sort(expected, axis=1)[:, ::-1]
    assert (np.abs(best - (ranked[:, 0] - bound)) <= noise).all()
    if k > 1:
        assert (np.abs(second - (ranked[:, 1] + bound)) <= noise).all()
    distance = expected - (ranked[:, :1] - 2 * bound[:, None])
    sure = np.abs(distance) > 3 * noise[:, None]
    np.testing.assert_array_equal(hits.astype(bool)[sure], (distance >= 0)[sure])


@pytest.mark.parametrize(("level", "amx"), UNITS)
@pytest.mark.parametrize(
    "scale",
    [1.0, 1e-6, 1e-18, 1e-22, 1e-30, 1e-38, 1e-42, 1e6, 1e15, 1e17, 1e19, 1e30, 3e37],
)
def test_the_nearest_centre_is_always_a_hit(scale, level, amx):
    """Wherever float32 under- or overflows, more centres are hits; the nearest is never missing."""
    X, centers = blobs(200, 40, 30, seed=1)
    X, centers = np.float32(scale) * (X / 10), np.float32(scale) * (centers / 10)
    hits, best, second = testing.kmeans_screen(X, centers, level, amx)
    exact = scores(X, centers)
    rows = np.arange(len(X))
    nearest = exact.argmax(axis=1)
    assert hits[rows, nearest].all()
    plain = native.assign(X, centers, 1) if 1e-15 < scale < 1e15 else nearest
    assert hits[rows, plain].all()
    if scale < 1e17:  # the bounds hold, and say something where float32 has digits
        assert (best <= exact[rows, nearest] + 1e-40).all()
        others = exact.copy()
        others[rows, nearest] = -np.inf
        single = hits.sum(axis=1) == 1
        assert (second >= others.max(axis=1) - 1e-40)[single].all()
        if scale > 1e-15:
            assert hits.sum() < 2 * len(X)


@pytest.mark.parametrize("amx", [False, pytest.param(True, marks=needs_amx)])
@pytest.mark.parametrize(
    ("n", "d", "k"), [(1, 1, 1), (33, 3, 2), (513, 33, 40), (600, 20, 64), (1100, 64, 300), (200, 784, 65)]
)
def test_labels_by_screening_are_exact_with_ties_to_the_lower_centre(n, d, k, amx):
    """Small integers: all scores are exact, so ties are ties, and many."""
    rng = np.random.default_rng(n)
    X = rng.integers(-2, 3, (n, d)).astype(np.float32)
    centers = rng.integers(-2, 3, (k, d)).astype(np.float32)
    centers[k // 2 :] = centers[: k - k // 2]  # every second half is a tie with the first
    expected = scores(X, centers).argmax(axis=1)
    np.testing.assert_array_equal(testing.kmeans_assign_screened(X, centers, amx), expected)
    wide = np.repeat(X, 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(testing.kmeans_assign_screened(wide, centers, amx), expected)
    np.testing.assert_array_equal(
        testing.kmeans_assign_screened(np.asfortranarray(X), centers, amx), expected
    )


@pytest.mark.parametrize("amx", [False, pytest.param(True, marks=needs_amx)])
def test_rows_with_many_hits_are_scored_against_all_centres(amx):
    """Centres closer together than a bfloat16 can tell: every row keeps all of them as hits."""
    rng = np.random.default_rng(0)
    centers = (100 + rng.integers(-3, 4, (70, 32)) / 64).astype(np.float32)
    X = (100 + rng.integers(-3, 4, (700, 32)) / 64).astype(np.float32)
    hits, _, _ = testing.kmeans_screen(X, centers, LEVELS[-1], amx)
    assert hits.sum(axis=1).min() > 60
    expected = native.assign(X.astype(np.float64), centers.astype(np.float64), 1)
    found = testing.kmeans_assign_screened(X - np.float32(100), centers - np.float32(100), amx)
    np.testing.assert_array_equal(found, expected)
    # Not shifted, the float scores themselves lose digits; the labels must still be those of the plain path.
    near = scores(X, centers)
    labels = testing.kmeans_assign_screened(X, centers, amx)
    assert (near[np.arange(700), labels] >= near.max(axis=1) - 1.0).all()


FITS_PROGRAM = """
import json, sys
import numpy as np
from mlcore import _core
rng = np.random.default_rng(0)
out = {"amx": _core.amx_bf16(), "fits": []}
means = rng.uniform(-4, 4, (90, 70))
data = {
    "blobs": means[rng.integers(90, size=4000)] + 2 * rng.normal(size=(4000, 70)),
    "noise": rng.normal(size=(4000, 70)),
    "far": 1000 + rng.normal(size=(4000, 70)),
    "heavy": rng.standard_cauchy(size=(4000, 70)),
}
for name, X in data.items():
    X = X.astype(np.float32)
    start = X[:100].copy()
    for algorithm in ("lloyd", "hamerly"):
        for layout in (X, np.asfortranarray(X)):
            fit = _core.cluster.kmeans_fit(layout, None, start[None], 100, 1, algorithm, 12, 0.0, 0, 2)
            labels, inertia, centers, *_ = fit
            values = centers.astype(float).ravel().tolist()
            out["fits"].append([name, algorithm, labels.tolist(), inertia, values])
    out["fits"].append([name, "assign", _core.cluster.assign(X, start, 2).tolist()])
json.dump(out, sys.stdout)
"""


def answers(**environment):
    clean = {key: value for key, value in os.environ.items() if key != "MLCORE_ISA"}
    run = subprocess.run(
        [sys.executable, "-c", FITS_PROGRAM],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)


@needs_amx
def test_fits_and_labels_do_not_depend_on_the_matrix_unit():
    """Bit for bit: the unit only tells which exact scores are needed."""
    with_unit, without = answers(), answers(MLCORE_ISA="v4")
    assert with_unit["amx"]
    assert not without["amx"]
    for a, b in zip(with_unit["fits"], without["fits"], strict=True):
        assert a == b, a[:2]


SIGNALS_PROGRAM = """
import faulthandler, os
import numpy as np
from mlcore import _core
X = np.random.default_rng(0).normal(size=(2000, 64)).astype(np.float32)
labels = _core.cluster.assign(X, X[:100].copy(), 2)
faulthandler.enable()  # an alternative signal stack, which must have room for the unit's state
child = os.fork()
if child == 0:
    os._exit(0 if (_core.cluster.assign(X, X[:100].copy(), 2) == labels).all() else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_signal_stacks_and_forked_children_keep_working():
    run = subprocess.run([sys.executable, "-c", SIGNALS_PROGRAM], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "0"
