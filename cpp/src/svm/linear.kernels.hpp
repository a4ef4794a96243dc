// Kernel table of the linear machines. Every function is noexcept and allocates nothing. Rows are contiguous; w is
// float64 whatever the data are.
#pragma once
#include <cstdint>

#include "mlcore/base/types.hpp"
#include "mlcore/runtime/isa.hpp"

namespace mlcore::svm {

template <class T>
struct LinearKernels {
  /// x.w, of a row of n values or of `entries` values in the columns `indices`.
  double (*dot)(Index n, const T* x, const double* w) noexcept;
  double (*sparse_dot)(Index entries, const T* x, const std::int32_t* indices, const double* w) noexcept;
  /// w += a x.
  void (*add)(Index n, double a, const T* x, double* w) noexcept;
  void (*sparse_add)(Index entries, double a, const T* x, const std::int32_t* indices, double* w) noexcept;
};

}  // namespace mlcore::svm

MLCORE_DECLARE_KERNELS(mlcore::svm::LinearKernels<float>, linear_kernels_f32)
MLCORE_DECLARE_KERNELS(mlcore::svm::LinearKernels<double>, linear_kernels_f64)
