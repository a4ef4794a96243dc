// Size and scalar types that every floor uses.
#pragma once
#include <cstddef>
#include <cstdint>

namespace mlcore {

/// Every size, row number and stride. Signed, so that differences and reversed loops are plain arithmetic.
using Index = std::ptrdiff_t;

/// Cache line that two threads must not share, and the alignment of owned buffers (one AVX-512 register).
inline constexpr Index kCacheLine = 64;

}  // namespace mlcore
