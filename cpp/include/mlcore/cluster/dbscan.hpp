// DBSCAN (Ester, Kriegel, Sander, Xu 1996), exact.
//
// A row is core when the rows within eps of it, itself included, have a total weight of at least min_samples. Clusters
// are the connected components of the core rows under "within eps", numbered by their lowest core row. Another row
// within eps of core rows gets the lowest number among them; the rest is noise, -1. "Within eps" is the rule of
// neighbors/metric.hpp, so the labels are those of a plain double loop in float64, for any number of threads and any
// instruction set.
//
// On a kd-tree of leaves of 32 rows. Core rows: each leaf asks leaf after leaf, near ones first, until its rows have
// enough neighbours; a subtree whose box lies wholly within reach counts at once. Components: a dual traversal with a
// union-find, that leaves out pairs of subtrees which hold one and the same component, and joins two leaves on the
// first pair found. No neighbour list is ever held: memory is the tree (n d float64) + O(n), time O(n log n) where eps
// holds few rows or min_samples is small, O(n^2 d) at worst.
#pragma once
#include <cstdint>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/types.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/neighbors/metric.hpp"

namespace mlcore::cluster {

struct DbscanSpec {
  double eps = 0.5;  ///< reduced: r(x, y) <= eps (neighbors::reduced_distance)
  double min_samples = 5;
  neighbors::Metric metric;
  int n_jobs = 0;
};

struct DbscanResult {
  Buffer<Index> labels;  ///< n
  Buffer<Index> core;    ///< numbers of the core rows, ascending
};

/// weights: empty means ones; may be negative.
template <class T>
DbscanResult dbscan_fit(const MatrixView<const T>& x, VectorView<const double> weights, const DbscanSpec& spec);

/// labels[i] <- lowest of the labels of the core rows within eps of x_i, -1 where there is none.
template <class T>
Buffer<Index> dbscan_predict(const MatrixView<const T>& core, VectorView<const Index> core_labels,
                             const MatrixView<const T>& x, const DbscanSpec& spec);

/// DBSCAN on given distances: an entry (i, j) of row i with a value of at most spec.eps makes j a neighbour of i. Rows
/// are taken as they stand, also where the matrix is not symmetric: clusters grow along the rows of core rows, in order
/// of their lowest core row. Needs O(n) memory beyond the matrix.
template <class T>
DbscanResult dbscan_matrix(const MatrixView<const T>& distances, VectorView<const double> weights,
                           const DbscanSpec& spec);
/// Sparse: only stored entries can be neighbours.
template <class T, class I>
DbscanResult dbscan_matrix(const CsrView<T, I>& distances, VectorView<const double> weights, const DbscanSpec& spec);

}  // namespace mlcore::cluster
