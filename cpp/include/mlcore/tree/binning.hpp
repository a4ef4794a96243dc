// Feature values as small integers: the thresholds of the bins, and the matrix of bin numbers that trees grow on.
//
// Glossary
//   threshold     bin of a number x: the first b with x <= threshold[b]; one more bin than thresholds
//   missing bin   the bin after the last one of a column: NaN, and category codes that are not known
//   group         columns that share a column of bytes: one column with its bins, or a bundle of sparse columns that
//   are
//                 never present in the same row, with the codes of the one that is (0: none)
//   record        the bytes of one row and up to kBlockColumns groups, side by side: what a histogram reads
//   block         kBlockColumns groups of all rows as records
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
    Index first_group = 0;
    Index groups = 0;
    Index width = 0;  ///< bytes of a record
    const std::uint8_t* records = nullptr;
  };

  /// Where column j is. In a bundle its bin b other than that of absent values has the code first + b, less 1 if b >
  /// absent.
  struct Place {
    Index group = 0;
    int first = 0;
    int absent = -1;  ///< -1: no bundle, codes are bins
    int codes = 0;
  };

  /// thresholds: one increasing list a column. categories[j] > 0: column j holds codes 0 .. categories[j] - 1.
  template <class T>
  BinnedMatrix(const MatrixView<const T>& x, const std::vector<std::vector<double>>& thresholds,
               VectorView<const std::int32_t> categories, int n_threads);
  /// Sparse columns, all numeric, see find_bins. No column may have a row twice. bundle: columns may share groups.
  template <class T, class I>
  BinnedMatrix(const CsrView<T, I>& columns, const std::vector<std::vector<double>>& thresholds, bool absent_is_missing,
               bool bundle, int n_threads);

  Index rows() const noexcept { return rows_; }
  Index columns() const noexcept { return static_cast<Index>(bins_.size()); }
  /// Bins of column j without the missing one, which has this number.
  int bins(Index j) const noexcept { return bins_[static_cast<std::size_t>(j)]; }
  bool is_categorical(Index j) const noexcept { return categorical_[static_cast<std::size_t>(j)] != 0; }
  bool has_missing(Index j) const noexcept { return missing_[static_cast<std::size_t>(j)] != 0; }
  /// The value that splits column j after bin b; +inf after the last.
  double threshold(Index j, int b) const noexcept;
  Index groups() const noexcept { return static_cast<Index>(members_.size()); }
  bool is_bundled() const noexcept { return groups() < columns(); }
  const std::vector<Index>& members(Index group) const noexcept { return members_[static_cast<std::size_t>(group)]; }
  /// Different bytes of a group.
  int cells(Index group) const noexcept { return cells_[static_cast<std::size_t>(group)]; }
  const Place& place(Index j) const noexcept { return places_[static_cast<std::size_t>(j)]; }
  const std::uint8_t* group(Index g) const noexcept { return by_group_.data() + g * group_stride_; }
  /// The byte that stands for bin b of column j in its group.
  int code(Index j, int b) const noexcept {
    const Place& p = place(j);
    return p.absent < 0 ? b : (b == p.absent ? 0 : p.first + b - (b > p.absent ? 1 : 0));
  }
  /// Bins of column j, of all rows.
  std::vector<std::uint8_t> column(Index j) const;
  const std::vector<Block>& blocks() const noexcept { return blocks_; }
  Index bytes() const noexcept { return by_group_.size() + by_record_.size(); }

 private:
  /// The search tables of the columns, which point into `padded`.
  template <class T>
  std::vector<ColumnBins<T>> tables(Index d, VectorView<const std::int32_t> categories, std::vector<T>& padded);
  /// Makes room for the groups.
  void lay_out(const std::vector<std::vector<Index>>& groups);
  std::uint8_t* bytes_of(Index g) noexcept { return by_group_.data() + g * group_stride_; }
  void write_records(const Block& block, Index first, Index count);

  Index rows_ = 0;
  Index group_stride_ = 0;
  std::vector<int> bins_, cells_;
  std::vector<std::uint8_t> categorical_, missing_;
  std::vector<std::vector<double>> thresholds_;
  std::vector<std::vector<Index>> members_;
  std::vector<Place> places_;
  Buffer<std::uint8_t> by_group_, by_record_;
  std::vector<Block> blocks_;
};

}  // namespace mlcore::tree
