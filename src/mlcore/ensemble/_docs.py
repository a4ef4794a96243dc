"""The parameters that all gradient boosting classes have, described once."""

from __future__ import annotations

__all__ = ["BLOCKS"]

_TREES = """\
learning_rate : float, default=0.1
    Factor on the values of all leaves (shrinkage).
max_iter : int, default=100
    Number of iterations at most.
max_leaf_nodes : int or None, default=31
    Leaves of a tree at most; None for no limit.
max_depth : int or None, default=None
    Edges from the root to a leaf at most; None for no limit.
min_samples_leaf : int, default=20
    Rows of a leaf at least. Lower it for data of a few hundred rows.
l2_regularization : float, default=0.0
    :math:`\\lambda`.
max_features : float, default=1.0
    Share of the features that each split may choose from, drawn anew for every node.
max_bins : int, default=255
    Bins of a feature for present values; one more is for missing ones.
categorical_features : array-like of {bool, int, str} or None, default='from_dtype'
    Categorical columns: a mask, numbers, names, or 'from_dtype' for the columns of a table whose type is
    categorical (pandas, polars, pyarrow). A column may have ``max_bins`` different values; the values are
    kept in the model; others, and negative numbers, count as missing. None for no such columns.
monotonic_cst : array-like of int of shape (n_features,) or dict, default=None
    1: predictions never fall when the feature rises; -1: never rise; 0: no constraint. A dict maps
    feature names. For classifiers it concerns the probability of the second class.
interaction_cst : {'pairwise', 'no_interactions'} or sequence of sequences of int, default=None
    Groups of features that may meet on a path from the root to a leaf. Features in no group are one
    more group.
warm_start : bool, default=False
    Whether ``fit`` adds iterations to the ones that are there. The result equals that of one fit.
early_stopping : 'auto' or bool, default='auto'
    Whether to stop when the score has stalled. 'auto': with more than 10,000 rows, or with ``X_val``.
scoring : str, callable or None, default='loss'
    What early stopping watches: the loss, a scorer (``scorer(estimator, X, y)``) or its name, None for
    ``score``.
validation_fraction : float, int or None, default=0.1
    Share or number of the rows that are held out for early stopping; None to watch the training score.
n_iter_no_change : int, default=10
    The fit stops when none of this many scores in a row is better by ``tol`` than the one before them.
tol : float, default=1e-7
    See ``n_iter_no_change``.
verbose : int, default=0
    1 prints a summary, 2 a line for each iteration.
random_state : int, RandomState instance or None, default=None
    Source of the split for early stopping, of the sample for the bins, and of all drawing of rows and
    features. An int gives the same model at each call on any number of threads.
"""

_OURS = """\
n_jobs : int or None, default=None
    Number of threads; None for as many as the process may use. Results do not depend on it.
tree_method : {'hist', 'approx', 'exact'}, default='hist'
    Where splits are sought. 'hist': between bins of equal numbers of rows, made once. 'approx': between
    bins of equal sums of Hessians, made for each tree by a weighted quantile sketch whose edges miss
    their rank by at most ``1 / (4 * max_bins)`` of the sum [1]_. 'exact': between all distinct values of
    a node; ``max_bins`` then only bounds the categories.
linear_leaves : bool, default=False
    Whether leaves are linear functions of the numeric features that were split on above them, instead of
    constants. Rows where one of these is missing or infinite get the constant.
linear_l2 : float, default=0.1
    Penalty on half the squares of the coefficients of a linear leaf, in the units of the features; 0 for
    plain least squares.
growth : {'leaf', 'level'}, default='leaf'
    Which leaf is split next: the one with the greatest gain, or all of a level before the next one.
min_split_gain : float, default=0.0
    :math:`\\gamma`: a split must lower the objective by more than this.
l1_regularization : float, default=0.0
    :math:`\\alpha`.
min_child_weight : float, default=1e-3
    Sum of the Hessians of a leaf at least.
sampling : {'none', 'uniform', 'goss'}, default='none'
    Rows that each iteration sees: all, a random share ``subsample``, or GOSS [2]_: the share ``top_rate``
    with the largest gradients and a random share ``other_rate`` of the rows, whose gradients count
    ``(1 - top_rate) / other_rate`` times, so that sums stay unbiased.
subsample : float, default=0.8
    Share of the rows for ``sampling='uniform'``.
top_rate, other_rate : float, default=0.2, 0.1
    Shares of the rows for ``sampling='goss'``.
colsample_bytree, colsample_bylevel : float, default=1.0
    Share of the features that a tree, and that a level of a tree, may use.
zero_as_missing : bool, default=False
    Whether a 0 in a numeric column is a missing value, in sparse data (stored or not) as in dense.
group_categories : bool, default=False
    Whether a categorical column may have more than ``max_bins`` values: they are put into that many
    groups, by their mean gradient in the training rows before the first tree. False: an error.
bundle_features : bool, default=True
    Whether columns of sparse data that are never present (not 0) in the same training row share a
    histogram (exclusive feature bundling [2]_, without conflicts). The trees are the same.
callbacks : list of callbacks or None, default=None
    Objects with ``on_iteration(info)``, called after each iteration, where a true result stops the fit.
    See :mod:`mlcore.callbacks`.
"""

_ATTRIBUTES = """\
n_iter_ : int
    Number of iterations done.
n_trees_per_iteration_ : int
    Trees of an iteration.
do_early_stopping_ : bool
    Whether early stopping was on.
train_score_, validation_score_ : ndarray of shape (`n_iter_` + 1,)
    Scores before the first and after each iteration, the negative loss for ``scoring='loss'``; empty
    without early stopping, or without held-out rows.
is_categorical_ : ndarray of shape (n_features,), bool, or None
    Mask of the categorical columns; None when there are none.
feature_importances_ : ndarray of shape (n_features,)
    Shares in the total gain.
n_features_in_ : int
    Number of columns of ``X``.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of the columns, when ``X`` has names that are all strings.
"""

_OBJECTIVE = r"""An iteration adds a tree f that lowers the second-order expansion of the loss, with a
penalty [1]_ [3]_:

.. math:: \sum_i \left[ g_i f(x_i) + \tfrac12 h_i f(x_i)^2 \right]
          + \gamma T + \sum_{j=1}^T \left( \tfrac12 \lambda w_j^2 + \alpha |w_j| \right)

with the first and second derivatives g and h of the loss by the prediction, T leaves and leaf values w.
The best leaf value and the gain of a split are those of :func:`mlcore.tree.leaf_weight` and
:func:`mlcore.tree.split_gain`. Splits are sought among at most ``max_bins`` quantiles of a feature, or
among all its values (``tree_method``); rows where the feature is missing go to the side where they lower
the objective more.
"""

_REFERENCES = """\
.. [1] T. Chen, C. Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016.
.. [2] G. Ke et al., "LightGBM: a highly efficient gradient boosting decision tree", NeurIPS 2017.
.. [3] J. H. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of
   Statistics 29, 2001.
"""

#: The blocks by the names that docstrings use, see :mod:`mlcore._shared_docs`.
BLOCKS = {
    "tree parameters": _TREES,
    "own parameters": _OURS,
    "shared attributes": _ATTRIBUTES,
    "objective": _OBJECTIVE,
    "references": _REFERENCES,
}
