// Linear machines: half the squared length, or the sum of absolute values, of w plus the losses of the rows.
//
//   min over w  R(w) + sum C_i loss(y_i, w.x_i),   R(w) = 1/2 |w|^2  or  |w|_1
//
//   hinge                        max(0, 1 - y z)         y = +-1
//   squared hinge                max(0, 1 - y z)^2
//   epsilon-insensitive          max(0, |y - z| - epsilon)
//   squared epsilon-insensitive  max(0, |y - z| - epsilon)^2
//
// A constant feature `bias` stands for the intercept and is penalised like the others. With several classes one
// problem for each class against the rest, or all of them in one (Crammer and Singer). Methods and stopping rules are
// LIBLINEAR's (R.-E. Fan, K.-W. Chang, C.-J. Hsieh, X.-R. Wang, C.-J. Lin, "LIBLINEAR: a library for large linear
// classification", JMLR 9, 2008):
//
//   dual            coordinate descent in the multipliers of the rows, in random order, with shrinking
//   primal          trust-region Newton method; squared losses
//   primal_l1       coordinate descent in w with R = |w|_1; squared hinge
//   crammer_singer  coordinate descent in blocks of the multipliers of one row
#pragma once
#include <cstdint>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/views.hpp"

namespace mlcore::svm {

enum class LinearLoss : int {
  kHinge = 0,
  kSquaredHinge = 1,
  kEpsilonInsensitive = 2,
  kSquaredEpsilonInsensitive = 3,
};
enum class LinearMethod : int { kDual = 0, kPrimal = 1, kPrimalL1 = 2, kCrammerSinger = 3 };

struct LinearSpec {
  LinearLoss loss = LinearLoss::kSquaredHinge;
  LinearMethod method = LinearMethod::kDual;
  double tolerance = 1e-4;
  Index max_iterations = 1000;
  double bias = 1.0;                 ///< value of the constant feature; 0: none
  double epsilon = 0.0;              ///< of regression
  Index problems = 1;                ///< 1, or the number of classes
  VectorView<const double> targets;  ///< regression: targets; classification: class numbers (with one problem, 1 is +)
  VectorView<const double> costs;    ///< C_i; rows with zero or less are left out
  VectorView<const double> positive_costs;  ///< factor of C_i for the rows of the class, one per problem (classes)
  VectorView<const double> negative_costs;  ///< and for the rest
  std::uint64_t seed = 0;
  int n_jobs = 0;
};

struct LinearResult {
  Buffer<double> weights;           ///< problems x (features + 1 with bias)
  Buffer<std::int32_t> iterations;  ///< of each problem
  Buffer<double> objective;         ///< of the primal
};

/// View: MatrixView<const T> or CsrView<T, I>. Bit-identical for any number of threads.
template <class View>
LinearResult linear_fit(const View& x, const LinearSpec& spec);

}  // namespace mlcore::svm
