// Questions to the kd-tree that the parts of DBSCAN share: who is within eps of the rows of a leaf.
//
// Glossary
//   asking     slots of a leaf whose question is still open
//   place      leaf * kLeaf + slot
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>

#include "mlcore/cluster/dbscan.hpp"
#include "mlcore/neighbors/kd_tree.hpp"

namespace mlcore::cluster::dbscan {

using neighbors::BoxDistances;
using neighbors::KdNode;
using neighbors::KdTree;
using neighbors::kLeaf;
using neighbors::LeafKernels;
using neighbors::LeafPair;
using neighbors::Metric;
using neighbors::Reach;

constexpr std::int32_t kNoLabel = std::numeric_limits<std::int32_t>::max();  ///< label of a place without one
constexpr Index kLeavesPerTask = 16;

/// The tree of the rows that are searched, and what "within eps" means there.
struct Search {
  const KdTree& tree;
  Metric metric;
  Reach reach;
  const LeafKernels& kernels;

  Search(const KdTree& t, const DbscanSpec& spec)
      : tree(t),
        metric(spec.metric),
        reach(neighbors::reach_of(spec.eps, t.d)),
        kernels(neighbors::leaf_kernels(spec.metric)) {}

  LeafPair pair(const double* queries, Index leaf) const noexcept {
    return {queries, tree.block(leaf), tree.box(tree.node_of[leaf]), tree.d, reach.bound, reach.surely_over, metric.p};
  }
  BoxDistances distances(const double* box, const KdNode& node) const noexcept {
    return neighbors::box_distances(metric, box, tree.box(node.id), tree.d);
  }
};

inline int bit_count(std::uint32_t bits) noexcept { return __builtin_popcount(bits); }

// The box around the asking slots of a block.
inline void box_of(const double* block, std::uint32_t asking, Index d, double* box) noexcept {
  for (Index j = 0; j < d; ++j) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (std::uint32_t left = asking; left != 0; left &= left - 1) {
      const double x = block[j * kLeaf + __builtin_ctz(left)];
      low = std::min(low, x);
      high = std::max(high, x);
    }
    box[j] = low;
    box[d + j] = high;
  }
}

}  // namespace mlcore::cluster::dbscan
