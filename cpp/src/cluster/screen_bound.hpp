// How wrong products in bfloat16 can be, for the owners of rounded centres and candidates.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "mlcore/base/types.hpp"

namespace mlcore::cluster {

/// The nearest bfloat16, halves away from zero.
inline std::uint16_t nearest_bfloat16(float value) noexcept {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return static_cast<std::uint16_t>((bits + 0x8000u) >> 16);
}

inline float bfloat16_value(std::uint16_t upper) noexcept {
  const std::uint32_t bits = static_cast<std::uint32_t>(upper) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// Scores x.c - |c|^2 / 2 are wrong by less than by_length * |X| + by_rounding * |x - X| + constant.
struct ScreenBound {
  float by_length = 0, by_rounding = 0, constant = 0;
};

/// The longest of some centres, and the most that rounding took from one of them.
class LargestLengths {
 public:
  void add(const float* center, Index d) noexcept {
    double norm = 0, rest = 0;
    for (Index j = 0; j < d; ++j) {
      const double value = static_cast<double>(center[j]);
      const double left = value - static_cast<double>(bfloat16_value(nearest_bfloat16(center[j])));
      norm += value * value;
      rest += left * left;
    }
    longest_ = std::max(longest_, norm);
    lost_ = std::max(lost_, rest);
  }

  // With |c| <= C and |dc| <= D for all centres, and X = x - dx in bfloat16, a rounded score and the float score of the
  // dense tiles differ by at most
  //   |dx| C + |X| D                                    rounding of the factors (Cauchy-Schwarz)
  // + r (C^2 / 2 + (|X| + |dx|) C)                      both sums in float, in any order
  // + t sqrt(d) (C + D)                                 |X| and |dx| come from squares that may underflow
  // + f d (|X| + |dx| + C + 1)                          the matrix unit takes subnormal numbers for zero
  // and `slack` covers the rounding of the bound itself.
  ScreenBound bound(Index dimension) const noexcept {
    const double longest = std::sqrt(longest_), lost = std::sqrt(lost_);
    const double d = static_cast<double>(dimension), slack = 1.0 + (d + 64.0) * 0x1p-22;
    const double r = 4.0 * (d + 16.0) * 0x1p-24, t = 0x1p-70, f = 0x1p-124;
    ScreenBound result;
    result.by_length = static_cast<float>(slack * (lost + r * longest + f * d));
    result.by_rounding = static_cast<float>(slack * (longest + r * longest + f * d));
    result.constant = static_cast<float>(
        slack * (r * longest * longest + 2.0 * t * std::sqrt(d) * (longest + lost) + f * d * (longest + 1.0)));
    return result;
  }

 private:
  double longest_ = 0, lost_ = 0;
};

}  // namespace mlcore::cluster
