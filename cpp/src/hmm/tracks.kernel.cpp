// Sums over tracks, and between tracks and the caller's arrays.
#include "hmm/scales.hpp"
#include "hmm/tracks.kernels.hpp"
#include "hmm/transpose.hpp"
#include "mlcore/num/vector_math.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using hmm::Edges;
using hmm::kGroup;

using V = Vec<double>;
constexpr int kPart = kLanes<double>;
#if MLCORE_ISA_LEVEL == 4
constexpr int kTileRows = 4;
#else
constexpr int kTileRows = 2;
#endif
constexpr int kTileCols = 4;

// ---- sums of outer products ----

template <int kRows, int kCols>
void outer_tile(const double* u, Index m, const double* v, Index n, Index steps, double* sums) noexcept {
  for (Index p = 0; p < kGroup; p += kPart) {
    V sum[kRows][kCols];
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < kCols; ++j) sum[i][j] = load(sums + (i * n + j) * kGroup + p);
    const double* left = u + p;
    const double* right = v + p;
    for (Index t = 0; t < steps; ++t, left += m * kGroup, right += n * kGroup) {
#pragma GCC unroll 4
      for (int i = 0; i < kRows; ++i) {
        const V factor = load(left + i * kGroup);
#pragma GCC unroll 4
        for (int j = 0; j < kCols; ++j) sum[i][j] += factor * load(right + j * kGroup);
      }
    }
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < kCols; ++j) store(sums + (i * n + j) * kGroup + p, sum[i][j]);
  }
}
template <int kRows>
MLCORE_INLINE void outer_row(Index cols, const double* u, Index m, const double* v, Index n, Index steps,
                             double* sums) noexcept {
  switch (cols) {
    case 1:
      return outer_tile<kRows, 1>(u, m, v, n, steps, sums);
    case 2:
      return outer_tile<kRows, 2>(u, m, v, n, steps, sums);
    case 3:
      return outer_tile<kRows, 3>(u, m, v, n, steps, sums);
    default:
      return outer_tile<kRows, 4>(u, m, v, n, steps, sums);
  }
}

void add_outer(const double* u, Index m, const double* v, Index n, Index steps, double* sums) noexcept {
  const Index row_blocks = (m + kTileRows - 1) / kTileRows, col_blocks = (n + kTileCols - 1) / kTileCols;
  for (Index r = 0; r < row_blocks; ++r) {
    const Index i = m * r / row_blocks, rows = m * (r + 1) / row_blocks - i;
    for (Index c = 0; c < col_blocks; ++c) {
      const Index j = n * c / col_blocks, cols = n * (c + 1) / col_blocks - j;
      const double* left = u + i * kGroup;
      const double* right = v + j * kGroup;
      double* out = sums + (i * n + j) * kGroup;
      switch (rows) {
        case 1:
          outer_row<1>(cols, left, m, right, n, steps, out);
          break;
        case 2:
          outer_row<2>(cols, left, m, right, n, steps, out);
          break;
#if MLCORE_ISA_LEVEL == 4
        case 3:
          outer_row<3>(cols, left, m, right, n, steps, out);
          break;
        default:
          outer_row<4>(cols, left, m, right, n, steps, out);
          break;
#else
        default:
          break;
#endif
      }
    }
  }
}

void add_outer_edges(const double* u, const double* v, const Edges& out_of, Index states, Index steps,
                     double* sums) noexcept {
  const Index plane = states * kGroup;
  for (Index i = 0; i < states; ++i)
    for (Index e = out_of.first[i]; e < out_of.first[i + 1]; ++e)
      for (Index p = 0; p < kGroup; p += kPart) {
        const double* left = u + i * kGroup + p;
        const double* right = v + out_of.other[e] * kGroup + p;
        V sum = load(sums + e * kGroup + p);
        for (Index t = 0; t < steps; ++t) sum += load(left + t * plane) * load(right + t * plane);
        store(sums + e * kGroup + p, sum);
      }
}

void add_scales(const double* sums, const double* shift, Index steps, const double* valid, double* shifts,
                double* exponents, double* least) noexcept {
  for (Index p = 0; p < kGroup; p += kPart) {
    const V count = load(valid + p);
    V total = load(shifts + p), low = load(least + p), counted{};
    Bits<double> exponent{};
    for (Index t = 0; t < steps; ++t) {
      const auto counts = broadcast(static_cast<double>(t)) < count;
      const V sum = load(sums + t * kGroup + p);
      const V more = total + load(shift + t * kGroup + p);
      total = counts ? more : total;
      low = counts & ~(sum >= low) ? sum : low;
      counted = counts ? counted + 1.0 : counted;
      exponent += biased_exponent(sum) & reinterpret_cast<Bits<double>>(counts);
    }
    store(shifts + p, total);
    store(least + p, low);
    store(exponents + p, load(exponents + p) + (to_real(exponent) - 1023.0 * counted));
  }
}

// ---- between streams and tracks ----

MLCORE_INLINE V load_double(const double* p) noexcept { return load(p); }
MLCORE_INLINE V load_double(const float* p) noexcept {
  typedef float Half __attribute__((vector_size(kVectorBytes / 2), aligned(4), may_alias));
  typedef float HalfValue __attribute__((vector_size(kVectorBytes / 2)));
  const HalfValue half = *reinterpret_cast<const Half*>(p);
  return __builtin_convertvector(half, V);
}

template <class T>
MLCORE_INLINE void interleave(const T* const* streams, const Index* counts, Index length, double* track) noexcept {
  Index common = length;
  for (Index l = 0; l < kGroup; ++l) common = counts[l] < common ? counts[l] : common;
  Index q = 0;
  for (; q + kPart <= common; q += kPart) {
    for (Index p = 0; p < kGroup; p += kPart) {
      V v[kPart];
#pragma GCC unroll 16
      for (int l = 0; l < kPart; ++l) v[l] = load_double(streams[p + l] + q);
      transpose_square<double>(v);
#pragma GCC unroll 16
      for (int l = 0; l < kPart; ++l) store(track + (q + l) * kGroup + p, v[l]);
    }
  }
  for (; q < length; ++q)
    for (Index l = 0; l < kGroup; ++l) track[q * kGroup + l] = q < counts[l] ? static_cast<double>(streams[l][q]) : 0.0;
}
void interleave_f64(const double* const* streams, const Index* counts, Index length, double* track) noexcept {
  interleave<double>(streams, counts, length, track);
}
void interleave_f32(const float* const* streams, const Index* counts, Index length, double* track) noexcept {
  interleave<float>(streams, counts, length, track);
}

void deinterleave(const double* track, Index length, const Index* counts, double* const* streams) noexcept {
  Index common = length;
  for (Index l = 0; l < kGroup; ++l) common = counts[l] < common ? counts[l] : common;
  Index q = 0;
  for (; q + kPart <= common; q += kPart) {
    for (Index p = 0; p < kGroup; p += kPart) {
      V v[kPart];
#pragma GCC unroll 16
      for (int l = 0; l < kPart; ++l) v[l] = load(track + (q + l) * kGroup + p);
      transpose_square<double>(v);
#pragma GCC unroll 16
      for (int l = 0; l < kPart; ++l) store(streams[p + l] + q, v[l]);
    }
  }
  for (; q < length; ++q)
    for (Index l = 0; l < kGroup; ++l)
      if (q < counts[l]) streams[l][q] = track[q * kGroup + l];
}

void fold(const double* sums, Index count, double* out) noexcept {
  for (Index i = 0; i < count; ++i) {
    const double* s = sums + i * kGroup;
    out[i] = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
  }
}

constexpr hmm::TrackKernels kTable{add_outer,      add_outer_edges, add_scales, interleave_f64,
                                   interleave_f32, deinterleave,    fold};

}  // namespace

const hmm::TrackKernels& hmm_track_kernels() noexcept { return kTable; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
