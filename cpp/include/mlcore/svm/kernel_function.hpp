// The kernel functions of support vector machines.
//
//   linear       x.z
//   polynomial   (gamma x.z + coef0)^degree
//   rbf          exp(-gamma |x - z|^2)
//   sigmoid      tanh(gamma x.z + coef0)   (not positive semidefinite in general)
//   precomputed  the numbers are given
#pragma once
#include "mlcore/base/types.hpp"

namespace mlcore::svm {

enum class KernelKind : int { kLinear = 0, kPolynomial = 1, kRbf = 2, kSigmoid = 3, kPrecomputed = 4 };

struct KernelFunction {
  KernelKind kind = KernelKind::kRbf;
  double gamma = 1.0;
  double coef0 = 0.0;
  int degree = 3;
};

}  // namespace mlcore::svm
