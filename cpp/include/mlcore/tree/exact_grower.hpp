// One regression tree with every distinct value a candidate (T. Chen, C. Guestrin, "XGBoost", KDD 2016, algorithm 1).
//
// Objective, growth, ties and limits are those of grower.hpp; there are no bins. The rows of a node are kept sorted by
// every column, so that a search is one pass over the present values; a threshold is the midpoint of two neighbours
// among the values of the node. Gradients are rounded to a grid of sum |g| / 2^61: for up to 2^20 rows of like size
// that is finer than single precision, so that sums are those of the gradients themselves and have no order.
// Cost O(n d log n) once, then O(n d) a level; memory 8 bytes a value and 8 bytes a distinct value.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/tree/grower.hpp"

namespace mlcore::tree {

/// The rows of a matrix in the order of each column, missing values last, equal values by row number. Immutable.
class SortedMatrix {
 public:
  /// categories as of BinnedMatrix.
  template <class T>
  SortedMatrix(const MatrixView<const T>& x, VectorView<const std::int32_t> categories, int n_threads);

  Index rows() const noexcept { return rows_; }
  Index columns() const noexcept { return static_cast<Index>(values_.size()); }
  /// 0: numeric.
  int categories(Index j) const noexcept { return categories_[static_cast<std::size_t>(j)]; }
  /// Row numbers; of categorical columns in no order of values.
  const std::uint32_t* order(Index j) const noexcept { return order_.data() + j * rows_; }
  /// Of each row: the number of its value among the distinct values (its code), or their number where it is missing.
  const std::uint32_t* ranks(Index j) const noexcept { return ranks_.data() + j * rows_; }
  /// Distinct values of a numeric column.
  const std::vector<double>& values(Index j) const noexcept { return values_[static_cast<std::size_t>(j)]; }
  /// Rank of missing values.
  std::uint32_t missing(Index j) const noexcept {
    return categories(j) > 0 ? static_cast<std::uint32_t>(categories(j)) : static_cast<std::uint32_t>(values(j).size());
  }

 private:
  Index rows_ = 0;
  std::vector<int> categories_;
  std::vector<std::vector<double>> values_;
  Buffer<std::uint32_t> order_, ranks_;
};

/// See Grower. Tree::bin is -1.
class ExactGrower {
 public:
  /// `matrix` must outlive the grower.
  ExactGrower(const SortedMatrix& matrix, const GrowerSpec& spec);
  ~ExactGrower();
  ExactGrower(const ExactGrower&) = delete;
  ExactGrower& operator=(const ExactGrower&) = delete;

  Tree grow(VectorView<const float> gradients, VectorView<const float> hessians, VectorView<const std::uint32_t> rows,
            const std::uint8_t* mask, std::uint64_t seed);
  Index leaves() const noexcept;
  Index columns() const noexcept;
  LeafRows leaf_rows() const;
  void update_raw(VectorView<double> raw, const double* values) const;
  std::vector<double> renew_leaves(LeafRenewal kind, VectorView<const double> y, VectorView<const double> raw,
                                   VectorView<const double> weights, double alpha) const;
  void put_in_order(std::vector<double>& values) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mlcore::tree
