#include "svm/solved.hpp"

#include <algorithm>
#include <cmath>

#include "mlcore/base/errors.hpp"
#include "svm/row_store.hpp"

namespace mlcore::svm {

namespace {

constexpr std::size_t kSamples = 16;  // free support vectors of a problem that are checked

}  // namespace

Deadline deadline_of(const MachineSpec& spec) {
  constexpr double kForever = 1e9;  // seconds: no overflow of the clock
  if (!(spec.max_seconds > 0) || spec.max_seconds > kForever) return Deadline::max();
  return std::chrono::steady_clock::now() +
         std::chrono::duration_cast<Deadline::duration>(std::chrono::duration<double>(spec.max_seconds));
}

std::vector<Index> places_of_start(const MachineSpec& spec, Index rows, Index coef_rows) {
  std::vector<Index> places;
  if (spec.start_support.size == 0) return places;
  require(spec.start_coef.rows == coef_rows && spec.start_coef.cols == spec.start_support.size,
          "the coefficients to start from have the wrong shape");
  places.assign(static_cast<std::size_t>(rows), -1);
  for (Index s = 0; s < spec.start_support.size; ++s) {
    const Index row = spec.start_support[s];
    require(row >= 0 && row < rows, "a support vector to start from is out of range");
    places[static_cast<std::size_t>(row)] = s;
  }
  return places;
}

SmoSettings settings_of(const MachineSpec& spec, Deadline deadline, std::atomic<bool>* stop) {
  SmoSettings settings;
  settings.tolerance = spec.tolerance;
  settings.max_iterations = spec.max_iterations;
  settings.cache_bytes = spec.cache_bytes;
  settings.shrinking = spec.shrinking;
  settings.stop = stop;
  settings.deadline = deadline;
  return settings;
}

template <class T>
void collect(const DualProblem<T>& problem, double scale, Solved& solved) {
  const Index positions = problem.positions();
  solved.scale = scale;
  solved.gap = duality_gap(problem) / (scale * scale);
  solved.report.objective /= scale * scale;
  std::vector<Multiplier> free;
  for (Index p = 0; p < positions; ++p) {
    double beta = 0.0;
    for (Index v = p; v < problem.variables(); v += positions) {
      beta += problem.beta[v];
      if (problem.beta[v] == 0.0) continue;
      if (problem.beta[v] <= problem.lowest[v] || problem.beta[v] >= problem.highest[v]) {
        ++solved.at_bound;
      } else {
        free.push_back({problem.slot(p), (problem.f[v] - problem.linear[v]) / scale});
      }
    }
    if (beta != 0.0) solved.multipliers.push_back({problem.slot(p), beta / scale});
  }
  for (std::size_t k = 0; k < free.size(); k += std::max<std::size_t>(1, free.size() / kSamples))
    solved.samples.push_back(free[k]);
}

template <class View>
double gradient_error(const View& x, const Buffer<Index>& rows_of_slots, const KernelFunction& kernel,
                      const RowLayout& layout, const std::vector<Solved>& results, int threads) {
  const Index width = svm_kernels(0.0).tile_cols;
  std::vector<Index> place(static_cast<std::size_t>(rows_of_slots.size()), -1);
  std::vector<Index> support;
  const auto add = [&](const std::vector<Multiplier>& some) {
    for (const Multiplier& m : some)
      if (place[static_cast<std::size_t>(m.slot)] < 0) {
        place[static_cast<std::size_t>(m.slot)] = static_cast<Index>(support.size());
        support.push_back(rows_of_slots[m.slot]);
      }
  };
  for (const Solved& result : results) {
    add(result.multipliers);
    add(result.samples);  // two variables of one row may cancel
  }
  while (static_cast<Index>(support.size()) % width != 0) support.push_back(-1);
  const auto table =
      make_kernel_rows<double>(x, support.data(), static_cast<Index>(support.size()), kernel, layout, threads);
  double error = 0.0;
  SmoWorkspace<double> workspace;
  runtime::Team alone(1);
  for (const Solved& result : results) {
    std::vector<Index> sampled, from;
    std::vector<double> weights;
    for (const Multiplier& m : result.samples) sampled.push_back(place[static_cast<std::size_t>(m.slot)]);
    const std::size_t count = sampled.size();
    while (static_cast<Index>(sampled.size()) % width != 0) sampled.push_back(-1);
    for (const Multiplier& m : result.multipliers) {
      from.push_back(place[static_cast<std::size_t>(m.slot)]);
      weights.push_back(m.value);
    }
    if (count == 0) continue;
    const auto rows = table->subset(sampled.data(), static_cast<Index>(sampled.size()));
    auto sum = Buffer<double>::zeros({static_cast<Index>(sampled.size())});
    const Index first[2] = {0, 0}, groups[2] = {rows->groups(), 0};
    add_kernel_products(*table, *rows, from.data(), weights.data(), static_cast<Index>(from.size()), first, groups,
                        sum.data(), workspace, alone);
    for (std::size_t k = 0; k < count; ++k)
      error = std::max(error, result.scale * std::abs(sum[static_cast<Index>(k)] - result.samples[k].value));
  }
  return error;
}

template void collect<float>(const DualProblem<float>&, double, Solved&);
template void collect<double>(const DualProblem<double>&, double, Solved&);

#define MLCORE_INSTANTIATE(...)                                                                                \
  template double gradient_error<__VA_ARGS__>(const __VA_ARGS__&, const Buffer<Index>&, const KernelFunction&, \
                                              const RowLayout&, const std::vector<Solved>&, int);
MLCORE_INSTANTIATE(MatrixView<const float>)
MLCORE_INSTANTIATE(MatrixView<const double>)
MLCORE_INSTANTIATE(CsrView<float, std::int32_t>)
MLCORE_INSTANTIATE(CsrView<float, std::int64_t>)
MLCORE_INSTANTIATE(CsrView<double, std::int32_t>)
MLCORE_INSTANTIATE(CsrView<double, std::int64_t>)

}  // namespace mlcore::svm
