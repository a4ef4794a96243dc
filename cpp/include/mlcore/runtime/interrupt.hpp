// Ctrl-C. Long loops call Interrupt::poll() between blocks or iterations; the binding installs the function that asks
// Python.
#pragma once
#include <thread>

namespace mlcore::runtime {

/// Returns true when the user wants to stop. Must not throw; called by the thread that made the poll object only.
using InterruptProbe = bool (*)() noexcept;

void set_interrupt_probe(InterruptProbe probe) noexcept;

/// Make one at the start of a fit. poll() throws Interrupted when the probe says so. It asks at most every 50 ms, so it
/// may be called often, and only on the thread that made the object (the caller of the fit, a team's leader): on any
/// other thread poll() does nothing.
class Interrupt {
 public:
  Interrupt() noexcept;
  void poll();

 private:
  std::thread::id owner_;
};

}  // namespace mlcore::runtime
