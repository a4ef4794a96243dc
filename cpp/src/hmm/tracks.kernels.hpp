// Kernel table of sums over tracks, and of the way between tracks and the caller's arrays.
#pragma once
#include "hmm/chain.kernels.hpp"

namespace mlcore::hmm {

struct TrackKernels {
  /// sums[(i * n + j) * kGroup + lane] += sum over t of u_t[i] v_t[j], lane by lane.
  void (*add_outer)(const double* u, Index m, const double* v, Index n, Index steps, double* sums) noexcept;
  /// The same for the pairs (i, other) of the edges out of i only: sums[edge * kGroup + lane].
  void (*add_outer_edges)(const double* u, const double* v, const Edges& out_of, Index states, Index steps,
                          double* sums) noexcept;
  /// Over t < valid[lane]: shifts[lane] += shift_t, exponents[lane] -= log2 s_t (s_t being the scale of S_t, `sums`),
  /// least[lane] = min(least, S_t), NaN being the least.
  void (*add_scales)(const double* sums, const double* shift, Index steps, const double* valid, double* shifts,
                     double* exponents, double* least) noexcept;
  /// Track of `length` planes of one value <- streams, zero beyond counts[lane].
  void (*interleave_f64)(const double* const* streams, const Index* counts, Index length, double* track) noexcept;
  void (*interleave_f32)(const float* const* streams, const Index* counts, Index length, double* track) noexcept;
  /// The way back: streams[lane][q] <- track[q][lane] for q < counts[lane].
  void (*deinterleave)(const double* track, Index length, const Index* counts, double* const* streams) noexcept;
  /// out[i] <- sum over lanes of sums[i][lane].
  void (*fold)(const double* sums, Index count, double* out) noexcept;
};

}  // namespace mlcore::hmm

MLCORE_DECLARE_KERNELS(mlcore::hmm::TrackKernels, hmm_track_kernels)
