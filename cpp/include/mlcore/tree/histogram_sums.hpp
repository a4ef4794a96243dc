// Sums of gradients by bin of blocks of rows that may lie on several machines: partial sums, which are integers and add
// up in any order, and the best split of their total.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "mlcore/base/views.hpp"
#include "mlcore/tree/binning.hpp"

namespace mlcore::tree {

/// One number a bin, column after column, the missing bin last: sums of round(g * resolution) and round(h *
/// resolution), and rows.
struct HistogramSums {
  std::vector<std::int64_t> gradients, hessians, counts;
};

/// Sums over rows (empty: all). hessians of size 1: the same for every row. Throws where a sum could overflow.
HistogramSums histogram_sums(const BinnedMatrix& binned, VectorView<const float> gradients,
                             VectorView<const float> hessians, VectorView<const std::uint32_t> rows, double resolution,
                             int n_threads);

struct SplitLimits {
  double l2 = 0.0;
  double l1 = 0.0;
  double min_split_gain = 0.0;
  double min_child_weight = 1e-3;
  Index min_samples_leaf = 20;
};

struct FoundSplit {
  double gain = 0.0;
  Index feature = 0;
  int bin = 0;
  bool missing_left = false;
  std::int64_t left_gradient = 0, left_hessian = 0, left_count = 0;  ///< in units of the sums
};

/// Best split of numeric columns, cells[j] = bins of column j, the missing one counted. Ties as in Grower.
std::optional<FoundSplit> best_split(VectorView<const std::int64_t> gradients, VectorView<const std::int64_t> hessians,
                                     VectorView<const std::int64_t> counts, const std::vector<Index>& cells,
                                     double resolution, const SplitLimits& limits);

}  // namespace mlcore::tree
