// kd-tree without pointers over float64 copies of the rows, made for SIMD leaves.
//
// Glossary
//   place    where a row stands in the order of the tree; row_of[place] is its number in X
//   leaf     kLeaf neighbouring places; all leaves but the last are full, so leaf = place / kLeaf
//   block    coordinates of a leaf, one column after the other: block[j * kLeaf + slot]; unused slots are NaN, which is
//            within no distance
//   node     a run of leaves [first, last); its left child takes the larger half of the leaves. Node i has the
//            children 2 i + 1 and 2 i + 2
//
// Split at the median of the widest column (estimated on a sample of rows), ties by row number: balanced for any data,
// also where all rows are equal. Time O(n log n), memory n d float64 + O(n).
#pragma once
#include <cstdint>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/types.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/neighbors/leaf_kernels.hpp"

namespace mlcore::neighbors {

struct KdNode {
  Index id = 0;
  Index first = 0, last = 0;  ///< leaves

  bool is_leaf() const noexcept { return last - first == 1; }
  Index middle() const noexcept { return first + (last - first + 1) / 2; }
  KdNode left() const noexcept { return {2 * id + 1, first, middle()}; }
  KdNode right() const noexcept { return {2 * id + 2, middle(), last}; }
};

class KdTree {
 public:
  Index n = 0, d = 0;
  Index leaves = 0, nodes = 0;
  Buffer<double> blocks;         ///< [leaves][d][kLeaf]
  Buffer<double> boxes;          ///< [nodes][2][d]: lows, highs
  Buffer<std::int32_t> row_of;   ///< leaves * kLeaf; -1 where no row is
  Buffer<std::int32_t> node_of;  ///< number of each leaf's node

  KdNode root() const noexcept { return {0, 0, leaves}; }
  const double* block(Index leaf) const noexcept { return blocks.data() + leaf * d * kLeaf; }
  const double* box(Index node) const noexcept { return boxes.data() + node * 2 * d; }
  /// Rows of the leaves [first, last).
  Index rows(const KdNode& node) const noexcept {
    return (node.last == leaves ? n : node.last * kLeaf) - node.first * kLeaf;
  }
  /// Bit s is set when slot s of the leaf holds a row.
  std::uint32_t slots(Index leaf) const noexcept {
    const Index count = n - leaf * kLeaf;
    return count >= kLeaf ? 0xffffffffu : (std::uint32_t{1} << count) - 1u;
  }
};

/// x: at least one row and column, finite. Polls Interrupt. Throws std::length_error for 2^31 rows or more.
template <class T>
KdTree build_kd_tree(const MatrixView<const T>& x, int n_jobs);

}  // namespace mlcore::neighbors
