#include "mlcore/hmm/inference.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "hmm/emission.hpp"
#include "hmm/lanes_in_log_space.hpp"
#include "hmm/log_space.hpp"
#include "hmm/passes.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/runtime/interrupt.hpp"

namespace mlcore::hmm {

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
        const auto write = [&](const Tile& tile, Index first, const double* track) {
          write_rows(tile, track, k, gamma);
          if (first > 0) expect_rows(tile_of(group, first - job.tile, job.tile, nullptr), k, gamma);
        };
        double weight[kGroup];
        do {
          for (Index l = 0; l < kGroup; ++l) weight[l] = group.lane[l].length > 0 && !slow[l] ? 1.0 : 0.0;
        } while (!worker.backward(group, &ends, weight, nullptr, slow, write));
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
