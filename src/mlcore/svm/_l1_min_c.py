"""The smallest C at which the 1-norm leaves anything."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.extmath import safe_sparse_dot

__all__ = ["l1_min_c"]


@validate_params(  # type: ignore[untyped-decorator]
    {
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "loss": [StrOptions({"squared_hinge", "log"})],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def l1_min_c(
    X: Any,
    y: Any,
    *,
    loss: str = "squared_hinge",
    fit_intercept: bool = True,
    intercept_scaling: float = 1.0,
) -> float:
    r"""Smallest C for which a classifier with a penalty on the 1-norm is not empty.

    At w = 0 the losses fall along feature j at the rate :math:`C |\ell'(0)| |\sum_i y_i x_{ij}|`, and w stays
    zero until one of these rates exceeds one: :math:`C = 1 / (|\ell'(0)| \max_j |\sum_i y_i x_{ij}|)`, with
    :math:`|\ell'(0)|` = 2 for the squared hinge and 1/2 for the logistic loss.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data.
    y : array-like of shape (n_samples,)
        Class labels.
    loss : {"squared_hinge", "log"}, default="squared_hinge"
        Loss of the classifier.
    fit_intercept : bool, default=True
        Whether the classifier has a constant feature.
    intercept_scaling : float, default=1.0
        Its value.

    Returns
    -------
    l1_min_c : float
        The bound; without class weights.

    Raises
    ------
    ValueError
        If the weights are zero for every C.

    Examples
    --------
    >>> from mlcore.svm import l1_min_c
    >>> l1_min_c([[1.0], [2.0], [-1.0], [-2.0]], [1, 1, 0, 0])
    0.08333333333333333
    """
    X = check_array(X, accept_sparse="csc")
    check_consistent_length(X, y)
    signs = LabelBinarizer(neg_label=-1).fit_transform(y).T
    rate = float(np.max(np.abs(safe_sparse_dot(signs, X))))
    if fit_intercept:
        rate = max(rate, float(np.abs(intercept_scaling * signs.sum(axis=1)).max()))
    if rate == 0.0:
        raise ValueError(
            "Ill-posed l1_min_c calculation: l1 will always select zero coefficients for this data"
        )
    bound = 0.5 / rate if loss == "squared_hinge" else 2.0 / rate
    if not np.isfinite(bound):
        raise ValueError("The values of X are too small: the bound overflows; scale it.")
    return bound
