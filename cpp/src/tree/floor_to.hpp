#pragma once
#include <cmath>
#include <limits>
#include <type_traits>

namespace mlcore::tree {

/// Largest T that is not above t: x <= t and x <= floor_to<T>(t) say the same for every x of type T.
template <class T>
T floor_to(double t) noexcept {
  if constexpr (std::is_same_v<T, double>) {
    return t;
  } else {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    if (t >= static_cast<double>(std::numeric_limits<float>::max()))
      return std::isinf(t) ? kInfinity : std::numeric_limits<float>::max();
    const auto rounded = static_cast<float>(t);
    return static_cast<double>(rounded) > t ? std::nextafter(rounded, -kInfinity) : rounded;
  }
}

}  // namespace mlcore::tree
