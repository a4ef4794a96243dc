// Sums of trees: prediction on values and on bins, leaf numbers, partial dependence.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "mlcore/base/views.hpp"
#include "mlcore/tree/binning.hpp"
#include "mlcore/tree/grower.hpp"

namespace mlcore::tree {

/// Immutable. Throws std::invalid_argument for arrays that are not trees (children must come after their parent).
class Forest {
 public:
  /// outputs[t]: which output tree t adds to; empty: all to output 0.
  Forest(const std::vector<Tree>& trees, const std::vector<Index>& outputs, Index output_count);
  ~Forest();
  Forest(Forest&&) noexcept;

  Index trees() const noexcept;
  Index outputs() const noexcept;
  /// Columns that prediction needs.
  Index columns() const noexcept;
  /// raw (outputs x n, row-major): raw[k] += trees first .. last - 1 of output k, in this order.
  template <class T>
  void predict_raw(const MatrixView<const T>& x, MatrixView<double> raw, Index first, Index last, int n_threads) const;
  /// Not for trees with linear leaves.
  void predict_raw(const BinnedMatrix& x, MatrixView<double> raw, Index first, Index last, int n_threads) const;
  /// leaves (n x (last - first)): node numbers.
  template <class T>
  void apply(const MatrixView<const T>& x, MatrixView<std::int32_t> leaves, Index first, Index last,
             int n_threads) const;
  /// result (outputs x grid rows): mean prediction where the named columns have the grid's values and the others what
  /// the training rows had, by following both branches with their shares of rows (J. Friedman, 2001, section 8.2).
  void partial_dependence(MatrixView<const double> grid, const std::vector<Index>& columns, MatrixView<double> result,
                          int n_threads) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mlcore::tree
