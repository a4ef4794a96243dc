// Kernel table of chains with explicit durations, one sequence at a time, SIMD over the rows left. noexcept, no
// allocation.
//
// Glossary
//   depth   D rounded up to whole planes' vectors
//   plane   K x stride values (state, rows left), stride = duration_stride(D) > depth; what lies at D and beyond is 0
//   in
//           `durations` and of no account elsewhere
//   track   planes of consecutive rows
#pragma once
#include "mlcore/base/types.hpp"
#include "mlcore/runtime/isa.hpp"

namespace mlcore::hmm {

/// Rows left go in steps of this many.
inline constexpr Index kDepthStep = 8;

struct DurationShape {
  Index states = 0;
  Index depth = 0;                      ///< D rounded up to kDepthStep
  Index stride = 0;                     ///< depth + kDepthStep: what is read at r + 1 stays within the state
  const double* transitions = nullptr;  ///< K x K, row = from; logarithms for viterbi
  const double* durations = nullptr;    ///< plane: p_k(r + 1); logarithms, -inf beyond D, for viterbi
};

struct DurationForward {
  DurationShape shape;
  Index steps = 0;
  const double* likelihood = nullptr;  ///< steps x K
  const double* initial = nullptr;     ///< K: enter of the first step, which has no plane before; or null
  const double* before = nullptr;      ///< plane of the row before
  double before_scale = 0;             ///< its scale
  double* alpha = nullptr;             ///< track: a_t
  double* enter = nullptr;             ///< steps x K: enter_t
  double* sums = nullptr;              ///< steps: S_t, sum of a_t
  double* scale = nullptr;             ///< steps: s_t, the power of two with 1 <= S_t s_t < 2
};

struct DurationBackward {
  DurationShape shape;
  Index steps = 0;
  bool begins = false;  ///< the track's first row is the sequence's
  const double* likelihood = nullptr;
  const double* before = nullptr;  ///< as the forward pass had them
  double before_scale = 0;
  const double* alpha = nullptr;
  const double* enter = nullptr;
  const double* scale = nullptr;
  double* u = nullptr;          ///< plane: s_t beta_t of the last row; out: of the row before the first
  double* arrival = nullptr;    ///< K, scratch
  double* posterior = nullptr;  ///< steps x K: gamma_t
  double* durations = nullptr;  ///< plane, added to: divided by p_k(r + 1)
  double* pairs = nullptr;      ///< K x K, added to: divided by A_ij
};

struct DurationViterbi {
  DurationShape shape;
  Index steps = 0;
  const double* log_density = nullptr;  ///< steps x K
  const double* initial = nullptr;      ///< K, or null
  double* delta = nullptr;  ///< plane: scores of the row before, -inf where there are none; out: of the last
  double* enter = nullptr;  ///< steps x K: best score of a segment that begins here, without its duration
  double* end = nullptr;    ///< steps x K: delta_t(k, 0)
};

struct DurationKernels {
  void (*forward)(const DurationForward& step) noexcept;
  void (*backward)(const DurationBackward& step) noexcept;
  void (*viterbi)(const DurationViterbi& step) noexcept;
};

}  // namespace mlcore::hmm

MLCORE_DECLARE_KERNELS(mlcore::hmm::DurationKernels, hmm_duration_kernels)
