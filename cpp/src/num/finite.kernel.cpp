// The largest bit pattern of |x|: NaN and infinity, with all exponent bits set, are the largest of all. As an integer
// maximum the loop vectorises without any freedom to reorder float arithmetic, and raises no float exception.
#include <cstdint>

#include "mlcore/num/simd.hpp"
#include "num/finite.kernels.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

template <class T>
struct Bits;
template <>
struct Bits<float> {
  using Int = std::int32_t;
  static constexpr Int kMagnitude = 0x7fffffff;
  static constexpr Int kInfinity = 0x7f800000;
};
template <>
struct Bits<double> {
  using Int = std::int64_t;
  static constexpr Int kMagnitude = 0x7fffffffffffffff;
  static constexpr Int kInfinity = 0x7ff0000000000000;
};

template <class T>
bool run_is_finite(const T* x, Index n) noexcept {
  using Int = typename Bits<T>::Int;
  Int largest = 0;
  for (Index i = 0; i < n; ++i) {
    const Int magnitude = __builtin_bit_cast(Int, x[i]) & Bits<T>::kMagnitude;
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest < Bits<T>::kInfinity;
}

template <class T>
constexpr num::FiniteKernels<T> kTable = {run_is_finite<T>};

}  // namespace

const num::FiniteKernels<float>& finite_kernels_f32() noexcept { return kTable<float>; }
const num::FiniteKernels<double>& finite_kernels_f64() noexcept { return kTable<double>; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
