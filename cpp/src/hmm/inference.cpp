#include "mlcore/hmm/inference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "hmm/emission.hpp"
#include "hmm/groups.hpp"
#include "hmm/log_space.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::hmm {
namespace {

// A normaliser below this may hide a path that log space would keep.
constexpr double kLeastNormaliser = 1e-100;
constexpr double kLargestBeta = 1e290;
constexpr double kNever = -std::numeric_limits<double>::infinity();

double work_ns(const Sequences& sequences, Index states, double per_pair, double per_state) {
  const auto rows = static_cast<double>(sequences.offsets[sequences.count()] - sequences.offsets[0]);
  const auto k = static_cast<double>(states);
  return rows * (k * k * per_pair + k * per_state + 5);
}

Buffer<double> transposed(const Chain& chain) {
  const Index k = chain.states;
  Buffer<double> out({k, k});
  for (Index i = 0; i < k; ++i)
    for (Index j = 0; j < k; ++j) out[j * k + i] = chain.transitions[i * k + j];
  return out;
}

/// What all groups share.
struct Job {
  const Emission& emission;
  const Sequences& sequences;
  const Chain& chain;
  Buffer<double> backwards;  ///< transitions, transposed
  Index tile;

  Job(const Emission& e, const Sequences& s, const Chain& c)
      : emission(e), sequences(s), chain(c), backwards(transposed(c)), tile(tile_steps(c.states)) {}
  const std::int32_t* labels() const noexcept { return sequences.labels.empty() ? nullptr : sequences.labels.data; }
};

/// Sums over groups.
struct Totals {
  double log_likelihood = 0;
  Index log_space = 0;
  std::vector<double> start, pairs, lanes, plain;
  std::vector<double> slow_pairs;  ///< of sequences done in log space: the transitions are in them already

  void add(const Totals& other) {
    log_likelihood += other.log_likelihood;
    log_space += other.log_space;
    add(start, other.start);
    add(pairs, other.pairs);
    add(lanes, other.lanes);
    add(plain, other.plain);
    add(slow_pairs, other.slow_pairs);
  }

 private:
  static void add(std::vector<double>& a, const std::vector<double>& b) {
    if (a.empty()) a.assign(b.size(), 0.0);  // nothing of this kind so far
    for (std::size_t i = 0; i < b.size(); ++i) a[i] += b[i];
  }
};

/// Forward-backward over one group at a time, with the memory of one thread.
class Worker {
 public:
  /// `length`: of the longest sequence; 0: forward only, whose memory is one tile.
  Worker(const Job& job, Index length) : job_(job), k_(job.chain.states), plane_(k_ * kGroup) {
    const Index track = std::max(length, job.tile);
    b_ = Buffer<double>({track, plane_});
    alpha_ = Buffer<double>({track, plane_});
    shift_ = Buffer<double>({track, kGroup});
    normaliser_ = Buffer<double>({track, kGroup});
    scale_ = Buffer<double>({track, kGroup});
    carry_ = Buffer<double>::zeros({plane_});
    initial_ = Buffer<double>({plane_});
    beta_ = Buffer<double>({2, plane_});  // the second plane is the kernel's
    terminal_ = Buffer<double>({plane_});
    posterior_ = Buffer<double>({job.tile, plane_});
    for (Index j = 0; j < k_; ++j) std::fill_n(initial_.data() + j * kGroup, kGroup, job.chain.start[j]);
    job.emission.reserve(work_, job.tile);
  }

  /// log p of the lanes; keep: the tracks stay for backward(). suspect[l] where probability space may have lost a path.
  void forward(const Group& group, bool keep, double* log_likelihood, bool* suspect) {
    forward(group, keep, log_likelihood, suspect, [](const Tile&, double*, const double*) {});
  }
  /// visit(tile, alpha, scale): alpha_t is alpha * scale.
  template <class Visit>
  void forward(const Group& group, bool keep, double* log_likelihood, bool* suspect, Visit&& visit) {
    double least[kGroup];
    std::fill_n(log_likelihood, kGroup, 0.0);
    std::fill_n(least, kGroup, 1.0);
    std::fill_n(carry_scale_, kGroup, 0.0);
    for (Index first = 0; first < group.length(); first += job_.tile) {
      const Tile tile = tile_of(group, first, job_.tile, job_.labels());
      const Index at = keep ? first : 0;
      job_.emission.likelihood(tile, work_, b_.data() + at * plane_, shift_.data() + at * kGroup);
      ForwardStep step;
      step.transitions = job_.chain.transitions;
      step.states = k_;
      step.steps = tile.steps;
      step.likelihood = b_.data() + at * plane_;
      step.initial = first == 0 ? initial_.data() : nullptr;
      step.carry = carry_.data();
      step.carry_scale = carry_scale_;
      step.alpha = alpha_.data() + at * plane_;
      step.sums = normaliser_.data() + at * kGroup;
      step.scale = scale_.data() + at * kGroup;
      chain_kernels().forward(step);
      double valid[kGroup];
      for (Index l = 0; l < kGroup; ++l) valid[l] = static_cast<double>(tile.count[l]);
      chain_kernels().add_log(step.sums, shift_.data() + at * kGroup, tile.steps, valid, log_likelihood, least);
      visit(tile, step.alpha, step.scale);
    }
    for (Index l = 0; l < kGroup; ++l) suspect[l] = group.lane[l].length > 0 && !(least[l] >= kLeastNormaliser);
  }

  /// Posteriors tile by tile, from the last: visit(tile, first, gamma). terminal[l] is beta at the lane's end: its
  /// weight, 0 where the lane is to be left out. pairs (K x K planes) may be null. False, with `overflowed` set, when a
  /// beta left the range.
  template <class Visit>
  bool backward(const Group& group, const double* terminal, double* pairs, bool* overflowed, Visit&& visit) {
    double ends[kGroup];
    Index earliest = group.length() - 1;
    for (Index l = 0; l < kGroup; ++l) {
      ends[l] = static_cast<double>(group.lane[l].length - 1);
      earliest = std::min(earliest, group.lane[l].length - 1);
    }
    for (Index j = 0; j < k_; ++j) std::copy_n(terminal, kGroup, terminal_.data() + j * kGroup);
    std::copy_n(terminal_.data(), plane_, beta_.data());
    if (pairs != nullptr && arrivals_.size() == 0) arrivals_ = Buffer<double>({job_.tile, plane_});
    bool sound = true;
    for (Index first = (group.length() - 1) / job_.tile * job_.tile; first >= 0; first -= job_.tile) {
      const Tile tile = tile_of(group, first, job_.tile, job_.labels());
      BackwardStep step;
      step.transposed = job_.backwards.data();
      step.states = k_;
      step.steps = tile.steps;
      step.first = first;
      step.likelihood = b_.data() + first * plane_;
      step.alpha = alpha_.data() + first * plane_;
      step.scale = scale_.data() + first * kGroup;
      step.earliest_end = earliest;
      step.ends = ends;
      step.terminal = terminal_.data();
      step.beta = beta_.data();
      step.posterior = posterior_.data();
      step.arrivals = pairs != nullptr ? arrivals_.data() : nullptr;
      chain_kernels().backward(step);
      for (Index l = 0; l < kGroup; ++l)
        for (Index j = 0; j < k_; ++j)
          if (!(beta_[j * kGroup + l] < kLargestBeta)) {
            overflowed[l] = true;
            sound = false;
          }
      if (!sound) return false;
      if (pairs != nullptr) {
        const Index skip = first == 0 ? 1 : 0;  // pairs (t - 1, t)
        chain_kernels().add_outer(alpha_.data() + (first - 1 + skip) * plane_, k_, arrivals_.data() + skip * plane_, k_,
                                  tile.steps - skip, pairs);
      }
      visit(tile, first, posterior_.data());
    }
    return true;
  }

  /// Log-densities of one sequence (length x K), labels applied.
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
  const Job& job_;
  Index k_, plane_;
  Buffer<double> b_, alpha_, shift_, normaliser_, scale_, carry_, initial_, beta_, terminal_, posterior_, arrivals_;
  double carry_scale_[kGroup] = {};
  Workspace work_;
};

double log_likelihood_in_log_space(const Job& job, Worker& worker, const Lane& lane) {
  const Buffer<double> density = worker.log_density(lane);
  Buffer<double> alpha({lane.length, job.chain.states});
  return log_forward(LogChain(job.chain), density.data(), lane.length, alpha.data());
}

/// Posterior (length x K) and pair sums (K x K, added) of one sequence; returns log p.
double posterior_in_log_space(const Job& job, Worker& worker, const Lane& lane, double* gamma, double* pairs,
                              double weight) {
  const Index k = job.chain.states, n = lane.length;
  const LogChain chain(job.chain);
  const Buffer<double> density = worker.log_density(lane);
  Buffer<double> alpha({n, k}), beta({n, k});
  const double total = log_forward(chain, density.data(), n, alpha.data());
  if (total == kNever) {
    std::fill_n(gamma, n * k, 0.0);
    return total;
  }
  log_backward(chain, density.data(), n, beta.data());
  for (Index i = 0; i < n * k; ++i) gamma[i] = weight * std::exp(alpha[i] + beta[i] - total);
  if (pairs != nullptr)
    for (Index t = 1; t < n; ++t)
      for (Index i = 0; i < k; ++i)
        for (Index j = 0; j < k; ++j)
          pairs[i * k + j] += weight * std::exp(alpha[(t - 1) * k + i] + chain.transitions[i * k + j] +
                                                density[t * k + j] + beta[t * k + j] - total);
  return total;
}

/// Filtered distributions of one sequence; rows from an impossible observation on are 0.
double filter_in_log_space(const Job& job, Worker& worker, const Lane& lane, double* filtered) {
  const Index k = job.chain.states;
  const Buffer<double> density = worker.log_density(lane);
  const double total = log_forward(LogChain(job.chain), density.data(), lane.length, filtered);
  for (Index t = 0; t < lane.length; ++t) {
    double* row = filtered + t * k;
    const double all = log_sum(row, k);
    for (Index j = 0; j < k; ++j) row[j] = all == kNever ? 0.0 : std::exp(row[j] - all);
  }
  return total;
}

/// The thread budget and one worker a thread, made when first needed.
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

/// Writes the lanes' planes to rows of an n x K array.
void write_rows(const Tile& tile, const double* track, Index k, double* out) noexcept {
  double* streams[kGroup];
  Index counts[kGroup];
  for (Index l = 0; l < kGroup; ++l) {
    streams[l] = out + tile.row[l] * k;
    counts[l] = tile.count[l] * k;
  }
  chain_kernels().deinterleave(track, tile.steps * k, counts, streams);
}

void fold_into(const Buffer<double>& sums, std::vector<double>& total) {
  const Index count = sums.size() / kGroup;
  if (total.empty()) total.assign(static_cast<std::size_t>(count), 0.0);
  std::vector<double> folded(static_cast<std::size_t>(count));
  chain_kernels().fold(sums.data(), count, folded.data());
  for (std::size_t i = 0; i < folded.size(); ++i) total[i] += folded[i];
}

/// E-step of one group into `total`; gamma (n x K) may be null.
class GroupEstep {
 public:
  GroupEstep(const Job& job) : job_(job), k_(job.chain.states) {
    sums_.lanes = Buffer<double>({job.emission.rows(), job.emission.cols(), kGroup});
    sums_.plain = Buffer<double>({job.emission.plain()});
    pairs_ = Buffer<double>({k_, k_, kGroup});
    start_ = Buffer<double>({k_, kGroup});
  }

  void run(const Group& group, Worker& worker, Totals& total, double* gamma) {
    double log_likelihood[kGroup], weight[kGroup];
    bool slow[kGroup];
    worker.forward(group, true, log_likelihood, slow);
    bool done = false;
    while (!done) {
      for (Index l = 0; l < kGroup; ++l) {
        const Lane& lane = group.lane[l];
        weight[l] = lane.length > 0 && !slow[l] ? job_.sequences.weight(lane.sequence) : 0.0;
      }
      sums_.lanes.fill_zero();
      sums_.plain.fill_zero();
      pairs_.fill_zero();
      done = worker.backward(group, weight, pairs_.data(), slow, [&](const Tile& tile, Index first, const double* g) {
        job_.emission.add(tile, worker.workspace(), g, sums_);
        if (first == 0) std::copy_n(g, k_ * kGroup, start_.data());
        if (gamma != nullptr) write_rows(tile, g, k_, gamma);
      });
    }
    for (Index l = 0; l < kGroup; ++l) {
      const Lane& lane = group.lane[l];
      if (lane.length == 0) continue;
      const double w = job_.sequences.weight(lane.sequence);
      if (slow[l])
        in_log_space(lane, worker, w, total, gamma);
      else if (w != 0)
        total.log_likelihood += w * log_likelihood[l];
    }
    fold_into(pairs_, total.pairs);
    fold_into(start_, total.start);
    fold_into(sums_.lanes, total.lanes);
    if (total.plain.empty()) total.plain.assign(static_cast<std::size_t>(sums_.plain.size()), 0.0);
    for (Index i = 0; i < sums_.plain.size(); ++i) total.plain[static_cast<std::size_t>(i)] += sums_.plain[i];
  }

 private:
  void in_log_space(const Lane& lane, Worker& worker, double weight, Totals& total, double* gamma) {
    Buffer<double> own({lane.length, k_});
    if (total.slow_pairs.empty()) total.slow_pairs.assign(static_cast<std::size_t>(k_ * k_), 0.0);
    const double log_p = posterior_in_log_space(job_, worker, lane, own.data(), total.slow_pairs.data(), weight);
    ++total.log_space;
    if (weight != 0) total.log_likelihood += weight * log_p;
    Group alone;
    alone.lane[0] = lane;
    double* track = worker.tile_track().data();
    for (Index first = 0; first < lane.length; first += job_.tile) {
      const Tile tile = tile_of(alone, first, job_.tile, job_.labels());
      std::fill_n(track, tile.steps * k_ * kGroup, 0.0);
      for (Index t = 0; t < tile.steps; ++t)
        for (Index j = 0; j < k_; ++j) track[(t * k_ + j) * kGroup] = own[(first + t) * k_ + j];
      job_.emission.add(tile, worker.workspace(), track, sums_);
      if (first == 0)
        for (Index j = 0; j < k_; ++j) start_[j * kGroup] += track[j * kGroup];
    }
    if (gamma != nullptr) std::copy_n(own.data(), lane.length * k_, gamma + lane.row * k_);
  }

  const Job& job_;
  Index k_;
  Sums sums_;
  Buffer<double> pairs_, start_;
};

}  // namespace

void check_sequences(const EmissionSpec& emission, const Observations& x, const Sequences& sequences,
                     const Chain& chain) {
  require(chain.states > 0 && emission.states == chain.states, "emission and transitions differ in the states");
  require(sequences.offsets.size >= 1, "offsets must not be empty");
  require(sequences.offsets[0] >= 0 && sequences.offsets[sequences.count()] <= x.rows, "offsets lie outside X");
  for (Index s = 0; s < sequences.count(); ++s)
    require(sequences.offsets[s] <= sequences.offsets[s + 1], "offsets must not decrease");
  require(sequences.weights.empty() || sequences.weights.size == sequences.count(),
          "weights must have one value per sequence");
  require(sequences.labels.empty() || sequences.labels.size == x.rows, "labels must have one value per row");
  for (Index i = 0; i < sequences.labels.size; ++i)
    require(sequences.labels[i] < chain.states, "a label is not a state");
}

void score(const EmissionSpec& spec, const Observations& x, const Sequences& sequences, const Chain& chain, int n_jobs,
           double* log_likelihood) {
  check_sequences(spec, x, sequences, chain);
  const auto emission = make_emission(spec, x);
  const Job job(*emission, sequences, chain);
  const std::vector<Group> groups = group_by_length(sequences);
  const int threads =
      runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads, work_ns(sequences, chain.states, 0.2, 3));
  std::fill_n(log_likelihood, sequences.count(), 0.0);
  runtime::Interrupt interrupt;
  Workers workers(job, 0, threads);
  runtime::parallel_team(threads, [&](runtime::Team& team) {
    team.for_each(static_cast<Index>(groups.size()), [&](Index g) {
      interrupt.poll();
      const Group& group = groups[static_cast<std::size_t>(g)];
      Worker& worker = workers.of(team);
      double value[kGroup];
      bool suspect[kGroup];
      worker.forward(group, false, value, suspect);
      for (Index l = 0; l < kGroup; ++l) {
        const Lane& lane = group.lane[l];
        if (lane.length == 0) continue;
        log_likelihood[lane.sequence] = suspect[l] ? log_likelihood_in_log_space(job, worker, lane) : value[l];
      }
    });
  });
}

void posteriors(const EmissionSpec& spec, const Observations& x, const Sequences& sequences, const Chain& chain,
                int n_jobs, double* log_likelihood, double* gamma) {
  check_sequences(spec, x, sequences, chain);
  const auto emission = make_emission(spec, x);
  const Job job(*emission, sequences, chain);
  const std::vector<Group> groups = group_by_length(sequences);
  const int threads =
      runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads, work_ns(sequences, chain.states, 0.4, 5));
  std::fill_n(log_likelihood, sequences.count(), 0.0);
  runtime::Interrupt interrupt;
  Workers workers(job, groups.empty() ? 0 : groups[0].length(), threads);
  runtime::parallel_team(threads, [&](runtime::Team& team) {
    team.for_each(static_cast<Index>(groups.size()), [&](Index g) {
      interrupt.poll();
      const Group& group = groups[static_cast<std::size_t>(g)];
      Worker& worker = workers.of(team);
      double value[kGroup], weight[kGroup];
      bool slow[kGroup];
      worker.forward(group, true, value, slow);
      do {
        for (Index l = 0; l < kGroup; ++l) weight[l] = group.lane[l].length > 0 && !slow[l] ? 1.0 : 0.0;
      } while (!worker.backward(group, weight, nullptr, slow, [&](const Tile& tile, Index, const double* track) {
        write_rows(tile, track, chain.states, gamma);
      }));
      for (Index l = 0; l < kGroup; ++l) {
        const Lane& lane = group.lane[l];
        if (lane.length == 0) continue;
        log_likelihood[lane.sequence] =
            slow[l] ? posterior_in_log_space(job, worker, lane, gamma + lane.row * chain.states, nullptr, 1.0)
                    : value[l];
      }
    });
  });
}

void filter(const EmissionSpec& spec, const Observations& x, const Sequences& sequences, const Chain& chain, int n_jobs,
            double* log_likelihood, double* filtered) {
  check_sequences(spec, x, sequences, chain);
  const auto emission = make_emission(spec, x);
  const Job job(*emission, sequences, chain);
  const Index k = chain.states;
  const std::vector<Group> groups = group_by_length(sequences);
  const int threads =
      runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads, work_ns(sequences, k, 0.2, 4));
  std::fill_n(log_likelihood, sequences.count(), 0.0);
  runtime::Interrupt interrupt;
  Workers workers(job, 0, threads);
  runtime::parallel_team(threads, [&](runtime::Team& team) {
    team.for_each(static_cast<Index>(groups.size()), [&](Index g) {
      interrupt.poll();
      const Group& group = groups[static_cast<std::size_t>(g)];
      Worker& worker = workers.of(team);
      double value[kGroup];
      bool suspect[kGroup];
      worker.forward(group, false, value, suspect, [&](const Tile& tile, double* alpha, const double* scale) {
        // The kernel carries its own copy on, so the track may be normalised in place.
        for (Index t = 0; t < tile.steps; ++t)
          for (Index j = 0; j < k; ++j)
            for (Index l = 0; l < kGroup; ++l) alpha[(t * k + j) * kGroup + l] *= scale[t * kGroup + l];
        write_rows(tile, alpha, k, filtered);
      });
      for (Index l = 0; l < kGroup; ++l) {
        const Lane& lane = group.lane[l];
        if (lane.length == 0) continue;
        log_likelihood[lane.sequence] =
            suspect[l] ? filter_in_log_space(job, worker, lane, filtered + lane.row * k) : value[l];
      }
    });
  });
}

double filter_step(VectorView<const double> log_density, VectorView<const double> predicted, double* filtered) {
  require(log_density.size == predicted.size, "log_density and predicted differ in length");
  double most = kNever, sum = 0;
  for (Index j = 0; j < predicted.size; ++j)
    if (predicted[j] > 0) most = std::max(most, log_density[j]);
  if (most == kNever) {
    std::fill_n(filtered, predicted.size, 0.0);
    return kNever;
  }
  for (Index j = 0; j < predicted.size; ++j)
    sum += filtered[j] = predicted[j] > 0 ? predicted[j] * std::exp(log_density[j] - most) : 0.0;
  for (Index j = 0; j < predicted.size; ++j) filtered[j] /= sum;
  return most + std::log(sum);
}

double forward_trellis(MatrixView<const double> log_density, const Chain& chain, double* log_alpha) {
  require(log_density.cols == chain.states && log_density.is_row_major() && log_density.row_stride == chain.states,
          "log_density must be contiguous with one column per state");
  return log_forward(LogChain(chain), log_density.data, log_density.rows, log_alpha);
}

void backward_trellis(MatrixView<const double> log_density, const Chain& chain, double* log_beta) {
  require(log_density.cols == chain.states && log_density.is_row_major() && log_density.row_stride == chain.states,
          "log_density must be contiguous with one column per state");
  log_backward(LogChain(chain), log_density.data, log_density.rows, log_beta);
}

Statistics estep(const EmissionSpec& spec, const Observations& x, const Sequences& sequences, const Chain& chain,
                 int n_jobs) {
  check_sequences(spec, x, sequences, chain);
  const auto emission = make_emission(spec, x);
  const Job job(*emission, sequences, chain);
  const Index k = chain.states;
  const std::vector<Group> groups = group_by_length(sequences);
  const int threads =
      runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads, work_ns(sequences, k, 0.7, 8));
  Statistics out;
  out.sequences = sequences.count();
  if (spec.family == Family::kLogDensity) out.gamma = Buffer<double>::zeros({x.rows, k});
  double* gamma = out.gamma.size() > 0 ? out.gamma.data() : nullptr;

  runtime::Interrupt interrupt;
  Workers workers(job, groups.empty() ? 0 : groups[0].length(), threads);
  const auto count = static_cast<Index>(groups.size());
  const Index partials = runtime::partial_count(count);
  std::vector<Totals> sums(static_cast<std::size_t>(partials));
  runtime::parallel_team(threads, [&](runtime::Team& team) {
    team.for_each(partials, [&](Index p) {
      const auto [first, last] = runtime::partial_range(count, partials, p);
      GroupEstep step(job);
      Totals total;
      for (Index g = first; g < last; ++g) {
        interrupt.poll();
        step.run(groups[static_cast<std::size_t>(g)], workers.of(team), total, gamma);
      }
      sums[static_cast<std::size_t>(p)] = std::move(total);
    });
  });
  Totals all = std::move(sums[0]);
  for (std::size_t p = 1; p < sums.size(); ++p) all.add(sums[p]);
  out.log_likelihood = all.log_likelihood;
  out.log_space = all.log_space;
  const auto array_of = [](const std::vector<double>& values, Index size) {
    Buffer<double> array = Buffer<double>::zeros({size});
    std::copy(values.begin(), values.end(), array.data());
    return array;
  };
  out.start = array_of(all.start, k);
  out.trans = array_of(all.pairs, k * k);
  for (Index i = 0; i < k * k; ++i) out.trans[i] *= chain.transitions[i];
  for (std::size_t i = 0; i < all.slow_pairs.size(); ++i) out.trans[static_cast<Index>(i)] += all.slow_pairs[i];
  emission->finish(array_of(all.lanes, emission->rows() * emission->cols()), array_of(all.plain, emission->plain()),
                   out);
  return out;
}

void log_densities(const EmissionSpec& spec, const Observations& x, int n_jobs, double* out) {
  const auto emission = make_emission(spec, x);
  const Index k = spec.states, steps = tile_steps(k), rows = steps * kGroup;
  const int threads = runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads,
                                                static_cast<double>(x.rows) * static_cast<double>(k) * 5);
  struct Scratch {
    Workspace work;
    Buffer<double> track;
  };
  std::vector<std::unique_ptr<Scratch>> scratch(static_cast<std::size_t>(threads));
  runtime::Interrupt interrupt;
  runtime::parallel_team(threads, [&](runtime::Team& team) {
    team.for_each(ceil_div(x.rows, rows), [&](Index block) {
      interrupt.poll();
      auto& own = scratch[static_cast<std::size_t>(team.member())];
      if (!own) {
        own = std::make_unique<Scratch>();
        own->track = Buffer<double>({steps, k, kGroup});
        emission->reserve(own->work, steps);
      }
      Tile tile;
      tile.steps = steps;
      for (Index l = 0; l < kGroup; ++l) {
        const Index first = block * rows + l * steps;
        tile.row[l] = std::min(first, x.rows);
        tile.count[l] = std::clamp<Index>(x.rows - first, 0, steps);
      }
      emission->log_density(tile, own->work, own->track.data());
      write_rows(tile, own->track.data(), k, out);
    });
  });
}

}  // namespace mlcore::hmm
