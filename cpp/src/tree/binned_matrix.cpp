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

}  // namespace

double BinnedMatrix::threshold(Index j, int b) const noexcept {
  const auto& list = thresholds_[static_cast<std::size_t>(j)];
  return b < static_cast<int>(list.size()) ? list[static_cast<std::size_t>(b)]
                                           : std::numeric_limits<double>::infinity();
}

template <class T>
std::vector<ColumnBins<T>> BinnedMatrix::lay_out(Index d, VectorView<const std::int32_t> categories,
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

  column_stride_ = round_up(n, kCacheLine);
  by_column_ = Buffer<std::uint8_t>(checked_product({column_stride_, d}) + kPadding);
  Index record_bytes = 0;
  const Index block_count = ceil_div(d, kBlockColumns);
  for (Index b = 0; b < block_count; ++b) {
    const Index first = d * b / block_count, last = d * (b + 1) / block_count;
    blocks_.push_back({first, last - first, record_width(last - first), nullptr});
    record_bytes += checked_product({n, blocks_.back().width});
  }
  by_record_ = Buffer<std::uint8_t>(record_bytes + kPadding);
  runtime::prefer_huge_pages(by_column_.data(), by_column_.size());
  runtime::prefer_huge_pages(by_record_.data(), by_record_.size());
  std::uint8_t* next = by_record_.data();
  for (Block& block : blocks_) {
    block.records = next;
    next += n * block.width;
  }
  return columns;
}

void BinnedMatrix::write_records(const Block& block, Index first, Index count) {
  std::uint8_t* records = by_record_.data() + (block.records - by_record_.data()) + first * block.width;
  for (Index c = 0; c < block.columns; ++c) {
    const std::uint8_t* bins = column(block.first_column + c) + first;
    for (Index i = 0; i < count; ++i) records[i * block.width + c] = bins[i];
  }
  for (Index c = block.columns; c < block.width; ++c)
    for (Index i = 0; i < count; ++i) records[i * block.width + c] = 0;
}

template <class T>
BinnedMatrix::BinnedMatrix(const MatrixView<const T>& x, const std::vector<std::vector<double>>& thresholds,
                           VectorView<const std::int32_t> categories, int n_threads)
    : rows_(x.rows), thresholds_(thresholds) {
  const Index n = x.rows, d = x.cols;
  std::vector<T> padded;
  const std::vector<ColumnBins<T>> columns = lay_out(d, categories, padded);
  const auto bin = kernel_of(T{});
  std::vector<std::atomic<std::uint8_t>> missing(static_cast<std::size_t>(d));
  const int threads = runtime::threads_for_work(runtime::resolve_threads(n_threads).threads,
                                                static_cast<double>(n) * static_cast<double>(d) * kNsPerValue);
  runtime::parallel_for(ceil_div(n, kBinningRows), threads, [&](Index part) {
    const Index first = part * kBinningRows, count = std::min(kBinningRows, n - first);
    for (const Block& block : blocks_) {
      for (Index j = block.first_column; j < block.first_column + block.columns; ++j)
        if (bin(&x(first, j), x.row_stride, count, columns[static_cast<std::size_t>(j)],
                by_column_.data() + j * column_stride_ + first))
          missing[static_cast<std::size_t>(j)].store(1, std::memory_order_relaxed);
      write_records(block, first, count);
    }
  });
  for (std::size_t j = 0; j < missing.size(); ++j) missing_[j] = missing[j].load(std::memory_order_relaxed);
}

template <class T, class I>
BinnedMatrix::BinnedMatrix(const CsrView<T, I>& x, const std::vector<std::vector<double>>& thresholds,
                           bool absent_is_missing, int n_threads)
    : rows_(x.cols), thresholds_(thresholds) {
  const Index n = x.cols, d = x.rows;
  std::vector<T> padded;
  const std::vector<ColumnBins<T>> columns = lay_out(d, {}, padded);
  const auto bin = kernel_of(T{});
  const int threads = runtime::threads_for_work(
      runtime::resolve_threads(n_threads).threads,
      static_cast<double>(n) * static_cast<double>(d) + static_cast<double>(x.indptr[d]) * kNsPerValue);
  runtime::parallel_for(d, threads, [&](Index j) {
    const ColumnBins<T>& own = columns[static_cast<std::size_t>(j)];
    std::uint8_t* out = by_column_.data() + j * column_stride_;
    const auto begin = static_cast<Index>(x.indptr[j]), end = static_cast<Index>(x.indptr[j + 1]);
    const T zero{};
    std::uint8_t absent = own.missing;
    if (!absent_is_missing) bin(&zero, 1, 1, own, &absent);
    bool missing = absent_is_missing && end - begin < n;
    std::fill_n(out, n, absent);
    std::uint8_t bins[kBinningRows];
    for (Index e = begin; e < end; e += kBinningRows) {
      const Index count = std::min(kBinningRows, end - e);
      missing |= bin(x.values + e, 1, count, own, bins);
      for (Index i = 0; i < count; ++i) out[x.indices[e + i]] = bins[i];
    }
    missing_[static_cast<std::size_t>(j)] = missing ? 1 : 0;
  });
  runtime::parallel_for(ceil_div(n, kBinningRows), threads, [&](Index part) {
    const Index first = part * kBinningRows, count = std::min(kBinningRows, n - first);
    for (const Block& block : blocks_) write_records(block, first, count);
  });
}

template BinnedMatrix::BinnedMatrix(const MatrixView<const float>&, const std::vector<std::vector<double>>&,
                                    VectorView<const std::int32_t>, int);
template BinnedMatrix::BinnedMatrix(const MatrixView<const double>&, const std::vector<std::vector<double>>&,
                                    VectorView<const std::int32_t>, int);
#define MLCORE_INSTANTIATE(T, I) \
  template BinnedMatrix::BinnedMatrix(const CsrView<T, I>&, const std::vector<std::vector<double>>&, bool, int);
MLCORE_INSTANTIATE(float, std::int32_t)
MLCORE_INSTANTIATE(float, std::int64_t)
MLCORE_INSTANTIATE(double, std::int32_t)
MLCORE_INSTANTIATE(double, std::int64_t)
#undef MLCORE_INSTANTIATE

}  // namespace mlcore::tree
