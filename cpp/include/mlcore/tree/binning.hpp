// Feature values as small integers: the thresholds of the bins, and the matrix of bin numbers that trees grow on.
//
// Glossary
//   threshold     bin of a number x: the first b with x <= threshold[b]; one more bin than thresholds
//   missing bin   the bin after the last one of a column: NaN, and category codes that are not known
//   record        the bins of one row and up to kBlockColumns columns, side by side: what a histogram reads
//   block         kBlockColumns columns of all rows as records
#pragma once
#include <cstdint>
#include <vector>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/types.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/tree/sizes.hpp"

namespace mlcore::tree {

template <class T>
struct ColumnBins;

/// Thresholds of every numeric column, empty for categorical ones (`is_categorical` null: none is). Missing values are
/// left out. At most max_bins distinct values: midpoints between neighbours. Else the max_bins - 1 inner quantiles of
/// equal (weighted) mass, by the averaged inverted distribution function, duplicates dropped, which are scikit-learn's.
/// `rows` empty: all rows; else row numbers, repeats allowed (a subsample). Weights: empty or one for each row of X.
/// Cost O(rows log rows) a column.
template <class T>
std::vector<std::vector<double>> find_bins(const MatrixView<const T>& x, VectorView<const double> weights,
                                           VectorView<const std::int64_t> rows, Index max_bins,
                                           const std::uint8_t* is_categorical, int n_threads);

/// The same of sparse columns (row i of the view: column i of X), all numeric. An entry that is not stored is 0, or, if
/// absent_is_missing, missing.
template <class T, class I>
std::vector<std::vector<double>> find_bins(const CsrView<T, I>& columns, VectorView<const double> weights,
                                           Index max_bins, bool absent_is_missing, int n_threads);

/// Bins of a matrix, by column (to route rows) and by record (to sum histograms). Immutable.
class BinnedMatrix {
 public:
  struct Block {
    Index first_column = 0;
    Index columns = 0;
    Index width = 0;  ///< bytes of a record
    const std::uint8_t* records = nullptr;
  };

  /// thresholds: one increasing list a column. categories[j] > 0: column j holds codes 0 .. categories[j] - 1.
  template <class T>
  BinnedMatrix(const MatrixView<const T>& x, const std::vector<std::vector<double>>& thresholds,
               VectorView<const std::int32_t> categories, int n_threads);
  /// Sparse columns, all numeric, see find_bins. No column may have a row twice.
  template <class T, class I>
  BinnedMatrix(const CsrView<T, I>& columns, const std::vector<std::vector<double>>& thresholds, bool absent_is_missing,
               int n_threads);

  Index rows() const noexcept { return rows_; }
  Index columns() const noexcept { return static_cast<Index>(bins_.size()); }
  /// Bins of column j without the missing one, which has this number.
  int bins(Index j) const noexcept { return bins_[static_cast<std::size_t>(j)]; }
  bool is_categorical(Index j) const noexcept { return categorical_[static_cast<std::size_t>(j)] != 0; }
  bool has_missing(Index j) const noexcept { return missing_[static_cast<std::size_t>(j)] != 0; }
  /// The value that splits column j after bin b; +inf after the last.
  double threshold(Index j, int b) const noexcept;
  const std::uint8_t* column(Index j) const noexcept { return by_column_.data() + j * column_stride_; }
  const std::vector<Block>& blocks() const noexcept { return blocks_; }
  Index bytes() const noexcept { return by_column_.size() + by_record_.size(); }

 private:
  /// Makes room; the search tables of the columns, which point into `padded`.
  template <class T>
  std::vector<ColumnBins<T>> lay_out(Index d, VectorView<const std::int32_t> categories, std::vector<T>& padded);
  void write_records(const Block& block, Index first, Index count);

  Index rows_ = 0;
  Index column_stride_ = 0;
  std::vector<int> bins_;
  std::vector<std::uint8_t> categorical_, missing_;
  std::vector<std::vector<double>> thresholds_;
  Buffer<std::uint8_t> by_column_, by_record_;
  std::vector<Block> blocks_;
};

}  // namespace mlcore::tree
