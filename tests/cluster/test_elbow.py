"""elbow_point."""

import numpy as np
import pytest

from mlcore.cluster import elbow_point

CURVE = [100.0, 41.0, 12.5, 10.0, 9.0, 8.25]


def distance_to_line(points):
    """Perpendicular distances from the line through the first and the last point, by the cross product."""
    start, along = points[0], points[-1] - points[0]
    offset = points - start
    return np.abs(offset[:, 0] * along[1] - offset[:, 1] * along[0]) / np.hypot(*along)


@pytest.mark.parametrize("seed", range(10))
def test_the_farthest_point_from_the_chord_on_raw_axes(seed):
    rng = np.random.default_rng(seed)
    k = np.cumsum(rng.integers(1, 4, 9))
    inertia = np.sort(rng.exponential(1000.0, 9))[::-1]
    points = np.column_stack([k, inertia]).astype(float)
    assert elbow_point(k, inertia) == k[distance_to_line(points).argmax()]
    assert (
        elbow_point(k, inertia, scale="log")
        == k[distance_to_line(np.column_stack([k, np.log(inertia)])).argmax()]
    )


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_the_distances_are_those_of_the_unit_square(scale):
    k = np.arange(1, 7)
    y = np.array(CURVE) if scale == "linear" else np.log(CURVE)
    unit = np.column_stack([(k - 1) / 5, (y - y[0]) / (y[-1] - y[0])])
    best, distances = elbow_point(k, CURVE, scale=scale, return_distances=True)
    np.testing.assert_allclose(distances, distance_to_line(unit), rtol=1e-12, atol=1e-15)
    assert distances[0] == distances[-1] == 0.0
    assert best == k[distances.argmax()]
    assert isinstance(best, int)


@pytest.mark.parametrize("unit", [1e-300, 1e-3, 1e7, 1e306])
def test_the_unit_of_the_inertia_does_not_matter(unit):
    assert elbow_point(range(1, 7), np.array(CURVE) * unit) == elbow_point(range(1, 7), CURVE) == 3


def test_differences_may_overflow():
    assert elbow_point([1, 2, 3], [1.7e308, -1.6e308, -1.7e308]) == 2


def test_the_lowest_of_equally_far_points():
    assert elbow_point([1, 2, 3, 4], [3.0, 1.0, 0.0, 0.0]) == 2


def test_a_straight_line_has_no_elbow():
    assert elbow_point([2, 4, 6, 8], np.linspace(1.0, 0.1, 4)) == 2
    best, distances = elbow_point([1, 2, 3], [5.0, 5.0, 5.0], return_distances=True)
    assert best == 1
    assert not distances.any()


def test_the_arguments_are_not_changed():
    curve = np.array(CURVE)
    elbow_point(range(1, 7), curve, scale="log")
    assert curve.tolist() == CURVE


@pytest.mark.parametrize(
    ("k", "inertia", "scale", "message"),
    [
        ([1, 2, 3], [3.0, 2.0], "linear", "same length"),
        ([1, 3, 2], [3.0, 2.0, 1.0], "linear", "strictly increasing"),
        ([1, 1, 2], [3.0, 2.0, 1.0], "linear", "strictly increasing"),
        ([1], [3.0], "linear", "minimum of 2"),
        ([1, 2], [3.0, np.nan], "linear", "NaN"),
        ([1, 2], [3.0, 0.0], "log", "positive"),
        ([1, 2], [3.0, 1.0], "sqrt", "scale must be"),
        ([[1, 2]], [[3.0, 1.0]], "linear", "minimum of 2|vectors"),
    ],
)
def test_bad_arguments(k, inertia, scale, message):
    with pytest.raises(ValueError, match=message):
        elbow_point(k, inertia, scale=scale)
