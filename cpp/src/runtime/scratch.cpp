#include "mlcore/runtime/scratch.hpp"

#include <array>
#include <bit>
#include <mutex>
#include <new>
#include <vector>

namespace mlcore::runtime {
namespace {

constexpr std::align_val_t kAlignment{static_cast<std::size_t>(kCacheLine)};
constexpr Index kSmallest = 4096;

/// Powers of two; what is too large to be kept anyway is as large as it is.
Index class_of(Index bytes) noexcept {
  if (bytes > kKeptBytes) return bytes;
  return static_cast<Index>(std::bit_ceil(static_cast<std::size_t>(bytes < kSmallest ? kSmallest : bytes)));
}

struct Kept {
  std::mutex mutex;
  std::array<std::vector<void*>, 64> by_class;
  Index bytes = 0;
};
// Never destroyed: threads of the pool outlive the static objects.
Kept& kept() {
  static Kept& only = *new Kept;
  return only;
}

}  // namespace

void* take_scratch(Index bytes) {
  const Index size = class_of(bytes);
  Kept& k = kept();
  // Never waits: a child of fork() may have inherited a mutex that nobody will unlock.
  if (std::unique_lock lock(k.mutex, std::try_to_lock); lock.owns_lock() && size <= kKeptBytes) {
    auto& list = k.by_class[static_cast<std::size_t>(std::countr_zero(static_cast<std::size_t>(size)))];
    if (!list.empty()) {
      void* memory = list.back();
      list.pop_back();
      k.bytes -= size;
      return memory;
    }
  }
  return ::operator new(static_cast<std::size_t>(size), kAlignment);
}

void return_scratch(void* memory, Index bytes) noexcept {
  const Index size = class_of(bytes);
  Kept& k = kept();
  if (std::unique_lock lock(k.mutex, std::try_to_lock); lock.owns_lock() && k.bytes + size <= kKeptBytes) {
    auto& list = k.by_class[static_cast<std::size_t>(std::countr_zero(static_cast<std::size_t>(size)))];
    try {
      list.push_back(memory);
      k.bytes += size;
      return;
    } catch (...) {
      // No room to remember it: free it.
    }
  }
  ::operator delete(memory, kAlignment);
}

}  // namespace mlcore::runtime
