#include "mlcore/num/reductions.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"
#include "reductions.kernels.hpp"

MLCORE_DECLARE_KERNELS(num::ReductionKernels, reduction_kernels)

namespace mlcore::num {

namespace {

constexpr Index kBlockElements = 8192;  // 64 KiB of float64: a block's second pass finds it in the cache
constexpr double kNsPerElement = 0.3;   // bound by memory

const ReductionKernels& kernels_at(runtime::IsaLevel level) { MLCORE_SELECT_KERNELS_AT(level, reduction_kernels) }

template <class T>
const ReductionKernelsOf<T>& of_type(const ReductionKernels& kernels) noexcept {
  if constexpr (sizeof(T) == sizeof(float))
    return kernels.float32;
  else
    return kernels.float64;
}

// map(first, count) for each block of [0, n), added in order.
template <class Map>
double sum_of_blocks(Index n, int threads, Map&& map) {
  threads = runtime::threads_for_work(threads, static_cast<double>(n) * kNsPerElement);
  return runtime::reduce_ordered(
      ceil_div(n, kBlockElements), threads, 0.0,
      [&](Index block, double& part) {
        const Index first = block * kBlockElements;
        part += map(first, std::min(kBlockElements, n - first));
      },
      [](double& all, double part) { all += part; });
}

/// Moments of some rows.
struct PartialMoments {
  Index count = 0;
  std::vector<double> mean, squares;

  void join(Index other_count, const double* other_mean, const double* other_squares) {
    const auto a = static_cast<double>(count), b = static_cast<double>(other_count);
    count += other_count;
    const double share = b / (a + b);
    for (std::size_t j = 0; j < mean.size(); ++j) {
      const double delta = other_mean[j] - mean[j];
      if (a == 0) {
        mean[j] = other_mean[j];
        squares[j] = other_squares[j];
      } else {
        mean[j] += delta * share;
        squares[j] += other_squares[j] + delta * delta * (a * share);
      }
    }
  }
};

}  // namespace

template <class T>
double sum(VectorView<const T> x, int threads, runtime::IsaLevel level) {
  const auto kernel = of_type<T>(kernels_at(level)).sum;
  return sum_of_blocks(x.size, threads, [&](Index first, Index count) { return kernel(x.data + first, count); });
}

template <class T>
double dot(VectorView<const T> x, VectorView<const T> y, int threads, runtime::IsaLevel level) {
  require(x.size == y.size, "x and y must have the same size");
  const auto kernel = of_type<T>(kernels_at(level)).dot;
  return sum_of_blocks(x.size, threads,
                       [&](Index first, Index count) { return kernel(x.data + first, y.data + first, count); });
}

template <class T>
ColumnMoments column_moments(MatrixView<const T> x, int threads, runtime::IsaLevel level) {
  require(x.rows >= 1, "column moments need at least one row");
  const auto kernel = of_type<T>(kernels_at(level)).column_moments;
  const auto columns = static_cast<std::size_t>(x.cols);
  const Index rows = std::max<Index>(1, kBlockElements / std::max<Index>(1, x.cols));
  const double work = static_cast<double>(x.rows) * static_cast<double>(x.cols) * 2 * kNsPerElement;
  // Measured from the first row, so that constant columns come out exactly and an offset costs no digits.
  std::vector<double> shift(columns);
  for (Index j = 0; j < x.cols; ++j) {
    const auto first = static_cast<double>(x(0, j));
    shift[static_cast<std::size_t>(j)] = std::isfinite(first) ? first : 0.0;
  }
  const PartialMoments zero{0, std::vector<double>(columns), std::vector<double>(columns)};
  const PartialMoments moments = runtime::reduce_ordered(
      ceil_div(x.rows, rows), runtime::threads_for_work(threads, work), zero,
      [&](Index block, PartialMoments& part) {
        const Index first = block * rows;
        MatrixView<const T> view = x;
        view.data += first * x.row_stride;
        view.rows = std::min(rows, x.rows - first);
        std::vector<double> mean(columns), squares(columns);
        kernel(view, shift.data(), mean.data(), squares.data());
        part.join(view.rows, mean.data(), squares.data());
      },
      [](PartialMoments& all, const PartialMoments& part) {
        all.join(part.count, part.mean.data(), part.squares.data());
      });
  ColumnMoments result{Buffer<double>(x.cols), Buffer<double>(x.cols)};
  for (Index j = 0; j < x.cols; ++j) {
    result.mean[j] = shift[static_cast<std::size_t>(j)] + moments.mean[static_cast<std::size_t>(j)];
    result.variance[j] = moments.squares[static_cast<std::size_t>(j)] / static_cast<double>(x.rows);
  }
  return result;
}

template double sum<float>(VectorView<const float>, int, runtime::IsaLevel);
template double sum<double>(VectorView<const double>, int, runtime::IsaLevel);
template double dot<float>(VectorView<const float>, VectorView<const float>, int, runtime::IsaLevel);
template double dot<double>(VectorView<const double>, VectorView<const double>, int, runtime::IsaLevel);
template ColumnMoments column_moments<float>(MatrixView<const float>, int, runtime::IsaLevel);
template ColumnMoments column_moments<double>(MatrixView<const double>, int, runtime::IsaLevel);

}  // namespace mlcore::num
