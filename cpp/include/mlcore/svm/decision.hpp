// Decision values of kernel machines: for every row x and problem p, sum over its support vectors of coef K(s, x) -
// rho.
//
// Each kernel value is computed once and meets all dual columns of its support vector at once. Cost: rows x support
// vectors x (features + columns). Memory beyond the result: O(support vectors x features) and a few blocks per thread.
// A value does not depend on the other rows of the call, nor on the number of threads.
#pragma once
#include <cstdint>

#include "mlcore/base/views.hpp"
#include "mlcore/svm/kernel_function.hpp"

namespace mlcore::svm {

struct DecisionSpec {
  KernelFunction kernel;
  /// (classes - 1) x support vectors, laid out as SvcResult::dual_coef; 1 x support vectors for regression.
  MatrixView<const double> coef;
  VectorView<const std::int32_t> per_class;  ///< support vectors of each class; one entry for regression
  VectorView<const double> rho;              ///< one per problem
  VectorView<const Index> support;  ///< precomputed kernel: the columns of x that belong to the support vectors
  int n_jobs = 0;
};

/// out: rows x problems, row-major. `vectors` is empty for a precomputed kernel.
template <class View, class SupportView>
void decision_values(const View& x, const SupportView& vectors, const DecisionSpec& spec, double* out);

/// Class that wins most pairs, ties to the lower: decision > 0 is a vote for the lower class of the pair.
template <class View, class SupportView>
void predict_classes(const View& x, const SupportView& vectors, const DecisionSpec& spec, std::int32_t* labels);

}  // namespace mlcore::svm
