// The chain of pairs (state, rows left), number k D + r, in log space: slow, but nothing is out of range.
#pragma once
#include <cmath>

#include "hmm/duration_job.hpp"
#include "hmm/log_space.hpp"

namespace mlcore::hmm {

class PairsInLogSpace {
 public:
  explicit PairsInLogSpace(const DurationJob& job)
      : job_(job),
        depth_(job.model.longest),
        pairs_(job.k * depth_),
        start_(Buffer<double>::zeros({pairs_})),
        transitions_(Buffer<double>::zeros({pairs_, pairs_})) {
    const Chain& chain = job.model.chain;
    for (Index j = 0; j < job.k; ++j)
      for (Index r = 0; r < depth_; ++r) {
        const double p = job.model.durations[j * depth_ + r];
        start_[j * depth_ + r] = chain.start[j] * p;
        for (Index i = 0; i < job.k; ++i)
          transitions_[i * depth_ * pairs_ + j * depth_ + r] = chain.transitions[i * job.k + j] * p;
        if (r > 0) transitions_[(j * depth_ + r) * pairs_ + j * depth_ + r - 1] += 1.0;
      }
  }
  double score(const Lane& lane) {
    const Buffer<double> density = densities(lane);
    Buffer<double> alpha({lane.length, pairs_});
    return log_forward(LogChain(chain()), density.data(), lane.length, alpha.data());
  }
  double posterior(const Lane& lane, double weight, double* gamma, DurationTotals& total) {
    const Index n = lane.length, k = job_.k;
    const LogChain logs(chain());
    const Buffer<double> density = densities(lane);
    Buffer<double> alpha({n, pairs_}), beta({n, pairs_});
    const double all = log_forward(logs, density.data(), n, alpha.data());
    std::fill_n(gamma, n * k, 0.0);
    if (all == kImpossible) return all;
    log_backward(logs, density.data(), n, beta.data());
    for (Index t = 0; t < n; ++t)
      for (Index q = 0; q < pairs_; ++q)
        gamma[t * k + q / depth_] += weight * std::exp(alpha[t * pairs_ + q] + beta[t * pairs_ + q] - all);
    for (Index t = 0; t < n; ++t)
      for (Index q = 0; q < pairs_; ++q) {
        const double here = density[t * pairs_ + q] + beta[t * pairs_ + q] - all;
        for (Index i = 0; i < (t > 0 ? k : 1); ++i) {
          // A segment begins: from the end of one in state i, or with the sequence.
          const double share = t > 0 ? weight * std::exp(alpha[(t - 1) * pairs_ + i * depth_] +
                                                         std::log(job_.model.chain.transitions[i * k + q / depth_] *
                                                                  job_.model.durations[q]) +
                                                         here)
                                     : weight * std::exp(logs.start[q] + here);
          total.slow_durations[q] += share;
          if (t > 0) total.slow_pairs[i * k + q / depth_] += share;
        }
      }
    for (Index j = 0; j < k; ++j) total.start[j] += gamma[j];
    return all;
  }

 private:
  Chain chain() const noexcept { return {pairs_, start_.data(), transitions_.data()}; }
  Buffer<double> densities(const Lane& lane) const {
    Buffer<double> out({lane.length, pairs_});
    for (Index t = 0; t < lane.length; ++t) {
      const std::int32_t label = job_.sequences.labels.empty() ? -1 : job_.sequences.labels[lane.row + t];
      for (Index q = 0; q < pairs_; ++q)
        out[t * pairs_ + q] = label < 0 || label == q / depth_
                                  ? job_.log_density.data[(lane.row + t) * job_.k + q / depth_]
                                  : kImpossible;
    }
    return out;
  }

  const DurationJob& job_;
  Index depth_, pairs_;
  Buffer<double> start_, transitions_;
};

}  // namespace mlcore::hmm
