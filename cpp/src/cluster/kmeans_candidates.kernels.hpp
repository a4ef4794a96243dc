// Kernel table of the screening of rows: which rows can be nearer to one of a few candidates than they are to the
// chosen centre they have, from products in bfloat16. It is the bound of kmeans_screen.kernels.hpp with the parts
// exchanged: a row x at squared distance D from its centre may prefer the candidate c only if
//   x.c - |c|^2 / 2  >=  (|x|^2 - D) / 2,
// so a row whose rounded scores all stay below that by more than their error needs no exact look. Rows are rounded as
// they lie in memory: no transposition, which is what exact distances to few candidates spend most of their time on.
//
// Glossary
//   candidate  one of at most kScreenCenters; panel   the candidates in bfloat16, pairs of coordinates together.
//   length     |x|; lost   |x - X|, X being x in bfloat16. Both of the shifted row.
//   least      the score below which no candidate of a row counts.
#pragma once
#include <cstdint>

#include "cluster/kmeans.kernels.hpp"
#include "cluster/kmeans_screen.kernels.hpp"

namespace mlcore::cluster {

inline constexpr Index kScreenRows = 16;  ///< of a matrix tile

struct CandidatePanel {
  const std::uint16_t* panel = nullptr;  ///< [chunks][kScreenCoordinates / 2][kScreenCenters][2], padded with zeros
  const float* starts = nullptr;         ///< [kScreenCenters]: -|c|^2 / 2, -inf for those that are not there
  Index chunks = 0;
  Index d = 0;
};

/// What the least scores of rows are computed from.
struct LeastScoreBound {
  float by_length = 0, by_rounding = 0, constant = 0;  ///< as in ScreenCenters
  float relative = 0;                                  ///< of |x|^2 and D: both are sums in float
};

/// Memory of one thread, each array aligned to 64 bytes.
struct CandidateSpace {
  std::uint16_t* rounded = nullptr;  ///< 2 * chunks * kScreenRows * kScreenCoordinates
  float* scores = nullptr;           ///< 4 * kScreenRows * kScreenCenters
};

struct CandidateKernels {
  /// length and lost of the points of a tile (tile[j * tile_points + p] as in kmeans.kernels.hpp).
  void (*row_lengths)(const float* tile, Index d, float* length, float* lost) noexcept;
  void (*least_scores)(const float* distance, const float* length, const float* lost, Index count,
                       const LeastScoreBound& bound, float* least) noexcept;
  /// Numbers, relative to x.start and in their order, of the rows of x that have a score of at least least[number], or
  /// one that is not a number. Returns how many; writes up to kSelectSlack entries more. Rows have col_stride 1.
  Index (*near_rows)(const RowSet<float>& x, const float* offset, const CandidatePanel& candidates, const float* least,
                     const CandidateSpace& space, std::int32_t* out) noexcept;
  /// The same on the matrix unit, between begin_amx and end_amx of ScreenKernels on the same thread. Null where not
  /// compiled in; call it only if runtime::amx_bf16().
  Index (*near_rows_amx)(const RowSet<float>& x, const float* offset, const CandidatePanel& candidates,
                         const float* least, const CandidateSpace& space, std::int32_t* out) noexcept;
};

}  // namespace mlcore::cluster

MLCORE_DECLARE_KERNELS(mlcore::cluster::CandidateKernels, kmeans_candidate_kernels)
