// The E-step: expected counts of all sequences.
#include <algorithm>
#include <vector>

#include "hmm/emission.hpp"
#include "hmm/lanes_in_log_space.hpp"
#include "hmm/passes.hpp"
#include "mlcore/hmm/inference.hpp"
#include "mlcore/hmm/rows.hpp"
#include "mlcore/runtime/interrupt.hpp"

namespace mlcore::hmm {
namespace {

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

Statistics estep(const EmissionSpec& spec, const Observations& x, const Sequences& sequences, const Chain& chain,
                 int n_jobs) {
  check_sequences(spec, x, sequences, chain);
  const auto emission = make_emission(spec, x);
  const Job job(*emission, sequences, chain);
  const Index k = chain.states;
  const int threads = threads_of(n_jobs, sequences, k, 0.7, 8);
  Statistics out;
  out.sequences = sequences.count();
  if (spec.family == Family::kLogDensity) out.gamma = rows_of_sequences<double>(sequences, x.rows, k);
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

}  // namespace mlcore::hmm
