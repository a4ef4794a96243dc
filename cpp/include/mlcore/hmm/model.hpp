// The nouns of hidden Markov models: chain, emission, observations, sequences.
//
//   chain        K states; start_i and transitions_ij need not sum to one (variational E-steps use sub-normalised ones)
//   emission     family and parameters of the densities b_j(x)
//   observation  one row of X (or one symbol); NaN is a missing feature, a negative symbol a missing observation
//   sequence     the rows [offsets[s], offsets[s + 1]); one run of the chain, with a weight
//   label        a known state, -1 where unknown: it makes every other state impossible at its row
#pragma once
#include <cstdint>

#include "mlcore/base/views.hpp"

namespace mlcore::hmm {

struct Chain {
  Index states = 0;
  const double* start = nullptr;        ///< K
  const double* transitions = nullptr;  ///< K x K, row = from
};

enum class Family { kLogDensity, kCategorical, kGaussian, kGaussianMixture, kPoisson, kMultinomial };
enum class CovarianceType { kSpherical, kDiagonal, kFull, kTied };

/// Parameters by family (K states, d features, M mixture components or symbols), all C-contiguous:
///   kLogDensity       log_density n x K
///   kCategorical      probabilities K x M
///   kGaussian         means K x d; covars K | K x d | K x d x d | d x d (spherical, diagonal, full, tied)
///   kGaussianMixture  probabilities K x M, means K x M x d; covars K x M | K x M x d | K x M x d x d | K x d x d
///   kPoisson          probabilities (the rates) K x d
///   kMultinomial      probabilities K x d
struct EmissionSpec {
  Family family = Family::kLogDensity;
  CovarianceType covariance = CovarianceType::kDiagonal;
  Index states = 0;
  Index features = 0;  ///< d
  Index parts = 1;     ///< M: symbols or mixture components
  const double* log_density = nullptr;
  const double* probabilities = nullptr;
  const double* means = nullptr;
  const double* covars = nullptr;
  const double* offsets = nullptr;  ///< K values added to the log-densities, or null (Gaussian only)
};

/// Rows of X in one of three types; the others are null.
struct Observations {
  const float* f32 = nullptr;
  const double* f64 = nullptr;
  const std::int64_t* symbols = nullptr;
  Index rows = 0;
  Index cols = 0;
};

struct Sequences {
  VectorView<const std::int64_t> offsets;  ///< number of sequences + 1
  VectorView<const double> weights;        ///< one per sequence, or empty: ones
  VectorView<const std::int32_t> labels;   ///< one per row, or empty: unknown

  Index count() const noexcept { return offsets.size - 1; }
  double weight(Index s) const noexcept { return weights.empty() ? 1.0 : weights[s]; }
};

}  // namespace mlcore::hmm
