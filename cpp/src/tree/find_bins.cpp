// Thresholds of the bins: quantiles of every column.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/tree/binning.hpp"

namespace mlcore::tree {

namespace {

constexpr Index kGroupColumns = 32;   // columns copied at a time: 26 MB of a sample of 200,000 floats
constexpr Index kGatherRows = 2048;   // rows that one task copies
constexpr Index kRadixRows = 2048;    // from here on counting digits beats comparing
constexpr double kLargest = 1e300;    // thresholds stay finite: +inf splits off missing values
constexpr double kNsPerValue = 20.0;  // of sorting

template <class T>
struct Word;
template <>
struct Word<float> {
  using type = std::uint32_t;
};
template <>
struct Word<double> {
  using type = std::uint64_t;
};

/// Order-preserving integers: flips all bits of negative numbers, the sign of the others.
template <class T>
typename Word<T>::type key_of(T x) noexcept {
  using W = typename Word<T>::type;
  constexpr int kBits = 8 * static_cast<int>(sizeof(W));
  const auto b = std::bit_cast<W>(x);
  return b ^ ((b >> (kBits - 1)) != 0 ? ~W{0} : W{1} << (kBits - 1));
}
template <class T>
T value_of(typename Word<T>::type k) noexcept {
  using W = typename Word<T>::type;
  constexpr int kBits = 8 * static_cast<int>(sizeof(W));
  return std::bit_cast<T>(k ^ ((k >> (kBits - 1)) != 0 ? W{1} << (kBits - 1) : ~W{0}));
}

/// Sorts numbers without NaN, least significant digit first; skips digits that all numbers share.
template <class T>
void sort_values(std::span<T> x) {
  using W = typename Word<T>::type;
  if (static_cast<Index>(x.size()) < kRadixRows) {
    std::sort(x.begin(), x.end());
    return;
  }
  constexpr int kDigit = 11, kPasses = (8 * static_cast<int>(sizeof(W)) + kDigit - 1) / kDigit;
  constexpr std::size_t kBuckets = std::size_t{1} << kDigit;
  const std::size_t n = x.size();
  std::vector<W> keys(n), other(n);
  std::vector<std::array<std::uint32_t, kBuckets>> counts(kPasses);
  for (auto& c : counts) c.fill(0);
  for (std::size_t i = 0; i < n; ++i) {
    W k = keys[i] = key_of<T>(x[i]);
    for (int p = 0; p < kPasses; ++p, k >>= kDigit) ++counts[static_cast<std::size_t>(p)][k & (kBuckets - 1)];
  }
  for (int p = 0; p < kPasses; ++p) {
    auto& c = counts[static_cast<std::size_t>(p)];
    const int shift = p * kDigit;
    if (c[(keys[0] >> shift) & (kBuckets - 1)] == n) continue;
    std::uint32_t start = 0;
    for (auto& bucket : c) start += std::exchange(bucket, start);
    for (const W k : keys) other[c[(k >> shift) & (kBuckets - 1)]++] = k;
    keys.swap(other);
  }
  for (std::size_t i = 0; i < n; ++i) x[i] = value_of<T>(keys[i]);
}

/// The same for many zeros, which need no sorting.
template <class T>
void sort_around_zeros(std::span<T> x) {
  const auto stored = std::partition(x.begin(), x.end(), [](T v) { return v != T(0); });
  const auto used = static_cast<std::size_t>(stored - x.begin());
  sort_values(x.first(used));
  const auto positive = std::lower_bound(x.begin(), stored, T(0));
  std::fill(stored, x.end(), T(0));
  std::rotate(positive, stored, x.end());
}

double midpoint(double a, double b) noexcept {
  double middle = (a + b) / 2;
  if (!std::isfinite(middle) && std::isfinite(a) && std::isfinite(b)) middle = a / 2 + b / 2;
  return std::isnan(middle) ? 0.0 : middle;  // between the infinities
}

/// Midpoints of the distinct values of a sorted list, or false when there are more than `most` values.
template <class T>
bool midpoints(std::span<const T> sorted, Index most, std::vector<double>& out) {
  out.clear();
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    if (!(sorted[i - 1] < sorted[i])) continue;
    if (static_cast<Index>(out.size()) + 2 > most) return false;
    out.push_back(midpoint(static_cast<double>(sorted[i - 1]), static_cast<double>(sorted[i])));
  }
  return true;
}

/// Percentiles 100 / bins, 200 / bins, ...; rounded as NumPy rounds them, so that ties fall the same way.
double percentile(Index i, Index bins) noexcept { return static_cast<double>(i) * (100.0 / static_cast<double>(bins)); }

template <class T>
void quantiles(std::span<const T> sorted, Index bins, std::vector<double>& out) {
  const auto n = static_cast<double>(sorted.size());
  const auto last = static_cast<Index>(sorted.size()) - 1;
  const auto at = [&](Index i) {
    return static_cast<double>(sorted[static_cast<std::size_t>(std::clamp(i, Index{0}, last))]);
  };
  out.clear();
  for (Index i = 1; i < bins; ++i) {
    const double place = n * (percentile(i, bins) / 100.0) - 1.0;
    const double below = std::floor(place);
    const auto index = static_cast<Index>(below);
    const double high = at(index + 1);
    out.push_back(place == below ? high - (high - at(index)) * 0.5 : high);
  }
}

template <class T>
void weighted_quantiles(std::span<const T> sorted, std::span<const double> cumulative, Index bins,
                        std::vector<double>& out) {
  const auto last = static_cast<Index>(sorted.size()) - 1;
  out.clear();
  for (Index i = 1; i < bins; ++i) {
    const double rank = percentile(i, bins) / 100.0 * cumulative.back();
    const auto index =
        std::min<Index>(std::lower_bound(cumulative.begin(), cumulative.end(), rank) - cumulative.begin(), last);
    const auto value = static_cast<double>(sorted[static_cast<std::size_t>(index)]);
    const auto next = static_cast<double>(sorted[static_cast<std::size_t>(std::min(index + 1, last))]);
    const bool inside = cumulative[static_cast<std::size_t>(index)] - rank > std::numeric_limits<double>::epsilon();
    out.push_back(inside ? value : (value + next) / 2);
  }
}

/// Thresholds of one column; `values` is used up.
template <class T>
std::vector<double> column_thresholds(std::span<T> values, std::span<const double> weights, Index max_bins) {
  std::vector<double> thresholds, cumulative;
  std::size_t n = 0;
  if (weights.empty()) {
    for (const T v : values)
      if (!std::isnan(v)) values[n++] = v;
    sort_around_zeros(values.first(n));
  } else {
    std::vector<std::pair<T, double>> pairs;
    pairs.reserve(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!std::isnan(values[i]) && weights[i] != 0.0) pairs.emplace_back(values[i], weights[i]);
    std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    double sum = 0.0;
    cumulative.reserve(pairs.size());
    for (const auto& [value, weight] : pairs) {
      values[n++] = value;
      cumulative.push_back(sum += weight);
    }
  }
  const std::span<const T> sorted = values.first(n);
  if (n == 0 || midpoints(sorted, max_bins, thresholds)) {
    // few values
  } else if (weights.empty()) {
    quantiles(sorted, max_bins, thresholds);
  } else {
    weighted_quantiles(sorted, std::span<const double>(cumulative), max_bins, thresholds);
  }
  for (double& t : thresholds) t = std::min(t, kLargest);
  thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());
  return thresholds;
}

/// Thresholds of a sparse column that needs no quantiles, from its stored values; false when it has too many values.
template <class T>
bool few_values(std::span<const T> stored, bool has_zeros, Index max_bins, std::vector<double>& thresholds) {
  std::vector<T> values;
  values.reserve(stored.size() + 1);
  for (const T v : stored)
    if (!std::isnan(v)) values.push_back(v);
  if (has_zeros) values.push_back(T(0));
  sort_values(std::span<T>(values));
  if (!midpoints(std::span<const T>(values), max_bins, thresholds)) return false;
  for (double& t : thresholds) t = std::min(t, kLargest);
  thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());
  return true;
}

}  // namespace

template <class T>
std::vector<std::vector<double>> find_bins(const MatrixView<const T>& x, VectorView<const double> weights,
                                           VectorView<const std::int64_t> rows, Index max_bins,
                                           const std::uint8_t* is_categorical, int n_threads) {
  require(max_bins >= 2 && max_bins <= kMaxBins, "max_bins must be in [2, 255]");
  require(weights.empty() || weights.size == x.rows, "sample_weight must have one value per row");
  const Index n = rows.empty() ? x.rows : rows.size, d = x.cols;
  for (Index i = 0; i < rows.size; ++i) require(rows[i] >= 0 && rows[i] < x.rows, "row number out of range");
  std::vector<std::vector<double>> result(static_cast<std::size_t>(d));
  const int allowed = runtime::resolve_threads(n_threads).threads;
  const int threads = runtime::threads_for_work(allowed, static_cast<double>(n) * static_cast<double>(d) * kNsPerValue);
  std::vector<double> row_weights;
  if (!weights.empty()) {
    row_weights.resize(static_cast<std::size_t>(n));
    for (Index i = 0; i < n; ++i) row_weights[static_cast<std::size_t>(i)] = weights[rows.empty() ? i : rows[i]];
  }
  Buffer<T> sample({n, std::min(d, kGroupColumns)});
  runtime::Interrupt interrupt;
  for (Index first = 0; first < d; first += kGroupColumns) {
    const Index columns = std::min(kGroupColumns, d - first);
    runtime::parallel_team(threads, [&](runtime::Team& team) {
      team.for_each(ceil_div(n, kGatherRows), [&](Index block) {
        const Index begin = block * kGatherRows, end = std::min(n, begin + kGatherRows);
        for (Index i = begin; i < end; ++i) {
          const T* row = x.row(rows.empty() ? i : static_cast<Index>(rows[i])) + first * x.col_stride;
          for (Index j = 0; j < columns; ++j) sample[j * n + i] = row[j * x.col_stride];
        }
      });
      team.for_each(columns, [&](Index j) {
        if (is_categorical != nullptr && is_categorical[first + j] != 0) return;
        result[static_cast<std::size_t>(first + j)] =
            column_thresholds<T>(std::span<T>(sample.data() + j * n, static_cast<std::size_t>(n)),
                                 std::span<const double>(row_weights), max_bins);
      });
    });
    interrupt.poll();
  }
  return result;
}

template <class T, class I>
std::vector<std::vector<double>> find_bins(const CsrView<T, I>& x, VectorView<const double> weights, Index max_bins,
                                           bool absent_is_missing, int n_threads) {
  const Index n = x.cols, d = x.rows;
  require(max_bins >= 2 && max_bins <= kMaxBins, "max_bins must be in [2, 255]");
  require(weights.empty() || weights.size == n, "sample_weight must have one value per row");
  const std::span<const double> row_weights(weights.data, static_cast<std::size_t>(weights.size));
  const T absent = absent_is_missing ? std::numeric_limits<T>::quiet_NaN() : T(0);
  std::vector<std::vector<double>> result(static_cast<std::size_t>(d));
  const double work = static_cast<double>(n) * static_cast<double>(d) + static_cast<double>(x.indptr[d]) * kNsPerValue;
  const int threads = runtime::threads_for_work(runtime::resolve_threads(n_threads).threads, work);
  runtime::Interrupt interrupt;
  runtime::parallel_team(threads, [&](runtime::Team& team) {
    std::vector<Buffer<T>> dense(static_cast<std::size_t>(team.size()));
    for (Index first = 0; first < d; first += kGroupColumns) {
      team.for_each(std::min(kGroupColumns, d - first), [&](Index k) {
        const Index j = first + k;
        const auto begin = static_cast<Index>(x.indptr[j]), end = static_cast<Index>(x.indptr[j + 1]);
        std::vector<double>& found = result[static_cast<std::size_t>(j)];
        if (weights.empty() && few_values<T>({x.values + begin, static_cast<std::size_t>(end - begin)},
                                             !absent_is_missing && end - begin < n, max_bins, found))
          return;
        Buffer<T>& values = dense[static_cast<std::size_t>(team.member())];
        if (values.size() < n) values = Buffer<T>(n);
        std::fill_n(values.data(), n, absent);
        for (Index e = begin; e < end; ++e) values[static_cast<Index>(x.indices[e])] = x.values[e];
        found = column_thresholds<T>(std::span<T>(values.data(), static_cast<std::size_t>(n)), row_weights, max_bins);
      });
      interrupt.poll();
    }
  });
  return result;
}

#define MLCORE_INSTANTIATE(T, I)                                                                                   \
  template std::vector<std::vector<double>> find_bins<T, I>(const CsrView<T, I>&, VectorView<const double>, Index, \
                                                            bool, int);
MLCORE_INSTANTIATE(float, std::int32_t)
MLCORE_INSTANTIATE(float, std::int64_t)
MLCORE_INSTANTIATE(double, std::int32_t)
MLCORE_INSTANTIATE(double, std::int64_t)
#undef MLCORE_INSTANTIATE

template std::vector<std::vector<double>> find_bins<float>(const MatrixView<const float>&, VectorView<const double>,
                                                           VectorView<const std::int64_t>, Index, const std::uint8_t*,
                                                           int);
template std::vector<std::vector<double>> find_bins<double>(const MatrixView<const double>&, VectorView<const double>,
                                                            VectorView<const std::int64_t>, Index, const std::uint8_t*,
                                                            int);

}  // namespace mlcore::tree
