// Viterbi decoding: no back-pointers. The path's predecessor is found again from the scores of the step before, K
// comparisons a step instead of K^2 recorded.
//
// A long sequence is cut into segments that are decoded side by side. Survivors of a Viterbi decoder merge after some
// rows, so each segment begins some rows early, with equal scores, and ends some rows late. Where its scores at the
// cut, up to a constant, or its state behind the next cut are not those of its neighbour, the sequence is decoded
// again: with few states by the max-plus products of the segments' steps, which give the states at the cuts exactly,
// and then each segment between its two states; with more in one piece, with scores kept for sqrt(T) rows at a time.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "hmm/decoder.hpp"
#include "mlcore/hmm/inference.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::hmm {
namespace {

// Scores of a stretch stay in the second-level cache.
constexpr Index kStretchValues = 1 << 16;
// A product costs K sweeps that threads and lanes share, one piece one sweep that they do not.
constexpr Index kScanStates = 16;
constexpr Index overlap_rows(Index states) noexcept { return states <= kStaticStates ? 128 : 256; }
// Length of segments: four groups or more, scores and states that stay in the second-level cache, and long enough that
// overlaps cost little.
Index decoding_segment(const Sequences& sequences, Index states) noexcept {
  const Index rows = sequences.offsets[sequences.count()] - sequences.offsets[0];
  return std::clamp<Index>(ceil_div(rows, 4 * kGroup), 512, std::max<Index>(1024, 16384 / states));
}
// Scores that differ by less than this are of paths that are equally good.
constexpr double kEqualScores = 1e-9;

/// Sequences in one piece each.
void decode_whole(const DecodeJob& job, const std::vector<Lane>& lanes, runtime::Team& team,
                  runtime::Interrupt& interrupt, double* log_probability, std::int32_t* states) {
  if (lanes.empty()) return;
  const std::vector<Group> groups = group_by_length(lanes);
  const Index longest = groups[0].length();
  const auto root = static_cast<Index>(std::ceil(std::sqrt(static_cast<double>(longest))));
  Decoders decoders(job, longest, std::max(root, kStretchValues / (job.states * kGroup)), team.size());
  team.for_each(static_cast<Index>(groups.size()), [&](Index g) {
    interrupt.poll();
    const Group& group = groups[static_cast<std::size_t>(g)];
    Decoder& decoder = decoders.of(team);
    for (Index l = 0; l < kGroup; ++l) decoder.begin(l, nullptr);
    decoder.run(
        group,
        [&](Index l, const double* scores) {
          const Index best = best_of(scores, job.states);
          log_probability[group.lane[l].sequence] = scores[best * kGroup];
          return best;
        },
        [&](Index l, Index first, Index count, const std::int64_t* path) {
          copy_path(path, count, states + group.lane[l].row + first);
        });
  });
}

/// Cut sequences, by max-plus products. Every lane of a cut sequence is in `layout`.
void decode_by_scan(const DecodeJob& job, const Layout& layout, const std::vector<Lane>& lanes, runtime::Team& team,
                    runtime::Interrupt& interrupt, double* log_probability, std::int32_t* states) {
  const Index k = job.states;
  const std::vector<Group> groups = group_by_length(lanes);
  Decoders decoders(job, groups[0].length(), groups[0].length(), team.size());
  Buffer<double> rows({static_cast<Index>(layout.lanes.size()), k, k});
  team.for_each(static_cast<Index>(groups.size()), [&](Index g) {
    interrupt.poll();
    Buffer<double> own({kGroup, k, k});
    decoders.of(team).products(groups[static_cast<std::size_t>(g)], own.data());
    for (Index l = 0; l < kGroup; ++l) {
      const Lane& lane = groups[static_cast<std::size_t>(g)].lane[l];
      if (lane.length > 0) std::copy_n(own.data() + l * k * k, k * k, rows.data() + lane.number * k * k);
    }
  });
  // Scores at the cuts from the front, states at the cuts from the back.
  const auto count = static_cast<Index>(layout.cuts.size());
  Buffer<double> score({count, k}), last({k});
  std::vector<Index> state_at(static_cast<std::size_t>(count), 0), final_state(layout.lanes.size(), 0);
  const auto arrive = [&](const Lane& lane, double* out) {
    const double* product = rows.data() + lane.number * k * k;
    if (lane.before == kNone) {
      std::copy_n(product, k, out);
      return;
    }
    for (Index j = 0; j < k; ++j) {
      out[j] = kNeverScore;
      for (Index i = 0; i < k; ++i) out[j] = std::max(out[j], score[lane.before * k + i] + product[i * k + j]);
    }
  };
  for (const Lane& lane : lanes) {
    arrive(lane, lane.after != kNone ? score.data() + lane.after * k : last.data());
    if (lane.after != kNone) continue;
    const Index best = std::max_element(last.begin(), last.end()) - last.begin();
    log_probability[lane.sequence] = last[best];
    final_state[static_cast<std::size_t>(lane.number)] = best;
  }
  for (auto lane = lanes.rbegin(); lane != lanes.rend(); ++lane) {
    Index& end = final_state[static_cast<std::size_t>(lane->number)];
    if (lane->after != kNone) end = state_at[static_cast<std::size_t>(lane->after)];
    if (lane->before == kNone) continue;
    double most = kNeverScore;
    for (Index i = 0; i < k; ++i) {
      const double value = score[lane->before * k + i] + rows[(lane->number * k + i) * k + end];
      if (value > most) {
        most = value;
        state_at[static_cast<std::size_t>(lane->before)] = i;
      }
    }
  }
  team.for_each(static_cast<Index>(groups.size()), [&](Index g) {
    interrupt.poll();
    const Group& group = groups[static_cast<std::size_t>(g)];
    Decoder& decoder = decoders.of(team);
    for (Index l = 0; l < kGroup; ++l) {
      const Index before = group.lane[l].before;
      decoder.begin(
          l, before != kNone ? job.logs.transitions.data() + state_at[static_cast<std::size_t>(before)] * k : nullptr);
    }
    decoder.run(
        group, [&](Index l, const double*) { return final_state[static_cast<std::size_t>(group.lane[l].number)]; },
        [&](Index l, Index first, Index n, const std::int64_t* path) {
          copy_path(path, n, states + group.lane[l].row + first);
        });
  });
}

/// Cut sequences, by segments that overlap. Marks those that must be done in one piece.
void decode_by_overlap(const DecodeJob& job, const Layout& layout, const std::vector<Lane>& lanes, runtime::Team& team,
                       runtime::Interrupt& interrupt, double* log_probability, std::int32_t* states,
                       std::vector<bool>& failed) {
  const Index k = job.states;
  const auto count = static_cast<Index>(layout.cuts.size());
  const Index overlap = overlap_rows(k);
  std::vector<Lane> wide;
  std::vector<Index> lead(layout.lanes.size(), 0), own(layout.lanes.size(), 0);
  for (Lane lane : lanes) {
    const auto n = static_cast<std::size_t>(lane.number);
    const Index begin = job.sequences.offsets[lane.sequence], end = job.sequences.offsets[lane.sequence + 1];
    own[n] = lane.length;
    lead[n] = lane.before != kNone ? std::min(overlap, lane.row - begin) : 0;
    lane.length += lead[n] + (lane.after != kNone ? std::min(overlap, end - lane.row - lane.length) : 0);
    lane.row -= lead[n];
    wide.push_back(lane);
  }
  const std::vector<Group> groups = group_by_length(std::move(wide));
  Decoders decoders(job, groups[0].length(), groups[0].length(), team.size());
  // At the row before a cut: scores of the segment on its left, and of the one on its right that started early. At the
  // row behind it: the state in either.
  Buffer<double> left({count, k}), right({count, k}), flat = Buffer<double>::zeros({k});
  std::vector<Index> state_left(static_cast<std::size_t>(count)), state_right(static_cast<std::size_t>(count));
  Buffer<double> final_score({static_cast<Index>(layout.lanes.size())});
  team.for_each(static_cast<Index>(groups.size()), [&](Index g) {
    interrupt.poll();
    const Group& group = groups[static_cast<std::size_t>(g)];
    Decoder& decoder = decoders.of(team);
    for (Index l = 0; l < kGroup; ++l) decoder.begin(l, group.lane[l].before != kNone ? flat.data() : nullptr);
    decoder.run(
        group,
        [&](Index l, const double* scores) {
          const Lane& lane = group.lane[l];
          const auto n = static_cast<std::size_t>(lane.number);
          for (Index j = 0; j < k; ++j) {
            if (lane.before != kNone) right[lane.before * k + j] = decoder.scores(lead[n] - 1)[j * kGroup + l];
            if (lane.after != kNone) left[lane.after * k + j] = decoder.scores(lead[n] + own[n] - 1)[j * kGroup + l];
          }
          const Index best = best_of(scores, k);
          final_score[lane.number] = scores[best * kGroup];
          return best;
        },
        [&](Index l, Index, Index, const std::int64_t* path) {
          const Lane& lane = group.lane[l];
          const auto n = static_cast<std::size_t>(lane.number);
          copy_path(path + lead[n] * kGroup, own[n], states + lane.row + lead[n]);
          if (lane.before != kNone)
            state_right[static_cast<std::size_t>(lane.before)] = static_cast<Index>(path[lead[n] * kGroup]);
          if (lane.after != kNone)
            state_left[static_cast<std::size_t>(lane.after)] = static_cast<Index>(path[(lead[n] + own[n]) * kGroup]);
        });
  });
  double offset = 0;  // of a segment's scores from the sequence's
  for (const Lane& lane : lanes) {
    if (lane.before == kNone) {
      offset = 0;
    } else {
      double least = std::numeric_limits<double>::infinity(), most = -least;
      bool sound =
          state_left[static_cast<std::size_t>(lane.before)] == state_right[static_cast<std::size_t>(lane.before)];
      for (Index j = 0; j < k; ++j) {
        const double a = left[lane.before * k + j], b = right[lane.before * k + j];
        if (a == kNeverScore && b == kNeverScore) continue;
        sound = sound && std::isfinite(a) && std::isfinite(b);
        least = std::min(least, a - b);
        most = std::max(most, a - b);
      }
      if (!sound || !(least <= most) || most - least > kEqualScores)
        failed[static_cast<std::size_t>(lane.sequence)] = true;
      offset += least;
    }
    if (lane.after == kNone) log_probability[lane.sequence] = final_score[lane.number] + offset;
  }
}

}  // namespace

void viterbi(const EmissionSpec& spec, const Observations& x, const Sequences& sequences, const Chain& chain,
             int n_jobs, double* log_probability, std::int32_t* states) {
  check_sequences(spec, x, sequences, chain);
  const auto emission = make_emission(spec, x);
  const Index k = chain.states;
  const DecodeJob job(*emission, sequences, chain);
  std::vector<bool> failed(static_cast<std::size_t>(sequences.count()), false);
  const Layout layout(sequences, decoding_segment(sequences, k), failed);
  std::vector<Lane> whole, cut;
  for (const Lane& lane : layout.lanes) (lane.before == kNone && lane.after == kNone ? whole : cut).push_back(lane);
  const double rows = static_cast<double>(x.rows), count = static_cast<double>(k);
  const int threads =
      runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads, rows * (count * count * 0.3 + count * 3 + 5));
  std::fill_n(log_probability, sequences.count(), 0.0);
  runtime::Interrupt interrupt;
  runtime::parallel_team(threads, [&](runtime::Team& team) {
    decode_whole(job, whole, team, interrupt, log_probability, states);
    if (cut.empty()) return;
    decode_by_overlap(job, layout, cut, team, interrupt, log_probability, states, failed);
    std::vector<Lane> again;
    if (k <= kScanStates) {
      for (const Lane& lane : cut)
        if (failed[static_cast<std::size_t>(lane.sequence)]) again.push_back(lane);
      if (!again.empty()) decode_by_scan(job, layout, again, team, interrupt, log_probability, states);
      return;
    }
    for (Index s = 0; s < sequences.count(); ++s) {
      if (!failed[static_cast<std::size_t>(s)]) continue;
      Lane lane;
      lane.sequence = s;
      lane.row = sequences.offsets[s];
      lane.length = sequences.offsets[s + 1] - lane.row;
      again.push_back(lane);
    }
    decode_whole(job, again, team, interrupt, log_probability, states);
  });
}

}  // namespace mlcore::hmm
