// k-means kernels: scores x.c - |c|^2/2 of row tiles against groups of centres.
//
// Dense tiles put rows in the SIMD lanes and keep R centres x 2 vectors of rows in registers, so that the search for
// the best centre is vertical: no horizontal step, no distance is ever stored. A tile is packed once and meets all
// centres. R <= 8 with 2 vectors gives 16 accumulators: enough to cover the latency of two FMA pipes (2 x 4). The
// narrower levels, with 16 registers, take a group in two halves. Row kernels put coordinates in the lanes: no packing,
// for rows that meet few centres.
#include <utility>

#if MLCORE_ISA_LEVEL == 4
#include <immintrin.h>
#endif

#include "cluster/kmeans.kernels.hpp"
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

// ---- moving lanes: one stage of a transposition; the same text for every width ----

// Low half of the exchange at distance kHalf: lanes l of a where bit kHalf of l is 0, lanes l - kHalf of b elsewhere.
// High half: lanes l + kHalf of a, lanes l of b.
template <class T, int kHalf, bool kHigh, int... I>
MLCORE_INLINE Vec<T> exchange(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) noexcept {
  constexpr int L = kLanes<T>;
  return __builtin_shufflevector(a, b, ((I & kHalf) == 0 ? I + (kHigh ? kHalf : 0) : L + I - (kHigh ? 0 : kHalf))...);
}
template <class T, int kHalf, bool kHigh>
MLCORE_INLINE Vec<T> exchange(Vec<T> a, Vec<T> b) noexcept {
  return exchange<T, kHalf, kHigh>(a, b, std::make_integer_sequence<int, kLanes<T>>{});
}

// In place: v[r][l] -> v[l][r].
template <class T, int kHalf = kLanes<T> / 2>
MLCORE_INLINE void transpose(Vec<T>* v) noexcept {
  if constexpr (kHalf >= 1) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) {
      if ((i & kHalf) == 0) {
        const Vec<T> a = v[i], b = v[i + kHalf];
        v[i] = exchange<T, kHalf, false>(a, b);
        v[i + kHalf] = exchange<T, kHalf, true>(a, b);
      }
    }
    transpose<T, kHalf / 2>(v);
  }
}

// Lane sums of m vectors (a power of two, at most the lane count) folded into one: with s = lanes / m, lanes
// [i * s, (i + 1) * s) of the result all hold the sum of v[i].
template <class T, int m, int kHalf = kLanes<T> / 2>
MLCORE_INLINE Vec<T> fold(Vec<T>* v) noexcept {
  if constexpr (kHalf == 0) {
    return v[0];
  } else if constexpr (m == 1) {
    v[0] = exchange<T, kHalf, false>(v[0], v[0]) + exchange<T, kHalf, true>(v[0], v[0]);
    return fold<T, 1, kHalf / 2>(v);
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < m / 2; ++i)
      v[i] = exchange<T, kHalf, false>(v[i], v[i + m / 2]) + exchange<T, kHalf, true>(v[i], v[i + m / 2]);
    return fold<T, m / 2, kHalf / 2>(v);
  }
}

template <class T>
MLCORE_INLINE const T* row_of(const RowSet<T>& x, Index i) noexcept {
  return x.data + (x.start + (x.rows != nullptr ? x.rows[i] : i)) * x.row_stride;
}

// ---- packing ----

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

// ---- dense tiles ----

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

template <class T>
void add_gains(const T* distances, Index stride, const T* current, const T* weights, Index count, Index trials,
               double* gains) noexcept {
  for (Index t = 0; t < trials; ++t, distances += stride) {
    double total = 0;
    if (weights == nullptr) {
#pragma omp simd reduction(+ : total)
      for (Index p = 0; p < count; ++p) {
        const T saved = current[p] - distances[p];
        total += static_cast<double>(saved > T(0) ? saved : T(0));
      }
    } else {
#pragma omp simd reduction(+ : total)
      for (Index p = 0; p < count; ++p) {
        const T saved = current[p] - distances[p];
        total += static_cast<double>(weights[p]) * static_cast<double>(saved > T(0) ? saved : T(0));
      }
    }
    gains[t] += total;
  }
}

// ---- rows ----

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

// ---- sums ----

template <class T>
void add_row(const T* x, Index stride, Index d, double weight, double* sum) noexcept {
  if (stride == 1) {
#pragma omp simd
    for (Index j = 0; j < d; ++j) sum[j] += weight * static_cast<double>(x[j]);
  } else {
    for (Index j = 0; j < d; ++j) sum[j] += weight * static_cast<double>(x[j * stride]);
  }
}

template <class T>
void add_moments(const T* x, Index stride, Index d, const double* shift, double* sum, double* square) noexcept {
  if (stride == 1) {
#pragma omp simd
    for (Index j = 0; j < d; ++j) {
      const double v = static_cast<double>(x[j]) - shift[j];
      sum[j] += v;
      square[j] += v * v;
    }
  } else {
    for (Index j = 0; j < d; ++j) {
      const double v = static_cast<double>(x[j * stride]) - shift[j];
      sum[j] += v;
      square[j] += v * v;
    }
  }
}

template <class T>
double squared_distance(const T* x, Index stride, const T* c, Index d) noexcept {
  constexpr Index kStep = 4 * kVectorBytes / 8;  // four independent accumulators
  double sums[kStep] = {};
  Index j = 0;
  if (stride == 1) {
    for (; j + kStep <= d; j += kStep) {
#pragma omp simd
      for (Index l = 0; l < kStep; ++l) {
        const double difference = static_cast<double>(x[j + l]) - static_cast<double>(c[j + l]);
        sums[l] += difference * difference;
      }
    }
  }
  double total = 0;
  for (; j < d; ++j) {
    const double difference = static_cast<double>(x[j * stride]) - static_cast<double>(c[j]);
    total += difference * difference;
  }
  for (Index l = 0; l < kStep; ++l) total += sums[l];
  return total;
}

// ---- bounds ----

template <class T>
inline constexpr T kEpsilon = sizeof(T) == 4 ? T(1.1920928955078125e-7) : T(2.220446049250313e-16);

template <class T>
MLCORE_INLINE T square_root(T v) noexcept {
  if constexpr (sizeof(T) == 4)
    return __builtin_sqrtf(v);
  else
    return __builtin_sqrt(v);
}

template <class T>
void lower_bounds(const T* score, const T* norms, Index count, T relative, T largest, T add, T* bound) noexcept {
#pragma omp simd
  for (Index p = 0; p < count; ++p) {
    const T squared = norms[p] - T(2) * score[p] - relative * (norms[p] + largest);
    const T distance = square_root(squared > T(0) ? squared : T(0));
    bound[p] = (distance + add) * (T(1) - T(4) * kEpsilon<T>);
  }
}

template <class T>
void upper_bounds(const T* score, const T* norms, Index count, T relative, T largest, T* bound) noexcept {
#pragma omp simd
  for (Index p = 0; p < count; ++p) {
    const T squared = norms[p] - T(2) * score[p] + relative * (norms[p] + largest);
    bound[p] = square_root(squared > T(0) ? squared : T(0)) * (T(1) + T(4) * kEpsilon<T>);
  }
}

template <class T>
Index failing_groups(const T* lower, const T* drift, Index groups, T upper, std::int32_t* out, T* least) noexcept {
  T smallest = static_cast<T>(__builtin_inf());
#pragma omp simd reduction(min : smallest)
  for (Index g = 0; g < groups; ++g) {
    const T now = lower[g] - drift[g];
    smallest = now < smallest ? now : smallest;
  }
  *least = smallest;
  if (smallest > upper) return 0;
  Index found = 0;
  for (Index g = 0; g < groups; ++g) {
    out[found] = static_cast<std::int32_t>(g);
    found += !(lower[g] - drift[g] > upper);
  }
  return found;
}

template <class T>
Index select_unsafe(const T* gap, const std::int32_t* label, const T* allowance, Index count,
                    std::int32_t* out) noexcept {
  Index found = 0, p = 0;
#if MLCORE_ISA_LEVEL == 4
  // Compaction in a register: the compiler does not vectorise it.
  if constexpr (sizeof(T) == 4) {
    __m512i number = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (; p + 16 <= count; p += 16) {
      const __m512 allowed = _mm512_i32gather_ps(_mm512_loadu_si512(label + p), allowance, 4);
      const __m512 now = _mm512_add_ps(_mm512_loadu_ps(gap + p), allowed);
      const __mmask16 unsafe = _mm512_cmp_ps_mask(now, _mm512_setzero_ps(), _CMP_NLT_UQ);
      _mm512_storeu_si512(out + found, _mm512_maskz_compress_epi32(unsafe, number));
      found += __builtin_popcount(unsafe);
      number = _mm512_add_epi32(number, _mm512_set1_epi32(16));
    }
  }
#endif
  for (; p < count; ++p) {
    out[found] = static_cast<std::int32_t>(p);
    found += !(gap[p] + allowance[label[p]] < T(0));
  }
  return found;
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

template <class T>
constexpr cluster::KMeansKernels<T> kTable = {
    .tile_points = kTile<T>,
    .lanes = kLanes<T>,
    .pack_tile = pack_tile<T>,
    .copy_rows = copy_rows<T>,
    .tile_norms = tile_norms<T>,
    .nearest = nearest<T>,
    .nearest_two = nearest_two<T>,
    .tile_distances = tile_distances<T>,
    .add_gains = add_gains<T>,
    .row_scores = row_scores<T>,
    .row_score = row_score<T>,
    .add_row = add_row<T>,
    .add_moments = add_moments<T>,
    .squared_distance = squared_distance<T>,
    .lower_bounds = lower_bounds<T>,
    .upper_bounds = upper_bounds<T>,
    .failing_groups = failing_groups<T>,
    .select_unsafe = select_unsafe<T>,
    .sparse_scores_i32 = sparse_scores<T, std::int32_t>,
    .sparse_scores_i64 = sparse_scores<T, std::int64_t>,
};

}  // namespace

const cluster::KMeansKernels<float>& kmeans_kernels_f32() noexcept { return kTable<float>; }
const cluster::KMeansKernels<double>& kmeans_kernels_f64() noexcept { return kTable<double>; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
