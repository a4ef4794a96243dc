"""The elbow of a curve by its distance to the chord."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array

__all__ = ["elbow_point"]

_ROUNDING = 8 * np.finfo(np.float64).eps


@overload
def elbow_point(
    n_clusters: Any, inertia: Any, *, scale: str = ..., return_distances: Literal[False] = ...
) -> Any: ...
@overload
def elbow_point(
    n_clusters: Any, inertia: Any, *, scale: str = ..., return_distances: Literal[True]
) -> tuple[Any, npt.NDArray[np.float64]]: ...
def elbow_point(
    n_clusters: Any, inertia: Any, *, scale: str = "linear", return_distances: bool = False
) -> Any:
    r"""Number of clusters at the elbow of an inertia curve: the point farthest from the chord.

    The chord joins the first and the last point :math:`(k_1, J_1), (k_m, J_m)` of the curve (requirement
    18.10). With both axes normalised, :math:`u_j = (k_j - k_1)/(k_m - k_1)` and :math:`v_j = (J_j -
    J_1)/\max_l |J_l - J_1|`, a monotone curve runs from one corner of the unit square to the opposite one,
    and the distance of its points from the diagonal is

    .. math:: d_j = |v_j - u_j v_m| / \sqrt 2 .

    The distance on the raw axes is this one times a constant, because a change of the axes' units multiplies
    the area between curve and chord by the same factor everywhere: raw and normalised axes always pick the
    same k. What does change the choice is a logarithm. On a linear scale the first merges dominate (the drop
    from k = 1 to k = 2 may be half of the whole curve) and the elbow comes out early; ``scale="log"`` looks
    at relative falls.

    Parameters
    ----------
    n_clusters : array-like of shape (n_points,)
        Strictly increasing numbers of clusters, at least two of them.
    inertia : array-like of shape (n_points,)
        The objective for each; any curve that bends will do. Positive when ``scale="log"``.
    scale : {"linear", "log"}, default="linear"
        Scale of the inertia axis.
    return_distances : bool, default=False
        Also return the distances.

    Returns
    -------
    best : int or float
        The element of ``n_clusters`` with the greatest distance, the lowest of several. A straight line has
        no elbow: its first point is returned.
    distances : ndarray of shape (n_points,), float64
        :math:`d_j` on normalised axes, at most :math:`1/\sqrt 2` for a monotone curve. Only with
        ``return_distances=True``.

    Raises
    ------
    ValueError
        If the arguments are not two finite vectors of the same length of at least 2, if ``n_clusters`` does
        not increase, or if ``scale="log"`` meets an inertia that is not positive.

    See Also
    --------
    gap_statistic : Compares the curve with that of data without clusters.

    References
    ----------
    V. Satopää, J. Albrecht, D. Irwin, B. Raghavan (2011). Finding a "kneedle" in a haystack. ICDCS
    Workshops, 166-171.

    Examples
    --------
    >>> from mlcore.cluster import elbow_point
    >>> elbow_point([1, 2, 3, 4, 5], [100.0, 40.0, 12.0, 10.0, 9.0])
    3
    """
    k = check_array(
        n_clusters, ensure_2d=False, dtype="numeric", ensure_min_samples=2, input_name="n_clusters"
    )
    y = check_array(inertia, ensure_2d=False, dtype=np.float64, ensure_min_samples=2, input_name="inertia")
    if k.ndim != 1 or k.shape != y.shape:
        raise ValueError(
            f"n_clusters and inertia must be vectors of the same length, got shapes {k.shape} and {y.shape}."
        )
    if not np.all(np.diff(k) > 0):
        raise ValueError("n_clusters must be strictly increasing.")
    if scale == "log":
        if y.min() <= 0:
            raise ValueError("scale='log' needs positive values of inertia.")
        y = np.log(y)
    elif scale != "linear":
        raise ValueError(f"scale must be 'linear' or 'log', got {scale!r} instead.")
    # Halved before the subtraction, so that it cannot overflow.
    half = 0.5 * y
    span = np.abs(half - half[0]).max()
    if span == 0.0:
        distances = np.zeros_like(y)
    else:
        x = k.astype(np.float64)
        along = (x - x[0]) / (x[-1] - x[0])
        rise = (half - half[0]) / span
        distances = np.abs(rise - along * rise[-1]) / np.sqrt(2.0)
        distances[distances < _ROUNDING] = 0.0
    # Ties are broken by rounding otherwise.
    best = k[int(np.argmax(distances >= distances.max() - _ROUNDING))].item()
    return (best, distances) if return_distances else best
