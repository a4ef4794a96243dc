// Kernels of tree growth: gradient pairs, histograms, split search, partition.
#pragma once
#include <cstdint>

#include "mlcore/base/types.hpp"
#include "mlcore/runtime/isa.hpp"
#include "mlcore/tree/sizes.hpp"
#include "tree/gradient_pairs.hpp"

namespace mlcore::tree {

/// Cells between the columns of a packed histogram: 256 bins and one line more, so that equal bins of different
/// columns do not meet in one set of the cache.
inline constexpr Index kPackedStride = 264;

/// Exact sums of one column's bins.
struct Sums {
  std::int64_t* gradient = nullptr;
  std::int64_t* hessian = nullptr;
  std::int32_t* count = nullptr;
};

/// sum |g|, max |g|, sum h, max h over a block; a NaN or an infinity shows in the sums.
struct GradientBounds {
  double gradient_sum = 0.0;
  double gradient_max = 0.0;
  double hessian_sum = 0.0;
  double hessian_max = 0.0;
};

struct Quantiser {
  PairLayout layout;
  double gradient_scale = 0.0;
  double hessian_scale = 0.0;
};

/// Records of one block of columns.
struct RecordView {
  const std::uint8_t* records = nullptr;
  Index width = 0;
  Index columns = 0;
};

/// What a split search needs to know of a node.
struct NodeView {
  std::int64_t gradient = 0;
  std::int64_t hessian = 0;
  std::int64_t count = 0;
  double lower = 0.0;  ///< bounds of the value
  double upper = 0.0;
  double score = 0.0;  ///< of the node as a leaf, plus the least gain
};

/// Parameters of the objective; scales turn integer sums into those of g and h.
struct Objective {
  double gradient_unit = 1.0;
  double hessian_unit = 1.0;
  double l1 = 0.0;
  double l2 = 0.0;
  double max_step = 0.0;  ///< infinity: no limit
  double min_child_weight = 0.0;
  std::int64_t min_samples_leaf = 1;
  bool plain = true;  ///< no l1, no step limit, no bounds
};

/// Two ways to cut the same rows may differ in the last bits of their scores: a later candidate must beat an earlier
/// one by this share of the scores.
inline constexpr double kTieMargin = 1e-13;

struct Candidate {
  double gain = 0.0;  ///< 0: no split
  std::int32_t bin = -1;
  bool missing_left = false;
  std::int64_t left_gradient = 0, left_hessian = 0, left_count = 0;
};

/// Which bins go left. The column must be readable 16 bytes beyond its last row.
struct Route {
  std::uint8_t goes_left[256] = {};
  // The same where it is simple: bins up to last_left, and `missing` if missing_left; all others instead if `flipped`.
  bool simple = false;
  bool flipped = false;
  bool missing_left = false;
  int last_left = -1;
  int missing = 0;
};

/// Rows whose marks share a word: bit i is row i of them.
inline constexpr Index kMarkedRows = 16;
using Marks = std::uint16_t;

struct TreeKernels {
  GradientBounds (*bounds)(const float* g, const float* h, Index n) noexcept;
  /// pairs[i] of n rows; h null: constant. random: 2 words of 16 bits a row, or null to round to the nearest.
  void (*quantise)(const float* g, const float* h, const std::uint16_t* random, Index n, const Quantiser& quantiser,
                   std::uint64_t* pairs) noexcept;
  /// packed[c * kPackedStride + bin] += pair for the columns c of `count` rows; rows null: first, first + 1, ...
  void (*accumulate)(const RecordView& block, const std::uint32_t* rows, Index first, Index count,
                     const std::uint64_t* pairs, std::uint64_t* packed) noexcept;
  /// Moves `cells` packed cells to the sums (add: adds them) and leaves zeros.
  void (*spill)(std::uint64_t* packed, Index cells, const PairLayout& layout, bool add, const Sums& sums) noexcept;
  void (*add)(const Sums& from, Index cells, const Sums& to) noexcept;       ///< to += from
  void (*subtract)(const Sums& from, Index cells, const Sums& to) noexcept;  ///< to -= from
  /// Best split of a numeric column with `bins` bins and the missing one after them. monotonic: -1, 0, 1. scratch: 4 *
  /// 272 words of 64 bits.
  void (*scan)(const Sums& sums, int bins, int monotonic, const NodeView& node, const Objective& objective,
               std::int64_t* scratch, Candidate* best) noexcept;
  /// gains[k]: of the cut between the rows of cell k and the others (0: none), k < cells; no penalties but l2, no
  /// bounds. The sums must be readable, and gains writable, a vector beyond the last cell.
  void (*scan_cells)(const Sums& sums, int cells, const NodeView& node, const Objective& objective,
                     double* gains) noexcept;
  /// Rows that go left to `left`, the others to `right`, both in order; returns the number of the former. rows null:
  /// first, first + 1, ... left may be rows. Writes nothing beyond.
  Index (*partition)(const std::uint8_t* column, const std::uint32_t* rows, Index first, Index count,
                     const Route& route, std::uint32_t* left, std::uint32_t* right) noexcept;
  /// Marks the rows that go left, ceil(count / kMarkedRows) words; returns their number.
  Index (*mark)(const std::uint8_t* column, const std::uint32_t* rows, Index first, Index count, const Route& route,
                Marks* marks) noexcept;
  /// The same as `partition` by marks; left must not be rows.
  void (*partition_marked)(const std::uint32_t* rows, Index first, Index count, const Marks* marks, std::uint32_t* left,
                           std::uint32_t* right) noexcept;
  /// sum g and sum h (h null: not) over rows.
  void (*gather_sums)(const float* g, const float* h, const std::uint32_t* rows, Index first, Index count,
                      double* sums) noexcept;
  void (*add_value)(double* raw, const std::uint32_t* rows, Index first, Index count, double value) noexcept;
};

}  // namespace mlcore::tree

MLCORE_DECLARE_KERNELS(mlcore::tree::TreeKernels, tree_kernels)
