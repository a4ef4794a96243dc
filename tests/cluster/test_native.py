"""The native k-means against its slow twins, at the sizes where tiles, groups and blocks begin and end."""

import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from mlcore import _core

native = _core.cluster

ALGORITHMS = ["lloyd", "hamerly", "yinyang", "elkan", "exponion", "auto"]
DTYPES = [np.float32, np.float64]
# around one register tile (32 rows of float32), around a group (8 centres), around a vector (16 coordinates)
SHAPES = [
    (1, 1, 1),
    (2, 3, 2),
    (31, 15, 3),
    (32, 16, 8),
    (33, 17, 9),
    (65, 2, 7),
    (511, 5, 16),
    (513, 33, 40),
    (1500, 64, 70),
]


def csr(X, index=np.int32):
    matrix = sp.csr_array(X)
    return matrix.data, matrix.indices.astype(index), matrix.indptr.astype(index), X.shape[1]


def data(n, d, seed=0, dtype=np.float64):
    """Integers: every sum and distance is exact in both types, so ties are ties and equality is equality."""
    return np.random.default_rng(seed).integers(-8, 9, (n, d)).astype(dtype)


def squared(X, centers):
    return ((X[:, None, :].astype(np.float64) - centers[None, :, :].astype(np.float64)) ** 2).sum(axis=2)


def slow_lloyd(X, centers, steps):
    """Labels of the final centres, the centres, and whether some cluster was ever empty."""
    centers = centers.astype(np.float64)
    for _ in range(steps):
        labels = squared(X, centers).argmin(axis=1)
        counts = np.bincount(labels, minlength=len(centers))
        if (counts == 0).any():
            return None
        centers = np.stack([X[labels == c].astype(np.float64).mean(axis=0) for c in range(len(centers))])
    return squared(X, centers).argmin(axis=1), centers


def fit(X, start, algorithm="lloyd", steps=300, tol=0.0, threads=1, weights=None):
    k = start.shape[0]
    return native.kmeans_fit(X, weights, start[None], k, 1, algorithm, steps, tol, 0, threads)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
@pytest.mark.parametrize("layout", ["C", "F", "strided", "csr32", "csr64"])
def test_assignment_equals_the_slow_twin_with_ties_to_the_lower_centre(n, d, k, layout, dtype):
    X = data(n, d, dtype=dtype)
    centers = np.ascontiguousarray(data(k, d, seed=1, dtype=dtype))
    given = {
        "C": lambda: X,
        "F": lambda: np.asfortranarray(X),
        "strided": lambda: np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2],
        "csr32": lambda: csr(X),
        "csr64": lambda: csr(X, np.int64),
    }[layout]()
    expected = squared(X, centers)
    labels, distances = native.assign_with_distance(given, centers, 1)
    np.testing.assert_array_equal(labels, expected.argmin(axis=1))
    np.testing.assert_allclose(distances, expected.min(axis=1), rtol=1e-6, atol=1e-4)
    np.testing.assert_array_equal(native.assign(given, centers, 2), labels)
    np.testing.assert_allclose(native.transform(given, centers, 1), np.sqrt(expected), rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(("n", "d", "k"), [s for s in SHAPES if s[2] > 1])
def test_every_algorithm_follows_lloyd_step_by_step(n, d, k, algorithm, dtype):
    rng = np.random.default_rng(n)
    X = (rng.normal(size=(n, d)) + 3).astype(dtype)
    start = X[rng.choice(n, k, replace=False)].copy()
    for steps in (1, 2, 4, 9):
        expected = slow_lloyd(X, start, steps)
        if expected is None:
            break
        labels, inertia, centers, *_ = fit(X, start, algorithm, steps)
        np.testing.assert_array_equal(labels, expected[0])
        tolerance = 1e-5 if dtype is np.float32 else 1e-12
        np.testing.assert_allclose(centers, expected[1], rtol=tolerance, atol=tolerance)
        exact = squared(X, centers)[np.arange(n), labels].sum()
        np.testing.assert_allclose(inertia, exact, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_bits_do_not_depend_on_threads(algorithm, threads, dtype):
    rng = np.random.default_rng(5)
    X = (rng.normal(size=(20_000, 6)) * [1, 2, 3, 1, 1, 1]).astype(dtype)
    weights = rng.uniform(0.1, 2, len(X)).astype(dtype)
    start = X[:20].copy()
    one = fit(X, start, algorithm, 12, weights=weights)
    many = fit(X, start, algorithm, 12, threads=threads, weights=weights)
    for a, b in zip(one, many, strict=True):
        np.testing.assert_array_equal(a, b)
    seeds = [native.kmeans_plusplus(X, weights, 20, 0, 7, t).tolist() for t in (1, threads)]
    assert seeds[0] == seeds[1]
    drawn = [native.kmeans_parallel_init(X, weights, 20, 7, t) for t in (1, threads)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    sums = [native.partial(X, weights, start, t) for t in (1, threads)]
    for a, b in zip(*sums, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("algorithm", ["lloyd", "hamerly", "yinyang"])
def test_an_empty_cluster_takes_the_farthest_row(algorithm):
    X = np.array([[0.0], [1.0], [2.0], [50.0], [100.0]])
    start = np.array([[0.0], [1000.0], [2000.0]])
    labels, inertia, centers, n_iter, _, _ = fit(X, start, algorithm)
    # All rows belong to centre 0; the centres without rows take rows 4 and 3, the farthest from it.
    np.testing.assert_array_equal(labels, [0, 0, 0, 2, 1])
    np.testing.assert_allclose(centers.ravel(), [1.0, 100.0, 50.0])
    assert inertia == pytest.approx(2.0)
    assert n_iter >= 2


@pytest.mark.parametrize("algorithm", ["lloyd", "hamerly", "yinyang", "elkan", "exponion"])
@pytest.mark.parametrize(
    ("X", "heavy", "start", "labels"),
    [
        (
            np.reshape(
                [12, 20, -14, 13, -9, 20, -1, -5, -13, -10, 5, 15, 13, -2, -13, -5, -8, -4, 10, -11, -4, 17],
                (11, 2),
            ),
            [0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0],
            [[3, 7], [16, 14], [-15, -9]],
            [0, 1, 1, 2, 2, 1, 2, 2, 2, 2, 1],
        ),
        (
            [[-20, -8], [-20, -20], [15, -16], [-16, 5], [-1, -17], [20, -17], [-12, -15], [5, 20], [10, -7]],
            [1, 0, 1, 1, 0, 0, 0, 0, 1],
            [[17, 8], [14, -7], [18, 9], [19, -6]],
            [2, 1, 3, 2, 1, 3, 1, 0, 3],
        ),
    ],
)
def test_a_cluster_that_is_emptied_forgets_its_rows(X, heavy, start, labels, algorithm):
    """A cluster loses its last row in the middle of the run and takes a light one.

    What running sums of heavy rows, 1e9 / 3 each, leave when these have gone is rounding: it would move the
    new mean by 1e-8.
    """
    X, start = np.array(X, dtype=float), np.array(start, dtype=float)
    weights = np.where(heavy, 1e9 / 3, 1.0)
    found, _, centers, *_ = fit(X, start, algorithm, weights=weights)
    np.testing.assert_array_equal(found, labels)
    means = [np.average(X[found == c], axis=0, weights=weights[found == c]) for c in range(len(start))]
    np.testing.assert_allclose(centers, means, rtol=1e-12)


@pytest.mark.parametrize("algorithm", ["lloyd", "hamerly", "yinyang", "elkan", "exponion"])
def test_an_emptied_cluster_forgets_its_weight(algorithm):
    """As above with weights whose running sum does not come back to zero."""
    X = [[16, 13], [-14, -14], [11, 5], [6, 0], [6, -15], [10, 2], [9, -13], [-10, -17], [-7, 13], [-7, -3]]
    X = np.array([*X, [19, -15], [-1, 8], [13, -15]], dtype=float)
    weights = np.where([0, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1], 1e9 / 3 * (1 + np.arange(13) / 7), 1.0)
    start = np.array([[-5, 6], [12, 1], [-13, -6], [-18, -1]], dtype=float)
    found, _, centers, *_ = fit(X, start, algorithm, weights=weights)
    np.testing.assert_array_equal(found, [1, 2, 0, 0, 3, 0, 3, 2, 0, 2, 3, 0, 3])
    means = [np.average(X[found == c], axis=0, weights=weights[found == c]) for c in range(4)]
    np.testing.assert_allclose(centers, means, rtol=1e-12)


def test_fewer_distinct_rows_than_centres_is_finite():
    X = np.repeat([[1.0, 2.0], [3.0, 4.0]], 5, axis=0)
    labels, inertia, centers, *_ = fit(X, np.array([[1.0, 2.0], [3.0, 4.0], [3.0, 4.0]]), "hamerly")
    assert np.isfinite(centers).all()
    assert inertia == 0
    np.testing.assert_array_equal(np.unique(labels), [0, 1])


@pytest.mark.parametrize("algorithm", ["lloyd", "hamerly", "yinyang", "elkan", "exponion"])
def test_a_far_offset_costs_no_accuracy(algorithm):
    """|x|^2 - 2 x.c + |c|^2 cancels far from the origin; the shift by the mean prevents it."""
    rng = np.random.default_rng(2)
    X = (np.repeat([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]], 100, axis=0) + rng.normal(size=(300, 2)) / 4).astype(
        np.float32
    ) + np.float32(4096.0)
    labels, *_ = fit(X, X[[0, 100, 200]].copy(), algorithm)
    np.testing.assert_array_equal(labels, np.repeat([0, 1, 2], 100))


def test_weights_scale_the_means():
    X = np.array([[0.0], [1.0], [10.0], [12.0]])
    weights = np.array([1.0, 3.0, 1.0, 0.0])
    _, inertia, centers, *_ = fit(X, np.array([[0.0], [12.0]]), weights=weights)
    np.testing.assert_allclose(centers.ravel(), [0.75, 10.0])
    assert inertia == pytest.approx(0.75)


def test_greedy_seeding_covers_separated_blobs():
    rng = np.random.default_rng(3)
    centers = np.array([[i * 100.0, j * 100.0] for i in range(4) for j in range(4)])
    X = np.repeat(centers, 50, axis=0) + rng.normal(size=(800, 2))
    for seed in range(20):
        rows = native.kmeans_plusplus(X, None, 16, 0, seed, 1)
        assert sorted(rows // 50) == list(range(16))
        drawn = native.kmeans_parallel_init(X, None, 16, seed, 1)
        assert len(np.unique(np.round(drawn / 100), axis=0)) == 16


def test_seeding_draws_in_proportion_to_squared_distance():
    """One trial a step, two centres, rows at 0, 1 and 3: from 0 the second is 1 or 3 with odds 1 to 9."""
    X = np.array([[0.0], [1.0], [3.0]])
    chosen = [tuple(native.kmeans_plusplus(X, None, 2, 1, seed, 1)) for seed in range(6000)]
    from_zero = [second for first, second in chosen if first == 0]
    assert 1850 < len(from_zero) < 2150  # a third of 6,000, 4 standard deviations
    share = np.mean(np.array(from_zero) == 2)
    assert abs(share - 0.9) < 4 * np.sqrt(0.9 * 0.1 / len(from_zero))


def test_partial_combine_finish_is_one_lloyd_step():
    X = data(700, 4)
    centers = data(9, 4, seed=1)
    halves = [native.partial(part, None, centers, 1) for part in (X[:300], X[300:])]
    together = native.combine(*halves)
    whole = native.partial(X, None, centers, 1)
    for a, b in zip(together, whole, strict=True):
        np.testing.assert_array_equal(a, b)
    labels = squared(X, centers).argmin(axis=1)
    expected = np.stack(
        [X[labels == c].mean(axis=0) if (labels == c).any() else centers[c] for c in range(9)]
    )
    np.testing.assert_allclose(native.finish(whole, centers), expected, rtol=1e-14)


def test_csr_that_would_read_out_of_bounds_is_refused():
    X = np.eye(3)
    values, indices, indptr, d = csr(X)
    centers = np.eye(3)
    with pytest.raises(ValueError, match="column index"):
        native.assign((values, indices + 1, indptr, d), centers, 1)
    with pytest.raises(ValueError, match="column index"):
        native.assign((values, indices - 1, indptr, d), centers, 1)
    with pytest.raises(ValueError, match="indptr"):
        native.assign((values, indices, indptr[::-1].copy(), d), centers, 1)
    with pytest.raises(ValueError, match="beyond the end"):
        native.assign((values[:2], indices, indptr, d), centers, 1)


def test_wrong_shapes_and_types_are_refused():
    X = np.zeros((4, 3))
    with pytest.raises(ValueError, match="as many columns"):
        native.assign(X, np.zeros((2, 2)), 1)
    with pytest.raises(TypeError):
        native.assign(X, np.zeros((2, 3), dtype=np.float32), 1)
    with pytest.raises(ValueError, match="between 1 and the number of rows"):
        fit(X, np.zeros((5, 3)))
    with pytest.raises(ValueError, match="labels"):
        native.inertia(X, None, np.zeros((2, 3)), np.full(4, 2, dtype=np.int32), 1)
    with pytest.raises(ValueError, match="C-contiguous"):
        native.assign(X, np.asfortranarray(np.zeros((2, 3))), 1)


LEVELS_PROGRAM = """
import json, sys
import numpy as np
from mlcore import _core
rng = np.random.default_rng(0)
out = {"level": _core.isa_level()}
for dtype in (np.float32, np.float64):
    X = rng.integers(-8, 9, (700, 19)).astype(dtype)
    start = X[:21].copy()
    for algorithm in ("lloyd", "hamerly", "yinyang", "elkan", "exponion"):
        fit = _core.cluster.kmeans_fit(X, None, start[None], 21, 1, algorithm, 3, 0.0, 0, 1)
        labels, inertia, centers, *_ = fit
        values = centers.astype(float).ravel().tolist()
        out[f"{algorithm} {np.dtype(dtype).name}"] = [labels.tolist(), inertia, values]
    out[f"seeds {np.dtype(dtype).name}"] = _core.cluster.kmeans_plusplus(X, None, 21, 0, 3, 1).tolist()
json.dump(out, sys.stdout)
"""


def test_instruction_set_levels_agree():
    results = {}
    for level in ("base", "v3", "v4"):
        run = subprocess.run(
            [sys.executable, "-c", LEVELS_PROGRAM],
            env={**os.environ, "MLCORE_ISA": level},
            capture_output=True,
            text=True,
            check=True,
        )
        answer = json.loads(run.stdout)
        results[answer.pop("level")] = answer
    assert "base" in results
    for answer in results.values():
        for name, value in answer.items():
            if name.startswith("seeds"):
                assert value == results["base"][name]
                continue
            labels, inertia, centers = value
            assert labels == results["base"][name][0], name
            assert inertia == pytest.approx(results["base"][name][1], rel=1e-5)
            np.testing.assert_allclose(centers, results["base"][name][2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_few_rows_and_centres_that_move_far(algorithm):
    """Bounds are put to the test where centres jump: heavy-tailed rows, starts that are no rows."""
    compared = 0
    for seed in range(500):
        rng = np.random.default_rng(seed)
        n, d, k = rng.integers(6, 40), rng.integers(1, 3), rng.integers(2, 9)
        X = rng.standard_normal((n, d)) * np.exp(2 * rng.standard_normal((n, 1)))
        start = rng.standard_normal((k, d)) * np.exp(2 * rng.standard_normal((k, 1)))
        for steps in (1, 2, 3, 5, 12):
            expected = slow_lloyd(X, start, steps)
            if expected is None:
                break
            labels, _, centers, *_ = fit(X, start, algorithm, steps)
            assert labels.tolist() == expected[0].tolist(), (seed, steps)
            np.testing.assert_allclose(centers, expected[1], rtol=1e-9, atol=1e-9)
            compared += 1
    assert compared > 500


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_largest_moves_of_two_centres_are_both_counted(algorithm):
    """The row at 0 leaves the centre that moves most for the one that moves second most."""
    X = np.array([0.0, *[-36.0] * 40, *[21.0] * 40, *[1000.0] * 3])[:, None]
    for order in itertools.permutations([-5.0, 45.0, 1000.0]):
        start = np.array(order)[:, None]
        for steps in (1, 2, 3):
            labels = fit(X, start, algorithm, steps)[0]
            np.testing.assert_array_equal(labels, slow_lloyd(X, start, steps)[0])
        assert order[labels[0]] == 45.0


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "places",
    [
        [[-5.0, 0], [1, 0], [-1, 0]],  # a third centre, nearer to one of the two
        [[-5.5, 0], [5, 0], [-5, 0], [5.5, 0]],  # each of the two has a neighbour: groups of their own
    ],
    ids=["three", "groups"],
)
def test_ties_between_any_two_centres_go_to_the_lower(places, algorithm):
    # The row at 0, without weight, is as near to the second place as to the third.
    places = np.array(places)
    X = np.concatenate([np.zeros((1, 2)), np.repeat(places, 3, axis=0)])
    weights = np.ones(len(X))
    weights[0] = 0
    for order in itertools.permutations(range(len(places))):
        for steps in (1, 2, 3):
            labels = fit(X, places[list(order)], algorithm, steps, weights=weights)[0]
            assert labels[0] == min(order.index(1), order.index(2))
        # with weight the row moves the centre that it went to first
        centers = fit(X, places[list(order)], algorithm, 1)[2]
        np.testing.assert_allclose(centers, slow_lloyd(X, places[list(order)], 1)[1], atol=1e-12)
