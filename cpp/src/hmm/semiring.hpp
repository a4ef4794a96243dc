// Vector-matrix products over (+, *) and (max, +), sequences in the lanes; for kernel files.
//
// out_j = sum over i of in_i A_ij (or max over i of in_i + A_ij): K^2 multiply-adds for the lanes of a vector, elements
// of A being broadcast from memory. Up to kStaticStates states the planes stay in registers, which is the affair of the
// kernels; above, targets go in blocks of equal size <= kBlock, so that a block's accumulators cover the latency of two
// multiply-add pipes.
#pragma once
#include "hmm/chain.kernels.hpp"
#include "mlcore/num/vector_math.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {

using hmm::Edges;
using hmm::kGroup;
using V = Vec<double>;
inline constexpr int kPart = kLanes<double>;
#if MLCORE_ISA_LEVEL == 4
inline constexpr int kBlock = 12;
#else
inline constexpr int kBlock = 8;
#endif

struct SumProduct {
  static MLCORE_INLINE V start(V v, double a) noexcept { return v * a; }
  static MLCORE_INLINE V join(V sum, V v, double a) noexcept { return sum + v * a; }
};
struct MaxPlus {
  static MLCORE_INLINE V start(V v, double a) noexcept { return v + a; }
  static MLCORE_INLINE V join(V best, V v, double a) noexcept {
    const V candidate = v + a;
    return candidate > best ? candidate : best;
  }
};

// out[r] = over i of in[i] with a[i * states + r]: `size` targets (at most kMost) starting at a's first column.
template <class Semiring, int kSize>
MLCORE_INLINE void mix_block(const double* a, Index states, const double* in, V* out) noexcept {
  V first = load(in);
#pragma GCC unroll 16
  for (int r = 0; r < kSize; ++r) out[r] = Semiring::start(first, a[r]);
  for (Index i = 1; i < states; ++i) {
    const V v = load(in + i * kGroup);
    const double* row = a + i * states;
#pragma GCC unroll 16
    for (int r = 0; r < kSize; ++r) out[r] = Semiring::join(out[r], v, row[r]);
  }
}

// To memory; a function of its own, so that the choice of the size is not repeated in every caller.
template <class Semiring, int kSize>
static void mix_to(const double* a, Index states, const double* in, double* out) noexcept {
  V block[kSize];
  mix_block<Semiring, kSize>(a, states, in, block);
#pragma GCC unroll 16
  for (int r = 0; r < kSize; ++r) store(out + r * kGroup, block[r]);
}
template <class Semiring>
MLCORE_INLINE void mix_some(Index size, const double* a, Index states, const double* in, double* out) noexcept {
  switch (size) {
    case 1:
      return mix_to<Semiring, 1>(a, states, in, out);
    case 2:
      return mix_to<Semiring, 2>(a, states, in, out);
    case 3:
      return mix_to<Semiring, 3>(a, states, in, out);
    case 4:
      return mix_to<Semiring, 4>(a, states, in, out);
    case 5:
      return mix_to<Semiring, 5>(a, states, in, out);
    case 6:
      return mix_to<Semiring, 6>(a, states, in, out);
    case 7:
      return mix_to<Semiring, 7>(a, states, in, out);
    case 8:
      return mix_to<Semiring, 8>(a, states, in, out);
#if MLCORE_ISA_LEVEL == 4
    case 9:
      return mix_to<Semiring, 9>(a, states, in, out);
    case 10:
      return mix_to<Semiring, 10>(a, states, in, out);
    case 11:
      return mix_to<Semiring, 11>(a, states, in, out);
    case 12:
      return mix_to<Semiring, 12>(a, states, in, out);
#endif
    default:
      return;
  }
}
template <class Semiring>
MLCORE_INLINE void mix(const double* a, Index states, const double* in, double* out) noexcept {
  const Index blocks = (states + kBlock - 1) / kBlock;
  for (Index b = 0; b < blocks; ++b) {
    const Index first = states * b / blocks, last = states * (b + 1) / blocks;
    mix_some<Semiring>(last - first, a + first, states, in, out + first * kGroup);
  }
}

// The same along edges; one without edges gets `none`.
template <class Semiring>
MLCORE_INLINE void mix_edges(const Edges& edges, Index states, const double* in, double* out, double none) noexcept {
  for (Index j = 0; j < states; ++j) {
    Index e = edges.first[j];
    const Index last = edges.first[j + 1];
    V value = broadcast(none);
    if (e < last) {
      value = Semiring::start(load(in + edges.other[e] * kGroup), edges.value[e]);
      for (++e; e < last; ++e) value = Semiring::join(value, load(in + edges.other[e] * kGroup), edges.value[e]);
    }
    store(out + j * kGroup, value);
  }
}

// Body of a kernel that has an unrolled form for each small number of states.
#define MLCORE_HMM_BY_STATES(states, unrolled, any, step) \
  switch (states) {                                       \
    case 1:                                               \
      return unrolled<1>(step);                           \
    case 2:                                               \
      return unrolled<2>(step);                           \
    case 3:                                               \
      return unrolled<3>(step);                           \
    case 4:                                               \
      return unrolled<4>(step);                           \
    case 5:                                               \
      return unrolled<5>(step);                           \
    case 6:                                               \
      return unrolled<6>(step);                           \
    case 7:                                               \
      return unrolled<7>(step);                           \
    case 8:                                               \
      return unrolled<8>(step);                           \
    default:                                              \
      return any(step);                                   \
  }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
