// Scores of single rows, dense or CSR, for kernel files. Coordinates are in the lanes: no packing, for rows that meet
// few centres.
#pragma once
#include "cluster/kmeans.kernels.hpp"
#include "cluster/kmeans_lanes.kernel.hpp"
#include "mlcore/num/simd.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using cluster::kGroupCenters;
using cluster::PackedCenters;

template <class T, int R, int kRows>
MLCORE_INLINE void dot_rows(const T* const* x, const T* c, Index length, const T* half_norms, T* const* out) noexcept {
  constexpr int L = kLanes<T>;
  constexpr int m = R > 4 ? 8 : R > 2 ? 4 : R;  // a power of two
  Vec<T> sum[kRows][m] = {};
  for (Index j = 0; j < length; j += L) {
    Vec<T> xv[kRows];
#pragma GCC unroll 2
    for (int i = 0; i < kRows; ++i) xv[i] = load(x[i] + j);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vec<T> cv = load(c + r * length + j);
#pragma GCC unroll 2
      for (int i = 0; i < kRows; ++i) sum[i][r] += cv * xv[i];
    }
  }
  constexpr int step = m < L ? m : L;
#pragma GCC unroll 2
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int from = 0; from < m; from += step) {
      const Vec<T> folded = fold<T, step>(sum[i] + from);
#pragma GCC unroll 8
      for (int r = 0; r < step; ++r)
        if (from + r < R) out[i][from + r] = folded[r * (L / step)] - half_norms[from + r];
    }
  }
}

template <class T, int R>
MLCORE_INLINE void score_rows(const T* copied, const std::int32_t* rows, Index count, const T* c, Index length,
                              const T* half_norms, T* scores) noexcept {
  Index i = 0;
#if MLCORE_ISA_LEVEL == 4
  for (; i + 2 <= count; i += 2) {
    const T* x[2] = {copied + rows[i] * length, copied + rows[i + 1] * length};
    T* out[2] = {scores + i * kGroupCenters, scores + (i + 1) * kGroupCenters};
    dot_rows<T, R, 2>(x, c, length, half_norms, out);
  }
#endif
  for (; i < count; ++i) {
    const T* x[1] = {copied + rows[i] * length};
    T* out[1] = {scores + i * kGroupCenters};
    dot_rows<T, R, 1>(x, c, length, half_norms, out);
  }
}

template <class T>
void row_scores(const T* copied, const std::int32_t* rows, Index count, const PackedCenters<T>& centers, Index group,
                T* scores) noexcept {
  const Index first = centers.first[group], length = centers.row_length;
  const T* c = centers.rows + first * length;
  const T* half = centers.half_norms + first;
  switch (centers.first[group + 1] - first) {
    case 1:
      return score_rows<T, 1>(copied, rows, count, c, length, half, scores);
    case 2:
      return score_rows<T, 2>(copied, rows, count, c, length, half, scores);
    case 3:
      return score_rows<T, 3>(copied, rows, count, c, length, half, scores);
    case 4:
      return score_rows<T, 4>(copied, rows, count, c, length, half, scores);
    case 5:
      return score_rows<T, 5>(copied, rows, count, c, length, half, scores);
    case 6:
      return score_rows<T, 6>(copied, rows, count, c, length, half, scores);
    case 7:
      return score_rows<T, 7>(copied, rows, count, c, length, half, scores);
    case 8:
      return score_rows<T, 8>(copied, rows, count, c, length, half, scores);
    default:
      return;
  }
}

template <class T>
void row_score(const T* copied, const PackedCenters<T>& centers, Index position, T* score, T* norm) noexcept {
  constexpr Index L = kLanes<T>;
  const T* c = centers.rows + position * centers.row_length;
  Vec<T> sums[2] = {}, more[2] = {};
  Index j = 0;
  for (; j + 2 * L <= centers.row_length; j += 2 * L) {
    const Vec<T> x = load(copied + j), y = load(copied + j + L);
    sums[0] += load(c + j) * x;
    sums[1] += x * x;
    more[0] += load(c + j + L) * y;
    more[1] += y * y;
  }
  for (; j < centers.row_length; j += L) {
    const Vec<T> x = load(copied + j);
    sums[0] += load(c + j) * x;
    sums[1] += x * x;
  }
  sums[0] += more[0];
  sums[1] += more[1];
  const Vec<T> folded = fold<T, 2>(sums);
  *score = folded[0] - centers.half_norms[position];
  *norm = folded[kLanes<T> / 2];
}

// ---- sparse rows ----

template <class T, class I>
void sparse_scores(const T* values, const I* indices, Index entries, const T* columns, Index stride,
                   T* scores) noexcept {
  constexpr Index L = kLanes<T>;
  for (Index c = 0; c < stride; c += 4 * L) {
    if (c + 4 * L <= stride) {
      Vec<T> s0{}, s1{}, s2{}, s3{};
      for (Index e = 0; e < entries; ++e) {
        const T* column = columns + static_cast<Index>(indices[e]) * stride + c;
        const Vec<T> v = broadcast(values[e]);
        s0 += v * load(column);
        s1 += v * load(column + L);
        s2 += v * load(column + 2 * L);
        s3 += v * load(column + 3 * L);
      }
      store(scores + c, s0);
      store(scores + c + L, s1);
      store(scores + c + 2 * L, s2);
      store(scores + c + 3 * L, s3);
    } else {
      for (Index rest = c; rest < stride; rest += L) {
        Vec<T> s{};
        for (Index e = 0; e < entries; ++e)
          s += broadcast(values[e]) * load(columns + static_cast<Index>(indices[e]) * stride + rest);
        store(scores + rest, s);
      }
    }
  }
}

}  // namespace
}  // namespace mlcore::MLCORE_ISA_NAMESPACE
