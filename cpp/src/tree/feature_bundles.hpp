// Exclusive features: columns that are never present in the same row may share a column of bins (G. Ke et al.,
// "LightGBM", NeurIPS 2017, section 4; here without conflicts, so that trees do not change).
#pragma once
#include <cstdint>
#include <vector>

#include "mlcore/base/types.hpp"

namespace mlcore::tree {

/// Rows where a column is present, and how many codes it needs there.
struct PresentRows {
  std::vector<std::uint32_t> rows;
  int codes = 0;
};

/// Groups of columns without a common row and with at most 255 codes together, every column in one. Greedy: columns by
/// falling number of rows, each into the first group that takes it. Ascending, in the order of their first columns.
std::vector<std::vector<Index>> find_bundles(const std::vector<PresentRows>& columns, Index rows);

}  // namespace mlcore::tree
