// Best path with explicit durations: the scores of segment beginnings and ends are kept, and a segment's beginning is
// found again from its end, O(D) a segment.
#include <cmath>

#include "hmm/duration_job.hpp"
#include "hmm/log_space.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/scratch.hpp"

namespace mlcore::hmm {
namespace {

/// Best path of pairs, its states only.
double best_path(const DurationJob& job, const LogChain& logs, const double* log_durations, const Lane& lane,
                 std::int32_t* states) {
  const Index k = job.k, n = lane.length, longest = job.model.longest;
  runtime::Scratch<double> density({n, k}), enter({n, k}), end({n, k}), delta({job.plane});
  for (Index t = 0; t < n; ++t) {
    const std::int32_t label = job.sequences.labels.empty() ? -1 : job.sequences.labels[lane.row + t];
    for (Index j = 0; j < k; ++j)
      density[t * k + j] = label < 0 || label == j ? job.log_density.data[(lane.row + t) * k + j] : kImpossible;
  }
  std::fill_n(delta.data(), job.plane, kImpossible);
  DurationViterbi step;
  step.shape = job.shape;
  step.shape.transitions = logs.transitions.data();
  step.shape.durations = log_durations;
  step.steps = n;
  step.log_density = density.data();
  step.initial = logs.start.data();
  step.delta = delta.data();
  step.enter = enter.data();
  step.end = end.data();
  duration_kernels().viterbi(step);

  Index state = 0, left = 0;
  double best = kImpossible;
  for (Index j = 0; j < k; ++j)
    for (Index r = 0; r < longest; ++r)
      if (delta[j * job.stride + r] > best) {
        best = delta[j * job.stride + r];
        state = j;
        left = r;
      }
  // Segment by segment from the end: of all rows where it may have begun the best.
  for (Index t = n - 1; t >= 0;) {
    double rows = 0, most = kImpossible;
    Index begin = t;
    for (Index s = t; s >= 0 && left + t - s < longest; --s) {
      rows += density[s * k + state];
      const double value = enter[s * k + state] + log_durations[state * job.stride + left + t - s] + rows;
      if (value > most) {
        most = value;
        begin = s;
      }
    }
    std::fill(states + begin, states + t + 1, static_cast<std::int32_t>(state));
    t = begin - 1;
    left = 0;
    if (t < 0) break;
    const Index to = state;
    most = kImpossible;
    for (Index i = 0; i < k; ++i) {
      const double value = end[t * k + i] + logs.transitions[i * k + to];
      if (value > most) {
        most = value;
        state = i;
      }
    }
  }
  return best;
}

}  // namespace

void duration_viterbi(MatrixView<const double> log_density, const Sequences& sequences, const DurationChain& chain,
                      int n_jobs, double* log_probability, std::int32_t* states) {
  const DurationJob job(log_density, sequences, chain);
  const LogChain logs(chain.chain);
  Buffer<double> log_durations({job.k, job.stride});
  for (Index j = 0; j < job.k; ++j)
    for (Index r = 0; r < job.stride; ++r)
      log_durations[j * job.stride + r] =
          r < chain.longest ? std::log(chain.durations[j * chain.longest + r]) : kImpossible;
  std::fill_n(log_probability, sequences.count(), 0.0);
  runtime::Interrupt interrupt;
  runtime::parallel_for(sequences.count(), job.threads(n_jobs, 0.4), [&](Index s) {
    interrupt.poll();
    const Lane lane = job.lane(s);
    if (lane.length > 0) log_probability[s] = best_path(job, logs, log_durations.data(), lane, states + lane.row);
  });
}

}  // namespace mlcore::hmm
