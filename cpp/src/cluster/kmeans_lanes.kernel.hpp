// Moving values between SIMD lanes: transposition and lane sums, the same text for every width. For kernel files.
#pragma once
#include <utility>

#include "mlcore/num/simd.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

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

}  // namespace
}  // namespace mlcore::MLCORE_ISA_NAMESPACE
