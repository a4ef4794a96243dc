// Best split of a categorical column into two sets of codes.
#pragma once
#include <cstdint>

#include "tree/histogram.kernels.hpp"

namespace mlcore::tree {

struct CategoricalLimits {
  double smooth = 10.0;
  std::int64_t support = 10;
};

/// Codes in the order of G / (H + smooth): with squared loss and no smoothing some prefix is the best of all subsets
/// (W. D. Fisher, "On grouping for maximum homogeneity", JASA 53, 1958). Tries prefixes and suffixes as the left side;
/// codes of fewer than `support` rows stay right. Missing values are one more code. bits: codes on the left.
void scan_categories(const Sums& sums, int bins, const NodeView& node, const Objective& objective,
                     const CategoricalLimits& limits, std::uint32_t* bits, Candidate* best);

}  // namespace mlcore::tree
