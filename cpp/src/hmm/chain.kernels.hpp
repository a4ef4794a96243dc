// Kernel table of the forward and backward recursion, and the nouns of all kernels of the family. noexcept, no
// allocation.
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
  double* carry = nullptr;             ///< plane of K: a of the step before, and of the last
  double* carry_scale = nullptr;       ///< plane of 1: its s
  double* alpha = nullptr;             ///< track of K: a_t = S_t p(state | observations so far)
  double* sums = nullptr;              ///< track of 1: S_t
  double* scale = nullptr;             ///< track of 1: s_t, the power of two with 1 <= S_t s_t < 2
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
  const double* terminal = nullptr;  ///< plane of K: beta at that time; sum_j a_j s beta_j is the lane's weight
  double* beta = nullptr;            ///< plane of K: in at the last step, out before the first
  double* posterior = nullptr;       ///< track of K: gamma_t
  double* arrivals = nullptr;        ///< track of K: b_t beta_t s_t s_{t-1}, for the pair sums; may be null
};

struct ChainKernels {
  void (*forward)(const ForwardStep& step) noexcept;
  void (*backward)(const BackwardStep& step) noexcept;
};

}  // namespace mlcore::hmm

MLCORE_DECLARE_KERNELS(mlcore::hmm::ChainKernels, hmm_chain_kernels)
