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

Interrupt::Interrupt() noexcept : owner_(std::this_thread::get_id()), next_ns_(now_ns() + kPeriodNs) {}

void Interrupt::poll() {
  if (std::this_thread::get_id() != owner_) return;
  const long long now = now_ns();
  if (now < next_ns_) return;
  next_ns_ = now + kPeriodNs;
  const InterruptProbe probe = installed.load();
  if (probe != nullptr && probe()) throw Interrupted();
}

}  // namespace mlcore::runtime
