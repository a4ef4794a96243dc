// Progress of an iterative fit, reported between iterations from the calling thread.
#pragma once
#include "mlcore/base/types.hpp"

namespace mlcore::runtime {

struct IterationInfo {
  Index iteration = 0;  ///< 1 after the first iteration
  Index max_iterations = 0;
  Index restart = 0;       ///< which of n_init runs
  double objective = 0.0;  ///< the estimator's own (k-means: inertia); NaN when it is not known
  double change = 0.0;     ///< what the tolerance is compared with; NaN when it is not known
};

/// Function and context; returns false to stop the fit. Empty when nobody listens.
struct Observer {
  bool (*on_iteration)(void* context, const IterationInfo& info) = nullptr;
  void* context = nullptr;

  explicit operator bool() const noexcept { return on_iteration != nullptr; }
  bool operator()(const IterationInfo& info) const { return on_iteration == nullptr || on_iteration(context, info); }
};

}  // namespace mlcore::runtime
