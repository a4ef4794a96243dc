// Viterbi decoding: no back-pointers. The path's predecessor is found again from the scores of the step before, K
// comparisons a step instead of K^2 recorded.
//
// A long sequence is cut into segments that are decoded side by side. Few states: first the max-plus product of every
// segment's steps (K sweeps), which gives the states at the cuts exactly, then each segment between its two states.
// More states: survivors of a Viterbi decoder merge after some rows, so each segment begins some rows early, with equal
// scores, and ends some rows late; where its scores at the cut, up to a constant, or its state behind the next cut are
// not those of its neighbour, the sequence is decoded again in one piece, with scores kept for sqrt(T) rows at a time.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "hmm/edges.hpp"
#include "hmm/emission.hpp"
#include "hmm/groups.hpp"
#include "hmm/log_space.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/hmm/inference.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::hmm {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();
// Scores of a stretch stay in the second-level cache.
constexpr Index kStretchValues = 1 << 16;
constexpr Index kScanStates = 8;
constexpr Index kOverlap = 256;
// Scores that differ by less than this are of paths that are equally good.
constexpr double kEqualScores = 1e-9;

struct DecodeJob {
  DecodeJob(const Emission& e, const Sequences& s, const Chain& chain)
      : emission(e),
        sequences(s),
        logs(chain),
        transposed({chain.states, chain.states}),
        into(logs.transitions.data(), chain.states, 1, chain.states, kNever),
        states(chain.states),
        tile(tile_steps(chain.states)) {
    for (Index i = 0; i < states; ++i)
      for (Index j = 0; j < states; ++j) transposed[j * states + i] = logs.transitions[i * states + j];
  }
  const std::int32_t* labels() const noexcept { return sequences.labels.empty() ? nullptr : sequences.labels.data; }

  const Emission& emission;
  const Sequences& sequences;
  LogChain logs;
  Buffer<double> transposed;
  EdgeList into;
  Index states, tile;
};

/// Scores and traces of one group at a time, with the memory of one thread.
class Decoder {
 public:
  /// Scores are kept for `stretch` rows, those of longer lanes made a second time for the trace.
  Decoder(const DecodeJob& job, Index longest, Index stretch)
      : job_(job), k_(job.states), plane_(k_ * kGroup), stretch_(round_up(std::min(stretch, longest), job.tile)) {
    delta_ = Buffer<double>({stretch_, plane_});
    density_ = Buffer<double>({job.tile, plane_});
    starts_ = Buffer<double>({ceil_div(longest, stretch_), plane_});
    carry_ = Buffer<double>::zeros({plane_});
    initial_ = Buffer<double>({plane_});
    path_ = Buffer<std::int64_t>({stretch_, kGroup});
    job.emission.reserve(work_, job.tile);
  }

  /// Scores before the first row of a lane: `from` K log-values; null: those of the chain's start.
  void begin(Index l, const double* from) noexcept {
    for (Index j = 0; j < k_; ++j) initial_[j * kGroup + l] = from != nullptr ? from[j] : job_.logs.start[j];
  }

  /// Best paths of the lanes: at_end(l, scores) gives a lane's last state from the scores at its last row, write(l,
  /// first, count, path) gets `count` states from row `first` on, kGroup apart.
  template <class AtEnd, class Write>
  void run(const Group& group, AtEnd&& at_end, Write&& write) {
    const Index stretches = ceil_div(group.length(), stretch_);
    Index state[kGroup] = {};
    for (Index s = 0; s < stretches; ++s) {
      std::copy_n(carry_.data(), plane_, starts_.data() + s * plane_);
      advance(group, s);
      for (Index l = 0; l < kGroup; ++l) {
        const Index last = group.lane[l].length - 1;
        if (last >= 0 && last / stretch_ == s) state[l] = at_end(l, scores(last - s * stretch_) + l);
      }
    }
    for (Index s = stretches - 1; s >= 0; --s) {
      if (s < stretches - 1) {
        std::copy_n(starts_.data() + s * plane_, plane_, carry_.data());
        advance(group, s);
      }
      trace(group, s, state, write);
    }
  }
  /// Plane of the scores at a row of the stretch that was made last; within run() only.
  const double* scores(Index t) const noexcept { return delta_.data() + t * plane_; }

  /// Max-plus products: rows[l * K * K + i * K + j], best score of a lane's rows from state i before to j at the end.
  void products(const Group& group, double* rows) {
    Buffer<double> carries = Buffer<double>::zeros({k_, plane_}), starts({k_, plane_});
    for (Index i = 0; i < k_; ++i)
      for (Index j = 0; j < k_; ++j)
        for (Index l = 0; l < kGroup; ++l)
          starts[(i * k_ + j) * kGroup + l] =
              group.lane[l].before == kNone ? job_.logs.start[j] : job_.logs.transitions[i * k_ + j];
    for (Index first = 0; first < group.length(); first += job_.tile) {
      const Tile tile = densities(group, first);
      for (Index i = 0; i < k_; ++i) {
        sweep(tile.steps, first == 0 ? starts.data() + i * plane_ : nullptr, carries.data() + i * plane_,
              delta_.data());
        for (Index l = 0; l < kGroup; ++l) {
          const Index last = group.lane[l].length - 1 - first;
          if (group.lane[l].length == 0 || last < 0 || last >= tile.steps) continue;
          for (Index j = 0; j < k_; ++j) rows[(l * k_ + i) * k_ + j] = delta_[(last * k_ + j) * kGroup + l];
        }
      }
    }
  }

 private:
  Tile densities(const Group& group, Index first) {
    const Tile tile = tile_of(group, first, job_.tile, job_.labels());
    job_.emission.log_density(tile, work_, density_.data());
    apply_labels(tile, k_, density_.data());
    return tile;
  }
  void sweep(Index steps, const double* initial, double* carry, double* delta) {
    ViterbiStep step;
    step.log_transitions = job_.logs.transitions.data();
    step.into = job_.into.get();
    step.states = k_;
    step.steps = steps;
    step.log_density = density_.data();
    step.initial = initial;
    step.carry = carry;
    step.delta = delta;
    chain_kernels().viterbi(step);
  }
  void advance(const Group& group, Index s) {
    const Index last = std::min(group.length(), (s + 1) * stretch_);
    for (Index first = s * stretch_; first < last; first += job_.tile) {
      const Tile tile = densities(group, first);
      sweep(tile.steps, first == 0 ? initial_.data() : nullptr, carry_.data(),
            delta_.data() + (first - s * stretch_) * plane_);
    }
  }

  /// States of stretch s; state[l] is that of its last row and becomes that of the row before it.
  template <class Write>
  void trace(const Group& group, Index s, Index* state, Write&& write) {
    const Index first = s * stretch_, steps = std::min(group.length() - first, stretch_);
    TraceStep step;
    step.into = job_.transposed.data();
    step.states = k_;
    step.steps = steps;
    step.delta = delta_.data();
    step.before = first > 0 ? starts_.data() + s * plane_ : nullptr;
    std::int64_t now[kGroup], last[kGroup];
    for (Index l = 0; l < kGroup; ++l) {
      now[l] = state[l];
      last[l] = group.lane[l].length - 1 - first;
    }
    step.state = now;
    step.last = last;
    step.path = path_.data();
    chain_kernels().trace(step);
    for (Index l = 0; l < kGroup; ++l) {
      state[l] = static_cast<Index>(now[l]);
      const Index count = std::min(steps, group.lane[l].length - first);
      if (count > 0) write(l, first, count, path_.data() + l);
    }
  }

  const DecodeJob& job_;
  Index k_, plane_, stretch_;
  Buffer<double> delta_, density_, starts_, carry_, initial_;
  Buffer<std::int64_t> path_;
  Workspace work_;
};

class Decoders {
 public:
  Decoders(const DecodeJob& job, Index longest, Index stretch, int threads)
      : job_(job), longest_(longest), stretch_(stretch), decoders_(static_cast<std::size_t>(threads)) {}
  Decoder& of(const runtime::Team& team) {
    auto& decoder = decoders_[static_cast<std::size_t>(team.member())];
    if (!decoder) decoder = std::make_unique<Decoder>(job_, longest_, stretch_);
    return *decoder;
  }

 private:
  const DecodeJob& job_;
  Index longest_, stretch_;
  std::vector<std::unique_ptr<Decoder>> decoders_;
};

Index best_of(const double* scores, Index k) noexcept {
  Index best = 0;
  for (Index j = 1; j < k; ++j)
    if (scores[j * kGroup] > scores[best * kGroup]) best = j;
  return best;
}

void copy_path(const std::int64_t* path, Index count, std::int32_t* states) noexcept {
  for (Index t = 0; t < count; ++t) states[t] = static_cast<std::int32_t>(path[t * kGroup]);
}

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
      out[j] = kNever;
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
    double most = kNever;
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
  std::vector<Lane> wide;
  std::vector<Index> lead(layout.lanes.size(), 0), own(layout.lanes.size(), 0);
  for (Lane lane : lanes) {
    const auto n = static_cast<std::size_t>(lane.number);
    const Index begin = job.sequences.offsets[lane.sequence], end = job.sequences.offsets[lane.sequence + 1];
    own[n] = lane.length;
    lead[n] = lane.before != kNone ? std::min(kOverlap, lane.row - begin) : 0;
    lane.length += lead[n] + (lane.after != kNone ? std::min(kOverlap, end - lane.row - lane.length) : 0);
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
        if (a == kNever && b == kNever) continue;
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
  const Layout layout(sequences, segment_length(sequences, k), failed);
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
    if (k <= kScanStates) return decode_by_scan(job, layout, cut, team, interrupt, log_probability, states);
    decode_by_overlap(job, layout, cut, team, interrupt, log_probability, states, failed);
    std::vector<Lane> again;
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
