// The pool behind parallel_team.
//
// Helper: a thread that sleeps until somebody has work for it. It lives as long as the process and belongs to at most
// one team at a time. Its `state` is the whole protocol:
//
//   kIdle -> kPosted     the team's caller has left work
//   kPosted -> kWorking  the helper has begun
//   kPosted -> kIdle     the caller called it back: there is nothing left to do
//   kWorking -> kIdle    the helper has ended
//
// The caller may leave as soon as the state is kIdle again: a helper that wakes up later touches nothing of the
// caller's.
#include "mlcore/runtime/parallel.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <thread>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mlcore::runtime {

namespace {
enum State : std::uint32_t { kIdle, kPosted, kWorking };

// About the time that a sleeping thread needs to wake up: to spin longer cannot win more than that.
constexpr auto kSpin = std::chrono::microseconds(50);
// Helpers of the whole process. Teams beyond are smaller.
constexpr int kMostHelpers = 1024;

inline void relax() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns when the state is not `old` any more: spins for a while, then sleeps.
void wait_while(std::atomic<std::uint32_t>& state, std::uint32_t old) noexcept {
  const auto until = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (state.load(std::memory_order_acquire) != old) return;
      relax();
    }
  } while (std::chrono::steady_clock::now() < until);
  state.wait(old, std::memory_order_acquire);
}
}  // namespace

struct alignas(kCacheLine) Helper {
  std::atomic<std::uint32_t> state{kIdle};
  // Written by the team's caller while the state is kIdle, read by the helper while it is kWorking.
  Helpers::Work work = nullptr;
  void* context = nullptr;
  int member = 0;

  void live() noexcept {
    thread_state::inside_region = true;
    for (;;) {
      wait_while(state, kIdle);
      std::uint32_t posted = kPosted;
      if (!state.compare_exchange_strong(posted, kWorking, std::memory_order_acquire)) continue;  // called back
      work(context, member);
      state.store(kIdle, std::memory_order_release);
      state.notify_one();
    }
  }
};

namespace {
struct Pool {
  std::mutex mutex;
  std::vector<Helper*> idle;  // the last one to come back is the first to be taken: it may still be spinning
  int made = 0;
};

// Never destroyed: helpers outlive the static objects.
Pool& pool() {
  static Pool& only = *new Pool;
  return only;
}

// Helpers must not take the signals that the program waits for in its own threads.
class BlockedSignals {
#if defined(__unix__) || defined(__APPLE__)
 public:
  BlockedSignals() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
#endif
};

Helper* new_helper() {
  auto helper = std::make_unique<Helper>();
  [[maybe_unused]] const BlockedSignals blocked;
  std::thread([h = helper.get()] { h->live(); }).detach();
  return helper.release();  // the thread's own from now on
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

Helpers::Helpers(int wanted) noexcept {
  if (wanted <= 0) return;
  try {
    Pool& p = pool();
    taken_.reserve(static_cast<std::size_t>(wanted));
    const std::lock_guard lock(p.mutex);
    while (count() < wanted && !p.idle.empty()) {
      taken_.push_back(p.idle.back());
      p.idle.pop_back();
    }
    while (count() < wanted && p.made < kMostHelpers) {
      p.idle.reserve(static_cast<std::size_t>(p.made) + 1);  // so that to give it back cannot fail
      taken_.push_back(new_helper());
      ++p.made;
    }
  } catch (...) {
    // No memory, or the system has no thread for us: a smaller team does the same work.
  }
}

Helpers::~Helpers() {
  if (taken_.empty()) return;
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  p.idle.insert(p.idle.end(), taken_.rbegin(), taken_.rend());
}

void Helpers::run(int helpers, Work work, void* context) noexcept {
  for (int i = 0; i < helpers; ++i) {
    Helper& helper = *taken_[static_cast<std::size_t>(i)];
    helper.work = work;
    helper.context = context;
    helper.member = i + 1;
    helper.state.store(kPosted, std::memory_order_release);
    helper.state.notify_one();
  }
  work(context, 0);
  // First call back all who have not begun, then wait for the others.
  for (int i = 0; i < helpers; ++i) {
    std::uint32_t posted = kPosted;
    taken_[static_cast<std::size_t>(i)]->state.compare_exchange_strong(posted, kIdle, std::memory_order_acquire);
  }
  for (int i = 0; i < helpers; ++i) {
    Helper& helper = *taken_[static_cast<std::size_t>(i)];
    while (helper.state.load(std::memory_order_acquire) != kIdle) wait_while(helper.state, kWorking);
  }
}

}  // namespace mlcore::runtime
