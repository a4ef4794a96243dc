// Passes over all sequences of a call, in groups of lanes and on several threads: what inference and the E-step share.
#pragma once
#include <algorithm>
#include <vector>

#include "hmm/segments.hpp"
#include "hmm/worker.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::hmm {

/// Threads that pay for `per_pair` nanoseconds a row and pair of states and `per_state` a row and state.
inline int threads_of(int n_jobs, const Sequences& sequences, Index states, double per_pair, double per_state) {
  const auto rows = static_cast<double>(sequences.offsets[sequences.count()] - sequences.offsets[0]);
  const auto k = static_cast<double>(states);
  return runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads,
                                   rows * (k * k * per_pair + k * per_state + 5));
}

/// Writes the lanes' planes to rows of an n x K array.
inline void write_rows(const Tile& tile, const double* track, Index k, double* out) noexcept {
  double* streams[kGroup];
  Index counts[kGroup];
  for (Index l = 0; l < kGroup; ++l) {
    streams[l] = out + tile.row[l] * k;
    counts[l] = tile.count[l] * k;
  }
  track_kernels().deinterleave(track, tile.steps * k, counts, streams);
}

/// Fetches the rows that write_rows will write to, while the recursion before it is at work: eight short runs at a
/// time, from the last tile to the first, are nothing that the hardware foresees.
inline void expect_rows(const Tile& tile, Index k, const double* out) noexcept {
  constexpr Index kLine = kCacheLine / static_cast<Index>(sizeof(double));
  for (Index l = 0; l < kGroup; ++l) {
    const double* row = out + tile.row[l] * k;
    for (Index i = 0; i < tile.count[l] * k; i += kLine) __builtin_prefetch(row + i, 1);
  }
}

/// Runs pass(team, workers, layout, groups, ends, lost) over all sequences, long ones in segments, until what the
/// segments started from has proved right. Returns the sequences that are left to log space.
template <class Pass>
std::vector<Lane> run_over_segments(const Job& job, bool both, int threads, Pass&& pass) {
  const Index k = job.chain.states;
  std::vector<bool> is_lost(static_cast<std::size_t>(job.sequences.count()), false);
  const Index segment = segment_length(job.sequences, k);
  runtime::parallel_team(threads, [&](runtime::Team& team) {
    for (bool again = true; again;) {
      const Layout layout(job.sequences, segment, is_lost);
      const std::vector<Group> groups = group_by_length(layout.lanes);
      std::vector<unsigned char> lost(layout.lanes.size(), 0);
      Workers workers(job, both ? layout.longest() : 0, team.size());
      Ends ends(static_cast<Index>(layout.cuts.size()), k);
      EndsFrom source = EndsFrom::kOrder;
      if (!layout.cuts.empty()) source = find_ends(job, layout, both, workers, team, ends, lost);
      pass(team, workers, layout, groups, ends, lost);
      while (!ends_agree(source, job, layout, both, ends)) {
        std::fill(lost.begin(), lost.end(), static_cast<unsigned char>(0));
        source = find_better_ends(source, job, layout, both, workers, team, ends, lost);
        pass(team, workers, layout, groups, ends, lost);
      }
      again = false;
      for (const Lane& lane : layout.lanes)
        if (lost[static_cast<std::size_t>(lane.number)] != 0)
          again = is_lost[static_cast<std::size_t>(lane.sequence)] = true;
    }
  });
  std::vector<Lane> left;
  for (Index s = 0; s < job.sequences.count(); ++s) {
    if (!is_lost[static_cast<std::size_t>(s)]) continue;
    Lane lane;
    lane.sequence = s;
    lane.row = job.sequences.offsets[s];
    lane.length = job.sequences.offsets[s + 1] - lane.row;
    left.push_back(lane);
  }
  return left;
}

}  // namespace mlcore::hmm
