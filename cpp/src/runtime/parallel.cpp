#include "mlcore/runtime/parallel.hpp"

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mlcore::runtime {

namespace {
// About the time a sleeping thread needs to wake up: waiting longer by spinning cannot win more than that.
constexpr auto kSpin = std::chrono::microseconds(20);

inline void relax() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}
}  // namespace

void FirstException::capture(Index item) noexcept {
  while (lock_.test_and_set(std::memory_order_acquire)) relax();
  if (item < lowest_.load(std::memory_order_relaxed)) {
    exception_ = std::current_exception();
    lowest_.store(item, std::memory_order_relaxed);
  }
  lock_.clear(std::memory_order_release);
}

void Barrier::release(std::uint32_t generation) noexcept {
  arrived_.store(left_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  generation_.store(generation + 1, std::memory_order_release);
  generation_.notify_all();
}

void Barrier::wait_for_release(std::uint32_t generation) noexcept {
  const auto until = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (generation_.load(std::memory_order_acquire) != generation) return;
      relax();
    }
  } while (std::chrono::steady_clock::now() < until);
  generation_.wait(generation, std::memory_order_acquire);
}

}  // namespace mlcore::runtime
