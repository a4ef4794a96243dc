// Hidden semi-Markov chains: how long a state lasts has a distribution of its own.
//
// A segment in state k lasts d rows with probability p_k(d), 1 <= d <= D; then state j follows with probability A_kj.
// The first segment begins with the first row, the last one may be cut off by the end. With r rows left after this one,
//   a_t(k, r) = b_t(k) (enter_t(k) p_k(r + 1) + a_{t-1}(k, r + 1)),   enter_t(j) = sum_i a_{t-1}(i, 0) A_ij,
// which is the forward recursion of the chain of pairs (state, rows left) without its zeros, scaled as in
// inference.hpp: O(T (K^2 + K D)) operations where that chain's matrix would cost O(T (K D)^2). Backwards, with v_t(k)
// = b_t(k) sum_r p_k(r + 1) beta_t(k, r),
//   beta_{t-1}(k, r + 1) = b_t(k) beta_t(k, r),   beta_{t-1}(i, 0) = sum_j A_ij v_t(j).
//
// Memory: the planes a_t are kept at every sqrt(T)-th row only (checkpoints) and made again in between, O(sqrt(T) K D)
// a thread for a sequence of T rows; the passes forward are then two. Sequences run in parallel, each by itself. Those
// that probability space cannot hold (see inference.hpp) are done in log space, over all pairs.
//
// References: S.-Z. Yu, "Hidden semi-Markov models", Artificial Intelligence 174 (2010); J. A. Grice, R. Hughey, D.
// Speck, "Reduced space sequence alignment", CABIOS 13 (1997).
#pragma once
#include "mlcore/base/buffer.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/hmm/model.hpp"
#include "mlcore/runtime/scratch.hpp"

namespace mlcore::hmm {

struct DurationChain {
  Chain chain;                        ///< of the segments
  Index longest = 0;                  ///< D
  const double* durations = nullptr;  ///< K x D
};

/// Expected counts, weighted by the sequences' weights.
struct DurationStatistics {
  double log_likelihood = 0;
  Index sequences = 0;
  Index log_space = 0;             ///< sequences that had to be done in log space
  Buffer<double> start;            ///< K: first segments
  Buffer<double> trans;            ///< K x K: from segment to segment
  Buffer<double> durations;        ///< K x D: segments that were to last so long
  Buffer<double> post;             ///< K: rows
  runtime::Scratch<double> gamma;  ///< n x K
};

/// log_density: n x K, contiguous. log p of each sequence, -inf where it is impossible.
void duration_score(MatrixView<const double> log_density, const Sequences& sequences, const DurationChain& chain,
                    int n_jobs, double* log_likelihood);
/// gamma: n x K. Rows of impossible sequences are 0.
void duration_posteriors(MatrixView<const double> log_density, const Sequences& sequences, const DurationChain& chain,
                         int n_jobs, double* log_likelihood, double* gamma);
DurationStatistics duration_estep(MatrixView<const double> log_density, const Sequences& sequences,
                                  const DurationChain& chain, int n_jobs);
/// Most probable path of pairs, its states and its log-probability. Memory O(T K) a thread.
void duration_viterbi(MatrixView<const double> log_density, const Sequences& sequences, const DurationChain& chain,
                      int n_jobs, double* log_probability, std::int32_t* states);

}  // namespace mlcore::hmm
