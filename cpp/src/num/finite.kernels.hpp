// Kernel table of num/finite.hpp. Functions are noexcept, allocate nothing and may be called from any thread.
#pragma once
#include "mlcore/base/types.hpp"
#include "mlcore/runtime/isa.hpp"

namespace mlcore::num {

template <class T>
struct FiniteKernels {
  /// x[0], ..., x[n - 1] are all finite.
  bool (*run)(const T* x, Index n) noexcept;
};

}  // namespace mlcore::num

MLCORE_DECLARE_KERNELS(num::FiniteKernels<float>, finite_kernels_f32)
MLCORE_DECLARE_KERNELS(num::FiniteKernels<double>, finite_kernels_f64)
