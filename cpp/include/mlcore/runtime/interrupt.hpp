// Ctrl-C. Long loops call Interrupt::poll() between blocks or iterations; the binding installs the function that asks Python.
#pragma once

namespace mlcore::runtime {

/// Returns true when the user wants to stop. Must not throw; called from the thread that called into the library only.
using InterruptProbe = bool (*)() noexcept;

void set_interrupt_probe(InterruptProbe probe) noexcept;

/// Throws Interrupted when the probe says so. Asks at most every 50 ms, so it may be called often; only the thread
/// that made the poll object (the caller of the fit) asks.
class Interrupt {
 public:
  Interrupt() noexcept;
  void poll();

 private:
  long long next_ns_;
};

}  // namespace mlcore::runtime
