#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/tree/exact_grower.hpp"

namespace mlcore::tree {

namespace {

constexpr double kNsPerValue = 60.0;  // of sorting

template <class T>
void sort_column(const MatrixView<const T>& x, Index j, std::uint32_t* order, std::uint32_t* ranks,
                 std::vector<double>& values) {
  struct Entry {
    T value;
    std::uint32_t row;
  };
  std::vector<Entry> present;
  std::vector<std::uint32_t> missing;
  present.reserve(static_cast<std::size_t>(x.rows));
  for (Index i = 0; i < x.rows; ++i) {
    const T v = x(i, j);
    if (std::isnan(v))
      missing.push_back(static_cast<std::uint32_t>(i));
    else
      present.push_back({v, static_cast<std::uint32_t>(i)});
  }
  std::sort(present.begin(), present.end(),
            [](const Entry& a, const Entry& b) { return a.value != b.value ? a.value < b.value : a.row < b.row; });
  for (std::size_t k = 0; k < present.size(); ++k) {
    if (k == 0 || present[k - 1].value < present[k].value) values.push_back(static_cast<double>(present[k].value));
    order[k] = present[k].row;
    ranks[present[k].row] = static_cast<std::uint32_t>(values.size() - 1);
  }
  for (std::size_t k = 0; k < missing.size(); ++k) {
    order[present.size() + k] = missing[k];
    ranks[missing[k]] = static_cast<std::uint32_t>(values.size());
  }
}

}  // namespace

template <class T>
SortedMatrix::SortedMatrix(const MatrixView<const T>& x, VectorView<const std::int32_t> categories, int n_threads)
    : rows_(x.rows) {
  const Index n = x.rows, d = x.cols;
  require(n > 0 && d > 0, "X must not be empty");
  require(n < (Index{1} << 31), "at most 2^31 - 1 rows");
  require(categories.empty() || categories.size == d, "n_categories must have one value per column");
  categories_.assign(static_cast<std::size_t>(d), 0);
  for (Index j = 0; j < categories.size; ++j) {
    require(categories[j] >= 0 && categories[j] <= kMaxBins, "a column has at most 255 categories");
    categories_[static_cast<std::size_t>(j)] = categories[j];
  }
  values_.resize(static_cast<std::size_t>(d));
  order_ = Buffer<std::uint32_t>(checked_product({n, d}));
  ranks_ = Buffer<std::uint32_t>(checked_product({n, d}));
  const int threads = runtime::threads_for_work(runtime::resolve_threads(n_threads).threads,
                                                static_cast<double>(n) * static_cast<double>(d) * kNsPerValue);
  runtime::parallel_for(d, threads, [&](Index j) {
    std::uint32_t* order = order_.data() + j * n;
    std::uint32_t* ranks = ranks_.data() + j * n;
    const int codes = this->categories(j);
    if (codes == 0) {
      sort_column(x, j, order, ranks, values_[static_cast<std::size_t>(j)]);
      return;
    }
    std::iota(order, order + n, 0u);
    for (Index i = 0; i < n; ++i) {
      const T v = x(i, j);
      const bool known = v >= T(0) && v < static_cast<T>(codes);
      ranks[i] = known ? static_cast<std::uint32_t>(v) : static_cast<std::uint32_t>(codes);
    }
  });
}

template SortedMatrix::SortedMatrix(const MatrixView<const float>&, VectorView<const std::int32_t>, int);
template SortedMatrix::SortedMatrix(const MatrixView<const double>&, VectorView<const std::int32_t>, int);

}  // namespace mlcore::tree
