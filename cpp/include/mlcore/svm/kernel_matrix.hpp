// Gram matrices: kernel values between two tables of rows.
//
// Computed in the float type of the data, in register tiles, n m (d + a few) operations; memory beyond the result: a
// packed copy of the rows and a block for each thread. An RBF kernel measures from a mean row, so that large common
// offsets do not eat the digits. A value does not depend on the other rows of the call (but for that mean row), nor on
// the number of threads.
#pragma once
#include "mlcore/base/views.hpp"
#include "mlcore/svm/kernel_function.hpp"

namespace mlcore::svm {

/// out[i * z.rows + j] <- K(x_i, z_j). T is the value type of View, MatrixView<const T> or CsrView<T, I>; the kernel
/// is not kPrecomputed.
template <class T, class View>
void kernel_matrix(const View& x, const View& z, const KernelFunction& kernel, int n_jobs, T* out);

/// The same for z = x: half of the values are copies of the others.
template <class T, class View>
void kernel_matrix(const View& x, const KernelFunction& kernel, int n_jobs, T* out);

}  // namespace mlcore::svm
