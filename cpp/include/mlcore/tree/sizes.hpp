// Sizes that kernels and drivers of trees share.
#pragma once
#include "mlcore/base/types.hpp"

namespace mlcore::tree {

/// Most bins of a column, the missing one not counted.
inline constexpr Index kMaxBins = 255;
/// Columns of a record: their histograms fit the second-level cache, their bins a cache line.
inline constexpr Index kBlockColumns = 64;

}  // namespace mlcore::tree
