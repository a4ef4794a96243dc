// What all kernel machines are told.
#pragma once
#include "mlcore/base/types.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/svm/kernel_function.hpp"

namespace mlcore::svm {

struct MachineSpec {
  KernelFunction kernel;
  double tolerance = 1e-3;
  double cache_bytes = 200e6;
  bool shrinking = true;
  Index max_iterations = -1;  ///< pair updates of one problem; -1: no limit
  double max_seconds = 0.0;   ///< of the whole fit; 0: no limit
  int n_jobs = 0;
  /// A solution to start from, laid out as the result's; it need not be feasible. Empty: none.
  VectorView<const Index> start_support;
  MatrixView<const double> start_coef;
};

}  // namespace mlcore::svm
