#include "mlcore/hmm/inference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "hmm/emission.hpp"
#include "hmm/groups.hpp"
#include "hmm/log_space.hpp"
#include "hmm/segments.hpp"
#include "hmm/worker.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/memory.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::hmm {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

double work_ns(const Sequences& sequences, Index states, double per_pair, double per_state) {
  const auto rows = static_cast<double>(sequences.offsets[sequences.count()] - sequences.offsets[0]);
  const auto k = static_cast<double>(states);
  return rows * (k * k * per_pair + k * per_state + 5);
}

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

/// Writes the lanes' planes to rows of an n x K array.
void write_rows(const Tile& tile, const double* track, Index k, double* out) noexcept {
  double* streams[kGroup];
  Index counts[kGroup];
  for (Index l = 0; l < kGroup; ++l) {
    streams[l] = out + tile.row[l] * k;
    counts[l] = tile.count[l] * k;
  }
  track_kernels().deinterleave(track, tile.steps * k, counts, streams);
}

void fold_into(const Buffer<double>& sums, std::vector<double>& total) {
  const Index count = sums.size() / kGroup;
  if (total.empty()) total.assign(static_cast<std::size_t>(count), 0.0);
  std::vector<double> folded(static_cast<std::size_t>(count));
  track_kernels().fold(sums.data(), count, folded.data());
  for (std::size_t i = 0; i < folded.size(); ++i) total[i] += folded[i];
}

/// E-step of one group into `total`; gamma (n x K) may be null.
class GroupEstep {
 public:
  GroupEstep(const Job& job) : job_(job), k_(job.chain.states) {
    sums_.lanes = Buffer<double>({job.emission.rows(), job.emission.cols(), kGroup});
    sums_.plain = Buffer<double>({job.emission.plain()});
    pairs_ = Buffer<double>({job.pairs(), kGroup});
    start_ = Buffer<double>({k_, kGroup});
  }

  /// lost: one flag a lane of the layout, set where a segment cannot be held in probability space.
  void run(const Group& group, Worker& worker, Ends& ends, Totals& total, double* gamma, unsigned char* lost) {
    double log_likelihood[kGroup], weight[kGroup];
    bool slow[kGroup];
    worker.forward(group, true, &ends, log_likelihood, slow);
    bool done = false;
    while (!done) {
      for (Index l = 0; l < kGroup; ++l) {
        const Lane& lane = group.lane[l];
        weight[l] = lane.length > 0 && !slow[l] ? job_.sequences.weight(lane.sequence) : 0.0;
      }
      clear();
      done = worker.backward(group, &ends, weight, pairs_.data(), slow,
                             [&](const Tile& tile, Index first, const double* g) {
                               job_.emission.add(tile, worker.workspace(), g, sums_);
                               if (first == 0) keep_start(group, g);
                               if (gamma != nullptr) write_rows(tile, g, k_, gamma);
                             });
    }
    for (Index l = 0; l < kGroup; ++l) {
      const Lane& lane = group.lane[l];
      if (lane.length == 0) continue;
      const double w = job_.sequences.weight(lane.sequence);
      if (slow[l] && (lane.before != kNone || lane.after != kNone))
        lost[lane.number] = 1;
      else if (slow[l])
        in_log_space(lane, worker, w, total, gamma);
      else if (w != 0)
        total.log_likelihood += w * log_likelihood[l];
    }
    add_to(total);
  }
  /// A whole sequence in log space.
  void run_in_log_space(const Lane& lane, Worker& worker, Totals& total, double* gamma) {
    clear();
    start_.fill_zero();
    in_log_space(lane, worker, job_.sequences.weight(lane.sequence), total, gamma);
    add_to(total);
  }

 private:
  void clear() {
    sums_.lanes.fill_zero();
    sums_.plain.fill_zero();
    pairs_.fill_zero();
  }
  void keep_start(const Group& group, const double* g) {
    for (Index l = 0; l < kGroup; ++l)
      for (Index j = 0; j < k_; ++j) start_[j * kGroup + l] = group.lane[l].before == kNone ? g[j * kGroup + l] : 0.0;
  }
  void add_to(Totals& total) {
    fold_into(pairs_, total.pairs);
    fold_into(start_, total.start);
    fold_into(sums_.lanes, total.lanes);
    if (total.plain.empty()) total.plain.assign(static_cast<std::size_t>(sums_.plain.size()), 0.0);
    for (Index i = 0; i < sums_.plain.size(); ++i) total.plain[static_cast<std::size_t>(i)] += sums_.plain[i];
  }
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

namespace {

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

/// A pass that writes one number a sequence and perhaps rows. group(worker, group, ends, value, slow) does a group;
/// alone(worker, lane) a sequence in log space, returning its number.
template <class OfGroup, class Alone>
void run_by_sequence(const Job& job, bool both, int threads, double* log_likelihood, OfGroup&& of_group,
                     Alone&& alone) {
  runtime::Interrupt interrupt;
  std::vector<double> values;
  std::vector<Index> sequence;
  const std::vector<Lane> left =
      run_over_segments(job, both, threads,
                        [&](runtime::Team& team, Workers& workers, const Layout& layout,
                            const std::vector<Group>& groups, Ends& ends, std::vector<unsigned char>& lost) {
                          values.assign(layout.lanes.size(), 0.0);
                          sequence.clear();
                          for (const Lane& lane : layout.lanes) sequence.push_back(lane.sequence);
                          team.for_each(static_cast<Index>(groups.size()), [&](Index g) {
                            interrupt.poll();
                            const Group& group = groups[static_cast<std::size_t>(g)];
                            Worker& worker = workers.of(team);
                            double value[kGroup];
                            bool slow[kGroup];
                            of_group(worker, group, ends, value, slow);
                            for (Index l = 0; l < kGroup; ++l) {
                              const Lane& lane = group.lane[l];
                              if (lane.length == 0) continue;
                              const auto number = static_cast<std::size_t>(lane.number);
                              if (slow[l] && (lane.before != kNone || lane.after != kNone))
                                lost[number] = 1;
                              else
                                values[number] = slow[l] ? alone(worker, lane) : value[l];
                            }
                          });
                        });
  std::fill_n(log_likelihood, job.sequences.count(), 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) log_likelihood[sequence[i]] += values[i];
  if (left.empty()) return;
  Worker worker(job, 0);
  for (const Lane& lane : left) {
    interrupt.poll();
    log_likelihood[lane.sequence] = alone(worker, lane);
  }
}

int threads_of(int n_jobs, const Sequences& sequences, Index states, double per_pair, double per_state) {
  return runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads,
                                   work_ns(sequences, states, per_pair, per_state));
}

}  // namespace

void score(const EmissionSpec& spec, const Observations& x, const Sequences& sequences, const Chain& chain, int n_jobs,
           double* log_likelihood) {
  check_sequences(spec, x, sequences, chain);
  const auto emission = make_emission(spec, x);
  const Job job(*emission, sequences, chain);
  run_by_sequence(
      job, false, threads_of(n_jobs, sequences, chain.states, 0.2, 3), log_likelihood,
      [](Worker& worker, const Group& group, Ends& ends, double* value, bool* slow) {
        worker.forward(group, false, &ends, value, slow);
      },
      [&](Worker& worker, const Lane& lane) { return log_likelihood_in_log_space(job, worker, lane); });
}

void posteriors(const EmissionSpec& spec, const Observations& x, const Sequences& sequences, const Chain& chain,
                int n_jobs, double* log_likelihood, double* gamma) {
  check_sequences(spec, x, sequences, chain);
  const auto emission = make_emission(spec, x);
  const Job job(*emission, sequences, chain);
  const Index k = chain.states;
  run_by_sequence(
      job, true, threads_of(n_jobs, sequences, k, 0.4, 5), log_likelihood,
      [&](Worker& worker, const Group& group, Ends& ends, double* value, bool* slow) {
        worker.forward(group, true, &ends, value, slow);
        double weight[kGroup];
        do {
          for (Index l = 0; l < kGroup; ++l) weight[l] = group.lane[l].length > 0 && !slow[l] ? 1.0 : 0.0;
        } while (
            !worker.backward(group, &ends, weight, nullptr, slow,
                             [&](const Tile& tile, Index, const double* track) { write_rows(tile, track, k, gamma); }));
      },
      [&](Worker& worker, const Lane& lane) {
        return posterior_in_log_space(job, worker, lane, gamma + lane.row * k, nullptr, 1.0);
      });
}

void filter(const EmissionSpec& spec, const Observations& x, const Sequences& sequences, const Chain& chain, int n_jobs,
            double* log_likelihood, double* filtered) {
  check_sequences(spec, x, sequences, chain);
  const auto emission = make_emission(spec, x);
  const Job job(*emission, sequences, chain);
  const Index k = chain.states;
  run_by_sequence(
      job, false, threads_of(n_jobs, sequences, k, 0.2, 4), log_likelihood,
      [&](Worker& worker, const Group& group, Ends& ends, double* value, bool* slow) {
        worker.forward(group, false, &ends, value, slow, [&](const Tile& tile, double* alpha, const double* sums) {
          // The kernel carries its own copy on, so the track may be normalised in place.
          for (Index t = 0; t < tile.steps; ++t)
            for (Index j = 0; j < k; ++j)
              for (Index l = 0; l < kGroup; ++l) alpha[(t * k + j) * kGroup + l] /= sums[t * kGroup + l];
          write_rows(tile, alpha, k, filtered);
        });
      },
      [&](Worker& worker, const Lane& lane) {
        return filter_in_log_space(job, worker, lane, filtered + lane.row * k);
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
  const int threads = threads_of(n_jobs, sequences, k, 0.7, 8);
  Statistics out;
  out.sequences = sequences.count();
  if (spec.family == Family::kLogDensity) {
    // Every row of a sequence is written: zeros are for rows that are in none.
    const bool all = sequences.offsets[0] == 0 && sequences.offsets[sequences.count()] == x.rows;
    out.gamma = all ? Buffer<double>({x.rows, k}) : Buffer<double>::zeros({x.rows, k});
    if (all) runtime::prefer_huge_pages(out.gamma.data(), out.gamma.size() * static_cast<Index>(sizeof(double)));
  }
  double* gamma = out.gamma.size() > 0 ? out.gamma.data() : nullptr;

  runtime::Interrupt interrupt;
  Totals all;
  const std::vector<Lane> left = run_over_segments(
      job, true, threads,
      [&](runtime::Team& team, Workers& workers, const Layout&, const std::vector<Group>& groups, Ends& ends,
          std::vector<unsigned char>& lost) {
        const auto count = static_cast<Index>(groups.size());
        const Index partials = runtime::partial_count(count);
        std::vector<Totals> sums(static_cast<std::size_t>(partials));
        team.for_each(partials, [&](Index p) {
          const auto [first, last] = runtime::partial_range(count, partials, p);
          GroupEstep step(job);
          Totals total;
          for (Index g = first; g < last; ++g) {
            interrupt.poll();
            step.run(groups[static_cast<std::size_t>(g)], workers.of(team), ends, total, gamma, lost.data());
          }
          sums[static_cast<std::size_t>(p)] = std::move(total);
        });
        all = std::move(sums[0]);
        for (std::size_t p = 1; p < sums.size(); ++p) all.add(sums[p]);
      });
  if (!left.empty()) {
    GroupEstep step(job);
    Worker worker(job, 0);
    for (const Lane& lane : left) {
      interrupt.poll();
      step.run_in_log_space(lane, worker, all, gamma);
    }
  }
  out.log_likelihood = all.log_likelihood;
  out.log_space = all.log_space;
  const auto array_of = [](const std::vector<double>& values, Index size) {
    Buffer<double> array = Buffer<double>::zeros({size});
    std::copy(values.begin(), values.end(), array.data());
    return array;
  };
  out.start = array_of(all.start, k);
  out.trans = Buffer<double>::zeros({k, k});
  if (!all.pairs.empty())
    job.for_each_pair([&](Index n, Index i, Index j) {
      out.trans[i * k + j] = all.pairs[static_cast<std::size_t>(n)] * chain.transitions[i * k + j];
    });
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
