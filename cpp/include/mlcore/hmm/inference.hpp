// Forward-backward inference and Viterbi decoding of many sequences, and the sufficient statistics of an EM iteration.
//
// Probability space: with m_t = max_j log b_j(x_t) and b'_t = b_t e^{-m_t},
//   alpha_t(j) = b'_t(j) sum_i alpha_{t-1}(i) A_ij / c_t,   beta_{t-1}(i) = sum_j A_ij b'_t(j) beta_t(j) / c_t,
//   log p(x) = sum_t (log c_t + m_t),   gamma_t = alpha_t beta_t,
//   xi_t(i, j) = alpha_{t-1}(i) A_ij b'_t(j) beta_t(j) / c_t.
// c_t normalises alpha_t, so nothing under- or overflows with the length. What can be lost is a path that falls behind
// by more than a factor 1e-100 within one step or overtakes later by more than 1e308: sequences where a c_t is that
// small, or a beta leaves the range, are done again in log space (counted in `log_space`).
//
// Reference: L. R. Rabiner, "A tutorial on hidden Markov models", Proc. IEEE 77 (1989); the emission shift keeps c_t in
// range whatever the scale of the densities.
//
// Cost O(n K^2) for n observations. Sequences of similar length advance together, one in each SIMD lane. Results do not
// depend on the number of threads: groups are formed by shape only and summed in order.
#pragma once
#include <cstdint>

#include "mlcore/base/buffer.hpp"
#include "mlcore/hmm/model.hpp"
#include "mlcore/runtime/scratch.hpp"

namespace mlcore::hmm {

/// Expected counts of one E-step; empty where the family has none. All weighted by the sequences' weights.
struct Statistics {
  double log_likelihood = 0;
  Index sequences = 0;
  Index log_space = 0;             ///< sequences that had to be done in log space
  Buffer<double> start;            ///< K: sum of gamma at the first observations
  Buffer<double> trans;            ///< K x K: sum of xi
  Buffer<double> post;             ///< K: sum of gamma
  Buffer<double> shift;            ///< d: obs and its squares are of x - shift
  Buffer<double> obs;              ///< K x d: sum of gamma x; K x M symbols
  Buffer<double> obs2;             ///< K x d: sum of gamma x^2
  Buffer<double> obs_obs;          ///< K x d x d: sum of gamma x x'
  Buffer<double> post_mix;         ///< K x M: sum of the responsibilities; obs... then are of K x M components
  runtime::Scratch<double> gamma;  ///< n x K, of given log-densities only
};

/// log p of each sequence, -inf where it is impossible. An empty sequence has 0.
void score(const EmissionSpec& emission, const Observations& x, const Sequences& sequences, const Chain& chain,
           int n_jobs, double* log_likelihood);

/// gamma: n x K. Rows of impossible sequences are 0.
void posteriors(const EmissionSpec& emission, const Observations& x, const Sequences& sequences, const Chain& chain,
                int n_jobs, double* log_likelihood, double* gamma);

Statistics estep(const EmissionSpec& emission, const Observations& x, const Sequences& sequences, const Chain& chain,
                 int n_jobs);

/// Filtered distributions p(state_t | x_1..x_t), n x K, and log p. Memory beyond the output: one tile a thread.
void filter(const EmissionSpec& emission, const Observations& x, const Sequences& sequences, const Chain& chain,
            int n_jobs, double* log_likelihood, double* filtered);

/// log alpha or log beta (T x K) of one sequence from its log-densities, in log space; forward returns log p.
double forward_trellis(MatrixView<const double> log_density, const Chain& chain, double* log_alpha);
void backward_trellis(MatrixView<const double> log_density, const Chain& chain, double* log_beta);

/// Most probable path and its log-probability; of equals the one with the lower states, from the end backwards (in
/// sequences long enough to be cut: any of those within 1e-9). An impossible sequence gets some path and -inf.
/// Memory beyond the output: O(sqrt(T) K) planes for a sequence of length T, O(segment K) a thread where it is cut.
void viterbi(const EmissionSpec& emission, const Observations& x, const Sequences& sequences, const Chain& chain,
             int n_jobs, double* log_probability, std::int32_t* states);

/// log b_j(x_t), n x K. Labels are not applied.
void log_densities(const EmissionSpec& emission, const Observations& x, int n_jobs, double* out);

}  // namespace mlcore::hmm
