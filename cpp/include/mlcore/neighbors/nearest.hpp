// The k nearest rows, exact.
//
// Nearest by the pair (r, row number), with r of neighbors/metric.hpp: ties in r go to the lower row, so the answer is
// one and the same for any engine, thread count and instruction set.
//
// The queries stand in a kd-tree of their own, so that the 32 rows of a leaf, which are neighbours in space, ask
// together: a subtree is left out when its box is farther from theirs than the worst k-th distance among them. Memory:
// the trees (float64 copies of the rows) and the answer.
#pragma once
#include "mlcore/base/buffer.hpp"
#include "mlcore/base/types.hpp"
#include "mlcore/neighbors/kd_tree.hpp"
#include "mlcore/neighbors/metric.hpp"

namespace mlcore::neighbors {

struct Nearest {
  Buffer<double> distances;  ///< queries x k, ascending (the farthest alone: queries x 1); distances, not r
  Buffer<Index> rows;        ///< queries x k; empty when not wanted
};

struct NearestSpec {
  Index k = 1;
  Metric metric;
  bool leave_out_own_row = false;  ///< query i is row i of the tree, which is no answer to it
  bool want_rows = true;
  bool farthest_alone = false;  ///< only the k-th distance is kept, and no rows
  int n_jobs = 0;
};

/// Answers in the order of the queries' rows. 1 <= k <= rows of the tree (less one when the own row is left out). The
/// two trees may be the same.
Nearest nearest(const KdTree& tree, const KdTree& queries, const NearestSpec& spec);

}  // namespace mlcore::neighbors
