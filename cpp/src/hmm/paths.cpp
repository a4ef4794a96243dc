#include "mlcore/hmm/paths.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "hmm/log_density.hpp"
#include "hmm/log_space.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::hmm {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

/// fn(sequence, row, length, log-densities) for every sequence that is not empty.
template <class Fn>
void for_each_sequence(const EmissionSpec& spec, const Observations& x, const Sequences& sequences, const Chain& chain,
                       int n_jobs, double ns_per_row, Fn&& fn) {
  check_sequences(spec, x, sequences, chain);
  const auto emission = make_emission(spec, x);
  const int threads =
      runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads, static_cast<double>(x.rows) * ns_per_row);
  runtime::Interrupt interrupt;
  runtime::parallel_for(sequences.count(), threads, [&](Index s) {
    interrupt.poll();
    const Index row = sequences.offsets[s], length = sequences.offsets[s + 1] - row;
    if (length == 0) return;
    SequenceDensity density(*emission, sequences.labels.empty() ? nullptr : sequences.labels.data);
    const Buffer<double> values = density.of(row, length);
    fn(s, row, length, values.data());
  });
}

}  // namespace

void viterbi_k_best(const EmissionSpec& spec, const Observations& x, const Sequences& sequences, const Chain& chain,
                    Index best, Index parts, int n_jobs, double* log_probability, std::int32_t* states) {
  require(best > 0, "k must be positive");
  require(parts > 0 && chain.states % parts == 0, "the states must be a multiple of their parts");
  const Index k = chain.states;
  const LogChain logs(chain);
  std::fill_n(log_probability, sequences.count() * best, kNever);
  for (Index s = 0; s < sequences.count(); ++s)
    if (sequences.offsets[s] == sequences.offsets[s + 1]) log_probability[s * best] = 0.0;
  std::fill_n(states, best * x.rows, -1);
  // A candidate of state j is (predecessor i, place r in its list), numbered i * best + r.
  for_each_sequence(spec, x, sequences, chain, n_jobs, static_cast<double>(k * k * best) * 2,
                    [&](Index s, Index row, Index length, const double* density) {
                      const Index lists = k * best;
                      Buffer<double> now({lists}), before({lists}), candidate({lists});
                      Buffer<std::int32_t> from({length, lists});
                      Buffer<Index> order({lists});
                      std::fill(now.begin(), now.end(), kNever);
                      for (Index j = 0; j < k; ++j) now[j * best] = logs.start[j] + density[j];
                      for (Index t = 1; t < length; ++t) {
                        std::swap(now, before);
                        for (Index j = 0; j < k; ++j) {
                          for (Index i = 0; i < k; ++i)
                            for (Index r = 0; r < best; ++r)
                              candidate[i * best + r] = before[i * best + r] + logs.transitions[i * k + j];
                          std::iota(order.begin(), order.end(), Index{0});
                          std::partial_sort(order.data(), order.data() + best, order.end(), [&](Index a, Index b) {
                            return candidate[a] > candidate[b] || (candidate[a] == candidate[b] && a < b);
                          });
                          for (Index r = 0; r < best; ++r) {
                            now[j * best + r] = candidate[order[r]] + density[t * k + j];
                            from[(t * k + j) * best + r] = static_cast<std::int32_t>(order[r]);
                          }
                        }
                      }
                      std::iota(order.begin(), order.end(), Index{0});
                      std::sort(order.begin(), order.end(),
                                [&](Index a, Index b) { return now[a] > now[b] || (now[a] == now[b] && a < b); });
                      Index found = 0;
                      for (Index c = 0; c < lists && found < best; ++c) {
                        Index place = order[c];
                        if (now[place] == kNever) break;
                        std::int32_t* path = states + found * x.rows + row;
                        for (Index t = length - 1; t >= 0; --t) {
                          path[t] = static_cast<std::int32_t>(place / best / parts);
                          if (t > 0) place = from[t * lists + place];
                        }
                        // Paths that differ in the parts only are one: the better has come first.
                        bool is_new = true;
                        for (Index r = 0; r < found && parts > 1 && is_new; ++r)
                          is_new = !std::equal(path, path + length, states + r * x.rows + row);
                        if (is_new)
                          log_probability[s * best + found++] = now[order[c]];
                        else
                          std::fill_n(path, length, -1);
                      }
                    });
}

void viterbi_beam(const EmissionSpec& spec, const Observations& x, const Sequences& sequences, const Chain& chain,
                  Index beam, int n_jobs, double* log_probability, std::int32_t* states) {
  require(beam > 0, "beam must be positive");
  const Index k = chain.states, width = std::min(beam, k);
  const LogChain logs(chain);
  std::fill_n(log_probability, sequences.count(), 0.0);
  for_each_sequence(spec, x, sequences, chain, n_jobs, static_cast<double>(k * width) * 2,
                    [&](Index s, Index row, Index length, const double* density) {
                      Buffer<double> now({k}), before({k});
                      Buffer<std::int32_t> from({length, k});
                      std::vector<Index> kept(static_cast<std::size_t>(k));
                      for (Index j = 0; j < k; ++j) now[j] = logs.start[j] + density[j];
                      for (Index t = 1; t < length; ++t) {
                        std::swap(now, before);
                        kept.resize(static_cast<std::size_t>(k));
                        std::iota(kept.begin(), kept.end(), Index{0});
                        if (width < k) {
                          std::partial_sort(kept.begin(), kept.begin() + width, kept.end(), [&](Index a, Index b) {
                            return before[a] > before[b] || (before[a] == before[b] && a < b);
                          });
                          kept.resize(static_cast<std::size_t>(width));
                          std::sort(kept.begin(), kept.end());
                        }
                        for (Index j = 0; j < k; ++j) {
                          double most = kNever;
                          Index best = kept[0];
                          for (const Index i : kept) {
                            const double value = before[i] + logs.transitions[i * k + j];
                            if (value > most) {
                              most = value;
                              best = i;
                            }
                          }
                          now[j] = most + density[t * k + j];
                          from[t * k + j] = static_cast<std::int32_t>(best);
                        }
                      }
                      Index state = std::max_element(now.begin(), now.end()) - now.begin();
                      log_probability[s] = now[state];
                      for (Index t = length - 1; t >= 0; --t) {
                        states[row + t] = static_cast<std::int32_t>(state);
                        if (t > 0) state = from[t * k + state];
                      }
                    });
}

}  // namespace mlcore::hmm
