#include "mlcore/svm/regression.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "svm/precision.hpp"
#include "svm/solved.hpp"
#include "svm/start.hpp"

namespace mlcore::svm {

namespace {

/// Row numbers of the slots: the rows in use, padded to whole groups.
Buffer<Index> slots_of(const SingleSpec& spec, Index width) {
  std::vector<Index> rows;
  for (Index i = 0; i < spec.bounds.size; ++i)
    if (spec.bounds[i] > 0) rows.push_back(i);
  Buffer<Index> slots(round_up(static_cast<Index>(rows.size()), width));
  std::fill(slots.begin(), slots.end(), Index{-1});
  std::copy(rows.begin(), rows.end(), slots.begin());
  return slots;
}

template <class T>
Solved solve(const KernelRows<T>& rows, const Buffer<Index>& slots, const SingleSpec& spec, Deadline deadline,
             double& epsilon, runtime::Team& team) {
  const bool regression = spec.problem != SingleProblem::kOneClass, nu = spec.problem != SingleProblem::kEpsilonSvr;
  DualProblem<T> problem;
  problem.rows = &rows;
  problem.groups[0] = rows.groups();
  problem.sides = regression ? 2 : 1;
  problem.constraint_per_side = spec.problem == SingleProblem::kNuSvr;
  const Index n = problem.positions(), variables = problem.variables();
  Buffer<double> linear(variables), lowest(variables), highest(variables), f(variables);
  auto beta = Buffer<double>::zeros({variables});
  double total = 0.0;
  for (Index p = 0; p < n; ++p) {
    const double bound = slots[p] < 0 ? 0.0 : spec.bounds[slots[p]];
    total += bound;
    for (Index side = 0; side < problem.sides; ++side) {
      const Index v = side * n + p;
      lowest[v] = side == 0 ? 0.0 : -bound;
      highest[v] = side == 0 ? bound : 0.0;
      linear[v] = 0.0;
      if (!regression || slots[p] < 0) continue;
      linear[v] = -spec.targets[slots[p]];
      if (!nu) linear[v] += side == 0 ? spec.epsilon : -spec.epsilon;
    }
  }
  const std::vector<Index> start = places_of_start(spec, spec.bounds.size, 1);
  const double share = spec.nu * total / static_cast<double>(problem.sides);
  for (Index p = 0; p < n && !start.empty(); ++p) {
    const Index place = slots[p] < 0 ? -1 : start[static_cast<std::size_t>(slots[p])];
    const double value = place < 0 ? 0.0 : spec.start_coef(0, place);
    beta[regression && value < 0 ? n + p : p] = value;
  }
  if (!start.empty() && nu) {
    bring_to_sum(lowest.data(), highest.data(), 0, n, 1.0, share, beta.data());
    if (regression) bring_to_sum(lowest.data(), highest.data(), n, variables, -1.0, share, beta.data());
  } else if (!start.empty()) {
    bring_to_zero_sum(lowest.data(), highest.data(), n, variables, beta.data());
    problem.start_scales = true;
  } else if (nu) {  // the first rows take it all, as in LIBSVM
    double left = share;
    for (Index p = 0; p < n && left > 0; ++p) {
      beta[p] = std::min(left, highest[p]);
      if (regression) beta[n + p] = -beta[p];
      left -= beta[p];
    }
  }
  problem.linear = linear.data();
  problem.lowest = lowest.data();
  problem.highest = highest.data();
  problem.beta = beta.data();
  problem.f = f.data();
  std::atomic<bool> stop{false};
  SmoWorkspace<T> workspace;
  Solved solved;
  solved.report = solve_dual(problem, settings_of(spec, deadline, &stop), workspace, team);
  const double first = threshold(problem, 0);
  if (problem.constraint_per_side) {
    const double second = threshold(problem, 1);
    solved.rho = (first + second) / 2;
    epsilon = (second - first) / 2;
  } else {
    solved.rho = first;
  }
  collect(problem, 1.0, solved);
  return solved;
}

template <class T, class View>
bool try_fit(const View& x, const SingleSpec& spec, Deadline deadline, int threads, SingleResult& result) {
  const Buffer<Index> slots = slots_of(spec, svm_kernels(T()).tile_cols);
  const RowLayout layout = RowLayout::of(x, spec.kernel, slots.data(), slots.size());
  const auto rows = make_kernel_rows<T>(x, slots.data(), slots.size(), spec.kernel, layout, threads);
  constexpr bool kSingle = sizeof(T) == sizeof(float);
  if (kSingle && !single_precision_suffices(*rows, spec.kernel)) return false;
  const auto size = static_cast<double>(slots.size());
  std::vector<Solved> solved(1);
  result.epsilon = spec.problem == SingleProblem::kEpsilonSvr ? spec.epsilon : 0.0;
  runtime::parallel_team(
      runtime::threads_for_work(threads, 0.2 * size * size * rows->value_ns()),
      [&](runtime::Team& team) { solved[0] = solve(*rows, slots, spec, deadline, result.epsilon, team); });
  if (kSingle && solved[0].report.status != SmoStatus::kMaxSeconds &&
      gradient_error(x, slots, spec.kernel, layout, solved, threads) > kErrorOfTolerance * spec.tolerance)
    return false;
  const Solved& one = solved[0];
  const auto count = static_cast<Index>(one.multipliers.size());
  result.support = Buffer<Index>(count);
  result.dual_coef = Buffer<double>(count);
  for (Index s = 0; s < count; ++s) {
    const Multiplier& m = one.multipliers[static_cast<std::size_t>(s)];
    result.support[s] = slots[m.slot];
    result.dual_coef[s] = m.value;
  }
  result.rho = one.rho;
  result.at_bound = one.at_bound;
  result.iterations = one.report.iterations;
  result.kkt_violation = one.report.gap;
  result.dual_gap = one.gap;
  result.dual_objective = -one.report.objective;
  result.status = static_cast<int>(one.report.status);
  result.single_precision = kSingle;
  return true;
}

}  // namespace

template <class View>
SingleResult single_fit(const View& x, const SingleSpec& spec) {
  require(spec.bounds.size == x.rows, "bounds must have one entry per row");
  require(spec.problem == SingleProblem::kOneClass || spec.targets.size == x.rows,
          "targets must have one entry per row");
  require(spec.kernel.kind != KernelKind::kPrecomputed || x.rows == x.cols, "a precomputed kernel must be square");
  double rows = 0.0;
  for (Index i = 0; i < x.rows; ++i) rows += spec.bounds[i] > 0 ? 1.0 : 0.0;
  require(rows > 0, "no rows are left");
  const int threads = runtime::resolve_threads(spec.n_jobs).threads;
  const Deadline deadline = deadline_of(spec);
  SingleResult result;
  if (double_is_cheap(rows * rows, x.cols) || spec.tolerance < kSingleTolerance ||
      !try_fit<float>(x, spec, deadline, threads, result))
    try_fit<double>(x, spec, deadline, threads, result);
  return result;
}

template SingleResult single_fit(const MatrixView<const float>&, const SingleSpec&);
template SingleResult single_fit(const MatrixView<const double>&, const SingleSpec&);
template SingleResult single_fit(const CsrView<float, std::int32_t>&, const SingleSpec&);
template SingleResult single_fit(const CsrView<float, std::int64_t>&, const SingleSpec&);
template SingleResult single_fit(const CsrView<double, std::int32_t>&, const SingleSpec&);
template SingleResult single_fit(const CsrView<double, std::int64_t>&, const SingleSpec&);

}  // namespace mlcore::svm
