#include "mlcore/num/logsumexp.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "logsumexp.kernels.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"

MLCORE_DECLARE_KERNELS(num::LogSumExpKernels, logsumexp_kernels)

namespace mlcore::num {

namespace {

constexpr Index kBlockElements = 8192;
constexpr double kNsPerElement = 2.0;

const LogSumExpKernels& kernels_at(runtime::IsaLevel level) { MLCORE_SELECT_KERNELS_AT(level, logsumexp_kernels) }

template <class T>
const LogSumExpKernelsOf<T>& of_type(const LogSumExpKernels& kernels) noexcept {
  if constexpr (sizeof(T) == sizeof(float))
    return kernels.float32;
  else
    return kernels.float64;
}

double finite_or_zero(double m) noexcept { return std::isfinite(m) ? m : 0.0; }

}  // namespace

template <class T>
void logsumexp_rows(MatrixView<const T> x, VectorView<T> out, int threads, runtime::IsaLevel level) {
  require(out.size == x.rows, "out must have one element per row");
  const auto kernel = of_type<T>(kernels_at(level)).rows;
  // A multiple of 64 rows: no lane is left empty within, and no cache line of `out` is shared between blocks.
  const Index rows = round_up(std::max<Index>(1, kBlockElements / std::max<Index>(1, x.cols)), 64);
  const double work = static_cast<double>(x.rows) * static_cast<double>(x.cols + 4) * kNsPerElement;
  runtime::parallel_for(ceil_div(x.rows, rows), runtime::threads_for_work(threads, work), [&](Index block) {
    const Index first = block * rows;
    MatrixView<const T> part = x;
    part.data += first * x.row_stride;
    part.rows = std::min(rows, x.rows - first);
    kernel(part, out.data + first);
  });
}

template <class T>
double logsumexp(VectorView<const T> x, int threads, runtime::IsaLevel level) {
  const Index blocks = ceil_div(x.size, kBlockElements);
  threads = runtime::threads_for_work(threads, static_cast<double>(x.size) * kNsPerElement);
  return runtime::reduce_ordered(
             blocks, threads, LogSumExp(level),
             [&](Index block, LogSumExp& part) {
               const Index first = block * kBlockElements;
               part.add(VectorView<const T>{x.data + first, std::min(kBlockElements, x.size - first)});
             },
             [](LogSumExp& all, const LogSumExp& part) { all.merge(part); })
      .value();
}

void LogSumExp::merge(double maximum, double sum) {
  if (sum == 0.0) return;  // nothing, or only -inf
  const double previous = maximum_;
  maximum_ = maximum > maximum_ ? maximum : maximum_;
  const double shift = finite_or_zero(maximum_);
  const auto exp = kernels_at(level_).exp;
  if (sum_ != 0.0) sum_ *= exp(finite_or_zero(previous) - shift);
  sum_ += sum * exp(finite_or_zero(maximum) - shift);
}

void LogSumExp::add(double x) {
  if (std::isinf(x))
    merge(x, x > 0 ? x : 0.0);
  else
    merge(x, x == x ? 1.0 : x);
}

template <class T>
void LogSumExp::add(VectorView<const T> x) {
  double maximum = 0, sum = 0;
  of_type<T>(kernels_at(level_)).partial(x.data, x.size, &maximum, &sum);
  merge(maximum, sum);
}

double LogSumExp::value() const { return finite_or_zero(maximum_) + kernels_at(level_).log(sum_); }

template void logsumexp_rows<float>(MatrixView<const float>, VectorView<float>, int, runtime::IsaLevel);
template void logsumexp_rows<double>(MatrixView<const double>, VectorView<double>, int, runtime::IsaLevel);
template double logsumexp<float>(VectorView<const float>, int, runtime::IsaLevel);
template double logsumexp<double>(VectorView<const double>, int, runtime::IsaLevel);
template void LogSumExp::add<float>(VectorView<const float>);
template void LogSumExp::add<double>(VectorView<const double>);

}  // namespace mlcore::num
