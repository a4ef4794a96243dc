#include "mlcore/hmm/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "hmm/log_density.hpp"
#include "hmm/log_space.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/random.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::hmm {
namespace {

using runtime::random::Purpose;
using runtime::random::Stream;

constexpr double kLeastWeight = 1e-200;

/// Rows of cumulated weights, each divided by its total; the last positive entry and all after it are exactly 1.
Buffer<double> cumulated(const double* weights, Index rows, Index k) {
  Buffer<double> out({rows, k});
  for (Index i = 0; i < rows; ++i) {
    double sum = 0;
    Index last = 0;
    for (Index j = 0; j < k; ++j) {
      require(weights[i * k + j] >= 0, "probabilities must not be negative");
      sum += weights[i * k + j];
      out[i * k + j] = sum;
      if (weights[i * k + j] > 0) last = j;
    }
    require(std::isfinite(sum), "probabilities must be finite");
    for (Index j = 0; j < k; ++j) out[i * k + j] = j >= last ? 1.0 : out[i * k + j] / sum;
  }
  return out;
}

/// Number of thresholds that u has reached: the first j with u < cumulated_j. Short rows are counted without branches.
Index invert(const double* row, Index k, double u) noexcept {
  if (k > 32) return std::upper_bound(row, row + k, u) - row;
  Index j = 0;
  for (Index i = 0; i < k - 1; ++i) j += row[i] <= u;
  return j;
}

}  // namespace

void sample_states(const Chain& chain, VectorView<const std::int64_t> lengths, std::uint64_t seed, int n_jobs,
                   std::int32_t* states) {
  const Index k = chain.states;
  require(k > 0, "at least one state is needed");
  const Buffer<double> start = cumulated(chain.start, 1, k), rows = cumulated(chain.transitions, k, k);
  std::vector<Index> first(static_cast<std::size_t>(lengths.size) + 1, 0);
  for (Index s = 0; s < lengths.size; ++s) {
    require(lengths[s] >= 0, "lengths must not be negative");
    first[static_cast<std::size_t>(s) + 1] = first[static_cast<std::size_t>(s)] + lengths[s];
  }
  const int threads =
      runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads, static_cast<double>(first.back()) * 15);
  runtime::Interrupt interrupt;
  runtime::parallel_for(lengths.size, threads, [&](Index s) {
    Stream stream(seed, Purpose::kSampling, s);
    std::int32_t* path = states + first[static_cast<std::size_t>(s)];
    const double* row = start.data();
    for (Index t = 0; t < lengths[s]; ++t) {
      if ((t & 0xffff) == 0) interrupt.poll();
      const Index state = invert(row, k, stream.uniform());
      path[t] = static_cast<std::int32_t>(state);
      row = rows.data() + state * k;
    }
  });
}

void sample_posterior(const EmissionSpec& spec, const Observations& x, const Sequences& sequences, const Chain& chain,
                      Index samples, std::uint64_t seed, int n_jobs, std::int32_t* states) {
  check_sequences(spec, x, sequences, chain);
  require(samples >= 0, "n_samples must not be negative");
  const auto emission = make_emission(spec, x);
  const Index k = chain.states;
  const LogChain logs(chain);
  const double ns = static_cast<double>(x.rows) * static_cast<double>(k) * static_cast<double>(5 * k + samples * 3);
  const int threads = runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads, ns);
  runtime::Interrupt interrupt;
  runtime::parallel_for(sequences.count(), threads, [&](Index s) {
    const Index row = sequences.offsets[s], length = sequences.offsets[s + 1] - row;
    if (length == 0) return;
    SequenceDensity density(*emission, sequences.labels.empty() ? nullptr : sequences.labels.data);
    const Buffer<double> values = density.of(row, length);
    // Weights of a step are alpha_t(i) A_ij: in probability space, and again in log space where that underflows.
    Buffer<double> log_alpha({length, k}), alpha({length, k}), weights({k});
    const double total = log_forward(logs, values.data(), length, log_alpha.data());
    for (Index t = 0; t < length; ++t) {
      const double* at = log_alpha.data() + t * k;
      const double most = *std::max_element(at, at + k);
      for (Index j = 0; j < k; ++j) alpha[t * k + j] = std::isfinite(most) ? std::exp(at[j] - most) : 0.0;
    }
    for (Index sample = 0; sample < samples; ++sample) {
      interrupt.poll();
      std::int32_t* path = states + sample * x.rows + row;
      if (!std::isfinite(total)) {
        std::fill_n(path, length, -1);
        continue;
      }
      Stream stream(seed, Purpose::kSampling, s, sample + 1);
      Index state = 0;
      for (Index t = length - 1; t >= 0; --t) {
        const bool is_last = t + 1 == length;
        for (Index i = 0; i < k; ++i)
          weights[i] = alpha[t * k + i] * (is_last ? 1.0 : chain.transitions[i * k + state]);
        if (*std::max_element(weights.begin(), weights.end()) < kLeastWeight) {
          double most = -std::numeric_limits<double>::infinity();
          for (Index i = 0; i < k; ++i) {
            weights[i] = log_alpha[t * k + i] + (is_last ? 0.0 : logs.transitions[i * k + state]);
            most = std::max(most, weights[i]);
          }
          for (Index i = 0; i < k; ++i) weights[i] = std::exp(weights[i] - most);
        }
        double sum = 0;
        Index last = 0;
        for (Index i = 0; i < k; ++i) {
          if (weights[i] > 0) last = i;
          weights[i] = sum += weights[i];
        }
        const double u = stream.uniform() * sum;
        Index drawn = 0;
        while (drawn < last && weights[drawn] <= u) ++drawn;
        state = drawn;
        path[t] = static_cast<std::int32_t>(state);
      }
    }
  });
}

}  // namespace mlcore::hmm
