// Whole sequences, or lanes, that probability space cannot hold: the same results in log space, one lane at a time.
#pragma once
#include "hmm/worker.hpp"

namespace mlcore::hmm {

/// log p.
double log_likelihood_in_log_space(const Job& job, Worker& worker, const Lane& lane);

/// Posterior (length x K) times weight; pair sums (K x K, added; may be null). Returns log p; where it is -inf the
/// posterior is 0.
double posterior_in_log_space(const Job& job, Worker& worker, const Lane& lane, double* gamma, double* pairs,
                              double weight);

/// Filtered distributions (length x K); rows from an impossible observation on are 0. Returns log p.
double filter_in_log_space(const Job& job, Worker& worker, const Lane& lane, double* filtered);

}  // namespace mlcore::hmm
