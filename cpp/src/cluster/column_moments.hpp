// Mean of every column and the mean of the columns' variances, in float64.
#pragma once
#include <vector>

#include "cluster/row_source.hpp"
#include "mlcore/runtime/parallel.hpp"

namespace mlcore::cluster {

struct ColumnMoments {
  std::vector<double> mean;
  double mean_variance = 0;
};

/// Each unit of rows sums about its own first row, so that a large offset cancels before squaring; units are merged in order
/// (Chan, Golub & LeVeque 1983). Bit-equal for any number of threads.
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
    total += m2 / static_cast<double>(n);
  }
  moments.mean_variance = total / static_cast<double>(d);
  return moments;
}

}  // namespace mlcore::cluster
