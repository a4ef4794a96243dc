// Kernel table of the k-means family. Every function is noexcept, allocates nothing and may be called from any thread.
//
// Glossary
//   tile      `tile_points` rows of X, shifted by -offset and transposed: tile[j * tile_points + p]. Unused points
//             repeat a used one or are 0.
//   position  place of a centre in the packed order; the driver maps it to the user's index.
//   group     at most kGroupCenters neighbouring positions, the register tile of the dense kernels.
//   score     x.c - |c|^2 / 2; the nearest centre has the largest score, |x - c|^2 = |x|^2 - 2 score.
#pragma once
#include <cstdint>

#include "mlcore/base/types.hpp"
#include "mlcore/runtime/isa.hpp"

namespace mlcore::cluster {

inline constexpr Index kGroupCenters = 8;
inline constexpr Index kMaxTilePoints = 32;
inline constexpr Index kSelectSlack = 16;

/// k centres, shifted by -offset, in the two orders that the kernels read.
template <class T>
struct PackedCenters {
  const T* panels = nullptr;      ///< group g, of R centres, at panels + first[g] * d: [d][R]
  const T* rows = nullptr;        ///< [k][row_length], padded with zeros to whole vectors
  const T* half_norms = nullptr;  ///< |c|^2 / 2
  const Index* first = nullptr;   ///< groups + 1 positions; group g is [first[g], first[g + 1])
  Index groups = 0;
  Index d = 0;
  Index row_length = 0;
};

/// Rows of a dense matrix with any strides; rows == nullptr means start, start + 1, ...
template <class T>
struct RowSet {
  const T* data = nullptr;
  Index row_stride = 0;
  Index col_stride = 1;
  const std::int32_t* rows = nullptr;  ///< row numbers relative to start
  Index start = 0;
  Index count = 0;
};

template <class T>
struct KMeansKernels {
  Index tile_points;  ///< points of a tile
  Index lanes;        ///< row_length is a multiple of this

  /// tile <- rows of X (count <= tile_points), minus offset (d values).
  void (*pack_tile)(const RowSet<T>& x, Index d, const T* offset, T* tile) noexcept;
  /// out[r * row_length + j] <- x_rj - offset_j, zero-padded.
  void (*copy_rows)(const RowSet<T>& x, Index d, Index row_length, const T* offset, T* out) noexcept;
  /// norms[p] <- |x_p|^2 of the tile's points.
  void (*tile_norms)(const T* tile, Index d, T* norms) noexcept;
  /// Best score and its position over the groups [first_group, last_group); the lower position wins a tie.
  void (*nearest)(const T* tile, const PackedCenters<T>& centers, Index first_group, Index last_group, T* best,
                  std::int32_t* position) noexcept;
  /// The same with the second-best score.
  void (*nearest_two)(const T* tile, const PackedCenters<T>& centers, Index first_group, Index last_group, T* best,
                      std::int32_t* position, T* second) noexcept;
  /// distances[r * tile_points + p] <- |x_p - c_r|^2 of the centres of one group, from the differences themselves:
  /// exactly 0 for equal points, which the score formula does not give.
  void (*tile_distances)(const T* tile, const PackedCenters<T>& centers, Index group, T* distances) noexcept;
  /// gains[t] += sum over p < count of weights[p] * max(0, current[p] - distances[t * stride + p]), in float64;
  /// weights null: ones.
  void (*add_gains)(const T* distances, Index stride, const T* current, const T* weights, Index count, Index trials,
                    double* gains) noexcept;
  /// scores[i * kGroupCenters + r] of `count` copied rows, numbers in `rows`, with the centres of one group.
  void (*row_scores)(const T* copied, const std::int32_t* rows, Index count, const PackedCenters<T>& centers,
                     Index group, T* scores) noexcept;
  /// Score and squared norm of one copied row with one centre.
  void (*row_score)(const T* copied, const PackedCenters<T>& centers, Index position, T* score, T* norm) noexcept;
  /// sum_j <- sum_j + weight * x_j over d values with a stride.
  void (*add_row)(const T* x, Index stride, Index d, double weight, double* sum) noexcept;
  /// sum_j += x_j - shift_j, square_j += (x_j - shift_j)^2.
  void (*add_moments)(const T* x, Index stride, Index d, const double* shift, double* sum, double* square) noexcept;
  /// sum_j (x_j - c_j)^2 in float64.
  double (*squared_distance)(const T* x, Index stride, const T* c, Index d) noexcept;
  /// bound[p] <- distance of a point with squared norm norms[p] and score[p], rounded safely down (+ add) or up.
  /// relative: allowance for rounding per unit of |x|^2 + largest, see Margin.
  void (*lower_bounds)(const T* score, const T* norms, Index count, T relative, T largest, T add, T* bound) noexcept;
  void (*upper_bounds)(const T* score, const T* norms, Index count, T relative, T largest, T* bound) noexcept;
  /// Groups g (0 <= g < groups) with lower[g] - drift[g] <= upper, to `out`; returns how many. least <- min of the
  /// differences.
  Index (*failing_groups)(const T* lower, const T* drift, Index groups, T upper, std::int32_t* out, T* least) noexcept;
  /// Numbers p (0 <= p < count) with gap[p] + allowance[label[p]] >= 0, to `out` (room for count + kSelectSlack);
  /// returns how many. NaN counts as unsafe.
  Index (*select_unsafe)(const T* gap, const std::int32_t* label, const T* allowance, Index count,
                         std::int32_t* out) noexcept;
  /// scores[c] <- sum over the entries of v * columns[j * stride + c], for c < stride (a multiple of lanes).
  void (*sparse_scores_i32)(const T* values, const std::int32_t* indices, Index entries, const T* columns, Index stride,
                            T* scores) noexcept;
  void (*sparse_scores_i64)(const T* values, const std::int64_t* indices, Index entries, const T* columns, Index stride,
                            T* scores) noexcept;
};

}  // namespace mlcore::cluster

MLCORE_DECLARE_KERNELS(mlcore::cluster::KMeansKernels<float>, kmeans_kernels_f32)
MLCORE_DECLARE_KERNELS(mlcore::cluster::KMeansKernels<double>, kmeans_kernels_f64)
