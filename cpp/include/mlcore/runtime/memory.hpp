// Advice to the operating system about large arrays.
#pragma once
#include "mlcore/base/types.hpp"

namespace mlcore::runtime {

/// Asks for huge pages where the system gives them on request. For arrays of megabytes that are read at scattered
/// places: with small pages each access may cost a walk through the page tables besides the cache miss. Call it before
/// the memory is written.
void prefer_huge_pages(void* memory, Index bytes) noexcept;

}  // namespace mlcore::runtime
