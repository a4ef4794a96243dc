// Products of steps: the forward (or Viterbi) recursion from every state at once.
//
//   (+, *)    M_ij <- 2^-e_i b_j sum_k M_ik A_kj
//   (max, +)  M_ij <- l_j + max_k (M_ik + A_kj)
//
// Cost K^3 multiply-adds a step. The rows share nothing but A and the densities, so some of them go through the steps
// together: their chains of dependent operations overlap. Only ratios within a row matter from step to step, so it is
// brought back into range every kRescale steps; a row that falls by more than 1e-300 between is lost, which whoever
// uses the product must notice.
#include "hmm/products.kernels.hpp"
#include "hmm/scales.hpp"
#include "hmm/semiring.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using hmm::ProductStep;

constexpr Index kRescale = 8;
#if MLCORE_ISA_LEVEL == 4
constexpr int rows_together(int states) noexcept { return states <= 3 ? states : states <= 7 ? 2 : 1; }
#else
constexpr int rows_together(int states) noexcept { return states <= 2 ? states : 1; }
#endif

MLCORE_INLINE V with_density(SumProduct, V value, V density) noexcept { return value * density; }
MLCORE_INLINE V with_density(MaxPlus, V value, V density) noexcept { return value + density; }
template <class Semiring>
constexpr bool kScaled = false;
template <>
constexpr bool kScaled<SumProduct> = true;

// Rows [row, row + kRows), lanes from p on.
template <class Semiring, int kStates, int kRows>
MLCORE_INLINE void advance_rows(const ProductStep& s, Index row, Index p) noexcept {
  V m[kRows][kStates];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 16
    for (int j = 0; j < kStates; ++j) m[r][j] = load(s.product + ((row + r) * kStates + j) * kGroup + p);
  const auto rescale = [&]() __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      V sum = m[r][0];
#pragma GCC unroll 16
      for (int j = 1; j < kStates; ++j) sum += m[r][j];
      const V scale = scale_of(sum);
#pragma GCC unroll 16
      for (int j = 0; j < kStates; ++j) m[r][j] *= scale;
      double* exponent = s.exponents + (row + r) * kGroup + p;
      store(exponent, load(exponent) + (to_real(biased_exponent(sum)) - 1023.0));
    }
  };
  for (Index t = 0; t < s.steps; ++t) {
    const double* density = s.density + t * kStates * kGroup + p;
    if (t > 0 || !s.begins) {
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        V next[kStates];
#pragma GCC unroll 16
        for (int j = 0; j < kStates; ++j) next[j] = Semiring::start(m[r][0], s.transitions[j]);
#pragma GCC unroll 16
        for (int i = 1; i < kStates; ++i)
#pragma GCC unroll 16
          for (int j = 0; j < kStates; ++j) next[j] = Semiring::join(next[j], m[r][i], s.transitions[i * kStates + j]);
#pragma GCC unroll 16
        for (int j = 0; j < kStates; ++j) m[r][j] = next[j];
      }
    }
#pragma GCC unroll 16
    for (int j = 0; j < kStates; ++j) {
      const V b = load(density + j * kGroup);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) m[r][j] = with_density(Semiring{}, m[r][j], b);
    }
    if constexpr (kScaled<Semiring>)
      if (t % kRescale == kRescale - 1) rescale();
  }
  if constexpr (kScaled<Semiring>) rescale();
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 16
    for (int j = 0; j < kStates; ++j) store(s.product + ((row + r) * kStates + j) * kGroup + p, m[r][j]);
}

template <class Semiring, int kStates>
MLCORE_INLINE void product_static(const ProductStep& s) noexcept {
  constexpr int kRows = rows_together(kStates);
  for (Index p = 0; p < kGroup; p += kPart) {
    Index row = 0;
    for (; row + kRows <= kStates; row += kRows) advance_rows<Semiring, kStates, kRows>(s, row, p);
    if constexpr (kStates % kRows != 0)
      for (; row < kStates; ++row) advance_rows<Semiring, kStates, 1>(s, row, p);
  }
}

template <class Semiring>
void product_any(const ProductStep& s) noexcept {
  const Index k = s.states;
  for (Index p = 0; p < kGroup; p += kPart)
    for (Index row = 0; row < k; ++row) {
      double* m = s.product + row * k * kGroup + p;
      double* spare = s.spare + p;
      for (Index t = 0; t < s.steps; ++t) {
        const double* density = s.density + t * k * kGroup + p;
        const double* from = m;
        if (t > 0 || !s.begins) {
          mix<Semiring>(s.transitions, k, m, spare);
          from = spare;
        }
        for (Index j = 0; j < k; ++j)
          store(m + j * kGroup, with_density(Semiring{}, load(from + j * kGroup), load(density + j * kGroup)));
        if constexpr (kScaled<Semiring>) {
          if (t % kRescale != kRescale - 1 && t != s.steps - 1) continue;
          V sum = load(m);
          for (Index j = 1; j < k; ++j) sum += load(m + j * kGroup);
          const V scale = scale_of(sum);
          for (Index j = 0; j < k; ++j) store(m + j * kGroup, load(m + j * kGroup) * scale);
          double* exponent = s.exponents + row * kGroup + p;
          store(exponent, load(exponent) + (to_real(biased_exponent(sum)) - 1023.0));
        }
      }
    }
}

template <int kStates>
void sum_product_static(const ProductStep& s) noexcept {
  product_static<SumProduct, kStates>(s);
}
template <int kStates>
void max_plus_static(const ProductStep& s) noexcept {
  product_static<MaxPlus, kStates>(s);
}
void sum_product_any(const ProductStep& s) noexcept { product_any<SumProduct>(s); }
void max_plus_any(const ProductStep& s) noexcept { product_any<MaxPlus>(s); }

void sum_product(const ProductStep& s) noexcept {
  MLCORE_HMM_BY_STATES(s.states, sum_product_static, sum_product_any, s)
}
void max_plus(const ProductStep& s) noexcept { MLCORE_HMM_BY_STATES(s.states, max_plus_static, max_plus_any, s) }

constexpr hmm::ProductKernels kTable{sum_product, max_plus};

}  // namespace

const hmm::ProductKernels& hmm_product_kernels() noexcept { return kTable; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
