// Forward-backward over one group of lanes at a time, with the memory of one thread.
#pragma once
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "hmm/edges.hpp"
#include "hmm/emission.hpp"
#include "hmm/groups.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/scratch.hpp"

namespace mlcore::hmm {

// A normaliser below this may hide a path that log space would keep.
inline constexpr double kLeastNormaliser = 1e-100;
inline constexpr double kLargestBeta = 1e290;
inline constexpr double kLog2 = 0x1.62e42fefa39efp-1;

/// What all groups share.
struct Job {
  const Emission& emission;
  const Sequences& sequences;
  const Chain& chain;
  Buffer<double> backwards;  ///< transitions, transposed
  EdgeList into, out_of;
  Index tile;

  Job(const Emission& e, const Sequences& s, const Chain& c)
      : emission(e),
        sequences(s),
        chain(c),
        backwards({c.states, c.states}),
        into(c.transitions, c.states, 1, c.states, 0.0),
        out_of(c.transitions, c.states, c.states, 1, 0.0),
        tile(tile_steps(c.states)) {
    const Index k = c.states;
    for (Index i = 0; i < k; ++i)
      for (Index j = 0; j < k; ++j) backwards[j * k + i] = c.transitions[i * k + j];
  }
  /// fn(number, i, j) for every pair sum.
  template <class Fn>
  void for_each_pair(Fn&& fn) const {
    const Index k = chain.states;
    for (Index i = 0; i < k; ++i) {
      if (!out_of.pays()) {
        for (Index j = 0; j < k; ++j) fn(i * k + j, i, j);
        continue;
      }
      for (Index e = out_of.get()->first[i]; e < out_of.get()->first[i + 1]; ++e) fn(e, i, out_of.get()->other[e]);
    }
  }
  /// Numbers of pair sums: of all pairs, or of those that the edges name.
  Index pairs() const noexcept { return out_of.pays() ? out_of.count() : chain.states * chain.states; }
  const std::int32_t* labels() const noexcept { return sequences.labels.empty() ? nullptr : sequences.labels.data; }
};

/// Distributions at the cuts, K values each: alpha (sums to one) and beta (any scale) of the row before the cut.
struct Ends {
  Ends(Index cuts, Index states)
      : alpha(Buffer<double>::zeros({cuts, states})),
        beta(Buffer<double>::zeros({cuts, states})),
        reached_alpha(Buffer<double>::zeros({cuts, states})),
        reached_beta(Buffer<double>::zeros({cuts, states})) {}
  Buffer<double> alpha, beta;                  ///< what the segments start from
  Buffer<double> reached_alpha, reached_beta;  ///< what their neighbours arrived at
};

class Worker {
 public:
  /// `length`: of the longest lane that backward() will see; 0: forward only, whose memory is one tile.
  Worker(const Job& job, Index length) : job_(job), k_(job.chain.states), plane_(k_ * kGroup) {
    const Index track = std::max(length, job.tile);
    b_ = runtime::Scratch<double>({track, plane_});
    alpha_ = runtime::Scratch<double>({track + 1, plane_});  // plane 0: the row before the lane
    shift_ = runtime::Scratch<double>({track, kGroup});
    sums_ = runtime::Scratch<double>({track, kGroup});
    scale_ = runtime::Scratch<double>({track + 1, kGroup});
    carry_ = Buffer<double>::zeros({plane_});
    initial_ = Buffer<double>({plane_});
    beta_ = Buffer<double>({2, plane_});  // the second plane is the kernel's
    terminal_ = Buffer<double>({plane_});
    posterior_ = Buffer<double>({job.tile, plane_});
    std::fill_n(scale_.data(), kGroup, 1.0);
    job.emission.reserve(work_, job.tile);
  }

  /// log p of the lanes; keep: the tracks stay for backward(). suspect[l] where probability space may have lost a
  /// path. visit(tile, alpha, sums): the filtered distribution is alpha / sums. `ends` may be null when nothing is cut.
  template <class Visit>
  void forward(const Group& group, bool keep, Ends* ends, double* log_likelihood, bool* suspect, Visit&& visit) {
    double least[kGroup], exponents[kGroup] = {};
    std::fill_n(log_likelihood, kGroup, 0.0);
    std::fill_n(least, kGroup, 1.0);
    std::fill_n(carry_scale_, kGroup, 0.0);
    std::fill_n(mantissa_, kGroup, 1.0);
    for (Index l = 0; l < kGroup; ++l) set_initial(group.lane[l], l, ends);
    double* alpha = alpha_.data() + plane_;
    double* scale = scale_.data() + kGroup;
    for (Index first = 0; first < group.length(); first += job_.tile) {
      const Tile tile = tile_of(group, first, job_.tile, job_.labels());
      const Index at = keep ? first : 0;
      job_.emission.likelihood(tile, work_, b_.data() + at * plane_, shift_.data() + at * kGroup);
      ForwardStep step;
      step.transitions = job_.chain.transitions;
      step.into = job_.into.get();
      step.states = k_;
      step.steps = tile.steps;
      step.likelihood = b_.data() + at * plane_;
      step.initial = first == 0 ? initial_.data() : nullptr;
      step.carry = carry_.data();
      step.carry_scale = carry_scale_;
      step.alpha = alpha + at * plane_;
      step.sums = sums_.data() + at * kGroup;
      step.scale = scale + at * kGroup;
      chain_kernels().forward(step);
      double valid[kGroup];
      for (Index l = 0; l < kGroup; ++l) valid[l] = static_cast<double>(tile.count[l]);
      track_kernels().add_scales(step.sums, shift_.data() + at * kGroup, tile.steps, valid, log_likelihood, exponents,
                                 least);
      for (Index l = 0; l < kGroup; ++l) {
        const Lane& lane = group.lane[l];
        const Index last = lane.length - 1 - first;
        if (lane.length == 0 || last < 0 || last >= tile.steps) continue;
        mantissa_[l] = step.sums[last * kGroup + l] * step.scale[last * kGroup + l];
        for (Index j = 0; j < k_; ++j)
          last_alpha(l)[j] = step.alpha[(last * k_ + j) * kGroup + l] / step.sums[last * kGroup + l];
        if (lane.after != kNone) std::copy_n(last_alpha(l), k_, ends->reached_alpha.data() + lane.after * k_);
      }
      visit(tile, step.alpha, step.sums);
    }
    for (Index l = 0; l < kGroup; ++l) log_likelihood[l] += exponents[l] * kLog2 + std::log(mantissa_[l]);
    for (Index l = 0; l < kGroup; ++l) suspect[l] = group.lane[l].length > 0 && !(least[l] >= kLeastNormaliser);
  }
  void forward(const Group& group, bool keep, Ends* ends, double* log_likelihood, bool* suspect) {
    forward(group, keep, ends, log_likelihood, suspect, [](const Tile&, double*, const double*) {});
  }

  /// Posteriors tile by tile, from the last: visit(tile, first, gamma). weight[l] scales them, 0 leaves the lane out.
  /// pairs (job.pairs() planes) may be null. False, with `overflowed` set, when a beta left the range.
  template <class Visit>
  bool backward(const Group& group, Ends* ends, const double* weight, double* pairs, bool* overflowed, Visit&& visit) {
    double last[kGroup];
    Index earliest = group.length() - 1;
    for (Index l = 0; l < kGroup; ++l) {
      const Lane& lane = group.lane[l];
      last[l] = static_cast<double>(lane.length - 1);
      earliest = std::min(earliest, lane.length - 1);
      set_terminal(lane, l, ends, weight[l]);
    }
    std::copy_n(terminal_.data(), plane_, beta_.data());
    if (pairs != nullptr && arrivals_.size() == 0) arrivals_ = Buffer<double>({job_.tile, plane_});
    bool sound = true;
    for (Index first = (group.length() - 1) / job_.tile * job_.tile; first >= 0; first -= job_.tile) {
      const Tile tile = tile_of(group, first, job_.tile, job_.labels());
      BackwardStep step;
      step.transposed = job_.backwards.data();
      step.out_of = job_.out_of.get();
      step.states = k_;
      step.steps = tile.steps;
      step.first = first;
      step.likelihood = b_.data() + first * plane_;
      step.alpha = alpha_.data() + (first + 1) * plane_;
      step.scale = scale_.data() + (first + 1) * kGroup;
      step.earliest_end = earliest;
      step.ends = last;
      step.terminal = terminal_.data();
      step.beta = beta_.data();
      step.posterior = posterior_.data();
      step.arrivals = pairs != nullptr ? arrivals_.data() : nullptr;
      chain_kernels().backward(step);
      for (Index j = 0; j < k_; ++j)
        for (Index l = 0; l < kGroup; ++l)
          if (weight[l] != 0 && !(beta_[j * kGroup + l] < kLargestBeta)) {
            overflowed[l] = true;
            sound = false;
          }
      if (!sound) return false;
      // Pairs (t - 1, t): the tracks of alpha start one row early.
      if (pairs != nullptr && job_.out_of.pays())
        track_kernels().add_outer_edges(alpha_.data() + first * plane_, arrivals_.data(), *job_.out_of.get(), k_,
                                        tile.steps, pairs);
      else if (pairs != nullptr)
        track_kernels().add_outer(alpha_.data() + first * plane_, k_, arrivals_.data(), k_, tile.steps, pairs);
      visit(tile, first, posterior_.data());
    }
    for (Index l = 0; l < kGroup; ++l)
      if (group.lane[l].before != kNone)
        for (Index j = 0; j < k_; ++j) ends->reached_beta[group.lane[l].before * k_ + j] = beta_[j * kGroup + l];
    return true;
  }

  /// Rows of the product of each lane's steps: row i (K x K values a lane, each row summing to one) is the distribution
  /// of the lane's last state given state i before its first row, log_scale (K a lane) the log-probability of its
  /// observations then, up to a constant of the lane. A lane at the start of its sequence has equal rows, from the
  /// initial distribution.
  void products(const Group& group, double* rows, double* log_scale) {
    runtime::Scratch<double> product({k_, k_, kGroup}), exponents({k_, kGroup});
    std::fill_n(exponents.data(), exponents.size(), 0.0);
    for (Index i = 0; i < k_; ++i)
      for (Index j = 0; j < k_; ++j)
        for (Index l = 0; l < kGroup; ++l)
          product[(i * k_ + j) * kGroup + l] =
              group.lane[l].before == kNone ? job_.chain.start[j] : job_.chain.transitions[i * k_ + j];
    for_each_run(group, job_.tile, [&](Index first, Index steps, bool new_tile) {
      if (new_tile)
        job_.emission.likelihood(tile_of(group, first, job_.tile, job_.labels()), work_, b_.data(), shift_.data());
      ProductStep step;
      step.transitions = job_.chain.transitions;
      step.states = k_;
      step.steps = steps;
      step.density = b_.data() + first % job_.tile * plane_;
      step.begins = first == 0;
      step.product = product.data();
      step.exponents = exponents.data();
      step.spare = carry_.data();
      product_kernels().sum_product(step);
      for (Index l = 0; l < kGroup; ++l) {
        if (group.lane[l].length != first + steps) continue;
        for (Index i = 0; i < k_; ++i) {
          double sum = 0;
          for (Index j = 0; j < k_; ++j) sum += product[(i * k_ + j) * kGroup + l];
          for (Index j = 0; j < k_; ++j)
            rows[(l * k_ + i) * k_ + j] = sum > 0 ? product[(i * k_ + j) * kGroup + l] / sum : 0.0;
          log_scale[l * k_ + i] = exponents[i * kGroup + l] * kLog2 + std::log(sum);
        }
      }
    });
  }

  /// Log-densities of one lane (length x K), labels applied.
  Buffer<double> log_density(const Lane& lane) {
    Buffer<double> out({lane.length, k_});
    Group alone;
    alone.lane[0] = lane;
    for (Index first = 0; first < lane.length; first += job_.tile) {
      const Tile tile = tile_of(alone, first, job_.tile, job_.labels());
      job_.emission.log_density(tile, work_, posterior_.data());
      apply_labels(tile, k_, posterior_.data());
      for (Index t = 0; t < tile.steps; ++t)
        for (Index j = 0; j < k_; ++j) out[(first + t) * k_ + j] = posterior_[(t * k_ + j) * kGroup];
    }
    return out;
  }

  Workspace& workspace() noexcept { return work_; }
  Buffer<double>& tile_track() noexcept { return posterior_; }

 private:
  double* last_alpha(Index l) noexcept {
    if (last_alpha_.size() == 0) last_alpha_ = Buffer<double>({kGroup, k_});
    return last_alpha_.data() + l * k_;
  }

  void set_initial(const Lane& lane, Index l, const Ends* ends) {
    const double* before = lane.before != kNone && !lane.cold ? ends->alpha.data() + lane.before * k_ : nullptr;
    for (Index j = 0; j < k_; ++j) {
      double value = lane.cold ? 1.0 / static_cast<double>(k_) : job_.chain.start[j];
      if (before != nullptr) {
        value = 0;
        for (Index i = 0; i < k_; ++i) value += before[i] * job_.chain.transitions[i * k_ + j];
      }
      initial_[j * kGroup + l] = value;
      alpha_[j * kGroup + l] = before != nullptr ? before[j] : 0.0;
    }
  }
  void set_terminal(const Lane& lane, Index l, const Ends* ends, double weight) {
    const double* beta = lane.after != kNone ? ends->beta.data() + lane.after * k_ : nullptr;
    double scale = weight;
    if (beta != nullptr && weight != 0) {
      double sum = 0;
      for (Index j = 0; j < k_; ++j) sum += beta[j] * last_alpha(l)[j];
      scale = sum > 0 ? weight / sum : 0.0;
    }
    // The scale of the last row is that of its sum, whose mantissa stays.
    if (mantissa_[l] > 0) scale /= mantissa_[l];
    for (Index j = 0; j < k_; ++j) terminal_[j * kGroup + l] = scale * (beta != nullptr ? beta[j] : 1.0);
  }

  const Job& job_;
  Index k_, plane_;
  runtime::Scratch<double> b_, alpha_, shift_, sums_, scale_;
  Buffer<double> carry_, initial_, beta_, terminal_, posterior_, arrivals_;
  Buffer<double> last_alpha_;
  double carry_scale_[kGroup] = {};
  double mantissa_[kGroup] = {};  ///< of the sum at each lane's last row: between 1 and 2
  Workspace work_;
};

/// One worker a thread, made when first needed.
class Workers {
 public:
  Workers(const Job& job, Index length, int threads)
      : job_(job), length_(length), workers_(static_cast<std::size_t>(threads)) {}
  Worker& of(const runtime::Team& team) {
    auto& worker = workers_[static_cast<std::size_t>(team.member())];
    if (!worker) worker = std::make_unique<Worker>(job_, length_);
    return *worker;
  }

 private:
  const Job& job_;
  Index length_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace mlcore::hmm
