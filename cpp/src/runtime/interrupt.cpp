#include "mlcore/runtime/interrupt.hpp"

#include <atomic>
#include <chrono>

#include "mlcore/base/errors.hpp"

namespace mlcore::runtime {

namespace {
std::atomic<InterruptProbe> installed{nullptr};
constexpr long long kPeriodNs = 50'000'000;

long long now_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
}  // namespace

void set_interrupt_probe(InterruptProbe probe) noexcept { installed.store(probe); }

Interrupt::Interrupt() noexcept : owner_(std::this_thread::get_id()) {}

void Interrupt::poll() {
  if (std::this_thread::get_id() != owner_) return;
  // Of the thread, not of the object: a million short fits in one call must ask as often as one long fit.
  thread_local long long next_ns = 0;
  const long long now = now_ns();
  if (now < next_ns) return;
  next_ns = now + kPeriodNs;
  const InterruptProbe probe = installed.load();
  if (probe != nullptr && probe()) throw Interrupted();
}

}  // namespace mlcore::runtime
