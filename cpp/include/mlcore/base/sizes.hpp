// Overflow-checked products of sizes: every allocation goes through these.
#pragma once
#include <initializer_list>
#include <limits>
#include <stdexcept>

#include "mlcore/base/types.hpp"

namespace mlcore {

/// Product of non-negative sizes; throws std::length_error when it does not fit an Index.
inline Index checked_product(std::initializer_list<Index> sizes) {
  Index product = 1;
  for (Index size : sizes) {
    if (size < 0) throw std::invalid_argument("negative size");
    if (size != 0 && product > std::numeric_limits<Index>::max() / size)
      throw std::length_error("array size overflows the address space");
    product *= size;
  }
  return product;
}

inline constexpr Index ceil_div(Index a, Index b) noexcept { return (a + b - 1) / b; }
inline constexpr Index round_up(Index a, Index b) noexcept { return ceil_div(a, b) * b; }

}  // namespace mlcore
