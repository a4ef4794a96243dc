// Screening of rows against a few candidates in bfloat16: see kmeans_candidates.kernels.hpp.
#include "cluster/kmeans_candidates.kernels.hpp"
#include "cluster/matrix_unit.kernel.hpp"
#include "mlcore/num/simd.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using cluster::CandidatePanel;
using cluster::CandidateSpace;
using cluster::kScreenCenters;
using cluster::kScreenCoordinates;
using cluster::kScreenRows;
using cluster::LeastScoreBound;
using cluster::RowSet;

constexpr int L = kLanes<float>;
constexpr Index P = 2 * L;  // the tile of kmeans.kernel.cpp
constexpr Index kPairs = kScreenCoordinates / 2;

void row_lengths(const float* tile, Index d, float* length, float* lost) noexcept {
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    Vec<float> squares{}, rest{};
    for (Index j = 0; j < d; ++j) {
      const Vec<float> x = load(tile + j * P + h * L), left = x - value_of(rounded(x));
      squares += x * x;
      rest += left * left;
    }
    for (int l = 0; l < L; ++l) {
      length[h * L + l] = __builtin_sqrtf(squares[l]);
      lost[h * L + l] = __builtin_sqrtf(rest[l]);
    }
  }
}

void least_scores(const float* distance, const float* length, const float* lost, Index count,
                  const LeastScoreBound& bound, float* least) noexcept {
  const float less = 1.0f - bound.relative, more = 1.0f + bound.relative;
#pragma omp simd
  for (Index p = 0; p < count; ++p) {
    const float error = bound.by_length * (length[p] + lost[p]) + bound.by_rounding * lost[p] + bound.constant;
    const float score = 0.5f * (length[p] * length[p] * less - distance[p] * more) - error;
    // Near overflow nothing is known: every candidate counts.
    least[p] = error < 1e34f ? score : -__builtin_inff();
  }
}

Index near_rows(const RowSet<float>& x, const float* offset, const CandidatePanel& candidates, const float* least,
                const CandidateSpace& space, std::int32_t* out) noexcept {
  Index found = 0;
  float* row = space.scores;  // a chunk of a row, rounded
  for (Index i = 0; i < x.count; ++i) {
    const std::int32_t number = x.rows != nullptr ? x.rows[i] : static_cast<std::int32_t>(i);
    const float* values = x.data + (x.start + number) * x.row_stride;
    float scores[kScreenCenters];
    for (Index c = 0; c < kScreenCenters; ++c) scores[c] = candidates.starts[c];
    for (Index chunk = 0; chunk < candidates.chunks; ++chunk) {
      for (Index j = 0; j < kScreenCoordinates; ++j) {
        const Index at = chunk * kScreenCoordinates + j;
        row[j] = at < candidates.d ? values[at] - offset[at] : 0.0f;
      }
      for (Index j = 0; j < kScreenCoordinates; j += L) store(row + j, value_of(rounded(load(row + j))));
      const std::uint16_t* panel = candidates.panel + chunk * kScreenCoordinates * kScreenCenters;
      for (Index q = 0; q < kPairs; ++q)
        for (Index c = 0; c < kScreenCenters; ++c)
          for (Index h = 0; h < 2; ++h) {
            const std::uint32_t bits = static_cast<std::uint32_t>(panel[(q * kScreenCenters + c) * 2 + h]) << 16;
            float value;
            __builtin_memcpy(&value, &bits, sizeof value);
            scores[c] += value * row[2 * q + h];
          }
    }
    bool near = false;
    for (Index c = 0; c < kScreenCenters; ++c) near |= !(scores[c] < least[number]);
    out[found] = number;
    found += near;
  }
  return found;
}

#ifdef MLCORE_WITH_AMX
#define MLCORE_AMX_ROUNDING __attribute__((target("amx-tile,amx-bf16,avx512bf16")))

// kScreenRows rows, shifted and rounded, as one matrix tile a chunk.
MLCORE_AMX_ROUNDING MLCORE_INLINE void round_rows(const float* const* row, const float* offset, Index d,
                                                  std::uint16_t* out) noexcept {
  constexpr Index kTile = kScreenRows * kScreenCoordinates;
  Index j = 0;
  for (; j + kScreenCoordinates <= d; j += kScreenCoordinates, out += kTile) {
    const __m512 shift = _mm512_loadu_ps(offset + j), next_shift = _mm512_loadu_ps(offset + j + 16);
#pragma GCC unroll 16
    for (int r = 0; r < kScreenRows; ++r) {
      const __m512 low = _mm512_sub_ps(_mm512_loadu_ps(row[r] + j), shift);
      const __m512 high = _mm512_sub_ps(_mm512_loadu_ps(row[r] + j + 16), next_shift);
      _mm512_store_si512(out + r * kScreenCoordinates, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
  }
  if (j == d) return;
  if (d - j == kScreenCoordinates / 2) {
    const __m512 shift = _mm512_loadu_ps(offset + j);
#pragma GCC unroll 16
    for (int r = 0; r < kScreenRows; ++r) {
      const __m512 low = _mm512_sub_ps(_mm512_loadu_ps(row[r] + j), shift);
      _mm512_store_si512(out + r * kScreenCoordinates, (__m512i)_mm512_cvtne2ps_pbh(_mm512_setzero_ps(), low));
    }
    return;
  }
  const std::uint32_t there = (std::uint32_t{1} << (d - j)) - 1;
  const __mmask16 first = static_cast<__mmask16>(there), second = static_cast<__mmask16>(there >> 16);
  const __m512 shift = _mm512_maskz_loadu_ps(first, offset + j);
  const __m512 next_shift = _mm512_maskz_loadu_ps(second, offset + j + 16);
#pragma GCC unroll 16
  for (int r = 0; r < kScreenRows; ++r) {
    const __m512 low = _mm512_sub_ps(_mm512_maskz_loadu_ps(first, row[r] + j), shift);
    const __m512 high = _mm512_sub_ps(_mm512_maskz_loadu_ps(second, row[r] + j + 16), next_shift);
    _mm512_store_si512(out + r * kScreenCoordinates, (__m512i)_mm512_cvtne2ps_pbh(high, low));
  }
}

// One bit a row: some score is not below the row's least.
MLCORE_INLINE __mmask16 near_mask(const float* scores, const float* least) noexcept {
  std::uint32_t mask = 0;
#pragma GCC unroll 16
  for (int r = 0; r < kScreenRows; ++r) {
    const __mmask16 near =
        _mm512_cmp_ps_mask(_mm512_load_ps(scores + r * kScreenCenters), _mm512_set1_ps(least[r]), _CMP_NLT_UQ);
    mask |= static_cast<std::uint32_t>(near != 0) << r;
  }
  return static_cast<__mmask16>(mask);
}

// The rows of the pair of tiles from i on, and their least scores. Missing rows are the last one again.
template <bool kListed>
MLCORE_INLINE void find_rows(const RowSet<float>& x, Index i, const float* least, const float** row,
                             float* bound) noexcept {
  const Index count = x.count - i;
  if (!kListed && count >= 2 * kScreenRows) {
    const float* first = x.data + (x.start + i) * x.row_stride;
    for (Index r = 0; r < 2 * kScreenRows; ++r) row[r] = first + r * x.row_stride;
    store(bound, load(least + i));
    store(bound + kScreenRows, load(least + i + kScreenRows));
    return;
  }
  for (Index r = 0; r < 2 * kScreenRows; ++r) {
    const Index at = i + (r < count ? r : count - 1), number = kListed ? x.rows[at] : at;
    row[r] = x.data + (x.start + number) * x.row_stride;
    bound[r] = least[number];
  }
}

template <bool kListed>
MLCORE_INLINE Index list_near(const RowSet<float>& x, Index i, const float* scores, const float* bound,
                              std::int32_t* out) noexcept {
  const __m512i ascending = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  Index found = 0;
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half, i += kScreenRows) {
    const Index left = x.count - i;
    if (left <= 0) break;
    const __mmask16 there = static_cast<__mmask16>(left >= kScreenRows ? 0xffffu : (1u << left) - 1u);
    const __mmask16 near = near_mask(scores + half * kScreenRows * kScreenCenters, bound + half * kScreenRows) & there;
    const __m512i numbers = kListed ? _mm512_maskz_loadu_epi32(there, x.rows + i)
                                    : _mm512_add_epi32(ascending, _mm512_set1_epi32(static_cast<int>(i)));
    _mm512_storeu_si512(out + found, _mm512_maskz_compress_epi32(near, numbers));
    found += __builtin_popcount(near);
  }
  return found;
}

// From rounding a row to knowing its scores takes longer than the work on a pair of tiles: the scores of one pair are
// looked at after the next has been sent to the matrix unit.
template <bool kListed>
MLCORE_AMX_ROUNDING MLCORE_INLINE Index screen_rows(const RowSet<float>& x, const float* offset,
                                                    const CandidatePanel& candidates, const float* least,
                                                    const CandidateSpace& space, std::int32_t* out) noexcept {
  constexpr Index kTile = kScreenRows * kScreenCoordinates, kScores = 2 * kScreenRows * kScreenCenters;
  const Index tiles = candidates.chunks * kTile;
  alignas(64) float bound[2][2 * kScreenRows];
  Index found = 0, now = 0;
  for (Index i = 0; i < x.count; i += 2 * kScreenRows, now = 1 - now) {
    const float* row[2 * kScreenRows];
    find_rows<kListed>(x, i, least, row, bound[now]);
    round_rows(row, offset, candidates.d, space.rounded);
    round_rows(row + kScreenRows, offset, candidates.d, space.rounded + tiles);
    memory_barrier();
    _tile_loadd(0, candidates.starts, 0);
    _tile_loadd(1, candidates.starts, 0);
    for (Index chunk = 0; chunk < candidates.chunks; ++chunk) {
      _tile_loadd(6, candidates.panel + chunk * kScreenCoordinates * kScreenCenters, 64);
      _tile_loadd(4, space.rounded + chunk * kTile, 64);
      _tile_loadd(5, space.rounded + tiles + chunk * kTile, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 5, 6);
    }
    _tile_stored(0, space.scores + now * kScores, 64);
    _tile_stored(1, space.scores + now * kScores + kScores / 2, 64);
    memory_barrier();
    if (i > 0)
      found +=
          list_near<kListed>(x, i - 2 * kScreenRows, space.scores + (1 - now) * kScores, bound[1 - now], out + found);
  }
  if (x.count > 0)
    found += list_near<kListed>(x, (x.count - 1) / (2 * kScreenRows) * (2 * kScreenRows),
                                space.scores + (1 - now) * kScores, bound[1 - now], out + found);
  return found;
}

MLCORE_AMX_ROUNDING Index near_rows_amx(const RowSet<float>& x, const float* offset, const CandidatePanel& candidates,
                                        const float* least, const CandidateSpace& space, std::int32_t* out) noexcept {
  return x.rows != nullptr ? screen_rows<true>(x, offset, candidates, least, space, out)
                           : screen_rows<false>(x, offset, candidates, least, space, out);
}
#endif

constexpr cluster::CandidateKernels kTable = {
    .row_lengths = row_lengths,
    .least_scores = least_scores,
    .near_rows = near_rows,
#ifdef MLCORE_WITH_AMX
    .near_rows_amx = near_rows_amx,
#else
    .near_rows_amx = nullptr,
#endif
};

}  // namespace

const cluster::CandidateKernels& kmeans_candidate_kernels() noexcept { return kTable; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
