// The dual problem that all kernel machines share, in signed multipliers beta.
//
//   minimise  1/2 beta' K beta + q' beta   subject to  lowest <= beta <= highest  and  sum of beta given
//
// Classification has beta_i = y_i alpha_i and q_i = -y_i; regression two variables per row, beta in [0, C] with
// q = epsilon - t and beta in [-C, 0] with q = -epsilon - t. In the nu-variants each class, or each of the two
// variables of regression, has a sum of its own, and LIBSVM's two-constraint rules apply. The gradient f = K beta + q
// is optimal when no f of a variable that may grow is below an f of one (of the same constraint) that may shrink: the
// largest such difference is the gap, and fits end when it is below tol, as LIBSVM's do.
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>

#include "mlcore/base/buffer.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "svm/kernel_rows.hpp"

namespace mlcore::svm {

/// Variable v = side * positions + position; the positions are the slots of up to two runs of groups, one after the
/// other. Padding has lowest = highest = 0.
template <class T>
struct DualProblem {
  const KernelRows<T>* rows = nullptr;
  Index first_group[2] = {0, 0};
  Index groups[2] = {0, 0};
  Index sides = 1;
  bool constraint_per_run = false;   ///< the two runs have sums of their own
  bool constraint_per_side = false;  ///< the two sides have sums of their own
  const double* linear = nullptr;
  const double* lowest = nullptr;
  const double* highest = nullptr;
  double* beta = nullptr;     ///< in: feasible start; out: solution
  bool start_scales = false;  ///< a multiple of the start is feasible as well, within the bounds: the best is taken
  double* f = nullptr;        ///< out: K beta + linear

  Index positions() const noexcept { return (groups[0] + groups[1]) * rows->width(); }
  Index variables() const noexcept { return sides * positions(); }
  /// Slot of a position.
  Index slot(Index position) const noexcept {
    const Index width = rows->width(), length = groups[0] * width;
    return position < length ? first_group[0] * width + position : first_group[1] * width + position - length;
  }
  Index constraints() const noexcept { return constraint_per_run || constraint_per_side ? 2 : 1; }
  Index constraint(Index variable) const noexcept {
    if (constraint_per_side) return variable >= positions();
    if (constraint_per_run) return variable >= groups[0] * rows->width();
    return 0;
  }
};

struct SmoSettings {
  double tolerance = 1e-3;
  Index max_iterations = -1;  ///< pair updates; -1: no limit
  double cache_bytes = 200e6;
  bool shrinking = true;
  std::atomic<bool>* stop = nullptr;  ///< set by whoever is interrupted
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();

  bool late() const {
    return deadline != std::chrono::steady_clock::time_point::max() && std::chrono::steady_clock::now() >= deadline;
  }
};

enum class SmoStatus : int {
  kSolved = 0,
  kMaxIterations = 1,
  kStalled = 2,  ///< rounding allows no further progress
  kMaxSeconds = 3,
};

struct SmoReport {
  SmoStatus status = SmoStatus::kSolved;
  Index iterations = 0;
  double gap = 0.0;
  double objective = 0.0;  ///< 1/2 beta' K beta + q' beta
};

/// Memory that one thread keeps from problem to problem.
template <class T>
struct SmoWorkspace {
  Buffer<T> row_storage;
  KernelScratch<T> scratch;
  Panel<T> panel;

  T* storage(Index size) {
    if (row_storage.size() < size) row_storage = Buffer<T>(size);
    return row_storage.data();
  }
};

/// Solves the problem. The result does not depend on the team.
template <class T>
SmoReport solve_dual(const DualProblem<T>& problem, const SmoSettings& settings, SmoWorkspace<T>& workspace,
                     runtime::Team& team);

/// Size of the terms that a gradient is the sum of, at most: what its rounding is relative to.
template <class T>
double gradient_terms(const DualProblem<T>& problem) {
  double multipliers = 0.0, linear = 0.0, kernel = 0.0;
  for (Index v = 0; v < problem.variables(); ++v) {
    multipliers += std::abs(problem.beta[v]);
    linear = std::max(linear, std::abs(problem.linear[v]));
    if (problem.highest[v] > problem.lowest[v])
      kernel = std::max(kernel, std::abs(problem.rows->diagonal(problem.slot(v % problem.positions()))));
  }
  return linear + multipliers * kernel;
}

/// Tells when rounding allows no further progress: over many iterations the objective was to fall by less than its last
/// digit, or the violation is one of the last digits of the gradients. (The promise alone would not do: steps to and
/// fro each promise something. Nor would the objective: its own rounding adds up over millions of steps.)
class StallGuard {
 public:
  /// `patience`: iterations that may pass without progress.
  explicit StallGuard(Index patience) : patience_(patience) {}
  /// Counts what was done; `objective()` and `terms()` are asked rarely.
  template <class Objective, class Terms>
  bool stalls(Index iterations, double decrease, double gap, Objective&& objective, Terms&& terms) {
    iterations_ += iterations;
    decrease_ += decrease;
    if (iterations_ < patience_) return false;
    const bool stalled = decrease_ <= 1e-15 * std::abs(objective()) || gap <= 1e-14 * terms();
    iterations_ = 0;
    decrease_ = 0.0;
    return stalled;
  }

 private:
  Index patience_;
  Index iterations_ = 0;
  double decrease_ = 0.0;
};

/// 1/2 beta' K beta + q' beta, from the gradient.
template <class T>
double objective(const DualProblem<T>& problem) {
  double sum = 0.0;  // 1/2 beta' (K beta + q + q)
  for (Index v = 0; v < problem.variables(); ++v) sum += problem.beta[v] * (problem.f[v] + problem.linear[v]);
  return 0.5 * sum;
}

/// The threshold r of one constraint, f >= r where beta < highest and f <= r where beta > lowest: the mean over the
/// free variables, or the middle of what the bounded ones leave, or its finite end.
template <class T>
double threshold(const DualProblem<T>& problem, Index constraint);

/// Primal minus dual objective at beta and the thresholds: sum over v of (f - r) beta - min over b in [lowest, highest]
/// of (f - r) b. Never negative; zero at the solution.
template <class T>
double duality_gap(const DualProblem<T>& problem);

}  // namespace mlcore::svm
