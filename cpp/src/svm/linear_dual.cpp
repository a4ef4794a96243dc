// Dual coordinate descent. In the multipliers of the rows, with w = sum beta_i x_i kept up to date,
//
//   min  1/2 beta'X X'beta + 1/2 sum D_i beta_i^2 - y'beta (+ epsilon |beta|_1)
//
//   hinge            0 <= y_i beta_i <= C_i     D_i = 0
//   squared hinge    0 <= y_i beta_i            D_i = 1 / (2 C_i)
//   eps.-insensitive -C_i <= beta_i <= C_i      D_i = 0, with epsilon; squared: no bounds, D_i = 1 / (2 C_i)
//
// One multiplier is optimised at a time; rows at a bound that are unlikely to move are set aside until the rest has
// converged (C.-J. Hsieh, K.-W. Chang, C.-J. Lin, S. S. Keerthi, S. Sundararajan, "A dual coordinate descent method for
// large-scale linear SVM", ICML 2008; C.-H. Ho, C.-J. Lin, "Large-scale linear support vector regression", JMLR 13,
// 2012). Crammer and Singer's problem: all multipliers of a row at a time (S. S. Keerthi et al., "A sequential dual
// method for large scale multi-class linear SVMs", KDD 2008).
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/random.hpp"
#include "svm/linear_rows.hpp"

namespace mlcore::svm {

namespace {

using runtime::random::Purpose;
using runtime::random::Stream;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Puts the first `count` numbers into random order.
void shuffle(std::vector<Index>& order, Index count, std::uint64_t seed, Index epoch) {
  Stream stream(seed, Purpose::kShuffle, epoch);
  for (Index i = 0; i + 1 < count; ++i) {
    const auto j = i + static_cast<Index>(stream.below(static_cast<std::uint64_t>(count - i)));
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(j)]);
  }
}

struct DualState {
  std::vector<Index> order;
  std::vector<double> beta, curvature, diagonal;

  template <class T>
  DualState(const LinearRows<T>& x, const LinearProblem& problem)
      : order(problem.rows.size()), beta(order.size(), 0.0), curvature(order.size()), diagonal(order.size()) {
    std::iota(order.begin(), order.end(), Index{0});
    for (std::size_t k = 0; k < order.size(); ++k) {
      diagonal[k] = problem.squared() ? 0.5 / problem.cost[k] : 0.0;
      curvature[k] = x.squared_length(problem.rows[k]) + diagonal[k];
      require(std::isfinite(curvature[k]), "The values of X are too large: squared lengths overflow; scale it.");
    }
  }
};

/// Classification; beta is y alpha, the bounds are those of alpha.
template <class T>
Index classify(const LinearRows<T>& x, const LinearProblem& problem, double* w) {
  DualState s(x, problem);
  const Index n = problem.size();
  Index active = n, iteration = 0;
  double largest_before = kInfinity, smallest_before = -kInfinity;
  runtime::Interrupt interrupt;
  while (iteration < problem.max_iterations) {
    interrupt.poll();
    double largest = -kInfinity, smallest = kInfinity;  // projected gradients
    shuffle(s.order, active, problem.seed, iteration);
    for (Index place = 0; place < active; ++place) {
      const auto k = static_cast<std::size_t>(s.order[static_cast<std::size_t>(place)]);
      const double y = problem.y[k], alpha = y * s.beta[k], bound = problem.squared() ? kInfinity : problem.cost[k];
      const double gradient = y * x.dot(problem.rows[k], w) - 1.0 + s.diagonal[k] * alpha;
      double projected = gradient;
      if (alpha <= 0.0) {
        if (gradient > largest_before) {
          std::swap(s.order[static_cast<std::size_t>(place--)], s.order[static_cast<std::size_t>(--active)]);
          continue;
        }
        projected = std::min(gradient, 0.0);
      } else if (alpha >= bound) {
        if (gradient < smallest_before) {
          std::swap(s.order[static_cast<std::size_t>(place--)], s.order[static_cast<std::size_t>(--active)]);
          continue;
        }
        projected = std::max(gradient, 0.0);
      }
      largest = std::max(largest, projected);
      smallest = std::min(smallest, projected);
      if (std::abs(projected) <= 1e-12) continue;
      const double moved = std::min(std::max(alpha - gradient / s.curvature[k], 0.0), bound);
      s.beta[k] = y * moved;
      x.add(problem.rows[k], y * (moved - alpha), w);
    }
    ++iteration;
    if (largest - smallest <= problem.tolerance) {
      if (active == n) break;
      active = n;  // once more with all
      largest_before = kInfinity;
      smallest_before = -kInfinity;
      continue;
    }
    largest_before = largest <= 0 ? kInfinity : largest;
    smallest_before = smallest >= 0 ? -kInfinity : smallest;
  }
  return iteration;
}

template <class T>
Index regress(const LinearRows<T>& x, const LinearProblem& problem, double* w) {
  DualState s(x, problem);
  const Index n = problem.size();
  Index active = n, iteration = 0;
  double largest_before = kInfinity, first_norm = -1.0;
  runtime::Interrupt interrupt;
  while (iteration < problem.max_iterations) {
    interrupt.poll();
    double largest = 0.0, norm = 0.0;
    shuffle(s.order, active, problem.seed, iteration);
    for (Index place = 0; place < active; ++place) {
      const auto k = static_cast<std::size_t>(s.order[static_cast<std::size_t>(place)]);
      const double bound = problem.squared() ? kInfinity : problem.cost[k], beta = s.beta[k];
      const double gradient = x.dot(problem.rows[k], w) - problem.y[k] + s.diagonal[k] * beta;
      const double up = gradient + problem.epsilon, down = gradient - problem.epsilon;  // of growing, of shrinking
      double violation = 0.0;
      bool set_aside = false;
      if (beta == 0.0) {
        violation = up < 0 ? -up : down > 0 ? down : 0.0;
        set_aside = up > largest_before && down < -largest_before;
      } else if (beta >= bound) {
        violation = up > 0 ? up : 0.0;
        set_aside = up < -largest_before;
      } else if (beta <= -bound) {
        violation = down < 0 ? -down : 0.0;
        set_aside = down > largest_before;
      } else {
        violation = std::abs(beta > 0 ? up : down);
      }
      if (set_aside) {
        std::swap(s.order[static_cast<std::size_t>(place--)], s.order[static_cast<std::size_t>(--active)]);
        continue;
      }
      largest = std::max(largest, violation);
      norm += violation;
      double step = -beta;  // to zero, unless a Newton step stays on one side of it
      if (up < s.curvature[k] * beta) {
        step = -up / s.curvature[k];
      } else if (down > s.curvature[k] * beta) {
        step = -down / s.curvature[k];
      }
      if (std::abs(step) < 1e-12) continue;
      const double moved = std::min(std::max(beta + step, -bound), bound);
      s.beta[k] = moved;
      if (moved != beta) x.add(problem.rows[k], moved - beta, w);
    }
    if (first_norm < 0) first_norm = norm;
    ++iteration;
    if (norm <= problem.tolerance * first_norm) {
      if (active == n) break;
      active = n;
      largest_before = kInfinity;
      continue;
    }
    largest_before = largest;
  }
  return iteration;
}

}  // namespace

template <class T>
Index solve_dual_coordinates(const LinearRows<T>& x, const LinearProblem& problem, double* w) {
  return problem.regression() ? regress(x, problem, w) : classify(x, problem, w);
}

template <class T>
Index solve_crammer_singer(const LinearRows<T>& x, const LinearProblem& problem, Index classes, double* w) {
  const Index n = problem.size(), width = x.width();
  const auto k_classes = static_cast<std::size_t>(classes);
  std::vector<double> alpha(problem.rows.size() * k_classes, 0.0), gradient(k_classes), target(k_classes),
      sorted(k_classes);
  std::vector<Index> order(problem.rows.size());
  std::iota(order.begin(), order.end(), Index{0});
  runtime::Interrupt interrupt;
  Index iteration = 0;
  while (iteration < problem.max_iterations) {
    interrupt.poll();
    double worst = 0.0;
    shuffle(order, n, problem.seed, iteration);
    for (const Index row : order) {
      const auto k = static_cast<std::size_t>(row);
      const Index i = problem.rows[k];
      const auto own = static_cast<std::size_t>(problem.y[k]);
      const double C = problem.cost[k], curvature = x.squared_length(i);
      if (curvature <= 0.0) continue;
      double* a = alpha.data() + k * k_classes;
      double largest = -kInfinity, smallest = kInfinity;
      for (std::size_t m = 0; m < k_classes; ++m) {
        gradient[m] = x.dot(i, w + static_cast<Index>(m) * width) + (m == own ? 0.0 : 1.0);
        largest = std::max(largest, gradient[m]);
        if (a[m] < (m == own ? C : 0.0)) smallest = std::min(smallest, gradient[m]);
      }
      if (smallest == kInfinity || largest - smallest <= 1e-12) continue;
      worst = std::max(worst, largest - smallest);
      // min over a' of 1/2 A |a'|^2 + B.a' with a'_m <= C [m = own] and sum 0: a' = min(bound, (shift - B) / A).
      for (std::size_t m = 0; m < k_classes; ++m) {
        target[m] = gradient[m] - curvature * a[m];
        sorted[m] = target[m] + (m == own ? curvature * C : 0.0);
      }
      std::sort(sorted.begin(), sorted.end(), std::greater<>());
      double shift = sorted[0] - curvature * C;
      std::size_t r = 1;
      for (; r < k_classes && shift < static_cast<double>(r) * sorted[r]; ++r) shift += sorted[r];
      shift /= static_cast<double>(r);
      for (std::size_t m = 0; m < k_classes; ++m) {
        const double moved = std::min(m == own ? C : 0.0, (shift - target[m]) / curvature);
        const double step = moved - a[m];
        a[m] = moved;
        if (std::abs(step) >= 1e-12) x.add(i, step, w + static_cast<Index>(m) * width);
      }
    }
    ++iteration;
    if (worst <= problem.tolerance) break;
  }
  return iteration;
}

#define MLCORE_INSTANTIATE(T)                                                                    \
  template Index solve_dual_coordinates<T>(const LinearRows<T>&, const LinearProblem&, double*); \
  template Index solve_crammer_singer<T>(const LinearRows<T>&, const LinearProblem&, Index, double*);
MLCORE_INSTANTIATE(float)
MLCORE_INSTANTIATE(double)

}  // namespace mlcore::svm
