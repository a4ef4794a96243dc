// Coordinate descent for the 1-norm of w and squared hinge losses:
//
//   min  |w|_1 + sum C_i max(0, b_i)^2,   b_i = 1 - y_i w.x_i
//
// One weight at a time takes a Newton step of the loss with the absolute value kept exact, cut back until the objective
// falls enough; weights at zero that are unlikely to leave it are set aside until the rest has converged (G.-X. Yuan,
// K.-W. Chang, C.-J. Hsieh, C.-J. Lin, "A comparison of optimization methods and software for large-scale
// L1-regularized linear classification", JMLR 11, 2010).
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/random.hpp"
#include "svm/linear_rows.hpp"

namespace mlcore::svm {

namespace {

/// The data by columns, the constant feature last; values are y_i x_ij.
struct Columns {
  std::vector<Index> starts;
  std::vector<std::int32_t> rows;
  std::vector<double> values;

  template <class T>
  Columns(const LinearRows<T>& x, const LinearProblem& problem) : starts(static_cast<std::size_t>(x.width()) + 1, 0) {
    const bool constant = x.bias() != 0.0;
    const auto last = static_cast<std::size_t>(x.features());
    for (const Index i : problem.rows)
      x.for_each(i, [&](Index j, double value) { starts[static_cast<std::size_t>(j) + 1] += value != 0.0; });
    if (constant) starts[last + 1] = problem.size();
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    rows.resize(static_cast<std::size_t>(starts.back()));
    values.resize(rows.size());
    std::vector<Index> next(starts.begin(), starts.end() - 1);
    const auto put = [&](std::size_t j, std::size_t k, double value) {
      const auto at = static_cast<std::size_t>(next[j]++);
      rows[at] = static_cast<std::int32_t>(k);
      values[at] = problem.y[k] * value;
    };
    for (std::size_t k = 0; k < problem.rows.size(); ++k) {
      x.for_each(problem.rows[k], [&](Index j, double value) {
        if (value != 0.0) put(static_cast<std::size_t>(j), k, value);
      });
      if (constant) put(last, k, x.bias());
    }
  }
};

constexpr double kEnough = 0.01;  // of the promised fall
constexpr int kMostCuts = 20;

}  // namespace

template <class T>
Index solve_l1(const LinearRows<T>& x, const LinearProblem& problem, double* w) {
  require(problem.size() <= std::numeric_limits<std::int32_t>::max(), "too many rows");
  const Columns columns(x, problem);
  const Index width = x.width(), n = problem.size();
  std::vector<double> b(problem.rows.size(), 1.0);
  std::vector<Index> order(static_cast<std::size_t>(width));
  std::iota(order.begin(), order.end(), Index{0});
  Index positive = 0;
  for (const double y : problem.y) positive += y > 0;
  const double tolerance = problem.tolerance *
                           static_cast<double>(std::max<Index>(std::min(positive, n - positive), 1)) /
                           static_cast<double>(n);
  double largest_before = std::numeric_limits<double>::infinity(), first_norm = -1.0;
  Index active = width, iteration = 0;
  runtime::Interrupt interrupt;
  while (iteration < problem.max_iterations) {
    interrupt.poll();
    double largest = 0.0, norm = 0.0;
    runtime::random::Stream stream(problem.seed, runtime::random::Purpose::kShuffle, iteration);
    for (Index i = 0; i + 1 < active; ++i)
      std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(i + stream.index(active - i))]);
    for (Index place = 0; place < active; ++place) {
      const Index j = order[static_cast<std::size_t>(place)];
      const auto begin = static_cast<std::size_t>(columns.starts[static_cast<std::size_t>(j)]);
      const auto end = static_cast<std::size_t>(columns.starts[static_cast<std::size_t>(j) + 1]);
      double gradient = 0.0, curvature = 0.0, loss = 0.0;
      for (std::size_t e = begin; e < end; ++e) {
        const auto k = static_cast<std::size_t>(columns.rows[e]);
        if (b[k] <= 0) continue;
        const double value = columns.values[e], scaled = problem.cost[k] * value;
        gradient -= scaled * b[k];
        curvature += scaled * value;
        loss += problem.cost[k] * b[k] * b[k];
      }
      require(std::isfinite(gradient) && std::isfinite(curvature),
              "The values of X are too large: squared lengths overflow; scale it.");
      gradient *= 2.0;
      curvature = std::max(2.0 * curvature, 1e-12);
      const double up = gradient + 1.0, down = gradient - 1.0;
      double violation = 0.0;
      if (w[j] == 0.0) {
        violation = up < 0 ? -up : down > 0 ? down : 0.0;
        const double idle = largest_before / static_cast<double>(n);
        if (up > idle && down < -idle) {
          std::swap(order[static_cast<std::size_t>(place--)], order[static_cast<std::size_t>(--active)]);
          continue;
        }
      } else {
        violation = std::abs(w[j] > 0 ? up : down);
      }
      largest = std::max(largest, violation);
      norm += violation;
      double step = -w[j];
      if (up < curvature * w[j]) {
        step = -up / curvature;
      } else if (down > curvature * w[j]) {
        step = -down / curvature;
      }
      if (std::abs(step) < 1e-12) continue;
      double promised = std::abs(w[j] + step) - std::abs(w[j]) + gradient * step, done = 0.0;
      for (int cut = 0;; ++cut) {
        double next_loss = 0.0;
        for (std::size_t e = begin; e < end; ++e) {
          const auto k = static_cast<std::size_t>(columns.rows[e]);
          b[k] += (done - step) * columns.values[e];
          if (b[k] > 0) next_loss += problem.cost[k] * b[k] * b[k];
        }
        done = step;
        const double rise = std::abs(w[j] + step) - std::abs(w[j]) + next_loss - loss;
        if (rise <= kEnough * promised || cut == kMostCuts) break;
        step *= 0.5;
        promised *= 0.5;
      }
      w[j] += step;
    }
    if (first_norm < 0) first_norm = norm;
    ++iteration;
    if (norm <= tolerance * first_norm) {
      if (active == width) break;
      active = width;
      largest_before = std::numeric_limits<double>::infinity();
      continue;
    }
    largest_before = largest;
  }
  return iteration;
}

template Index solve_l1<float>(const LinearRows<float>&, const LinearProblem&, double*);
template Index solve_l1<double>(const LinearRows<double>&, const LinearProblem&, double*);

}  // namespace mlcore::svm
