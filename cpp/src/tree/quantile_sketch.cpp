#include "mlcore/tree/quantile_sketch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/tree/sizes.hpp"

namespace mlcore::tree {

namespace {

constexpr double kLargest = 1e300;    // thresholds stay finite: +inf splits off missing values
constexpr double kNsPerValue = 30.0;  // of sorting and summing up

double midpoint(double a, double b) noexcept {
  const double middle = std::isfinite(a) && std::isfinite(b) ? a / 2 + b / 2 : (a + b) / 2;
  return std::isnan(middle) ? 0.0 : middle;  // between the infinities
}

/// Summaries of blocks, merged two by two: entry l stands for 2^l blocks.
class Stream {
 public:
  explicit Stream(std::size_t intervals) : intervals_(intervals) {}

  void add(QuantileSummary block) {
    block = shortened(std::move(block));
    std::size_t l = 0;
    for (; l < levels_.size() && !levels_[l].entries().empty(); ++l)
      block = shortened(QuantileSummary::merged(std::exchange(levels_[l], QuantileSummary{}), block));
    if (l == levels_.size()) levels_.emplace_back();
    levels_[l] = std::move(block);
  }
  /// Of all blocks; older ones come first.
  QuantileSummary whole() const {
    QuantileSummary sum;
    for (const QuantileSummary& part : levels_)
      if (!part.entries().empty()) sum = sum.entries().empty() ? part : QuantileSummary::merged(part, sum);
    return sum;
  }

 private:
  QuantileSummary shortened(QuantileSummary s) const {
    return s.entries().size() > intervals_ + 1 ? s.pruned(intervals_) : std::move(s);
  }

  std::size_t intervals_;
  std::vector<QuantileSummary> levels_;
};

/// Intervals that keep the sum of all prunings (one for a block, one for each merging of its line) within 1 / (2
/// max_bins).
std::size_t intervals_for(Index rows, Index max_bins) noexcept {
  const auto blocks = static_cast<std::uint64_t>(std::max<Index>(1, ceil_div(rows, kSketchRows)));
  return static_cast<std::size_t>(2 * max_bins * static_cast<Index>(std::bit_width(blocks)));
}

std::vector<double> thresholds_of(const QuantileSummary& summary, Index max_bins) {
  const auto& entries = summary.entries();
  std::vector<double> found;
  if (static_cast<Index>(entries.size()) <= max_bins) {  // nothing has been pruned
    for (std::size_t k = 1; k < entries.size(); ++k) found.push_back(midpoint(entries[k - 1].value, entries[k].value));
  } else {
    for (Index k = 1; k < max_bins; ++k)
      found.push_back(summary.query(summary.total() * static_cast<double>(k) / static_cast<double>(max_bins)).value);
    // Nothing is beyond the last value.
    while (!found.empty() && found.back() >= entries.back().value) found.pop_back();
  }
  for (double& t : found) t = std::min(t, kLargest);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace

QuantileSummary::QuantileSummary(const std::vector<Item>& sorted) {
  double sum = 0.0;
  for (std::size_t i = 0; i < sorted.size();) {
    Entry entry{sorted[i].value, sum, 0.0, 0.0};
    for (; i < sorted.size() && sorted[i].value == entry.value; ++i) entry.weight += sorted[i].weight;
    sum += entry.weight;
    entry.upto = sum;
    entries_.push_back(entry);
  }
}

QuantileSummary QuantileSummary::merged(const QuantileSummary& a, const QuantileSummary& b) {
  QuantileSummary result;
  result.entries_.reserve(a.entries_.size() + b.entries_.size());
  std::size_t i = 0, j = 0;
  double below_a = 0.0, below_b = 0.0;  // of what comes next, from the entries passed
  // Upper bound of upto for a value that is smaller than entry k, and not in its summary.
  const auto upto = [](const QuantileSummary& s, std::size_t k) {
    return k < s.entries_.size() ? s.entries_[k].before_upto() : s.total();
  };
  while (i < a.entries_.size() || j < b.entries_.size()) {
    const bool from_a = i < a.entries_.size() && (j == b.entries_.size() || a.entries_[i].value <= b.entries_[j].value);
    const bool from_b = j < b.entries_.size() && (i == a.entries_.size() || b.entries_[j].value <= a.entries_[i].value);
    Entry entry;
    if (from_a) {
      const Entry& e = a.entries_[i++];
      entry = e;
      below_a = e.next_below();
    }
    if (from_b) {
      const Entry& e = b.entries_[j++];
      if (from_a)
        entry = {e.value, entry.below + e.below, entry.upto + e.upto, entry.weight + e.weight};
      else
        entry = {e.value, e.below + below_a, e.upto + upto(a, i), e.weight};
      below_b = e.next_below();
    } else {
      entry.below += below_b;
      entry.upto += upto(b, j);
    }
    result.entries_.push_back(entry);
  }
  return result;
}

QuantileSummary QuantileSummary::pruned(std::size_t intervals) const {
  QuantileSummary result;
  result.entries_.reserve(intervals + 1);
  for (std::size_t k = 0; k <= intervals; ++k) {
    const Entry& e = query(total() * static_cast<double>(k) / static_cast<double>(intervals));
    if (result.entries_.empty() || result.entries_.back().value < e.value) result.entries_.push_back(e);
  }
  return result;
}

const QuantileSummary::Entry& QuantileSummary::query(double rank) const noexcept {
  // Twice the ranks throughout. The first and the last value answer for what lies outside of their middles.
  const double wanted = 2.0 * rank;
  const auto middle = [](const Entry& e) { return e.below + e.upto; };
  if (wanted < middle(entries_.front())) return entries_.front();
  if (wanted >= middle(entries_.back())) return entries_.back();
  const auto after =
      std::partition_point(entries_.begin(), entries_.end(), [&](const Entry& e) { return middle(e) <= wanted; });
  const Entry &low = *(after - 1), &high = *after;
  return wanted < low.next_below() + high.before_upto() ? low : high;
}

template <class T>
std::vector<std::vector<double>> sketch_bins(const MatrixView<const T>& x, VectorView<const float> weights,
                                             VectorView<const std::uint32_t> rows, Index max_bins,
                                             const std::uint8_t* is_categorical, int n_threads) {
  require(max_bins >= 2 && max_bins <= kMaxBins, "max_bins must be in [2, 255]");
  require(weights.size == 1 || weights.size == x.rows, "weights must have one value per row, or one for all");
  for (Index i = 0; i < rows.size; ++i) require(static_cast<Index>(rows[i]) < x.rows, "row number out of range");
  const Index n = rows.empty() ? x.rows : rows.size, d = x.cols;
  const std::size_t intervals = intervals_for(n, max_bins);
  std::vector<std::vector<double>> result(static_cast<std::size_t>(d));
  const int threads = runtime::threads_for_work(runtime::resolve_threads(n_threads).threads,
                                                static_cast<double>(n) * static_cast<double>(d) * kNsPerValue);
  runtime::parallel_for(d, threads, [&](Index j) {
    if (is_categorical != nullptr && is_categorical[j] != 0) return;
    Stream stream(intervals);
    std::vector<std::pair<T, float>> block;
    std::vector<QuantileSummary::Item> items;
    for (Index first = 0; first < n; first += kSketchRows) {
      block.clear();
      for (Index i = first; i < std::min(n, first + kSketchRows); ++i) {
        const Index row = rows.empty() ? i : static_cast<Index>(rows[i]);
        const T v = x(row, j);
        // A row without curvature moves no leaf, but its value is one to choose between.
        const float w = weights.size == 1 ? 1.0f : (weights[row] > 0.0f ? weights[row] : 0.0f);
        if (!std::isnan(v)) block.emplace_back(v, w);
      }
      // By value and weight: the sums do not depend on how equal values are sorted.
      std::sort(block.begin(), block.end());
      items.clear();
      for (const auto& [value, weight] : block)
        items.push_back({static_cast<double>(value), static_cast<double>(weight)});
      if (!items.empty()) stream.add(QuantileSummary(items));
    }
    result[static_cast<std::size_t>(j)] = thresholds_of(stream.whole(), max_bins);
  });
  return result;
}

template std::vector<std::vector<double>> sketch_bins<float>(const MatrixView<const float>&, VectorView<const float>,
                                                             VectorView<const std::uint32_t>, Index,
                                                             const std::uint8_t*, int);
template std::vector<std::vector<double>> sketch_bins<double>(const MatrixView<const double>&, VectorView<const float>,
                                                              VectorView<const std::uint32_t>, Index,
                                                              const std::uint8_t*, int);

}  // namespace mlcore::tree
