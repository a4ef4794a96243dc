#include "mlcore/neighbors/leaf_kernels.hpp"
#include "mlcore/neighbors/metric.hpp"
#include "neighbors/leaf.kernels.hpp"

namespace mlcore::neighbors {

namespace {

const LeafTables& tables() { MLCORE_SELECT_KERNELS(leaf_tables) }

}  // namespace

const LeafKernels& leaf_kernels(const Metric& metric) noexcept {
  return tables().metric[static_cast<int>(metric.kind)];
}

}  // namespace mlcore::neighbors
