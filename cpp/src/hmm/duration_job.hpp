// What the sequences of one call share, with explicit durations, and the sums over them.
#pragma once
#include <algorithm>
#include <limits>

#include "hmm/groups.hpp"
#include "hmm/kernels.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/hmm/durations.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::hmm {

inline constexpr double kImpossible = -std::numeric_limits<double>::infinity();

struct DurationJob {
  DurationJob(MatrixView<const double> l, const Sequences& s, const DurationChain& c)
      : log_density(l),
        sequences(s),
        model(c),
        k(c.chain.states),
        stride(round_up(c.longest, kDepthStep) + kDepthStep),
        plane(k * stride) {
    check(l, s, c);
    durations = Buffer<double>::zeros({k, stride});
    for (Index j = 0; j < k; ++j) std::copy_n(c.durations + j * c.longest, c.longest, durations.data() + j * stride);
    shape = {k, stride - kDepthStep, stride, c.chain.transitions, durations.data()};
  }
  static void check(MatrixView<const double> l, const Sequences& s, const DurationChain& c) {
    EmissionSpec emission;
    emission.states = l.cols;
    Observations x;
    x.rows = l.rows;
    require(l.is_row_major() && l.row_stride == l.cols, "log_density must be contiguous");
    require(c.longest > 0, "durations must not be empty");
    check_sequences(emission, x, s, c.chain);
  }
  int threads(int n_jobs, double ns) const {
    const auto rows = static_cast<double>(log_density.rows), states = static_cast<double>(k);
    const double work = rows * ns * (states * states + states * static_cast<double>(model.longest));
    return runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads, work);
  }
  Lane lane(Index s) const {
    Lane found;
    found.sequence = s;
    found.row = sequences.offsets[s];
    found.length = sequences.offsets[s + 1] - found.row;
    return found;
  }

  MatrixView<const double> log_density;
  const Sequences& sequences;
  const DurationChain& model;
  Index k, stride, plane;
  Buffer<double> durations;
  DurationShape shape;
};

/// Sums over sequences.
struct DurationTotals {
  DurationTotals() = default;
  explicit DurationTotals(const DurationJob& job)
      : start(Buffer<double>::zeros({job.k})),
        pairs(Buffer<double>::zeros({job.k, job.k})),
        durations(Buffer<double>::zeros({job.plane})),
        slow_pairs(Buffer<double>::zeros({job.k, job.k})),
        slow_durations(Buffer<double>::zeros({job.k, job.model.longest})) {}
  void add(const DurationTotals& other) {
    log_likelihood += other.log_likelihood;
    log_space += other.log_space;
    const auto add_to = [](Buffer<double>& a, const Buffer<double>& b) {
      for (Index i = 0; i < a.size(); ++i) a[i] += b[i];
    };
    add_to(start, other.start);
    add_to(pairs, other.pairs);
    add_to(durations, other.durations);
    add_to(slow_pairs, other.slow_pairs);
    add_to(slow_durations, other.slow_durations);
  }
  double log_likelihood = 0;
  Index log_space = 0;
  // pairs and durations still lack their factors A_ij and p_k(d); the slow ones, from log space, have them.
  Buffer<double> start, pairs, durations, slow_pairs, slow_durations;
};

}  // namespace mlcore::hmm
