// Support vector classification: C-SVC and nu-SVC, one machine for every pair of classes.
//
// For each pair (a, b), a < b, the rows of both classes with y = +1 for a and -1 for b:
//
//   C-SVC   max sum alpha - 1/2 sum alpha_i alpha_j y_i y_j K(x_i, x_j)   s.t. 0 <= alpha_i <= C_i, sum alpha_i y_i = 0
//   nu-SVC  the same without the linear term, sum alpha = nu sum C_i, half of it in each class; then divided by the
//           margin r, so that the decision function has LIBSVM's scale
//
// Decision function of a pair: sum alpha_i y_i K(x_i, x) - rho. These are LIBSVM's problems (C.-C. Chang, C.-J. Lin,
// "LIBSVM: a library for support vector machines", ACM TIST 2, 2011), solved to its tolerance.
#pragma once
#include <atomic>
#include <cstdint>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/svm/machine.hpp"

namespace mlcore::svm {

struct SvcSpec : MachineSpec {
  Index classes = 2;
  VectorView<const std::int32_t> labels;  ///< 0 .. classes - 1
  VectorView<const double> bounds;        ///< C_i; rows with C_i <= 0 are left out
  std::atomic<bool>* stop = nullptr;      ///< set from another thread: the fit ends with Interrupted
  bool nu_svc = false;
  double nu = 0.5;
};

/// p = classes (classes - 1) / 2 pairs, in the order (0,1), (0,2), ..., (1,2), ...
struct SvcResult {
  Buffer<Index> support;           ///< row numbers, class after class
  Buffer<std::int32_t> per_class;  ///< support vectors of each class
  Buffer<double> dual_coef;        ///< (classes - 1) x support: alpha y; row b - 1 (a < b) or b (a > b) for a of (a, b)
  Buffer<double> rho;              ///< p
  Buffer<std::int32_t> iterations;  ///< p
  Buffer<double> kkt_violation;     ///< p
  Buffer<double> dual_gap;          ///< p
  Buffer<double> dual_objective;    ///< p, of the maximisation
  Buffer<std::int32_t> at_bound;    ///< p: multipliers at C_i
  bool single_precision = false;    ///< kernel values were float32
  int status = 0;                   ///< 0; 1: max_iterations; 2: no further progress; 3: max_seconds
};

/// View: MatrixView<const T> or CsrView<T, I>. Throws std::invalid_argument when nu is infeasible for a pair.
template <class View>
SvcResult svc_fit(const View& x, const SvcSpec& spec);

}  // namespace mlcore::svm
