// Mean of every column and the mean of the columns' variances, in float64.
#pragma once
#include <cmath>
#include <vector>

#include "cluster/row_source.hpp"
#include "mlcore/runtime/parallel.hpp"

namespace mlcore::cluster {

struct ColumnMoments {
  std::vector<double> mean, variance;
  double mean_variance = 0;
};

/// Offset to subtract from a column so that |x|^2 - 2 x.c + |c|^2 does not cancel: the centre of the column, rounded to
/// a power of two near its spread. So integers stay integers (or halves, quarters), their scores stay exact, and rows
/// that are equally far from two centres stay so; a column around zero is not shifted at all.
inline double shift_of(double center, double spread) noexcept {
  if (!(spread > 0) || !std::isfinite(center)) return spread == 0 && std::isfinite(center) ? center : 0.0;
  const double unit = std::exp2(std::ceil(std::log2(spread)));
  return unit > 0 && std::isfinite(unit) ? unit * std::nearbyint(center / unit) : 0.0;
}

/// Offsets of all columns in the type of the kernels; zero for sources that the kernels do not shift.
template <class Source>
Buffer<typename Source::Scalar> column_shifts(const ColumnMoments& moments) {
  using T = typename Source::Scalar;
  Buffer<T> shift = Buffer<T>::zeros({static_cast<Index>(moments.mean.size())});
  if constexpr (Source::kShifted)
    for (std::size_t j = 0; j < moments.mean.size(); ++j)
      shift[static_cast<Index>(j)] = static_cast<T>(shift_of(moments.mean[j], std::sqrt(moments.variance[j])));
  return shift;
}

/// Each unit of rows sums about its own first row, so that a large offset cancels before squaring; units are merged in
/// order (Chan, Golub & LeVeque 1983). Bit-equal for any number of threads.
template <class Source>
ColumnMoments column_moments(const Source& x, int threads) {
  const Index n = x.rows(), d = x.cols(), units = runtime::partial_count(ceil_div(n, 4096));
  Buffer<double> shift = Buffer<double>::zeros({units, d}), sum = Buffer<double>::zeros({units, d}),
                 square = Buffer<double>::zeros({units, d});
  runtime::parallel_for(units, threads, [&](Index u) {
    const Index first = n * u / units, last = n * (u + 1) / units;
    double* s = shift.data() + u * d;
    if constexpr (Source::kShifted) x.add(first, 1.0, s);
    for (Index row = first; row < last; ++row) x.add_moments(row, s, sum.data() + u * d, square.data() + u * d);
  });
  ColumnMoments moments;
  moments.mean.resize(static_cast<std::size_t>(d));
  moments.variance.resize(static_cast<std::size_t>(d));
  double total = 0;
  for (Index j = 0; j < d; ++j) {
    double mean = 0, m2 = 0, count = 0;
    for (Index u = 0; u < units; ++u) {
      const double rows = static_cast<double>(n * (u + 1) / units - n * u / units);
      const double local = sum[u * d + j] / rows, delta = shift[u * d + j] + local - mean;
      const double local_m2 = square[u * d + j] - local * sum[u * d + j];
      m2 += (local_m2 > 0 ? local_m2 : 0) + delta * delta * count * rows / (count + rows);
      count += rows;
      mean += delta * rows / count;
    }
    moments.mean[static_cast<std::size_t>(j)] = mean;
    moments.variance[static_cast<std::size_t>(j)] = m2 / static_cast<double>(n);
    total += m2 / static_cast<double>(n);
  }
  moments.mean_variance = total / static_cast<double>(d);
  return moments;
}

}  // namespace mlcore::cluster
