// Kernels of kd-tree leaves (neighbors/kd_tree.hpp), for the drivers of this family and of those that build on it.
//
// All distances are the reduced r of neighbors/metric.hpp by its rule, the same bits on every instruction set.
// Functions are noexcept, allocate nothing and may be called from any thread. A set of slots is a bit mask, bit s for
// slot s.
#pragma once
#include <cstdint>

#include "mlcore/base/types.hpp"

namespace mlcore::neighbors {

/// Rows of a leaf.
inline constexpr Index kLeaf = 32;

/// Rows of one leaf that ask, and a leaf whose rows answer.
struct LeafPair {
  const double* queries = nullptr;  ///< block of the leaf that asks
  const double* block = nullptr;    ///< block of the leaf that answers
  const double* box = nullptr;      ///< box of the leaf that answers: d lows, d highs
  Index d = 0;
  double bound = 0.0;        ///< within reach: r <= bound
  double surely_over = 0.0;  ///< rows whose r to the box is larger are not compared
  double p = 2.0;            ///< of the Minkowski metric
};

struct LeafKernels {
  /// counts[q] += number of slots within reach of each asking slot q.
  void (*count)(const LeafPair& pair, std::uint32_t asking, std::int32_t* counts) noexcept;
  /// hits[q] <- slots within reach of each asking slot q; returns the asking slots with any.
  std::uint32_t (*find)(const LeafPair& pair, std::uint32_t asking, std::uint32_t* hits) noexcept;
  /// First q of `asking` with a slot s of `answering` within reach, as q * kLeaf + s; -1 when there is none.
  Index (*find_first)(const LeafPair& pair, std::uint32_t asking, std::uint32_t answering) noexcept;
  /// Slots within `bound` of one point, whose columns stand `stride` apart; r[s] of those (the rest is undefined). None
  /// when the box of the leaf is surely over.
  std::uint32_t (*within)(const double* point, Index stride, const double* block, const double* box, Index d, double p,
                          double bound, double surely_over, double* r) noexcept;
};

struct Metric;
/// Of the instruction set in use.
const LeafKernels& leaf_kernels(const Metric& metric) noexcept;

}  // namespace mlcore::neighbors
