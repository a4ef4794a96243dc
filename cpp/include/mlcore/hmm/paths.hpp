// Other decoders: the k best paths, and Viterbi with a beam. One sequence after another, sequences in parallel.
#pragma once
#include <cstdint>

#include "mlcore/hmm/model.hpp"

namespace mlcore::hmm {

/// The k most probable paths of each sequence, best first (list Viterbi: K lists of k candidates a step). States come
/// in groups of `parts` (of explicit durations: the rows left), a path is one of groups, and of paths through the same
/// groups the best stands for all: each list holds its k best, so the k best that differ are among them.
///   log_probability  sequences x k, -inf where there are fewer paths
///   states           k x n groups, -1 there
/// Cost O(n K^2 k + n K k log k + k^2 K T), memory O(T K k). Of equals the one with the lower predecessor comes first.
/// Reference: N. Seshadri, C.-E. W. Sundberg, "List Viterbi decoding algorithms with applications", IEEE Trans. Comm.
/// 42 (1994).
void viterbi_k_best(const EmissionSpec& emission, const Observations& x, const Sequences& sequences, const Chain& chain,
                    Index k, Index parts, int n_jobs, double* log_probability, std::int32_t* states);

/// Viterbi that keeps the `beam` best states of each step (of equals the lower ones): O(n K beam). beam >= K is exact.
void viterbi_beam(const EmissionSpec& emission, const Observations& x, const Sequences& sequences, const Chain& chain,
                  Index beam, int n_jobs, double* log_probability, std::int32_t* states);

}  // namespace mlcore::hmm
