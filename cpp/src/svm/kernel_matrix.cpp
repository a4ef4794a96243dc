#include "mlcore/svm/kernel_matrix.hpp"

#include <algorithm>
#include <vector>

#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "svm/kernel_rows.hpp"

namespace mlcore::svm {

namespace {

constexpr Index kRows = 96;  // of a block: with kGroups groups of columns it stays in the L2 cache
constexpr Index kGroups = 16;
constexpr Index kMirror = 64;  // rows and columns of a tile that is transposed

Buffer<Index> slots_of(Index rows, Index width) {
  Buffer<Index> slots(round_up(std::max<Index>(rows, 1), width));
  for (Index s = 0; s < slots.size(); ++s) slots[s] = s < rows ? s : -1;
  return slots;
}

/// Rows [begin, begin + kRows) of the result, from column `from` on.
template <class T>
void fill_rows(const KernelRows<T>& rows, const KernelRows<T>& columns, Index begin, Index n, Index m, Index from,
               T* out) {
  const Index width = columns.width(), count = std::min(kRows, n - begin), stride = kGroups * width;
  Buffer<Index> slots(count);
  for (Index i = 0; i < count; ++i) slots[i] = begin + i;
  Panel<T> panel;
  KernelScratch<T> scratch;
  rows.pack(slots.data(), count, panel);
  Buffer<T> values(count * stride);
  std::vector<T*> here(static_cast<std::size_t>(count));
  for (Index i = 0; i < count; ++i) here[static_cast<std::size_t>(i)] = values.data() + i * stride;
  for (Index g = from / width; g < columns.groups(); g += kGroups) {
    columns.compute(panel, g, std::min(kGroups, columns.groups() - g), here.data(), scratch);
    const Index first = g * width, length = std::min(stride, m - first);
    for (Index i = 0; i < count; ++i) std::copy_n(values.data() + i * stride, length, out + (begin + i) * m + first);
  }
}

/// Copies what is right of the diagonal to its left, for one band of rows.
template <class T>
void mirror(Index begin, Index n, T* out) {
  const Index end = std::min(begin + kMirror, n);
  for (Index left = 0; left < end; left += kMirror)
    for (Index i = begin; i < end; ++i)
      for (Index j = left; j < std::min(left + kMirror, i); ++j) out[i * n + j] = out[j * n + i];
}

}  // namespace

template <class T, class View>
void kernel_matrix(const View& x, const View& z, const KernelFunction& kernel, int n_jobs, T* out) {
  require(x.cols == z.cols, "both tables must have the same number of columns");
  require(kernel.kind != KernelKind::kPrecomputed, "there is nothing to compute");
  if (x.rows == 0 || z.rows == 0) return;
  const int threads = runtime::resolve_threads(n_jobs).threads;
  const Index width = svm_kernels(T()).tile_cols;
  const Buffer<Index> row_slots = slots_of(x.rows, width), column_slots = slots_of(z.rows, width);
  const RowLayout layout = RowLayout::of(z, kernel, column_slots.data(), column_slots.size());
  const auto columns = make_kernel_rows<T>(z, column_slots.data(), column_slots.size(), kernel, layout, threads);
  const auto rows = make_kernel_rows<T>(x, row_slots.data(), row_slots.size(), kernel, layout, threads);
  const double work = static_cast<double>(x.rows) * static_cast<double>(z.rows) * rows->value_ns();
  runtime::parallel_for(ceil_div(x.rows, kRows), runtime::threads_for_work(threads, work),
                        [&](Index b) { fill_rows(*rows, *columns, b * kRows, x.rows, z.rows, 0, out); });
}

template <class T, class View>
void kernel_matrix(const View& x, const KernelFunction& kernel, int n_jobs, T* out) {
  require(kernel.kind != KernelKind::kPrecomputed, "there is nothing to compute");
  if (x.rows == 0) return;
  const int threads = runtime::resolve_threads(n_jobs).threads;
  const Buffer<Index> slots = slots_of(x.rows, svm_kernels(T()).tile_cols);
  const RowLayout layout = RowLayout::of(x, kernel, slots.data(), slots.size());
  const auto rows = make_kernel_rows<T>(x, slots.data(), slots.size(), kernel, layout, threads);
  const double work = 0.5 * static_cast<double>(x.rows) * static_cast<double>(x.rows) * rows->value_ns();
  const int useful = runtime::threads_for_work(threads, work);
  runtime::parallel_for(ceil_div(x.rows, kRows), useful,
                        [&](Index b) { fill_rows(*rows, *rows, b * kRows, x.rows, x.rows, b * kRows, out); });
  runtime::parallel_for(ceil_div(x.rows, kMirror), useful, [&](Index b) { mirror(b * kMirror, x.rows, out); });
}

#define MLCORE_INSTANTIATE(T, ...)                                                                                     \
  template void kernel_matrix<T, __VA_ARGS__>(const __VA_ARGS__&, const __VA_ARGS__&, const KernelFunction&, int, T*); \
  template void kernel_matrix<T, __VA_ARGS__>(const __VA_ARGS__&, const KernelFunction&, int, T*);
MLCORE_INSTANTIATE(float, MatrixView<const float>)
MLCORE_INSTANTIATE(double, MatrixView<const double>)
MLCORE_INSTANTIATE(float, CsrView<float, std::int32_t>)
MLCORE_INSTANTIATE(float, CsrView<float, std::int64_t>)
MLCORE_INSTANTIATE(double, CsrView<double, std::int32_t>)
MLCORE_INSTANTIATE(double, CsrView<double, std::int64_t>)

}  // namespace mlcore::svm
