// The only place that makes threads work. No other file may start a thread or hold an OpenMP pragma (`omp simd` in
// kernels excepted).
//
//   parallel_for(blocks, threads, fn)    fn(block) for every block, blocks handed out dynamically
//   reduce_ordered(...)                  the same with one partial result per slot, combined in slot order
//   parallel_team(threads, fn)           keeps the threads for a whole fit: fn(team) runs on the caller, and shares
//                                        out each phase by team.for_each(blocks, ...)
//
// Results never depend on the number of threads as long as fn(block) writes only what belongs to its block.
// Exceptions leave the phase: of several, the one of the lowest block is rethrown.
//
// Why not OpenMP regions: all their threads must arrive, at the start of a region, at its barriers and at its end. A
// neighbour that has a core makes each of these wait for a time slice. Here nobody is waited for who has not begun: the
// caller works on until no block is left, calls back the helpers that have not woken up, and waits only for blocks
// under way. Idle helpers sleep after a few microseconds. How many threads are allowed is still OpenMP's business
// (OMP_NUM_THREADS, threadpool_limits): see threads.hpp.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "mlcore/base/types.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::runtime {

namespace thread_state {
// Of the calling thread: works inside a parallel region, and as which member of its team.
inline constinit thread_local bool inside_region = false;
inline constinit thread_local int member = 0;
}  // namespace thread_state

/// Keeps the exception of the lowest item.
class FirstException {
 public:
  void capture(Index item) noexcept;
  /// True when `item` cannot become the lowest any more, so that it need not run.
  bool skips(Index item) const noexcept { return item > lowest_.load(std::memory_order_relaxed); }
  /// Call when everybody has ended.
  void rethrow() {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::atomic<Index> lowest_{std::numeric_limits<Index>::max()};
  std::atomic_flag lock_ = ATOMIC_FLAG_INIT;
  std::exception_ptr exception_;
};

struct Helper;

/// Threads of the process-wide pool that work for one caller until the end of this object.
class Helpers {
 public:
  using Work = void (*)(void* context, int member) noexcept;

  /// Takes up to `wanted` idle threads, makes new ones where they are missing, and is content with fewer.
  explicit Helpers(int wanted) noexcept;
  ~Helpers();
  Helpers(const Helpers&) = delete;
  Helpers& operator=(const Helpers&) = delete;
  int count() const noexcept { return static_cast<int>(taken_.size()); }
  /// work(context, 0) on the caller, and work(context, 1..helpers) on helpers that wake up before the caller has ended.
  /// Returns when all who have begun have ended.
  void run(int helpers, Work work, void* context) noexcept;

 private:
  std::vector<Helper*> taken_;
};

/// The caller's view of its team. Code between the phases runs on the caller only.
class Team {
 public:
  /// Use parallel_team.
  explicit Team(int threads) noexcept : helpers_(threads - 1) {}

  /// Most threads that a phase may have. Members are numbered from 0 to size() - 1.
  int size() const noexcept { return helpers_.count() + 1; }
  /// Inside fn(block): whose thread this is; no two threads of a phase have the same. Else 0.
  int member() const noexcept { return size() == 1 ? 0 : thread_state::member; }
  /// The thread that called parallel_team; takes part in every phase.
  bool is_leader() const noexcept { return member() == 0; }

  /// fn(block) for 0 <= block < blocks, handed out dynamically. When fn throws, higher blocks are skipped and the
  /// exception of the lowest block is rethrown. All that the blocks wrote is visible afterwards.
  template <class Fn>
  void for_each(Index blocks, Fn&& fn) {
    if (size() == 1 || blocks <= 1) {
      for (Index block = 0; block < blocks; ++block) fn(block);
      return;
    }
    Phase<std::remove_reference_t<Fn>> phase{fn, blocks};
    const auto others = static_cast<int>(std::min<Index>(helpers_.count(), blocks - 1));
    helpers_.run(others, &phase.work, &phase);
    phase.failure.rethrow();
  }
  /// fn(), on the caller: names the serial steps between phases.
  template <class Fn>
  void once(Fn&& fn) {
    fn();
  }
  /// Never true: a phase that fails throws.
  bool failed() const noexcept { return false; }

 private:
  template <class Fn>
  struct Phase {
    Fn& fn;
    const Index blocks;
    FirstException failure{};
    alignas(kCacheLine) std::atomic<Index> next{0};

    static void work(void* context, int member) noexcept {
      auto& phase = *static_cast<Phase*>(context);
      thread_state::member = member;
      for (;;) {
        const Index block = phase.next.fetch_add(1, std::memory_order_relaxed);
        // Blocks go out in order: all lower ones are with somebody already, and run.
        if (block >= phase.blocks || phase.failure.skips(block)) break;
        try {
          phase.fn(block);
        } catch (...) {
          phase.failure.capture(block);
        }
      }
    }
  };

  Helpers helpers_;
};

/// fn(team) with a team of up to `threads` threads; of one inside another region and in a forked child.
template <class Fn>
void parallel_team(int threads, Fn&& fn) {
  if (threads <= 1 || in_parallel_region() || in_forked_child()) {
    Team team(1);
    fn(team);
    return;
  }
  struct Region {
    Region() noexcept { thread_state::inside_region = true; }
    ~Region() { thread_state::inside_region = false; }
  } region;
  Team team(threads);
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
