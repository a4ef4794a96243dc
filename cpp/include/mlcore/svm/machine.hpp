// What all kernel machines are told.
#pragma once
#include "mlcore/base/types.hpp"
#include "mlcore/svm/kernel_function.hpp"

namespace mlcore::svm {

struct MachineSpec {
  KernelFunction kernel;
  double tolerance = 1e-3;
  double cache_bytes = 200e6;
  bool shrinking = true;
  Index max_iterations = -1;  ///< pair updates of one problem; -1: no limit
  int n_jobs = 0;
};

}  // namespace mlcore::svm
