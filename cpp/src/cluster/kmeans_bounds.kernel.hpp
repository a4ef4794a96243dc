// Bounds on distances, and the rows and groups whose bounds fail, for kernel files.
#pragma once
#if MLCORE_ISA_LEVEL == 4
#include <immintrin.h>
#endif

#include "mlcore/num/simd.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

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

}  // namespace
}  // namespace mlcore::MLCORE_ISA_NAMESPACE
