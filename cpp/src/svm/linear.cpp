#include "mlcore/svm/linear.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "svm/linear_rows.hpp"

namespace mlcore::svm {

namespace {

bool classification(const LinearSpec& spec) {
  return spec.loss == LinearLoss::kHinge || spec.loss == LinearLoss::kSquaredHinge;
}

LinearProblem problem_of(const LinearSpec& spec, Index number) {
  LinearProblem problem;
  problem.loss = spec.loss;
  problem.epsilon = spec.epsilon;
  problem.tolerance = spec.tolerance;
  problem.max_iterations = spec.max_iterations;
  problem.seed = spec.seed;
  const bool signs = classification(spec) && spec.method != LinearMethod::kCrammerSinger;
  const double positive_class = spec.problems == 1 ? 1.0 : static_cast<double>(number);
  for (Index i = 0; i < spec.costs.size; ++i) {
    double y = spec.targets[i], cost = spec.costs[i];
    if (signs) {
      y = y == positive_class ? 1.0 : -1.0;
      cost *= y > 0 ? spec.positive_costs[number] : spec.negative_costs[number];
    } else if (classification(spec)) {
      cost *= spec.positive_costs[static_cast<Index>(y)];
    }
    if (!(cost > 0)) continue;
    problem.rows.push_back(i);
    problem.y.push_back(y);
    problem.cost.push_back(cost);
  }
  return problem;
}

template <class T>
double objective(const LinearRows<T>& x, const LinearProblem& problem, bool absolute, const double* w) {
  double sum = 0.0;
  for (Index j = 0; j < x.width(); ++j) sum += absolute ? std::abs(w[j]) : 0.5 * w[j] * w[j];
  for (Index k = 0; k < problem.size(); ++k) {
    const auto at = static_cast<std::size_t>(k);
    sum += problem.cost[at] * problem.loss_at(k, x.dot(problem.rows[at], w));
  }
  return sum;
}

template <class T>
LinearResult fit(const LinearRows<T>& x, const LinearSpec& spec) {
  const int threads = runtime::resolve_threads(spec.n_jobs).threads;
  const Index width = x.width();
  LinearResult result;
  result.weights = Buffer<double>::zeros({spec.problems, width});
  result.iterations = Buffer<std::int32_t>::zeros({spec.problems});
  result.objective = Buffer<double>::zeros({spec.problems});
  if (spec.method == LinearMethod::kCrammerSinger) {
    const LinearProblem problem = problem_of(spec, 0);
    result.iterations[0] =
        static_cast<std::int32_t>(solve_crammer_singer(x, problem, spec.problems, result.weights.data()));
    return result;
  }
  // Several problems: one each for the threads. One: the Newton method shares its passes out.
  const int at_a_time = runtime::threads_for_work(threads, 20.0 * static_cast<double>(spec.problems) * x.entries());
  const bool together = spec.problems > 1 && at_a_time > 1;
  const auto solve = [&](Index p) {
    const LinearProblem problem = problem_of(spec, p);
    double* w = result.weights.data() + p * width;
    Index iterations = 0;
    switch (spec.method) {
      case LinearMethod::kPrimal:
        iterations = solve_newton(x, problem, together ? 1 : threads, w);
        break;
      case LinearMethod::kPrimalL1:
        iterations = solve_l1(x, problem, w);
        break;
      default:
        iterations = solve_dual_coordinates(x, problem, w);
    }
    result.iterations[p] = static_cast<std::int32_t>(std::min<Index>(iterations, 2147483647));
    result.objective[p] = objective(x, problem, spec.method == LinearMethod::kPrimalL1, w);
  };
  runtime::parallel_for(spec.problems, together ? at_a_time : 1, solve);
  return result;
}

}  // namespace

template <class View>
LinearResult linear_fit(const View& x, const LinearSpec& spec) {
  require(spec.targets.size == x.rows && spec.costs.size == x.rows, "targets and costs must have one entry per row");
  require(spec.problems >= 1, "at least one problem is needed");
  require(spec.method != LinearMethod::kPrimal || spec.loss == LinearLoss::kSquaredHinge ||
              spec.loss == LinearLoss::kSquaredEpsilonInsensitive,
          "the primal method needs a squared loss");
  require(spec.method != LinearMethod::kPrimalL1 || spec.loss == LinearLoss::kSquaredHinge,
          "the 1-norm needs the squared hinge loss");
  if (classification(spec)) {
    require(spec.positive_costs.size == spec.problems && spec.negative_costs.size == spec.problems,
            "one factor of the costs for each problem");
    const Index classes = std::max<Index>(spec.problems, 2);
    for (Index i = 0; i < spec.targets.size; ++i)
      require(spec.targets[i] >= 0 && spec.targets[i] < static_cast<double>(classes) &&
                  spec.targets[i] == std::floor(spec.targets[i]),
              "class number out of range");
  }
  return fit(LinearRows(x, spec.bias), spec);
}

template LinearResult linear_fit(const MatrixView<const float>&, const LinearSpec&);
template LinearResult linear_fit(const MatrixView<const double>&, const LinearSpec&);
template LinearResult linear_fit(const CsrView<float, std::int32_t>&, const LinearSpec&);
template LinearResult linear_fit(const CsrView<float, std::int64_t>&, const LinearSpec&);
template LinearResult linear_fit(const CsrView<double, std::int32_t>&, const LinearSpec&);
template LinearResult linear_fit(const CsrView<double, std::int64_t>&, const LinearSpec&);

}  // namespace mlcore::svm
