// Kernels of the losses, on blocks of rows.
#pragma once
#include "mlcore/base/types.hpp"
#include "mlcore/runtime/isa.hpp"

namespace mlcore::ensemble {

inline constexpr Index kLossRows = 256;
inline constexpr int kLosses = 9;  ///< all but the multinomial, in the order of Loss

/// n <= kLossRows; w null: ones; h null: not wanted.
using GradientKernel = void (*)(double parameter, const double* y, const double* raw, const double* w, Index n,
                                float* g, float* h) noexcept;
/// Sum of w * loss.
using ValueKernel = double (*)(double parameter, const double* y, const double* raw, const double* w, Index n) noexcept;

struct LossKernels {
  GradientKernel gradients[kLosses];
  ValueKernel values[kLosses];
  /// Output k of row i at raw[k * stride + i], g and h alike.
  void (*softmax_gradients)(Index outputs, const double* y, const double* raw, Index raw_stride, const double* w,
                            Index n, float* g, Index g_stride, float* h, Index h_stride) noexcept;
  double (*softmax_value)(Index outputs, const double* y, const double* raw, Index raw_stride, const double* w,
                          Index n) noexcept;
};

}  // namespace mlcore::ensemble

MLCORE_DECLARE_KERNELS(mlcore::ensemble::LossKernels, loss_kernels)
