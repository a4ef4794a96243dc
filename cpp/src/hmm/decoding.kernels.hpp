// Kernel table of Viterbi decoding.
#pragma once
#include "hmm/chain.kernels.hpp"

namespace mlcore::hmm {

struct ViterbiStep {
  const double* log_transitions = nullptr;  ///< K x K, row = from
  const Edges* into = nullptr;              ///< sparse, log-values
  Index states = 0;
  Index steps = 0;
  const double* log_density = nullptr;  ///< track of K
  const double* initial = nullptr;      ///< plane of K, replaces the maximum of the first step; null: carry on
  double* carry = nullptr;              ///< plane of K
  double* delta = nullptr;              ///< track of K
};

/// Best predecessors, from the last step of the track back to its first.
struct TraceStep {
  const double* into = nullptr;  ///< K x K log-transitions, row = to
  Index states = 0;
  Index steps = 0;
  const double* delta = nullptr;       ///< track of K
  const double* before = nullptr;      ///< plane of K: scores before the first step; null: the chain begins there
  const std::int64_t* last = nullptr;  ///< plane of 1: step of each lane's last observation, perhaps beyond the track
  std::int64_t* state = nullptr;       ///< plane of 1: state at min(last, steps - 1); out: before the first step
  std::int64_t* path = nullptr;        ///< track of 1
};

struct DecodingKernels {
  void (*viterbi)(const ViterbiStep& step) noexcept;
  /// Of equals the lower state is the better.
  void (*trace)(const TraceStep& step) noexcept;
};

}  // namespace mlcore::hmm

MLCORE_DECLARE_KERNELS(mlcore::hmm::DecodingKernels, hmm_decoding_kernels)
