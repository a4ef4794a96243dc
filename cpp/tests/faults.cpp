// Shows that a sanitizer build would notice a fault: `faults clean` must end well, every other argument must be
// reported. Without this, a sanitizer that is not in force looks the same as code without faults.
#include <atomic>
#include <cstdio>
#include <cstring>

#include "mlcore/base/buffer.hpp"
#include "mlcore/runtime/parallel.hpp"

namespace {

using mlcore::Buffer;
using mlcore::Index;

// What the code base does all the time: blocks with an ordered reduction.
double ordered_sum(Index n) {
  return mlcore::runtime::reduce_ordered<double>(
      n, 3, 0.0, [](Index block, double& sum) { sum += static_cast<double>(block); },
      [](double& sum, const double& other) { sum += other; });
}

// Keeps two members in their blocks until both are there, without ordering anything between them.
class Meeting {
 public:
  void wait() noexcept {
    arrived_.fetch_add(1, std::memory_order_relaxed);
    while (arrived_.load(std::memory_order_relaxed) < 2) {
    }
  }

 private:
  std::atomic<int> arrived_{0};
};

// Both members write one variable without order, however the threads are scheduled.
long unordered_count(Index n) {
  volatile long count = 0;
  Meeting meeting;
  mlcore::runtime::parallel_for(2, 2, [&](Index) {
    meeting.wait();
    for (Index i = 0; i < n; ++i) count = count + 1;
  });
  return count;
}

// The two halves need a phase each: in one, a member reads what the other still writes.
double unordered_phases(Index n) {
  Buffer<double> values = Buffer<double>::zeros({2});
  double seen[2] = {0, 0};
  Meeting meeting;
  mlcore::runtime::parallel_for(2, 2, [&](Index block) {
    for (Index i = 0; i < n; ++i) values[block] += 1.0;
    meeting.wait();
    seen[block] = values[1 - block];  // belongs into the next phase
  });
  return seen[0] + seen[1];
}

int overflow(Index n) {
  Buffer<int> buffer({n});
  buffer.fill_zero();
  volatile Index beyond = 64;  // the buffer is padded to whole cache lines
  return buffer[n + beyond];
}

int signed_overflow(int start) {
  volatile int big = start;
  return big + big;
}

}  // namespace

int main(int count, char** arguments) {
  const char* fault = count > 1 ? arguments[1] : "clean";
  double result = 0;
  if (std::strcmp(fault, "clean") == 0) result = ordered_sum(1000);
  if (std::strcmp(fault, "race") == 0) result = static_cast<double>(unordered_count(100000));
  if (std::strcmp(fault, "barrier") == 0) result = unordered_phases(100000);
  if (std::strcmp(fault, "heap") == 0) result = overflow(16);
  if (std::strcmp(fault, "undefined") == 0) result = signed_overflow(0x7fffffff);
  std::printf("%s: %g\n", fault, result);
  return 0;
}
