// Everything that touches OpenMP. No other file may hold an OpenMP pragma (`omp simd` in kernels excepted).
//
//   parallel_for(blocks, threads, fn)    fn(block) for every block, blocks handed out dynamically
//   reduce_ordered(...)                  the same with one partial result per slot, combined in slot order
//   parallel_team(threads, fn)           one region for a whole fit: fn(team) on every member, phases divided by
//                                        team.barrier() and shared out by team.for_each(...)
//
// Results never depend on the number of threads as long as fn(block) writes only what belongs to its block.
// Exceptions leave the region: of several, the one of the lowest block (team: lowest member) is rethrown.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "mlcore/base/types.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace mlcore::runtime {

inline bool in_parallel_region() noexcept {
#ifdef _OPENMP
  return omp_in_parallel() != 0;
#else
  return false;
#endif
}

/// Keeps the exception of the lowest item; everybody else stops early.
class FirstException {
 public:
  void capture(Index item) noexcept;
  bool raised() const noexcept { return lowest_.load(std::memory_order_relaxed) != kNone; }
  /// True when `item` cannot become the lowest any more, so that it need not run.
  bool skips(Index item) const noexcept { return item > lowest_.load(std::memory_order_relaxed); }
  void rethrow() {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  static constexpr Index kNone = std::numeric_limits<Index>::max();
  std::atomic<Index> lowest_{kNone};
  std::atomic_flag lock_ = ATOMIC_FLAG_INIT;
  std::exception_ptr exception_;
};

/// Barrier for a team: spins for a few microseconds, then sleeps, so that a busy neighbour costs us only its share.
class Barrier {
 public:
  explicit Barrier(int members) noexcept : members_(members) {}
  void wait() noexcept;

 private:
  const int members_;
  alignas(kCacheLine) std::atomic<int> arrived_{0};
  alignas(kCacheLine) std::atomic<std::uint32_t> generation_{0};
};

/// One member's view of a team.
class Team {
 public:
  struct Shared {
    explicit Shared(int members) : barrier(members), members(members) {}
    Barrier barrier;
    int members;
    FirstException failure;
    alignas(kCacheLine) std::atomic<Index> next{0};
    alignas(kCacheLine) std::atomic<int> finished{0};
  };

  Team(Shared& shared, int member) noexcept : shared_(shared), member_(member) {}
  int member() const noexcept { return member_; }
  int size() const noexcept { return shared_.members; }
  bool is_leader() const noexcept { return member_ == 0; }
  void barrier() noexcept {
    if (shared_.members > 1) shared_.barrier.wait();
  }
  /// fn(block) for 0 <= block < blocks, handed out dynamically; ends with a barrier. Call it on every member. An
  /// exception of fn is kept; the rest of the blocks is skipped; rethrown by parallel_team (see failed()).
  template <class Fn>
  void for_each(Index blocks, Fn&& fn) {
    if (shared_.members == 1) {
      for (Index block = 0; block < blocks; ++block) fn(block);
      return;
    }
    for (;;) {
      const Index block = shared_.next.fetch_add(1, std::memory_order_relaxed);
      if (block >= blocks) break;
      if (shared_.failure.skips(block)) continue;
      try {
        fn(block);
      } catch (...) {
        shared_.failure.capture(block);
      }
    }
    // The last one to leave resets the counter before anybody passes the barrier.
    if (shared_.finished.fetch_add(1, std::memory_order_acq_rel) + 1 == shared_.members) {
      shared_.finished.store(0, std::memory_order_relaxed);
      shared_.next.store(0, std::memory_order_relaxed);
    }
    shared_.barrier.wait();
  }
  /// fn() on the leader only, then a barrier.
  template <class Fn>
  void once(Fn&& fn) {
    if (shared_.members == 1) {
      fn();
      return;
    }
    if (member_ == 0) {
      try {
        fn();
      } catch (...) {
        shared_.failure.capture(0);
      }
    }
    shared_.barrier.wait();
  }
  /// Some member's for_each or once has thrown: leave the loop. The same on every member after for_each/once.
  bool failed() const noexcept { return shared_.failure.raised(); }

 private:
  Shared& shared_;
  int member_;
};

/// fn(team) on each of `threads` members inside one OpenMP region; rethrows what a phase threw. With fewer threads than
/// asked for (the runtime may refuse) the team is simply smaller.
template <class Fn>
void parallel_team(int threads, Fn&& fn) {
  if (threads <= 1 || in_parallel_region()) {
    Team::Shared shared(1);
    Team team(shared, 0);
    fn(team);
    return;
  }
#ifdef _OPENMP
  std::unique_ptr<Team::Shared> shared;
#pragma omp parallel num_threads(threads)
  {
#pragma omp single
    shared = std::make_unique<Team::Shared>(omp_get_num_threads());
    Team team(*shared, omp_get_thread_num());
    try {
      fn(team);
    } catch (...) {
      // Only code outside the phases can land here; it must throw on every member alike or on a team of one.
      shared->failure.capture(team.member());
    }
  }
  shared->failure.rethrow();
#else
  Team::Shared shared(1);
  Team team(shared, 0);
  fn(team);
#endif
}

/// fn(block) for 0 <= block < blocks.
template <class Fn>
void parallel_for(Index blocks, int threads, Fn&& fn) {
  if (blocks < threads) threads = static_cast<int>(blocks);
  parallel_team(threads, [&](Team& team) { team.for_each(blocks, fn); });
}

/// Number of partial sums for a reduction over `blocks` blocks: by shape only, never by thread count.
inline constexpr Index kMaxPartials = 64;
inline Index partial_count(Index blocks) noexcept { return blocks < kMaxPartials ? (blocks < 1 ? 1 : blocks) : kMaxPartials; }

/// Blocks [first, last) that belong to partial `p` of `partials`.
inline std::pair<Index, Index> partial_range(Index blocks, Index partials, Index p) noexcept {
  return {blocks * p / partials, blocks * (p + 1) / partials};
}

/// Result of map(block, partial) over all blocks: `partials` copies of `zero`, each fed its own run of blocks in order,
/// then combine(result, partial) in index order. The same bits for any number of threads.
template <class R, class Map, class Combine>
R reduce_ordered(Index blocks, int threads, const R& zero, Map&& map, Combine&& combine) {
  const Index partials = partial_count(blocks);
  std::vector<R> partial(static_cast<std::size_t>(partials), zero);
  parallel_for(partials, threads, [&](Index p) {
    const auto [first, last] = partial_range(blocks, partials, p);
    for (Index block = first; block < last; ++block) map(block, partial[static_cast<std::size_t>(p)]);
  });
  R result = std::move(partial[0]);
  for (std::size_t p = 1; p < partial.size(); ++p) combine(result, partial[p]);
  return result;
}

}  // namespace mlcore::runtime
