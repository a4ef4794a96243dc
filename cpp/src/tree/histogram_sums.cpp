#include "mlcore/tree/histogram_sums.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "tree/objective.hpp"

namespace mlcore::tree {

namespace {

constexpr double kNsPerUpdate = 1.5;
constexpr double kMostOfSum = 0x1p62;
constexpr double kMostOfScan = 0x1p51;  // sums become doubles in the search

const TreeKernels& kernels(){MLCORE_SELECT_KERNELS(tree_kernels)}

std::vector<std::int64_t> rounded(VectorView<const float> values, double resolution, Index rows) {
  std::vector<std::int64_t> result(static_cast<std::size_t>(values.size));
  double largest = 0.0;
  for (Index i = 0; i < values.size; ++i) {
    const double scaled = static_cast<double>(values[i]) * resolution;
    require(std::isfinite(scaled), "gradients and hessians must be finite");
    largest = std::max(largest, std::abs(scaled));
    require(largest * static_cast<double>(rows) < kMostOfSum, "the resolution is too fine for gradients of this size");
    result[static_cast<std::size_t>(i)] = std::llrint(scaled);
  }
  return result;
}

}  // namespace

HistogramSums histogram_sums(const BinnedMatrix& binned, VectorView<const float> gradients,
                             VectorView<const float> hessians, VectorView<const std::uint32_t> rows, double resolution,
                             int n_threads) {
  const Index n = binned.rows(), d = binned.columns();
  require(gradients.size == n, "gradients must have one value per row");
  require(hessians.size == n || hessians.size == 1, "hessians must have one value per row, or one for all");
  require(resolution > 0.0 && std::isfinite(resolution), "resolution must be positive");
  for (Index i = 0; i < rows.size; ++i) require(static_cast<Index>(rows[i]) < n, "row number out of range");
  const std::vector<std::int64_t> g = rounded(gradients, resolution, n), h = rounded(hessians, resolution, n);
  std::vector<Index> first(static_cast<std::size_t>(d) + 1, 0);
  for (Index j = 0; j < d; ++j)
    first[static_cast<std::size_t>(j) + 1] = first[static_cast<std::size_t>(j)] + binned.bins(j) + 1;
  const auto total = static_cast<std::size_t>(first.back());
  HistogramSums sums;
  for (auto* list : {&sums.gradients, &sums.hessians, &sums.counts}) list->assign(total, 0);
  const Index m = rows.empty() ? n : rows.size;
  const bool constant = hessians.size == 1;
  const int threads = runtime::threads_for_work(runtime::resolve_threads(n_threads).threads,
                                                static_cast<double>(m) * static_cast<double>(d) * kNsPerUpdate);
  runtime::parallel_for(d, threads, [&](Index j) {
    const std::vector<std::uint8_t> bins = binned.column(j);
    const Index offset = first[static_cast<std::size_t>(j)];
    for (Index i = 0; i < m; ++i) {
      const Index row = rows.empty() ? i : static_cast<Index>(rows[i]);
      const auto cell = static_cast<std::size_t>(offset + bins[static_cast<std::size_t>(row)]);
      sums.gradients[cell] += g[static_cast<std::size_t>(row)];
      sums.hessians[cell] += h[constant ? 0 : static_cast<std::size_t>(row)];
      ++sums.counts[cell];
    }
  });
  return sums;
}

std::optional<FoundSplit> best_split(VectorView<const std::int64_t> gradients, VectorView<const std::int64_t> hessians,
                                     VectorView<const std::int64_t> counts, const std::vector<Index>& cells,
                                     double resolution, const SplitLimits& limits) {
  Index total = 0;
  for (const Index c : cells) {
    require(c >= 2 && c <= kMaxBins + 1, "a column has from 2 to 256 bins, the missing one counted");
    total += c;
  }
  require(!cells.empty() && gradients.size == total && hessians.size == total && counts.size == total,
          "the sums must have one value per bin");
  require(limits.min_samples_leaf >= 1, "min_samples_leaf must be at least 1");
  Objective objective;
  objective.gradient_unit = objective.hessian_unit = 1.0 / resolution;
  objective.l1 = limits.l1;
  objective.l2 = limits.l2;
  objective.max_step = std::numeric_limits<double>::infinity();
  objective.min_child_weight = limits.min_child_weight;
  objective.min_samples_leaf = limits.min_samples_leaf;
  objective.plain = limits.l1 == 0.0;
  NodeView node;
  node.lower = -objective.max_step;
  node.upper = objective.max_step;
  double size = 0.0;
  for (Index b = 0; b < cells.front(); ++b) {
    node.gradient += gradients[b];
    node.hessian += hessians[b];
    node.count += counts[b];
    size += std::max(std::abs(static_cast<double>(gradients[b])), std::abs(static_cast<double>(hessians[b])));
  }
  require(size < kMostOfScan, "the sums are too large: use a coarser resolution");
  require(node.count < std::numeric_limits<std::int32_t>::max(), "at most 2^31 - 2 rows");
  const double g = static_cast<double>(node.gradient) / resolution, h = static_cast<double>(node.hessian) / resolution;
  const double value = leaf_value(g, h, objective, node.lower, node.upper);
  node.score = leaf_score(g, h, value, objective) + limits.min_split_gain;

  std::vector<std::int64_t> scratch(4 * 272), column_g(kMaxBins + 1), column_h(kMaxBins + 1);
  std::vector<std::int32_t> column_c(kMaxBins + 1);
  Candidate best;
  Index feature = -1, first = 0;
  for (std::size_t j = 0; j < cells.size(); first += cells[j], ++j) {
    for (Index b = 0; b < cells[j]; ++b) {
      column_g[static_cast<std::size_t>(b)] = gradients[first + b];
      column_h[static_cast<std::size_t>(b)] = hessians[first + b];
      require(counts[first + b] >= 0 && counts[first + b] <= node.count, "the counts of a bin are out of range");
      column_c[static_cast<std::size_t>(b)] = static_cast<std::int32_t>(counts[first + b]);
    }
    const int bins = static_cast<int>(cells[j]) - 1;
    Candidate found;
    kernels().scan({column_g.data(), column_h.data(), column_c.data()}, bins, 0, node, objective, scratch.data(),
                   &found);
    if (found.gain > best.gain + kTieMargin * (found.gain + std::abs(node.score))) {
      if (column_c[static_cast<std::size_t>(bins)] == 0) found.missing_left = 2 * found.left_count > node.count;
      best = found;
      feature = static_cast<Index>(j);
    }
  }
  if (feature < 0) return std::nullopt;
  return FoundSplit{best.gain,          feature,           best.bin,       best.missing_left,
                    best.left_gradient, best.left_hessian, best.left_count};
}

}  // namespace mlcore::tree
