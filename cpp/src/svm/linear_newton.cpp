// Trust-region Newton method for squared losses:
//
//   f(w) = 1/2 |w|^2 + sum C_i loss(y_i, w.x_i),   g = w + X'r,   H v = v + X' D X v
//
// with r the derivatives of the losses and D their second derivatives, 2 C_i on rows beyond the margin or the tube and
// 0 elsewhere. Steps come from conjugate gradients inside the region (T. Steihaug, SIAM J. Numer. Anal. 20, 1983); its
// radius follows C.-J. Lin, J. J. More, "Newton's method for large bound-constrained optimization problems", SIAM J.
// Optim. 9, 1999, as in C.-J. Lin, R. C. Weng, S. S. Keerthi, "Trust region Newton method for large-scale logistic
// regression", JMLR 9, 2008. One pass over the rows gives value and gradient together, one gives H v: each row is used
// twice while it is in cache. Rows without curvature are skipped.
#include <algorithm>
#include <cmath>
#include <vector>

#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "svm/linear_rows.hpp"

namespace mlcore::svm {

namespace {

constexpr Index kBlock = 512;
constexpr double kForcing = 0.1;  // of the conjugate gradients: residual against gradient
constexpr double kAccept = 1e-4, kPoor = 0.25, kGood = 0.75;
constexpr double kShrinkMost = 0.25, kShrink = 0.5, kGrow = 4.0;

using Vector = std::vector<double>;

double product(const Vector& a, const Vector& b) noexcept {
  double sum = 0.0;
  for (std::size_t j = 0; j < a.size(); ++j) sum += a[j] * b[j];
  return sum;
}
double length(const Vector& a) noexcept { return std::sqrt(product(a, a)); }
void add(double a, const Vector& x, Vector& y) noexcept {
  for (std::size_t j = 0; j < x.size(); ++j) y[j] += a * x[j];
}

struct Sum {
  Vector vector;
  double value = 0.0;
};

template <class T>
class Objective {
 public:
  Objective(const LinearRows<T>& x, const LinearProblem& problem, int threads)
      : x_(x), problem_(problem), curvature_(problem.rows.size(), 0.0) {
    const double share = static_cast<double>(problem.size()) / std::max(1.0, static_cast<double>(x.rows()));
    threads_ = runtime::threads_for_work(threads, 0.5 * share * x.entries());
  }

  /// Value and gradient; the curvatures of the rows are those at `w` afterwards.
  double evaluate(const Vector& w, Vector& gradient) {
    Sum sum = over_rows([&](Index k, Sum& part) {
      const auto at = static_cast<std::size_t>(k);
      const double z = x_.dot(problem_.rows[at], w.data()), y = problem_.y[at], cost = problem_.cost[at];
      double slope = 0.0, over = 0.0;
      if (problem_.regression()) {
        over = std::max(0.0, std::abs(z - y) - problem_.epsilon);
        slope = z > y ? over : -over;
      } else {
        over = std::max(0.0, 1.0 - y * z);
        slope = -y * over;
      }
      curvature_[at] = over > 0.0 ? 2.0 * cost : 0.0;
      if (over <= 0.0) return;
      part.value += cost * over * over;
      x_.add(problem_.rows[at], 2.0 * cost * slope, part.vector.data());
    });
    gradient = std::move(sum.vector);
    add(1.0, w, gradient);
    return sum.value + 0.5 * product(w, w);
  }
  /// H v, at the last point whose curvatures were kept.
  void hessian_product(const Vector& v, Vector& out) {
    Sum sum = over_rows([&](Index k, Sum& part) {
      const auto at = static_cast<std::size_t>(k);
      if (kept_[at] == 0.0) return;
      x_.add(problem_.rows[at], kept_[at] * x_.dot(problem_.rows[at], v.data()), part.vector.data());
    });
    out = std::move(sum.vector);
    add(1.0, v, out);
  }
  void keep_curvatures() { kept_ = curvature_; }

 private:
  template <class Row>
  Sum over_rows(Row&& row) {
    const Index n = problem_.size();
    Sum zero;
    zero.vector.assign(static_cast<std::size_t>(x_.width()), 0.0);
    return runtime::reduce_ordered(
        ceil_div(n, kBlock), threads_, zero,
        [&](Index block, Sum& part) {
          for (Index k = block * kBlock; k < std::min(n, (block + 1) * kBlock); ++k) row(k, part);
        },
        [](Sum& all, Sum& part) {
          add(1.0, part.vector, all.vector);
          all.value += part.value;
        });
  }

  const LinearRows<T>& x_;
  const LinearProblem& problem_;
  int threads_ = 1;
  Vector curvature_, kept_;
};

/// Step with H step = -gradient, or to the edge of the region; residual = -gradient - H step.
template <class T>
void conjugate_gradients(Objective<T>& f, const Vector& gradient, double radius, Vector& step, Vector& residual) {
  step.assign(gradient.size(), 0.0);
  residual = gradient;
  for (double& r : residual) r = -r;
  Vector direction = residual, curved;
  const double enough = kForcing * length(gradient);
  double squared = product(residual, residual);
  for (std::size_t k = 0; k <= 2 * gradient.size() && std::sqrt(squared) > enough; ++k) {
    f.hessian_product(direction, curved);
    double by = squared / product(direction, curved);
    Vector next = step;
    add(by, direction, next);
    const bool leaves = length(next) > radius;
    if (leaves) {  // |step + by direction| = radius
      const double sd = product(step, direction), ss = product(step, step), dd = product(direction, direction);
      const double room = radius * radius - ss, root = std::sqrt(sd * sd + dd * room);
      by = sd >= 0 ? room / (sd + root) : (root - sd) / dd;
    }
    add(by, direction, step);
    add(-by, curved, residual);
    if (leaves) return;
    const double before = squared;
    squared = product(residual, residual);
    for (std::size_t j = 0; j < direction.size(); ++j) direction[j] = residual[j] + squared / before * direction[j];
  }
}

}  // namespace

template <class T>
Index solve_newton(const LinearRows<T>& x, const LinearProblem& problem, int threads, double* w) {
  Objective<T> f(x, problem, threads);
  Vector at(static_cast<std::size_t>(x.width()), 0.0), gradient, step, residual, next_gradient;
  double value = f.evaluate(at, gradient);
  f.keep_curvatures();
  double tolerance = problem.tolerance;
  if (!problem.regression()) {  // relative to the smaller class, as LIBLINEAR's
    Index positive = 0;
    for (const double y : problem.y) positive += y > 0;
    const Index smaller = std::max<Index>(std::min(positive, problem.size() - positive), 1);
    tolerance *= static_cast<double>(smaller) / static_cast<double>(problem.size());
  }
  const double target = tolerance * length(gradient);
  double radius = length(gradient);
  runtime::Interrupt interrupt;
  Index iteration = 0, refused = 0;
  while (iteration < problem.max_iterations && length(gradient) > target) {
    interrupt.poll();
    ++iteration;
    conjugate_gradients(f, gradient, radius, step, residual);
    Vector candidate = at;
    add(1.0, step, candidate);
    const double next = f.evaluate(candidate, next_gradient);
    const double slope = product(gradient, step), predicted = -0.5 * (slope - product(step, residual));
    const double actual = value - next, size = length(step);
    if (iteration == 1) radius = std::min(radius, size);
    const double bend = next - value - slope;
    const double scale = bend <= 0 ? kGrow : std::max(kShrinkMost, -0.5 * slope / bend);
    if (actual < kAccept * predicted) {
      radius = std::min(std::max(scale, kShrinkMost) * size, kShrink * radius);
    } else if (actual < kPoor * predicted) {
      radius = std::max(kShrinkMost * radius, std::min(scale * size, kShrink * radius));
    } else if (actual < kGood * predicted) {
      radius = std::max(kShrinkMost * radius, std::min(scale * size, kGrow * radius));
    } else {
      radius = std::max(radius, std::min(scale * size, kGrow * radius));
    }
    if (actual > kAccept * predicted) {
      at = std::move(candidate);
      value = next;
      gradient = next_gradient;
      f.keep_curvatures();
      refused = 0;
    } else if (std::abs(actual) <= 1e-12 * std::abs(value) && std::abs(predicted) <= 1e-12 * std::abs(value)) {
      break;  // the value has no digits left to tell steps apart
    } else if (++refused > 60) {
      break;
    }
  }
  std::copy(at.begin(), at.end(), w);
  return iteration;
}

template Index solve_newton<float>(const LinearRows<float>&, const LinearProblem&, int, double*);
template Index solve_newton<double>(const LinearRows<double>&, const LinearProblem&, int, double*);

}  // namespace mlcore::svm
