// Table of the kernels of num/reductions.hpp: one block each, float64 accumulators, a fixed order of additions.
#pragma once
#include "mlcore/base/types.hpp"
#include "mlcore/base/views.hpp"

namespace mlcore::num {

template <class T>
struct ReductionKernelsOf {
  /// sum of x[0..n)
  double (*sum)(const T* x, Index n) noexcept;
  /// sum of x[i] y[i]
  double (*dot)(const T* x, const T* y, Index n) noexcept;
  /// Per column of x - shift (rows >= 1): mean, and sum of squared deviations from it. Two passes over the block.
  void (*column_moments)(MatrixView<const T> x, const double* shift, double* mean, double* squares) noexcept;
};

struct ReductionKernels {
  ReductionKernelsOf<float> float32;
  ReductionKernelsOf<double> float64;
};

}  // namespace mlcore::num
