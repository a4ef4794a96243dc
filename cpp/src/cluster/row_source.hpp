// Rows of X, dense or CSR, behind the few operations that a k-means driver needs besides scoring.
#pragma once
#include <cstdint>

#include "cluster/kmeans_tables.hpp"
#include "mlcore/base/views.hpp"

namespace mlcore::cluster {

template <class T>
class DenseRows {
 public:
  using Scalar = T;
  explicit DenseRows(const MatrixView<const T>& x) noexcept : x_(x), kernels_(kmeans_kernels(T{})) {}
  Index rows() const noexcept { return x_.rows; }
  Index cols() const noexcept { return x_.cols; }
  const MatrixView<const T>& view() const noexcept { return x_; }
  /// Cost of one row in multiply-adds with one centre, for the choice of threads.
  double entries_per_row() const noexcept { return static_cast<double>(x_.cols); }

  void add(Index row, double weight, double* sum) const noexcept {
    kernels_.add_row(x_.row(row), x_.col_stride, x_.cols, weight, sum);
  }
  double squared_distance(Index row, const T* center, double /*center_norm*/) const noexcept {
    return kernels_.squared_distance(x_.row(row), x_.col_stride, center, x_.cols);
  }
  void write_row(Index row, T* out) const noexcept {
    for (Index j = 0; j < x_.cols; ++j) out[j] = x_(row, j);
  }
  /// sum_j += x_j - s_j, square_j += (x_j - s_j)^2 with the shift s.
  void add_moments(Index row, const double* shift, double* sum, double* square) const noexcept {
    kernels_.add_moments(x_.row(row), x_.col_stride, x_.cols, shift, sum, square);
  }
  static constexpr bool kShifted = true;  ///< kernels subtract an offset while they pack

 private:
  MatrixView<const T> x_;
  const KMeansKernels<T>& kernels_;
};

template <class T, class I>
class CsrRows {
 public:
  using Scalar = T;
  using IndexType = I;
  explicit CsrRows(const CsrView<T, I>& x) noexcept : x_(x) {}
  Index rows() const noexcept { return x_.rows; }
  Index cols() const noexcept { return x_.cols; }
  const CsrView<T, I>& view() const noexcept { return x_; }
  double entries_per_row() const noexcept {
    return x_.rows == 0 ? 0.0 : static_cast<double>(x_.indptr[x_.rows]) / static_cast<double>(x_.rows);
  }
  Index begin(Index row) const noexcept { return static_cast<Index>(x_.indptr[row]); }
  Index end(Index row) const noexcept { return static_cast<Index>(x_.indptr[row + 1]); }

  void add(Index row, double weight, double* sum) const noexcept {
    for (Index e = begin(row); e < end(row); ++e) sum[x_.indices[e]] += weight * static_cast<double>(x_.values[e]);
  }
  /// |x|^2 - 2 x.c + |c|^2 as |c|^2 + sum over entries of v (v - 2 c_j): O(entries).
  double squared_distance(Index row, const T* center, double center_norm) const noexcept {
    double total = center_norm;
    for (Index e = begin(row); e < end(row); ++e) {
      const double v = static_cast<double>(x_.values[e]);
      total += v * (v - 2.0 * static_cast<double>(center[x_.indices[e]]));
    }
    return total > 0 ? total : 0;
  }
  void write_row(Index row, T* out) const noexcept {
    for (Index j = 0; j < x_.cols; ++j) out[j] = T(0);
    for (Index e = begin(row); e < end(row); ++e) out[x_.indices[e]] += x_.values[e];
  }
  void add_moments(Index row, const double* /*shift: zero*/, double* sum, double* square) const noexcept {
    for (Index e = begin(row); e < end(row); ++e) {
      const double v = static_cast<double>(x_.values[e]);
      sum[x_.indices[e]] += v;
      square[x_.indices[e]] += v * v;
    }
  }
  static constexpr bool kShifted = false;

 private:
  CsrView<T, I> x_;
};

}  // namespace mlcore::cluster
