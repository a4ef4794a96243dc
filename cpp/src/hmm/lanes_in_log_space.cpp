#include "hmm/lanes_in_log_space.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "hmm/log_space.hpp"

namespace mlcore::hmm {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

}  // namespace

double log_likelihood_in_log_space(const Job& job, Worker& worker, const Lane& lane) {
  const Buffer<double> density = worker.log_density(lane);
  Buffer<double> alpha({lane.length, job.chain.states});
  return log_forward(LogChain(job.chain), density.data(), lane.length, alpha.data());
}

double posterior_in_log_space(const Job& job, Worker& worker, const Lane& lane, double* gamma, double* pairs,
                              double weight) {
  const Index k = job.chain.states, n = lane.length;
  const LogChain chain(job.chain);
  const Buffer<double> density = worker.log_density(lane);
  Buffer<double> alpha({n, k}), beta({n, k});
  const double total = log_forward(chain, density.data(), n, alpha.data());
  if (total == kNever) {
    std::fill_n(gamma, n * k, 0.0);
    return total;
  }
  log_backward(chain, density.data(), n, beta.data());
  for (Index i = 0; i < n * k; ++i) gamma[i] = weight * std::exp(alpha[i] + beta[i] - total);
  if (pairs != nullptr)
    for (Index t = 1; t < n; ++t)
      for (Index i = 0; i < k; ++i)
        for (Index j = 0; j < k; ++j)
          pairs[i * k + j] += weight * std::exp(alpha[(t - 1) * k + i] + chain.transitions[i * k + j] +
                                                density[t * k + j] + beta[t * k + j] - total);
  return total;
}

double filter_in_log_space(const Job& job, Worker& worker, const Lane& lane, double* filtered) {
  const Index k = job.chain.states;
  const Buffer<double> density = worker.log_density(lane);
  const double total = log_forward(LogChain(job.chain), density.data(), lane.length, filtered);
  for (Index t = 0; t < lane.length; ++t) {
    double* row = filtered + t * k;
    const double all = log_sum(row, k);
    for (Index j = 0; j < k; ++j) row[j] = all == kNever ? 0.0 : std::exp(row[j] - all);
  }
  return total;
}

}  // namespace mlcore::hmm
