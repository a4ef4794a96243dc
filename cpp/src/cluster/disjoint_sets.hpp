// Union-find that threads may use at once. The representative of a set is its lowest member, whatever the order of the
// unions: the result depends on the set of unions alone.
#pragma once
#include <atomic>
#include <cstdint>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/types.hpp"

namespace mlcore::cluster {

class DisjointSets {
 public:
  explicit DisjointSets(Index n) : parent_({n}) {
    for (Index i = 0; i < n; ++i) parent_[i] = static_cast<std::int32_t>(i);
  }

  /// Lowest member known so far. Two members of one set may have different answers while others unite.
  std::int32_t find(std::int32_t i) noexcept {
    for (;;) {
      const std::int32_t up = at(i).load(std::memory_order_relaxed);
      if (up == i) return i;
      const std::int32_t upper = at(up).load(std::memory_order_relaxed);
      // Halves the path. What is overwritten is an ancestor in any case, and links lead downwards only.
      if (upper != up) at(i).store(upper, std::memory_order_relaxed);
      i = upper;
    }
  }

  bool together(std::int32_t a, std::int32_t b) noexcept { return find(a) == find(b); }

  void unite(std::int32_t a, std::int32_t b) noexcept {
    for (;;) {
      a = find(a);
      b = find(b);
      if (a == b) return;
      if (a < b) {
        const std::int32_t lower = a;
        a = b;
        b = lower;
      }
      std::int32_t root = a;
      if (at(a).compare_exchange_strong(root, b, std::memory_order_relaxed)) return;
    }
  }

 private:
  std::atomic_ref<std::int32_t> at(std::int32_t i) noexcept { return std::atomic_ref<std::int32_t>(parent_[i]); }

  Buffer<std::int32_t> parent_;
};

}  // namespace mlcore::cluster
