// Everything that touches OpenMP. No other file may hold an OpenMP pragma (`omp simd` in kernels excepted).
//
//   parallel_for(blocks, threads, fn)    fn(block) for every block, blocks handed out dynamically
//   reduce_ordered(...)                  the same with one partial result per slot, combined in slot order
//   parallel_team(threads, fn)           one region for a whole fit: fn(team) on every member, phases divided by
//                                        team.barrier() and shared out by team.for_each(...)
//
// Results never depend on the number of threads as long as fn(block) writes only what belongs to its block.
// Exceptions leave the region: that of the first phase that failed, of several in it the one of the lowest block.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "mlcore/base/types.hpp"
#include "mlcore/runtime/threads.hpp"

// MLCORE_STD_THREADS is for the thread sanitizer alone: it does not see how libgomp starts and joins threads and reports
// races that are none. There a region is made of std::thread; barriers, blocks and reductions are the same code.
#ifdef MLCORE_STD_THREADS
#include <thread>
#elif defined(_OPENMP)
#include <omp.h>
#endif

namespace mlcore::runtime {

#ifdef MLCORE_STD_THREADS
inline thread_local bool inside_std_region = false;
#endif

inline bool in_parallel_region() noexcept {
#ifdef MLCORE_STD_THREADS
  return inside_std_region;
#elif defined(_OPENMP)
  return omp_in_parallel() != 0;
#else
  return false;
#endif
}

/// Keeps the exception of the lowest item.
class FirstException {
 public:
  void capture(Index item) noexcept;
  bool raised() const noexcept { return lowest_.load(std::memory_order_relaxed) != kNone; }
  /// True when `item` cannot become the lowest any more, so that it need not run.
  bool skips(Index item) const noexcept { return item > lowest_.load(std::memory_order_relaxed); }
  /// Call after the region only.
  void rethrow() {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  static constexpr Index kNone = std::numeric_limits<Index>::max();
  std::atomic<Index> lowest_{kNone};
  std::atomic_flag lock_ = ATOMIC_FLAG_INIT;
  std::exception_ptr exception_;
};

/// Barrier for a team: spins for a few microseconds, then sleeps, so that a busy neighbour costs us only its share. The
/// last one to arrive runs `complete()` while everybody else waits: whatever that writes, all members see alike.
class Barrier {
 public:
  /// `members` is the size of the team, the same in every call.
  template <class Complete>
  void wait(int members, Complete&& complete) noexcept {
    const std::uint32_t generation = generation_.load(std::memory_order_acquire);
    if (arrive(members)) {
      complete();
      release(generation);
    } else {
      wait_for_release(generation);
    }
  }
  /// Arrives here and, without waiting, at every later barrier: for a member that leaves the team early.
  template <class Complete>
  void leave(int members, Complete&& complete) noexcept {
    const std::uint32_t generation = generation_.load(std::memory_order_acquire);
    left_.fetch_add(1, std::memory_order_relaxed);  // made visible to the last one by arrive()
    if (arrive(members)) {
      complete();
      release(generation);
    }
  }

 private:
  bool arrive(int members) noexcept { return arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members; }
  void release(std::uint32_t generation) noexcept;
  void wait_for_release(std::uint32_t generation) noexcept;

  alignas(kCacheLine) std::atomic<int> arrived_{0};
  std::atomic<int> left_{0};
  alignas(kCacheLine) std::atomic<std::uint32_t> generation_{0};
};

/// One member's view of a team. Every member must go through the same sequence of for_each, once and barrier.
class Team {
 public:
  struct Shared {
    Barrier barrier;
    FirstException failure;
    alignas(kCacheLine) std::atomic<Index> next{0};
    alignas(kCacheLine) bool failed = false;  ///< written by the last one at a barrier, so the same for all
  };

  Team(Shared& shared, int member, int members) noexcept : shared_(shared), member_(member), members_(members) {}
  int member() const noexcept { return member_; }
  int size() const noexcept { return members_; }
  bool is_leader() const noexcept { return member_ == 0; }

  void barrier() noexcept {
    if (members_ > 1) shared_.barrier.wait(members_, [this] { end_phase(); });
  }
  /// fn(block) for 0 <= block < blocks, handed out dynamically; ends with a barrier. Call it on every member. An
  /// exception of fn is kept for parallel_team to rethrow; higher blocks and all later phases are skipped.
  template <class Fn>
  void for_each(Index blocks, Fn&& fn) {
    if (members_ == 1) {
      for (Index block = 0; block < blocks; ++block) fn(block);
      return;
    }
    while (!shared_.failed) {
      const Index block = shared_.next.fetch_add(1, std::memory_order_relaxed);
      // Blocks go out in order: all lower ones are with somebody already, and run.
      if (block >= blocks || shared_.failure.skips(block)) break;
      try {
        fn(block);
      } catch (...) {
        shared_.failure.capture(block);
      }
    }
    barrier();
  }
  /// fn() on the leader only (the thread that entered parallel_team), then a barrier.
  template <class Fn>
  void once(Fn&& fn) {
    if (members_ == 1) {
      fn();
      return;
    }
    if (member_ == 0 && !shared_.failed) {
      try {
        fn();
      } catch (...) {
        shared_.failure.capture(0);
      }
    }
    barrier();
  }
  /// A phase before the last barrier has thrown: leave the loop. The same on every member, however far ahead of each
  /// other they are, so `if (team.failed()) break;` never leaves anybody waiting. A team of one throws at once instead.
  bool failed() const noexcept { return shared_.failed; }

  /// fn(*this); an exception from outside the phases is kept as well, and the others do not wait for this member.
  template <class Fn>
  void run(Fn&& fn) noexcept {
    try {
      fn(*this);
    } catch (...) {
      // Before every block, in order of the members. After a failed phase it is a consequence, not the cause.
      if (!shared_.failed) shared_.failure.capture(static_cast<Index>(member_) - members_);
      shared_.barrier.leave(members_, [this] { end_phase(); });
    }
  }

 private:
  void end_phase() noexcept {
    shared_.next.store(0, std::memory_order_relaxed);
    shared_.failed = shared_.failure.raised();
  }

  Shared& shared_;
  const int member_;
  const int members_;
};

/// body(member, members) on every thread of one region; the caller is member 0. Here alone threads begin and end.
template <class Body>
void parallel_region(int threads, Body&& body) {
#ifdef MLCORE_STD_THREADS
  const auto member = [&](int number) {
    inside_std_region = true;
    body(number, threads);
    inside_std_region = false;
  };
  std::vector<std::thread> others;
  for (int number = 1; number < threads; ++number) others.emplace_back(member, number);
  member(0);
  for (std::thread& other : others) other.join();
#elif defined(_OPENMP)
#pragma omp parallel num_threads(threads)
  body(omp_get_thread_num(), omp_get_num_threads());
#else
  static_cast<void>(threads);
  body(0, 1);
#endif
}

/// fn(team) on each of `threads` members inside one parallel_region; rethrows what they threw. The team is smaller where
/// the runtime refuses threads, and one inside another region or in a forked child. Loops over phases must end when
/// team.failed(). There is no barrier at the start: the caller works while the others wake up.
template <class Fn>
void parallel_team(int threads, Fn&& fn) {
  if (threads > 1 && !in_parallel_region() && !in_forked_child()) {
    Team::Shared shared;
    parallel_region(threads, [&](int member, int members) { Team(shared, member, members).run(fn); });
    shared.failure.rethrow();
    return;
  }
  Team::Shared shared;
  Team team(shared, 0, 1);
  fn(team);
}

/// fn(block) for 0 <= block < blocks.
template <class Fn>
void parallel_for(Index blocks, int threads, Fn&& fn) {
  if (blocks < threads) threads = static_cast<int>(blocks);
  parallel_team(threads, [&](Team& team) { team.for_each(blocks, fn); });
}

/// Number of partial sums for a reduction over `blocks` blocks: by shape only, never by thread count.
inline constexpr Index kMaxPartials = 64;
inline Index partial_count(Index blocks) noexcept {
  return blocks < kMaxPartials ? (blocks < 1 ? 1 : blocks) : kMaxPartials;
}

/// Blocks [first, last) that belong to partial `p` of `partials`.
inline std::pair<Index, Index> partial_range(Index blocks, Index partials, Index p) noexcept {
  return {blocks * p / partials, blocks * (p + 1) / partials};
}

/// Result of map(block, partial) over all blocks: `partials` copies of `zero`, each fed its own run of blocks in order,
/// then combine(result, partial) in index order. The same bits for any number of threads. Holds up to kMaxPartials
/// copies of R (two on one thread).
template <class R, class Map, class Combine>
R reduce_ordered(Index blocks, int threads, const R& zero, Map&& map, Combine&& combine) {
  const Index partials = partial_count(blocks);
  const auto sum_of = [&](Index p) {
    R sum = zero;  // the thread's own: neighbours in a shared array would fight for its cache lines
    const auto [first, last] = partial_range(blocks, partials, p);
    for (Index block = first; block < last; ++block) map(block, sum);
    return sum;
  };
  if (threads <= 1) {
    R result = sum_of(0);
    for (Index p = 1; p < partials; ++p) {
      R sum = sum_of(p);
      combine(result, sum);
    }
    return result;
  }
  std::vector<std::optional<R>> sums(static_cast<std::size_t>(partials));
  parallel_for(partials, threads, [&](Index p) { sums[static_cast<std::size_t>(p)].emplace(sum_of(p)); });
  R result = std::move(*sums[0]);
  for (std::size_t p = 1; p < sums.size(); ++p) combine(result, *sums[p]);
  return result;
}

}  // namespace mlcore::runtime
