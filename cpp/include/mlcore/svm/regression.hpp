// Machines with one problem: support vector regression and the one-class machine.
//
//   epsilon-SVR  min  1/2 b'K b - t'b + epsilon sum |b|      s.t.  |b_i| <= C_i, sum b = 0
//   nu-SVR       min  1/2 b'K b - t'b                        s.t.  |b_i| <= C_i, sum b = 0, sum |b| <= nu sum C_i
//   one-class    min  1/2 b'K b                              s.t.  0 <= b_i <= w_i, sum b = nu sum w_i
//
// Prediction: sum b_i K(x_i, x) - rho. In nu-SVR half the width of the tube, epsilon, is found by the problem. These
// are LIBSVM's problems (C.-C. Chang, C.-J. Lin, "LIBSVM: a library for support vector machines", ACM TIST 2, 2011; B.
// Schoelkopf et al., "New support vector algorithms", Neural Computation 12, 2000), solved to its tolerance.
#pragma once
#include <cstdint>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/svm/machine.hpp"

namespace mlcore::svm {

enum class SingleProblem : int { kEpsilonSvr = 0, kNuSvr = 1, kOneClass = 2 };

struct SingleSpec : MachineSpec {
  SingleProblem problem = SingleProblem::kEpsilonSvr;
  VectorView<const double> targets;  ///< of regression
  VectorView<const double> bounds;   ///< C_i or w_i; rows with zero or less are left out
  double epsilon = 0.1;              ///< of epsilon-SVR
  double nu = 0.5;                   ///< of the others
};

struct SingleResult {
  Buffer<Index> support;     ///< row numbers, ascending
  Buffer<double> dual_coef;  ///< b of the support vectors
  double rho = 0.0;
  double epsilon = 0.0;  ///< of the tube
  Index at_bound = 0;    ///< multipliers at C_i
  Index iterations = 0;
  double kkt_violation = 0.0;
  double dual_gap = 0.0;
  double dual_objective = 0.0;  ///< minus the minimum
  bool single_precision = false;
  int status = 0;  ///< 0; 1: max_iterations; 2: no further progress; 3: max_seconds
};

/// View: MatrixView<const T> or CsrView<T, I>.
template <class View>
SingleResult single_fit(const View& x, const SingleSpec& spec);

}  // namespace mlcore::svm
