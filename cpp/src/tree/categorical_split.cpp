#include "tree/categorical_split.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "mlcore/tree/binning.hpp"
#include "tree/objective.hpp"

namespace mlcore::tree {

void scan_categories(const Sums& sums, int bins, const NodeView& node, const Objective& objective,
                     const CategoricalLimits& limits, std::uint32_t* bits, Candidate* best) {
  std::array<int, kMaxBins + 1> order;
  std::array<double, kMaxBins + 1> key;
  int size = 0;
  const std::int64_t support = std::max<std::int64_t>(limits.support, 1);
  for (int b = 0; b <= bins; ++b) {
    if (sums.count[b] < support) continue;
    const double g = static_cast<double>(sums.gradient[b]) * objective.gradient_unit;
    const double h = static_cast<double>(sums.hessian[b]) * objective.hessian_unit;
    key[static_cast<std::size_t>(b)] = g / (h + limits.smooth + 1e-15);
    order[static_cast<std::size_t>(size++)] = b;
  }
  std::sort(order.begin(), order.begin() + size, [&](int a, int b) {
    const double ka = key[static_cast<std::size_t>(a)], kb = key[static_cast<std::size_t>(b)];
    return ka != kb ? ka < kb : a < b;
  });

  int best_size = 0;
  bool best_suffix = false;
  for (const bool suffix : {false, true}) {
    std::int64_t g = 0, h = 0, c = 0;
    for (int k = 1; k <= size; ++k) {
      const int b = order[static_cast<std::size_t>(suffix ? size - k : k - 1)];
      g += sums.gradient[b];
      h += sums.hessian[b];
      c += sums.count[b];
      const double gl = static_cast<double>(g) * objective.gradient_unit;
      const double hl = static_cast<double>(h) * objective.hessian_unit;
      const double gr = static_cast<double>(node.gradient - g) * objective.gradient_unit;
      const double hr = static_cast<double>(node.hessian - h) * objective.hessian_unit;
      if (c < objective.min_samples_leaf || node.count - c < objective.min_samples_leaf ||
          hl < objective.min_child_weight || hr < objective.min_child_weight)
        continue;
      const double wl = leaf_value(gl, hl, objective, node.lower, node.upper);
      const double wr = leaf_value(gr, hr, objective, node.lower, node.upper);
      const double gain = leaf_score(gl, hl, wl, objective) + leaf_score(gr, hr, wr, objective) - node.score;
      if (gain > best->gain + kTieMargin * (gain + std::abs(node.score))) {
        *best = {gain, -1, false, g, h, c};
        best_size = k;
        best_suffix = suffix;
      }
    }
  }
  std::fill(bits, bits + 8, 0u);
  for (int k = 1; k <= best_size; ++k) {
    const int b = order[static_cast<std::size_t>(best_suffix ? size - k : k - 1)];
    if (b == bins)
      best->missing_left = true;
    else
      bits[b >> 5] |= 1u << (b & 31);
  }
}

}  // namespace mlcore::tree
