// Viterbi decoding: no back-pointers. The path's predecessor is found again from the scores of the step before, K
// comparisons a step instead of K^2 recorded. Scores are kept for one stretch of sqrt(T) steps or more and made again,
// stretch by stretch from the end, from the scores at its start.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

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

// Scores of a stretch stay in the second-level cache.
constexpr Index kStretchValues = 1 << 16;

class Decoder {
 public:
  Decoder(const Emission& emission, const Sequences& sequences, const LogChain& chain, const Buffer<double>& transposed,
          Index longest)
      : emission_(emission),
        chain_(chain),
        transposed_(transposed),
        labels_(sequences.labels.empty() ? nullptr : sequences.labels.data),
        k_(chain.states),
        plane_(k_ * kGroup),
        tile_(tile_steps(k_)) {
    const auto root = static_cast<Index>(std::ceil(std::sqrt(static_cast<double>(longest))));
    const Index stretch = std::max(root, kStretchValues / plane_);
    stretch_ = round_up(std::min(stretch, longest), tile_);
    delta_ = Buffer<double>({stretch_, plane_});
    density_ = Buffer<double>({tile_, plane_});
    starts_ = Buffer<double>({ceil_div(longest, stretch_), plane_});
    carry_ = Buffer<double>::zeros({plane_});
    initial_ = Buffer<double>({plane_});
    for (Index j = 0; j < k_; ++j) std::fill_n(initial_.data() + j * kGroup, kGroup, chain.start[j]);
    emission.reserve(work_, tile_);
  }

  void run(const Group& group, double* log_probability, std::int32_t* states) {
    const Index length = group.length(), stretches = ceil_div(length, stretch_);
    // Forwards: remember the scores before each stretch; the last one stays.
    for (Index s = 0; s < stretches; ++s) {
      std::copy_n(carry_.data(), plane_, starts_.data() + s * plane_);
      advance(group, s);
      end_lanes(group, s, log_probability);
    }
    for (Index s = stretches - 1; s >= 0; --s) {
      if (s < stretches - 1) {
        std::copy_n(starts_.data() + s * plane_, plane_, carry_.data());
        advance(group, s);
      }
      trace(group, s, states);
    }
  }

 private:
  void advance(const Group& group, Index s) {
    const Index last = std::min(group.length(), (s + 1) * stretch_);
    for (Index first = s * stretch_; first < last; first += tile_) {
      const Tile tile = tile_of(group, first, tile_, labels_);
      emission_.log_density(tile, work_, density_.data());
      apply_labels(tile, k_, density_.data());
      ViterbiStep step;
      step.log_transitions = chain_.transitions.data();
      step.states = k_;
      step.steps = tile.steps;
      step.log_density = density_.data();
      step.initial = first == 0 ? initial_.data() : nullptr;
      step.carry = carry_.data();
      step.delta = delta_.data() + (first - s * stretch_) * plane_;
      chain_kernels().viterbi(step);
    }
  }

  /// Best last state of the lanes that end in stretch s.
  void end_lanes(const Group& group, Index s, double* log_probability) {
    for (Index l = 0; l < kGroup; ++l) {
      const Lane& lane = group.lane[l];
      const Index last = lane.length - 1;
      if (lane.length == 0 || last / stretch_ != s) continue;
      const double* delta = delta_.data() + (last - s * stretch_) * plane_ + l;
      Index best = 0;
      for (Index j = 1; j < k_; ++j)
        if (delta[j * kGroup] > delta[best * kGroup]) best = j;
      state_[l] = best;
      log_probability[lane.sequence] = delta[best * kGroup];
    }
  }

  /// States of stretch s; state_ holds the state of its last step and then of the step before it.
  void trace(const Group& group, Index s, std::int32_t* states) {
    const Index first = s * stretch_;
    for (Index l = 0; l < kGroup; ++l) {
      const Lane& lane = group.lane[l];
      if (lane.length <= first) continue;
      Index state = state_[l];
      for (Index t = std::min(lane.length, first + stretch_) - 1; t >= first; --t) {
        states[lane.row + t] = static_cast<std::int32_t>(state);
        if (t == 0) break;
        const double* before = t > first ? delta_.data() + (t - 1 - first) * plane_ : starts_.data() + s * plane_;
        const double* into = transposed_.data() + state * k_;
        Index best = 0;
        double most = before[l] + into[0];
        for (Index i = 1; i < k_; ++i) {
          const double value = before[i * kGroup + l] + into[i];
          if (value > most) {
            most = value;
            best = i;
          }
        }
        state = best;
      }
      state_[l] = state;
    }
  }

  const Emission& emission_;
  const LogChain& chain_;
  const Buffer<double>& transposed_;
  const std::int32_t* labels_;
  Index k_, plane_, tile_, stretch_ = 1;
  Buffer<double> delta_, density_, starts_, carry_, initial_;
  Index state_[kGroup] = {};
  Workspace work_;
};

}  // namespace

void viterbi(const EmissionSpec& spec, const Observations& x, const Sequences& sequences, const Chain& chain,
             int n_jobs, double* log_probability, std::int32_t* states) {
  check_sequences(spec, x, sequences, chain);
  const auto emission = make_emission(spec, x);
  const Index k = chain.states;
  const LogChain logs(chain);
  Buffer<double> transposed({k, k});
  for (Index i = 0; i < k; ++i)
    for (Index j = 0; j < k; ++j) transposed[j * k + i] = logs.transitions[i * k + j];
  const Layout layout(sequences, std::numeric_limits<Index>::max() / 4,
                      std::vector<bool>(static_cast<std::size_t>(sequences.count()), false));
  const std::vector<Group> groups = group_by_length(layout.lanes);
  const double rows = static_cast<double>(x.rows), states_count = static_cast<double>(k);
  const int threads = runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads,
                                                rows * (states_count * states_count * 0.3 + states_count * 3 + 5));
  std::fill_n(log_probability, sequences.count(), 0.0);
  runtime::Interrupt interrupt;
  std::vector<std::unique_ptr<Decoder>> decoders(static_cast<std::size_t>(threads));
  runtime::parallel_team(threads, [&](runtime::Team& team) {
    team.for_each(static_cast<Index>(groups.size()), [&](Index g) {
      interrupt.poll();
      auto& decoder = decoders[static_cast<std::size_t>(team.member())];
      if (!decoder) decoder = std::make_unique<Decoder>(*emission, sequences, logs, transposed, groups[0].length());
      decoder->run(groups[static_cast<std::size_t>(g)], log_probability, states);
    });
  });
}

}  // namespace mlcore::hmm
