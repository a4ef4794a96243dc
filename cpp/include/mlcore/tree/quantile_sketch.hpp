// Weighted quantiles of a stream in bounded memory, with a bound on the error of every rank (T. Chen, C. Guestrin,
// "XGBoost", KDD 2016, appendix A).
//
// For a value v of a multiset with weights, below(v) is the weight of the values < v, upto(v) that of the values <= v.
// A summary holds some of the values, each with a lower bound of below, an upper bound of upto, and a lower bound of
// its own weight. It is an e-summary if the bounds of every value leave at most e * total open: then a quantile query
// misses the wanted rank by at most e/2 * total. Merging keeps the larger e of the two; pruning to b + 1 entries adds
// 1/b.
#pragma once
#include <cstdint>
#include <vector>

#include "mlcore/base/views.hpp"

namespace mlcore::tree {

class QuantileSummary {
 public:
  struct Entry {
    double value = 0.0;
    double below = 0.0;   ///< lower bound
    double upto = 0.0;    ///< upper bound
    double weight = 0.0;  ///< lower bound

    /// Lower bound of below() for any greater value.
    double next_below() const noexcept { return below + weight; }
    /// Upper bound of upto() for any smaller value.
    double before_upto() const noexcept { return upto - weight; }
  };
  struct Item {
    double value = 0.0;
    double weight = 0.0;
  };

  QuantileSummary() = default;
  /// Exact, of sorted items.
  explicit QuantileSummary(const std::vector<Item>& sorted);

  /// Of both multisets.
  static QuantileSummary merged(const QuantileSummary& a, const QuantileSummary& b);
  /// At most `intervals` + 1 of the entries.
  QuantileSummary pruned(std::size_t intervals) const;
  /// The entry whose rank is nearest to `rank`, see above. Not of an empty summary.
  const Entry& query(double rank) const noexcept;

  double total() const noexcept { return entries_.empty() ? 0.0 : entries_.back().upto; }
  const std::vector<Entry>& entries() const noexcept { return entries_; }

 private:
  std::vector<Entry> entries_;
};

/// Thresholds for the bins of every numeric column (empty for categorical ones): with at most max_bins distinct values
/// the midpoints between neighbours, else values v with |weight of {x <= v or x < v} - k/max_bins * total| <= total /
/// (4 max_bins) for k = 1 .. max_bins - 1, duplicates dropped. A bin of several values therefore holds at most 1.5 /
/// max_bins of the weight. Blocks of kSketchRows rows are sorted and summed up, summaries merged in the order of the
/// blocks. weights: one a row, or one for all; rows empty: all, else ascending. Cost O(n log kSketchRows) a column.
template <class T>
std::vector<std::vector<double>> sketch_bins(const MatrixView<const T>& x, VectorView<const float> weights,
                                             VectorView<const std::uint32_t> rows, Index max_bins,
                                             const std::uint8_t* is_categorical, int n_threads);

inline constexpr Index kSketchRows = 8192;

}  // namespace mlcore::tree
