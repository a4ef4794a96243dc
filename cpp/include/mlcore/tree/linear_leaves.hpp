// Leaves that are linear functions of the numeric columns on the path to them (Y. Shi, J. Li, Z. Li, "Gradient boosting
// with piece-wise linear regression trees", IJCAI 2019).
//
// Over the rows of a leaf where these columns are finite, with m the means weighted by h, the value c + w'(x - m)
// minimises
//
//   sum_i [ g_i f(x_i) + h_i f(x_i)^2 / 2 ] + l2 c^2 / 2 + l1 |c| + ridge |w|^2 / 2.
//
// About the means c and w do not meet: c is the constant leaf of these rows, and (sum h (x - m)(x - m)' + ridge I) w =
// - sum g (x - m). Columns that are constant in the leaf, or linear in those before them, get the weight 0. A leaf with
// no more such rows than columns, and any row with a value that is not finite, keep the constant value of the leaf.
#pragma once
#include "mlcore/base/views.hpp"
#include "mlcore/tree/grower.hpp"

namespace mlcore::tree {

/// Sets the linear part of the leaves of `tree`, whose rows are `rows`. hessians of size 1: the same for every row.
template <class T>
void fit_linear_leaves(const MatrixView<const T>& x, VectorView<const float> gradients,
                       VectorView<const float> hessians, const LeafRows& rows, double ridge, double l2, double l1,
                       double learning_rate, int n_threads, Tree& tree);

}  // namespace mlcore::tree
