// Kernel table of the chain: forward, backward, Viterbi, sums of outer products. noexcept, no allocation.
//
// Glossary
//   lane      one of kGroup sequences that advance together; the same number at every instruction-set level
//   group     kGroup lanes
//   plane     values of one time step: [count][kGroup], lane fastest
//   track     planes of consecutive time steps: [steps][count][kGroup]
//   stream    the contiguous values of one lane in the caller's array
#pragma once
#include <cstdint>

#include "mlcore/base/types.hpp"
#include "mlcore/runtime/isa.hpp"

namespace mlcore::hmm {

inline constexpr Index kGroup = 8;
/// Up to this many states are unrolled, and always dense.
inline constexpr Index kStaticStates = 8;

/// The transitions that are not zero, of each state in turn: entries [first[j], first[j + 1]). Whether they lead into
/// or out of the state is the user's affair.
struct Edges {
  const Index* first = nullptr;
  const Index* other = nullptr;  ///< the state at the other end
  const double* value = nullptr;
};

struct ForwardStep {
  const double* transitions = nullptr;  ///< K x K, row = from
  const Edges* into = nullptr;          ///< the same, sparse, used instead when K > kStaticStates; or null
  Index states = 0;
  Index steps = 0;
  const double* likelihood = nullptr;  ///< track of K
  const double* initial = nullptr;     ///< plane of K: replaces the prediction of the first step; null: carry on
  double* carry = nullptr;             ///< plane of K: unnormalised alpha of the step before, and of the last
  double* carry_scale = nullptr;       ///< plane of 1: its 1/c
  double* alpha = nullptr;             ///< track of K: c_t alpha_t
  double* sums = nullptr;              ///< track of 1: c_t
  double* scale = nullptr;             ///< track of 1: 1/c_t, 0 where c_t is 0
};

struct BackwardStep {
  const double* transposed = nullptr;  ///< K x K, row = to
  const Edges* out_of = nullptr;       ///< sparse, as above
  Index states = 0;
  Index steps = 0;
  Index first = 0;                     ///< time of the track's first plane
  const double* likelihood = nullptr;  ///< tracks as the forward pass left them
  const double* alpha = nullptr;
  const double* scale = nullptr;     ///< plane -1 is read, too
  Index earliest_end = 0;            ///< least of `ends`
  const double* ends = nullptr;      ///< plane of 1: time of each lane's last observation
  const double* terminal = nullptr;  ///< plane of K: beta at that time
  double* beta = nullptr;            ///< plane of K: in at the last step, out before the first
  double* posterior = nullptr;       ///< track of K: alpha_t beta_t
  double* arrivals = nullptr;        ///< track of K: b_t beta_t / (c_t c_{t-1}), for the pair sums; may be null
};

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

struct ChainKernels {
  void (*forward)(const ForwardStep& step) noexcept;
  void (*backward)(const BackwardStep& step) noexcept;
  void (*viterbi)(const ViterbiStep& step) noexcept;
  /// Of equals the lower state is the better.
  void (*trace)(const TraceStep& step) noexcept;
  /// sums[(i * n + j) * kGroup + lane] += sum over t of u_t[i] v_t[j], lane by lane.
  void (*add_outer)(const double* u, Index m, const double* v, Index n, Index steps, double* sums) noexcept;
  /// The same for the pairs (i, other) of the edges out of i only: sums[edge * kGroup + lane].
  void (*add_outer_edges)(const double* u, const double* v, const Edges& out_of, Index states, Index steps,
                          double* sums) noexcept;
  /// log_likelihood[lane] += log c_t + shift_t and least[lane] = min(least, c_t) over t < valid[lane].
  void (*add_log)(const double* sums, const double* shift, Index steps, const double* valid, double* log_likelihood,
                  double* least) noexcept;
  /// Track of `length` planes of one value <- streams, zero beyond counts[lane].
  void (*interleave_f64)(const double* const* streams, const Index* counts, Index length, double* track) noexcept;
  void (*interleave_f32)(const float* const* streams, const Index* counts, Index length, double* track) noexcept;
  /// The way back: streams[lane][q] <- track[q][lane] for q < counts[lane].
  void (*deinterleave)(const double* track, Index length, const Index* counts, double* const* streams) noexcept;
  /// out[i] <- sum over lanes of sums[i][lane].
  void (*fold)(const double* sums, Index count, double* out) noexcept;
};

}  // namespace mlcore::hmm

MLCORE_DECLARE_KERNELS(mlcore::hmm::ChainKernels, hmm_chain_kernels)
