// Paths drawn from a chain, and from its posterior.
#pragma once
#include <cstdint>

#include "mlcore/hmm/model.hpp"

namespace mlcore::hmm {

/// States of independent sequences with these lengths, one after another. Draw t of sequence s depends on (seed, s, t)
/// only. Inversion of the cumulated rows: O(log K) a step after O(K^2).
void sample_states(const Chain& chain, VectorView<const std::int64_t> lengths, std::uint64_t seed, int n_jobs,
                   std::int32_t* states);

/// Paths from p(states | x), by forward filtering and backward sampling: `samples` rows of as many states as X has
/// rows. Impossible sequences get -1. Memory: T K for the longest sequence and thread.
void sample_posterior(const EmissionSpec& emission, const Observations& x, const Sequences& sequences,
                      const Chain& chain, Index samples, std::uint64_t seed, int n_jobs, std::int32_t* states);

}  // namespace mlcore::hmm
