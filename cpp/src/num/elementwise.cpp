#include "mlcore/num/elementwise.hpp"

#include <algorithm>

#include "elementwise.kernels.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"

MLCORE_DECLARE_KERNELS(num::ElementwiseKernels, elementwise_kernels)

namespace mlcore::num {

namespace {
constexpr Index kBlock = 4096;         // 16 or 32 KiB in, as much out: both stay in the first cache
constexpr double kNsPerElement = 2.0;  // slowest function at the base level would pay for more; this is the safe side

const ElementwiseKernels& kernels_at(runtime::IsaLevel level) { MLCORE_SELECT_KERNELS_AT(level, elementwise_kernels) }
}  // namespace

template <class T>
void apply(Elementwise f, VectorView<const T> x, VectorView<T> y, int threads, runtime::IsaLevel level) {
  require(x.size == y.size, "x and y must have the same size");
  const ElementwiseKernel<T> kernel = elementwise_kernel<T>(kernels_at(level), static_cast<int>(f));
  const Index blocks = ceil_div(x.size, kBlock);
  threads = runtime::threads_for_work(threads, static_cast<double>(x.size) * kNsPerElement);
  runtime::parallel_for(blocks, threads, [&](Index block) {
    const Index first = block * kBlock;
    kernel(x.data + first, y.data + first, std::min(kBlock, x.size - first));
  });
}

template void apply<float>(Elementwise, VectorView<const float>, VectorView<float>, int, runtime::IsaLevel);
template void apply<double>(Elementwise, VectorView<const double>, VectorView<double>, int, runtime::IsaLevel);

}  // namespace mlcore::num
