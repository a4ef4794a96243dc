// Square transposition of vectors in registers, for kernel files.
#pragma once
#include <utility>

#include "mlcore/num/simd.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {

// Low half of the exchange at distance kHalf: lanes l of a where bit kHalf of l is 0, lanes l - kHalf of b elsewhere.
// High half: lanes l + kHalf of a, lanes l of b.
template <class T, int kHalf, bool kHigh, int... I>
MLCORE_INLINE Vec<T> exchange_halves(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) noexcept {
  constexpr int L = kLanes<T>;
  return __builtin_shufflevector(a, b, ((I & kHalf) == 0 ? I + (kHigh ? kHalf : 0) : L + I - (kHigh ? 0 : kHalf))...);
}

// In place: v[r][l] -> v[l][r].
template <class T, int kHalf = kLanes<T> / 2>
MLCORE_INLINE void transpose_square(Vec<T>* v) noexcept {
  if constexpr (kHalf >= 1) {
    constexpr auto lanes = std::make_integer_sequence<int, kLanes<T>>{};
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) {
      if ((i & kHalf) == 0) {
        const Vec<T> a = v[i], b = v[i + kHalf];
        v[i] = exchange_halves<T, kHalf, false>(a, b, lanes);
        v[i + kHalf] = exchange_halves<T, kHalf, true>(a, b, lanes);
      }
    }
    transpose_square<T, kHalf / 2>(v);
  }
}

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
