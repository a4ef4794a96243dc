// The kernel tables of the level in use, by scalar type. For drivers; kernel files do not include it.
#pragma once
#include "svm/svm.kernels.hpp"

namespace mlcore::svm {

inline const SvmKernels<float>& svm_kernels(float) { MLCORE_SELECT_KERNELS(svm_kernels_f32) }
inline const SvmKernels<double>& svm_kernels(double) { MLCORE_SELECT_KERNELS(svm_kernels_f64) }

}  // namespace mlcore::svm
