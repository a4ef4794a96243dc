#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/runtime/memory.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/tree/binning.hpp"
#include "tree/binning.kernels.hpp"
#include "tree/feature_bundles.hpp"
#include "tree/floor_to.hpp"

namespace mlcore::tree {

namespace {

constexpr double kNsPerValue = 4.0;
constexpr Index kPadding = 64;  // kernels may load a vector beyond the last value

const BinningKernels& kernels() { MLCORE_SELECT_KERNELS(binning_kernels) }

auto kernel_of(float) { return kernels().bin_f32; }
auto kernel_of(double) { return kernels().bin_f64; }

/// Bytes of a record: a power of two up to 16, then a multiple of 16, so that a record of up to 32 columns stays in one
/// cache line.
Index record_width(Index columns) noexcept {
  for (const Index width : {1, 2, 4, 8, 16})
    if (columns <= width) return width;
  return columns <= 32 ? 32 : round_up(columns, 16);
}

std::vector<std::vector<Index>> each_alone(Index d) {
  std::vector<std::vector<Index>> groups;
  for (Index j = 0; j < d; ++j) groups.push_back({j});
  return groups;
}

}  // namespace

double BinnedMatrix::threshold(Index j, int b) const noexcept {
  const auto& list = thresholds_[static_cast<std::size_t>(j)];
  return b < static_cast<int>(list.size()) ? list[static_cast<std::size_t>(b)]
                                           : std::numeric_limits<double>::infinity();
}

template <class T>
std::vector<ColumnBins<T>> BinnedMatrix::tables(Index d, VectorView<const std::int32_t> categories,
                                                std::vector<T>& padded) {
  const Index n = rows_;
  const auto& thresholds = thresholds_;
  require(n > 0 && d > 0, "X must not be empty");
  require(n < (Index{1} << 31), "at most 2^31 - 1 rows");
  require(static_cast<Index>(thresholds.size()) == d, "thresholds must have one list per column");
  require(categories.empty() || categories.size == d, "n_categories must have one value per column");

  // Thresholds as search trees of 2^steps - 1 values.
  std::vector<ColumnBins<T>> columns(static_cast<std::size_t>(d));
  std::vector<std::size_t> offsets(static_cast<std::size_t>(d));
  bins_.resize(static_cast<std::size_t>(d));
  categorical_.assign(static_cast<std::size_t>(d), 0);
  missing_.assign(static_cast<std::size_t>(d), 0);
  for (std::size_t j = 0; j < columns.size(); ++j) {
    const auto& list = thresholds[j];
    ColumnBins<T>& column = columns[j];
    column.categories = categories.empty() ? 0 : categories[static_cast<Index>(j)];
    require(column.categories >= 0 && column.categories <= kMaxBins, "a column has at most 255 categories");
    require(static_cast<Index>(list.size()) < kMaxBins, "a column has at most 254 thresholds");
    for (std::size_t b = 0; b < list.size(); ++b) {
      require(!std::isnan(list[b]), "thresholds must not be NaN");
      require(b == 0 || list[b - 1] < list[b], "thresholds must increase");
    }
    bins_[j] = column.categories > 0 ? column.categories : static_cast<int>(list.size()) + 1;
    categorical_[j] = column.categories > 0 ? 1 : 0;
    column.missing = static_cast<std::uint8_t>(bins_[j]);
    while ((1 << column.steps) < static_cast<int>(list.size()) + 1) ++column.steps;
    offsets[j] = padded.size();
    for (const double t : list) padded.push_back(floor_to<T>(t));
    padded.resize(offsets[j] + (std::size_t{1} << column.steps), std::numeric_limits<T>::infinity());
  }
  for (std::size_t j = 0; j < columns.size(); ++j) columns[j].thresholds = padded.data() + offsets[j];

  return columns;
}

void BinnedMatrix::lay_out(const std::vector<std::vector<Index>>& groups) {
  const Index n = rows_, g = static_cast<Index>(groups.size());
  members_ = groups;
  places_.resize(bins_.size());
  for (Index k = 0; k < g; ++k) {
    const std::vector<Index>& columns = groups[static_cast<std::size_t>(k)];
    int next = 1;
    for (const Index j : columns) {
      Place& place = places_[static_cast<std::size_t>(j)];
      place.group = k;
      if (columns.size() == 1) {
        place.absent = -1;
        next = bins(j) + 1;
        continue;
      }
      place.first = next;
      next += place.codes;
    }
    cells_.push_back(next);
  }
  group_stride_ = round_up(n, kCacheLine);
  by_group_ = Buffer<std::uint8_t>(checked_product({group_stride_, g}) + kPadding);
  Index record_bytes = 0;
  const Index block_count = ceil_div(g, kBlockColumns);
  for (Index b = 0; b < block_count; ++b) {
    const Index first = g * b / block_count, last = g * (b + 1) / block_count;
    blocks_.push_back({first, last - first, record_width(last - first), nullptr});
    record_bytes += checked_product({n, blocks_.back().width});
  }
  by_record_ = Buffer<std::uint8_t>(record_bytes + kPadding);
  runtime::prefer_huge_pages(by_group_.data(), by_group_.size());
  runtime::prefer_huge_pages(by_record_.data(), by_record_.size());
  std::uint8_t* next = by_record_.data();
  for (Block& block : blocks_) {
    block.records = next;
    next += n * block.width;
  }
}

void BinnedMatrix::write_records(const Block& block, Index first, Index count) {
  std::uint8_t* records = by_record_.data() + (block.records - by_record_.data()) + first * block.width;
  for (Index c = 0; c < block.groups; ++c) {
    const std::uint8_t* bytes = group(block.first_group + c) + first;
    for (Index i = 0; i < count; ++i) records[i * block.width + c] = bytes[i];
  }
  for (Index c = block.groups; c < block.width; ++c)
    for (Index i = 0; i < count; ++i) records[i * block.width + c] = 0;
}

template <class T>
BinnedMatrix::BinnedMatrix(const MatrixView<const T>& x, const std::vector<std::vector<double>>& thresholds,
                           VectorView<const std::int32_t> categories, int n_threads)
    : rows_(x.rows), thresholds_(thresholds) {
  const Index n = x.rows, d = x.cols;
  std::vector<T> padded;
  const std::vector<ColumnBins<T>> columns = tables(d, categories, padded);
  lay_out(each_alone(d));
  const auto bin = kernel_of(T{});
  std::vector<std::atomic<std::uint8_t>> missing(static_cast<std::size_t>(d));
  const int threads = runtime::threads_for_work(runtime::resolve_threads(n_threads).threads,
                                                static_cast<double>(n) * static_cast<double>(d) * kNsPerValue);
  runtime::parallel_for(ceil_div(n, kBinningRows), threads, [&](Index part) {
    const Index first = part * kBinningRows, count = std::min(kBinningRows, n - first);
    for (const Block& block : blocks_) {
      for (Index j = block.first_group; j < block.first_group + block.groups; ++j)
        if (bin(&x(first, j), x.row_stride, count, columns[static_cast<std::size_t>(j)], bytes_of(j) + first))
          missing[static_cast<std::size_t>(j)].store(1, std::memory_order_relaxed);
      write_records(block, first, count);
    }
  });
  for (std::size_t j = 0; j < missing.size(); ++j) missing_[j] = missing[j].load(std::memory_order_relaxed);
}

template <class T, class I>
BinnedMatrix::BinnedMatrix(const CsrView<T, I>& x, const std::vector<std::vector<double>>& thresholds,
                           bool absent_is_missing, bool bundle, int n_threads)
    : rows_(x.cols), thresholds_(thresholds) {
  const Index n = x.cols, d = x.rows;
  std::vector<T> padded;
  const std::vector<ColumnBins<T>> columns = tables(d, {}, padded);
  const auto bin = kernel_of(T{});
  const int allowed = runtime::resolve_threads(n_threads).threads;
  const double work = static_cast<double>(x.indptr[d]) * kNsPerValue;

  // Bins of what is stored, and which of it differs from what is not.
  Buffer<std::uint8_t> stored(static_cast<Index>(x.indptr[d]) + 1);
  std::vector<PresentRows> present(static_cast<std::size_t>(d));
  places_.resize(static_cast<std::size_t>(d));
  runtime::parallel_for(d, runtime::threads_for_work(allowed, work), [&](Index j) {
    const auto k = static_cast<std::size_t>(j);
    const auto begin = static_cast<Index>(x.indptr[j]), end = static_cast<Index>(x.indptr[j + 1]);
    const T zero{};
    std::uint8_t absent = columns[k].missing;
    if (!absent_is_missing) bin(&zero, 1, 1, columns[k], &absent);
    bool missing = absent_is_missing && end - begin < n;
    for (Index e = begin; e < end; e += kBinningRows)
      missing |= bin(x.values + e, 1, std::min(kBinningRows, end - e), columns[k], stored.data() + e);
    missing_[k] = missing ? 1 : 0;
    places_[k].absent = absent;
    places_[k].codes = bins(j) - 1 + (missing || absent_is_missing ? 1 : 0);
    if (!bundle) return;
    present[k].codes = places_[k].codes;
    for (Index e = begin; e < end; ++e)
      if (stored[e] != absent) present[k].rows.push_back(static_cast<std::uint32_t>(x.indices[e]));
  });
  std::vector<int> absent_bins(static_cast<std::size_t>(d));
  for (std::size_t k = 0; k < absent_bins.size(); ++k) absent_bins[k] = places_[k].absent;
  lay_out(bundle ? find_bundles(present, n) : each_alone(d));

  const int threads = runtime::threads_for_work(allowed, work + static_cast<double>(n) * static_cast<double>(groups()));
  runtime::parallel_for(groups(), threads, [&](Index g) {
    std::uint8_t* out = bytes_of(g);
    const bool alone = members(g).size() == 1;
    std::fill_n(out, n, alone ? static_cast<std::uint8_t>(absent_bins[static_cast<std::size_t>(members(g)[0])]) : 0);
    for (const Index j : members(g))
      for (auto e = static_cast<Index>(x.indptr[j]); e < static_cast<Index>(x.indptr[j + 1]); ++e)
        if (alone || stored[e] != absent_bins[static_cast<std::size_t>(j)])
          out[x.indices[e]] = static_cast<std::uint8_t>(code(j, stored[e]));
  });
  runtime::parallel_for(ceil_div(n, kBinningRows), threads, [&](Index part) {
    const Index first = part * kBinningRows, count = std::min(kBinningRows, n - first);
    for (const Block& block : blocks_) write_records(block, first, count);
  });
}

std::vector<std::uint8_t> BinnedMatrix::column(Index j) const {
  std::uint8_t bin_of[256] = {};
  const Place& own = place(j);
  if (own.absent >= 0) std::fill_n(bin_of, 256, static_cast<std::uint8_t>(own.absent));
  for (int b = 0; b <= bins(j); ++b) {
    const int c = code(j, b);
    if (own.absent < 0 || (c >= own.first && c < own.first + own.codes)) bin_of[c] = static_cast<std::uint8_t>(b);
  }
  const std::uint8_t* bytes = group(own.group);
  std::vector<std::uint8_t> result(static_cast<std::size_t>(rows_));
  for (Index i = 0; i < rows_; ++i) result[static_cast<std::size_t>(i)] = bin_of[bytes[i]];
  return result;
}

template BinnedMatrix::BinnedMatrix(const MatrixView<const float>&, const std::vector<std::vector<double>>&,
                                    VectorView<const std::int32_t>, int);
template BinnedMatrix::BinnedMatrix(const MatrixView<const double>&, const std::vector<std::vector<double>>&,
                                    VectorView<const std::int32_t>, int);
#define MLCORE_INSTANTIATE(T, I) \
  template BinnedMatrix::BinnedMatrix(const CsrView<T, I>&, const std::vector<std::vector<double>>&, bool, bool, int);
MLCORE_INSTANTIATE(float, std::int32_t)
MLCORE_INSTANTIATE(float, std::int64_t)
MLCORE_INSTANTIATE(double, std::int32_t)
MLCORE_INSTANTIATE(double, std::int64_t)
#undef MLCORE_INSTANTIATE

}  // namespace mlcore::tree
