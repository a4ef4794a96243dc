// One sequence in log space: slow, but nothing is out of range. For sequences that probability space cannot hold, and
// for the trellises that the module functions show.
#pragma once
#include "mlcore/base/buffer.hpp"
#include "mlcore/hmm/model.hpp"

namespace mlcore::hmm {

/// log(e^a + e^b + ...) of `count` values, -inf for none.
double log_sum(const double* values, Index count) noexcept;

/// log of the chain's parameters.
struct LogChain {
  explicit LogChain(const Chain& chain);
  Index states;
  Buffer<double> start, transitions;
};

/// log_alpha (T x K) of log_density (T x K); returns log p.
double log_forward(const LogChain& chain, const double* log_density, Index steps, double* log_alpha);
/// log_beta (T x K).
void log_backward(const LogChain& chain, const double* log_density, Index steps, double* log_beta);

}  // namespace mlcore::hmm
