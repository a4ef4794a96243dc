#include "mlcore/cluster/distinct_rows.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

#include "mlcore/base/errors.hpp"

namespace mlcore::cluster {
namespace {

inline std::int32_t bits_of(float x) noexcept { return std::bit_cast<std::int32_t>(x + 0.0f); }
inline std::int64_t bits_of(double x) noexcept { return std::bit_cast<std::int64_t>(x + 0.0); }

/// Integer that orders as the number does. Total also with NaN, which `<` is not: a sort must not see a contradiction.
/// Adding zero above makes -0 and 0 the same.
template <class T>
auto key(T x) noexcept {
  auto bits = bits_of(x);
  using Int = decltype(bits);
  return bits < 0 ? static_cast<Int>(bits ^ std::numeric_limits<Int>::max()) : bits;
}

/// -1, 0 or 1 as row a is below, equal to or above row b.
template <class T>
int compare(const MatrixView<const T>& x, Index a, Index b) noexcept {
  for (Index j = 0; j < x.cols; ++j) {
    const auto left = key(x(a, j)), right = key(x(b, j));
    if (left != right) return left < right ? -1 : 1;
  }
  return 0;
}

template <class T, class I>
int compare(const CsrView<T, I>& x, Index a, Index b) noexcept {
  auto i = static_cast<Index>(x.indptr[a]), j = static_cast<Index>(x.indptr[b]);
  const auto i_end = static_cast<Index>(x.indptr[a + 1]), j_end = static_cast<Index>(x.indptr[b + 1]);
  while (i < i_end || j < j_end) {
    // The lower of the two columns decides; a row that has no entry there has a zero.
    const bool from_a = j == j_end || (i < i_end && x.indices[i] <= x.indices[j]);
    const bool from_b = i == i_end || (j < j_end && x.indices[j] <= x.indices[i]);
    const auto left = key(from_a ? x.values[i] : T(0)), right = key(from_b ? x.values[j] : T(0));
    if (left != right) return left < right ? -1 : 1;
    i += from_a;
    j += from_b;
  }
  return 0;
}

/// False when the comparison above would not be an order.
template <class T>
bool is_comparable(const MatrixView<const T>&) noexcept {
  return true;
}
template <class T, class I>
bool is_comparable(const CsrView<T, I>& x) noexcept {
  for (Index row = 0; row < x.rows; ++row)
    for (I e = x.indptr[row] + 1; e < x.indptr[row + 1]; ++e)
      if (x.indices[e] <= x.indices[e - 1]) return false;
  return true;
}

template <class T, class View>
DistinctRows<T> find(const View& x, VectorView<const T> weights) {
  require(weights.empty() || weights.size == x.rows, "sample_weight must have one value per row");
  std::vector<Index> order;
  order.reserve(static_cast<std::size_t>(x.rows));
  for (Index row = 0; row < x.rows; ++row)
    if (weights.empty() || weights[row] > 0) order.push_back(row);
  const bool comparable = is_comparable(x);
  if (comparable) {
    std::sort(order.begin(), order.end(), [&](Index a, Index b) {
      const int sign = compare(x, a, b);
      return sign != 0 ? sign < 0 : a < b;
    });
  }
  const auto size = static_cast<Index>(order.size());
  DistinctRows<T> found{Buffer<Index>(size), Buffer<T>(size), 0};
  double total = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double weight = weights.empty() ? 1.0 : static_cast<double>(weights[order[i]]);
    if (i > 0 && comparable && compare(x, order[i - 1], order[i]) == 0) {
      total += weight;
    } else {
      found.rows[found.count++] = order[i];
      total = weight;
    }
    found.weights[found.count - 1] = static_cast<T>(total);
  }
  return found;
}

}  // namespace

template <class T>
DistinctRows<T> distinct_rows(const MatrixView<const T>& x, VectorView<const T> weights) {
  return find(x, weights);
}
template <class T, class I>
DistinctRows<T> distinct_rows(const CsrView<T, I>& x, VectorView<const T> weights) {
  return find(x, weights);
}

template DistinctRows<float> distinct_rows(const MatrixView<const float>&, VectorView<const float>);
template DistinctRows<double> distinct_rows(const MatrixView<const double>&, VectorView<const double>);
template DistinctRows<float> distinct_rows(const CsrView<float, std::int32_t>&, VectorView<const float>);
template DistinctRows<float> distinct_rows(const CsrView<float, std::int64_t>&, VectorView<const float>);
template DistinctRows<double> distinct_rows(const CsrView<double, std::int32_t>&, VectorView<const double>);
template DistinctRows<double> distinct_rows(const CsrView<double, std::int64_t>&, VectorView<const double>);

}  // namespace mlcore::cluster
