#include "svm/dual.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "svm/row_store.hpp"
#include "svm/shrunk_part.hpp"

namespace mlcore::svm {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr Index kIterationsBetweenPolls = 4096;
constexpr Index kIterationsBetweenShrinking = 1000;
constexpr Index kPatience = 1000000;    // iterations without progress
constexpr Index kSmallestShrunk = 512;  // positions: below, a pass costs next to nothing
constexpr double kShrunkShare = 0.6;    // a smaller problem is made when at most this share is left
constexpr Index kLargestWhole = 4096;   // variables; beyond, the passes over all of them cost more than kernel values

/// Goes to the best multiple of the start that is within the bounds: from one C to another, multipliers grow in
/// proportion while most are at their bounds, and stay while none is.
template <class T>
void scale_start(const DualProblem<T>& problem) {
  double curvature = 0.0, slope = 0.0, largest = kInfinity;
  for (Index v = 0; v < problem.variables(); ++v) {
    const double beta = problem.beta[v];
    if (beta == 0.0) continue;
    curvature += beta * (problem.f[v] - problem.linear[v]);
    slope -= beta * problem.linear[v];
    largest = std::min(largest, (beta > 0 ? problem.highest[v] : problem.lowest[v]) / beta);
  }
  double scale = curvature > 0 ? slope / curvature : slope > 0 ? largest : 0.0;
  scale = std::clamp(std::isfinite(scale) ? scale : 1.0, 0.0, std::max(largest, 1.0));
  for (Index v = 0; v < problem.variables(); ++v) {
    problem.f[v] = problem.linear[v] + scale * (problem.f[v] - problem.linear[v]);
    problem.beta[v] = std::clamp(scale * problem.beta[v], problem.lowest[v], problem.highest[v]);
  }
}

/// f = K beta + linear for a start that is not zero.
template <class T>
void start_gradient(const DualProblem<T>& problem, SmoWorkspace<T>& workspace, runtime::Team& team) {
  std::copy_n(problem.linear, problem.variables(), problem.f);
  const Index positions = problem.positions();
  Buffer<double> weights(positions);
  Buffer<Index> slots(positions);
  Index count = 0;
  for (Index p = 0; p < positions; ++p) {
    double beta = problem.beta[p];
    if (problem.sides == 2) beta += problem.beta[positions + p];
    if (beta == 0.0) continue;
    weights[count] = beta;
    slots[count++] = problem.slot(p);
  }
  if (count == 0) return;
  Buffer<double> sum = Buffer<double>::zeros({positions});
  add_kernel_products(*problem.rows, *problem.rows, slots.data(), weights.data(), count, problem.first_group,
                      problem.groups, sum.data(), workspace, team);
  for (Index side = 0; side < problem.sides; ++side)
    for (Index p = 0; p < positions; ++p) problem.f[side * positions + p] += sum[p];
  if (problem.start_scales) scale_start(problem);
}

/// Extremes of f by constraint: the smallest of what may grow, the largest of what may shrink.
template <class T>
void find_extremes(const DualProblem<T>& problem, const SmoState<T>& state, double (&smallest)[2],
                   double (&largest)[2]) {
  for (Index v = 0; v < problem.variables(); ++v) {
    const Index c = problem.constraint(v);
    smallest[c] = std::min(smallest[c], state.f[v] + state.penalty_up[v]);
    largest[c] = std::max(largest[c], state.f[v] + state.penalty_low[v]);
  }
}

/// Up to `limit` iterations among the variables that may still move, when they are few enough.
template <class T>
void solve_part(const DualProblem<T>& problem, const SmoSettings& settings, SmoState<T>& whole, RowStore<T>& store,
                Index limit, double& decrease, runtime::Interrupt& interrupt, SmoReport& report, runtime::Team& team) {
  double smallest[2] = {kInfinity, kInfinity}, largest[2] = {-kInfinity, -kInfinity};
  find_extremes(problem, whole, smallest, largest);
  ShrunkPart<T> part(problem, whole, smallest, largest);
  if (static_cast<double>(part.count()) > kShrunkShare * static_cast<double>(problem.positions())) return;
  part.pack();
  // Far from the end the choice of what to leave out may be wrong: come back soon.
  constexpr double kSoon = 10.0;
  const double gap = std::max(largest[0] - smallest[0], largest[1] - smallest[1]);
  const double tolerance = gap > 2 * kSoon * settings.tolerance ? kSoon * settings.tolerance : settings.tolerance;
  if (settings.max_iterations >= 0) limit = std::min(limit, settings.max_iterations - report.iterations);
  const Index end = report.iterations + limit;
  while (report.iterations < end) {
    const SmoOutcome outcome = problem.rows->kernels().smo(part.state(), tolerance,
                                                           std::min(kIterationsBetweenPolls, end - report.iterations));
    report.iterations += outcome.iterations;
    decrease += outcome.decrease;
    if (outcome.end == SmoEnd::kConverged || !std::isfinite(outcome.gap)) break;
    if (outcome.end == SmoEnd::kMissingRow) {
      const Index position = part.whole_position(outcome.missing);
      if (whole.rows[position] == nullptr) store.fetch(position, whole, team);
      part.provide(outcome.missing);
      continue;
    }
    if (outcome.iterations == 0) break;
    poll(interrupt, settings.stop);
    if (settings.late()) break;
  }
  part.give_back();
}

/// The whole problem at once: LIBSVM's iterations, kernel rows made when they are first needed.
template <class T>
SmoReport solve_whole(const DualProblem<T>& problem, const SmoSettings& settings, SmoWorkspace<T>& workspace,
                      runtime::Team& team) {
  const Index positions = problem.positions(), variables = problem.variables();
  Buffer<double> penalty_up(variables), penalty_low(variables), diagonal(variables);
  for (Index v = 0; v < variables; ++v) {
    penalty_up[v] = problem.beta[v] < problem.highest[v] ? 0.0 : kInfinity;
    penalty_low[v] = problem.beta[v] > problem.lowest[v] ? 0.0 : -kInfinity;
    diagonal[v] = problem.rows->diagonal(problem.slot(v % positions));
  }
  RowStore<T> store(problem, settings.cache_bytes, workspace);
  SmoState<T> state;
  state.rows = store.rows();
  state.diagonal = diagonal.data();
  state.beta = problem.beta;
  state.lowest = problem.lowest;
  state.highest = problem.highest;
  state.f = problem.f;
  state.penalty_up = penalty_up.data();
  state.penalty_low = penalty_low.data();
  if (problem.constraint_per_run) {
    const Index middle = problem.groups[0] * problem.rows->width();
    state.segments[0] = {0, middle, 0, 0};
    state.segments[1] = {middle, positions, middle, 1};
    state.segment_count = 2;
  } else if (problem.sides == 2) {
    state.segments[0] = {0, positions, 0, 0};
    state.segments[1] = {positions, variables, 0, problem.constraint_per_side ? 1 : 0};
    state.segment_count = 2;
  } else {
    state.segments[0] = {0, positions, 0, 0};
  }

  runtime::Interrupt interrupt;
  SmoReport report;
  StallGuard guard(std::max(kPatience, 100 * variables));
  const auto& kernels = problem.rows->kernels();
  const bool shrinks = settings.shrinking && store.keeps_all() && positions >= kSmallestShrunk;
  const Index between = std::min(positions, kIterationsBetweenShrinking);
  Index next_shrinking = between, part_limit = 2 * positions;
  for (;;) {
    if (shrinks && report.iterations >= next_shrinking) {
      const Index before = report.iterations;
      double decrease = 0.0;
      solve_part(problem, settings, state, store, part_limit, decrease, interrupt, report, team);
      next_shrinking = report.iterations + between;
      if (report.iterations > before) part_limit *= 2;
      if (guard.stalls(
              report.iterations - before, decrease, report.gap, [&] { return objective(problem); },
              [&] { return gradient_terms(problem); })) {
        report.status = SmoStatus::kStalled;
        break;
      }
    }
    Index left = shrinks ? next_shrinking - report.iterations : kIterationsBetweenPolls;
    if (settings.max_iterations >= 0) left = std::min(left, settings.max_iterations - report.iterations);
    const SmoOutcome outcome = kernels.smo(state, settings.tolerance, left);
    report.iterations += outcome.iterations;
    report.gap = outcome.gap;
    if (outcome.end == SmoEnd::kConverged) break;
    if (guard.stalls(
            outcome.iterations, outcome.decrease, outcome.gap, [&] { return objective(problem); },
            [&] { return gradient_terms(problem); })) {
      report.status = SmoStatus::kStalled;
      break;
    }
    if (outcome.end == SmoEnd::kMissingRow) {
      store.fetch(outcome.missing % positions, state, team);
      continue;
    }
    poll(interrupt, settings.stop);
    if (settings.late()) {
      report.status = SmoStatus::kMaxSeconds;
      break;
    }
    if (!std::isfinite(outcome.gap) || outcome.iterations == 0 ||
        (settings.max_iterations >= 0 && report.iterations >= settings.max_iterations)) {
      report.status = SmoStatus::kMaxIterations;
      break;
    }
  }
  return report;
}

}  // namespace

void poll(runtime::Interrupt& interrupt, std::atomic<bool>* stop) {
  try {
    interrupt.poll();
  } catch (...) {
    if (stop != nullptr) stop->store(true, std::memory_order_relaxed);
    throw;
  }
  if (stop != nullptr && stop->load(std::memory_order_relaxed)) throw Interrupted();
}

template <class T>
SmoReport solve_dual(const DualProblem<T>& problem, const SmoSettings& settings, SmoWorkspace<T>& workspace,
                     runtime::Team& team) {
  start_gradient(problem, workspace, team);
  SmoReport report;
  if (problem.variables() <= kLargestWhole) {
    report = solve_whole(problem, settings, workspace, team);
  } else {
    solve_blocked(problem, settings, workspace, team, report);
  }
  report.objective = objective(problem);
  return report;
}

template <class T>
double threshold(const DualProblem<T>& problem, Index constraint) {
  double sum = 0.0, above = kInfinity, below = -kInfinity;
  Index free = 0;
  for (Index v = 0; v < problem.variables(); ++v) {
    const double low = problem.lowest[v], high = problem.highest[v], beta = problem.beta[v], f = problem.f[v];
    if (low == high || problem.constraint(v) != constraint) continue;
    if (beta >= high) {
      below = std::max(below, f);
    } else if (beta <= low) {
      above = std::min(above, f);
    } else {
      sum += f;
      ++free;
    }
  }
  if (free > 0) return sum / static_cast<double>(free);
  // nu at the edge of what is feasible: all variables at one bound, and any threshold on their far side is right.
  if (above == kInfinity) return below;
  if (below == -kInfinity) return above;
  return (above + below) / 2;
}

template <class T>
double duality_gap(const DualProblem<T>& problem) {
  const double thresholds[2] = {threshold(problem, 0), problem.constraints() == 2 ? threshold(problem, 1) : 0.0};
  double gap = 0.0;
  for (Index v = 0; v < problem.variables(); ++v) {
    if (problem.lowest[v] == problem.highest[v]) continue;
    const double g = problem.f[v] - thresholds[problem.constraint(v)];
    if (g > 0) gap += g * (problem.beta[v] - problem.lowest[v]);
    if (g < 0) gap -= g * (problem.highest[v] - problem.beta[v]);
  }
  return gap;
}

#define MLCORE_INSTANTIATE(T)                                                                                    \
  template SmoReport solve_dual<T>(const DualProblem<T>&, const SmoSettings&, SmoWorkspace<T>&, runtime::Team&); \
  template double threshold<T>(const DualProblem<T>&, Index);                                                    \
  template double duality_gap<T>(const DualProblem<T>&);
MLCORE_INSTANTIATE(float)
MLCORE_INSTANTIATE(double)

}  // namespace mlcore::svm
