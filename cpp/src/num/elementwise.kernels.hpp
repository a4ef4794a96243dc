// Table of the array kernels of num/elementwise.hpp: y[i] = f(x[i]) for 0 <= i < n; x and y are the same array or
// disjoint.
#pragma once
#include "mlcore/base/types.hpp"

namespace mlcore::num {

inline constexpr int kElementwiseCount = 7;

template <class T>
using ElementwiseKernel = void (*)(const T* x, T* y, Index n) noexcept;

/// Indexed by Elementwise (num/elementwise.hpp).
struct ElementwiseKernels {
  ElementwiseKernel<float> float32[kElementwiseCount];
  ElementwiseKernel<double> float64[kElementwiseCount];
};

template <class T>
constexpr ElementwiseKernel<T> elementwise_kernel(const ElementwiseKernels& kernels, int function) noexcept {
  if constexpr (sizeof(T) == sizeof(float))
    return kernels.float32[function];
  else
    return kernels.float64[function];
}

}  // namespace mlcore::num
