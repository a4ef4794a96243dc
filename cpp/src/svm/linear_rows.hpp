// Rows of the data with the constant feature, read where they are whenever they lie in rows.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/svm/linear.hpp"
#include "svm/linear.kernels.hpp"

namespace mlcore::svm {

inline const LinearKernels<float>& linear_kernels(float) { MLCORE_SELECT_KERNELS(linear_kernels_f32) }
inline const LinearKernels<double>& linear_kernels(double) { MLCORE_SELECT_KERNELS(linear_kernels_f64) }

template <class T>
class LinearRows {
 public:
  LinearRows(const MatrixView<const T>& x, double bias)
      : kernels_(linear_kernels(T())), rows_(x.rows), features_(x.cols), bias_(bias), data_(x.data) {
    stride_ = x.row_stride;
    if (x.is_row_major() || x.rows == 0) return;
    own_ = Buffer<T>({x.rows, x.cols});  // columns: rows are wanted
    for (Index j = 0; j < x.cols; ++j)
      for (Index i = 0; i < x.rows; ++i) own_[i * x.cols + j] = x(i, j);
    data_ = own_.data();
    stride_ = x.cols;
  }
  template <class I>
  LinearRows(const CsrView<T, I>& x, double bias)
      : kernels_(linear_kernels(T())), rows_(x.rows), features_(x.cols), bias_(bias), data_(x.values) {
    require(x.cols <= std::numeric_limits<std::int32_t>::max(), "too many columns");
    starts_ = Buffer<Index>(x.rows + 1);
    for (Index i = 0; i <= x.rows; ++i) starts_[i] = static_cast<Index>(x.indptr[i]);
    if constexpr (sizeof(I) == sizeof(std::int32_t)) {
      indices_ = x.indices;
    } else {
      own_indices_ = Buffer<std::int32_t>(starts_[x.rows]);
      for (Index e = 0; e < own_indices_.size(); ++e) own_indices_[e] = static_cast<std::int32_t>(x.indices[e]);
      indices_ = own_indices_.data();
    }
    sparse_ = true;
  }

  Index rows() const noexcept { return rows_; }
  /// With the constant feature.
  Index width() const noexcept { return features_ + (bias_ != 0.0 ? 1 : 0); }
  bool sparse() const noexcept { return sparse_; }
  /// Values that a pass over all rows reads.
  double entries() const noexcept {
    return sparse_ ? static_cast<double>(starts_[rows_]) : static_cast<double>(rows_) * static_cast<double>(features_);
  }

  double dot(Index i, const double* w) const noexcept {
    const double constant = bias_ != 0.0 ? bias_ * w[features_] : 0.0;
    if (!sparse_) return kernels_.dot(features_, data_ + i * stride_, w) + constant;
    return kernels_.sparse_dot(starts_[i + 1] - starts_[i], data_ + starts_[i], indices_ + starts_[i], w) + constant;
  }
  void add(Index i, double a, double* w) const noexcept {
    if (bias_ != 0.0) w[features_] += a * bias_;
    if (!sparse_) return kernels_.add(features_, a, data_ + i * stride_, w);
    kernels_.sparse_add(starts_[i + 1] - starts_[i], a, data_ + starts_[i], indices_ + starts_[i], w);
  }
  double squared_length(Index i) const noexcept {
    double sum = bias_ * bias_;
    for_each(i, [&](Index, double value) { sum += value * value; });
    return sum;
  }
  /// fn(column, value), without the constant feature.
  template <class Fn>
  void for_each(Index i, Fn&& fn) const {
    if (!sparse_) {
      for (Index j = 0; j < features_; ++j) fn(j, static_cast<double>(data_[i * stride_ + j]));
      return;
    }
    for (Index e = starts_[i]; e < starts_[i + 1]; ++e) fn(Index{indices_[e]}, static_cast<double>(data_[e]));
  }
  double bias() const noexcept { return bias_; }
  Index features() const noexcept { return features_; }

 private:
  const LinearKernels<T>& kernels_;
  Index rows_;
  Index features_;
  double bias_;
  const T* data_;
  Index stride_ = 0;
  bool sparse_ = false;
  Buffer<T> own_;
  Buffer<Index> starts_;
  const std::int32_t* indices_ = nullptr;
  Buffer<std::int32_t> own_indices_;
};

/// One problem: the rows in use with their signs or targets and costs.
struct LinearProblem {
  std::vector<Index> rows;
  std::vector<double> y;
  std::vector<double> cost;
  LinearLoss loss = LinearLoss::kSquaredHinge;
  double epsilon = 0.0;
  double tolerance = 1e-4;
  Index max_iterations = 1000;
  std::uint64_t seed = 0;

  Index size() const noexcept { return static_cast<Index>(rows.size()); }
  bool regression() const noexcept {
    return loss == LinearLoss::kEpsilonInsensitive || loss == LinearLoss::kSquaredEpsilonInsensitive;
  }
  bool squared() const noexcept {
    return loss == LinearLoss::kSquaredHinge || loss == LinearLoss::kSquaredEpsilonInsensitive;
  }
  /// Loss of row k at z, without its cost.
  double loss_at(Index k, double z) const noexcept {
    const double target = y[static_cast<std::size_t>(k)];
    const double over = regression() ? std::max(0.0, std::abs(target - z) - epsilon) : std::max(0.0, 1.0 - target * z);
    return squared() ? over * over : over;
  }
};

/// Solvers: w starts at zero; they return the iterations, and fewer than max_iterations when they have converged.
template <class T>
Index solve_dual_coordinates(const LinearRows<T>& x, const LinearProblem& problem, double* w);
template <class T>
Index solve_newton(const LinearRows<T>& x, const LinearProblem& problem, int threads, double* w);
template <class T>
Index solve_l1(const LinearRows<T>& x, const LinearProblem& problem, double* w);
/// problem.y: class numbers; w: classes x width.
template <class T>
Index solve_crammer_singer(const LinearRows<T>& x, const LinearProblem& problem, Index classes, double* w);

}  // namespace mlcore::svm
