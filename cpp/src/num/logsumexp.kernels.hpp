// Table of the kernels of num/logsumexp.hpp.
#pragma once
#include "mlcore/base/types.hpp"
#include "mlcore/base/views.hpp"

namespace mlcore::num {

template <class T>
struct LogSumExpKernelsOf {
  /// out[i] = log sum_j exp(x(i, j)). Any strides; a row's bits do not depend on the other rows.
  void (*rows)(MatrixView<const T> x, T* out) noexcept;
  /// maximum and sum of exp(x[i] - maximum) of a contiguous array, as in LogSumExp.
  void (*partial)(const T* x, Index n, double* maximum, double* sum) noexcept;
};

struct LogSumExpKernels {
  LogSumExpKernelsOf<float> float32;
  LogSumExpKernelsOf<double> float64;
  /// exp(x) and log(x) of one number, by the level's own functions: no libm, the same bits for every caller.
  double (*exp)(double x) noexcept;
  double (*log)(double x) noexcept;
};

}  // namespace mlcore::num
