#include "hmm/log_space.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mlcore::hmm {

double log_sum(const double* values, Index count) noexcept {
  double most = -std::numeric_limits<double>::infinity(), sum = 0;
  for (Index i = 0; i < count; ++i) most = std::max(most, values[i]);
  if (!std::isfinite(most)) return most;
  for (Index i = 0; i < count; ++i) sum += std::exp(values[i] - most);
  return most + std::log(sum);
}

LogChain::LogChain(const Chain& chain)
    : states(chain.states), start({chain.states}), transitions({chain.states, chain.states}) {
  for (Index i = 0; i < states; ++i) start[i] = std::log(chain.start[i]);
  for (Index i = 0; i < transitions.size(); ++i) transitions[i] = std::log(chain.transitions[i]);
}

double log_forward(const LogChain& chain, const double* log_density, Index steps, double* log_alpha) {
  const Index k = chain.states;
  Buffer<double> terms({k});
  for (Index t = 0; t < steps; ++t)
    for (Index j = 0; j < k; ++j) {
      double before = chain.start[j];
      if (t > 0) {
        for (Index i = 0; i < k; ++i) terms[i] = log_alpha[(t - 1) * k + i] + chain.transitions[i * k + j];
        before = log_sum(terms.data(), k);
      }
      log_alpha[t * k + j] = before + log_density[t * k + j];
    }
  return steps > 0 ? log_sum(log_alpha + (steps - 1) * k, k) : 0.0;
}

void log_backward(const LogChain& chain, const double* log_density, Index steps, double* log_beta) {
  const Index k = chain.states;
  Buffer<double> terms({k});
  for (Index t = steps - 1; t >= 0; --t)
    for (Index i = 0; i < k; ++i) {
      if (t == steps - 1) {
        log_beta[t * k + i] = 0;
        continue;
      }
      for (Index j = 0; j < k; ++j)
        terms[j] = chain.transitions[i * k + j] + log_density[(t + 1) * k + j] + log_beta[(t + 1) * k + j];
      log_beta[t * k + i] = log_sum(terms.data(), k);
    }
}

}  // namespace mlcore::hmm
