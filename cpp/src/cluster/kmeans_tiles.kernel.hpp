// Register tiles of rows and centres, for kernel files: scores x.c - |c|^2 / 2 and distances.
//
// Dense tiles put rows in the SIMD lanes and keep R centres x 2 vectors of rows in registers, so that the search for
// the best centre is vertical: no horizontal step, no distance is ever stored. A tile is packed once and meets all
// centres. R <= 8 with 2 vectors gives 16 accumulators: enough to cover the latency of two FMA pipes (2 x 4). The
// narrower levels, with 16 registers, take a group in two halves.
#pragma once
#include "cluster/kmeans.kernels.hpp"
#include "cluster/kmeans_lanes.kernel.hpp"
#include "mlcore/num/simd.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using cluster::kGroupCenters;
using cluster::PackedCenters;
using cluster::RowSet;

template <class T>
inline constexpr Index kTile = 2 * kLanes<T>;
#if MLCORE_ISA_LEVEL == 4
inline constexpr int kRegisterCenters = 8;
#else
inline constexpr int kRegisterCenters = 4;
#endif

// ---- packing ----

template <class T>
MLCORE_INLINE const T* row_of(const RowSet<T>& x, Index i) noexcept {
  return x.data + (x.start + (x.rows != nullptr ? x.rows[i] : i)) * x.row_stride;
}

template <class T>
void pack_tile(const RowSet<T>& x, Index d, const T* offset, T* tile) noexcept {
  constexpr Index P = kTile<T>, L = kLanes<T>;
  if (x.col_stride != 1) {
    const bool along = x.rows == nullptr && x.row_stride == 1 && x.count == P;
    for (Index j = 0; j < d; ++j) {
      T* out = tile + j * P;
      if (along) {
        const T* column = x.data + x.start + j * x.col_stride;
        store(out, load(column) - broadcast(offset[j]));
        store(out + L, load(column + L) - broadcast(offset[j]));
        continue;
      }
      for (Index p = 0; p < P; ++p) out[p] = p < x.count ? row_of(x, p)[j * x.col_stride] - offset[j] : T(0);
    }
    return;
  }
  for (Index half = 0; half < P; half += L) {
    const T* row[kLanes<T>];
    for (Index l = 0; l < L; ++l) row[l] = row_of(x, half + l < x.count ? half + l : 0);
    Index j = 0;
    for (; j + L <= d; j += L) {
      Vec<T> v[kLanes<T>];
      const Vec<T> shift = load(offset + j);
#pragma GCC unroll 16
      for (int l = 0; l < kLanes<T>; ++l) v[l] = load(row[l] + j) - shift;
      transpose<T>(v);
#pragma GCC unroll 16
      for (int l = 0; l < kLanes<T>; ++l) store(tile + (j + l) * P + half, v[l]);
    }
    for (; j < d; ++j)
      for (Index l = 0; l < L; ++l) tile[j * P + half + l] = row[l][j] - offset[j];
  }
}

template <class T>
void copy_rows(const RowSet<T>& x, Index d, Index row_length, const T* offset, T* out) noexcept {
  constexpr Index L = kLanes<T>;
  for (Index i = 0; i < x.count; ++i, out += row_length) {
    const T* row = row_of(x, i);
    Index j = 0;
    if (x.col_stride == 1)
      for (; j + L <= d; j += L) store(out + j, load(row + j) - load(offset + j));
    for (; j < d; ++j) out[j] = row[j * x.col_stride] - offset[j];
    for (; j < row_length; ++j) out[j] = T(0);
  }
}

template <class T>
void tile_norms(const T* tile, Index d, T* norms) noexcept {
  Vec<T> a{}, b{};
  for (Index j = 0; j < d; ++j, tile += kTile<T>) {
    const Vec<T> x = load(tile), y = load(tile + kLanes<T>);
    a += x * x;
    b += y * y;
  }
  store(norms, a);
  store(norms + kLanes<T>, b);
}

// ---- scores and distances ----

// scores of R centres (columns r, r + 1, ... of a panel of width `width`) for the tile's two vectors of points
template <class T, int R>
MLCORE_INLINE void score_block(const T* tile, const T* panel, Index width, const T* half_norms, Index d,
                               Vec<T> (*score)[2]) noexcept {
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) score[r][0] = score[r][1] = broadcast(-half_norms[r]);
  for (Index j = 0; j < d; ++j, tile += kTile<T>, panel += width) {
    const Vec<T> x0 = load(tile), x1 = load(tile + kLanes<T>);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vec<T> c = broadcast(panel[r]);
      score[r][0] += c * x0;
      score[r][1] += c * x1;
    }
  }
}

template <class T, bool kTwo>
struct Ranking {
  Vec<T> best[2], second[2];
  IntVec<T> position[2];
};

template <class T, bool kTwo, int R>
MLCORE_INLINE void rank_block(const T* tile, const T* panel, Index width, const T* half_norms, Index d, Index first,
                              Ranking<T, kTwo>& ranking) noexcept {
  Vec<T> score[R][2];
  score_block<T, R>(tile, panel, width, half_norms, d, score);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const IntVec<T> here = IntVec<T>{} + static_cast<decltype(IntVec<T>{}[0] + 0)>(first + r);
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const Vec<T> s = score[r][h], best = ranking.best[h];
      if constexpr (kTwo) {
        const Vec<T> lesser = s < best ? s : best;
        ranking.second[h] = lesser > ranking.second[h] ? lesser : ranking.second[h];
      }
      ranking.position[h] = s > best ? here : ranking.position[h];
      ranking.best[h] = s > best ? s : best;
    }
  }
}

template <class T, bool kTwo>
MLCORE_INLINE void rank_group(const T* tile, const T* panel, Index width, const T* half_norms, Index d, Index first,
                              Ranking<T, kTwo>& ranking) noexcept {
  Index from = 0;
  for (; width - from > kRegisterCenters; from += kRegisterCenters)
    rank_block<T, kTwo, kRegisterCenters>(tile, panel + from, width, half_norms + from, d, first + from, ranking);
  panel += from;
  half_norms += from;
  first += from;
  switch (width - from) {
    case 1:
      return rank_block<T, kTwo, 1>(tile, panel, width, half_norms, d, first, ranking);
    case 2:
      return rank_block<T, kTwo, 2>(tile, panel, width, half_norms, d, first, ranking);
    case 3:
      return rank_block<T, kTwo, 3>(tile, panel, width, half_norms, d, first, ranking);
    case 4:
      return rank_block<T, kTwo, 4>(tile, panel, width, half_norms, d, first, ranking);
#if MLCORE_ISA_LEVEL == 4
    case 5:
      return rank_block<T, kTwo, 5>(tile, panel, width, half_norms, d, first, ranking);
    case 6:
      return rank_block<T, kTwo, 6>(tile, panel, width, half_norms, d, first, ranking);
    case 7:
      return rank_block<T, kTwo, 7>(tile, panel, width, half_norms, d, first, ranking);
    case 8:
      return rank_block<T, kTwo, 8>(tile, panel, width, half_norms, d, first, ranking);
#endif
    default:
      return;
  }
}

template <class T, bool kTwo>
MLCORE_INLINE void rank(const T* tile, const PackedCenters<T>& centers, Index first_group, Index last_group, T* best,
                        std::int32_t* position, T* second) noexcept {
  const T lowest = -static_cast<T>(__builtin_inf());
  Ranking<T, kTwo> ranking;
  for (int h = 0; h < 2; ++h) {
    ranking.best[h] = ranking.second[h] = broadcast(lowest);
    ranking.position[h] = IntVec<T>{} + static_cast<decltype(IntVec<T>{}[0] + 0)>(centers.first[first_group]);
  }
  for (Index g = first_group; g < last_group; ++g) {
    const Index first = centers.first[g], width = centers.first[g + 1] - first;
    rank_group<T, kTwo>(tile, centers.panels + first * centers.d, width, centers.half_norms + first, centers.d, first,
                        ranking);
  }
  for (int h = 0; h < 2; ++h) {
    store(best + h * kLanes<T>, ranking.best[h]);
    if constexpr (kTwo) store(second + h * kLanes<T>, ranking.second[h]);
    for (int l = 0; l < kLanes<T>; ++l) position[h * kLanes<T> + l] = static_cast<std::int32_t>(ranking.position[h][l]);
  }
}

template <class T>
void nearest(const T* tile, const PackedCenters<T>& centers, Index first_group, Index last_group, T* best,
             std::int32_t* position) noexcept {
  rank<T, false>(tile, centers, first_group, last_group, best, position, nullptr);
}

template <class T>
void nearest_two(const T* tile, const PackedCenters<T>& centers, Index first_group, Index last_group, T* best,
                 std::int32_t* position, T* second) noexcept {
  rank<T, true>(tile, centers, first_group, last_group, best, position, second);
}

template <class T, int R>
MLCORE_INLINE void write_distances(const T* tile, const T* panel, Index width, Index d, T* distances) noexcept {
  Vec<T> sum[R][2] = {};
  for (Index j = 0; j < d; ++j, tile += kTile<T>, panel += width) {
    const Vec<T> x0 = load(tile), x1 = load(tile + kLanes<T>);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vec<T> c = broadcast(panel[r]);
      const Vec<T> e0 = x0 - c, e1 = x1 - c;
      sum[r][0] += e0 * e0;
      sum[r][1] += e1 * e1;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    store(distances + r * kTile<T>, sum[r][0]);
    store(distances + r * kTile<T> + kLanes<T>, sum[r][1]);
  }
}

template <class T>
void tile_distances(const T* tile, const PackedCenters<T>& centers, Index group, T* distances) noexcept {
  const Index first = centers.first[group], width = centers.first[group + 1] - first, d = centers.d;
  const T* panel = centers.panels + first * d;
  Index r = 0;
  for (; width - r > kRegisterCenters; r += kRegisterCenters)
    write_distances<T, kRegisterCenters>(tile, panel + r, width, d, distances + r * kTile<T>);
  panel += r;
  distances += r * kTile<T>;
  switch (width - r) {
    case 1:
      return write_distances<T, 1>(tile, panel, width, d, distances);
    case 2:
      return write_distances<T, 2>(tile, panel, width, d, distances);
    case 3:
      return write_distances<T, 3>(tile, panel, width, d, distances);
    case 4:
      return write_distances<T, 4>(tile, panel, width, d, distances);
#if MLCORE_ISA_LEVEL == 4
    case 5:
      return write_distances<T, 5>(tile, panel, width, d, distances);
    case 6:
      return write_distances<T, 6>(tile, panel, width, d, distances);
    case 7:
      return write_distances<T, 7>(tile, panel, width, d, distances);
    case 8:
      return write_distances<T, 8>(tile, panel, width, d, distances);
#endif
    default:
      return;
  }
}

}  // namespace
}  // namespace mlcore::MLCORE_ISA_NAMESPACE
