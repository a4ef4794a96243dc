// Kernels that put values into bins.
#pragma once
#include <cstdint>

#include "mlcore/base/types.hpp"
#include "mlcore/runtime/isa.hpp"

namespace mlcore::tree {

/// Thresholds of one column, padded with +inf to 2^steps - 1 values.
template <class T>
struct ColumnBins {
  const T* thresholds = nullptr;
  int steps = 0;
  int categories = 0;  ///< > 0: codes instead of thresholds
  std::uint8_t missing = 0;
};

/// bins[i] <- bin of x[i * stride], for i < n <= 512; returns whether any is missing.
struct BinningKernels {
  bool (*bin_f32)(const float* x, Index stride, Index n, const ColumnBins<float>& column, std::uint8_t* bins) noexcept;
  bool (*bin_f64)(const double* x, Index stride, Index n, const ColumnBins<double>& column,
                  std::uint8_t* bins) noexcept;
};

inline constexpr Index kBinningRows = 512;

}  // namespace mlcore::tree

MLCORE_DECLARE_KERNELS(mlcore::tree::BinningKernels, binning_kernels)
