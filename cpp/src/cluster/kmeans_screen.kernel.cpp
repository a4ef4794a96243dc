// Screening of centres in bfloat16: see kmeans_screen.kernels.hpp for the bound.
//
// The matrix unit multiplies 16 centres x 32 coordinates by 32 coordinates x 16 points in 16 cycles, sixteen times the
// rate of float FMAs. Points stay in the lanes, as in the dense tiles, so that the search for the best score is
// vertical. Its operands are pairs of neighbouring coordinates, the even one in the low half of 32 bits. Without the
// unit the same steps run in float on the rounded values: that costs more than the exact scores and is there for tests.
#include "cluster/kmeans_screen.kernels.hpp"
#include "cluster/matrix_unit.kernel.hpp"
#include "mlcore/num/simd.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using cluster::kScreenCenters;
using cluster::kScreenCoordinates;
using cluster::ScreenCenters;
using cluster::ScreenSpace;

constexpr int L = kLanes<float>;
constexpr Index P = 2 * L;  // the tile of kmeans.kernel.cpp
constexpr Index kPairs = kScreenCoordinates / 2;

// pairs[chunk][half of the points][pair][lane] and the error bound of each point's scores.
MLCORE_INLINE void round_tile(const float* tile, const ScreenCenters& centers, std::uint32_t* pairs,
                              Vec<float>* error) noexcept {
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    Vec<float> length{}, lost{}, more_length{}, more_lost{};
    const float* x = tile + h * L;
    for (Index chunk = 0; chunk < centers.chunks; ++chunk) {
      std::uint32_t* out = pairs + (2 * chunk + h) * kPairs * L;
      const Index left = centers.d - chunk * kScreenCoordinates;
      const Index whole = left >= kScreenCoordinates ? kPairs : left / 2;
      Index q = 0;
      for (; q < whole; ++q, x += 2 * P) {
        const Vec<float> even = load(x), odd = load(x + P);
        const Bits low = rounded(even), high = rounded(odd);
        const Vec<float> even_lost = even - value_of(low), odd_lost = odd - value_of(high);
        length += value_of(low) * value_of(low);
        more_length += value_of(high) * value_of(high);
        lost += even_lost * even_lost;
        more_lost += odd_lost * odd_lost;
        store_bits(out + q * L, (low >> 16) | high);
      }
      if (q < kPairs && left > 2 * q) {  // a single last coordinate
        const Vec<float> last = load(x);
        const Bits low = rounded(last);
        const Vec<float> last_lost = last - value_of(low);
        length += value_of(low) * value_of(low);
        lost += last_lost * last_lost;
        store_bits(out + q++ * L, low >> 16);
      }
      for (; q < kPairs; ++q) store_bits(out + q * L, Bits{});
    }
    length += more_length;
    lost += more_lost;
    for (int l = 0; l < L; ++l) {
      const float e = centers.by_length * __builtin_sqrtf(length[l]) + centers.by_rounding * __builtin_sqrtf(lost[l]) +
                      centers.constant;
      // Near overflow nothing is known: every centre becomes a hit.
      error[h][l] = e < 1e34f ? e : __builtin_inff();
    }
  }
}

struct Ranks {
  Vec<float> best[2], second[2];
};

// Ranks of the scores of 2 groups of centres, as far as they are wanted.
template <bool kTwo>
MLCORE_INLINE void rank(const float* scores, Ranks& ranks) noexcept {
  Vec<float> best[2][2], second[2][2];  // even and odd centres: two chains
  for (int h = 0; h < 2; ++h) {
    best[0][h] = ranks.best[h];
    second[0][h] = ranks.second[h];
    best[1][h] = second[1][h] = broadcast(-__builtin_inff());
  }
#pragma GCC unroll 4
  for (Index c = 0; c < 2 * kScreenCenters; c += 2) {
#pragma GCC unroll 2
    for (int chain = 0; chain < 2; ++chain) {
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
        const Vec<float> s = load(scores + (c + chain) * P + h * L), top = best[chain][h];
        if constexpr (kTwo) {
          const Vec<float> lesser = s < top ? s : top;
          second[chain][h] = lesser > second[chain][h] ? lesser : second[chain][h];
        }
        best[chain][h] = s > top ? s : top;
      }
    }
  }
  for (int h = 0; h < 2; ++h) {
    const Vec<float> a = best[0][h], b = best[1][h];
    ranks.best[h] = a > b ? a : b;
    if constexpr (kTwo) {
      const Vec<float> lesser = a < b ? a : b;
      const Vec<float> rest = second[0][h] > second[1][h] ? second[0][h] : second[1][h];
      ranks.second[h] = lesser > rest ? lesser : rest;
    }
  }
}

// Centres with a score of at least best - 2 error, or with a score that is not a number.
MLCORE_INLINE Index list_hits(const ScreenCenters& centers, const ScreenSpace& space, const Ranks& ranks,
                              const Vec<float>* error) noexcept {
  const Vec<float> least[2] = {ranks.best[0] - 2.0f * error[0], ranks.best[1] - 2.0f * error[1]};
  for (int h = 0; h < 2; ++h) {
    store(space.best + h * L, ranks.best[h] - error[h]);
    if (space.second != nullptr) store(space.second + h * L, ranks.second[h] + error[h]);
  }
  Index found = 0;
#if MLCORE_ISA_LEVEL == 4
  const __m512 low = reinterpret_cast<__m512>(least[0]), high = reinterpret_cast<__m512>(least[1]);
  const Index padded = centers.groups * kScreenCenters;
  for (Index c = 0; c < padded; ++c) {
    const __mmask16 first = _mm512_cmp_ps_mask(_mm512_loadu_ps(space.scores + c * P), low, _CMP_NLT_UQ);
    const __mmask16 second = _mm512_cmp_ps_mask(_mm512_loadu_ps(space.scores + c * P + L), high, _CMP_NLT_UQ);
    space.hits[c] = static_cast<std::uint32_t>(first) | static_cast<std::uint32_t>(second) << 16;
  }
  __m512i number = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i end = _mm512_set1_epi32(static_cast<int>(centers.centers));
  for (Index c = 0; c < padded; c += 16) {
    const __m512i hits = _mm512_loadu_si512(space.hits + c);
    const __mmask16 some = _mm512_mask_cmplt_epi32_mask(_mm512_test_epi32_mask(hits, hits), number, end);
    _mm512_storeu_si512(space.center + found, _mm512_maskz_compress_epi32(some, number));
    _mm512_storeu_si512(space.points + found, _mm512_maskz_compress_epi32(some, hits));
    found += __builtin_popcount(some);
    number = _mm512_add_epi32(number, _mm512_set1_epi32(16));
  }
#else
  for (Index c = 0; c < centers.centers; ++c) {
    std::uint32_t hits = 0;
    for (Index p = 0; p < P; ++p)
      hits |= static_cast<std::uint32_t>(!(space.scores[c * P + p] < least[p / L][p % L])) << p;
    if (hits == 0) continue;
    space.center[found] = static_cast<std::int32_t>(c);
    space.points[found++] = hits;
  }
#endif
  return found;
}

Index screen(const float* tile, const ScreenCenters& centers, const ScreenSpace& space) noexcept {
  Vec<float> error[2];
  round_tile(tile, centers, space.pairs, error);
  const Vec<float> lowest = broadcast(-__builtin_inff());
  Ranks ranks{{lowest, lowest}, {lowest, lowest}};
  for (Index group = 0; group < centers.groups; group += 2) {
    for (Index c = group * kScreenCenters; c < (group + 2) * kScreenCenters; ++c) {
      Vec<float> score[2];
      score[0] = score[1] = broadcast(centers.starts[c * 16]);
      const std::uint32_t* pair = space.pairs;
      for (Index chunk = 0; chunk < centers.chunks; ++chunk) {
        const std::uint16_t* coordinate =
            centers.panels +
            ((c / kScreenCenters * centers.chunks + chunk) * kScreenCenters + c % kScreenCenters) * kScreenCoordinates;
        for (int h = 0; h < 2; ++h)
          for (Index q = 0; q < kPairs; ++q, pair += L) {
            const Bits both = load_bits(pair);
            const Bits even = Bits{} + (static_cast<std::uint32_t>(coordinate[2 * q]) << 16);
            const Bits odd = Bits{} + (static_cast<std::uint32_t>(coordinate[2 * q + 1]) << 16);
            score[h] += value_of(even) * value_of(both << 16) + value_of(odd) * value_of(both & 0xffff0000u);
          }
      }
      store(space.scores + c * P, score[0]);
      store(space.scores + c * P + L, score[1]);
    }
    if (space.second != nullptr)
      rank<true>(space.scores + group * kScreenCenters * P, ranks);
    else
      rank<false>(space.scores + group * kScreenCenters * P, ranks);
  }
  return list_hits(centers, space, ranks, error);
}

#ifdef MLCORE_WITH_AMX
MLCORE_AMX Index screen_amx(const float* tile, const ScreenCenters& centers, const ScreenSpace& space) noexcept {
  constexpr Index kPanel = kScreenCenters * kScreenCoordinates, kHalf = kPairs * L;
  Vec<float> error[2];
  round_tile(tile, centers, space.pairs, error);
  const Vec<float> lowest = broadcast(-__builtin_inff());
  Ranks ranks{{lowest, lowest}, {lowest, lowest}};
  memory_barrier();
  for (Index group = 0; group < centers.groups; group += 2) {
    const float* start = centers.starts + group * kScreenCenters * 16;
    _tile_loadd(0, start, 64);
    _tile_loadd(1, start, 64);
    _tile_loadd(2, start + kScreenCenters * 16, 64);
    _tile_loadd(3, start + kScreenCenters * 16, 64);
    const std::uint16_t* panel = centers.panels + group * centers.chunks * kPanel;
    const std::uint32_t* pair = space.pairs;
    for (Index chunk = 0; chunk < centers.chunks; ++chunk, panel += kPanel, pair += 2 * kHalf) {
      _tile_loadd(4, panel, 64);
      _tile_loadd(6, pair, 64);
      _tile_loadd(7, pair + kHalf, 64);
      _tile_loadd(5, panel + centers.chunks * kPanel, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    float* scores = space.scores + group * kScreenCenters * P;
    _tile_stored(0, scores, P * 4);
    _tile_stored(1, scores + L, P * 4);
    _tile_stored(2, scores + kScreenCenters * P, P * 4);
    _tile_stored(3, scores + kScreenCenters * P + L, P * 4);
    memory_barrier();
    if (space.second != nullptr)
      rank<true>(scores, ranks);
    else
      rank<false>(scores, ranks);
  }
  return list_hits(centers, space, ranks, error);
}
#endif

void pair_scores(const float* rows, const float* centers, const float* half_norms, Index d, float* score) noexcept {
  Vec<float> sum[2] = {-load(half_norms), -load(half_norms + L)};
  for (Index j = 0; j < d; ++j, rows += P, centers += P) {
    sum[0] += load(centers) * load(rows);
    sum[1] += load(centers + L) * load(rows + L);
  }
  store(score, sum[0]);
  store(score + L, sum[1]);
}

constexpr cluster::ScreenKernels kTable = {
    .tile_points = P,
    .screen = screen,
#ifdef MLCORE_WITH_AMX
    .screen_amx = screen_amx,
    .begin_amx = begin_amx,
    .end_amx = end_amx,
#else
    .screen_amx = nullptr,
    .begin_amx = nullptr,
    .end_amx = nullptr,
#endif
    .pair_scores = pair_scores,
};

}  // namespace

const cluster::ScreenKernels& kmeans_screen_kernels() noexcept { return kTable; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
