// Viterbi scores and traces of one group of lanes at a time.
#pragma once
#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

#include "hmm/edges.hpp"
#include "hmm/emission.hpp"
#include "hmm/groups.hpp"
#include "hmm/log_space.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/scratch.hpp"

namespace mlcore::hmm {

inline constexpr double kNeverScore = -std::numeric_limits<double>::infinity();

struct DecodeJob {
  DecodeJob(const Emission& e, const Sequences& s, const Chain& chain)
      : emission(e),
        sequences(s),
        logs(chain),
        transposed({chain.states, chain.states}),
        into(logs.transitions.data(), chain.states, 1, chain.states, kNeverScore),
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
    delta_ = runtime::Scratch<double>({stretch_, plane_});
    density_ = Buffer<double>({job.tile, plane_});
    starts_ = Buffer<double>({ceil_div(longest, stretch_), plane_});
    carry_ = Buffer<double>::zeros({plane_});
    initial_ = Buffer<double>({plane_});
    path_ = runtime::Scratch<std::int64_t>({stretch_, kGroup});
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

  /// Max-plus products: rows[(l * K + i) * K + j], best score of a lane's rows from state i before to j at the end.
  void products(const Group& group, double* rows) {
    runtime::Scratch<double> product({k_, k_, kGroup});
    for (Index i = 0; i < k_; ++i)
      for (Index j = 0; j < k_; ++j)
        for (Index l = 0; l < kGroup; ++l)
          product[(i * k_ + j) * kGroup + l] =
              group.lane[l].before == kNone ? job_.logs.start[j] : job_.logs.transitions[i * k_ + j];
    for_each_run(group, job_.tile, [&](Index first, Index steps, bool new_tile) {
      if (new_tile) densities(group, first);
      ProductStep step;
      step.transitions = job_.logs.transitions.data();
      step.states = k_;
      step.steps = steps;
      step.density = density_.data() + first % job_.tile * plane_;
      step.begins = first == 0;
      step.product = product.data();
      step.spare = carry_.data();
      product_kernels().max_plus(step);
      for (Index l = 0; l < kGroup; ++l) {
        if (group.lane[l].length != first + steps) continue;
        for (Index q = 0; q < k_ * k_; ++q) rows[l * k_ * k_ + q] = product[q * kGroup + l];
      }
    });
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
    decoding_kernels().viterbi(step);
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
    decoding_kernels().trace(step);
    for (Index l = 0; l < kGroup; ++l) {
      state[l] = static_cast<Index>(now[l]);
      const Index count = std::min(steps, group.lane[l].length - first);
      if (count > 0) write(l, first, count, path_.data() + l);
    }
  }

  const DecodeJob& job_;
  Index k_, plane_, stretch_;
  runtime::Scratch<double> delta_;
  Buffer<double> density_, starts_, carry_, initial_;
  runtime::Scratch<std::int64_t> path_;
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

inline Index best_of(const double* scores, Index k) noexcept {
  Index best = 0;
  for (Index j = 1; j < k; ++j)
    if (scores[j * kGroup] > scores[best * kGroup]) best = j;
  return best;
}

inline void copy_path(const std::int64_t* path, Index count, std::int32_t* states) noexcept {
  for (Index t = 0; t < count; ++t) states[t] = static_cast<std::int32_t>(path[t * kGroup]);
}

}  // namespace mlcore::hmm
