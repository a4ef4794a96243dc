// Kernels of kd-tree leaves: r between one point, broadcast, and the 32 slots of a block, in the SIMD lanes.
//
// r must be what a plain loop over the columns gives, bit for bit: the lanes are points, each lane adds its terms in
// the order of the columns, and products are rounded before they are added. So this file, alone among the kernels, must
// not fuse them. In many dimensions a comparison stops as soon as no slot can be within reach: r only grows.
#if defined(__clang__)
#pragma clang fp contract(off)
#else
#pragma GCC optimize("fp-contract=off")
#endif
#include <cmath>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "mlcore/neighbors/metric.hpp"
#include "mlcore/num/simd.hpp"
#include "neighbors/leaf.kernels.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using neighbors::kLeaf;
using neighbors::LeafPair;
using neighbors::MetricKind;

using Real = Vec<double>;
constexpr int L = kLanes<double>;
constexpr int kGroup = 4;          // vectors of sums in registers
constexpr int kSpan = kGroup * L;  // slots of a group
constexpr Index kStride = 16;      // columns between two looks at the sums
static_assert(kLeaf % kSpan == 0);

// Bit l: v[l] <= bound; never for NaN.
MLCORE_INLINE std::uint32_t within(Real v, double bound) noexcept {
#if MLCORE_ISA_LEVEL == 4
  return _mm512_cmp_pd_mask(reinterpret_cast<__m512d>(v), _mm512_set1_pd(bound), _CMP_LE_OQ);
#elif MLCORE_ISA_LEVEL == 3
  return static_cast<std::uint32_t>(
      _mm256_movemask_pd(_mm256_cmp_pd(reinterpret_cast<__m256d>(v), _mm256_set1_pd(bound), _CMP_LE_OQ)));
#elif defined(__x86_64__)
  return static_cast<std::uint32_t>(_mm_movemask_pd(_mm_cmple_pd(reinterpret_cast<__m128d>(v), _mm_set1_pd(bound))));
#else
  std::uint32_t bits = 0;
  for (int l = 0; l < L; ++l) bits |= static_cast<std::uint32_t>(v[l] <= bound) << l;
  return bits;
#endif
}

MLCORE_INLINE Real larger(Real a, Real b) noexcept { return b > a ? b : a; }
MLCORE_INLINE Real absolute(Real v) noexcept {
  const IntVec<double> bits = reinterpret_cast<IntVec<double>>(v) & 0x7fffffffffffffff;
  return reinterpret_cast<Real>(bits);
}

template <MetricKind kKind>
MLCORE_INLINE Real add_term(Real sum, Real difference, double p) noexcept {
  if constexpr (kKind == MetricKind::kEuclidean) return sum + difference * difference;
  difference = absolute(difference);
  if constexpr (kKind == MetricKind::kManhattan) return sum + difference;
  if constexpr (kKind == MetricKind::kChebyshev) return difference <= sum ? sum : difference;  // NaN stays
  for (int l = 0; l < L; ++l) difference[l] = pow(difference[l], p);
  return sum + difference;
}

// sums <- r of one group of slots over columns [0, d); false when it stopped early, with every slot out of reach.
template <MetricKind kKind>
MLCORE_INLINE bool group_distances(const double* point, Index point_stride, const double* block, Index d, double p,
                                   double bound, Real* sums) noexcept {
#pragma GCC unroll 4
  for (int g = 0; g < kGroup; ++g) sums[g] = Real{};
  Index j = 0;
  while (j < d) {
    const Index stop = d - j > kStride ? j + kStride : d;
    for (; j < stop; ++j) {
      const Real x = broadcast(point[j * point_stride]);
      const double* column = block + j * kLeaf;
#pragma GCC unroll 4
      for (int g = 0; g < kGroup; ++g) sums[g] = add_term<kKind>(sums[g], load(column + g * L) - x, p);
    }
    if (j < d) {
      std::uint32_t any = 0;
#pragma GCC unroll 4
      for (int g = 0; g < kGroup; ++g) any |= within(sums[g], bound);
      if (any == 0) return false;
    }
  }
  return true;
}

template <MetricKind kKind>
MLCORE_INLINE std::uint32_t hits_of(const LeafPair& pair, Index q) noexcept {
  std::uint32_t hits = 0;
  for (Index slot = 0; slot < kLeaf; slot += kSpan) {
    Real sums[kGroup];
    if (!group_distances<kKind>(pair.queries + q, kLeaf, pair.block + slot, pair.d, pair.p, pair.bound, sums)) continue;
#pragma GCC unroll 4
    for (int g = 0; g < kGroup; ++g) hits |= within(sums[g], pair.bound) << (slot + g * L);
  }
  return hits;
}

// Those of the asking slots whose r to the box is not surely over.
template <MetricKind kKind>
MLCORE_INLINE std::uint32_t near_box(const LeafPair& pair, std::uint32_t asking) noexcept {
  if ((asking & (asking - 1)) == 0) return asking;  // one alone: comparing it costs as little
  std::uint32_t near = 0;
  for (Index slot = 0; slot < kLeaf; slot += L) {
    Real sum{};
    for (Index j = 0; j < pair.d; ++j) {
      const Real x = load(pair.queries + j * kLeaf + slot);
      const Real outside = larger(broadcast(pair.box[j]) - x, x - broadcast(pair.box[pair.d + j]));
      sum = add_term<kKind>(sum, larger(outside, Real{}), pair.p);
    }
    near |= within(sum, pair.surely_over) << slot;
  }
  return near & asking;
}

template <MetricKind kKind>
void count(const LeafPair& pair, std::uint32_t asking, std::int32_t* counts) noexcept {
  for (std::uint32_t left = near_box<kKind>(pair, asking); left != 0; left &= left - 1) {
    const int q = __builtin_ctz(left);
    counts[q] += __builtin_popcount(hits_of<kKind>(pair, q));
  }
}

template <MetricKind kKind>
std::uint32_t find(const LeafPair& pair, std::uint32_t asking, std::uint32_t* hits) noexcept {
  std::uint32_t found = 0;
  for (std::uint32_t left = near_box<kKind>(pair, asking); left != 0; left &= left - 1) {
    const int q = __builtin_ctz(left);
    hits[q] = hits_of<kKind>(pair, q);
    if (hits[q] != 0) found |= std::uint32_t{1} << q;
  }
  return found;
}

template <MetricKind kKind>
Index find_first(const LeafPair& pair, std::uint32_t asking, std::uint32_t answering) noexcept {
  for (std::uint32_t left = near_box<kKind>(pair, asking); left != 0; left &= left - 1) {
    const Index q = __builtin_ctz(left);
    const std::uint32_t hits = hits_of<kKind>(pair, q) & answering;
    if (hits != 0) return q * kLeaf + __builtin_ctz(hits);
  }
  return -1;
}

// One term of r, for the distance of a point from a box.
template <MetricKind kKind>
MLCORE_INLINE double add_one(double sum, double outside, double p) noexcept {
  if constexpr (kKind == MetricKind::kEuclidean) return sum + outside * outside;
  if constexpr (kKind == MetricKind::kManhattan) return sum + outside;
  if constexpr (kKind == MetricKind::kChebyshev) return outside > sum ? outside : sum;
  return sum + pow(outside, p);
}

template <MetricKind kKind>
std::uint32_t within_bound(const double* point, Index stride, const double* block, const double* box, Index d, double p,
                           double bound, double surely_over, double* r) noexcept {
  double away = 0.0;
  for (Index j = 0; j < d; ++j) {
    const double x = point[j * stride], below = box[j] - x, above = x - box[d + j];
    const double outside = below > above ? below : above;
    if (outside > 0.0) away = add_one<kKind>(away, outside, p);
  }
  if (away > surely_over) return 0;
  std::uint32_t hits = 0;
  for (Index slot = 0; slot < kLeaf; slot += kSpan) {
    Real sums[kGroup];
    if (!group_distances<kKind>(point, stride, block + slot, d, p, bound, sums)) continue;
#pragma GCC unroll 4
    for (int g = 0; g < kGroup; ++g) {
      store(r + slot + g * L, sums[g]);
      hits |= within(sums[g], bound) << (slot + g * L);
    }
  }
  return hits;
}

template <MetricKind kKind>
constexpr neighbors::LeafKernels kKernels = {count<kKind>, find<kKind>, find_first<kKind>, within_bound<kKind>};

constexpr neighbors::LeafTables kTables = {{kKernels<MetricKind::kEuclidean>, kKernels<MetricKind::kManhattan>,
                                            kKernels<MetricKind::kChebyshev>, kKernels<MetricKind::kMinkowski>}};

}  // namespace

const neighbors::LeafTables& leaf_tables() noexcept { return kTables; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
