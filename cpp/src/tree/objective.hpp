// Leaf values and scores of sums, for the driver; the kernel's copy works on vectors (split_scan.hpp).
#pragma once
#include <algorithm>

#include "tree/histogram.kernels.hpp"

namespace mlcore::tree {

/// argmin of G w + (H + l2) w^2 / 2 + l1 |w| within the step limit and the bounds.
inline double leaf_value(double g, double h, const Objective& o, double lower, double upper) noexcept {
  if (o.l1 > 0.0) g = g > o.l1 ? g - o.l1 : (g < -o.l1 ? g + o.l1 : 0.0);
  const double w = -g / (h + o.l2 + 1e-15);
  return std::clamp(std::clamp(w, -o.max_step, o.max_step), lower, upper);
}
inline double leaf_score(double g, double h, double w, const Objective& o) noexcept {
  return -(g * w + 0.5 * (h + o.l2) * w * w + o.l1 * (w < 0.0 ? -w : w));
}

}  // namespace mlcore::tree
