// Powers of two that bring sums back into range; for kernel files.
#pragma once
#include "mlcore/num/vector_math.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {

/// 2^-e for a sum in [2^e, 2^(e + 1)). Something finite for 0 and subnormal sums (2^1023), anything for NaN.
MLCORE_INLINE Vec<double> scale_of(Vec<double> sum) noexcept {
  return from_bits<double>(0x7fe0000000000000u - (bits_of<double>(sum) & 0x7ff0000000000000u));
}
/// The scale of a sum; 0 where the sum was 0.
MLCORE_INLINE Vec<double> zero_or(Vec<double> scale) noexcept { return scale < 0x1p1023 ? scale : Vec<double>{}; }
/// e + 1023 as an integer; 0 for 0 and subnormal sums.
MLCORE_INLINE Bits<double> biased_exponent(Vec<double> sum) noexcept {
  return (bits_of<double>(sum) & 0x7ff0000000000000u) >> 52;
}
/// Non-negative integers below 2^51 as floats.
MLCORE_INLINE Vec<double> to_real(Bits<double> n) noexcept {
  return from_bits<double>(n | 0x4330000000000000u) - 0x1p52;
}

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
