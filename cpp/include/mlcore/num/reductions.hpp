// Sums over arrays in float64 with a fixed order: blocks by shape, at most 64 partial results, added in index order.
// The bits are the same for any number of threads; they may differ between instruction-set levels. T is float or
// double.
#pragma once
#include "mlcore/base/buffer.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/runtime/isa.hpp"

namespace mlcore::num {

/// sum of x[i]; error about (n / 8192 + 2000) float64 roundings of sum |x[i]| at worst, far less in practice.
template <class T>
double sum(VectorView<const T> x, int threads, runtime::IsaLevel level = runtime::isa_level());

/// sum of x[i] y[i]; float32 products are exact.
template <class T>
double dot(VectorView<const T> x, VectorView<const T> y, int threads, runtime::IsaLevel level = runtime::isa_level());

/// Per column: mean and population variance (divided by n).
struct ColumnMoments {
  Buffer<double> mean;
  Buffer<double> variance;
};

/// Moments of the columns of an n x d matrix (n >= 1, else std::invalid_argument) in one pass over memory: each block
/// of rows is passed twice while it is in the cache (mean, then squared deviations), and blocks are joined by
///   mean = mean_a + delta n_b / n,   squares = squares_a + squares_b + delta^2 n_a n_b / n,   delta = mean_b - mean_a.
/// All values are taken relative to the first row, so an offset far larger than the spread does no harm and a constant
/// column has variance 0 exactly; the mean is good to a few roundings of max |x|. Any strides; extra memory O(d) per
/// partial result. Reference: T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance",
/// Am. Stat. 37 (1983).
template <class T>
ColumnMoments column_moments(MatrixView<const T> x, int threads, runtime::IsaLevel level = runtime::isa_level());

}  // namespace mlcore::num
