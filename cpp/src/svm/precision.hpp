// Which float type kernel values are computed and kept in.
#pragma once
#include "mlcore/base/types.hpp"

namespace mlcore::svm {

/// Small problems are solved in float64 throughout: they cost milliseconds either way. By shape only.
inline bool double_is_cheap(double kernel_values, Index features) noexcept {
  constexpr double kOperations = 3e8;
  return kernel_values * (static_cast<double>(features) + 30.0) <= kOperations;
}

}  // namespace mlcore::svm
