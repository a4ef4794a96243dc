#include "mlcore/svm/svc.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "svm/dual.hpp"
#include "svm/precision.hpp"
#include "svm/solved.hpp"
#include "svm/start.hpp"

namespace mlcore::svm {

namespace {

/// Rows by class, each class padded to whole groups.
struct ClassSlots {
  Buffer<Index> rows;              ///< row number of each slot, -1 for padding
  std::vector<Index> first_group;  ///< classes + 1
  Index width = 0;

  ClassSlots(const SvcSpec& spec, Index group_width)
      : first_group(static_cast<std::size_t>(spec.classes) + 1), width(group_width) {
    std::vector<Index> counts(static_cast<std::size_t>(spec.classes));
    for (Index i = 0; i < spec.labels.size; ++i)
      if (spec.bounds[i] > 0) ++counts[static_cast<std::size_t>(spec.labels[i])];
    for (std::size_t c = 0; c < counts.size(); ++c) first_group[c + 1] = first_group[c] + ceil_div(counts[c], width);
    rows = Buffer<Index>(first_group.back() * width);
    std::fill(rows.begin(), rows.end(), Index{-1});
    std::vector<Index> next(counts.size());
    for (std::size_t c = 0; c < counts.size(); ++c) next[c] = first_group[c] * width;
    for (Index i = 0; i < spec.labels.size; ++i)
      if (spec.bounds[i] > 0) rows[next[static_cast<std::size_t>(spec.labels[i])]++] = i;
  }
  Index groups(Index c) const noexcept {
    return first_group[static_cast<std::size_t>(c) + 1] - first_group[static_cast<std::size_t>(c)];
  }
};

struct Pair {
  Index a = 0;
  Index b = 0;
};

/// Fills nu l / 2 of each class from its first rows on, as LIBSVM does.
void start_nu(const double* bounds, Index begin, Index end, double amount, double sign, double* beta) {
  for (Index p = begin; p < end && amount > 0; ++p) {
    const double take = std::min(bounds[p], amount);
    beta[p] = sign * take;
    amount -= take;
  }
}

/// Multipliers of the pair in the solution to start from.
void take_start(const SvcSpec& spec, const std::vector<Index>& places, const ClassSlots& slots, Pair pair,
                Index first_slot, Index positions, Index first_position, bool of_a, double* beta) {
  const Index row_of_coef = of_a ? pair.b - 1 : pair.a;
  for (Index p = 0; p < positions; ++p) {
    const Index row = slots.rows[first_slot + p];
    const Index place = row < 0 ? -1 : places[static_cast<std::size_t>(row)];
    beta[first_position + p] = place < 0 ? 0.0 : spec.start_coef(row_of_coef, place);
  }
}

template <class T>
Solved solve_pair(const KernelRows<T>& rows, const ClassSlots& slots, const SvcSpec& spec,
                  const std::vector<Index>& start, Pair pair, const SmoSettings& settings, SmoWorkspace<T>& workspace,
                  runtime::Team& team) {
  DualProblem<T> problem;
  problem.rows = &rows;
  problem.first_group[0] = slots.first_group[static_cast<std::size_t>(pair.a)];
  problem.first_group[1] = slots.first_group[static_cast<std::size_t>(pair.b)];
  problem.groups[0] = slots.groups(pair.a);
  problem.groups[1] = slots.groups(pair.b);
  problem.constraint_per_run = spec.nu_svc;
  const Index n = problem.positions(), middle = problem.groups[0] * slots.width;

  Buffer<double> linear(n), lowest(n), highest(n), bounds(n), f(n);
  auto beta = Buffer<double>::zeros({n});
  double total = 0.0;
  for (Index p = 0; p < n; ++p) {
    const Index row = slots.rows[problem.slot(p)];
    const double sign = p < middle ? 1.0 : -1.0;
    bounds[p] = row < 0 ? 0.0 : spec.bounds[row];
    total += bounds[p];
    linear[p] = spec.nu_svc ? 0.0 : -sign;
    lowest[p] = p < middle ? 0.0 : -bounds[p];
    highest[p] = p < middle ? bounds[p] : 0.0;
  }
  if (!start.empty()) {
    take_start(spec, start, slots, pair, problem.slot(0), middle, 0, true, beta.data());
    take_start(spec, start, slots, pair, problem.first_group[1] * slots.width, n - middle, middle, false, beta.data());
  }
  if (!spec.nu_svc && !start.empty()) {
    bring_to_zero_sum(lowest.data(), highest.data(), middle, n, beta.data());
    problem.start_scales = true;
  }
  if (spec.nu_svc && start.empty()) {
    start_nu(bounds.data(), 0, middle, spec.nu * total / 2, 1.0, beta.data());
    start_nu(bounds.data(), middle, n, spec.nu * total / 2, -1.0, beta.data());
  }
  if (spec.nu_svc && !start.empty()) {
    bring_to_sum(lowest.data(), highest.data(), 0, middle, 1.0, spec.nu * total / 2, beta.data());
    bring_to_sum(lowest.data(), highest.data(), middle, n, -1.0, spec.nu * total / 2, beta.data());
  }
  problem.linear = linear.data();
  problem.lowest = lowest.data();
  problem.highest = highest.data();
  problem.beta = beta.data();
  problem.f = f.data();

  Solved result;
  if (middle == 0 || middle == n) {  // a class without rows never wins
    result.rho = middle == 0 && n > 0 ? 1.0 : -1.0;
    return result;
  }
  result.report = solve_dual(problem, settings, workspace, team);
  double scale = 1.0;
  if (spec.nu_svc) {
    const double first = threshold(problem, 0), second = threshold(problem, 1);
    scale = (first - second) / 2;
    result.rho = (first + second) / 2 / scale;
  } else {
    result.rho = threshold(problem, 0);
  }
  collect(problem, scale, result);
  return result;
}

template <class T>
std::vector<Solved> solve_pairs(const KernelRows<T>& rows, const ClassSlots& slots, const SvcSpec& spec,
                                const std::vector<Pair>& pairs, Deadline deadline, int threads) {
  std::vector<Solved> results(pairs.size());
  std::atomic<bool> stop{false};
  SmoSettings settings = settings_of(spec, deadline, spec.stop != nullptr ? spec.stop : &stop);
  const std::vector<Index> start = places_of_start(spec, spec.labels.size, spec.classes - 1);
  const auto size_of = [&](const Pair& pair) { return (slots.groups(pair.a) + slots.groups(pair.b)) * slots.width; };
  // Large problems first, so that the last one to end is a small one.
  std::vector<std::size_t> order(pairs.size());
  double work = 0.0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
    const auto size = static_cast<double>(size_of(pairs[i]));
    work += 0.2 * size * size * rows.value_ns();
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return size_of(pairs[a]) > size_of(pairs[b]); });
  const auto count = static_cast<Index>(pairs.size());
  const int useful = runtime::threads_for_work(threads, work);
  // Either many problems at a time, or one after the other with all threads; the results are the same.
  constexpr Index kPairsPerThread = 4;
  const bool at_a_time = useful > 1 && count >= kPairsPerThread * useful;
  runtime::parallel_team(useful, [&](runtime::Team& team) {
    if (!at_a_time) {
      SmoWorkspace<T> workspace;
      for (const std::size_t i : order)
        results[i] = solve_pair(rows, slots, spec, start, pairs[i], settings, workspace, team);
      return;
    }
    settings.cache_bytes /= team.size();
    std::vector<SmoWorkspace<T>> workspaces(static_cast<std::size_t>(team.size()));
    team.for_each(count, [&](Index k) {
      const std::size_t i = order[static_cast<std::size_t>(k)];
      runtime::Team alone(1);
      results[i] = solve_pair(rows, slots, spec, start, pairs[i], settings,
                              workspaces[static_cast<std::size_t>(team.member())], alone);
    });
  });
  return results;
}

/// Support vectors of all pairs, each once, and their coefficients.
SvcResult gather(const std::vector<Solved>& pairs_solved, const std::vector<Pair>& pairs, const ClassSlots& slots,
                 const SvcSpec& spec) {
  SvcResult result;
  const auto count = static_cast<Index>(pairs.size());
  result.rho = Buffer<double>(count);
  result.iterations = Buffer<std::int32_t>(count);
  result.kkt_violation = Buffer<double>(count);
  result.dual_gap = Buffer<double>(count);
  result.dual_objective = Buffer<double>(count);
  result.at_bound = Buffer<std::int32_t>(count);
  Buffer<Index> place(slots.rows.size());
  std::fill(place.begin(), place.end(), Index{-1});
  for (Index i = 0; i < count; ++i) {
    const Solved& solved = pairs_solved[static_cast<std::size_t>(i)];
    result.rho[i] = solved.rho;
    result.iterations[i] = static_cast<std::int32_t>(std::min<Index>(solved.report.iterations, 2147483647));
    result.kkt_violation[i] = solved.report.gap;
    result.dual_gap[i] = solved.gap;
    result.dual_objective[i] = -solved.report.objective;
    result.at_bound[i] = static_cast<std::int32_t>(solved.at_bound);
    result.status = std::max(result.status, static_cast<int>(solved.report.status));
    for (const Multiplier& m : solved.multipliers) place[m.slot] = 0;
  }
  Index support = 0;
  result.per_class = Buffer<std::int32_t>::zeros({spec.classes});
  for (Index c = 0; c < spec.classes; ++c)
    for (Index s = slots.first_group[static_cast<std::size_t>(c)] * slots.width;
         s < slots.first_group[static_cast<std::size_t>(c) + 1] * slots.width; ++s)
      if (place[s] == 0) {
        place[s] = support++;
        ++result.per_class[c];
      }
  result.support = Buffer<Index>(support);
  for (Index s = 0; s < place.size(); ++s)
    if (place[s] >= 0) result.support[place[s]] = slots.rows[s];
  result.dual_coef = Buffer<double>::zeros({spec.classes - 1, support});
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const Index first_of_b = slots.first_group[static_cast<std::size_t>(pairs[i].b)] * slots.width;
    for (const Multiplier& m : pairs_solved[i].multipliers) {
      const Index row = m.slot < first_of_b ? pairs[i].b - 1 : pairs[i].a;
      result.dual_coef[row * support + place[m.slot]] = m.value;
    }
  }
  return result;
}

template <class T, class View>
bool try_fit(const View& x, const SvcSpec& spec, const std::vector<Pair>& pairs, Deadline deadline, int threads,
             SvcResult& result) {
  const ClassSlots slots(spec, svm_kernels(T()).tile_cols);
  const RowLayout layout = RowLayout::of(x, spec.kernel, slots.rows.data(), slots.rows.size());
  const auto rows = make_kernel_rows<T>(x, slots.rows.data(), slots.rows.size(), spec.kernel, layout, threads);
  constexpr bool kSingle = sizeof(T) == sizeof(float);
  if (kSingle && !single_precision_suffices(*rows, spec.kernel)) return false;
  const std::vector<Solved> solved = solve_pairs(*rows, slots, spec, pairs, deadline, threads);
  const bool late = std::any_of(solved.begin(), solved.end(),
                                [](const Solved& one) { return one.report.status == SmoStatus::kMaxSeconds; });
  if (kSingle && !late &&
      gradient_error(x, slots.rows, spec.kernel, layout, solved, threads) > kErrorOfTolerance * spec.tolerance)
    return false;
  result = gather(solved, pairs, slots, spec);
  result.single_precision = kSingle;
  return true;
}

void check_nu(const SvcSpec& spec, const std::vector<Pair>& pairs) {
  std::vector<double> totals(static_cast<std::size_t>(spec.classes));
  for (Index i = 0; i < spec.labels.size; ++i)
    totals[static_cast<std::size_t>(spec.labels[i])] += std::max(0.0, spec.bounds[i]);
  for (const Pair& pair : pairs) {
    const double a = totals[static_cast<std::size_t>(pair.a)], b = totals[static_cast<std::size_t>(pair.b)];
    require(spec.nu * (a + b) / 2 <= std::min(a, b), "specified nu is infeasible");
  }
}

}  // namespace

template <class View>
SvcResult svc_fit(const View& x, const SvcSpec& spec) {
  require(spec.classes >= 2, "at least two classes are needed");
  require(spec.labels.size == x.rows && spec.bounds.size == x.rows, "labels and bounds must have one entry per row");
  for (Index i = 0; i < x.rows; ++i)
    require(spec.labels[i] >= 0 && spec.labels[i] < spec.classes, "label out of range");
  require(spec.kernel.kind != KernelKind::kPrecomputed || x.rows == x.cols, "a precomputed kernel must be square");
  std::vector<Pair> pairs;
  for (Index a = 0; a < spec.classes; ++a)
    for (Index b = a + 1; b < spec.classes; ++b) pairs.push_back({a, b});
  if (spec.nu_svc) check_nu(spec, pairs);

  const Deadline deadline = deadline_of(spec);
  const int threads = runtime::resolve_threads(spec.n_jobs).threads;
  std::vector<double> counts(static_cast<std::size_t>(spec.classes));
  for (Index i = 0; i < x.rows; ++i)
    if (spec.bounds[i] > 0) counts[static_cast<std::size_t>(spec.labels[i])] += 1.0;
  double values = 0.0;
  for (const Pair& pair : pairs)
    values += std::pow(counts[static_cast<std::size_t>(pair.a)] + counts[static_cast<std::size_t>(pair.b)], 2);
  SvcResult result;
  if (double_is_cheap(values, x.cols) || spec.tolerance < kSingleTolerance ||
      !try_fit<float>(x, spec, pairs, deadline, threads, result))
    try_fit<double>(x, spec, pairs, deadline, threads, result);
  return result;
}

template SvcResult svc_fit(const MatrixView<const float>&, const SvcSpec&);
template SvcResult svc_fit(const MatrixView<const double>&, const SvcSpec&);
template SvcResult svc_fit(const CsrView<float, std::int32_t>&, const SvcSpec&);
template SvcResult svc_fit(const CsrView<float, std::int64_t>&, const SvcSpec&);
template SvcResult svc_fit(const CsrView<double, std::int32_t>&, const SvcSpec&);
template SvcResult svc_fit(const CsrView<double, std::int64_t>&, const SvcSpec&);

}  // namespace mlcore::svm
