#include "mlcore/hmm/durations.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "hmm/duration_job.hpp"
#include "hmm/duration_pairs.hpp"
#include "hmm/worker.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/scratch.hpp"

namespace mlcore::hmm {
namespace {

/// One sequence at a time, with the memory of one thread.
class DurationWorker {
 public:
  /// Rows between checkpoints: sqrt(T), but no fewer than fill a part of the second-level cache.
  DurationWorker(const DurationJob& job, Index longest_sequence)
      : job_(job), k_(job.k), tile_(std::min(longest_sequence, tile_rows(job.plane, longest_sequence))) {
    likelihood_ = runtime::Scratch<double>({tile_, k_});
    alpha_ = runtime::Scratch<double>({tile_, job.plane});
    enter_ = runtime::Scratch<double>({tile_, k_});
    sums_ = runtime::Scratch<double>({tile_});
    scale_ = runtime::Scratch<double>({tile_});
    u_ = runtime::Scratch<double>({job.plane});
    arrival_ = runtime::Scratch<double>({k_});
    // Checkpoint c: the plane before tile c.
    checkpoints_ = runtime::Scratch<double>({ceil_div(longest_sequence, tile_) + 1, job.plane});
    checkpoint_scale_ = runtime::Scratch<double>({ceil_div(longest_sequence, tile_) + 1});
    std::fill_n(checkpoints_.data(), job.plane, 0.0);
    checkpoint_scale_[0] = 0.0;
  }

  /// log p; suspect where probability space may have lost a path.
  double forward(const Lane& lane, bool& suspect) {
    constexpr double kBias = 1023;
    double shifts = 0, exponents = 0, least = 1, mantissa = 1;
    for (Index first = 0; first < lane.length; first += tile_) {
      const Index steps = std::min(tile_, lane.length - first), c = first / tile_;
      shifts += advance(lane, first, steps);
      for (Index t = 0; t < steps; ++t) {
        exponents += kBias - static_cast<double>(std::bit_cast<std::uint64_t>(scale_[t]) >> 52);
        if (!(sums_[t] >= least)) least = sums_[t];
      }
      mantissa = sums_[steps - 1] * scale_[steps - 1];
      std::copy_n(alpha_.data() + (steps - 1) * job_.plane, job_.plane, checkpoints_.data() + (c + 1) * job_.plane);
      checkpoint_scale_[c + 1] = scale_[steps - 1];
    }
    mantissa_ = mantissa;
    suspect = !(least >= kLeastNormaliser);
    return shifts + exponents * kLog2 + std::log(mantissa);
  }

  /// After forward(): gamma (length x K) times weight; adds the other sums to `total`. False when a beta left the
  /// range.
  bool backward(const Lane& lane, double weight, double* gamma, DurationTotals& total) {
    const Index tiles = ceil_div(lane.length, tile_);
    std::fill_n(u_.data(), job_.plane, weight / mantissa_ * checkpoint_scale_[tiles]);
    for (Index c = tiles - 1; c >= 0; --c) {
      const Index first = c * tile_, steps = std::min(tile_, lane.length - first);
      if (c < tiles - 1) advance(lane, first, steps);  // the last tile is still there
      DurationBackward step;
      step.shape = job_.shape;
      step.steps = steps;
      step.begins = c == 0;
      step.likelihood = likelihood_.data();
      step.before = checkpoints_.data() + c * job_.plane;
      step.before_scale = checkpoint_scale_[c];
      step.alpha = alpha_.data();
      step.enter = enter_.data();
      step.scale = scale_.data();
      step.u = u_.data();
      step.arrival = arrival_.data();
      step.posterior = gamma + first * k_;
      step.durations = total.durations.data();
      step.pairs = total.pairs.data();
      duration_kernels().backward(step);
      for (Index i = 0; i < job_.plane; ++i)
        if (!(u_[i] < kLargestBeta)) return false;
    }
    for (Index j = 0; j < k_; ++j) total.start[j] += gamma[j];
    return true;
  }

 private:
  static Index tile_rows(Index plane, Index length) noexcept {
    constexpr Index kCachedValues = Index{1} << 15;
    const auto root = static_cast<Index>(std::ceil(std::sqrt(static_cast<double>(length))));
    return std::max(root, kCachedValues / plane);
  }

  /// Forward recursion of a tile from its checkpoint; returns the sum of the shifts.
  double advance(const Lane& lane, Index first, Index steps) {
    double shifts = 0;
    const double* l = job_.log_density.data + (lane.row + first) * k_;
    const std::int32_t* labels =
        job_.sequences.labels.empty() ? nullptr : job_.sequences.labels.data + lane.row + first;
    for (Index t = 0; t < steps; ++t, l += k_) {
      double* b = likelihood_.data() + t * k_;
      double most = kImpossible;
      for (Index j = 0; j < k_; ++j) {
        b[j] = labels == nullptr || labels[t] < 0 || labels[t] == j ? l[j] : kImpossible;
        most = std::max(most, b[j]);
      }
      if (most == kImpossible) most = 0;
      for (Index j = 0; j < k_; ++j) b[j] = std::exp(b[j] - most);
      shifts += most;
    }
    DurationForward step;
    step.shape = job_.shape;
    step.steps = steps;
    step.likelihood = likelihood_.data();
    step.initial = first == 0 ? job_.model.chain.start : nullptr;
    step.before = checkpoints_.data() + first / tile_ * job_.plane;
    step.before_scale = checkpoint_scale_[first / tile_];
    step.alpha = alpha_.data();
    step.enter = enter_.data();
    step.sums = sums_.data();
    step.scale = scale_.data();
    duration_kernels().forward(step);
    return shifts;
  }

  const DurationJob& job_;
  Index k_, tile_;
  double mantissa_ = 1;
  runtime::Scratch<double> likelihood_, alpha_, enter_, sums_, scale_, u_, arrival_, checkpoints_, checkpoint_scale_;
};

Index longest_of(const Sequences& sequences) noexcept {
  Index most = 1;
  for (Index s = 0; s < sequences.count(); ++s) most = std::max(most, sequences.offsets[s + 1] - sequences.offsets[s]);
  return most;
}

/// Statistics of some sequences; gamma is n x K.
void add_sequences(const DurationJob& job, Index first, Index last, Index longest, double* log_likelihood,
                   double* gamma, DurationTotals& total, runtime::Interrupt& interrupt) {
  DurationWorker worker(job, longest);
  for (Index s = first; s < last; ++s) {
    interrupt.poll();
    const Lane lane = job.lane(s);
    if (lane.length == 0) continue;
    const double weight = job.sequences.weight(s);
    double* own = gamma + lane.row * job.k;
    bool suspect = false;
    double log_p = worker.forward(lane, suspect);
    DurationTotals mine(job);
    if (suspect || !worker.backward(lane, weight, own, mine)) {
      mine = DurationTotals(job);
      log_p = PairsInLogSpace(job).posterior(lane, weight, own, mine);
      ++mine.log_space;
    }
    if (weight != 0) mine.log_likelihood = weight * log_p;
    if (log_likelihood != nullptr) log_likelihood[s] = log_p;
    total.add(mine);
  }
}

DurationTotals all_sequences(const DurationJob& job, int n_jobs, double* log_likelihood, double* gamma) {
  const Index count = job.sequences.count(), longest = longest_of(job.sequences);
  runtime::Interrupt interrupt;
  const Index partials = runtime::partial_count(count);
  std::vector<DurationTotals> sums(static_cast<std::size_t>(partials));
  runtime::parallel_for(partials, job.threads(n_jobs, 1.0), [&](Index p) {
    const auto [first, last] = runtime::partial_range(count, partials, p);
    DurationTotals total(job);
    add_sequences(job, first, last, longest, log_likelihood, gamma, total, interrupt);
    sums[static_cast<std::size_t>(p)] = std::move(total);
  });
  for (std::size_t p = 1; p < sums.size(); ++p) sums[0].add(sums[p]);
  return std::move(sums[0]);
}

}  // namespace

void duration_score(MatrixView<const double> log_density, const Sequences& sequences, const DurationChain& chain,
                    int n_jobs, double* log_likelihood) {
  const DurationJob job(log_density, sequences, chain);
  const Index longest = longest_of(sequences);
  std::fill_n(log_likelihood, sequences.count(), 0.0);
  runtime::Interrupt interrupt;
  runtime::parallel_for(sequences.count(), job.threads(n_jobs, 0.4), [&](Index s) {
    interrupt.poll();
    const Lane lane = job.lane(s);
    if (lane.length == 0) return;
    bool suspect = false;
    const double log_p = DurationWorker(job, longest).forward(lane, suspect);
    log_likelihood[s] = suspect ? PairsInLogSpace(job).score(lane) : log_p;
  });
}

void duration_posteriors(MatrixView<const double> log_density, const Sequences& sequences, const DurationChain& chain,
                         int n_jobs, double* log_likelihood, double* gamma) {
  Sequences unweighted = sequences;
  unweighted.weights = {};
  const DurationJob job(log_density, unweighted, chain);
  std::fill_n(log_likelihood, sequences.count(), 0.0);
  all_sequences(job, n_jobs, log_likelihood, gamma);
}

DurationStatistics duration_estep(MatrixView<const double> log_density, const Sequences& sequences,
                                  const DurationChain& chain, int n_jobs) {
  const DurationJob job(log_density, sequences, chain);
  const Index k = job.k, longest = chain.longest;
  DurationStatistics out;
  out.sequences = sequences.count();
  out.gamma = runtime::Scratch<double>({log_density.rows, k});
  out.gamma.fill_zero();
  DurationTotals total = all_sequences(job, n_jobs, nullptr, out.gamma.data());
  out.log_likelihood = total.log_likelihood;
  out.log_space = total.log_space;
  out.start = std::move(total.start);
  out.trans = std::move(total.slow_pairs);
  for (Index i = 0; i < k * k; ++i) out.trans[i] += total.pairs[i] * chain.chain.transitions[i];
  out.durations = std::move(total.slow_durations);
  for (Index j = 0; j < k; ++j)
    for (Index r = 0; r < longest; ++r)
      out.durations[j * longest + r] += total.durations[j * job.stride + r] * chain.durations[j * longest + r];
  out.post = Buffer<double>::zeros({k});
  for (Index t = 0; t < log_density.rows; ++t)
    for (Index j = 0; j < k; ++j) out.post[j] += out.gamma[t * k + j];
  return out;
}

}  // namespace mlcore::hmm
