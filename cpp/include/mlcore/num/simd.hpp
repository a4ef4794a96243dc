// Vector types for kernel files, one width per level. Include it only from *.kernel.cpp: everything lives in the
// level's own namespace and is forced inline, so that no copy of another level can be linked in its place.
#pragma once
#include <cstdint>

#include "mlcore/base/types.hpp"

#ifndef MLCORE_ISA_NAMESPACE
#error "num/simd.hpp is for kernel files"
#endif

#define MLCORE_INLINE inline __attribute__((always_inline))

namespace mlcore::MLCORE_ISA_NAMESPACE {

#if MLCORE_ISA_LEVEL == 4
inline constexpr int kVectorBytes = 64;
#elif MLCORE_ISA_LEVEL == 3
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

template <class T>
struct VectorTypes;
template <>
struct VectorTypes<float> {
  typedef float Real __attribute__((vector_size(kVectorBytes)));
  typedef std::int32_t Int __attribute__((vector_size(kVectorBytes)));
  typedef float Unaligned __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
};
template <>
struct VectorTypes<double> {
  typedef double Real __attribute__((vector_size(kVectorBytes)));
  typedef std::int64_t Int __attribute__((vector_size(kVectorBytes)));
  typedef double Unaligned __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));
};

template <class T>
using Vec = typename VectorTypes<T>::Real;
template <class T>
using IntVec = typename VectorTypes<T>::Int;
template <class T>
inline constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

template <class T>
MLCORE_INLINE Vec<T> broadcast(T value) noexcept {
  return value - Vec<T>{};  // folds to a plain broadcast, which 0 + value would not (-0 + 0 is +0)
}
template <class T>
MLCORE_INLINE Vec<T> load(const T* p) noexcept {
  return *reinterpret_cast<const typename VectorTypes<T>::Unaligned*>(p);
}
template <class T>
MLCORE_INLINE void store(T* p, Vec<T> v) noexcept {
  *reinterpret_cast<typename VectorTypes<T>::Unaligned*>(p) = v;
}

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
