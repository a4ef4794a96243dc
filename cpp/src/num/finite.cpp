#include "mlcore/num/finite.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "mlcore/base/sizes.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"
#include "num/finite.kernels.hpp"

namespace mlcore::num {
namespace {

const FiniteKernels<float>& kernels(float) { MLCORE_SELECT_KERNELS(finite_kernels_f32) }
const FiniteKernels<double>& kernels(double) { MLCORE_SELECT_KERNELS(finite_kernels_f64) }

constexpr double kNsPerByte = 0.05;  // about 20 GB/s on one thread
constexpr Index kBlockBytes = Index{1} << 18;

/// `lines` runs of `length` entries; entries of a run are `step` apart, runs `stride`.
template <class T>
struct Lines {
  const T* data;
  Index lines, length, stride, step;
};

/// The order in which memory is read best.
template <class T>
Lines<T> lines_of(const MatrixView<const T>& x) {
  if (x.rows == 1) return {x.data, 1, x.cols, 0, x.col_stride};
  if (x.cols == 1) return {x.data, 1, x.rows, 0, x.row_stride};
  if (x.col_stride == 1 && x.row_stride == x.cols) return {x.data, 1, x.rows * x.cols, 0, 1};
  if (x.row_stride == 1 && x.col_stride == x.rows) return {x.data, 1, x.rows * x.cols, 0, 1};
  if (std::abs(x.row_stride) < std::abs(x.col_stride)) return {x.data, x.cols, x.rows, x.col_stride, x.row_stride};
  return {x.data, x.rows, x.cols, x.row_stride, x.col_stride};
}

template <class T>
bool run_is_finite(const T* x, Index n, Index step, const FiniteKernels<T>& table) noexcept {
  if (step == 1) return table.run(x, n);
  for (Index i = 0; i < n; ++i)
    if (!std::isfinite(x[i * step])) return false;
  return true;
}

}  // namespace

template <class T>
bool all_finite(const MatrixView<const T>& x, int n_jobs) {
  const Index size = checked_product({x.rows, x.cols});
  if (size == 0) return true;
  const Lines<T> all = lines_of(x);
  const FiniteKernels<T>& table = kernels(T{});
  constexpr Index kBlock = kBlockBytes / static_cast<Index>(sizeof(T));
  if (size <= kBlock && all.lines == 1) return run_is_finite(all.data, all.length, all.step, table);

  // A block is a stretch of one long line, or several short lines.
  const Index pieces = ceil_div(all.length, kBlock);
  const Index group = std::max<Index>(1, kBlock / all.length);
  const Index blocks = pieces > 1 ? checked_product({all.lines, pieces}) : ceil_div(all.lines, group);
  const double work = kNsPerByte * static_cast<double>(size) * static_cast<double>(sizeof(T));
  const int threads = runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads, work);
  std::atomic<bool> finite{true};
  runtime::parallel_for(blocks, threads, [&](Index block) {
    if (!finite.load(std::memory_order_relaxed)) return;
    bool good = true;
    if (pieces > 1) {
      const Index first = block % pieces * kBlock, count = std::min(kBlock, all.length - first);
      good = run_is_finite(all.data + block / pieces * all.stride + first * all.step, count, all.step, table);
    } else {
      const Index last = std::min(all.lines, (block + 1) * group);
      for (Index line = block * group; good && line < last; ++line)
        good = run_is_finite(all.data + line * all.stride, all.length, all.step, table);
    }
    if (!good) finite.store(false, std::memory_order_relaxed);
  });
  return finite.load();
}

template bool all_finite<float>(const MatrixView<const float>&, int);
template bool all_finite<double>(const MatrixView<const double>&, int);

}  // namespace mlcore::num
