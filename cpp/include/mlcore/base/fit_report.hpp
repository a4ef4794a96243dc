// What an iterative fit says about its end; the estimator turns it into attributes and warnings.
#pragma once
#include "mlcore/base/types.hpp"

namespace mlcore {

enum class StopReason : int {
  kConverged = 0,      ///< the tolerance was met
  kMaxIterations = 1,  ///< the iteration limit was met first
  kCallback = 2,       ///< the observer asked to stop
  kStationary = 3,     ///< nothing changed any more (strict convergence)
};

struct FitReport {
  Index iterations = 0;
  double objective = 0.0;
  StopReason reason = StopReason::kMaxIterations;
};

}  // namespace mlcore
